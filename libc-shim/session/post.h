/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * post.h - posted writes (abi.h, struct fc_ring): as long as a file is delegated to this process alone, a write to it is copied to where the domain
 * finds it, and nobody waits. Nobody else can open the file before it is written. What could be noticed otherwise, the length and times of
 * a file that is only looked at by name, is right in time: each request of this process comes after what has been posted, and so does
 * each local call by which another process could hear of it (shim_posts_tell). And the domain looks for it a thousand times a second anyway.
 *
 * The offset stays the domain's: writes at the file's own are done in the order in which they are posted. A write that has failed is reported once, by the
 * next write, fsync or close.
 */
#ifndef FC_SHIM_POST_H
#define FC_SHIM_POST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "farcall/abi.h"

struct iovec;
struct shim_file;
struct shim_process;
struct shim_session;

/* The client's private side of a session's ring. All zero: there is none. */
struct shim_posts {
	struct fc_ring *ring;
	uint32_t owner;     /* the thread that posts. If a handler on top of it jumps away nobody posts any more. */
	uint32_t turns;     /* so many have ended */
	uint32_t endless;   /* one more than that when somebody had waited for the next to end for long enough */
	uint32_t asked;     /* whether there can be a ring */
	uint32_t errors;    /* of the domain's that have been taken note of */
	uint32_t noting;    /* the thread that does so */
	uint64_t tail;      /* as in the ring, or about to be */
	uint64_t published; /* of these, what is to be waited for: others may look */
	uint64_t done;      /* when it was last looked at, with what the bounds below begin with */
	uint64_t head;      /* bytes of data so far, modulo the ring's where they are: the next one's */
	uint64_t rung;      /* where `done` was when the domain was last woken */
	uint32_t vain;      /* so many times it is not waited for room */
	int32_t worth;      /* below 0: it is waited for at once, more often than not */
	uint32_t begin[FC_POSTS]; /* of each write's bytes, as `head` */
};

#define SHIM_POST_MAX 65536u /* bytes of a write that is worth it */

enum shim_posted {
	SHIM_POST_NOT,    /* it is to be a request */
	SHIM_POSTED,      /* it is written, as far as anybody can tell */
	SHIM_POST_PENDING /* it is, as soon as the next request has been answered */
};

/* A place for the ring has been found in the data area, and the domain knows it. */
void shim_posts_begin(struct shim_session *s, uint64_t at);

/* There is none any more: the areas have gone, or are another process'. */
void shim_posts_end(struct shim_session *s);

/* Write all `total` bytes to a file whose record is held, and whose word has been looked at: at `pos`, or at its own offset (-1). */
enum shim_posted shim_post(struct shim_process *p, int fd, struct shim_file *f, uint64_t w, const struct iovec *iov,
			   size_t iovcnt, uint64_t total, int64_t pos);

/* One of the domain's descriptors is about to be closed, which no number stands for any more, and something else may be under it then: who has looked at it
 * before has posted what he was about to, so that it is written before. False: perhaps he has not. (He is below this, in a signal handler; or nobody knows.) */
bool shim_posts_pass(struct shim_session *s);

/* The error of an earlier write, 0 if there is none: said once. */
int shim_post_error(struct shim_process *p, struct shim_file *f);
/* Those of all files, into their records: an exec takes these along. */
void shim_posts_note(struct shim_process *p);

/* Is anything posted that may not be written yet? */
bool shim_posts_pending(const struct shim_session *s);
/* And by what may be, of the file that is delegated as `word`, between those two? */
bool shim_posts_touch(const struct shim_session *s, uint64_t word, uint64_t at, uint64_t end);

/* Copy what is to be written; false: some of it cannot be read. */
bool shim_gather(char *to, const struct iovec *iov, size_t iovcnt);

/* Return when everything is written that has been posted by now; from any thread, and from a vfork child. */
void shim_posts_wait(void);

/* The same, and nothing is posted any more: a write can fail now that the domain would not expect to. */
void shim_posts_stop(void);

/* calls/post.c: have it written by a request that does nothing, and waits for no other domain. What was posted just when its delegation ended is written by no one else, and who has
 * posted it may not get to make one: he is below this, in a signal handler, or such a handler has jumped away from him. */
void shim_posts_push(unsigned domain);

/* Something is posted: a local call is about to be made. Does it come after that? */
void shim_posts_tell(long nr);

/* The same for a request to a domain, of what is posted to others. */
void shim_posts_order(unsigned domain, long nr);

#endif
