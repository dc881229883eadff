/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_path.c - where paths begin and where careful walks end, in plain directories that play exports. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "storage-domain/exec/path.h"
#include "storage-domain/shadow/shadow.h"

static struct fc_exports exports;
static char top[] = "/tmp/farcall-path-XXXXXX";

static void add_export(const char *dir, const char *prefix)
{
	struct fc_export *x = &exports.export[exports.count++];
	struct statx st;

	x->prefix = (char *)prefix;
	x->root_fd = open(dir, O_PATH);
	cr_assert_geq(x->root_fd, 0);
	cr_assert_eq(statx(x->root_fd, "", AT_EMPTY_PATH, STATX_INO | STATX_MNT_ID, &st), 0);
	x->mount_id = st.stx_mnt_id;
	x->ino = st.stx_ino;
	x->dev = makedev(st.stx_dev_major, st.stx_dev_minor);
}

static void build(void)
{
	cr_assert(mkdtemp(top));
	cr_assert_eq(chdir(top), 0);
	cr_assert_eq(mkdir("a", 0755) | mkdir("b", 0755) | mkdir("a/d", 0755) | mkdir("a/d/e", 0755), 0);
	close(open("a/d/f", O_CREAT | O_WRONLY, 0644));
	cr_assert_eq(symlink("/etc/target", "a/abs"), 0);
	cr_assert_eq(symlink("/", "a/slash"), 0);
	cr_assert_eq(symlink("d", "a/in"), 0);
	cr_assert_eq(symlink("../../up", "a/d/out"), 0);
	cr_assert_eq(symlink("f", "a/d/l"), 0);
	cr_assert_eq(symlink("d/", "a/ind"), 0);
	cr_assert_eq(symlink("loop2", "a/loop"), 0);
	cr_assert_eq(symlink("loop", "a/loop2"), 0);
	cr_assert_eq(symlink("nothing", "a/dangling"), 0);
	add_export("a", "/data");
	add_export("b", "/deep/er/other");
}

static void demolish(void)
{
	char command[64];

	snprintf(command, sizeof command, "rm -rf %s", top);
	cr_expect_eq(system(command), 0);
}

TestSuite(path, .init = build, .fini = demolish);

static void starts(const char *path, int export, const char *rest)
{
	const char *got = NULL;
	int start = -1, r = fc_path_start(&exports, 7, path, &start, &got);

	if (export == -1) {
		cr_expect_eq(r, -ENOENT, "%s", path);
		return;
	}
	cr_expect_eq(r, 0, "%s", path);
	cr_expect_eq(start, export == -2 ? 7 : exports.export[export].root_fd, "%s", path);
	cr_expect_str_eq(got, rest, "%s", path);
}

Test(path, start)
{
	starts("/data/x", 0, "x");
	starts("/data", 0, ".");
	starts("/data/", 0, ".");
	starts("//data///x/", 0, "x/");
	starts("/./data/./x", 0, "./x");
	starts("/data/../x", 0, "../x");
	starts("/deep/er/other/y", 1, "y");
	starts("/deep/./er//other", 1, ".");
	starts("/database", -1, NULL);
	starts("/deep/er", -1, NULL);
	starts("/", -1, NULL);
	starts("/deep/../data", -1, NULL);
	starts("rel", -2, "rel");
	starts("../rel", -2, "../rel");
	cr_expect(fc_path_is_root(&exports, "/data"));
	cr_expect(fc_path_is_root(&exports, "/data//"));
	cr_expect_not(fc_path_is_root(&exports, "/data/.x"));
	cr_expect_not(fc_path_is_root(&exports, "/data/x"));
	cr_expect_not(fc_path_is_root(&exports, "data"));
}

Test(path, longest_prefix_wins)
{
	const char *rest;
	int start;

	add_export("b", "/data/d");
	cr_expect_eq(fc_path_start(&exports, -1, "/data/d/x", &start, &rest), 0);
	cr_expect_eq(start, exports.export[2].root_fd);
	cr_expect_eq(fc_path_start(&exports, -1, "/data/dd", &start, &rest), 0);
	cr_expect_eq(start, exports.export[0].root_fd);
}

/* what: the name that the walk ends at, or the path that it leaves to */
static void walks(const char *rest, unsigned flags, int expect, const char *what)
{
	static struct fc_walk w;
	int r = fc_walk(&w, &exports, exports.export[0].root_fd, rest, flags);

	cr_expect_eq(r, expect, "%s: %d, not %d", rest, r, expect);
	if (r == expect && what)
		cr_expect_str_eq(r == FC_PATH_LEFT ? w.text : w.name, what, "%s: %s", rest,
				 r == FC_PATH_LEFT ? w.text : w.name);
	if (r == FC_PATH_HERE)
		fc_walk_end(&w);
	cr_expect_not(w.owned, "%s", rest);
}

Test(path, stays)
{
	walks("d/f", FC_WALK_FOLLOW, FC_PATH_HERE, "f");
	walks("d/e/", FC_WALK_FOLLOW, FC_PATH_HERE, "e/");
	walks("d/f///", FC_WALK_FOLLOW, FC_PATH_HERE, "f/");
	walks(".", FC_WALK_FOLLOW, FC_PATH_HERE, ".");
	walks("", FC_WALK_FOLLOW, FC_PATH_HERE, ".");
	walks("d/..", FC_WALK_FOLLOW, FC_PATH_HERE, "..");
	walks("d/../d/./e/../f", FC_WALK_FOLLOW, FC_PATH_HERE, "f");
	walks("in/l", FC_WALK_FOLLOW, FC_PATH_HERE, "f");
	walks("in/l", 0, FC_PATH_HERE, "l");
	walks("in", 0, FC_PATH_HERE, "in");
	walks("in/", 0, FC_PATH_HERE, "d/");
	walks("ind", FC_WALK_FOLLOW, FC_PATH_HERE, "d/");
	walks("in/", FC_WALK_PARENT, FC_PATH_HERE, "in/");
	walks("abs", 0, FC_PATH_HERE, "abs");
	walks("abs/", FC_WALK_PARENT, FC_PATH_HERE, "abs/");
	walks("dangling", FC_WALK_FOLLOW, FC_PATH_HERE, "nothing");
	walks("..", FC_WALK_PARENT, FC_PATH_HERE, ".."); /* no call makes or removes "..", wherever it is */
	walks("d/../../", FC_WALK_PARENT, FC_PATH_HERE, "../");
	walks("new", FC_WALK_PARENT, FC_PATH_HERE, "new");
	walks("d/f/x", FC_WALK_FOLLOW, FC_PATH_HERE, "x"); /* the call itself gets ENOTDIR */
}

Test(path, leaves)
{
	walks("..", FC_WALK_FOLLOW, FC_PATH_LEFT, "/");
	walks("../", FC_WALK_FOLLOW, FC_PATH_LEFT, "/");
	walks("d/../../", FC_WALK_FOLLOW, FC_PATH_LEFT, "/");
	walks("d/../../x/y/", FC_WALK_FOLLOW, FC_PATH_LEFT, "/x/y/");
	walks("../..", FC_WALK_PARENT, FC_PATH_LEFT, "/..");
	walks("abs", FC_WALK_FOLLOW, FC_PATH_LEFT, "/etc/target");
	walks("abs/", 0, FC_PATH_LEFT, "/etc/target/");
	walks("abs/x//y", FC_WALK_PARENT, FC_PATH_LEFT, "/etc/target/x//y");
	walks("slash", FC_WALK_FOLLOW, FC_PATH_LEFT, "/");
	walks("slash/x", FC_WALK_FOLLOW, FC_PATH_LEFT, "//x");
	walks("in/out", FC_WALK_FOLLOW, FC_PATH_LEFT, "/up");
	walks("in/out/more", 0, FC_PATH_LEFT, "/up/more");
}

Test(path, leaves_a_deep_prefix)
{
	static struct fc_walk w;

	cr_expect_eq(fc_walk(&w, &exports, exports.export[1].root_fd, "../z", 0), FC_PATH_LEFT);
	cr_expect_str_eq(w.text, "/deep/er/z");
	cr_expect_eq(fc_walk(&w, &exports, exports.export[1].root_fd, "..//", 0), FC_PATH_LEFT);
	cr_expect_str_eq(w.text, "/deep/er");
}

Test(path, fails)
{
	char name[NAME_MAX + 3];

	walks("none/x", FC_WALK_FOLLOW, -ENOENT, NULL);
	walks("d/f/../x", FC_WALK_FOLLOW, -ENOTDIR, NULL);
	walks("loop", FC_WALK_FOLLOW, -ELOOP, NULL);
	walks("loop/x", 0, -ELOOP, NULL);
	walks("in/f", FC_WALK_NOLINKS, -ELOOP, NULL);
	memset(name, 'n', sizeof name);
	name[sizeof name - 1] = 0;
	walks(name, FC_WALK_FOLLOW, -ENAMETOOLONG, NULL);
}

Test(path, search_permission)
{
	if (geteuid() == 0)
		cr_assert_eq(seteuid(65534), 0);
	else
		cr_skip_test("only root can become somebody else");
	cr_assert_eq(seteuid(0), 0);
	cr_assert_eq(chmod("a", 0600), 0);
	cr_assert_eq(seteuid(65534), 0);
	walks("d/f", FC_WALK_FOLLOW, -EACCES, NULL);
	walks("../x", FC_WALK_FOLLOW, -EACCES, NULL);
	cr_assert_eq(seteuid(0), 0);
}

Test(path, too_long_to_go_on)
{
	static struct fc_walk w;
	static char rest[FC_PATH_MAX];

	strcpy(rest, "abs/");
	memset(rest + 4, '/', sizeof rest - 5);
	cr_expect_eq(fc_walk(&w, &exports, exports.export[0].root_fd, rest, FC_WALK_FOLLOW), -ENAMETOOLONG);
}
