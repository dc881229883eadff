/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * thread.c - the per-thread record: the stack of calls in progress (more than one when signal handlers make calls), and
 * scratch memory. It finds calls that will never return - left by siglongjmp or by a cancellation - and gives back
 * what they held; it does not wait for anything.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <sys/syscall.h>

#include "common/atomic.h"
#include "common/rawcall.h"
#include "common/spin.h"
#include "libc-shim/hook.h"
#include "libc-shim/process/fork.h"
#include "libc-shim/process/kin.h"
#include "libc-shim/process/thread.h"
#include "libc-shim/request/request.h"
#include "libc-shim/shim.h"
#include "libc-shim/text.h"

#define SCRATCHES 128

__thread struct shim_thread shim_here;

static char scratch_memory[SCRATCHES][SHIM_SCRATCH_SIZE] __attribute__((aligned(4096)));
static uint32_t scratch_owner[SCRATCHES]; /* tid, 0 = free */

static void begin(struct shim_thread *t, int tid)
{
	t->tid = tid;
	fc_spin_init(&t->spin[0], &fc_spin_local);
	fc_spin_init(&t->spin[1], &fc_spin_xen);
}

/* Whose thread-local storage this is may be another's (kin.h). A vfork child's record is its parent's. */
static struct shim_thread *self_in_crowd(void)
{
	int tid = fc_in_vfork_child() ? fc_vfork_caller : (int)fc_call(SYS_gettid);
	struct shim_thread *t = shim_kin_self(tid);

	if (t)
		return t;
	if (!shim_here.tid) {
		shim_here.process = shim_kin_view((int)fc_call(SYS_getpid));
		begin(&shim_here, tid);
	}
	return &shim_here;
}

struct shim_thread *shim_self_sought(void)
{
	if (unlikely(fc_load(&shim.crowded)))
		return self_in_crowd();
	if (unlikely(!shim_here.tid))
		begin(&shim_here, fc_vfork_depth
					  ? fc_vfork_caller
					  : (int)fc_call(SYS_gettid)); /* a vfork child's record is its parent's */
	return &shim_here;
}

/* The other threads are gone, with what they had; what this one has is the same as before under a new name. */
void shim_thread_reset_after_fork(struct shim_thread *was)
{
	uint32_t before = (uint32_t)was->tid;

	if (was != &shim_here)
		memcpy(&shim_here, was, sizeof shim_here);
	shim_here.vfork_process = NULL;
	shim_here.process = NULL;
	shim_here.tid = (int)fc_call(SYS_gettid);
	for (int i = 0; i < SCRATCHES; i++)
		if (scratch_owner[i])
			scratch_owner[i] = scratch_owner[i] == before ? (uint32_t)shim_here.tid : 0;
	shim_licences_reset();
}

bool shim_owner_alive(shim_owner owner)
{
	if (unlikely(owner >= SHIM_NAMELESS))
		return true;                               /* nobody can tell */
	if (unlikely(shim.crowded || shim.process.shared)) /* it may be another process' */
		return fc_call(SYS_tkill, owner, 0) != -ESRCH;
	return fc_call(SYS_tgkill, fc_call(SYS_getpid), owner, 0) != -ESRCH;
}

shim_owner shim_owner_self(void)
{
	return (shim_owner)shim_self()->tid;
}

struct fc_spin *shim_spin_of(const struct shim_requests *q)
{
	return &shim_self()->spin[shim_requests_apart(q)];
}

bool shim_told_to_end(void)
{
	return fc_cancel_pending();
}

static bool on_alternate_stack(void)
{
	stack_t ss;

	return fc_call(SYS_sigaltstack, 0, &ss) == 0 && (ss.ss_flags & SS_ONSTACK);
}

/* What a frame holds. It lets go first and gives back then, so that a handler or a jump in between finds nothing twice. */
static struct shim_frame frame_take(struct shim_frame *f)
{
	struct shim_frame held = *f;

	f->request.slot = -1;
	f->session = NULL;
	f->placeholder = f->borrowed[0] = f->borrowed[1] = -1;
	f->scratch = -1;
	fc_signal_fence();
	return held;
}

static void close_left(const struct shim_request *r, const int left[SHIM_USES])
{
	for (unsigned k = 0; k < SHIM_USES; k++)
		if (unlikely(left[k] >= 0))
			shim_close_left(r->of, left[k]);
}

static void request_release(const struct shim_request *r)
{
	int left[SHIM_USES];

	shim_request_let_go(r, left);
	shim_request_finish(r);
	close_left(r, left);
}

static void frame_release(const struct shim_frame *held)
{
	if (held->scratch >= 0)
		fc_store_release(&scratch_owner[held->scratch], 0u);
	if (held->request.slot >= 0)
		request_release(&held->request);
}

void shim_frame_end_request(struct shim_frame *f)
{
	const struct shim_request r = f->request;

	f->request.slot = -1;
	f->session = NULL;
	fc_signal_fence();
	request_release(&r);
}

/* The same for one that a jump has left behind. A handler may come in at any point, and sweep. */
static void frame_abandon(const struct shim_frame *held)
{
	if (held->scratch >= 0)
		fc_cas(&scratch_owner[held->scratch], shim_owner_self(), 0u);
	if (held->request.slot >= 0) {
		int left[SHIM_USES];

		shim_request_let_go(&held->request, left);
		shim_request_abandon(&held->request, shim_owner_self());
		close_left(&held->request, left);
	}
	if (held->placeholder >= 0)
		shim_close_untold(held->placeholder);
	for (int i = 0; i < 2; i++)
		if (held->borrowed[i] >= 0)
			shim_close_untold(held->borrowed[i]);
}

static void drop_last(struct shim_thread *t)
{
	struct shim_frame held = frame_take(&t->frame[t->depth - 1]);

	t->dropped = true;
	t->for_us = false;
	t->depth--;
	fc_signal_fence();
	frame_abandon(&held);
}

/*
 * A frame below (at a lower address than) the current stack pointer on the same stack has been unwound past. Frames on the
 * signal stack can only be judged from the signal stack, except that nothing on it is alive once we are off it.
 */
static void drop_abandoned(struct shim_thread *t, uintptr_t sp)
{
	bool alternate = on_alternate_stack();

	while (t->depth) {
		struct shim_frame *f = &t->frame[t->depth - 1];
		bool gone = f->alternate == alternate ? f->sp <= sp : f->alternate;

		if (!gone)
			return;
		drop_last(t);
	}
}

/* No call is in progress, so this thread has nothing: a jump may have come between getting something and noting it. */
static void sweep(struct shim_thread *t)
{
	uint32_t tid = (uint32_t)t->tid;

	for (int i = 0; i < SCRATCHES; i++)
		if (fc_load(&scratch_owner[i]) == tid)
			fc_cas(&scratch_owner[i], tid, 0u);
	shim_licence_put(tid);
	for (unsigned d = 0; d < shim.config.ndomains; d++)
		shim_requests_abandon(&shim_base(t)->session[d].requests, tid);
	t->dropped = false;
}

void shim_frames_sort(void)
{
	struct shim_thread *t = likely(!fc_load(&shim.crowded)) ? &shim_here : self_in_crowd();

	if (unlikely(t->depth))
		drop_abandoned(t, (uintptr_t)__builtin_frame_address(0));
	if (unlikely(t->dropped) && !t->depth)
		sweep(t);
}

void shim_thread_end(void)
{
	struct shim_thread *t = shim_self();

	if (!t->depth && !t->dropped)
		return;
	while (t->depth)
		drop_last(t);
	sweep(t);
}

struct shim_frame *shim_frame_begin(void)
{
	struct shim_thread *t = shim_self();
	uintptr_t sp = (uintptr_t)__builtin_frame_address(0);
	bool alternate = false;

	if (unlikely((t->vfork_process || t->exec_memory) && !fc_vfork_depth))
		shim_vfork_cleanup(t); /* the child has gone its way */
	if (unlikely(t->depth))
		alternate = on_alternate_stack();
	if (t->depth >= SHIM_DEPTH_MAX)
		return NULL;
	struct shim_frame *f = &t->frame[t->depth];
	f->sp = sp;
	f->request.slot = -1;
	f->session = NULL;
	f->placeholder = f->borrowed[0] = f->borrowed[1] = -1;
	f->scratch = -1;
	f->alternate = alternate;
	f->asleep = false;
	fc_signal_fence();
	t->depth++; /* from here on a handler uses the next frame */
	return f;
}

void shim_frame_end(struct shim_frame *f)
{
	struct shim_thread *t = shim_self();

	/* Another thread has said goodbye, which ends calls early; before anybody can notice, this one is gone too. */
	while (unlikely(fc_load(&shim.ending)) && shim_ending())
		fc_call(SYS_pause);
	struct shim_frame held = frame_take(f);
	frame_release(&held);
	fc_signal_fence();
	t->depth = (uint32_t)(f - t->frame);
}

void shim_asleep(bool asleep)
{
	struct shim_thread *t = shim_self();

	t->frame[t->depth - 1].asleep = asleep;
}

void shim_frame_interrupt(void)
{
	struct shim_thread *t = shim_self();
	struct shim_frame *f = &t->frame[t->depth - 1];

	if (!t->depth || !f->asleep)
		return;
	f->asleep = false; /* once is enough */
	shim_request_interrupt(&f->request, shim_owner_self());
}

char *shim_scratch(struct shim_frame *f)
{
	struct shim_thread *t = shim_self();

	if (f->scratch >= 0)
		return scratch_memory[f->scratch];
	for (unsigned round = 0;; round++) {
		for (unsigned i = 0; i < SCRATCHES; i++) {
			unsigned k = (i + (unsigned)t->tid) % SCRATCHES;
			uint32_t owner = fc_load(&scratch_owner[k]);

			if (owner && !(round && owner != (uint32_t)t->tid && !shim_owner_alive(owner)))
				continue;
			if (!fc_cas(&scratch_owner[k], owner, (uint32_t)t->tid))
				continue;
			f->scratch = (int16_t)k;
			return scratch_memory[k];
		}
		shim_wait_a_moment();
	}
}
