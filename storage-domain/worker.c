/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * worker.c - the threads that serve one session's requests. It owns which of them run, spin and sleep, the credit it
 * publishes, and the session's statistics. What a request does is execute.c's; how to sleep and wake is doorbell.h's.
 *
 * How many workers are awake
 *   Few: a worker on a hot queue serves many clients' page-cache calls faster than one worker each would, on fewer CPUs.
 *   But never so few that a request waits behind one that blocks. The `credit` says how many calls in flight will be served
 *   without ringing; each worker is, for that count,
 *     asleep   on the bell. At least one always is (the spare), unless all FC_ENTRIES are up;
 *     ready    spinning, or in a call that began less than FC_STUCK_NS ago;
 *     stuck    in a call that it announced as blocking (fc_block_begin), or that was seen to run longer than FC_STUCK_NS
 *              by another worker that changed its own state. It serves the one call it has.
 *   credit = stuck + (no ready ones ? 0 : eager ? ready : all of FC_ENTRIES).
 *   `eager` is on while calls are slow (one of the last 64 of some worker was stuck): then every call in flight gets its
 *   own worker and disk-bound calls run side by side.
 *   The gap in this: the last ready worker gets stuck in a call that nobody announced. Nobody in the domain looks
 *   then; the waiting client does, and nudges (doorbell.h). The worker so woken sees the stuck one and counts right.
 *   Whoever lowers the credit looks at the queue afterwards, whoever enqueues looks at the credit afterwards.
 *   Threads are made when the last spare wakes up; one that would be the 33rd to sleep ends instead.
 *
 * Spinning
 *   A ready worker without requests spins for its budget (spin.h) if the domain has a licence left, then sleeps.
 */
#define _GNU_SOURCE
#include "storage-domain/worker.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "common/atomic.h"
#include "common/doorbell.h"
#include "common/queue.h"

#define WORKER_STACK (256u * 1024u)
#define LOOKS_PER_CLOCK 48 /* about a microsecond */
#define QUICK_ENOUGH 64 /* calls in a row */
#define FLUSH_CALLS 64
#define ASLEEP_MAX 32
#define STOP_TRIES 5000 /* of 1 ms */

/* ---- credit: all under the lock ---- */

static void publish_credit(struct fc_workers *p)
{
	unsigned ready = p->awake - p->stuck;
	uint32_t credit = p->stuck;

	if (ready)
		credit += atomic_load_explicit(&p->eager, memory_order_relaxed) ? ready : FC_ENTRIES;
	if (fc_load(&p->s->area->header.credit) != credit)
		fc_store(&p->s->area->header.credit, credit);
	fc_store(&p->s->slot->workers, p->live);
	fc_store(&p->s->slot->awake, p->awake);
}

static void set_stuck(struct fc_workers *p, struct fc_worker *w, bool stuck)
{
	if (atomic_load_explicit(&w->stuck, memory_order_relaxed) == stuck)
		return;
	atomic_store_explicit(&w->stuck, stuck, memory_order_relaxed);
	p->stuck += stuck ? 1 : -1;
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
		since = atomic_load_explicit(&w->busy_since, memory_order_relaxed);
		if (since && now > since + limit)
			set_stuck(p, w, true);
	}
}

static void *worker_main(void *arg);

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
	r = pthread_create(&w->thread, &attr, worker_main, w);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	return -r;
}

/* One more worker, asleep at first. 0 or -errno. */
static int spawn(struct fc_workers *p)
{
	struct fc_worker *w = make_room(p);
	int r;

	if (!w)
		return -EAGAIN;
	memset(w, 0, offsetof(struct fc_worker, exec));
	w->pool = p;
	w->asleep = true;
	w->run = &p->run[0];
	r = start_thread(w);
	w->live = w->joinable = !r;
	p->live += !r;
	return r;
}

/* ---- one worker's transitions ---- */

static void drop_licence(struct fc_worker *w)
{
	if (w->licensed)
		fc_spin_put(w->pool->s->shared);
	w->licensed = false;
}

bool fc_worker_may_spin(struct fc_worker *w)
{
	if (!w->licensed)
		w->licensed = fc_spin_get(w->pool->s->shared);
	return w->licensed;
}

static void flush_counts(struct fc_worker *w)
{
	struct fc_stat_counters *to = &w->pool->s->slot->count, *c = &w->count;

#define FLUSH(field)                              \
	do {                                      \
		if (c->field)                     \
			fc_faa(&to->field, c->field); \
	} while (0)
	FLUSH(calls);
	FLUSH(errors);
	FLUSH(bytes_in);
	FLUSH(bytes_out);
	FLUSH(spin_hits);
	FLUSH(sleeps);
	FLUSH(wakeups);
	FLUSH(interrupts);
#undef FLUSH
	memset(c, 0, sizeof *c);
}

/* This worker will not look at the queue again, and has lowered the credit: somebody else must, if there is something. */
static void hand_over(struct fc_workers *p)
{
	fc_fence(); /* credit before the look at the queue; partner: fc_bell_needed */
	if (fc_queue_peek(&p->s->area->queue))
		fc_bell_ring(&p->s->area->header);
}

void fc_block_begin(struct fc_worker *w)
{
	struct fc_workers *p = w->pool;
	bool none_ready;

	if (atomic_load_explicit(&w->stuck, memory_order_relaxed))
		return;
	drop_licence(w);
	pthread_mutex_lock(&p->lock);
	set_stuck(p, w, true);
	find_stuck(p);
	publish_credit(p);
	none_ready = p->awake == p->stuck;
	pthread_mutex_unlock(&p->lock);
	flush_counts(w);
	if (none_ready)
		hand_over(p);
}

static void block_end(struct fc_worker *w)
{
	pthread_mutex_lock(&w->pool->lock);
	set_stuck(w->pool, w, false);
	publish_credit(w->pool);
	pthread_mutex_unlock(&w->pool->lock);
}

/* Not needed any more: true if this worker is one too many and has been taken off the books. */
static bool fall_asleep(struct fc_worker *w)
{
	struct fc_workers *p = w->pool;
	bool leave;

	drop_licence(w);
	w->count.sleeps++;
	flush_counts(w);
	pthread_mutex_lock(&p->lock);
	set_stuck(p, w, false);
	w->asleep = true;
	p->awake--;
	leave = p->live - p->awake > ASLEEP_MAX;
	if (leave) {
		w->live = false;
		p->live--;
	}
	find_stuck(p);
	publish_credit(p);
	pthread_mutex_unlock(&p->lock);
	return leave;
}

static void wake_up(struct fc_worker *w)
{
	struct fc_workers *p = w->pool;

	pthread_mutex_lock(&p->lock);
	w->asleep = false;
	p->awake++;
	find_stuck(p);
	if (p->awake == p->live && !atomic_load_explicit(&p->stop, memory_order_relaxed))
		spawn(p); /* no spare left; if it fails, the next one to wake tries again */
	publish_credit(p);
	pthread_mutex_unlock(&p->lock);
}

static void set_eager(struct fc_workers *p, bool eager)
{
	pthread_mutex_lock(&p->lock);
	atomic_store_explicit(&p->eager, eager, memory_order_relaxed);
	publish_credit(p);
	pthread_mutex_unlock(&p->lock);
}

/* ---- serving ---- */

/* Look for requests for as long as spinning pays; true if there are some. */
static bool spin(struct fc_worker *w)
{
	const struct fc_queue *q = &w->pool->s->area->queue;
	uint64_t start = fc_tsc(), prev = start, now, budget, gap;

	w->idle_since = start;
	if (!w->spin.budget_ns || !fc_worker_may_spin(w))
		return fc_queue_peek(q);
	budget = fc_tsc_from_ns(w->spin.budget_ns);
	gap = fc_tsc_from_ns(FC_SPIN_GAP_NS);
	for (;;) {
		if (fc_queue_watch(q, LOOKS_PER_CLOCK)) {
			fc_spin_hit(&w->spin);
			w->count.spin_hits++;
			return true;
		}
		now = fc_tsc();
		if (now - prev > gap) {
			fc_spin_preempted(&w->spin);
			return false;
		}
		if (now - start > budget) {
			fc_spin_miss(&w->spin);
			return false;
		}
		prev = now;
	}
}

/* Count a finished call that took `ticks`. */
static void account(struct fc_worker *w, int64_t result, uint64_t ticks)
{
	bool eager = atomic_load_explicit(&w->pool->eager, memory_order_relaxed);

	w->count.calls++;
	if (result < 0)
		w->count.errors++;
	if (w->count.calls >= FLUSH_CALLS)
		flush_counts(w);
	if (ticks > fc_tsc_from_ns(FC_STUCK_NS)) {
		w->quick = 0;
		if (!eager)
			set_eager(w->pool, true);
	} else if (eager && ++w->quick >= QUICK_ENOUGH) {
		w->quick = 0;
		set_eager(w->pool, false);
	}
}

static void take_identity(struct fc_worker *w)
{
	struct fc_shadow *s = w->pool->s;
	uint32_t generation;

	do {
		generation = atomic_load_explicit(&s->cred_generation, memory_order_acquire);
		if (fc_cred_apply(&s->cred))
			fc_shadow_poison(s, "a worker could not take the client's identity");
		w->cred_generation = generation;
	} while (generation != atomic_load_explicit(&s->cred_generation, memory_order_acquire));
}

/* The entry as the client wrote it, read once. */
static void copy_entry(struct fc_worker *w, const struct fc_entry *shared)
{
	struct fc_entry *e = &w->exec.e;

	fc_exec_fetch(e, shared, sizeof *e);
	if (e->state != FC_QUEUED && e->state != FC_ASLEEP)
		fc_shadow_poison(w->pool->s, "a queued entry is not in use");
}

static int64_t execute(struct fc_worker *w)
{
	int64_t r;

	if (atomic_load_explicit(&w->run->mark, memory_order_acquire) == ((uint64_t)w->exec.e.nonce << 32 | 1))
		r = -EINTR;
	else
		do
			r = fc_execute(&w->exec);
		while (r == -EINTR && fc_signal_taken() && !fc_interrupted(w));
	if (r == -EINTR)
		w->count.interrupts++;
	return r;
}

static void run(struct fc_worker *w, unsigned index)
{
	struct fc_shadow *s = w->pool->s;
	struct fc_entry *shared = &s->area->entry[index];
	uint64_t start = fc_tsc();
	int64_t result;

	copy_entry(w, shared);
	w->exec.index = index;
	w->run = &w->pool->run[index];
	if (w->cred_generation != atomic_load_explicit(&s->cred_generation, memory_order_acquire))
		take_identity(w);
	atomic_store_explicit(&w->run->key, (uint64_t)w->exec.e.nonce << 32 | (uint32_t)w->tid, memory_order_release);
	atomic_store_explicit(&w->busy_since, start, memory_order_relaxed);
	result = execute(w);
	/* before the entry is the client's again and may be queued anew */
	atomic_store_explicit(&w->run->key, 0, memory_order_release);
	if (fc_entry_complete(shared, result))
		w->count.wakeups++;
	atomic_store_explicit(&w->busy_since, 0, memory_order_relaxed);
	if (atomic_load_explicit(&w->stuck, memory_order_relaxed))
		block_end(w);
	account(w, result, fc_tsc() - start);
}

/* Serve until there is nothing to do for longer than spinning pays. */
static void serve(struct fc_worker *w)
{
	struct fc_shadow *s = w->pool->s;
	bool slept = true;
	int index;

	while (!atomic_load_explicit(&w->pool->stop, memory_order_acquire)) {
		if (!spin(w))
			return;
		index = fc_queue_dequeue(&s->area->queue);
		if (index == FC_QUEUE_EMPTY)
			continue;
		if (index < 0 || index >= (int)FC_ENTRIES)
			fc_shadow_poison(s, "the request queue is broken");
		if (slept)
			fc_spin_slept(&w->spin, fc_tsc_to_ns(fc_tsc() - w->idle_since));
		slept = false;
		run(w, index);
	}
}

static void *worker_main(void *arg)
{
	struct fc_worker *w = arg;
	struct fc_shadow *s = w->pool->s;

	w->tid = syscall(SYS_gettid);
	w->exec.s = s;
	w->exec.worker = w;
	fc_spin_init(&w->spin);
	fc_spin_init(&w->stream_spin);
	take_identity(w);
	for (;;) {
		uint32_t seen = fc_load_acquire(&s->area->header.bell);

		if (atomic_load_explicit(&w->pool->stop, memory_order_acquire))
			break;
		fc_worker_sleep(&s->area->header, &s->area->queue, seen);
		wake_up(w);
		serve(w);
		if (fall_asleep(w)) {
			hand_over(w->pool);
			return NULL;
		}
	}
	pthread_mutex_lock(&w->pool->lock);
	w->live = false;
	w->pool->live--;
	publish_credit(w->pool);
	pthread_mutex_unlock(&w->pool->lock);
	return NULL;
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
	live = p->live;
	pthread_mutex_unlock(&p->lock);
	fc_faa(&p->s->area->header.bell, 1);
	fc_bell_wake(&p->s->area->header.bell, FC_ENTRIES);
	return live;
}

int fc_workers_stop(struct fc_shadow *s)
{
	struct timespec ms = { 0, 1000000 };
	struct fc_workers *p = s->workers;
	int tries = STOP_TRIES;

	if (!p)
		return 0;
	atomic_store_explicit(&p->stop, true, memory_order_seq_cst);
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
