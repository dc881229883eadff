/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * signal.c - SIGSEGV and SIGBUS belong to the shim, which repairs its own faults with them; the application sees dispositions
 * and masks of its own (under FARCALL_CHECK also for SIGSYS). This file owns those tables, the handler, rt_sigaction and
 * rt_sigprocmask.
 *
 * The three rules of a virtual signal:
 *   - The kernel's disposition is the shim's handler, with the application's mask, SA_ONSTACK and SA_RESTART, always SA_NODEFER,
 *     never SA_RESETHAND; what those two mean is done here.
 *   - The kernel never blocks it, in no mask and in no sa_mask. What the application believes is kept per thread. A fault of
 *     its own while it believes the signal blocked kills it, as it would natively. A signal that was sent while it believes that
 *     is sent again and then really blocked, so that it is pending, seen by sigpending and sigwait, and taken by another thread
 *     if there is one. Until it is unblocked, this thread's faults are not repaired and usercopy.c lets the kernel copy.
 *   - In a vfork child the tables are its parent's: a copy per thread, known by the child's pid, stands for them.
 *
 * The table is lock-free (handlers read it, fork copies it at any moment): an action is written into a free slot of a ring
 * and published by exchanging an index. Known limits: the masks that ppoll, pselect6, epoll_pwait and rt_sigsuspend put on
 * for their duration are not virtual; a handler of another signal that blocks SIGSEGV with sigprocmask and returns leaves it
 * virtually blocked.
 */
#define _GNU_SOURCE
#include "libc-shim/hook/signal.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <ucontext.h>

#include "common/atomic.h"
#include "common/rawcall.h"
#include "libc-shim/hook/usercopy.h"
#include "libc-shim/hook.h"

#define KERNEL_SA_RESTORER 0x04000000ul
#define KERNEL_SA_FLAGS                                                                              \
	(SA_NOCLDSTOP | SA_NOCLDWAIT | SA_SIGINFO | SA_ONSTACK | SA_RESTART | (uint64_t)SA_NODEFER | \
	 (uint64_t)SA_RESETHAND | 0x800 /* SA_EXPOSE_TAGBITS */ | KERNEL_SA_RESTORER)
#define BIT(sig) (1ull << ((sig)-1))
#define NEVER_BLOCKED (BIT(SIGKILL) | BIT(SIGSTOP))
#define FAULTS (BIT(SIGSEGV) | BIT(SIGBUS))
#define RING 64

extern void fc_restorer(void) __attribute__((visibility("hidden")));

static void on_fault(int sig, siginfo_t *info, void *context);

/* a signal that is virtual */
struct virtual_signal {
	int sig;
	void (*handler)(int, siginfo_t *, void *); /* the shim's; null = not taken yet */
	uint32_t next;                             /* ring slot to use next */
	uint32_t current;                          /* ring slot with the application's action */
	struct fc_action ring[RING];
};
#define VIRTUALS 3
static struct virtual_signal virtual_signal[VIRTUALS] = { { .sig = SIGSEGV }, { .sig = SIGBUS }, { .sig = SIGSYS } };

static uint64_t virtual_bits;        /* of the signals that are taken */
static void (*thread_begins)(void);  /* what FARCALL_CHECK does in every thread */
static uint32_t taken;               /* 0, 1 = being done, 2 = SIGSEGV and SIGBUS are ours */
static uint32_t hidden_mask[64 + 1]; /* per other signal: the virtual bits that were left out of its sa_mask */

/* what a thread believes */
struct state {
	uint64_t blocked; /* virtual signals */
	uint64_t really;  /* of those, the ones that are blocked in the kernel too, because one is pending */
	uint64_t adopted; /* the signals of which the kernel's mask has been looked at */
};
static __thread struct state thread_state __attribute__((tls_model("initial-exec")));

/* a vfork child's own */
struct vfork_state {
	int pid;
	struct state state;
	struct fc_action action[VIRTUALS];
};
static __thread struct vfork_state vfork_state __attribute__((tls_model("initial-exec")));

__thread unsigned char fc_faults_repaired;

/* ---- state ---- */

static uint64_t kernel_mask(int how, const uint64_t *set)
{
	uint64_t old = 0;

	fc_call(SYS_rt_sigprocmask, how, set, &old, sizeof(old));
	return old;
}

static struct virtual_signal *find_virtual(int sig)
{
	for (int i = 0; i < VIRTUALS; i++)
		if (virtual_signal[i].sig == sig && virtual_signal[i].handler)
			return &virtual_signal[i];
	return NULL;
}

static struct vfork_state *vfork_child(void)
{
	struct vfork_state *v = &vfork_state;
	int pid;

	if (!fc_in_vfork_child()) {
		v->pid = 0;
		return NULL;
	}
	pid = (int)fc_call(SYS_getpid);
	if (v->pid != pid) {
		v->pid = pid;
		v->state = thread_state;
		for (int i = 0; i < VIRTUALS; i++)
			v->action[i] = virtual_signal[i].ring[fc_load_acquire(&virtual_signal[i].current)];
	}
	return v;
}

static struct state *state_get(void)
{
	struct vfork_state *v = vfork_child();

	return v ? &v->state : &thread_state;
}

/* After any change of state: can the fast copies be used? A vfork child says so in its parent's memory, but only ever
 * "no" or what was true there already. */
static void state_changed(const struct state *t)
{
	if (!fc_in_vfork_child())
		fc_faults_repaired = fc_load(&taken) == 2 && (t->adopted & FAULTS) == FAULTS && !t->really;
	else if (t->really)
		fc_faults_repaired = 0;
}

/* What the kernel blocks in a thread when its signals become virtual is what the application believes from then on; never
 * again, because later it may be the shim itself that blocks everything for a moment. */
static void adopt_thread(struct state *t)
{
	uint64_t bits = virtual_bits & ~t->adopted;
	uint64_t mask = kernel_mask(SIG_BLOCK, NULL) & bits;

	if (mask) {
		t->blocked |= mask;
		kernel_mask(SIG_UNBLOCK, &mask);
	}
	t->adopted |= bits;
	state_changed(t);
}

/* The state of a thread that we have seen before, or see now. */
static struct state *state_adopted(void)
{
	struct state *t = state_get();

	if (fc_load(&taken) == 2 && t->adopted != virtual_bits) {
		adopt_thread(t);
		if (thread_begins)
			thread_begins();
	}
	return t;
}

void fc_thread_begins(void)
{
	state_adopted();
}

bool fc_signal_ready(void)
{
	/* in a vfork child nothing may be set up: it would hold in the child and be believed by the parent */
	if (fc_in_vfork_child())
		return false;
	if (fc_signal_init())
		return false;
	state_adopted();
	state_changed(&thread_state);
	return fc_faults_repaired;
}

/* ---- dispositions ---- */

static bool is_function(const struct fc_action *a)
{
	return (uintptr_t)a->handler > (uintptr_t)SIG_IGN;
}

static struct fc_action action_get(const struct virtual_signal *v)
{
	const struct vfork_state *child = vfork_child();

	return child ? child->action[v - virtual_signal] : v->ring[fc_load_acquire(&v->current)];
}

static struct fc_action action_exchange(struct virtual_signal *v, const struct fc_action *a)
{
	struct vfork_state *child = vfork_child();
	struct fc_action old;
	uint32_t slot;

	if (child) {
		old = child->action[v - virtual_signal];
		child->action[v - virtual_signal] = *a;
		return old;
	}
	slot = fc_faa(&v->next, 1u) % RING;
	v->ring[slot] = *a;
	return v->ring[fc_xchg(&v->current, slot)];
}

static long kernel_action(int sig, const struct fc_action *act, struct fc_action *old)
{
	return fc_call(SYS_rt_sigaction, sig, act, old, sizeof(uint64_t));
}

/* Make the shim's handler the kernel's disposition, as far as possible in the way the application wants its own called. */
static long install(const struct virtual_signal *v)
{
	struct fc_action app = action_get(v);
	struct fc_action ours = {
		.handler = v->handler,
		.flags = SA_SIGINFO | KERNEL_SA_RESTORER | (uint64_t)SA_NODEFER | SA_RESTART,
		.restorer = (void *)fc_restorer,
	};

	if (is_function(&app)) {
		ours.flags &= ~(uint64_t)SA_RESTART;
		ours.flags |= app.flags & (SA_ONSTACK | SA_RESTART);
		ours.mask = app.mask & ~virtual_bits;
	}
	return kernel_action(v->sig, &ours, NULL);
}

static long take(struct virtual_signal *v, void (*handler)(int, siginfo_t *, void *))
{
	struct fc_action app;
	long err = kernel_action(v->sig, NULL, &app);

	if (err)
		return err;
	action_exchange(v, &app);
	v->handler = handler;
	fc_fetch_or(&virtual_bits, BIT(v->sig));
	return install(v);
}

int fc_signal_init(void)
{
	long err;

	if (fc_load(&taken) == 2)
		return 0;
	if (!fc_cas(&taken, 0u, 1u))
		return -EAGAIN; /* another thread is doing it; until then the kernel copies */
	err = take(&virtual_signal[0], on_fault);
	if (!err)
		err = take(&virtual_signal[1], on_fault);
	fc_store_release(&taken, err ? 0u : 2u);
	if (!err)
		state_adopted();
	return (int)err;
}

int fc_signal_take_sigsys(void (*handler)(int, siginfo_t *, void *), void (*begin)(void))
{
	int err = fc_signal_init();

	if (err || virtual_signal[2].handler)
		return err;
	err = (int)take(&virtual_signal[2], handler);
	if (err)
		return err;
	adopt_thread(state_get());
	thread_begins = begin;
	return 0;
}

/* ---- delivery ---- */

static void queue_again(int sig, siginfo_t *info, bool to_thread)
{
	long pid = fc_call(SYS_getpid), tid = fc_call(SYS_gettid);

	if (to_thread)
		fc_call(SYS_rt_tgsigqueueinfo, pid, tid, sig, info);
	else /* the kernel takes any thread's id for its process, and lets only a thread's own pass with any si_code */
		fc_call(SYS_rt_sigqueueinfo, tid, sig, info);
}

/* Natively this signal would have killed the process: let it. Pending when the context is restored, it does so there, so
 * that a core dump shows the place of the fault. */
static void die(int sig, siginfo_t *info, void *context)
{
	struct fc_action dfl = { .handler = (void *)SIG_DFL,
				 .flags = KERNEL_SA_RESTORER,
				 .restorer = (void *)fc_restorer };
	uint64_t bit = BIT(sig);

	kernel_action(sig, &dfl, NULL);
	kernel_mask(SIG_BLOCK, &bit);
	queue_again(sig, info, true);
	*fc_context_mask(context) &= ~bit;
}

/* Sent, not caused, while the application believes it blocked: make it truly pending. */
static void defer(int sig, siginfo_t *info, void *context)
{
	struct state *t = state_get();
	uint64_t bit = BIT(sig);

	t->really |= bit;
	state_changed(t);
	kernel_mask(SIG_BLOCK, &bit);
	*fc_context_mask(context) |= bit;
	queue_again(sig, info, info->si_code == SI_TKILL);
}

static void call_application(struct virtual_signal *v, struct fc_action *a, siginfo_t *info, void *context)
{
	uint64_t *mask = fc_context_mask(context), bits = virtual_bits;
	struct state *t = state_get();

	if (a->flags & (uint64_t)SA_RESETHAND) {
		struct fc_action dfl = *a;

		dfl.handler = (void *)SIG_DFL;
		action_exchange(v, &dfl);
	}
	*mask = (*mask & ~bits) | t->blocked;
	t->blocked |= a->mask & bits;
	if (!(a->flags & (uint64_t)SA_NODEFER))
		t->blocked |= BIT(v->sig);
	a->handler(v->sig, info, context);
	/* the mask in the context is what the kernel would have restored, changed by the handler or not */
	t = state_get();
	t->blocked = *mask & bits;
	t->really &= t->blocked;
	*mask = (*mask & ~bits) | t->really;
	state_changed(t);
}

void fc_signal_deliver(int sig, siginfo_t *info, void *context)
{
	struct virtual_signal *v = find_virtual(sig);
	struct fc_action a = action_get(v);
	bool caused = info->si_code > 0 && !(sig == SIGBUS && info->si_code == BUS_MCEERR_AO);

	if (state_get()->blocked & BIT(sig)) {
		if (caused)
			die(sig, info, context);
		else
			defer(sig, info, context);
	} else if (is_function(&a)) {
		call_application(v, &a, info, context);
	} else if (caused || a.handler == (void *)SIG_DFL) {
		die(sig, info, context);
	}
}

static void on_fault(int sig, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	if (info->si_code > 0 && fc_usercopy_repair((uint64_t *)&uc->uc_mcontext.gregs[REG_RIP]))
		return;
	fc_signal_deliver(sig, info, context);
}

/* ---- system calls ---- */

static long virtual_sigaction(struct virtual_signal *v, struct fc_action *act, struct fc_action *old)
{
	if (!act) {
		*old = action_get(v);
		return 0;
	}
	act->flags &= KERNEL_SA_FLAGS;
	act->mask &= ~NEVER_BLOCKED;
	*old = action_exchange(v, act);
	return install(v);
}

static long plain_sigaction(int sig, struct fc_action *act, struct fc_action *old)
{
	uint64_t hidden = 0;
	long err;

	if (act) {
		hidden = act->mask & virtual_bits;
		act->mask &= ~virtual_bits;
	}
	err = kernel_action(sig, act, old);
	if (err)
		return err;
	old->mask |= fc_load(&hidden_mask[sig]);
	if (act && !fc_in_vfork_child())
		fc_store(&hidden_mask[sig], (uint32_t)hidden);
	return 0;
}

#define CANCEL 32

bool fc_cancels_by_signal;

long fc_sys_rt_sigaction(long a[6])
{
	const void *user_act = (const void *)a[1];
	void *user_old = (void *)a[2];
	struct fc_action act, old;
	struct virtual_signal *v;
	int sig = (int)a[0];
	long err;

	if (sig == CANCEL && user_act)
		fc_store(&fc_cancels_by_signal, true);
	if (fc_load(&taken) != 2)
		return fc_call(SYS_rt_sigaction, a[0], a[1], a[2], a[3]);
	if (a[3] != sizeof(uint64_t))
		return -EINVAL;
	if (user_act && fc_copy_from_user(&act, user_act, sizeof(act)))
		return -EFAULT;
	if (sig < 1 || sig > 64 || (user_act && (BIT(sig) & NEVER_BLOCKED)))
		return -EINVAL;
	v = find_virtual(sig);
	if (v)
		err = virtual_sigaction(v, user_act ? &act : NULL, &old);
	else
		err = plain_sigaction(sig, user_act ? &act : NULL, &old);
	if (!err && user_old && fc_copy_to_user(user_old, &old, sizeof(old)))
		err = -EFAULT;
	return err;
}

long fc_sys_rt_sigprocmask(long a[6])
{
	const void *user_set = (const void *)a[1];
	void *user_old = (void *)a[2];
	uint64_t set, old, believed, bits;
	int how = (int)a[0];
	struct state *t;

	if (fc_load(&taken) != 2)
		return fc_call(SYS_rt_sigprocmask, a[0], a[1], a[2], a[3]);
	if (a[3] != sizeof(uint64_t))
		return -EINVAL;
	t = state_adopted();
	bits = virtual_bits;
	believed = t->blocked;
	if (!user_set) {
		old = kernel_mask(SIG_BLOCK, NULL);
	} else {
		if (fc_copy_from_user(&set, user_set, sizeof(set)))
			return -EFAULT;
		if (how != SIG_BLOCK && how != SIG_UNBLOCK && how != SIG_SETMASK)
			return -EINVAL;
		/* before the call, because a handler that runs at its end may leave by siglongjmp */
		if (how == SIG_BLOCK)
			t->blocked |= set & bits;
		else if (how == SIG_UNBLOCK)
			t->blocked &= ~set;
		else
			t->blocked = set & bits;
		t->really &= t->blocked;
		state_changed(t);
		if (how == SIG_BLOCK)
			set &= ~bits;
		else if (how == SIG_SETMASK)
			set = (set & ~bits) | t->really;
		old = kernel_mask(how, &set);
	}
	old = (old & ~bits) | believed;
	return user_old && fc_copy_to_user(user_old, &old, sizeof(old)) ? -EFAULT : 0;
}

/* ---- threads ---- */

/* What the thread believes blocked is blocked until it says otherwise, so that the new one adopts it. (glibc's and musl's set the
 * masks of new threads themselves; not uClibc-ng's.) */
void fc_signal_before_thread(void)
{
	struct state *t = state_get();
	uint64_t more = t->blocked & FAULTS & ~t->really;

	if (!more)
		return;
	t->really |= more;
	state_changed(t);
	kernel_mask(SIG_BLOCK, &more);
}

/* ---- exec ---- */

void fc_signal_before_exec(void)
{
	struct fc_action ign = { .handler = (void *)SIG_IGN,
				 .flags = KERNEL_SA_RESTORER,
				 .restorer = (void *)fc_restorer };
	uint64_t blocked;

	if (fc_load(&taken) != 2)
		return;
	for (int i = 0; i < VIRTUALS; i++) {
		const struct virtual_signal *v = &virtual_signal[i];

		if (v->handler && action_get(v).handler == (void *)SIG_IGN)
			kernel_action(v->sig, &ign, NULL);
	}
	blocked = state_adopted()->blocked;
	if (blocked)
		kernel_mask(SIG_BLOCK, &blocked);
}

void fc_signal_after_failed_exec(void)
{
	const struct state *t;
	uint64_t unblock;

	if (fc_load(&taken) != 2)
		return;
	for (int i = 0; i < VIRTUALS; i++)
		if (virtual_signal[i].handler)
			install(&virtual_signal[i]);
	t = state_get();
	unblock = t->blocked & ~t->really;
	if (unblock)
		kernel_mask(SIG_UNBLOCK, &unblock);
}
