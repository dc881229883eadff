/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * workers.c - see workers.h. It owns the memory and the threads of the workers, the crew's lock, and what each worker costs. What an awake
 * worker does is worker.c's.
 */
#define _GNU_SOURCE
#include "storage-domain/crew/workers.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "common/atomic.h"
#include "common/doorbell.h"

#define PAGE 4096u
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define WORKER_STACK (2048u * 1024u) /* a sanitizer has a megabyte of each thread's for itself */
#else
#define WORKER_STACK (256u * 1024u)
#endif
#define ASLEEP_MAX 32
#define STOP_NS 5000000000ull /* for workers to end */
#define CHASE_NS 1000000ull   /* until those that are left are signalled, and again */

/* A worker's memory. What it keeps comes right behind its stack, so that what it starts with is in one place. */
struct place {
	char guard[PAGE];
	char stack[WORKER_STACK];
	struct fc_worker worker;
};
_Static_assert(offsetof(struct place, worker) == PAGE + WORKER_STACK, "one behind the other");

static struct place *place_of(struct fc_worker *w)
{
	return (struct place *)(void *)((char *)w - offsetof(struct place, worker));
}

static struct fc_workers *workers_of(struct fc_crew *c)
{
	return (struct fc_workers *)(void *)((char *)c - offsetof(struct fc_workers, crew));
}

/* The i-th, or null. */
static struct fc_worker *worker(const struct fc_workers *p, unsigned i)
{
	return i < FC_ENTRIES && p->crew.member[i] ? fc_worker_of(p->crew.member[i]) : NULL;
}

/* ---- threads ---- */

static struct fc_worker *make_place(void)
{
	struct place *m = mmap(NULL, sizeof *m, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (m == MAP_FAILED)
		return NULL;
	if (mprotect(m->guard, sizeof m->guard, PROT_NONE)) {
		munmap(m, sizeof *m);
		return NULL;
	}
	return &m->worker;
}

/* Memory for one more worker: new, or that of one that has ended. */
static struct fc_worker *make_room(struct fc_workers *p)
{
	struct fc_worker *w;
	unsigned i;

	for (i = 0; (w = worker(p, i)); i++) {
		if (w->member.live)
			continue;
		if (w->joinable)
			pthread_join(w->thread, NULL); /* it has let go of the lock for good */
		w->joinable = false;
		return w;
	}
	w = i == FC_ENTRIES ? NULL : make_place();
	if (w)
		p->crew.member[i] = &w->member;
	return w;
}

static int start_thread(struct fc_worker *w)
{
	pthread_attr_t attr;
	sigset_t all, old;
	int r;

	pthread_attr_init(&attr);
	pthread_attr_setstack(&attr, place_of(w)->stack, WORKER_STACK);
	sigfillset(&all);
	sigdelset(&all, FC_WORKER_SIGNAL);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(&w->thread, &attr, fc_worker_main, w);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	return -r;
}

/* The first and the spare come with the session; each one more is paid for as long as it lives. `live`: how many there are besides it. */
static bool pay(struct fc_workers *p, unsigned live)
{
	return live < FC_TASKS_BASE - 1 || fc_budget_take(p->s->shared, p->s->slot, FC_TASKS, 1);
}

static void pay_back(struct fc_workers *p, unsigned live)
{
	if (live >= FC_TASKS_BASE - 1)
		fc_budget_give(p->s->slot, FC_TASKS, 1);
}

/* One more worker, asleep at first. 0 or -errno. */
static int spawn(struct fc_workers *p)
{
	struct fc_worker *w = make_room(p);
	int r;

	if (!w || !pay(p, p->crew.count.live))
		return -EAGAIN;
	memset(w, 0, offsetof(struct fc_worker, exec));
	w->pool = p;
	w->run = &p->crew.run[0];
	fc_store(&w->member.call, FC_CALL_NONE);
	r = start_thread(w);
	w->joinable = !r;
	if (r)
		pay_back(p, p->crew.count.live);
	else
		fc_crew_enlist(&p->crew, &w->member); /* before it changes any state: that takes the lock */
	return r;
}

/* ---- what the crew needs ---- */

void fc_crew_lock(struct fc_crew *c)
{
	pthread_mutex_lock(&workers_of(c)->lock);
}

void fc_crew_unlock(struct fc_crew *c)
{
	pthread_mutex_unlock(&workers_of(c)->lock);
}

void fc_crew_spare(struct fc_crew *c)
{
	spawn(workers_of(c));
}

void fc_crew_discharged(struct fc_crew *c)
{
	struct fc_workers *p = workers_of(c);

	pay_back(p, c->count.live);
	fc_faa(&p->discharged, 1);
	if (fc_load(&c->stop))
		fc_futex_wake(&p->discharged, 1);
}

void fc_crew_show(struct fc_crew *c)
{
	struct fc_roster_slot *slot = workers_of(c)->s->slot;

	fc_store(&slot->workers, c->count.live);
	fc_store(&slot->awake, c->count.awake);
}

void fc_block_begin(struct fc_worker *w)
{
	fc_worker_wake(w);
	if (fc_load(&w->member.stuck))
		return;
	fc_licence_put(&w->licence);
	fc_worker_flush(w);
	fc_crew_block(&w->pool->crew, &w->member);
}

/* ---- starting and stopping ---- */

int fc_workers_start(struct fc_shadow *s)
{
	struct fc_workers *p;
	int r = fc_interrupt_init();

	if (r)
		return r;
	fc_tsc_calibrate();
	p = mmap(NULL, sizeof *p, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return -ENOMEM;
	p->s = s;
	p->crew.area = s->area;
	p->crew.bell = s->bell;
	p->crew.asleep_max = ASLEEP_MAX;
	pthread_mutex_init(&p->lock, NULL);
	s->workers = p;
	pthread_mutex_lock(&p->lock);
	fc_credit_publish(&s->area->header, &p->crew.count, false); /* none yet */
	fc_crew_show(&p->crew);
	r = spawn(p);
	pthread_mutex_unlock(&p->lock);
	if (r)
		fc_workers_stop(s);
	return r;
}

void fc_workers_spare(struct fc_shadow *s)
{
	struct fc_workers *p = s->workers;

	pthread_mutex_lock(&p->lock);
	if (p->crew.count.live < FC_TASKS_BASE - 1)
		spawn(p); /* if it fails, the first one to wake tries again */
	pthread_mutex_unlock(&p->lock);
}

void fc_workers_forget(struct fc_shadow *s)
{
	struct fc_workers *p = s->workers;
	struct fc_worker *w;

	if (!p)
		return;
	for (unsigned i = 0; (w = worker(p, i)); i++)
		munmap(place_of(w), sizeof(struct place));
	munmap(p, sizeof *p);
	s->workers = NULL;
}

bool fc_workers_hold(struct fc_shadow *s)
{
	struct fc_workers *p = s->workers;

	if (!p)
		return false;
	pthread_mutex_lock(&p->lock); /* whoever wakes up takes it before it looks at the queue */
	return p->crew.count.awake > 0;
}

void fc_workers_release(struct fc_shadow *s)
{
	if (s->workers)
		pthread_mutex_unlock(&s->workers->lock);
}

bool fc_workers_still(const struct fc_shadow *s, uint64_t *begun)
{
	const struct fc_workers *p = s->workers;
	const struct fc_worker *w;

	*begun = 0;
	fc_fence(); /* what was looked at before; partner: fc_call_take's fence, after it has said that it may have a call */
	for (unsigned i = 0; p && (w = worker(p, i)); i++) {
		if (w->member.live && fc_load_acquire(&w->member.call) != FC_CALL_NONE)
			return false;
		*begun += fc_load_acquire(&w->member.begun);
	}
	fc_fence(); /* before what is looked at next */
	return true;
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/* Those that are asleep see that they are to end. */
static void rouse(struct fc_workers *p)
{
	fc_faa(&p->s->area->header.bell, 1);
	p->s->bell->ops->wake_worker(p->s->bell, &p->s->area->header.bell, FC_ENTRIES);
}

/* Those that are in a call return from it. */
static void chase(struct fc_workers *p)
{
	struct fc_worker *w;

	pthread_mutex_lock(&p->lock);
	for (unsigned i = 0; (w = worker(p, i)); i++)
		if (w->member.live)
			pthread_kill(w->thread, FC_WORKER_SIGNAL);
	pthread_mutex_unlock(&p->lock);
	rouse(p);
}

/* Until `count`, one of the crew's, is 0: by then all who leave have said what they have counted. 0 or -ETIMEDOUT. */
static int await_none(struct fc_workers *p, const unsigned *count)
{
	uint64_t next = now_ns() + CHASE_NS, deadline = next + STOP_NS;
	uint32_t seen;
	unsigned left;

	for (;;) {
		seen = fc_load_acquire(&p->discharged);
		pthread_mutex_lock(&p->lock);
		left = *count;
		pthread_mutex_unlock(&p->lock);
		if (!left)
			return 0;
		if (now_ns() > deadline)
			return -ETIMEDOUT;
		if (fc_futex_wait(&p->discharged, seen, next) != -ETIMEDOUT)
			continue;
		chase(p);
		next = now_ns() + CHASE_NS;
	}
}

int fc_workers_bar(struct fc_shadow *s)
{
	struct fc_workers *p = s->workers;

	if (!p)
		return 0;
	/* before the look at who is awake; partner: the look at `stop` by who has woken up, and when one has been discharged */
	fc_xchg(&p->crew.stop, 1u);
	return await_none(p, &p->crew.count.awake);
}

int fc_workers_stop(struct fc_shadow *s)
{
	struct fc_workers *p = s->workers;
	struct fc_worker *w;
	int r;

	if (!p)
		return 0;
	fc_xchg(&p->crew.stop, 1u); /* as above */
	rouse(p);
	r = await_none(p, &p->crew.count.live);
	if (r < 0)
		return r;
	for (unsigned i = 0; (w = worker(p, i)); i++)
		if (w->joinable)
			pthread_join(w->thread, NULL);
	pthread_mutex_destroy(&p->lock);
	fc_workers_forget(s);
	return 0;
}
