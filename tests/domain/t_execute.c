/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * t_execute.c - the execution side of the storage domain on its own: every family of requests, paths that leave an
 * export, hostile arguments, interrupts, streams, and workers that come and go.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/atomic.h"
#include "common/doorbell.h"
#include "farcall/wire.h"
#include "play.h"
#include "storage-domain/crew/workers.h"
#include "storage-domain/fds.h"

/* where things stand in the data area */
#define P0 0u
#define P1 4096u
#define OBJ 8192u
#define BUF 65536u /* 64 KiB buffers from here on cross no boundary of a data segment */
#define DATA_BYTES (8u << 20)

static int failures;

#define SAME(a, b)                                                                                      \
	do {                                                                                            \
		int64_t a_ = (a), b_ = (b);                                                             \
		if (a_ != b_) {                                                                         \
			fprintf(stderr, "%s:%d: %s is %ld, not %ld\n", __FILE__, __LINE__, #a, a_, b_); \
			failures++;                                                                     \
		}                                                                                       \
	} while (0)
#define TRUE(c) SAME(!!(c), 1)

static int64_t open_at(int dirfd, const char *path, uint64_t flags, uint64_t mode)
{
	return CALL(SYS_openat, (uint64_t)dirfd, play_put(P0, path), flags, mode);
}

static int64_t open_(const char *path, uint64_t flags, uint64_t mode)
{
	return open_at(AT_FDCWD, path, flags, mode);
}

static int64_t close_(int64_t fd)
{
	return CALL(SYS_close, fd);
}

static void make_file(const char *path, const char *text)
{
	int64_t fd = open_(path, O_CREAT | O_WRONLY | O_TRUNC, 0644);

	TRUE(fd >= FC_DOMAIN_FD_FIRST);
	SAME(CALL(SYS_write, fd, play_put(BUF, text), strlen(text)), strlen(text));
	SAME(close_(fd), 0);
}

static void link_(const char *target, const char *path)
{
	SAME(CALL(SYS_symlinkat, play_put(P1, target), (uint64_t)AT_FDCWD, play_put(P0, path)), 0);
}

static void test_data(void)
{
	int64_t fd = open_("/data/f", O_CREAT | O_RDWR, 0600), fd2;
	struct stat *st = (struct stat *)play_at(OBJ);
	struct fc_iovec *iov = (struct fc_iovec *)play_at(OBJ);

	SAME(CALL(FC_NR_NOP), 0);
	SAME(CALL(SYS_kill, getppid(), SIGKILL), -ENOSYS); /* no call of a domain */
	SAME(CALL(FC_NUMBERS - 1), -ENOSYS);               /* a later version's, perhaps */
	SAME(CALL(1500), -ENOSYS);
	TRUE(fd >= FC_DOMAIN_FD_FIRST);
	SAME(CALL(SYS_write, fd, play_put(BUF, "hello, world"), 12), 12);
	SAME(CALL(SYS_lseek, fd, 7, SEEK_SET), 7);
	SAME(CALL(SYS_read, fd, BUF + 100, 50), 5);
	TRUE(!memcmp(play_at(BUF + 100), "world", 5));
	SAME(CALL(SYS_pwrite64, fd, play_put(BUF, "HELLO"), 5, 0), 5);
	SAME(CALL(SYS_pread64, fd, BUF + 200, 12, 0), 12);
	TRUE(!memcmp(play_at(BUF + 200), "HELLO, world", 12));
	SAME(CALL(SYS_fstat, fd, OBJ), 0);
	SAME(st->st_size, 12);
	SAME(CALL(SYS_fcntl, fd, F_GETFL, 0) & O_ACCMODE, O_RDWR);
	iov[0] = (struct fc_iovec){ BUF + 300, 4 };
	iov[1] = (struct fc_iovec){ BUF + 400, 100 };
	SAME(CALL(SYS_preadv2, fd, OBJ, 2, 1, 0, 0), 11);
	TRUE(!memcmp(play_at(BUF + 300), "ELLO", 4) && !memcmp(play_at(BUF + 400), ", world", 7));
	SAME(CALL(SYS_pwritev2, fd, OBJ, 1, 12, 0, 0), 4);
	SAME(CALL(SYS_pread64, fd, DATA_BYTES - 1, 2, 0), -EFAULT);
	SAME(CALL(SYS_pread64, fd, DATA_BYTES - 1, 1, 0), 1);
	SAME(CALL(SYS_preadv2, fd, OBJ, 1025, 0, 0, 0), -EINVAL);
	SAME(CALL(SYS_preadv2, fd, FC_NULL, 0, 0, 0, 0), 0);
	SAME(CALL(SYS_pread64, fd, FC_NULL, 10, 100), 0); /* behind the end of the file */
	SAME(CALL(SYS_pread64, fd, FC_NULL, 10, 0), -EFAULT);
	fd2 = CALL(SYS_dup, fd);
	TRUE(fd2 >= FC_DOMAIN_FD_FIRST && fd2 != fd);
	SAME(CALL(SYS_ftruncate, fd2, 3), 0);
	SAME(CALL(SYS_fallocate, fd2, 0, 0, 100), 0);
	SAME(CALL(SYS_fsync, fd2), 0);
	SAME(close_(fd2), 0);
	SAME(close_(fd2), -EBADF);
	SAME(close_(fd), 0);
	SAME(CALL(SYS_unlinkat, (uint64_t)AT_FDCWD, play_put(P0, "/data/f"), 0), 0);
}

static void test_foreign_descriptors(void)
{
	for (int64_t fd = -3; fd < 300; fd++) {
		SAME(CALL(SYS_read, fd, BUF, 1), -EBADF);
		SAME(CALL(SYS_fcntl, fd, F_GETFL), -EBADF);
		SAME(CALL(SYS_ioctl, fd, FIONREAD, OBJ), -EBADF);
		SAME(CALL(SYS_ioctl, fd, TCGETS, OBJ), -EBADF);
		SAME(CALL(SYS_dup, fd), -EBADF);
		SAME(CALL(SYS_flock, fd, LOCK_SH), -EBADF);
		SAME(CALL(SYS_fchdir, fd), -EBADF);
		SAME(close_(fd), -EBADF);
		SAME(open_at(fd, "x", O_RDONLY, 0), fd == AT_FDCWD ? -ENOENT : -EBADF);
		SAME(CALL(SYS_newfstatat, fd, play_put(P0, ""), OBJ, AT_EMPTY_PATH), fd == AT_FDCWD ? 0 : -EBADF);
	}
	SAME(CALL(SYS_read, FC_DOMAIN_FD_MAX + 1, BUF, 1), -EBADF);
	SAME(CALL(SYS_read, 1ull << 32, BUF, 1), -EBADF);
}

static void test_names(void)
{
	const uint64_t cwd = (uint64_t)AT_FDCWD;
	struct stat *st = (struct stat *)play_at(OBJ);
	struct statfs *fs = (struct statfs *)play_at(OBJ);
	struct open_how *how = (struct open_how *)play_at(OBJ);
	int64_t fd;

	SAME(CALL(SYS_mkdirat, cwd, play_put(P0, "/data/d"), 0755), 0);
	SAME(CALL(SYS_mkdirat, cwd, play_put(P0, "/data/d"), 0755), -EEXIST);
	make_file("/data/d/f", "text");
	SAME(CALL(SYS_newfstatat, cwd, play_put(P0, "/data/d/f"), OBJ, 0), 0);
	SAME(st->st_size, 4);
	SAME(CALL(SYS_newfstatat, cwd, play_put(P0, "/data//./d/f/"), OBJ, 0), -ENOTDIR);
	SAME(CALL(SYS_newfstatat, cwd, play_put(P0, ""), OBJ, 0), -ENOENT);
	SAME(CALL(SYS_newfstatat, cwd, FC_NULL, OBJ, 0), -EFAULT);
	SAME(CALL(SYS_statx, cwd, play_put(P0, "/data/d/none"), 0, STATX_ALL, OBJ), -ENOENT);
	SAME(CALL(SYS_statfs, play_put(P0, "/data/d"), OBJ), 0);
	SAME(fs->f_type, 0x01021994);
	SAME(CALL(SYS_linkat, cwd, play_put(P0, "/data/d/f"), cwd, play_put(P1, "/data/d/g"), 0), 0);
	SAME(CALL(SYS_renameat2, cwd, play_put(P0, "/data/d/g"), cwd, play_put(P1, "/data/g"), 0), 0);
	SAME(CALL(SYS_renameat2, cwd, play_put(P0, "/data/g"), cwd, play_put(P1, "/mnt/other/g"), 0), -EXDEV);
	SAME(CALL(SYS_unlinkat, cwd, play_put(P0, "/data/g"), 0), 0);
	link_("f", "/data/d/l");
	SAME(CALL(SYS_readlinkat, cwd, play_put(P0, "/data/d/l"), BUF, 10), 1);
	SAME(CALL(SYS_faccessat, cwd, play_put(P0, "/data/d/l"), R_OK), 0);
	SAME(CALL(SYS_faccessat2, cwd, play_put(P0, "/data/d/none"), R_OK, 0), -ENOENT);
	SAME(CALL(SYS_faccessat2, cwd, play_put(P0, "/data/d/f"), R_OK, 0x8000), -EINVAL);
	SAME(CALL(SYS_fchmodat, cwd, play_put(P0, "/data/d/l"), 0640), 0);
	SAME(CALL(SYS_newfstatat, cwd, play_put(P0, "/data/d/f"), OBJ, 0), 0);
	SAME(st->st_mode & 07777, 0640);
	SAME(CALL(SYS_setxattr, play_put(P0, "/data/d/f"), play_put(P1, "trusted.x"), play_put(BUF, "val"), 3, 0), 0);
	SAME(CALL(SYS_getxattr, play_put(P0, "/data/d/f"), play_put(P1, "trusted.x"), BUF + 50, 10), 3);
	SAME(CALL(SYS_listxattr, play_put(P0, "/data/d/f"), FC_NULL, 0), 10);
	SAME(CALL(SYS_chdir, play_put(P0, "/data/d")), 0);
	SAME(CALL(SYS_getcwd, BUF, 100), 8);
	TRUE(!strcmp(play_at(BUF), "/data/d"));
	SAME(CALL(SYS_getcwd, BUF, 7), -ERANGE);
	fd = open_("f", O_RDONLY, 0);
	TRUE(fd > 0);
	SAME(close_(fd), 0);
	fd = open_("/data/d", O_RDONLY | O_DIRECTORY, 0);
	TRUE(CALL(SYS_getdents64, fd, BUF, 1000) > 0);
	SAME(open_at(fd, "f", O_RDONLY | O_CREAT | O_EXCL, 0), -EEXIST);
	SAME(open_at(fd, "f", O_RDONLY | O_DIRECTORY, 0), -ENOTDIR);
	SAME(open_at(fd, "l", O_RDONLY | O_NOFOLLOW, 0), -ELOOP);
	SAME(open_at(fd, "n", O_RDONLY | O_CREAT | O_DIRECTORY, 0600), -EINVAL);
	SAME(CALL(SYS_newfstatat, fd, play_put(P0, "n"), OBJ, 0), -ENOENT);
	*how = (struct open_how){ .flags = O_RDONLY | 1ull << 40 };
	SAME(CALL(SYS_openat2, fd, play_put(P0, "f"), OBJ, sizeof *how), -EINVAL);
	*how = (struct open_how){ .flags = O_RDONLY, .resolve = RESOLVE_BENEATH };
	SAME(CALL(SYS_openat2, fd, play_put(P0, "../d/f"), OBJ, sizeof *how), -EXDEV);
	SAME(CALL(SYS_openat2, fd, play_put(P0, "f"), OBJ, 8), -EINVAL);
	SAME(CALL(SYS_openat2, fd, play_put(P0, "f"), FC_NULL, sizeof *how), -EFAULT);
	SAME(close_(CALL(SYS_openat2, fd, play_put(P0, "f"), OBJ, sizeof *how)), 0);
	SAME(close_(fd), 0);
	fd = open_("/data/d", O_RDWR | O_TMPFILE, 0600);
	TRUE(fd > 0);
	SAME(close_(fd), 0);
	fd = open_("/data/d/f", O_RDONLY | 1 << 30, 0); /* an unknown flag: openat ignores it */
	TRUE(fd > 0);
	SAME(close_(fd), 0);
	SAME(CALL(SYS_umask, 027), 022);
	SAME(CALL(SYS_umask, 022), 027);
	SAME(CALL(SYS_chdir, play_put(P0, "/data")), 0);
}

/* a path, what is done with it, and where it leads: FC_CONTINUE with `to`, or a plain result */
static const struct crossing {
	const char *path;
	const char *to;
	int plain;
} crossing[] = {
	{ "/data/..", "/", 0 },
	{ "/data/../etc/passwd", "/etc/passwd", 0 },
	{ "/data/cross/../..//x/", "/x/", 0 },
	{ "..", "/", 0 },
	{ "../x", "/x", 0 },
	{ "/mnt/other/..", "/mnt", 0 },
	{ "/mnt/other/../y", "/mnt/y", 0 },
	{ "cross/abs", "/outside/file", 0 },
	{ "cross/absdir/x", "/outside/x", 0 },
	{ "cross/absdir/", "/outside/", 0 },
	{ "cross/up", "/sibling", 0 },
	{ "cross/up/deep", "/sibling/deep", 0 },
	{ "cross/chain", "/outside/file", 0 },
	{ "cross/there", "/mnt/other/f", 0 },
	{ "cross/loop", NULL, -ELOOP },
	{ "cross/crossloop", "/data/cross/crossloop", 0 },
	{ "cross/none/../x", NULL, -ENOENT },
	{ "cross/plain/x", NULL, -ENOTDIR },
	{ "cross/inside/f", NULL, 0 },
	{ "cross/inside/../plain", NULL, 0 },
	{ "/nowhere/x", NULL, -ENOENT },
};

static void expect(const struct crossing *c, int64_t r, int arg, uint64_t offset, const char *what)
{
	if (c->to && (r != FC_CONTINUE - arg || strcmp(play_at(offset), c->to))) {
		fprintf(stderr, "%s %s: %ld %s, not to %s\n", what, c->path, r, play_at(offset), c->to);
		failures++;
	} else if (!c->to && (c->plain ? r != c->plain : r < 0)) {
		fprintf(stderr, "%s %s: %ld, not %d\n", what, c->path, r, c->plain);
		failures++;
	}
}

static void test_crossings(void)
{
	const uint64_t cwd = (uint64_t)AT_FDCWD;
	int64_t r;

	SAME(CALL(SYS_mkdirat, cwd, play_put(P0, "/data/cross"), 0755), 0);
	SAME(CALL(SYS_mkdirat, cwd, play_put(P0, "/data/cross/dir"), 0755), 0);
	make_file("/data/cross/plain", "x");
	make_file("/data/cross/dir/f", "x");
	make_file("/mnt/other/f", "other");
	link_("/outside/file", "/data/cross/abs");
	link_("/outside", "/data/cross/absdir");
	link_("../../sibling", "/data/cross/up");
	link_("abs", "/data/cross/chain");
	link_("/mnt/other/f", "/data/cross/there");
	link_("loop", "/data/cross/loop");
	link_("/data/cross/crossloop", "/data/cross/crossloop");
	link_("dir", "/data/cross/inside");
	link_("/outside/new", "/data/cross/dangling");
	for (unsigned i = 0; i < sizeof crossing / sizeof *crossing; i++) {
		struct crossing c = crossing[i];
		bool kernel_knows = c.to && (!strcmp(c.path, "cross/there") || !strcmp(c.path, "cross/crossloop"));

		r = open_(c.path, O_PATH, 0);
		expect(&c, r, 1, P0, "open");
		if (r >= 0)
			close_(r);
		if (kernel_knows) /* the link leads to an export, where the domain's kernel may follow it by itself */
			continue;
		expect(&c, CALL(SYS_newfstatat, cwd, play_put(P0, c.path), OBJ, 0), 1, P0, "stat");
		expect(&c, CALL(SYS_statx, cwd, play_put(P0, c.path), 0, STATX_ALL, OBJ), 1, P0, "statx");
		expect(&c, CALL(SYS_statfs, play_put(P0, c.path), OBJ), 0, P0, "statfs");
		expect(&c, CALL(SYS_faccessat, cwd, play_put(P0, c.path), F_OK), 1, P0, "access");
		expect(&c, CALL(SYS_listxattr, play_put(P0, c.path), BUF, 1000), 0, P0, "listxattr");
		expect(&c, CALL(SYS_utimensat, cwd, play_put(P0, c.path), FC_NULL, 0), 1, P0, "utimensat");
	}
	/* the last component is not followed */
	SAME(CALL(SYS_newfstatat, cwd, play_put(P0, "cross/abs"), OBJ, AT_SYMLINK_NOFOLLOW), 0);
	SAME(CALL(SYS_unlinkat, cwd, play_put(P0, "cross/there"), 0), 0);
	SAME(CALL(SYS_mkdirat, cwd, play_put(P0, "cross/dangling"), 0700), -EEXIST);
	SAME(CALL(SYS_unlinkat, cwd, play_put(P0, "cross/absdir/x"), 0), FC_CONTINUE - 1);
	TRUE(!strcmp(play_at(P0), "/outside/x"));
	SAME(CALL(SYS_mkdirat, cwd, play_put(P0, "cross/absdir/x"), 0700), FC_CONTINUE - 1);
	SAME(CALL(SYS_mkdirat, cwd, play_put(P0, "../new"), 0700), FC_CONTINUE - 1);
	TRUE(!strcmp(play_at(P0), "/new"));
	SAME(CALL(SYS_mkdirat, cwd, play_put(P0, "cross/.."), 0700), -EEXIST);
	SAME(CALL(SYS_unlinkat, cwd, play_put(P0, "/data"), AT_REMOVEDIR), -EBUSY);
	SAME(CALL(SYS_unlinkat, cwd, play_put(P0, "/data/"), 0), -EISDIR);
	SAME(CALL(SYS_mkdirat, cwd, play_put(P0, "/data"), 0755), -EEXIST);
	SAME(CALL(SYS_unlinkat, cwd, play_put(P0, "../data"), AT_REMOVEDIR), FC_CONTINUE - 1);
	TRUE(!strcmp(play_at(P0), "/data"));
	SAME(CALL(SYS_mkdirat, cwd, play_put(P0, ".."), 0755), -EEXIST);
	SAME(CALL(SYS_unlinkat, cwd, play_put(P0, ".."), AT_REMOVEDIR), -ENOTEMPTY);
	SAME(CALL(SYS_renameat2, cwd, play_put(P0, "../"), cwd, play_put(P1, "cross/y"), 0), -EBUSY);
	SAME(CALL(SYS_faccessat, cwd, play_put(P0, "cross/abs"), 8), -EINVAL);
	SAME(CALL(SYS_newfstatat, cwd, play_put(P0, "cross/abs"), OBJ, 1 << 30), -EINVAL);
	SAME(CALL(SYS_readlinkat, cwd, play_put(P0, "cross/up/.."), BUF, 10), FC_CONTINUE - 1);
	SAME(open_("/data/", O_CREAT | O_EXCL | O_WRONLY, 0600), -EISDIR);
	SAME(open_("/data", O_CREAT | O_EXCL | O_WRONLY, 0600), -EEXIST);
	/* two paths */
	SAME(CALL(SYS_renameat2, cwd, play_put(P0, "cross/plain"), cwd, play_put(P1, "cross/absdir/y"), 0),
	     FC_CONTINUE - 3);
	TRUE(!strcmp(play_at(P1), "/outside/y"));
	SAME(CALL(SYS_renameat2, cwd, play_put(P0, "../z"), cwd, play_put(P1, "cross/absdir/y"), 0), FC_CONTINUE - 1);
	SAME(CALL(SYS_linkat, cwd, play_put(P0, "cross/none"), cwd, play_put(P1, "cross/absdir/y"), 0), -ENOENT);
	SAME(CALL(SYS_linkat, cwd, play_put(P0, "cross/abs"), cwd, play_put(P1, "cross/abs2"), 0), 0);
	SAME(CALL(SYS_linkat, cwd, play_put(P0, "cross/abs"), cwd, play_put(P1, "cross/abs3"), AT_SYMLINK_FOLLOW),
	     FC_CONTINUE - 1);
	/* creation through a link that leads nowhere */
	SAME(open_("cross/dangling", O_CREAT | O_WRONLY, 0600), FC_CONTINUE - 1);
	TRUE(!strcmp(play_at(P0), "/outside/new"));
	SAME(open_("cross/dangling", O_CREAT | O_EXCL | O_WRONLY, 0600), -EEXIST);
	SAME(open_("cross/dangling", O_CREAT | O_NOFOLLOW | O_WRONLY, 0600), -ELOOP);
	SAME(open_("../data", O_RDONLY, 0), FC_CONTINUE - 1);
	TRUE(!strcmp(play_at(P0), "/data"));
	/* the directory itself */
	SAME(CALL(SYS_chdir, play_put(P0, "cross/absdir")), FC_CONTINUE - 0);
	SAME(CALL(SYS_chdir, play_put(P0, "..")), FC_CONTINUE - 0);
	SAME(CALL(SYS_chdir, play_put(P0, "cross/plain")), -ENOTDIR);
	SAME(CALL(SYS_getcwd, BUF, 100), 6);
}

static void test_commands(void)
{
	int64_t fd, fd2;
	struct flock *l = (struct flock *)play_at(OBJ);
	struct fiemap *map = (struct fiemap *)play_at(OBJ);
	int64_t *offset = (int64_t *)play_at(OBJ);
	int status;
	pid_t child;

	make_file("/data/c", "0123456789");
	fd = open_("/data/c", O_RDWR, 0);
	/* another process of the domain holds a lock */
	child = fork();
	if (!child) {
		struct flock mine = { .l_type = F_WRLCK, .l_start = 5, .l_len = 2 };
		int own = open("/data/c", O_RDWR);

		if (fcntl(own, F_SETLK, &mine))
			_exit(1);
		pause();
	}
	usleep(100000);
	*l = (struct flock){ .l_type = F_RDLCK };
	SAME(CALL(SYS_fcntl, fd, F_GETLK, OBJ), 0);
	SAME(l->l_type, F_WRLCK);
	SAME(l->l_start, 5);
	SAME(l->l_pid, child + 1000000);
	SAME(CALL(SYS_fcntl, fd, F_SETLK, OBJ), -EAGAIN);
	kill(child, SIGKILL);
	waitpid(child, &status, 0);
	*l = (struct flock){ .l_type = F_RDLCK };
	SAME(CALL(SYS_fcntl, fd, F_SETLKW, OBJ), 0);
	SAME(CALL(SYS_fcntl, fd, F_GETLK, FC_NULL), -EFAULT);
	SAME(CALL(SYS_fcntl, fd, F_DUPFD, 0), -EINVAL);
	SAME(CALL(SYS_fcntl, fd, 12345, 0), -EINVAL);
	SAME(CALL(SYS_fcntl, 200, 12345, 0), -EBADF);
	SAME(CALL(SYS_ioctl, fd, TCGETS, OBJ), -ENOTTY);
	*map = (struct fiemap){ .fm_length = 100, .fm_extent_count = FC_FIEMAP_EXTENTS_MAX + 1 };
	SAME(CALL(SYS_ioctl, fd, FS_IOC_FIEMAP, OBJ), -EINVAL);
	*map = (struct fiemap){ .fm_length = 100, .fm_extent_count = 2 };
	SAME(CALL(SYS_ioctl, fd, FS_IOC_FIEMAP, OBJ), -EOPNOTSUPP); /* tmpfs */
	SAME(CALL(SYS_ioctl, fd, FICLONE, 1), -EBADF);
	*(struct file_clone_range *)play_at(OBJ) = (struct file_clone_range){ .src_fd = 1 };
	SAME(CALL(SYS_ioctl, fd, FICLONERANGE, OBJ), -EBADF);
	SAME(CALL(SYS_ioctl, fd, FS_IOC_GETFLAGS, FC_NULL), -EFAULT);
	fd2 = open_("/data/c2", O_RDWR | O_CREAT, 0600);
	offset[0] = 2;
	offset[1] = 0;
	SAME(CALL(SYS_copy_file_range, fd, OBJ, fd2, OBJ + 8, 5, 0), 5);
	SAME(offset[0], 7);
	SAME(offset[1], 5);
	offset[0] = 8;
	SAME(CALL(SYS_sendfile, fd2, fd, OBJ, 100), 2);
	SAME(offset[0], 10);
	SAME(CALL(SYS_sendfile, fd2, 1, OBJ, 100), -EBADF);
	SAME(close_(fd), 0);
	SAME(close_(fd2), 0);
}

/* Run `hostile` in a process of its own: its session must be cut off. */
static void cut_off(void (*hostile)(void), const char *what)
{
	int status = 0;
	pid_t child;

	fflush(stdout);
	child = fork();
	if (!child) {
		play_start(DATA_BYTES);
		hostile();
		_exit(0);
	}
	waitpid(child, &status, 0);
	printf("cut off: %s\n", what);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != PLAY_POISONED) {
		fprintf(stderr, "%s: status %#x, not cut off\n", what, status);
		failures++;
	}
}

static void outside(void)
{
	CALL(SYS_read, 40, DATA_BYTES + 1, 11);
}
static void overflow(void)
{
	CALL(SYS_read, 40, UINT64_MAX - 10, 20);
}
static void path_outside(void)
{
	CALL(SYS_openat, (uint64_t)AT_FDCWD, DATA_BYTES - 4095, 0, 0);
}
static void iov_outside(void)
{
	*(struct fc_iovec *)play_at(OBJ) = (struct fc_iovec){ 10, UINT64_MAX };
	CALL(SYS_preadv2, 40, OBJ, 1, 0, 0, 0);
}
static void stream_outside(void)
{
	*(uint64_t *)play_at(OBJ) = DATA_BYTES - FC_CHUNK + 1;
	CALL(FC_NR_STREAM_READ, 40, 1 << 20, 0, OBJ, 1, 0);
}
static void stream_slots(void)
{
	CALL(FC_NR_STREAM_READ, 40, 1 << 20, 0, OBJ, FC_STREAM_SLOTS_MAX + 1, 0);
}
static void not_queued(void)
{
	fc_queue_enqueue(&play.area->queue, 5);
	fc_bell_ring(&fc_bell_local, &play.area->header);
	sleep(2);
}

static void test_hostile(void)
{
	cut_off(outside, "offset outside");
	cut_off(overflow, "offset that overflows");
	cut_off(path_outside, "path outside");
	cut_off(iov_outside, "iovec outside");
	cut_off(stream_outside, "stream buffer outside");
	cut_off(stream_slots, "stream with too many buffers");
	cut_off(not_queued, "entry not in use");
}

static int64_t key_of(const char *path, bool own)
{
	int64_t fd = open_(path, O_PATH | O_NOFOLLOW, 0), key;

	TRUE(fd >= FC_DOMAIN_FD_FIRST);
	key = CALL(FC_NR_SOCKET_KEY, fd, own);
	close_(fd);
	return key;
}

static void make_socket(const char *path, mode_t mode)
{
	SAME(CALL(SYS_mknodat, (uint64_t)AT_FDCWD, play_put(P0, path), S_IFSOCK | mode, 0), 0);
}

static void test_socket_keys(void)
{
	int64_t a, b, c;

	make_socket("/data/s", 0700);
	make_socket("/data/t", 0700);
	a = key_of("/data/s", false);
	b = key_of("/data/t", false);
	TRUE(a >= 0 && b >= 0 && a != b);
	SAME(key_of("/data/s", true), a);
	SAME(CALL(SYS_renameat2, (uint64_t)AT_FDCWD, play_put(P0, "/data/s"), (uint64_t)AT_FDCWD,
		  play_put(P1, "/data/t"), 0),
	     0);
	SAME(key_of("/data/t", false), a);
	SAME(CALL(SYS_unlinkat, (uint64_t)AT_FDCWD, play_put(P0, "/data/t"), 0), 0);
	make_socket("/data/t", 0700);
	c = key_of("/data/t", false);
	TRUE(c >= 0 && c != a && c != b);
	SAME(CALL(SYS_fchmodat, (uint64_t)AT_FDCWD, play_put(P0, "/data/t"), 0), 0);
	SAME(key_of("/data/t", true), c);
	make_file("/data/no-socket", "");
	SAME(key_of("/data/no-socket", false), -ECONNREFUSED);
	SAME(key_of("/data", false), -ECONNREFUSED);
	SAME(CALL(FC_NR_SOCKET_KEY, -1, 0), -EBADF);
	SAME(CALL(FC_NR_SOCKET_KEY, FC_FD_PROC, 0), -EBADF);
	SAME(CALL(SYS_unlinkat, (uint64_t)AT_FDCWD, play_put(P0, "/data/t"), 0), 0);
	SAME(CALL(SYS_unlinkat, (uint64_t)AT_FDCWD, play_put(P0, "/data/no-socket"), 0), 0);
}

static void test_long_names(void)
{
	memset(play_at(P0), 'a', FC_PATH_MAX);
	SAME(CALL(SYS_openat, (uint64_t)AT_FDCWD, P0, 0, 0), -ENAMETOOLONG);
	memset(play_at(P0), 'a', 300);
	*play_at(P0 + 300) = 0;
	SAME(CALL(SYS_openat, (uint64_t)AT_FDCWD, P0, 0, 0), -ENAMETOOLONG);
}

static void test_interrupts(void)
{
	struct flock *l = (struct flock *)play_at(OBJ);
	int64_t a, b, c;
	unsigned waiting, more[64];

	make_file("/data/lock", "");
	a = open_("/data/lock", O_RDWR, 0);
	b = open_("/data/lock", O_RDWR, 0);
	SAME(CALL(SYS_flock, a, LOCK_EX), 0);
	waiting = SUBMIT(SYS_flock, b, LOCK_EX);
	TRUE(!play_settles(waiting, 20));
	SAME(play_interrupt(waiting), 0);
	SAME(play_wait(waiting), -EINTR);
	SAME(play_interrupt(waiting), 0); /* over already */
	/* many waiters, and the unlock behind them */
	for (unsigned i = 0; i < 64; i++)
		more[i] = SUBMIT(SYS_flock, b, LOCK_EX);
	SAME(CALL(SYS_flock, a, LOCK_UN), 0);
	for (unsigned i = 0; i < 64; i++)
		SAME(play_wait(more[i]), 0);
	SAME(CALL(SYS_flock, b, LOCK_UN), 0);
	/* OFD locks */
	*l = (struct flock){ .l_type = F_WRLCK };
	SAME(CALL(SYS_fcntl, a, F_OFD_SETLKW, OBJ), 0);
	waiting = SUBMIT(SYS_fcntl, b, F_OFD_SETLKW, OBJ);
	TRUE(!play_settles(waiting, 20));
	SAME(CALL(FC_NR_INTERRUPT, waiting, play.area->entry[waiting].nonce - 1), 0); /* not this call */
	TRUE(!play_settles(waiting, 20));
	SAME(play_interrupt(waiting), 0);
	SAME(play_wait(waiting), -EINTR);
	SAME(close_(a), 0);
	SAME(close_(b), 0);
	/* a FIFO blocks without notice: opening it, then reading it */
	SAME(CALL(SYS_mknodat, (uint64_t)AT_FDCWD, play_put(P0, "/data/fifo"), S_IFIFO | 0600, 0), 0);
	waiting = SUBMIT(SYS_openat, (uint64_t)AT_FDCWD, play_put(P0, "/data/fifo"), O_RDONLY);
	TRUE(!play_settles(waiting, 20));
	SAME(CALL(FC_NR_NOP), 0);
	SAME(play_interrupt(waiting), 0);
	SAME(play_wait(waiting), -EINTR);
	c = open_("/data/fifo", O_RDWR, 0);
	TRUE(c > 0);
	waiting = SUBMIT(SYS_read, c, BUF, 10);
	TRUE(!play_settles(waiting, 20));
	for (int i = 0; i < 100; i++)
		SAME(CALL(FC_NR_NOP), 0);
	SAME(play_interrupt(waiting), 0);
	SAME(play_wait(waiting), -EINTR);
	waiting = SUBMIT(SYS_read, c, BUF, 10);
	SAME(CALL(SYS_write, c, play_put(BUF + 100, "data"), 4), 4);
	SAME(play_wait(waiting), 4);
	SAME(close_(c), 0);
	SAME(CALL(FC_NR_INTERRUPT, 1000, 0), -EINVAL);
	/* a client that was stopped before its call was in the queue */
	play.area->entry[FC_ENTRIES - 1].nonce = 5;
	fc_store(&play.area->entry[FC_ENTRIES - 1].state, FC_QUEUED);
	for (int i = 0; i < 100; i++)
		SAME(CALL(FC_NR_INTERRUPT, FC_ENTRIES - 1, 5), -ENOENT);
	fc_store(&play.area->entry[FC_ENTRIES - 1].state, FC_FREE);
}

/* Interrupts at random moments: each call ends, with EINTR or with its result, and the next ones are not hit. */
static void test_interrupt_races(void)
{
	int64_t a, b;

	a = open_("/data/lock", O_RDWR, 0);
	b = open_("/data/lock", O_RDWR, 0);
	SAME(CALL(SYS_flock, a, LOCK_EX), 0);
	for (int i = 0; i < 500; i++) {
		unsigned waiting = SUBMIT(SYS_flock, b, LOCK_EX);

		for (volatile int spin = 0; spin < i * 37 % 3000; spin++)
			;
		SAME(play_interrupt(waiting), 0);
		SAME(play_wait(waiting), -EINTR);
		waiting = SUBMIT(SYS_flock, b, LOCK_EX); /* must not be hit by a late signal */
		if (play_settles(waiting, 1)) {
			fprintf(stderr, "a signal came too late\n");
			failures++;
		}
		SAME(play_interrupt(waiting), 0);
		SAME(play_wait(waiting), -EINTR);
		waiting = SUBMIT(SYS_lseek, b, 0, SEEK_CUR); /* has nothing to wait for */
		SAME(play_interrupt(waiting), 0);
		SAME(play_wait(waiting), 0);
	}
	SAME(close_(a), 0);
	SAME(close_(b), 0);
}

static bool late;

/* As one who interrupts the entry's call before, and is late. */
static void *mark_over(void *run)
{
	while (fc_load(&late))
		fc_store_release(&((struct fc_run *)run)->mark, UINT64_MAX); /* another nonce's */
	return NULL;
}

/* What another has marked over is marked again: the call ends. */
static void late_interrupt(void)
{
	int64_t a = open_("/data/lock", O_RDWR, 0), b = open_("/data/lock", O_RDWR, 0);
	unsigned waiting, wish;
	pthread_t other;

	SAME(CALL(SYS_flock, a, LOCK_EX), 0);
	waiting = SUBMIT(SYS_flock, b, LOCK_EX);
	TRUE(!play_settles(waiting, 20));
	fc_store(&late, true);
	pthread_create(&other, NULL, mark_over, &play.workers->crew.run[waiting]);
	usleep(1000);
	wish = SUBMIT(FC_NR_INTERRUPT, waiting, play.area->entry[waiting].nonce);
	usleep(20000);
	fc_store(&late, false);
	pthread_join(other, NULL);
	TRUE(play_settles(waiting, 2000));
	SAME(CALL(SYS_flock, a, LOCK_UN), 0);
	SAME(play_wait(waiting), -EINTR);
	SAME(play_wait(wish), 0);
	SAME(close_(a), 0);
	SAME(close_(b), 0);
}

static void test_late_interrupts(void)
{
	for (int before = failures, i = 0; i < 8 && failures == before; i++)
		late_interrupt();
}

#define SLOTS 4

static uint64_t buffers(void)
{
	uint64_t *list = (uint64_t *)play_at(OBJ);

	for (unsigned i = 0; i < SLOTS; i++)
		list[i] = BUF + (uint64_t)i * FC_CHUNK;
	return OBJ;
}

static char byte_of(uint64_t i)
{
	return i * 2654435761u >> 13;
}

/* Write, or read and check, `length` bytes; the client stops at `stop_at`. */
static int64_t stream(bool writing, int64_t fd, uint64_t length, uint64_t position, uint64_t stop_at)
{
	unsigned e =
		SUBMIT(writing ? FC_NR_STREAM_WRITE : FC_NR_STREAM_READ, fd, length, position, buffers(), SLOTS, 0);
	struct fc_stream *s = &play.area->stream[e];
	struct fc_entry *entry = &play.area->entry[e];
	uint64_t at = 0, have;
	uint32_t n = 0;

	while (fc_load_acquire(&entry->state) != FC_DONE) {
		uint32_t seen = fc_load_acquire(&s->domain.chunks);
		char *p = play_at(BUF + (uint64_t)(n % SLOTS) * FC_CHUNK);

		if (writing ? at >= length || n >= seen + SLOTS : n >= seen) {
			fc_pause();
			continue;
		}
		have = length - at < FC_CHUNK ? length - at : FC_CHUNK;
		if (at + have > stop_at) {
			have = stop_at - at;
			fc_store_release(&s->client.end, stop_at);
			length = stop_at;
		}
		for (uint64_t i = 0; i < have; i++, at++) {
			if (writing)
				p[i] = byte_of(position + at);
			else if (p[i] != byte_of(position + at))
				failures++;
		}
		fc_progress_publish(&fc_bell_local, &s->client, &s->domain);
		n++;
	}
	have = entry->result > 0 ? entry->result : 0;
	for (; !writing && at < have; at++)
		if (*play_at(BUF + (at / FC_CHUNK % SLOTS) * FC_CHUNK + at % FC_CHUNK) != byte_of(position + at))
			failures++;
	return play_wait(e);
}

static void test_streams(void)
{
	const uint64_t mib = 1 << 20;
	int64_t fd = open_("/data/stream", O_CREAT | O_RDWR, 0600);
	struct stat *st = (struct stat *)play_at(OBJ);
	unsigned e;

	SAME(stream(true, fd, mib + 1234, 77, UINT64_MAX), mib + 1234);
	SAME(CALL(SYS_fstat, fd, OBJ), 0);
	SAME(st->st_size, mib + 1234 + 77);
	SAME(stream(false, fd, mib + 1234, 77, UINT64_MAX), mib + 1234);
	SAME(stream(false, fd, 4 * mib, 77, UINT64_MAX), mib + 1234); /* short: end of file */
	SAME(stream(false, fd, mib, 3 * mib, UINT64_MAX), 0);
	SAME(stream(false, fd, 2 * FC_CHUNK, 77, UINT64_MAX), 2 * FC_CHUNK);
	SAME(stream(true, fd, mib, 0, 3 * FC_CHUNK + 5), 3 * FC_CHUNK + 5); /* the client lowers the end */
	SAME(stream(true, fd, mib, 0, 3 * FC_CHUNK), 3 * FC_CHUNK);
	SAME(stream(true, fd, mib, 0, 0), 0);
	SAME(CALL(FC_NR_STREAM_READ, fd, 0, 0, buffers(), SLOTS, 0), 0);
	SAME(CALL(FC_NR_STREAM_READ, 5, 100, 0, buffers(), SLOTS, 0), -EBADF);
	SAME(CALL(FC_NR_STREAM_READ, fd, 100, -1, buffers(), SLOTS, 0), -EINVAL);
	SAME(CALL(FC_NR_STREAM_READ, fd, 100, 0, buffers(), SLOTS, 0x4000), -EOPNOTSUPP);
	/* a client that does not go on */
	e = SUBMIT(FC_NR_STREAM_WRITE, fd, mib, 0, buffers(), SLOTS, 0);
	TRUE(!play_settles(e, 20));
	SAME(CALL(FC_NR_NOP), 0);
	SAME(play_interrupt(e), 0);
	SAME(play_wait(e), -EINTR);
	e = SUBMIT(FC_NR_STREAM_READ, fd, mib, 0, buffers(), SLOTS, 0);
	TRUE(!play_settles(e, 20));
	SAME(play_interrupt(e), 0);
	SAME(play_wait(e), SLOTS * FC_CHUNK);
	SAME(CALL(SYS_fcntl, fd, F_SETFL, O_APPEND), 0);
	SAME(CALL(FC_NR_STREAM_WRITE, fd, mib, 0, buffers(), SLOTS, 0), -EOPNOTSUPP);
	SAME(close_(fd), 0);
}

#define THREADS 16

static void *hammer(void *arg)
{
	uint64_t me = (uintptr_t)arg, base = BUF + me * 3 * 65536;
	char path[32];
	int64_t fd;

	snprintf(path, sizeof path, "/data/h%lu", (unsigned long)me);
	fd = CALL(SYS_openat, (uint64_t)AT_FDCWD, play_put(base, path), O_CREAT | O_RDWR | O_TRUNC, 0600);
	for (unsigned i = 0; i < 2000; i++) {
		uint32_t length = 1 + i * 7919 % 60000, at = i * 104729 % 100000;

		memset(play_at(base), i, length);
		if (CALL(SYS_pwrite64, fd, base, length, at) != length)
			return "short write";
		if (CALL(SYS_pread64, fd, base + 65536, length, at) != length ||
		    memcmp(play_at(base), play_at(base + 65536), length))
			return "other bytes";
	}
	return CALL(SYS_close, fd) ? "close" : NULL;
}

static void test_parallel(void)
{
	pthread_t t[THREADS];
	void *bad;

	for (uintptr_t i = 0; i < THREADS; i++)
		pthread_create(&t[i], NULL, hammer, (void *)i);
	for (unsigned i = 0; i < THREADS; i++) {
		pthread_join(t[i], &bad);
		if (bad)
			fprintf(stderr, "thread %u: %s\n", i, (char *)bad);
		failures += !!bad;
	}
}

/* All entries but two in calls that block: everything still works, and stopping is quick. */
static void test_full_house(void)
{
	int64_t a = open_("/data/lock", O_RDWR, 0), b = open_("/data/lock", O_RDWR, 0);
	unsigned e[FC_ENTRIES - 2];
	uint64_t start;

	SAME(CALL(SYS_flock, a, LOCK_EX), 0);
	for (unsigned i = 0; i < FC_ENTRIES - 2; i++)
		e[i] = SUBMIT(SYS_flock, b, LOCK_EX);
	for (unsigned i = 0; i < 20; i++)
		SAME(CALL(FC_NR_NOP), 0);
	SAME(play_interrupt(e[100]), 0);
	SAME(play_wait(e[100]), -EINTR);
	SAME(fc_load(&play.slot->workers), FC_ENTRIES);
	SAME(CALL(SYS_flock, a, LOCK_UN), 0);
	for (unsigned i = 0; i < FC_ENTRIES - 2; i++)
		if (i != 100)
			SAME(play_wait(e[i]), 0);
	usleep(100000);
	TRUE(fc_load(&play.slot->workers) <= 32); /* the others have ended */
	SAME(CALL(SYS_flock, b, LOCK_UN), 0);
	SAME(CALL(SYS_flock, a, LOCK_EX), 0);
	for (unsigned i = 0; i < FC_ENTRIES - 2; i++)
		e[i] = SUBMIT(SYS_flock, b, LOCK_EX);
	usleep(20000);
	start = play_ns();
	SAME(play_stop(), 0);
	TRUE(play_ns() - start < 2000000000u);
	TRUE(!play.workers);
}

static uint64_t cpu_ns(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000000ull +
	       (u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1000ull;
}

/* The thread sanitizer has a thread of its own, which looks around ten times a second. */
#ifdef __SANITIZE_THREAD__
#define IDLE_NS 10000000
#else
#define IDLE_NS 2000000
#endif

static void test_idle(void)
{
	int64_t a = open_("/data/lock", O_RDWR, 0), b = open_("/data/lock", O_RDWR, 0);
	unsigned waiting;
	uint64_t start, used;

	SAME(CALL(SYS_flock, a, LOCK_EX), 0);
	waiting = SUBMIT(SYS_flock, b, LOCK_EX);
	usleep(50000);
	start = cpu_ns();
	usleep(1000000);
	used = cpu_ns() - start;
	if (used > IDLE_NS) {
		fprintf(stderr, "idle for 1 s used %lu us\n", used / 1000);
		failures++;
	}
	SAME(CALL(SYS_flock, a, LOCK_UN), 0);
	SAME(play_wait(waiting), 0);
	SAME(close_(a), 0);
	SAME(close_(b), 0);
	usleep(10000);
	TRUE(fc_load(&play.slot->count.calls) > 10000);
	TRUE(fc_load(&play.slot->count.sleeps) > 0);
	TRUE(fc_load(&play.slot->count.bytes_in) && fc_load(&play.slot->count.bytes_out) &&
	     fc_load(&play.slot->count.interrupts));
	SAME(fc_load(&play.slot->awake), 0);
}

int main(void)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} test[] = {
		{ "data", test_data },
		{ "foreign descriptors", test_foreign_descriptors },
		{ "names", test_names },
		{ "crossings", test_crossings },
		{ "commands", test_commands },
		{ "keys of sockets", test_socket_keys },
		{ "long names", test_long_names },
		{ "interrupts", test_interrupts },
		{ "interrupt races", test_interrupt_races },
		{ "late interrupts", test_late_interrupts },
		{ "streams", test_streams },
		{ "parallel", test_parallel },
		{ "idle", test_idle },
		{ "full house", test_full_house },
	};

	play_world();
	test_hostile(); /* forks: before there are threads */
	play_start(DATA_BYTES);
	for (unsigned i = 0; i < sizeof test / sizeof *test; i++) {
		int before = failures;
		uint64_t start = play_ns();

		test[i].run();
		printf("%-20s %s %6.1f ms\n", test[i].name, failures == before ? "ok" : "FAILED",
		       (play_ns() - start) / 1e6);
		fflush(stdout);
	}
	return failures ? 1 : 0;
}
