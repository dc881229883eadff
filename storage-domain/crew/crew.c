/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * crew.c - the threads that serve one session: how many there are, which of them are awake, and the credit that says so
 * to the client. It owns struct fc_workers. What an awake worker does is worker.c's; how to sleep and wake is
 * doorbell.h's.
 *
 * How many are awake
 *   Few: a worker on a hot queue serves many clients' page-cache calls faster than one worker each would, on fewer
 *   CPUs. But never so few that a request waits behind one that blocks. The `credit` says how many calls in flight will
 *   be served without ringing; each worker is, for that count,
 *     asleep   on the bell. At least one always is (the spare), unless all FC_ENTRIES are up, or the client may have no
 *              more (budget.h): then a request waits until a call is over;
 *     ready    spinning, or in a call that began less than FC_STUCK_NS ago;
 *     stuck    in a call that it announced as blocking (fc_block_begin), or that was seen to run longer than that by another
 *              worker that changed its own state. It serves the one call it has.
 *   credit = stuck + (no ready ones ? 0 : eager ? ready : all of FC_ENTRIES).
 *   `eager` is on while calls are slow (one of the last 64 of some worker was stuck): then every call in flight gets
 *   its own worker and disk-bound calls run side by side.
 *   The gap in this: the last ready worker gets stuck in a call that nobody announced. Nobody in the domain looks then;
 *   the waiting client does, and nudges (doorbell.h). The worker so woken sees the stuck one and counts right.
 *   Whoever lowers the credit looks at the queue afterwards, whoever enqueues looks at the credit afterwards.
 *   Threads are made when the last spare wakes up; one that would be the 33rd to sleep ends instead.
 */
#define _GNU_SOURCE
#include "storage-domain/crew/crew.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "common/atomic.h"
#include "common/doorbell.h"
#include "common/queue.h"

#define WORKER_STACK (256u * 1024u)
#define ASLEEP_MAX 32
#define STOP_TRIES 5000 /* of 1 ms */

/* ---- credit: all under the lock ---- */

static void publish_credit(struct fc_workers *p)
{
	fc_credit_publish(&p->s->area->header, &p->count, fc_load(&p->eager));
	fc_store(&p->s->slot->workers, p->count.live);
	fc_store(&p->s->slot->awake, p->count.awake);
}

static void set_stuck(struct fc_workers *p, struct fc_worker *w, bool stuck)
{
	if (fc_load(&w->stuck) == stuck)
		return;
	fc_store(&w->stuck, stuck);
	p->count.stuck += stuck ? 1 : -1;
}

/* Notice who has been in one call for too long to be counted on. */
static void find_stuck(struct fc_workers *p)
{
	uint64_t now = fc_tsc(), limit = fc_tsc_from_ns(FC_STUCK_NS);

	for (unsigned i = 0; i < FC_ENTRIES && p->worker[i]; i++) {
		struct fc_worker *w = p->worker[i];
		uint64_t since;

		if (w->asleep || !w->live)
			continue;
		since = fc_load(&w->busy_since);
		if (since && now > since + limit)
			set_stuck(p, w, true);
	}
}

/* ---- threads ---- */

/* Memory for one more worker: new, or that of one that has ended. */
static struct fc_worker *make_room(struct fc_workers *p)
{
	struct fc_worker *w;
	unsigned i;

	for (i = 0; i < FC_ENTRIES && p->worker[i]; i++) {
		w = p->worker[i];
		if (w->live)
			continue;
		if (w->joinable)
			pthread_join(w->thread, NULL); /* it has let go of the lock for good */
		return w;
	}
	if (i == FC_ENTRIES)
		return NULL;
	w = mmap(NULL, sizeof *w, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (w == MAP_FAILED)
		return NULL;
	p->worker[i] = w;
	return w;
}

static int start_thread(struct fc_worker *w)
{
	pthread_attr_t attr;
	sigset_t all, old;
	int r;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, WORKER_STACK);
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

	if (!w || !pay(p, p->count.live))
		return -EAGAIN;
	memset(w, 0, offsetof(struct fc_worker, exec));
	w->pool = p;
	w->asleep = true;
	w->run = &p->run[0];
	fc_store(&w->call, FC_CALL_NONE);
	r = start_thread(w);
	w->live = w->joinable = !r;
	if (r)
		pay_back(p, p->count.live);
	else
		p->count.live++;
	return r;
}

/* ---- a worker's changes ---- */

/* This worker will not look at the queue again, and has lowered the credit: somebody else must, if there is something.
 *  */
static void hand_over(struct fc_workers *p)
{
	fc_fence(); /* credit before the look at the queue; partner: fc_bell_needed */
	if (fc_queue_peek(&p->s->area->queue))
		fc_bell_ring(p->s->bell, &p->s->area->header);
}

void fc_block_begin(struct fc_worker *w)
{
	struct fc_workers *p = w->pool;
	bool none_ready;

	fc_worker_wake(w);
	if (fc_load(&w->stuck))
		return;
	fc_worker_drop_licence(w);
	pthread_mutex_lock(&p->lock);
	set_stuck(p, w, true);
	find_stuck(p);
	publish_credit(p);
	none_ready = p->count.awake == p->count.stuck;
	pthread_mutex_unlock(&p->lock);
	fc_worker_flush(w);
	if (none_ready)
		hand_over(p);
}

void fc_crew_unstick(struct fc_worker *w)
{
	pthread_mutex_lock(&w->pool->lock);
	set_stuck(w->pool, w, false);
	publish_credit(w->pool);
	pthread_mutex_unlock(&w->pool->lock);
}

bool fc_crew_sleep(struct fc_worker *w)
{
	struct fc_workers *p = w->pool;
	bool leave;

	pthread_mutex_lock(&p->lock);
	set_stuck(p, w, false);
	w->asleep = true;
	p->count.awake--;
	leave = p->count.live - p->count.awake > ASLEEP_MAX;
	if (leave) {
		w->live = false;
		pay_back(p, --p->count.live);
	}
	find_stuck(p);
	publish_credit(p);
	pthread_mutex_unlock(&p->lock);
	if (leave)
		hand_over(p);
	return !leave;
}

void fc_crew_wake(struct fc_worker *w)
{
	struct fc_workers *p = w->pool;

	pthread_mutex_lock(&p->lock);
	w->asleep = false;
	p->count.awake++;
	find_stuck(p);
	if (p->count.awake == p->count.live && !fc_load(&p->stop))
		spawn(p); /* no spare left; if it fails, the next one to wake tries again */
	publish_credit(p);
	pthread_mutex_unlock(&p->lock);
}

void fc_crew_leave(struct fc_worker *w)
{
	pthread_mutex_lock(&w->pool->lock);
	w->live = false;
	pay_back(w->pool, --w->pool->count.live);
	publish_credit(w->pool);
	pthread_mutex_unlock(&w->pool->lock);
}

void fc_crew_set_eager(struct fc_workers *p, bool eager)
{
	pthread_mutex_lock(&p->lock);
	fc_store(&p->eager, eager);
	publish_credit(p);
	pthread_mutex_unlock(&p->lock);
}

/* The queue is a FIFO: whoever has taken the earlier request said so before we took ours (worker.c), and says `call` until it is
 * over. */
bool fc_crew_has(struct fc_workers *p, const struct fc_worker *but, uint64_t call)
{
	bool has = false;

	pthread_mutex_lock(&p->lock);
	for (unsigned i = 0; i < FC_ENTRIES && p->worker[i] && !has; i++) {
		uint64_t its = fc_load_acquire(&p->worker[i]->call);

		has = p->worker[i] != but && (its == FC_CALL_NEXT || its == call);
	}
	pthread_mutex_unlock(&p->lock);
	return has;
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
	pthread_mutex_init(&p->lock, NULL);
	s->workers = p;
	pthread_mutex_lock(&p->lock);
	publish_credit(p);
	r = spawn(p);
	if (!r)
		r = spawn(p);
	pthread_mutex_unlock(&p->lock);
	if (r)
		fc_workers_stop(s);
	return r;
}

void fc_workers_forget(struct fc_shadow *s)
{
	struct fc_workers *p = s->workers;

	if (!p)
		return;
	for (unsigned i = 0; i < FC_ENTRIES && p->worker[i]; i++)
		munmap(p->worker[i], sizeof *p->worker[i]);
	munmap(p, sizeof *p);
	s->workers = NULL;
}

/* Signal and wake all workers once; returns how many are left. */
static unsigned chase(struct fc_workers *p)
{
	unsigned live;

	pthread_mutex_lock(&p->lock);
	for (unsigned i = 0; i < FC_ENTRIES && p->worker[i]; i++)
		if (p->worker[i]->live)
			pthread_kill(p->worker[i]->thread, FC_WORKER_SIGNAL);
	live = p->count.live;
	pthread_mutex_unlock(&p->lock);
	fc_faa(&p->s->area->header.bell, 1);
	p->s->bell->ops->wake_worker(p->s->bell, &p->s->area->header.bell, FC_ENTRIES);
	return live;
}

int fc_workers_stop(struct fc_shadow *s)
{
	struct timespec ms = { 0, 1000000 };
	struct fc_workers *p = s->workers;
	int tries = STOP_TRIES;

	if (!p)
		return 0;
	(void)fc_xchg(&p->stop, true);
	while (chase(p)) {
		if (!--tries)
			return -ETIMEDOUT;
		nanosleep(&ms, NULL);
	}
	for (unsigned i = 0; i < FC_ENTRIES && p->worker[i]; i++)
		if (p->worker[i]->joinable)
			pthread_join(p->worker[i]->thread, NULL);
	pthread_mutex_destroy(&p->lock);
	fc_workers_forget(s);
	return 0;
}
