/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * wire.h - the small things both ends need to read syscalls.def: argument kinds as data, and types named there.
 * It owns no behaviour: marshalling is libc-shim's, validation and execution are storage-domain's.
 */
#ifndef FARCALL_WIRE_H
#define FARCALL_WIRE_H

#include <stdint.h>
#include <time.h>

#include "farcall/numbers.h"

#define FC_NULL UINT64_MAX /* a null pointer on the wire */
#define FC_FIEMAP_EXTENTS_MAX 1024

struct fc_timespec2 {
	struct timespec at[2]; /* access, modification: utimensat(2) */
};

/* arguments of calls and requests that are newer than the C library's headers */
struct fc_cachestat_range {
	uint64_t offset, length;
};
struct fc_cachestat {
	uint64_t cached, dirty, written_back, evicted, recently_evicted;
};
struct fc_xattr_args { /* setxattrat(2), getxattrat(2) */
	uint64_t value;
	uint32_t size, flags;
};
struct fc_space { /* what the older forms of fallocate(2) take */
	int16_t type, whence;
	int64_t start, length;
	int32_t sysid;
	uint32_t pid;
	int32_t pad[4];
};
struct fc_fs_uuid {
	uint8_t bytes[17]; /* length, 16 bytes */
};
struct fc_fs_path {
	uint8_t bytes[129]; /* length, name */
};

enum fc_kind {
	FC_KIND_NONE = 0,
	FC_KIND_VAL,
	FC_KIND_HEX,
	FC_KIND_OCT,
	FC_KIND_FD,
	FC_KIND_DIRFD,
	FC_KIND_PATH,
	FC_KIND_PATH_OPT,
	FC_KIND_STR,
	FC_KIND_IN,
	FC_KIND_OUT,
	FC_KIND_IN_OBJ,
	FC_KIND_OUT_OBJ,
	FC_KIND_INOUT_OBJ,
	FC_KIND_IN_OBJ_OPT,
	FC_KIND_INOUT_OBJ_OPT,
	FC_KIND_OUT_WHOLE,
	FC_KIND_XATTR_IN,
	FC_KIND_XATTR_OUT,
	FC_KIND_IOV_IN,
	FC_KIND_IOV_OUT,
	FC_KIND_BY_CMD,
	/* ioctls.def */
	FC_KIND_FD_ARG,
	FC_KIND_CLONE_RANGE,
	FC_KIND_FIEMAP_ARG,
	FC_KIND_DEDUPE_ARG,
	/* local.def */
	FC_KIND_SOURCE,
	FC_KIND_ADDRESS,
	FC_KIND_LIKE,
};

enum fc_follow {
	FC_FOLLOW_NONE = 0,
	FC_FOLLOW_ALWAYS,
	FC_FOLLOW_NEVER,
	FC_FOLLOW_NAMES,
	FC_FOLLOW_UNLESS,
	FC_FOLLOW_IF,
	FC_FOLLOW_BY_OPEN,
};

enum fc_effect { FC_EFFECT_READS = 0, FC_EFFECT_WRITES, FC_EFFECT_OPENS, FC_EFFECT_DUPS };

/* one argument of a row: `extra` is the argument number (IN, OUT, IOV_*), the size of the object, or the maximum (STR) */
struct fc_arg {
	uint8_t kind;
	uint16_t extra;
};

#define FC_NAME_MAX 24

/* one row of syscalls.def as data. Names are part of these tables, not pointed to: a page with addresses in it is relocated, and so copied, in
 * every process. */
struct fc_row {
	char name[FC_NAME_MAX]; /* empty: no row */
	uint16_t nr;
	uint8_t follow;    /* enum fc_follow */
	int8_t follow_arg; /* argument that holds the flag */
	uint32_t follow_flag;
	uint8_t effect;       /* enum fc_effect */
	struct fc_arg arg[6]; /* unused ones are FC_KIND_NONE */
};

/* The row of a system call number, or a null pointer if that call never travels. Constant data; any thread. Legacy
 * forms have no row. */
const struct fc_row *fc_row_by_nr(unsigned nr);

/* one row of local.def, or a TRANSLATED one, as data */
struct fc_local {
	char name[FC_NAME_MAX];
	uint8_t kind[6]; /* enum fc_kind */
	uint8_t error;   /* what REFUSE says, else 0 */
};

/* The row of a call that never travels; null if the call has another row or is not known. Constant data; any thread. */
const struct fc_local *fc_local_by_nr(unsigned nr);

/* The argument kind of an fcntl command or ioctl request: 0 and *arg filled, or -EINVAL / -ENOTTY. Any thread. */
int fc_fcntl_arg(unsigned cmd, struct fc_arg *arg);
int fc_ioctl_arg(unsigned request, struct fc_arg *arg);

#endif
