/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_path_text.c - paths by their text, and where a domain may send its client. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <string.h>

#include "libc-shim/calls/path_text.h"

static const struct fc_config config = {
	.ndomains = 2,
	.nmounts = 4,
	.mount = {
		{ .domain = 0, .prefix = "/data", .length = 5 },
		{ .domain = 1, .prefix = "/other", .length = 6 },
		{ .domain = 0, .prefix = "/srv/far", .length = 8 },
		{ .domain = 1, .prefix = "/home/deep/far", .length = 14 },
	},
};

Test(path_text, last)
{
	static const char *const cases[][2] = {
		{ "/a/b", "b" },        { "/a/b/", "b/" }, { "/a/b//", "b//" }, { "a", "a" },
		{ "a/", "a/" },         { "/", "" },       { "//", "" },        { "", "" },
		{ "/a/.", "." },        { "..", ".." },    { "/a/../", "../" }, { "//a", "a" },
		{ "/data/.../x", "x" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		cr_expect_str_eq(shim_path_last(cases[i][0]), cases[i][1], "%s", cases[i][0]);
}

Test(path_text, behind)
{
	cr_expect_str_eq(shim_path_behind("/data/x", "/data"), "x");
	cr_expect_str_eq(shim_path_behind("//data/.///x/y", "/data"), "x/y");
	cr_expect_str_eq(shim_path_behind("/data/.", "/data"), "");
	cr_expect_str_eq(shim_path_behind("/./data", "/data"), "");
	cr_expect_null(shim_path_behind("/datax", "/data"));
	cr_expect_null(shim_path_behind("/dat", "/data"));
	cr_expect_null(shim_path_behind("/a/../data", "/data"));
}

Test(path_text, goes_up)
{
	cr_expect(shim_path_goes_up(".."));
	cr_expect(shim_path_goes_up("/a/../b"));
	cr_expect(shim_path_goes_up("/a/.//.."));
	cr_expect_not(shim_path_goes_up("/a/...//..b/b../."));
	cr_expect_not(shim_path_goes_up("/"));
	cr_expect_not(shim_path_goes_up(""));
}

enum { FOLLOWED = 1 << SHIM_LAST_FOLLOWED, LOOKED_AT = 1 << SHIM_LAST_LOOKED_AT, NAMED = 1 << SHIM_LAST_NAMED };

/* what may go on where, all with links allowed; `by` is the set of calls for which it may */
static const struct {
	const char *from, *to;
	unsigned by;
} cases[] = {
	/* the name itself: followed only */
	{ "/data/x", "/etc/passwd", FOLLOWED },
	{ "/data/x", "/etc/x", FOLLOWED },
	{ "x", "/etc/x", FOLLOWED },
	{ "./x", "/etc/x", FOLLOWED },
	{ "/data/./x", "/etc/x", FOLLOWED },
	{ "/srv/far/x", "/etc/x", FOLLOWED },
	/* something before it */
	{ "/data/d/x", "/etc/x", FOLLOWED | LOOKED_AT | NAMED },
	{ "/data/d/x", "/etc/y", FOLLOWED },
	{ "/data/d/x", "/etc/d/", FOLLOWED },
	{ "/data/d/x", "/etc/xx", FOLLOWED },
	{ "/data/d/x", "/x", FOLLOWED | LOOKED_AT | NAMED },
	{ "d/x", "/etc/x", FOLLOWED | LOOKED_AT | NAMED },
	{ "d//x", "/etc/x", FOLLOWED | LOOKED_AT | NAMED },
	/* before a slash it is followed by whoever does not make it */
	{ "/data/x/", "/etc/", FOLLOWED | LOOKED_AT },
	{ "/data/d/x/", "/etc/x/", FOLLOWED | LOOKED_AT | NAMED },
	{ "/data/d/x/", "/etc/x", FOLLOWED | LOOKED_AT },
	{ "/data/d/x", "/etc/x/", FOLLOWED },
	/* up */
	{ "/data/..", "/", FOLLOWED | LOOKED_AT },
	{ "/data/../", "/", FOLLOWED | LOOKED_AT },
	{ "..", "/", FOLLOWED | LOOKED_AT },
	{ "..", "/srv", FOLLOWED | LOOKED_AT },
	{ "../..", "/srv/..", FOLLOWED | LOOKED_AT | NAMED },
	{ "../..", "/srv", FOLLOWED | LOOKED_AT },
	{ "..", "/home/deep", 0 }, /* the other domain's */
	{ "..", "/home", 0 },
	{ "..", "/srvx", 0 },
	{ "/data/../x", "/x", FOLLOWED | LOOKED_AT | NAMED },
	{ "/data/../x", "/srv/x", FOLLOWED | LOOKED_AT | NAMED },
	{ "/data/../x", "/etc/x", FOLLOWED },
	{ "/data/../x", "/srvx", FOLLOWED },
	{ "../x", "/srv/y", FOLLOWED },
	{ "/data/../..", "/..", FOLLOWED | LOOKED_AT | NAMED },
	{ "/data/../../x/../y", "/srv/../x/../y", FOLLOWED | LOOKED_AT | NAMED },
	/* a dot or two in the end, behind something that may be a link */
	{ "/data/d/.", "/etc/.", FOLLOWED | LOOKED_AT | NAMED },
	{ "/data/d/.", "/etc", FOLLOWED },
	{ "/data/d/..", "/etc/..", FOLLOWED | LOOKED_AT | NAMED },
	{ "/data/d/..", "/", FOLLOWED | LOOKED_AT },
	{ "/data/d/..", "/etc", FOLLOWED },
	/* nothing that could lead away */
	{ "/data", "/etc", 0 },
	{ "/data/", "/etc/", 0 },
	{ "/data/.", "/etc/.", 0 },
	{ ".", "/etc", 0 },
	{ "", "/etc", 0 },
	/* not the domain's, or no path */
	{ "/other/d/x", "/etc/x", 0 },
	{ "/proc/self/fd/40", "/etc/40", 0 },
	{ "/etc/d/x", "/home/x", 0 },
	{ "/data/d/x", "etc/x", 0 },
	{ "/data/d/x", "", 0 },
};

Test(path_text, go_on)
{
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		for (unsigned last = SHIM_LAST_FOLLOWED; last <= SHIM_LAST_NAMED; last++)
			cr_expect_eq(shim_path_may_go_on(&config, 0, cases[i].from, cases[i].to, last, true),
				     (cases[i].by >> last) & 1, "%s to %s, %u", cases[i].from, cases[i].to, last);
}

/* RESOLVE_NO_SYMLINKS: only `..` leads away */
Test(path_text, no_links)
{
	cr_expect_not(shim_path_may_go_on(&config, 0, "/data/x", "/etc/x", SHIM_LAST_FOLLOWED, false));
	cr_expect_not(shim_path_may_go_on(&config, 0, "/data/d/x", "/etc/x", SHIM_LAST_LOOKED_AT, false));
	cr_expect(shim_path_may_go_on(&config, 0, "/data/d/../../x", "/x", SHIM_LAST_FOLLOWED, false));
	cr_expect(shim_path_may_go_on(&config, 0, "..", "/srv", SHIM_LAST_FOLLOWED, false));
	cr_expect_not(shim_path_may_go_on(&config, 0, "..", "/etc", SHIM_LAST_FOLLOWED, false));
}
