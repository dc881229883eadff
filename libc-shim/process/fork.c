/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fork.c - processes that begin and end: fork, the vfork child's own view, exit, and waiting for a child that was killed.
 *
 * fork is a trio: before it every attached session asks its shadow to fork too (so the kernel of the domain makes the
 * child's descriptor table); after it the parent tells the child's pid, or hangs up if there is no child; the child takes over
 * the connections made for it and makes areas of its own when it first needs them.
 *
 * What a child writes to costs it a copy of the page: what is as it must be is left alone.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "common/atomic.h"
#include "common/queue.h"
#include "common/rawcall.h"
#include "libc-shim/calls/handlers.h"
#include "libc-shim/calls/map_shared.h"
#include "libc-shim/native.h"
#include "libc-shim/hook.h"
#include "libc-shim/lock.h"
#include "libc-shim/process/beyond.h"
#include "libc-shim/process/fork.h"
#include "libc-shim/process/kin.h"
#include "libc-shim/process/process.h"
#include "libc-shim/process/sandbox.h"
#include "libc-shim/process/thread.h"
#include "libc-shim/request/request.h"
#include "libc-shim/calls/offset.h"
#include "libc-shim/session/session.h"
#include "libc-shim/shim.h"
#include "libc-shim/text.h"
#include "libc-shim/transport/transport.h"

/* Does the domain hold anything of ours that a child shares? */
bool shim_holds_state(const struct shim_process *p, unsigned domain)
{
	if (p->cwd_domain == (int)domain || shim_maps_in(domain))
		return true;
	if (!fc_load(&p->fd_count))
		return false;
	for (uint32_t fd = 0; fd < fc_load(&p->fd_top); fd++) {
		uint64_t w = fc_load(&p->fd[fd]);

		if (w && shim_fd_domain(w) == domain && !shim_fd_is_coming(w))
			return true;
	}
	return false;
}

/* Ask for a child's shadow. The session is locked. 0, or why there can be no child now; a dead domain is no reason. */
static int fork_shadow(struct shim_process *p, unsigned domain, bool nested, struct shim_offspring *o)
{
	struct shim_session *s = &p->session[domain];
	int r;

	o->sock = -1;
	o->room = 0;
	if (!shim_is_attached(s))
		return 0;
	if (unlikely(!shim_sandbox_talks()))
		o->room = nested ? 0 : shim_room_for_guest(p, s);
	if (!shim_holds_state(p, domain) || !shim_sandbox_talks())
		return 0;
	/* twice: what is opened in between is shared, and what was open before is so already */
	shim_files_forked(&p->files);
	shim_offsets_leave(p, (int)domain);
	shim_leases_end(p, domain);
	r = shim_transport(s)->fork(s, o);
	shim_files_forked(&p->files);
	return r == -EAGAIN || r == -ENOMEM ? r : 0;
}

/* The child's side of one session: only the connection made for it is its own. */
static void adopt(struct shim_process *p, unsigned domain, const struct shim_offspring *o, bool dead)
{
	struct shim_session *s = &p->session[domain];
	int old = s->sock;
	uint32_t ruid = s->ruid;

	if (o->room) {
		shim_guest_arrive(p, s, o->room);
		return;
	}
	if (s->state == SHIM_SESSION_NONE && old < 0 && o->sock < 0) { /* it has never been one */
		s->lock.word = 0;
		return;
	}
	shim_parts_close(s);
	shim_session_reset(s, domain);
	s->ruid = ruid;
	if (old >= 0)
		shim_hidden_close(p, old);
	if (o->sock >= 0)
		s->sock = shim_hide_fd(p, o->sock);
	if (s->sock >= 0) {
		s->token[0] = o->token[0];
		s->token[1] = o->token[1];
		s->state = SHIM_SESSION_BARE;
	} else if (dead) {
		s->state = SHIM_SESSION_DEAD;
	}
}

/* A descriptor whose domain cannot give the child a copy must not look alive. */
static void orphan_check(struct shim_process *p)
{
	for (unsigned d = 0; d < shim.config.ndomains; d++)
		if (p->session[d].state == SHIM_SESSION_NONE && shim_holds_state(p, d))
			p->session[d].state = SHIM_SESSION_DEAD;
}

uint32_t shim_forks_in_calls;

/*
 * A fork in a signal handler, on top of remote calls: when the handler returns in the child these go on there, with addresses and slots of a
 * session that is their parent's. So they get one that is nobody's: requests that are gone, an entry that is free, memory that is only theirs
 * (the areas are not inherited, MADV_DONTFORK). The child's own session is made anew elsewhere. It stays: a frame may refer to it as
 * long as this process lives.
 */
static struct shim_session *session_of_nobody(const struct shim_session *s, unsigned domain)
{
	long at = fc_call(SYS_mmap, 0, SHIM_SLOTS_SIZE + sizeof(struct shim_session), PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (shim_is_error(at))
		return NULL;
	struct shim_session *nobodys = (struct shim_session *)(at + SHIM_SLOTS_SIZE);
	nobodys->domain = domain;
	nobodys->sock = -1;
	nobodys->state = SHIM_SESSION_DEAD;
	nobodys->data = s->data;
	nobodys->requests.slot = (struct shim_slot *)at;
	nobodys->requests.area = s->requests.area;
	nobodys->requests.bell = s->requests.bell;
	nobodys->requests.gone = true;
	return nobodys;
}

static bool map_own(void *at, size_t size)
{
	return !at || !shim_is_error(fc_call(SYS_mmap, at, size, PROT_READ | PROT_WRITE,
					     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0));
}

/* Returns the request area, which is nobody's from now on; or null. */
static struct fc_request_area *give_calls_away(struct shim_session *s, unsigned domain)
{
	struct fc_request_area *area = s->requests.area;
	struct shim_thread *t = shim_self();
	struct shim_session *nobodys;

	if (!area)
		return NULL;
	/* the memory first, or something else gets its place */
	if (!map_own(area, sizeof *area) || !map_own(s->data, FC_DATA_MAX))
		return NULL; /* no memory: they find none */
	fc_queue_init(&area->queue);
	if (!t->depth || !(nobodys = session_of_nobody(s, domain)))
		return area;
	for (uint32_t i = 0; i < t->depth; i++) {
		struct shim_frame *f = &t->frame[i];

		if (f->session && *f->session == s)
			*f->session = nobodys;
		if (f->request.slot >= 0 && f->request.of == &s->requests)
			f->request.of = &nobodys->requests;
	}
	return area;
}

/* A child of one that has a view of its own (kin.h): that is the process now. */
static void settle(struct shim_process *p)
{
	fc_vfork_depth = 0;
	shim_kin_forget();
	if (p == &shim.process)
		return;
	memcpy(&shim.process, p, sizeof *p); /* its descriptor table stays where it is */
	shim_kin_forget();
}

int shim_fork_prepare(struct shim_process *p, struct shim_offspring o[SHIM_DOMAINS])
{
	int r = 0;

	for (unsigned d = 0; d < SHIM_DOMAINS; d++)
		o[d] = (struct shim_offspring){ .sock = -1 };
	for (unsigned d = 0; d < shim.config.ndomains && r == 0; d++)
		r = fork_shadow(p, d, shim_self()->depth > 0, &o[d]);
	return r;
}

void shim_fork_parent(struct shim_process *p, const struct shim_offspring o[SHIM_DOMAINS], long r)
{
	for (unsigned d = 0; d < shim.config.ndomains; d++) {
		if (o[d].sock < 0)
			continue;
		if (r > 0)
			shim_transport(&p->session[d])->forked(&p->session[d], o[d].id, (int)r);
		shim_done_with(p, o[d].sock);
	}
}

void shim_fork_child(struct shim_process *p, struct shim_thread *was, const struct shim_offspring o[SHIM_DOMAINS],
		     bool nested)
{
	settle(p);
	p = &shim.process;
	if (!nested) /* else one may be of a call that this thread goes on with */
		shim_fd_forked(p);
	p->beyond.word = p->moving.word = 0;
	p->parted = false;
	if (shim.aio_lock.word)
		shim.aio_lock.word = 0;
	shim.posting = 0;
	shim_maps_forked();
	shim_files_forked(&p->files);
	shim_leases_forget(p);
	shim_sandbox_forked();
	shim_thread_reset_after_fork(was);
	for (unsigned d = 0; d < shim.config.ndomains; d++) {
		bool dead = p->session[d].state == SHIM_SESSION_DEAD;
		struct fc_request_area *nobodys = nested || was->looks ? give_calls_away(&p->session[d], d) : NULL;

		adopt(p, d, &o[d], dead);
		if (unlikely(nobodys) && !p->session[d].requests.area)
			p->session[d].requests.area =
				nobodys; /* until it has its own: it may be about to be looked at */
	}
	if (nested) {
		shim_self()->dropped = true; /* one that was being claimed */
		fc_faa(&shim_forks_in_calls, 1u);
	}
	orphan_check(p);
	shim_spares_fit(p);
	if (shim.check)
		fc_check_arm();
}

/* ---- the vfork child ---- */

#define COPY_SIZE (SHIM_DOMAINS * SHIM_SLOTS_SIZE + (size_t)SHIM_FDS * sizeof(uint64_t) + sizeof(struct shim_process))

struct shim_process *shim_copy_make(const struct shim_process *from)
{
	long at = fc_call(SYS_mmap, 0, COPY_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
			  -1, 0);

	if (shim_is_error(at))
		return NULL;
	struct shim_process *p = (struct shim_process *)(at + (long)(SHIM_DOMAINS * SHIM_SLOTS_SIZE));
	memcpy(p, from, sizeof *p);
	p->fd = (uint64_t *)(p + 1);
	memcpy(p->fd, from->fd, fc_load(&from->fd_top) * sizeof(uint64_t));
	p->beyond.word = p->moving.word = 0;
	if (!shim_files_copy(&p->files, &from->files)) {
		fc_call(SYS_munmap, at, COPY_SIZE);
		return NULL;
	}
	for (unsigned d = 0; d < SHIM_DOMAINS; d++) {
		p->session[d].requests.slot = (struct shim_slot *)(at + (long)(d * SHIM_SLOTS_SIZE));
		p->session[d].requests.used = 0;
	}
	return p;
}

void shim_copy_free(struct shim_process *copy)
{
	for (unsigned d = 0; d < shim.config.ndomains; d++)
		if (!copy->session[d].divided) /* else it is its parent's memory */
			shim_areas_unmap(&copy->session[d]);
	shim_files_unmap(&copy->files);
	fc_call(SYS_munmap, (char *)copy - SHIM_DOMAINS * SHIM_SLOTS_SIZE, COPY_SIZE);
}

void shim_copy_adopt(struct shim_process *copy, const struct shim_offspring o[SHIM_DOMAINS])
{
	shim_files_forked(&copy->files);
	shim_leases_forget(copy);
	for (unsigned d = 0; d < shim.config.ndomains; d++)
		adopt(copy, d, &o[d], copy->session[d].state == SHIM_SESSION_DEAD);
	orphan_check(copy);
	shim_spares_fit(copy);
}

/*
 * A vfork child runs in our memory with a descriptor table of its own. From the first call on that would change ours it
 * works on a copy, with shadows of its own; the copy goes when the parent runs again.
 */
int shim_vfork_copy(struct shim_thread *t, struct shim_process **out)
{
	struct shim_lock all = { 0 }; /* for the signals: the copy is nobody's before it is whole */
	struct shim_lock_state all_saved;
	struct shim_offspring o[SHIM_DOMAINS];
	struct shim_process *outer = shim_vfork_view(t), *parent = outer ? outer : shim_base(t), *p;

	shim_lock(&all, &all_saved);
	p = shim_copy_make(parent);
	if (!p) {
		shim_unlock(&all, &all_saved);
		return -ENOMEM;
	}
	/* from here on: what is done with descriptors is done in the child's table */
	p->pid = (int)fc_call(SYS_getpid);
	p->outer = outer;
	p->depth = fc_vfork_depth;
	p->shared = false;
	memset(p->kin, 0, sizeof p->kin);
	t->vfork_process = p;
	shim_fd_forked(p);
	for (unsigned d = 0; d < SHIM_DOMAINS; d++)
		o[d] = (struct shim_offspring){ .sock = -1 };
	for (unsigned d = 0; d < shim.config.ndomains; d++) {
		struct shim_lock_state saved;

		shim_lock(&parent->session[d].lock, &saved);
		if (shim_session_speaks(
			    &parent->session[d])) /* else our parent's ids are being changed, ours are not */
			fork_shadow(parent, d, false, &o[d]);
		shim_unlock(&parent->session[d].lock, &saved);
	}
	shim_copy_adopt(p, o);
	shim_unlock(&all, &all_saved);
	*out = p;
	return 0;
}

static void copy_free(struct shim_thread *t)
{
	struct shim_process *p = t->vfork_process;

	t->vfork_process = p->outer;
	shim_copy_free(p);
}

struct shim_process *shim_vfork_view(struct shim_thread *t)
{
	const int pid = (int)fc_call(SYS_getpid);

	/* of earlier children; the parent had no reason to look in between */
	while (t->vfork_process && (t->vfork_process->depth > fc_vfork_depth ||
				    (t->vfork_process->depth == fc_vfork_depth && t->vfork_process->pid != pid)))
		copy_free(t);
	return t->vfork_process;
}

struct shim_process *shim_vfork_process(struct shim_thread *t)
{
	struct shim_process *p = shim_vfork_view(t);

	return p && p->depth == fc_vfork_depth ? p : NULL;
}

void shim_vfork_cleanup(struct shim_thread *t)
{
	while (t->vfork_process)
		copy_free(t);
	if (t->exec_memory) {
		fc_call(SYS_munmap, t->exec_memory, t->exec_size);
		t->exec_memory = NULL;
	}
}

/* ---- the end ---- */

long shim_do_exit(long nr, long a[6])
{
	struct shim_process *p = shim_process();
	struct shim_lock_state saved;
	uint64_t all = ~0ull;

	if ((fc_in_vfork_child() && !shim_vfork_process(shim_self())) || p->pid != (int)fc_call(SYS_getpid)) {
		fc_thread_ends();
		return shim_native(nr, a); /* the sessions are another's */
	}
	fc_call(SYS_rt_sigprocmask, SIG_SETMASK, &all, 0, sizeof all); /* no handler's calls any more, either */
	if (fc_load(&shim.posting) && !shim_sandbox_talks())
		shim_posts_wait(); /* else there is a goodbye, which does that */
	if (p == &shim.process)
		fc_store(&shim.ending, (uint32_t)p->pid);
	for (unsigned d = 0; d < shim.config.ndomains; d++) {
		if (!shim_is_attached(&p->session[d]))
			continue;
		shim_session_enter(&p->session[d], &saved);
		shim_transport(&p->session[d])->bye(&p->session[d]);
		shim_unlock(&p->session[d].lock, &saved);
		if (unlikely(p->session[d].divided) && !shim_sandbox_threads())
			shim_guest_leave(&p->session[d]);
	}
	/* What was posted is written: that was the goodbye. Other threads may have posted more, and nobody's request returns any more. */
	return fc_raw(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
}

void fc_thread_ends(void)
{
	if (!fc_in_vfork_child()) /* whose record is its parent's */
		shim_thread_end();
}

long shim_do_exit_thread(long nr, long a[6])
{
	fc_thread_ends();
	return shim_native(nr, a);
}

/* A child was killed: it had no chance to say goodbye. Return only when its locks are gone. */
static void wait_gone(int pid)
{
	struct shim_process *p = shim_process();

	for (unsigned d = 0; d < shim.config.ndomains; d++) {
		struct shim_session *s = &p->session[d];
		struct shim_lock_state saved;

		shim_session_lock(s, &saved);
		if (s->state != SHIM_SESSION_DEAD)
			shim_transport(s)->gone(s, pid);
		shim_unlock(&s->lock, &saved);
	}
}

long shim_do_wait(long nr, long a[6])
{
	if (nr == SYS_wait4) {
		int status = 0;
		long r = fc_call(SYS_wait4, a[0], &status, a[2], a[3]);

		if (r > 0 && WIFSIGNALED(status))
			wait_gone((int)r);
		if (r > 0 && a[1] && fc_copy_to_user((void *)a[1], &status, sizeof status))
			return -EFAULT;
		return r;
	}
	siginfo_t info;
	info.si_pid = 0;
	long r = fc_call(SYS_waitid, a[0], a[1], &info, a[3], a[4]);
	if (r == 0 && info.si_pid && (info.si_code == CLD_KILLED || info.si_code == CLD_DUMPED))
		wait_gone(info.si_pid);
	if (r == 0 && a[2]) {
		if (!info.si_pid)
			info.si_signo = info.si_errno = info.si_code = 0, info.si_uid = 0, info.si_status = 0;
		/* the kernel writes these fields and no others */
		siginfo_t out;
		if (fc_copy_from_user(&out, (void *)a[2], sizeof out))
			return -EFAULT;
		out.si_signo = info.si_pid ? SIGCHLD : 0;
		out.si_errno = 0;
		out.si_code = info.si_pid ? info.si_code : 0;
		out.si_pid = info.si_pid;
		out.si_uid = info.si_pid ? info.si_uid : 0;
		out.si_status = info.si_pid ? info.si_status : 0;
		if (fc_copy_to_user((void *)a[2], &out, sizeof out))
			return -EFAULT;
	}
	return r;
}

/* ---- limits ---- */

long shim_do_rlimit(long nr, long a[6])
{
	struct shim_process *p = shim_process();
	struct rlimit64 now;
	long which = nr == SYS_setrlimit ? a[0] : a[2] ? a[1] : -1; /* -1: only asked for */
	long r;

	if (which == RLIMIT_FSIZE && !fc_in_vfork_child())
		shim_posts_stop();
	r = shim_native(nr, a);

	if (r < 0 || which < 0 || (nr == SYS_prlimit64 && a[0] && a[0] != fc_call(SYS_getpid)))
		return r;
	if (which == RLIMIT_NOFILE && !fc_in_vfork_child())
		shim_limits_look(p);
	if (which != RLIMIT_FSIZE)
		return r;
	/* what it is now, or else what it has been set to */
	if (fc_call(SYS_prlimit64, 0, RLIMIT_FSIZE, 0, &now) < 0 &&
	    fc_copy_from_user(&now, (void *)(nr == SYS_setrlimit ? a[1] : a[2]), sizeof now))
		return r;
	for (unsigned d = 0; d < shim.config.ndomains; d++) {
		struct shim_lock_state saved;

		if (!shim_is_attached(&p->session[d]) || !(p = shim_process_own()))
			continue;
		shim_session_lock(&p->session[d], &saved);
		shim_transport(&p->session[d])->rlimit(&p->session[d], now.rlim_cur, now.rlim_max);
		shim_unlock(&p->session[d].lock, &saved);
	}
	return r;
}
