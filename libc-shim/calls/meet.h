/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * meet.h - Unix sockets on an export from which no inode can be handed over: below `:nomap`, and on Xen. In the domain there is an inode, which
 * says who may connect; the socket is bound on this machine, in a directory that all clients of the domain know, under a key that the domain tells
 * those only who may connect (abi.h, FC_NR_SOCKET_KEY).
 *
 * In that directory, which everybody may write to and nobody remove others' files from, each user has one of their own, UID-RANDOM, which nobody
 * else can list or change, and in it sockets that are called like their keys. A key is looked for only in directories of the inode's owner, and of root,
 * who may have bound it and given it away. So nobody has a key, or can have made a socket that is found by it, who may not; and a domain that lies
 * leads its clients to another socket that is bound in the same domain, and nowhere else.
 *
 * What it is called where it is bound, nobody sees: the address is the one that the application has given (meet_bind.c).
 */
#ifndef FC_SHIM_MEET_H
#define FC_SHIM_MEET_H

#include <stddef.h>
#include <stdint.h>
#include <sys/un.h>

#include "libc-shim/process/process.h"

#define SHIM_MEET_KEY 17 /* in hexadecimal, with NUL */

/* Whoever is at a path, wherever that leads: a descriptor of the inode that a socket of this machine is bound to, for shim_done_with. -errno as
 * connect(2); -ENODEV: not to be had. */
int shim_meet(const char *path);

/* bind(2) of a socket of this process at a path that leads into a domain, which sees `address`, `length` bytes. -EPERM: as where there are no sockets. */
long shim_meet_bind(struct shim_process *p, unsigned domain, int sock, const char *path,
		    const struct sockaddr_un *address, long length);

/* ---- meet.c, for meet_bind.c ---- */

/* The domain's directory: for shim_done_with; -EPERM: there is none that could be trusted. */
int shim_meet_open(struct shim_process *p, unsigned domain);

/* A search in it for directories of one user. */
struct shim_meet_search {
	int all;
	uint32_t uid, at, end;
	char begins[12];
	char buffer[1024] __attribute__((aligned(8)));
};
void shim_meet_search(struct shim_meet_search *s, int all, uint32_t uid);
int shim_meet_next(struct shim_process *p,
		   struct shim_meet_search *s); /* O_PATH, for shim_done_with; -ENOENT: no more */

/* The next name in a buffer that getdents64 fills; null: no more. */
const char *shim_meet_entry(int fd, char *buffer, size_t size, uint32_t *at, uint32_t *end);

/* The key of the socket whose inode is open as `descriptor`, and whose it is; -errno. `own`: this process has just made it. */
int64_t shim_meet_key(struct shim_process *p, unsigned domain, int descriptor, bool own, uint32_t *uid);
void shim_meet_hex(char *to, uint64_t n); /* 16 digits */

#endif
