/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * clerk.h - what a domain in a user namespace of its own asks a process outside. In there the kernel knows the domain's user and nobody
 * else: other users' files are nobody's, and an access control list or a group that the user may well give cannot even be said. The clerk
 * (supervisor/clerk.c) is the same user in the host's namespaces, and does to a file that it is handed what depends on how ids are
 * called, and nothing else.
 *
 * A question is one message, with the file as its descriptor; the answer comes into the session's box, in memory that all share.
 */
#ifndef FC_DOMAIN_CLERK_H
#define FC_DOMAIN_CLERK_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "farcall/abi.h"

#define FC_CLERK_VALUE 65536 /* XATTR_SIZE_MAX */
#define FC_CLERK_NAME 32
#define FC_OVERFLOW_ID 65534u /* what the kernel calls ids that a namespace has no number for, unless told otherwise */

enum fc_clerk_work {
	FC_CLERK_OWNER,     /* who owns it? */
	FC_CLERK_CHOWN,     /* fchownat(2) */
	FC_CLERK_GET_XATTR, /* getxattr(2) */
	FC_CLERK_SET_XATTR, /* setxattr(2); the value follows the question */
};

struct fc_clerk_ask {
	uint32_t box, serial;
	uint32_t work;
	uint32_t uid, gid;
	uint32_t flags;           /* XATTR_CREATE, XATTR_REPLACE */
	char name[FC_CLERK_NAME]; /* with its NUL */
};

/* Attributes that name ids: acl(5). */
static inline bool fc_clerk_is_list(const char *name)
{
	return !strcmp(name, "system.posix_acl_access") || !strcmp(name, "system.posix_acl_default");
}

/* A session has two, so that it can ask for an owner while a change waits for a file server: at twice the index of its roster slot, and one
 * on. */
#define FC_CLERK_BOXES 2

struct fc_clerk_box {
	uint32_t asked;    /* the last question's serial: the asker's */
	uint32_t answered; /* futex word: the same, when the rest is the answer to it */
	int32_t result;    /* 0, or the value's length; -errno */
	uint32_t uid, gid;
	uint32_t pad;
	uint64_t dev, ino;
	char value[FC_CLERK_VALUE];
};

#endif
