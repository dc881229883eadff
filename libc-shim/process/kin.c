/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * kin.c - what clone and clone3 share between two processes, and what that means for remote descriptors, the current directory, the umask
 * and sessions. fork.c does what is common to all ways to have a child.
 *
 * Descriptors are in the kernel's table (placeholders), in ours (which domain, which number there), and in the domain (the shadow's). A
 * process with descriptors of its own has a shadow of its own. Those that share them have one view, one session and one shadow; the
 * session is the first one's, so it ends with it.
 *
 *   THREAD VM VFORK FILES FS
 *     yes   yes  -   yes  yes   a thread
 *     yes   yes  -   not both   EOPNOTSUPP: one process has one view
 *      -     -   any  -    -    fork: a shadow forked from ours. On a stack of its own, too
 *      -     -   any  -   yes   the same. The directory: (*)
 *      -     -   any yes  yes   memory of the shim's that both have: view, sessions and areas, which can neither grow nor shrink from
 *                               then on. EOPNOTSUPP with other threads, or processes that share our memory, or a domain on Xen
 *      -     -   any yes   -    the same. The directory: (*)
 *      -    yes  yes  -    -    vfork: a view and shadows of the child's own, from the first call on that needs them
 *      -    yes   -   -    -    a view and shadows of the child's own, at once
 *      -    yes  any  -   yes   the same. The directory: (*)
 *      -    yes  any yes  yes   our view and sessions
 *      -    yes  any yes   -    the same. The directory: (*)
 *
 *   (*) The shadows share their directories if and only if they share their descriptors. Where the processes do otherwise, chdir and
 *       fchdir fail with EOPNOTSUPP in both as long as both live, if a domain holds the directory or would come to: local ones are
 *       the kernel's business. The umask cannot fail: for remote files it goes with the descriptors.
 *
 * A process that shares descriptors and executes a program, or changes its user, has descriptors of its own from then on (unshare), and
 * shadows forked for it; the kernel does the first for an exec, too, but not if it fails.
 *
 * A process that shares our memory may have our thread-local storage, too. So from the first one on a thread's record is found by its id.
 */
#define _GNU_SOURCE
#include "common/atomic.h"
#include "common/rawcall.h"
#include "common/spin.h"
#include "farcall/abi.h"
#include "libc-shim/calls/handlers.h"
#include "libc-shim/calls/map_shared.h"
#include "libc-shim/native.h"
#include "libc-shim/hook.h"
#include "libc-shim/lock.h"
#include "libc-shim/process/fork.h"
#include "libc-shim/process/kin.h"
#include "libc-shim/process/process.h"
#include "libc-shim/process/thread.h"
#include "libc-shim/calls/offset.h"
#include "libc-shim/session/session.h"
#include "libc-shim/shim.h"
#include "libc-shim/text.h"
#include "libc-shim/transport/transport.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define KIN_MAX 64
#define NEAR 65536 /* between the stack pointer that a child starts with and where it says so */

enum kind { KIN_FORKED, KIN_COPIED, KIN_ONE }; /* a shadow of its own; and our memory; one view */

struct kin {
	enum kind kind;
	uint64_t flags;
	uintptr_t top;             /* the child's stack pointer */
	uint32_t tid;              /* the child, 0 = not known yet */
	bool nested;               /* cloned in a handler, on top of another call */
	uint64_t mask;             /* signals: of the caller, and so of the child */
	struct shim_process *view; /* the child's */
	struct shim_thread *caller;
	struct shim_lock_state saved[SHIM_DOMAINS];
	struct shim_offspring o[SHIM_DOMAINS];
	void *left; /* of an exec */
	size_t left_size;
	struct shim_thread thread; /* the child's record, if it has our memory */
};

static struct kin *table[KIN_MAX];

/* ---- the table ---- */

static struct kin *find(uint32_t tid)
{
	for (int i = 0; i < KIN_MAX; i++) {
		struct kin *k = fc_load_acquire(&table[i]);

		if (k && (k->flags & CLONE_VM) && fc_load(&k->tid) == tid)
			return k;
	}
	return NULL;
}

struct shim_thread *shim_kin_self(int tid)
{
	struct kin *k = find((uint32_t)tid);

	return k ? &k->thread : NULL;
}

struct shim_process *shim_kin_view(int pid)
{
	struct kin *k = find((uint32_t)pid);

	return k ? k->view : NULL;
}

void shim_kin_leaves(void *memory, size_t size)
{
	struct kin *k = likely(!fc_load(&shim.crowded)) ? NULL : find((uint32_t)fc_call(SYS_getpid));

	if (!k)
		return;
	k->left = memory;
	k->left_size = size;
}

static bool is_used(const struct shim_process *view)
{
	for (int i = 0; i < KIN_MAX; i++)
		if (table[i] && table[i]->view == view)
			return true;
	return false;
}

static void drop(int i)
{
	struct kin *k = fc_xchg(&table[i], NULL);

	if (!k)
		return;
	if (k->kind == KIN_COPIED && k->view && !is_used(k->view))
		shim_copy_free(k->view);
	if (k->thread.process && k->thread.process != k->view) /* it has parted */
		shim_copy_free(k->thread.process);
	if (k->left)
		fc_call(SYS_munmap, k->left, k->left_size);
	fc_call(SYS_munmap, k, sizeof *k);
}

/* Those that are dead and have been waited for. */
static void drop_dead(void)
{
	for (int i = 0; i < KIN_MAX; i++) {
		struct kin *k = fc_load(&table[i]);

		if (k && k->tid && fc_call(SYS_kill, k->tid, 0) == -ESRCH)
			drop(i);
	}
}

static struct kin *add(void)
{
	long at = fc_call(SYS_mmap, 0, sizeof(struct kin), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (shim_is_error(at))
		return NULL;
	drop_dead();
	for (int i = 0; i < KIN_MAX; i++)
		if (fc_cas(&table[i], (struct kin *)NULL, (struct kin *)at))
			return (struct kin *)at;
	fc_call(SYS_munmap, at, sizeof(struct kin));
	return NULL;
}

static void take_out(const struct kin *k)
{
	for (int i = 0; i < KIN_MAX; i++)
		if (fc_load(&table[i]) == k)
			drop(i);
}

/* ---- who lives ---- */

static bool lives(int pid)
{
	siginfo_t info = { .si_pid = 0 };
	long r = fc_call(SYS_waitid, P_PID, pid, &info, WEXITED | WNOHANG | WNOWAIT | __WALL, 0);

	if (r == 0)
		return !info.si_pid; /* a child, and not waited for yet */
	return fc_call(SYS_kill, pid, 0) != -ESRCH;
}

/* Note in p that process `pid` shares its descriptors, or its directory, but not both. Forgets who is dead. */
static void note(struct shim_process *p, int pid, bool files, bool odd)
{
	for (int i = 0; i < SHIM_KIN; i++) {
		int had = fc_load(&p->kin[i].pid);

		if (had && had != pid && lives(had))
			continue;
		p->kin[i].files = files;
		p->kin[i].odd = odd;
		fc_store_release(&p->kin[i].pid, pid);
		return;
	}
}

static bool any(const struct shim_process *p, bool odd)
{
	int me = (int)fc_call(SYS_getpid);

	for (int i = 0; i < SHIM_KIN; i++) {
		int pid = fc_load_acquire(&p->kin[i].pid);

		if (!pid || !(odd ? p->kin[i].odd : p->kin[i].files))
			continue;
		if (pid == me ? p->pid != me && lives(p->pid) : lives(pid))
			return true;
	}
	return false;
}

bool shim_kin_share_files(const struct shim_process *p)
{
	return p->pid != (int)fc_call(SYS_getpid) || any(p, false);
}

bool shim_kin_fix_cwd(struct shim_process *p)
{
	return any(p, true);
}

/* ---- memory that two processes have ---- */

static int replace(void *at, size_t size, size_t used, int flags)
{
	long to = fc_call(SYS_mmap, 0, size, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_NORESERVE | flags, -1, 0);

	if (shim_is_error(to))
		return (int)to;
	memcpy((void *)to, at, used);
	to = fc_call(SYS_mremap, to, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, at);
	return shim_is_error(to) ? (int)to : 0;
}

/* The process, its table, its slots: shared from now on, or no more. Nothing runs but the caller. */
static int replace_all(struct shim_process *p, int flags)
{
	int r = replace(p->fd, SHIM_FDS * sizeof *p->fd, fc_load(&p->fd_top) * sizeof *p->fd, flags);

	for (unsigned d = 0; d < shim.config.ndomains && r == 0; d++)
		r = replace(p->session[d].requests.slot, SHIM_SLOTS_SIZE, SHIM_SLOTS_SIZE, flags);
	return r < 0 ? r : replace(p, sizeof *p, sizeof *p, flags);
}

static void inherit_areas(struct shim_process *p, bool inherit)
{
	int advice = inherit ? MADV_DOFORK : MADV_DONTFORK;

	for (unsigned d = 0; d < shim.config.ndomains; d++) {
		struct shim_session *s = &p->session[d];

		if (!s->requests.area)
			continue;
		fc_call(SYS_madvise, s->requests.area, sizeof *s->requests.area, advice);
		fc_call(SYS_madvise, s->data, FC_DATA_MAX, advice);
	}
}

/* What one process attaches to later the other would not have. */
static int attach_all(struct shim_process *p)
{
	struct shim_session *s;

	for (unsigned d = 0; d < shim.config.ndomains; d++) {
		if (shim.config.domain[d].xen)
			return SHIM_NOT_SHARED;
		int r = shim_session_get(p, d, &s);
		if (r < 0 && s->state != SHIM_SESSION_DEAD)
			return r;
	}
	return 0;
}

/* Is nobody else in this memory? */
static bool alone(void)
{
	if (fc_call(SYS_unshare, CLONE_THREAD) < 0)
		return false;
	drop_dead();
	for (int i = 0; i < KIN_MAX; i++)
		if (table[i] && table[i]->flags & CLONE_VM)
			return false;
	return true;
}

/* Where the one has mapped a file the other may have anything, and both believe the same records. */
static void end_leases(struct shim_process *p, unsigned domain)
{
	struct shim_lock_state saved;

	shim_session_lock(&p->session[domain], &saved);
	shim_leases_end(p, domain);
	shim_unlock(&p->session[domain].lock, &saved);
}

static int share_memory(struct shim_process *p)
{
	int r;

	/* of a mapping that a domain keeps each would have a table, and end what is one for both (calls/map_shared.c) */
	if (p != &shim.process || shim_self()->process || shim_self()->depth || !alone() || shim_maps_any())
		return SHIM_NOT_SHARED;
	r = p->shared ? 0 : attach_all(p);
	if (r == 0 && !p->shared)
		r = replace_all(p, MAP_SHARED);
	if (r < 0)
		return r;
	shim_offsets_leave(p, -1);
	for (unsigned d = 0; d < shim.config.ndomains; d++)
		end_leases(p, d);
	p->shared = true;
	inherit_areas(p, true);
	return 0;
}

void shim_kin_forget(void)
{
	struct shim_process *p = &shim.process;

	/* first, for what is written is its parent's until then */
	if (p->shared && replace_all(p, MAP_PRIVATE) < 0)
		fc_call(SYS_exit_group, 125);
	for (int i = 0; i < KIN_MAX; i++)
		if (table[i])
			table[i] = NULL; /* what is in them is as much memory as that of the threads that are gone */
	memset(p->kin, 0, sizeof p->kin);
	p->shared = false;
	p->pid = (int)fc_call(SYS_getpid);
	if (shim.crowded)
		shim.crowded = 0;
}

/* ---- the two sides of a clone ---- */

static bool shares_oddly(uint64_t flags)
{
	return !(flags & CLONE_FILES) != !(flags & CLONE_FS);
}

static void block(void)
{
	uint64_t all = ~0ull;

	fc_call(SYS_rt_sigprocmask, SIG_SETMASK, &all, 0, sizeof all);
}

static void unblock(const struct kin *k)
{
	fc_call(SYS_rt_sigprocmask, SIG_SETMASK, &k->mask, 0, sizeof k->mask);
}

static int prepare_own(struct kin *k, struct shim_process *p)
{
	int r;

	shim_sessions_lock(p, k->saved); /* which may have to let a signal in first */
	r = shim_fork_prepare(p, k->o);
	if (r == 0 && k->kind == KIN_COPIED && !(k->view = shim_copy_make(p)))
		r = -ENOMEM;
	if (r < 0)
		shim_fork_parent(p, k->o, r);
	if (r < 0 || k->kind == KIN_COPIED) /* a child with a copy of our memory must find all at rest in it */
		shim_sessions_unlock(p, k->saved);
	return r;
}

static int prepare(struct kin *k, uint64_t flags, uintptr_t top)
{
	struct shim_process *p = shim_process();

	k->flags = flags;
	k->top = top;
	k->caller = shim_self();
	k->nested = k->caller->depth > 0 && !top;
	k->kind = flags & CLONE_FILES ? KIN_ONE : flags & CLONE_VM ? KIN_COPIED : KIN_FORKED;
	k->view = p;
	if (k->kind != KIN_ONE)
		return prepare_own(k, p);
	return flags & CLONE_VM ? 0 : share_memory(p);
}

/* One that is about to be made: 0, and signals are blocked; or why it cannot be. */
static int begin(struct kin *k, uint64_t flags, uintptr_t top)
{
	int r;

	fc_call(SYS_rt_sigprocmask, SIG_BLOCK, 0, &k->mask, sizeof k->mask);
	r = prepare(k, flags, top);
	if (r == 0) {
		block();
		if (flags & CLONE_VM)
			fc_store(&shim.crowded, 1u);
	} else {
		k->view = NULL;
		take_out(k);
	}
	return r;
}

static void in_parent(struct kin *k, long r)
{
	struct shim_process *p = shim_process();

	if (k->kind == KIN_COPIED)
		shim_sessions_lock(p, k->saved);
	if (k->kind != KIN_ONE) {
		shim_fork_parent(p, k->o, r);
		shim_sessions_unlock(p, k->saved);
	} else if (!(k->flags & CLONE_VM)) {
		inherit_areas(p, false);
	}
	if (r > 0 && (k->kind == KIN_ONE || shares_oddly(k->flags)))
		note(p, (int)r, k->kind == KIN_ONE, shares_oddly(k->flags));
	unblock(k);
	if (r > 0 && (k->flags & CLONE_VM))
		fc_store_release(&k->tid, (uint32_t)r);
	else
		take_out(k);
}

/* With our memory. */
static void in_relative(struct kin *k, int pid)
{
	k->thread.tid = pid;
	fc_spin_init(&k->thread.spin[0], &fc_spin_local);
	fc_spin_init(&k->thread.spin[1], &fc_spin_xen);
	k->thread.process = k->view;
	fc_store_release(&k->tid, (uint32_t)pid);
	if (k->kind == KIN_COPIED) {
		k->view->pid = pid;
		memset(k->view->kin, 0, sizeof k->view->kin);
		shim_copy_adopt(k->view, k->o);
	}
}

/* With memory of its own. */
static void in_child(struct kin *k, struct shim_process *p)
{
	if (k->kind == KIN_FORKED) {
		shim_fork_child(p, k->caller, k->o, k->nested);
		p = &shim.process;
	} else {
		memset(table, 0, sizeof table);
		shim_thread_reset_after_fork(k->caller);
		inherit_areas(p, false);
	}
	if (k->top)
		shim_self()->depth = shim_self()->looks = 0; /* what is on the other stack does not go on here */
}

static void in_new(struct kin *k)
{
	struct shim_process *p = k->view;
	bool odd = shares_oddly(k->flags);
	int parent = (int)fc_call(SYS_getppid);

	if (k->flags & CLONE_VM) {
		in_relative(k, (int)fc_call(SYS_getpid));
	} else {
		in_child(k, p);
		p = k->kind == KIN_FORKED ? &shim.process : p;
	}
	if (shim.check && k->kind != KIN_FORKED)
		fc_check_arm();
	if (odd)
		note(p, k->kind == KIN_ONE ? (int)fc_call(SYS_getpid) : parent, k->kind == KIN_ONE, true);
	unblock(k);
}

/* The one that the child with this stack pointer is. */
static struct kin *find_new(uintptr_t sp)
{
	struct kin *best = NULL;

	for (int i = 0; i < KIN_MAX; i++) {
		struct kin *k = fc_load_acquire(&table[i]);

		if (k && k->top >= sp && k->top - sp < NEAR && (!best || k->top < best->top) &&
		    (!fc_load(&k->tid) || fc_load(&k->tid) == (uint32_t)fc_call(SYS_gettid)))
			best = k;
	}
	return best;
}

int fc_clone_prepare(uint64_t flags, uint64_t stack)
{
	struct kin *k;
	int r;

	if (!shim.ready)
		return 0;
	if (flags & CLONE_THREAD)
		return (flags & (CLONE_FILES | CLONE_FS)) == (CLONE_FILES | CLONE_FS) ? 0 : SHIM_NOT_SHARED;
	if (!stack && !(flags & CLONE_VFORK))
		return SHIM_NOT_SHARED; /* two at once on one stack */
	k = add();
	r = k ? begin(k, flags, stack ? stack : (uintptr_t)__builtin_frame_address(0) + NEAR / 2) : -EAGAIN;
	shim_self()->clone = k;
	shim_self()->clone_error = r;
	return r < 0 ? r : 1;
}

void fc_clone_done(long r)
{
	struct kin *k = r ? shim_self()->clone : find_new((uintptr_t)__builtin_frame_address(0));

	if (!k)
		return;
	if (r)
		in_parent(k, r);
	else
		in_new(k);
}

/*
 * A thread that parts from the others. One that has its own directory from then on can change it here, but for remote ones, of which there is
 * one for all; descriptors of its own there cannot be.
 */
long shim_do_unshare(long nr, long a[6])
{
	const bool single = !(a[0] & (CLONE_FS | CLONE_FILES | CLONE_NEWNS)) || fc_call(SYS_unshare, CLONE_THREAD) == 0;

	if (!single && (a[0] & CLONE_FILES))
		return SHIM_NOT_SHARED;
	long r = shim_native(nr, a);
	if (r == 0 && !single)
		fc_store(&shim_process()->parted, true);
	return r;
}

/* Where it can be made in place: on the caller's own stack, with memory of the child's own. */
long shim_do_fork(long nr, long a[6])
{
	struct kin k = { 0 };
	uint64_t flags, stack;

	if (!fc_clone_arguments(nr, a, &flags, &stack))
		return shim_native(nr, a);
	if (stack || (flags & (CLONE_VM | CLONE_THREAD))) /* it has been refused */
		return flags & CLONE_THREAD || !shim_self()->clone_error ? SHIM_NOT_SHARED : shim_self()->clone_error;
	long r = begin(&k, flags, 0);
	if (r < 0)
		return r;
	r = shim_native(nr, a);
	if (r)
		in_parent(&k, r);
	else
		in_new(&k);
	return r;
}

/* ---- going one's own way ---- */

struct shim_process *shim_kin_part(void)
{
	struct shim_process *p = shim_process(), *copy;
	struct shim_lock_state saved[SHIM_DOMAINS];
	struct shim_offspring o[SHIM_DOMAINS];
	int r;

	if (fc_call(SYS_unshare, CLONE_FILES) < 0)
		return NULL;
	shim_sessions_lock(p, saved);
	r = shim_fork_prepare(p, o);
	copy = r < 0 ? NULL : shim_copy_make(p);
	if (!copy)
		shim_fork_parent(p, o, -ENOMEM);
	shim_sessions_unlock(p, saved);
	if (!copy)
		return NULL;
	copy->pid = (int)fc_call(SYS_getpid);
	copy->shared = false;
	memset(copy->kin, 0, sizeof copy->kin);
	shim_copy_adopt(copy, o);
	shim_self()->process = copy;
	fc_store(&shim.crowded, 1u);
	return copy;
}
