/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* wire.c - syscalls.def, local.def, fcntl.def and ioctls.def as constant tables. No behaviour. */
#define _GNU_SOURCE
#include "farcall/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <linux/stat.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

#define stat fc_kernel_stat /* x86-64: the kernel's struct stat; glibc's is the same, musl's too */
struct fc_kernel_stat {
	char bytes[144];
};

/* clang-format off */
#define VAL                  { FC_KIND_VAL, 0 }
#define HEX                  { FC_KIND_HEX, 0 }
#define OCT                  { FC_KIND_OCT, 0 }
#define FD                   { FC_KIND_FD, 0 }
#define DIRFD                { FC_KIND_DIRFD, 0 }
#define PATH                 { FC_KIND_PATH, 0 }
#define PATH_OPT             { FC_KIND_PATH_OPT, 0 }
#define STR(max)             { FC_KIND_STR, max }
#define IN(n)                { FC_KIND_IN, n }
#define OUT(n)               { FC_KIND_OUT, n }
#define IN_OBJ(T)            { FC_KIND_IN_OBJ, sizeof(T) }
#define OUT_OBJ(T)           { FC_KIND_OUT_OBJ, sizeof(T) }
#define INOUT_OBJ(T)         { FC_KIND_INOUT_OBJ, sizeof(T) }
#define IN_OBJ_OPT(T)        { FC_KIND_IN_OBJ_OPT, sizeof(T) }
#define INOUT_OBJ_OPT(T)     { FC_KIND_INOUT_OBJ_OPT, sizeof(T) }
#define IOV_IN(n)            { FC_KIND_IOV_IN, n }
#define IOV_OUT(n)           { FC_KIND_IOV_OUT, n }
#define BY_CMD               { FC_KIND_BY_CMD, 0 }
#define OUT_WHOLE(n)         { FC_KIND_OUT_WHOLE, n }
#define XATTR_IN(n)          { FC_KIND_XATTR_IN, n }
#define XATTR_OUT(n)         { FC_KIND_XATTR_OUT, n }
#define DEDUPE_ARG           { FC_KIND_DEDUPE_ARG, 0 }
#define FD_ARG               { FC_KIND_FD_ARG, 0 }
#define CLONE_RANGE          { FC_KIND_CLONE_RANGE, sizeof(struct file_clone_range) }
#define FIEMAP_ARG           { FC_KIND_FIEMAP_ARG, sizeof(struct fiemap) }

#define FOLLOW_NONE          FC_FOLLOW_NONE, -1, 0
#define FOLLOW_FOLLOW        FC_FOLLOW_ALWAYS, -1, 0
#define FOLLOW_NOFOLLOW      FC_FOLLOW_NEVER, -1, 0
#define FOLLOW_NAMES         FC_FOLLOW_NAMES, -1, 0
#define FOLLOW_UNLESS(i, f)  FC_FOLLOW_UNLESS, i, f
#define FOLLOW_IF(i, f)      FC_FOLLOW_IF, i, f
#define FOLLOW_BY_OPEN(i)    FC_FOLLOW_BY_OPEN, i, 0

/* clang-format on */

#define SYSCALL(name_, follow_, effect_, ...) \
	[SYS_##name_] = { #name_, SYS_##name_, FOLLOW_##follow_, FC_EFFECT_##effect_, { __VA_ARGS__ } },

static const struct fc_row rows[FC_NUMBERS] = {
#include "farcall/syscalls.def"
};

const struct fc_row *fc_row_by_nr(unsigned nr)
{
	if (nr >= sizeof rows / sizeof rows[0] || !rows[nr].name[0])
		return NULL;
	return &rows[nr];
}

#undef VAL
#undef FD
#undef DIRFD
#undef PATH
#undef PATH_OPT
#define VAL FC_KIND_VAL
#define FD FC_KIND_FD
#define DIRFD FC_KIND_DIRFD
#define PATH FC_KIND_PATH
#define PATH_OPT FC_KIND_PATH_OPT
#define SOURCE FC_KIND_SOURCE
#define ADDRESS FC_KIND_ADDRESS
#define LIKE FC_KIND_LIKE
#define PASS 0
#define BY(handler) 0
#define REFUSE(error) error
#define TRANSLATED(name_, ...) [SYS_##name_] = { #name_, { __VA_ARGS__ }, 0 },
#define LOCAL(nr, name_, site, handler, ...) [nr] = { #name_, { __VA_ARGS__ }, handler },

static const struct fc_local locals[FC_NUMBERS] = {
#include "farcall/syscalls.def"
#include "farcall/local.def"
};

const struct fc_local *fc_local_by_nr(unsigned nr)
{
	return nr < FC_NUMBERS && locals[nr].name[0] ? &locals[nr] : NULL;
}

/* ---- every number has one row: two rows of one number are two cases of one value ---- */

#define LAST_OLD 335 /* Linux 6.17 */
#define FIRST_NEW 424
#define LAST_NEW 469

#define ONE(nr) +1
#define SYSCALL(name, ...) ONE(name)
#define LEGACY(name, ...) ONE(name)
#define TRANSLATED(name, ...) ONE(name)
#define LOCAL(nr, ...) ONE(nr)
enum {
	ROWS = 0
#include "farcall/syscalls.def"
#include "farcall/local.def"
};
_Static_assert(ROWS == LAST_OLD + 1 + LAST_NEW - FIRST_NEW + 1, "every system call number has a row");

/* clang-format off */
#define NUMBER(nr) \
	case nr:; \
		_Static_assert(nr <= LAST_OLD || (nr >= FIRST_NEW && nr <= LAST_NEW), "a number that no call has");
/* clang-format on */
#define SYSCALL(name, ...) NUMBER(SYS_##name)
#define LEGACY(name, ...) NUMBER(SYS_##name)
#define TRANSLATED(name, ...) NUMBER(SYS_##name)
#define LOCAL(nr, ...) NUMBER(nr)
static __attribute__((unused)) void one_row_each(unsigned nr)
{
	switch (nr) {
#include "farcall/syscalls.def"
#include "farcall/local.def"
	default:
		break;
	}
}

/* ---- commands ---- */

#undef VAL
#define VAL                    \
	{                      \
		FC_KIND_VAL, 0 \
	}

int fc_fcntl_arg(unsigned cmd, struct fc_arg *arg)
{
/* clang-format off */
#define NONE { FC_KIND_NONE, 0 }
	/* clang-format on */
	switch (cmd) {
#define FCNTL(command, kind)                \
	case command:                       \
		*arg = (struct fc_arg)kind; \
		return 0;
#include "farcall/fcntl.def"
	default:
		return -EINVAL;
	}
}

int fc_ioctl_arg(unsigned request, struct fc_arg *arg)
{
	switch (request) {
#define IOCTL(req, kind)                    \
	case req:                           \
		*arg = (struct fc_arg)kind; \
		return 0;
#include "farcall/ioctls.def"
	default:
		return -ENOTTY;
	}
}
