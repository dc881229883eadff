/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* remote.h - one row of syscalls.def as a request: marshal, submit, wait, unmarshal. */
#ifndef FC_SHIM_REMOTE_H
#define FC_SHIM_REMOTE_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "farcall/wire.h"
#include "libc-shim/hook.h"
#include "libc-shim/process/process.h"
#include "libc-shim/process/thread.h"
#include "libc-shim/session/session.h"

struct shim_call {
	const struct fc_row *row;
	struct shim_process *p;
	struct shim_session *s;
	struct shim_frame *frame;
	uint64_t wire[6];
	char *path[2]; /* private copies of the path arguments, in order; null = null pointer */
	int path_arg[2];
	const long *shown; /* the arguments as the application passed them, for the trace */
	bool quiet;        /* the caller traces it, once the result is what the application will see */
	int number;        /* what the application will know the new descriptor by, -1 = there will be none */
	int closes;        /* a descriptor that is closed while the domain works, -1 = none, or it has been */
	int64_t position;  /* of a directory before the call, -1 = not asked */
	struct
	{ /* the buffer of a struct xattr_args: the application's, where it is in the data area, its size there */
		void *user;
		uint64_t at, room;
	} value;
	char *chunk; /* the entry's chunk, and how much of it is used */
	uint32_t room_used;
	int used[SHIM_USES]; /* the domain's descriptors that it has said it uses, and how many: no other is sent, */
	unsigned uses;
	bool loose; /* but by a call that may wait for long, or is about what nobody can close meanwhile */
};

/* Attach, claim an entry. 0 or -errno. Pair with shim_call_end. This alone is for a call that is about no descriptor. */
int shim_call_begin(struct shim_call *c, const struct fc_row *row, struct shim_process *p, unsigned domain,
		    struct shim_frame *f);
/* The same for one about what `fd` stands for, in w: the domain's descriptor is not closed before the call ends. SHIM_OTHER: fd is not w any more. */
int shim_call_begin_on(struct shim_call *c, const struct fc_row *row, struct shim_process *p, long fd, uint64_t w,
		       struct shim_frame *f);
/* One more that the call is about. False: SHIM_OTHER. */
bool shim_call_use(struct shim_call *c, long fd, uint64_t w);
void shim_call_end(struct shim_call *c);
/* The result, if the call is this process' still: in a child that was forked in its middle it ends with EINTR, whatever it has seen. */
static inline int64_t shim_call_own(const struct shim_call *c, int64_t r)
{
	return __builtin_expect(c->s->requests.gone, 0) ? -EINTR : r;
}
/* n bytes of the entry's chunk, aligned to 8: its data-area offset, FC_NULL if there is no room. */
uint64_t shim_call_room(struct shim_call *c, size_t n);
char *shim_call_at(struct shim_call *c, uint64_t offset);
int64_t shim_call_run(struct shim_call *c, unsigned nr); /* submit c->wire, wait */
/* A small request about the same descriptor (c->wire[0]), in the middle of the call. */
int64_t shim_call_ask(struct shim_call *c, unsigned nr, uint64_t a1, uint64_t a2);
/* The whole of a regular row: marshal a[] (descriptors already domain numbers), run, unmarshal. */
int64_t shim_call_row(struct shim_call *c, const long a[6]);
/* The same for arguments that are all values and descriptors: nothing to copy. */
int64_t shim_call_values(struct shim_call *c, const long a[6]);
/* Run a row that has only values and (domain) descriptors. dup, close and fcntl are not traced. */
long shim_simple(struct shim_process *p, unsigned domain, unsigned nr, long a0, long a1, long a2);
/* The same on what `fd` stands for. SHIM_OTHER: that is not w any more. */
long shim_simple_on(struct shim_process *p, int fd, uint64_t w, unsigned nr, long a1, long a2);
#define SHIM_OTHER (-4097) /* no error of any call */
/* A copy of that, which the application will know as `number`. SHIM_OTHER as above. */
long shim_copy(struct shim_process *p, int fd, uint64_t w, int number);
/* close: `number` in the domain and, while that is under way, `placeholder` here, -1 = none. What the former says. */
long shim_close_both(struct shim_process *p, unsigned domain, int number, int placeholder);
/* The error for a command that no domain runs: -EBADF for an O_PATH descriptor, else `error`. */
long shim_refuse(struct shim_process *p, int fd, int error);
/* No result of any call: what a check that fails turns a result into. shim_result ends the session over it. */
#define SHIM_IMPOSSIBLE (-10000)
/* A result as the application may see it: what no correct domain sends becomes -EIO. */
long shim_result(struct shim_session *s, int64_t r);
/* Register a new domain descriptor under a placeholder. flags: bits of its word, with a reference to its file. Returns fd or -errno (and closes both on error). */
long shim_install(struct shim_process *p, unsigned domain, int64_t dfd, int placeholder, uint64_t flags);

/* Can the application's memory at `user` be written? Asks the memory itself: a byte is written back unchanged. */
static inline bool shim_can_write(void *user)
{
	char byte;

	return !fc_copy_from_user(&byte, user, 1) && !fc_copy_to_user(user, &byte, 1);
}

#endif
