/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * execute.h - running one request: the context it runs in, and the checks that every family of calls shares. It owns
 * the private copy of the request; what the arguments name (data area, descriptors) belongs to the shadow.
 *
 * Every function that runs a request returns what the client is to get: 0 or positive, -errno, or FC_CONTINUE - i.
 */
#ifndef FC_DOMAIN_EXECUTE_H
#define FC_DOMAIN_EXECUTE_H

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/uio.h>

#include "common/region.h"
#include "farcall/abi.h"
#include "farcall/wire.h"
#include "storage-domain/exec/path.h"
#include "storage-domain/shadow/shadow.h"

struct fc_worker;

struct fc_exec {
	struct fc_shadow *s;
	struct fc_worker *worker;
	struct fc_entry e;    /* private copy of the request: state, nr, nonce and arg[] are constant while it runs */
	uint32_t index;       /* of the entry it came in */
	uint64_t data_length; /* the bound of all its offsets, read once */
	struct fc_cred cred;  /* the identity it runs with */
	struct fc_stat_counters count; /* not yet added to the session's */
	struct fc_spin stream_spin;
	int64_t pipe;         /* the size of the one behind the new descriptor, if it is a FIFO's */
	bool descriptor_path; /* a path of it was "/proc/self/fd/N": relative to FC_FD_PROC now */

	/* scratch, one request at a time */
	char path[2][FC_PATH_MAX];
	struct fc_walk walk;
	struct iovec iov[FC_IOV_MAX];
	struct fc_xattr_args xattr;
};

/* Run the request in x->e. */
int64_t fc_execute(struct fc_exec *x);

/* What DOMAIN rows of syscalls.def name, and what has no row. */
#define DOMAIN(name, executor) int64_t fc_exec_##executor(struct fc_exec *x);
#include "farcall/syscalls.def"
int64_t fc_exec_stream(struct fc_exec *x, bool writing);
int64_t fc_exec_socket_key(struct fc_exec *x);
/* A keyed hash of 64 bits (socket.c). */
uint64_t fc_hash_words(const uint64_t secret[2], const uint64_t *word, unsigned words);

/* map.c: FC_NR_MAP and its kin; and what must be done before and after any other request of a client that has mappings, which files it is about
 * being passed from one to the other. */
int64_t fc_exec_map(struct fc_exec *x);
int64_t fc_exec_unmap(struct fc_exec *x);
int64_t fc_exec_map_sync(struct fc_exec *x);
uint32_t fc_exec_maps_before(struct fc_exec *x);
void fc_exec_maps_after(struct fc_exec *x, uint32_t files);

/* The peer sent what no correct client sends. Does not return. */
static inline __attribute__((noreturn, cold)) void fc_exec_refuse(struct fc_exec *x, const char *why)
{
	fc_shadow_poison(x->s, why);
}

/* A descriptor argument as the kernel may see it: the client's, or -1 (which the kernel answers with EBADF where and
 * when it looks at it) for one that is the shadow's own or no descriptor at all. */
static inline int fc_exec_fd(uint64_t arg)
{
	int fd = (int)arg;

	return (unsigned)fd - FC_DOMAIN_FD_FIRST <= FC_DOMAIN_FD_MAX - FC_DOMAIN_FD_FIRST ? fd : -1;
}

static inline int fc_exec_dirfd(uint64_t arg)
{
	return (int)arg == AT_FDCWD ? AT_FDCWD : fc_exec_fd(arg);
}

/* The address of `length` bytes at a data-area offset; null if they are not there, or not in one segment. */
static inline char *fc_exec_locate(const struct fc_exec *x, uint64_t offset, uint64_t length)
{
	unsigned segment;

	if (!fc_region_ok(x->data_length, offset, length))
		return NULL;
	/* no bytes may stand at the very end of the area, where no segment is */
	segment = fc_segment_of(offset < x->data_length ? offset : offset - 1);
	if (!fc_region_ok(fc_segment_end(segment), offset, length))
		return NULL;
	return fc_load(&x->s->segment[segment]) + (offset - fc_segment_start(segment));
}

/* The same; refused if they are not; null for FC_NULL. */
static inline void *fc_exec_at(struct fc_exec *x, uint64_t offset, uint64_t length)
{
	char *at;

	if (offset == FC_NULL)
		return NULL;
	at = fc_exec_locate(x, offset, length);
	if (!at)
		fc_exec_refuse(x, "a buffer lies outside the data area");
	return at;
}

/* The same for a buffer whose length the application chose and the kernel may not take at face value (readlinkat's -1):
 * what does not fit becomes a null pointer, for the kernel to judge beside the length. */
static inline void *fc_exec_buffer(struct fc_exec *x, uint64_t offset, uint64_t length)
{
	fc_exec_at(x, offset, 0); /* an offset that makes no sense is refused all the same */
	return fc_exec_locate(x, offset, length);
}

/* A private copy of what the peer may change at any time: read once, whatever the compiler thinks. Any alignment. */
static inline void fc_exec_fetch(void *private, const void *shared, size_t n)
{
	memcpy(private, shared, n);
	__asm__ volatile("" : : : "memory"); /* later uses must not read `shared` again */
}

/* Copy the path at a data-area offset into x->path[which]. 0, -EFAULT for FC_NULL, or -ENAMETOOLONG. */
int fc_exec_path(struct fc_exec *x, uint64_t offset, int which);

/* If x->path[which] is "/proc/self/fd/N" with a descriptor of the client's, make it relative to /proc and return FC_FD_PROC, the
 * directory to start at; else return dirfd. Such a path is never judged: it leads to what the client has open. */
int fc_exec_descriptor_path(struct fc_exec *x, int which, int dirfd);

/* Answer "go on at `path`" for path argument `arg`: copies it into that argument's buffer. */
int64_t fc_exec_continue(struct fc_exec *x, int arg, const char *path);

/* A new descriptor for the client: moved above the shadow's own, closed and refused (EMFILE; ENFILE for a FIFO) if the client may have no more. Passes
 * errors on. */
int64_t fc_exec_new_fd(struct fc_exec *x, int64_t fd);

/* Whether the client may have one more, before anything is opened for it: natively a number is found first, so that a file that is not
 * opened is neither made nor emptied, nor loses the client's locks by being closed. Another worker may be faster. */
bool fc_exec_room_for_fd(struct fc_exec *x);

#endif
