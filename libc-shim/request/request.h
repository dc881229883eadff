/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * request.h - one request to a domain, from taking a slot to giving it back. It owns the slots of a session, one per entry of
 * its request area: who has each of them, and whether the domain has it. What a request asks for is its filler's; its buffers are
 * data.c's.
 *
 *   state      owner        sent  entry.state          what may come next
 *   FREE       0            0     FREE                 take -> TAKEN
 *   TAKEN      its owner    0     FREE                 fill, submit -> SENT; finish -> FREE
 *   SENT       its owner    1     QUEUED ASLEEP DONE   wait -> TAKEN, with the result; forget, abandon -> FORGOTTEN
 *   FORGOTTEN  SHIM_NOBODY  0, 1  FREE .. DONE         when the domain has let go of it (FREE, DONE):
 *                                                      a reclaim -> FREE, or another's take -> TAKEN
 *
 *   An owner that has died leaves slots in TAKEN or SENT; they are treated as FORGOTTEN. A jump out of a call (siglongjmp, a
 *   cancellation) leaves them, too: the owner finds them by the frame of the call, or by its name (shim_requests_abandon).
 *
 *                       take           fill, submit    wait               finish        somebody else's look
 *   a handler's call,   takes another  takes another   takes another      takes         owner differs: leaves
 *   at any instruction  slot           slot            slot               another slot  it alone
 *   a jump out, then    found by name  found by frame: interrupted,       found by      FORGOTTEN: reclaims when
 *   this thread's next                 then forgotten                     name          the domain has let go
 *   a fork              the child has a session of its own and none of these; in a handler on top of a call, that one goes on there with
 *                       requests that are GONE: nothing is submitted, what it was waiting for ends with EINTR (process/fork.c)
 *   the domain's death  wait returns -EIO, so does the next take
 *
 * All functions may be called in a signal handler, at any point of another's.
 */
#ifndef FC_SHIM_REQUEST_H
#define FC_SHIM_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "common/doorbell.h"
#include "common/spin.h"
#include "farcall/abi.h"

/* Who has a slot: a thread (its id), one day a user-level thread or a ring of posted writes. 0 is nobody yet. */
typedef uint32_t shim_owner;
#define SHIM_NOBODY UINT32_MAX
#define SHIM_SOMEBODY (UINT32_MAX - 1) /* another process (guest.c): not to be touched */
#define SHIM_NAMELESS 0x40000000u      /* from here on: threads that have no id of the kernel's */

/* Slots that are for requests to interrupt another, only: if all calls that there can be wait for something, one of them can still be ended. */
#ifndef SHIM_MESSENGERS
#define SHIM_MESSENGERS 4u
#endif

/* Descriptors that one call can be about: a rename has two directories. */
#define SHIM_USES 2

/* The client's private side of a request entry. A line of its own: its owner writes it at every call. All zero: free, no buffers. */
struct shim_slot {
	shim_owner owner;
	uint32_t nonce;           /* of the last request in it */
	uint32_t sent;            /* the domain has it, or has answered and nobody has looked yet */
	uint32_t about_nonce;     /* of the request that is to be interrupted by this one: */
	uint16_t about;           /* one more than its slot, if nobody waits for the answer; 0 = none */
	uint16_t chunk;           /* one more than the data chunk that stays with the slot, 0 = none yet */
	uint16_t extra;           /* the same for the last one of further chunks of the call in progress */
	uint32_t uses[SHIM_USES]; /* descriptors of the domain's: shim_request_use */
	bool opens;               /* the result is a new descriptor of the domain's that nobody else knows of yet */
	bool interrupted;         /* a handler has run meanwhile that ends what waits */
} __attribute__((aligned(64)));

/* All requests of a session. */
struct shim_requests {
	struct fc_request_area *area;
	struct fc_bell bell;
	struct shim_slot *slot;  /* FC_ENTRIES */
	uint32_t used;           /* no slot from here on was ever taken */
	uint32_t forgotten;      /* there may be something to reclaim */
	uint32_t wanted;         /* somebody waits for a slot or a buffer to become free ... */
	uint32_t freed;          /* ... on this word */
	struct fc_manner manner; /* how its threads wait */
	uint32_t posting;        /* something is posted (session/post.h), which requests come after */
	bool gone;               /* they were the process' that has made this one by fork, in the middle of a call */
};

/* A slot that somebody has. */
struct shim_request {
	struct shim_requests *of;
	int slot; /* -1 = none */
};

static inline struct shim_slot *shim_slot_of(const struct shim_request *r)
{
	return &r->of->slot[r->slot];
}

static inline struct fc_entry *shim_entry_of(const struct shim_request *r)
{
	return &r->of->area->entry[r->slot];
}

/* Take a slot, *hint first, which becomes the one that was taken. Waits while all are in use. The slot, or -EIO. */
int shim_request_take(struct shim_requests *q, shim_owner owner, uint16_t *hint);

/* What the domain is to do. `opens`: see struct shim_slot. */
void shim_request_fill(const struct shim_request *r, unsigned nr, const uint64_t arg[6], bool opens);

/* Say in a filled one what the application will know the new descriptor by. */
void shim_request_number(const struct shim_request *r, int number);

/* Hand `n` filled requests of one session to the domain: one look at its credit, at most one ring. */
void shim_requests_submit(const struct shim_request r[], unsigned n);

/*
 * Calls and descriptors. What a call is about is not closed under it, as nothing is natively: it says what it uses, then looks whether the application's
 * descriptor still stands for that. Whoever closes one has taken it from the application's table first; then he leaves it to somebody who uses it,
 * if there is anybody, whose last call closes it.
 */
/* Which of its uses that is. Returns what was left to who had the slot before, or -1. */
int shim_request_use(const struct shim_request *r, unsigned which, int descriptor);
void shim_request_let_go(const struct shim_request *r,
			 int left[SHIM_USES]);                     /* the descriptors that are left to it, or -1 */
bool shim_requests_leave(struct shim_requests *q, int descriptor); /* false: nobody uses it */

/* Has a handler run, while it was waited for, that ends what waits? */
bool shim_request_interrupted(const struct shim_request *r);

/* No more than one call is in flight. */
bool shim_requests_few(const struct shim_requests *q);

/* Its result, as the domain gave it; -EIO if there will be none; -EINTR in a fork's child, whose request it is not. */
int64_t shim_request_wait(const struct shim_request *r);

/* What its result names has been taken note of: whoever finds the slot need not give it back. */
void shim_request_settled(const struct shim_request *r);

/* Give the slot back. It is not SENT. */
void shim_request_finish(const struct shim_request *r);

/* Nobody will wait for it. No effect if it is not `owner`'s any more. */
void shim_request_forget(const struct shim_request *r, shim_owner owner);

/* The same for one that was to go on: it is interrupted first. Takes another slot for that, as `owner`. */
void shim_request_abandon(const struct shim_request *r, shim_owner owner);
void shim_requests_abandon(struct shim_requests *q, shim_owner owner); /* all that it has */

/* Ask the domain to interrupt it, and nobody waits for the answer. False: no slot is to be had. */
bool shim_request_interrupt(const struct shim_request *r, shim_owner owner);

/* Take back what nobody waits for any more and the domain has let go of; also what the dead have left, which is a system call for each
 * slot that somebody has. */
void shim_requests_reclaim(struct shim_requests *q, shim_owner owner, bool look_for_dead);

/* ---- wait.c: everything that waits, waits here ---- */

/* Wait for one of the things that calls hold and give back: a slot, a buffer. `round` counts the caller's tries. False: the session
 * is over. */
bool shim_wait_for_room(struct shim_requests *q, unsigned round);

/* The same for what is given back within a moment, by a thread that is in the way of nobody else. */
void shim_wait_a_moment(void);

/* For what another is doing already, and nobody announces. `round` counts the tries. */
void shim_wait_round(unsigned round);

/* The same where those who do it are many, and may want this CPU: soon it gives that away, and sleeps from SHIM_ROUNDS_BUSY on. False: whoever got it computes,
 * and one that waits for an answer is better off. */
#define SHIM_ROUNDS_BUSY 164
bool shim_wait_busy(const struct shim_requests *q, unsigned round);

/* Before another look at what nobody announces: a change of ids, a domain without places. A signal ends it early. */
void shim_wait_ns(uint64_t ns);

/* What the waiting here wants to know of this machine, before a sandbox forbids to ask. */
void shim_wait_prepare(void);

/* As fc_futex_wait, for a thread that may not make that call: it looks again and again, and sleeps in between if it may do that. */
int shim_wait_awake(const uint32_t *word, uint32_t seen, uint64_t deadline_ns);

/* Some has been given back. */
static inline void shim_room(struct shim_requests *q)
{
	if (__builtin_expect(fc_load(&q->wanted) != 0, 0)) {
		fc_store(&q->wanted, 0u);
		fc_faa(&q->freed, 1u);
		fc_futex_wake(&q->freed, INT32_MAX);
	}
}

/* Spin, for as long as this thread's luck suggests, until *word is not `seen` or *state not FC_QUEUED: true if so. */
bool shim_spin_until(const struct shim_requests *q, const uint32_t *word, uint32_t seen, const uint32_t *state);

/* Wait until the domain has published more than `seen` chunks of the stream in r's slot. False: the call is over. */
bool shim_wait_for_chunks(const struct shim_request *r, uint32_t seen);

uint64_t shim_now_ns(void);

/* Give back the licence to spin that a thread has, and in a child those of its parent's threads. */
void shim_licence_put(shim_owner owner);
void shim_licences_reset(void);

/* ---- what this needs of those above ---- */

bool shim_owner_alive(shim_owner owner);
shim_owner shim_owner_self(void);
struct fc_spin *shim_spin_of(const struct shim_requests *q); /* the calling thread's budget for waiting there */
bool shim_requests_apart(const struct shim_requests *q);     /* the domain's workers run on CPUs of their own */
bool shim_requests_open(const struct shim_requests *q);      /* as far as is known: a load */
bool shim_requests_alive(struct shim_requests *q);           /* asks the other end */
void shim_requests_fail(struct shim_requests *q, const char *why);
void shim_asleep(bool asleep); /* the calling thread's call in progress sleeps, from here on or no more */
bool shim_told_to_end(void);   /* the calling thread has been cancelled: what it waits for is to end early */
void shim_buffers_free(struct shim_requests *q, int slot); /* the chunks of the call that had it */
void shim_buffers_rest(struct shim_requests *q);           /* a thread goes to sleep: time to look after them */

#endif
