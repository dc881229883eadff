/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rows.c - the rows of syscalls.def as the comparison sees them: name, number and argument kinds in the caller's order,
 * legacy forms included, and the C library's function for a row where it has one. A SYSCALL or LEGACY row needs nothing
 * here; a TRANSLATED one needs its argument kinds in translated[].
 */
#define _GNU_SOURCE
#include "compare.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/stat.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>
#include <utime.h>

#include "farcall/wire.h"

struct timeval2 {
	struct timeval at[2];
};

struct row rows[256];
int row_count;

#define VAL { K_VAL, 0, 0 }
#define HEX { K_HEX, 0, 0 }
#define OCT { K_OCT, 0, 0 }
#define FD { K_FD, 0, 0 }
#define DIRFD { K_DIRFD, 0, 0 }
#define PATH { K_PATH, 0, 0 }
#define PATH_OPT { K_PATH, 1, 0 }
#define STR(max) { K_STR, max, 0 }
#define IN(n) { K_IN, n, 0 }
#define OUT(n) { K_OUT, n, 0 }
#define IN_OBJ(T) { K_IN_OBJ, sizeof(T), #T }
#define OUT_OBJ(T) { K_OUT_OBJ, sizeof(T), #T }
#define INOUT_OBJ(T) { K_INOUT_OBJ, sizeof(T), #T }
#define IN_OBJ_OPT(T) IN_OBJ(T)
#define OUT_OBJ_OPT(T) OUT_OBJ(T)
#define INOUT_OBJ_OPT(T) INOUT_OBJ(T)
#define IOV_IN(n) { K_IOV_IN, n, 0 }
#define IOV_OUT(n) { K_IOV_OUT, n, 0 }
#define BY_CMD { K_BY_CMD, 0, 0 }
#define OUT_WHOLE(n) OUT(n)
#define XATTR_IN(n) IN_OBJ(struct fc_xattr_args)
#define XATTR_OUT(n) INOUT_OBJ(struct fc_xattr_args)

static const struct row regular[] = {
#define SYSCALL(name_, follow, effect, ...) { .name = #name_, .nr = SYS_##name_, .arg = { __VA_ARGS__ } },
#include "farcall/syscalls.def"
};

struct legacy {
	const char *name, *target;
	long nr;
	struct {
		bool constant;
		long v;
	} map[6];
};

static const struct legacy legacy[] = {
#define A(i) { false, i }
#define K(c) { true, c }
#define LEGACY(name_, target_, ...) { #name_, #target_, SYS_##name_, { __VA_ARGS__ } },
#include "farcall/syscalls.def"
};

static const struct row translated[] = {
	{ "dup2", SYS_dup2, { FD, VAL }, 2, true },
	{ "dup3", SYS_dup3, { FD, VAL, HEX }, 3, true },
	{ "close_range", SYS_close_range, { VAL, VAL, HEX }, 3, true },
	{ "getdents", SYS_getdents, { FD, OUT(2), VAL }, 3, false },
	{ "utime", SYS_utime, { PATH, IN_OBJ(struct utimbuf) }, 2, false },
	{ "utimes", SYS_utimes, { PATH, IN_OBJ(struct timeval2) }, 2, false },
	{ "futimesat", SYS_futimesat, { DIRFD, PATH, IN_OBJ(struct timeval2) }, 3, false },
};

static const char *const translated_names[] = {
#define TRANSLATED(name, ...) #name,
#include "farcall/syscalls.def"
};

static void add_row(const struct row *from)
{
	struct row *r = &rows[row_count++];

	*r = *from;
	for (r->args = 6; r->args > 0 && r->arg[r->args - 1].kind == K_NONE; r->args--)
		;
	if (!strcmp(r->name, "close"))
		r->isolate = true;
}

static const struct row *regular_named(const char *name)
{
	for (size_t i = 0; i < sizeof regular / sizeof regular[0]; i++)
		if (!strcmp(regular[i].name, name))
			return &regular[i];
	fprintf(stderr, "compare: a LEGACY row names %s, which is no SYSCALL row\n", name);
	exit(2);
}

static void add_legacy(const struct legacy *l)
{
	const struct row *target = regular_named(l->target);
	struct row r = { .name = l->name, .nr = l->nr };

	for (int j = 0; j < 6; j++) {
		if (l->map[j].constant || target->arg[j].kind == K_NONE)
			continue;
		struct arg a = target->arg[j];

		if (a.kind == K_IN || a.kind == K_OUT || a.kind == K_IOV_IN || a.kind == K_IOV_OUT)
			a.extra = (int)l->map[a.extra].v;
		r.arg[l->map[j].v] = a;
	}
	add_row(&r);
}

void rows_init(void)
{
	for (size_t i = 0; i < sizeof regular / sizeof regular[0]; i++)
		add_row(&regular[i]);
	for (size_t i = 0; i < sizeof legacy / sizeof legacy[0]; i++)
		add_legacy(&legacy[i]);
	for (size_t i = 0; i < sizeof translated_names / sizeof translated_names[0]; i++) {
		size_t j = 0;

		while (j < sizeof translated / sizeof translated[0] && strcmp(translated[j].name, translated_names[i]))
			j++;
		if (j == sizeof translated / sizeof translated[0]) {
			fprintf(stderr, "compare: translated row %s has no argument kinds in rows.c\n", translated_names[i]);
			exit(2);
		}
		add_row(&translated[j]);
	}
}

struct wrapper {
	const char *name;
	void *function;
	bool is_int;
	const char *order; /* the kernel's arguments in the function's order */
};

#define INT(n) { #n, n, true, "012345" }
#define LONG(n) { #n, n, false, "012345" }

/* not utime, utimes and futimesat: those functions read what the pointer points to */
static const struct wrapper wrappers[] = {
	LONG(read), LONG(write), LONG(readv), LONG(writev), { "preadv", preadv, false, "0123" },
	{ "pwritev", pwritev, false, "0123" }, { "preadv2", preadv2, false, "01235" },
	{ "pwritev2", pwritev2, false, "01235" }, { "pread64", pread64, false, "0123" },
	{ "pwrite64", pwrite64, false, "0123" }, LONG(lseek), LONG(copy_file_range), LONG(sendfile), INT(ftruncate),
	INT(truncate), INT(fallocate), INT(fsync), INT(fdatasync), INT(sync_file_range), INT(syncfs), LONG(readahead),
	INT(openat), INT(open), INT(creat), INT(close), INT(dup), INT(dup2), INT(dup3), INT(fcntl), INT(ioctl), INT(flock),
	INT(fstat), INT(stat), INT(lstat), { "newfstatat", fstatat, true, "0123" }, INT(statx), INT(statfs), INT(fstatfs),
	INT(access), { "faccessat2", faccessat, true, "0123" }, INT(fchmod), INT(chmod), INT(fchown), INT(fchownat),
	INT(chown), INT(lchown), INT(utimensat), LONG(getdents64),
	LONG(readlinkat), LONG(readlink), INT(mkdirat), INT(mkdir), INT(mknodat), INT(mknod), INT(unlinkat), INT(unlink),
	INT(rmdir), INT(renameat2), INT(rename), INT(renameat), INT(linkat), INT(link), INT(symlinkat), INT(symlink),
	INT(umask), INT(chdir), INT(fchdir), INT(setxattr), INT(lsetxattr), INT(fsetxattr), LONG(getxattr),
	LONG(lgetxattr), LONG(fgetxattr), LONG(listxattr), LONG(llistxattr), LONG(flistxattr), INT(removexattr),
	INT(lremovexattr), INT(fremovexattr),
};

long (*row_wrapper(const char *name, const char **order, bool *is_int))(long, long, long, long, long, long)
{
	for (size_t i = 0; i < sizeof wrappers / sizeof wrappers[0]; i++) {
		if (!strcmp(wrappers[i].name, name)) {
			*order = wrappers[i].order;
			*is_int = wrappers[i].is_int;
			return (long (*)(long, long, long, long, long, long))wrappers[i].function;
		}
	}
	return NULL;
}
