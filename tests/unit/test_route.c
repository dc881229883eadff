/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_route.c - libc-shim/calls/route.c without a domain: which paths are a domain's by their text, and where a walk through this machine's
 * symbolic links leads. The links are real, in a directory of the test's.
 */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libc-shim/calls/route.h"
#include "libc-shim/hook.h"
#include "libc-shim/process/process.h"
#include "libc-shim/process/thread.h"
#include "libc-shim/shim.h"
#include "libc-shim/text.h"

TestSuite(route, .timeout = 30);

/* ---- what route.c needs of others ---- */

struct shim_globals shim;
static uint64_t words[64];
static struct shim_frame frame;
static char frame_scratch[SHIM_SCRATCH_SIZE];

__thread unsigned fc_vfork_depth;

struct shim_process *shim_process_sought(void)
{
	return &shim.process;
}

struct shim_frame *shim_frame_begin(void)
{
	return &frame;
}

static bool filtered; /* somebody else's filter: each name is looked at */

bool shim_sandbox_unknown(void)
{
	return filtered;
}

void shim_frame_end(struct shim_frame *f)
{
	(void)f;
}

char *shim_scratch(struct shim_frame *f)
{
	(void)f;
	return frame_scratch;
}

long fc_strncpy_from_user(char *dst, const char *user, size_t max)
{
	if (!user)
		return -EFAULT;
	strncpy(dst, user, max);
	return dst[max - 1] ? -ENAMETOOLONG : (long)strlen(dst);
}

char *shim_format_number(char *end, uint64_t n)
{
	do
		*--end = (char)('0' + n % 10);
	while (n /= 10);
	return end;
}

/* The directory of the test's is one that leads to something remote. */
static const char *remote_link;

bool shim_procfs_link(const char *at, struct shim_link *link)
{
	link->kind = remote_link && strcmp(at, remote_link) == 0 ? SHIM_LINK_CWD : SHIM_LINK_NONE;
	return link->kind != SHIM_LINK_NONE;
}

/* ---- a machine: two domains at /data and /data2/deep, and a directory of links ---- */

static char here[PATH_MAX];
static char scratch[3 * FC_PATH_MAX];

static void mount_at(unsigned domain, const char *prefix)
{
	unsigned i = shim.config.nmounts++;

	shim.config.mount[i].domain = domain;
	shim.config.mount[i].length = (unsigned)strlen(prefix);
	strcpy(shim.config.mount[i].prefix, prefix);
}

static void link_at(const char *name, const char *target)
{
	cr_assert_eq(symlink(target, name), 0);
}

static void setup(void)
{
	char name[] = "/tmp/fc-test-route.XXXXXX";

	cr_assert_not_null(mkdtemp(name));
	cr_assert_not_null(realpath(name, here));
	cr_assert_eq(chdir(here), 0);
	shim.ready = true;
	shim.config.ndomains = 2;
	mount_at(0, "/fc-data");
	mount_at(1, "/fc-data2/deep");
	shim.process.fd = words;
	shim.process.cwd_domain = -1;
	mkdir("sub", 0755);
	link_at("into", "/fc-data/in");
	link_at("sub/into", "../into");
	link_at("near", "sub");
	link_at("up", "../../../../../../../../fc-data/from-up");
	link_at("loop", "loop");
	link_at("above", "/fc-data2");
	link_at("nowhere", "/fc-data3");
	cr_assert_eq(mkfifo("fifo", 0600), 0);
}

static void tear_down(void)
{
	const char *const names[] = { "sub/into", "into", "near", "up", "loop", "above", "nowhere", "fifo" };

	for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++)
		unlink(names[i]);
	rmdir("sub");
	cr_expect_eq(rmdir(here), 0);
}

static struct shim_route by_text(int dirfd, const char *path)
{
	struct shim_route r;

	shim_route_text(&shim.process, dirfd, path, &r);
	return r;
}

/* `path` walked: its route, and in `path` where it goes on. */
static int walk(int dirfd, char *path, bool follow, struct shim_route *r)
{
	*r = by_text(dirfd, path);
	return shim_route_walk(dirfd, path, follow, scratch, r);
}

#define LEADS_TO(from, d, to)                                          \
	do {                                                           \
		char path_[FC_PATH_MAX] = from;                        \
		struct shim_route r_;                                  \
		cr_expect_eq(walk(AT_FDCWD, path_, true, &r_), 0);     \
		cr_expect_eq(r_.domain, d, "%s: %d", from, r_.domain); \
		cr_expect_str_eq(path_, to, "%s: %s", from, path_);    \
	} while (0)
#define STAYS(from) LEADS_TO(from, -1, from)

/* ---- by the text ---- */

Test(route, prefixes, .init = setup, .fini = tear_down)
{
	cr_expect_eq(by_text(AT_FDCWD, "/fc-data").domain, 0);
	cr_expect_eq(by_text(AT_FDCWD, "/fc-data/a/b").domain, 0);
	cr_expect_eq(by_text(AT_FDCWD, "//fc-data/./a").domain, 0);
	cr_expect_eq(by_text(AT_FDCWD, "/fc-data2/deep/a").domain, 1);
	cr_expect_eq(by_text(AT_FDCWD, "/fc-data2").domain, -1);
	cr_expect_eq(by_text(AT_FDCWD, "/fc-database").domain, -1);
	cr_expect_eq(by_text(AT_FDCWD, "/").domain, -1);
	cr_expect(by_text(AT_FDCWD, "/etc").unsure);
	cr_expect_not(by_text(AT_FDCWD, "").unsure);
	cr_expect_not(by_text(AT_FDCWD, NULL).unsure);
}

Test(route, directories, .init = setup, .fini = tear_down)
{
	words[5] = shim_fd_word(1, 77, 0);
	cr_expect_eq(by_text(5, "x").domain, 1);
	cr_expect_eq(by_text(5, "x").dirfd, 77);
	cr_expect_eq(by_text(5, "/fc-data/x").domain, 0, "an absolute path does not begin there");
	cr_expect_eq(by_text(5, "/fc-data/x").dirfd, AT_FDCWD);
	cr_expect_eq(by_text(6, "x").domain, -1);
	cr_expect_eq(by_text(-1, "x").domain, -1);
	cr_expect_eq(by_text(SHIM_FDS, "x").domain, -1);
	cr_expect_eq(by_text(AT_FDCWD, "x").domain, -1);
	shim.process.cwd_domain = 0;
	cr_expect_eq(by_text(AT_FDCWD, "x").domain, 0);
	cr_expect_eq(by_text(AT_FDCWD, "/etc").domain, -1);
}

/* ---- the walk ---- */

Test(route, links_lead_into_a_domain, .init = setup, .fini = tear_down)
{
	LEADS_TO("into", 0, "/fc-data/in");
	LEADS_TO("into/a/b", 0, "/fc-data/in/a/b");
	LEADS_TO("into//a/./b", 0, "/fc-data/in/a/b");
	LEADS_TO("near/into/a", 0, "/fc-data/in/a");
	LEADS_TO("sub/../near/into", 0, "/fc-data/in");
	LEADS_TO("up", 0, "/fc-data/from-up");
	LEADS_TO("above/deep/x", 1, "/fc-data2/deep/x");
	LEADS_TO("above/../fc-data/x", 0, "/fc-data/x");
}

Test(route, what_must_be_a_directory_still_must, .init = setup, .fini = tear_down)
{
	LEADS_TO("into/", 0, "/fc-data/in/");
	LEADS_TO("into/a/", 0, "/fc-data/in/a/");
	LEADS_TO("into/a/.", 0, "/fc-data/in/a/.");
}

Test(route, others_stay_here, .init = setup, .fini = tear_down)
{
	STAYS("sub");
	STAYS("nowhere/x");
	STAYS("missing/x");
	STAYS("above/x");
	STAYS("/etc/passwd");
	STAYS("/etc");
	STAYS("sub/");
	STAYS("fifo"); /* whoever opened it would wait */
	STAYS("fifo/x");
	STAYS("near/../sub");
}

Test(route, the_last_link_is_not_always_followed, .init = setup, .fini = tear_down)
{
	char path[FC_PATH_MAX] = "into";
	struct shim_route r;

	cr_assert_eq(walk(AT_FDCWD, path, false, &r), 0);
	cr_expect_eq(r.domain, -1);
	cr_expect_str_eq(path, "into");
	strcpy(path, "into/");
	cr_assert_eq(walk(AT_FDCWD, path, false, &r), 0);
	cr_expect_eq(r.domain, 0, "before a slash it is");
	strcpy(path, "near/into");
	cr_assert_eq(walk(AT_FDCWD, path, false, &r), 0);
	cr_expect_eq(r.domain, -1);
}

Test(route, from_a_descriptor, .init = setup, .fini = tear_down)
{
	char path[FC_PATH_MAX] = "into/x";
	struct shim_route r;
	int fd = open("sub", O_PATH | O_DIRECTORY);

	cr_assert_eq(walk(fd, path, true, &r), 0);
	cr_expect_eq(r.domain, 0);
	cr_expect_eq(r.dirfd, AT_FDCWD);
	cr_expect_str_eq(path, "/fc-data/in/x");
	close(fd);
	strcpy(path, "into/x");
	cr_assert_eq(walk(fd, path, true, &r), 0);
	cr_expect_eq(r.domain, -1, "it is closed: the kernel says so");
}

Test(route, too_many_links, .init = setup, .fini = tear_down)
{
	char path[FC_PATH_MAX] = "loop";
	struct shim_route r;

	cr_expect_eq(walk(AT_FDCWD, path, true, &r), -ELOOP);
}

Test(route, as_others_ask, .init = setup, .fini = tear_down)
{
	cr_expect(fc_path_is_remote(AT_FDCWD, "/fc-data/x"));
	cr_expect(fc_path_is_remote(AT_FDCWD, "into/x"));
	cr_expect_not(fc_path_is_remote(AT_FDCWD, "sub"));
	cr_expect_not(fc_path_is_remote(AT_FDCWD, NULL));
	shim.ready = false;
	cr_expect_not(fc_path_is_remote(AT_FDCWD, "/fc-data/x"));
}

Test(route, a_link_in_proc, .init = setup, .fini = tear_down)
{
	char path[FC_PATH_MAX] = "near/b/../c/", sub[PATH_MAX + 8];
	struct shim_route r;

	snprintf(sub, sizeof sub, "%s/sub", here);
	remote_link = sub;
	cr_assert_eq(walk(AT_FDCWD, path, true, &r), 0);
	cr_expect_eq(r.link.kind, SHIM_LINK_CWD);
	cr_expect_not(r.link.whole);
	cr_expect_eq(r.domain, -1, "which is not for the walk to say");
	cr_expect_str_eq(path, "/b/../c/");
	strcpy(path, "near");
	cr_assert_eq(walk(AT_FDCWD, path, true, &r), 0);
	cr_expect(r.link.kind == SHIM_LINK_CWD && r.link.whole);
	cr_expect_str_eq(path, "near", "nothing follows it");
	cr_assert_eq(walk(AT_FDCWD, path, false, &r), 0);
	cr_expect_eq(r.link.kind, SHIM_LINK_NONE);
	cr_expect(fc_path_is_remote(AT_FDCWD, "near/x"));
	remote_link = NULL;
}

/* What an openat2 says, and what looking at each name says, is the same. */
Test(route, without_asking, .init = setup, .fini = tear_down)
{
	filtered = true;
	STAYS("sub");
	STAYS("sub/missing");
	STAYS("fifo");
	LEADS_TO("into/a", 0, "/fc-data/in/a");
	LEADS_TO("up", 0, "/fc-data/from-up");
}
