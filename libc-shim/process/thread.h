/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* thread.h - a thread: the calls that it is in, one frame each, and what it knows of its process. */
#ifndef FC_SHIM_THREAD_H
#define FC_SHIM_THREAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/spin.h"
#include "libc-shim/shim.h"

#define SHIM_DEPTH_MAX 16 /* dispatches nested through signal handlers */

struct shim_frame {
	struct shim_request request;   /* slot -1 = none */
	struct shim_session **session; /* where the call has its session, null = nowhere */
	uintptr_t sp;
	int placeholder; /* of a descriptor that is not there yet, -1 = none */
	int borrowed[2]; /* descriptors made for the time of the call, -1 = none */
	int16_t scratch; /* -1 = none */
	bool alternate;  /* on the signal stack */
	bool asleep;     /* it waits for its request */
};

struct shim_thread {
	int tid;
	uint32_t depth;
	bool dropped; /* frames have been dropped: there may be more that this thread has no use for */
	struct shim_frame frame[SHIM_DEPTH_MAX];
	struct fc_spin spin[2]; /* for domains on this machine, and for those apart (transport.h) */
	uint16_t hint;          /* the entry used last */
	struct shim_process
		*vfork_process;       /* the copy that the last vfork child made, and those of its parents behind it */
	struct shim_process *process; /* this thread's view; null: the first one's, as nearly always */
	struct kin *clone;            /* the one that it is making */
	int clone_error;              /* why it is not made */
	uint32_t looks;    /* at what a session shares with its domain, outside of a frame: shim_look_begin */
	bool for_us;       /* the descriptors that are made now are none of the application's */
	void *exec_memory; /* what a vfork child's execve left behind */
	size_t exec_size;
};
/* The calling thread's, as nearly always: shim_self() says whether it is. */
extern __thread struct shim_thread shim_here __attribute__((tls_model("initial-exec")));
struct shim_thread *shim_self_sought(void); /* it is not, or not begun */
static inline struct shim_thread *shim_self(void)
{
	return likely(!fc_load(&shim.crowded) && shim_here.tid) ? &shim_here : shim_self_sought();
}
void shim_thread_reset_after_fork(struct shim_thread *was);
static inline struct shim_process *shim_base(const struct shim_thread *t)
{
	return t->process ? t->process : &shim.process;
}

/* Take back what calls still hold that siglongjmp or a cancellation has left behind, and interrupt them. At the
 * start of every dispatch, remote or not: glibc makes one more when a cancelled thread ends. */
void shim_frames_sort(void); /* there may be some */
static inline void shim_frames_check(void)
{
	if (unlikely(fc_load(&shim.crowded) || shim_here.depth || shim_here.dropped))
		shim_frames_sort();
}
/* The same for all calls of a thread that ends: musl's go without unwinding. */
void shim_thread_end(void);

/* Begin and end a call that uses an entry or scratch memory. Null: nested too deep. */
struct shim_frame *shim_frame_begin(void);
void shim_frame_interrupt(void); /* it is to end: interrupt what it waits for */
void shim_frame_end(struct shim_frame *f);
void shim_frame_end_request(struct shim_frame *f); /* the frame goes on, and may have another */

/*
 * Begin and end to use what a session shares with its domain, outside of a frame. If a handler on top of it forks, the child has memory of its own at these
 * addresses when it comes back; and its session has no areas: pointers to them are taken once, and may be null. What a jump leaves costs a fork that memory.
 */
static inline uint32_t shim_look_begin(void)
{
	struct shim_thread *t = shim_self();
	const uint32_t looks = t->looks;

	t->looks = looks + 1;
	fc_signal_fence();
	return looks;
}
static inline void shim_look_end(uint32_t looks)
{
	fc_signal_fence();
	shim_self()->looks = looks;
}

/* Offered by calls/fd.c: close a descriptor whose number nobody has been told. */
void shim_close_untold(int fd);
/* What shim_requests_leave has left to a call that has ended. */
void shim_close_left(const struct shim_requests *q, int descriptor);

/* Scratch: 5 pages of private memory for the duration of a frame. */
#define SHIM_SCRATCH_SIZE (5 * 4096)
char *shim_scratch(struct shim_frame *f);

#endif
