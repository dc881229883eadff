/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * t_paths.c - ways out of an export by name: "..", symbolic links, magic links, the flags of openat2, descriptors that
 * are the domain's own, directories that have been moved out. Nothing outside is ever opened.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "farcall/wire.h"
#include "tests/attack/attack.h"

/* What there is: outside/file and moved/ in the domain's directory; in/file, in/deep/, and the links in the export. */
#define OUTSIDE "outside"
#define INSIDE "inside"

static const char *beside(const char *name)
{
	static char path[4][256];
	static unsigned next;
	char *p = path[next++ % 4];

	snprintf(p, sizeof path[0], "%s/%s", attack_domain.directory, name);
	return p;
}

static const struct {
	const char *name, *target;
} links[] = {
	{ "absolute", "/etc/passwd" },
	{ "up", "../outside/file" },
	{ "far-up", "../../../../../../../../../../etc/passwd" },
	{ "magic", "/proc/self/root/etc/passwd" },
	{ "magic-cwd", "/proc/self/cwd/../outside/file" },
	{ "descriptor", "/proc/self/fd/16/../outside/file" },
	{ "init", "/proc/1/root/etc/passwd" },
	{ "chain", "in/link-up" },
	{ "directory", ".." },
};

static void make_text(const char *path, const char *text)
{
	int fd = open(path, O_CREAT | O_WRONLY, 0644);

	CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) && !fchmod(fd, 0644));
	close(fd);
}

static void make_directory(const char *path)
{
	CHECK(!mkdir(path, 0755) && !chown(path, ATTACKER, ATTACKER));
}

static void make_tree(void)
{
	make_directory(beside("outside"));
	make_text(beside("outside/file"), OUTSIDE);
	make_directory(beside("moved"));
	make_text(beside("moved/file"), OUTSIDE);
	make_directory(attack_file("in"));
	make_directory(attack_file("in/deep"));
	make_directory(attack_file("in/deep/deeper"));
	make_text(attack_file("in/file"), INSIDE);
	make_text(attack_file("in/deep/file"), INSIDE);
	for (size_t i = 0; i < sizeof links / sizeof links[0]; i++)
		CHECK(!symlink(links[i].target, attack_file(links[i].name)));
	CHECK(!symlink("../../outside/file", attack_file("in/link-up")));
	CHECK(!symlink("file", attack_file("in/link")));
}

/* ---- names ---- */

static int64_t open_two(struct session *s, int64_t dirfd, const char *path, uint64_t flags, uint64_t resolve)
{
	struct open_how how = { .flags = flags, .mode = flags & O_CREAT ? 0600 : 0, .resolve = resolve };

	session_put(s, 0, path);
	memcpy(s->data + 8192, &how, sizeof how);
	return ATTEMPT(s, SYS_openat2, (uint64_t)dirfd, 0, 8192, sizeof how);
}

static const uint64_t open_flags[] = { O_RDONLY, O_PATH, O_RDWR, O_RDONLY | O_DIRECTORY, O_RDWR | O_CREAT };
static const uint64_t resolves[] = { 0,
				     RESOLVE_BENEATH,
				     RESOLVE_IN_ROOT,
				     RESOLVE_NO_MAGICLINKS,
				     RESOLVE_NO_XDEV,
				     RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS };

/* Nothing of the kind may be opened, or be looked at. */
static void try_path(struct session *s, int64_t dirfd, const char *path)
{
	for (unsigned i = 0; i < sizeof open_flags / sizeof open_flags[0]; i++)
		for (unsigned j = 0; j < sizeof resolves / sizeof resolves[0]; j++) {
			int64_t r = open_two(s, dirfd, path, open_flags[i], resolves[j]);

			if (r < 0)
				continue;
			/* beneath a directory it may be something inside, newly made or not */
			memset(s->data + 16384, 0, 64);
			ATTEMPT(s, SYS_pread64, r, 16384, 63, 0);
			EXPECT(resolves[j] & RESOLVE_IN_ROOT && strncmp(s->data + 16384, OUTSIDE, strlen(OUTSIDE)),
			       "%s, flags %llx, resolve %llx: opened", path, (unsigned long long)open_flags[i],
			       (unsigned long long)resolves[j]);
			ATTEMPT(s, SYS_close, r);
		}
	session_put(s, 0, path);
	EXPECT(ATTEMPT(s, SYS_newfstatat, (uint64_t)dirfd, 0, 16384, 0) < 0, "%s: stat", path);
	EXPECT(ATTEMPT(s, SYS_readlinkat, (uint64_t)dirfd, 0, 16384, 4096) < 0 || *path != '/' ||
		       !strncmp(path, "/data/", 6),
	       "%s: readlink", path);
	EXPECT(ATTEMPT(s, SYS_truncate, 0, 0) < 0, "%s: truncate", path);
}

static void names(void)
{
	static const char *const path[] = {
		"/data/../outside/file",
		"/data/in/../../outside/file",
		"/data/in/deep/../../../outside/file",
		"/../outside/file",
		"/etc/passwd",
		"/proc/self/root/etc/passwd",
		"/proc/self/cwd/../outside/file",
		"/proc/self/environ",
		"/proc/1/environ",
		"/proc/thread-self/root/etc/passwd",
		"/proc/self/fd/5/self/environ",
		"/proc/self/fd/16/../outside/file",
		"/dev/null",
	};
	struct session s;
	char name[64];

	CHECK_IS(attack_open(&s), 0);
	for (size_t i = 0; i < sizeof path / sizeof path[0]; i++)
		try_path(&s, AT_FDCWD, path[i]);
	for (size_t i = 0; i < sizeof links / sizeof links[0] - 1; i++) { /* the last one is a directory's */
		int64_t r;

		snprintf(name, sizeof name, "/data/%s", links[i].name);
		for (unsigned j = 0; j < 2; j++) {
			r = j ? open_two(&s, AT_FDCWD, name, O_RDONLY, 0) : attack_open_file(&s, name, O_RDONLY, 0);
			EXPECT(r < 0, "%s: opened", name);
		}
	}
	try_path(&s, AT_FDCWD, "/data/directory/outside/file");
	EXPECT(!attack_lost(&s), "the session is over");
	session_close(&s);
}

/* ---- the same answers as natively, for what starts at a directory inside ---- */

static void resolve(void)
{
	static const char *const path[] = { "file",  "link",   "link-up", "..",        "../in/file", "deep/../file",
					    "/file", "/../in", "deep/..", "../../etc", "./././file", "deep/../../in" };
	int native = open(attack_file("in"), O_PATH);
	struct session s;
	int64_t dirfd, r;

	CHECK(native >= 0);
	CHECK_IS(attack_open(&s), 0);
	dirfd = attack_open_file(&s, "/data/in", O_PATH, 0);
	CHECK(dirfd >= 0);
	for (size_t i = 0; i < sizeof path / sizeof path[0]; i++)
		for (unsigned j = 1; j < sizeof resolves / sizeof resolves[0]; j++) {
			struct open_how how = { .flags = O_PATH, .resolve = resolves[j] };
			long want;

			if (!(how.resolve & (RESOLVE_BENEATH | RESOLVE_IN_ROOT)))
				continue;
			want = syscall(SYS_openat2, native, path[i], &how, sizeof how);
			want = want < 0 ? -errno : (close((int)want), 0);
			r = open_two(&s, dirfd, path[i], how.flags, how.resolve);
			r = r < 0 ? r : (ATTEMPT(&s, SYS_close, r), 0);
			EXPECT(r == want, "%s, resolve %llx: %lld, natively %ld", path[i],
			       (unsigned long long)how.resolve, (long long)r, want);
		}
	session_close(&s);
}

/* ---- descriptors below those of clients ---- */

static void try_descriptor(struct session *s, uint64_t fd, int64_t mine)
{
	char name[64];
	int64_t r;

	EXPECT(ATTEMPT(s, SYS_fstat, fd, 16384) == -EBADF, "fstat(%lld)", (long long)fd);
	EXPECT(ATTEMPT(s, SYS_read, fd, 16384, 16) == -EBADF, "read(%lld)", (long long)fd);
	EXPECT(ATTEMPT(s, SYS_write, fd, 16384, 16) == -EBADF, "write(%lld)", (long long)fd);
	EXPECT(ATTEMPT(s, SYS_fchdir, fd) == -EBADF, "fchdir(%lld)", (long long)fd);
	EXPECT(ATTEMPT(s, SYS_dup, fd) == -EBADF, "dup(%lld)", (long long)fd);
	EXPECT(ATTEMPT(s, SYS_close, fd) == -EBADF, "close(%lld)", (long long)fd);
	EXPECT(ATTEMPT(s, SYS_fcntl, fd, F_GETFD, 0) == -EBADF, "fcntl(%lld)", (long long)fd);
	EXPECT(ATTEMPT(s, SYS_getdents64, fd, 16384, 4096) == -EBADF, "getdents64(%lld)", (long long)fd);
	EXPECT(ATTEMPT(s, SYS_sendfile, mine, fd, FC_NULL, 16) < 0, "sendfile(%lld)", (long long)fd);
	EXPECT(ATTEMPT(s, SYS_copy_file_range, fd, FC_NULL, mine, FC_NULL, 16, 0) < 0, "copy_file_range(%lld)",
	       (long long)fd);
	session_put(s, 0, ".");
	EXPECT(ATTEMPT(s, SYS_openat, fd, 0, O_RDONLY) == -EBADF, "openat(%lld)", (long long)fd);
	session_put(s, 0, "");
	EXPECT(ATTEMPT(s, SYS_newfstatat, fd, 0, 16384, AT_EMPTY_PATH) == -EBADF, "newfstatat(%lld)", (long long)fd);
	session_put(s, 8192, "/data/linked");
	EXPECT(ATTEMPT(s, SYS_linkat, fd, 0, (uint64_t)AT_FDCWD, 8192, AT_EMPTY_PATH) < 0, "linkat(%lld)",
	       (long long)fd);
	snprintf(name, sizeof name, "/proc/self/fd/%d", (int)fd);
	r = attack_open_file(s, name, O_RDONLY, 0);
	EXPECT(r < 0, "%s: opened", name);
	r = ATTEMPT(s, SYS_newfstatat, (uint64_t)AT_FDCWD, 0, 16384, 0);
	EXPECT(r < 0, "%s: stat", name);
}

static void descriptors(void)
{
	struct session s;
	int64_t mine;

	CHECK_IS(attack_open(&s), 0);
	mine = attack_open_file(&s, "/data/own", O_CREAT | O_RDWR, 0600);
	CHECK(mine >= FC_DOMAIN_FD_FIRST);
	for (int fd = -99; fd < FC_DOMAIN_FD_FIRST; fd++)
		try_descriptor(&s, (uint64_t)fd, mine);
	for (int fd = 0; fd < FC_DOMAIN_FD_FIRST; fd++)
		try_descriptor(&s, 1ull << 32 | (uint64_t)fd, mine);
	EXPECT(ATTEMPT(&s, SYS_fstat, mine, 16384) == 0, "its own descriptor is gone");
	EXPECT(!attack_lost(&s), "the session is over");
	session_close(&s);
}

/* ---- directories that have been moved out ---- */

static void moved(void)
{
	struct session s;
	int64_t dir, r;

	CHECK_IS(attack_open(&s), 0);
	dir = attack_open_file(&s, "/data/in/deep", O_PATH, 0);
	CHECK(dir >= 0);
	CHECK_IS(ATTEMPT(&s, SYS_chdir, session_put(&s, 0, "/data/in/deep/deeper")), 0);
	CHECK(!rename(attack_file("in/deep"), beside("moved/deep")));
	try_path(&s, dir, "../file");
	try_path(&s, dir, "../../outside/file");
	try_path(&s, dir, "deeper/../../file");
	try_path(&s, AT_FDCWD, "../../file");
	try_path(&s, AT_FDCWD, "../../../outside/file");
	session_put(&s, 0, "..");
	r = ATTEMPT(&s, SYS_openat, dir, 0, O_RDONLY | O_DIRECTORY);
	EXPECT(r < 0, "the parent of a directory that was moved out is opened");
	r = ATTEMPT(&s, SYS_getcwd, 16384, 4096);
	EXPECT(r < 0, "getcwd tells a name outside: %.100s", s.data + 16384);
	CHECK(!rename(beside("moved/deep"), attack_file("in/deep")));
	EXPECT(!attack_lost(&s), "the session is over");
	session_close(&s);
}

/* A directory that goes out and in all the time, while a path through it is walked. */
static void moving(void)
{
	double end = attack_now() + 2;
	struct session s;
	int64_t r;
	pid_t pid;

	rename(beside("moved/deep"), attack_file("in/deep")); /* where it was left, if this has run before */
	pid = fork();
	CHECK(pid >= 0);
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;) {
			CHECK(!rename(attack_file("in/deep"), beside("moved/deep")));
			CHECK(!rename(beside("moved/deep"), attack_file("in/deep")));
		}
	}
	CHECK_IS(attack_open(&s), 0);
	while (attack_now() < end) {
		r = attack_open_file(&s, "/data/in/deep/deeper/../../file", O_RDONLY, 0);
		if (r < 0)
			continue;
		CHECK(ATTEMPT(&s, SYS_pread64, r, 16384, 16, 0) > 0);
		if (!memcmp(s.data + 16384, OUTSIDE, strlen(OUTSIDE))) {
			attack_wrong("a file outside is read through a directory that moves");
			break;
		}
		CHECK_IS(ATTEMPT(&s, SYS_close, r), 0);
	}
	session_close(&s);
}

int main(void)
{
	attack_begin(NULL);
	make_tree();
	attack_by(ATTACKER, "names that lead outside", names);
	attack_by(ATTACKER, "the flags of openat2", resolve);
	attack_by(ATTACKER, "descriptors of the domain itself", descriptors);
	attack_by(ATTACKER, "directories that have been moved out", moved);
	attack_by(ATTACKER, "directories that move", moving);
	return attack_end();
}
