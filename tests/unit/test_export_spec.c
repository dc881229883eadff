/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_export_spec.c - the text of -v, good and bad. */
#include <criterion/criterion.h>
#include <string.h>

#include "common/export_spec.h"

struct good {
	const char *text, *dir, *prefix;
	bool read_only, nomap, nocache, sync;
};

static const struct good good[] = {
	{ "/srv:/data", "/srv", "/data", false, false, false, false },
	{ "/srv:/data:ro", "/srv", "/data", true, false, false, false },
	{ "/srv:/data:rw", "/srv", "/data", false, false, false, false },
	{ "/srv:/data:nomap", "/srv", "/data", false, true, false, false },
	{ "/srv:/data:ro:nomap", "/srv", "/data", true, true, false, false },
	{ "/srv:/data:nomap:ro", "/srv", "/data", true, true, false, false },
	{ "/srv:/data:nocache", "/srv", "/data", false, false, true, false },
	{ "/srv:/data:nocache:ro:nomap", "/srv", "/data", true, true, true, false },
	{ "/srv:/data:sync", "/srv", "/data", false, false, false, true },
	{ "/srv:/data:nocache:sync:ro", "/srv", "/data", true, false, true, true },
	{ "/srv:/data:nomaps", "/srv", "/data:nomaps", false, false, false, false },
	{ ".:/d", ".", "/d", false, false, false, false },
	{ "/s:/a//b///c/", "/s", "/a/b/c", false, false, false, false },
	{ "/with:colon:/data", "/with:colon", "/data", false, false, false, false },
	{ "/a:/b:/c", "/a:/b", "/c", false, false, false, false },
	{ "/srv:/da:ta", "/srv", "/da:ta", false, false, false, false },
	{ "/srv:/..data/...", "/srv", "/..data/...", false, false, false, false },
	{ "/s p:/t b", "/s p", "/t b", false, false, false, false },
};

Test(export_spec, good)
{
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct fc_export_spec spec;
		const char *wrong = fc_export_parse(&spec, good[i].text);

		cr_assert_null(wrong, "%s: %s", good[i].text, wrong);
		cr_expect_str_eq(spec.dir, good[i].dir);
		cr_expect_str_eq(spec.prefix, good[i].prefix);
		cr_expect_eq(spec.read_only, good[i].read_only, "%s", good[i].text);
		cr_expect_eq(spec.nomap, good[i].nomap, "%s", good[i].text);
		cr_expect_eq(spec.nocache, good[i].nocache, "%s", good[i].text);
		cr_expect_eq(spec.sync, good[i].sync, "%s", good[i].text);
	}
}

Test(export_spec, bad)
{
	static const char *const bad[] = {
		"",
		":",
		"/srv",
		"/srv:",
		"/srv:data",
		":/data",
		"/srv:/",
		"/srv:///",
		"/srv:/a/../b",
		"/srv:/a/.",
		"/srv:/..",
		"/srv\n:/data",
		"/srv:/da\nta",
		":ro",
		"/srv:ro",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct fc_export_spec spec;

		cr_expect_not_null(fc_export_parse(&spec, bad[i]), "\"%s\" was accepted", bad[i]);
	}
}

Test(export_spec, lengths)
{
	struct fc_export_spec spec;
	char text[5000] = "/srv:/";

	memset(text + 6, 'x', FC_PREFIX_MAX - 1);
	cr_expect_null(fc_export_parse(&spec, text));
	cr_expect_eq(strlen(spec.prefix), FC_PREFIX_MAX);
	text[6 + FC_PREFIX_MAX - 1] = 'x';
	cr_expect_not_null(fc_export_parse(&spec, text));
	memset(text + 6, 'x', sizeof(text) - 7);
	cr_expect_not_null(fc_export_parse(&spec, text));
	memset(text, 'x', sizeof(text) - 10);
	memcpy(text + sizeof(text) - 10, ":/data", 7);
	cr_expect_not_null(fc_export_parse(&spec, text));
}

Test(export_spec, overlap)
{
	cr_expect(fc_prefix_overlap("/a", "/a"));
	cr_expect(fc_prefix_overlap("/a", "/a/b"));
	cr_expect(fc_prefix_overlap("/a/b/c", "/a"));
	cr_expect_not(fc_prefix_overlap("/a", "/ab"));
	cr_expect_not(fc_prefix_overlap("/ab", "/a"));
	cr_expect_not(fc_prefix_overlap("/a/b", "/a/c"));
}
