/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * model_call.c - the marks of a call (the shipped call.h, fc_crew_has of crew.c) and ending it early (interrupt.c), in every interleaving with
 * the call's beginning, its end, and the next call of the same entry: never does another call end, and never is an interruption lost.
 *
 * Of a system call, two kinds: one that waits until a signal comes, and one that a signal can only meet by chance. A signal that comes
 * before it is lost, as a handler that ran before.
 *
 * Build: as model_doorbell.c, with storage-domain/crew/interrupt.c besides, and -DFC_ENTRY_ORDER=2
 * Run:   model_call [--deep] [--only PART-OF-A-SCENARIO-NAME]
 */
#include <errno.h>

#include "storage-domain/crew/interrupt.h"
#include "tests/model/worker.h"

enum {
	SIGNAL = MODEL_OWN_WORDS,
	SECOND = SIGNAL + WORKERS
}; /* shared->word: one each that a signal is there; the second call is queued */
enum { ANSWER = 1000 };
enum { QUICK, WAITS, DEAF, INTERRUPTS }; /* what a call does: see execute() */

/* ---- what interrupt.c needs ---- */

void fc_interrupt_disturb(uint32_t tid)
{
	fc_xchg(&shared->word[SIGNAL + tid - 1], 1u);
}

void fc_interrupt_nap(struct fc_member *me, unsigned *naps)
{
	(void)me, (void)naps;
	model_nap();
}

/* ---- calls ---- */

static int64_t system_call(const struct fc_member *m, const struct fc_entry *e)
{
	uint32_t *signal = &shared->word[SIGNAL + (m - model_crew()->member)];

	fc_xchg(signal, 0u);
	if (e->nr == WAITS)
		model_await(signal, 1);
	return fc_xchg(signal, 0u) ? -EINTR : (int64_t)e->nonce + ANSWER;
}

static int64_t execute(struct fc_member *m, const struct fc_entry *e)
{
	struct fc_crew *c = the_crew();
	const struct fc_run *r = &c->run[e - shared->area.entry];
	int again = 0;
	int64_t result;

	if (e->nr == INTERRUPTS)
		return fc_crew_interrupt(c, m, e->arg[0], e->arg[1]);
	if (e->nr == DEAF) { /* until its interrupter has given up */
		model_await_end(1);
		return (int64_t)e->nonce + ANSWER;
	}
	do { /* as worker.c */
		model_check(again++ < 3, "one interrupter, but signals without end");
		result = system_call(m, e);
	} while (result == -EINTR && !fc_call_marked(r, e->nonce) && !fc_load_acquire(&c->stop));
	return result;
}

static struct fc_entry *fill(uint32_t idx, uint32_t nonce, uint32_t what, uint64_t index, uint64_t about)
{
	struct fc_entry *e = &shared->area.entry[idx];

	e->nr = what;
	e->arg[0] = index;
	e->arg[1] = about;
	fc_store(&e->nonce, nonce);
	fc_store_release(&e->state, FC_QUEUED);
	return e;
}

/* ---- without the queue: workers that have taken their calls, or are just about to ---- */

static int64_t run_now(int worker, uint32_t idx, uint32_t nonce, uint32_t what, uint64_t index, uint64_t about)
{
	struct fc_member *m = &model_crew()->member[worker];
	struct fc_entry *e = fill(idx, nonce, what, index, about);

	fc_store_release(&m->call, FC_CALL_NEXT);
	fc_fence(); /* what comes in the queue's place */
	if (nonce == 2)
		fc_store_release(&shared->word[SECOND], 1);
	run(m, (int)idx);
	return e->result;
}

/* The first call is asked for in the setup: whoever interrupts knows that it is in the queue. */
static int64_t run_first(uint32_t what)
{
	struct fc_member *m = &model_crew()->member[0];

	model_await(&shared->word[READY], 1);
	shared->area.entry[0].nr = what;
	run(m, 0);
	return shared->area.entry[0].result;
}

static bool finished(int64_t result, uint32_t nonce)
{
	return result == (int64_t)nonce + ANSWER;
}

static void waits(void)
{
	model_check(run_first(WAITS) == -EINTR, "ended, but by whom?");
}

static void quick_then(uint32_t what)
{
	int64_t result = run_first(QUICK);

	model_check(result == -EINTR || finished(result, 1), "neither done nor interrupted");
	result = run_now(0, 0, 2, what, 0, 0);
	model_check(what == QUICK ? finished(result, 2) : result == -EINTR, "another call than the one that was meant");
}

static void waits_then_quick(void)
{
	waits();
	model_check(finished(run_now(0, 0, 2, QUICK, 0, 0), 2), "another call than the one that was meant");
}

static void quick_then_quick(void)
{
	quick_then(QUICK);
}

static void quick_then_waits(void)
{
	quick_then(WAITS);
}

static void deaf(void)
{
	model_check(finished(run_first(DEAF), 1), "what cannot be interrupted was");
}

static int64_t interrupt(int worker, uint32_t nonce, uint64_t index, uint64_t about)
{
	model_await(&shared->word[READY], 1);
	return run_now(worker, (uint32_t)worker, nonce, INTERRUPTS, index, about);
}

static void interrupts_first(void)
{
	model_check(interrupt(1, 5, 0, 1) == 0, "a call that somebody has, and is said to be in no queue");
}

static void interrupts_second(void)
{
	model_await(&shared->word[SECOND], 1);
	model_check(interrupt(2, 6, 0, 2) == 0, "a call that somebody has, and is said to be in no queue");
}

static void gives_up(void)
{
	model_check(interrupt(1, 2, 0, 1) == -EINTR, "an interrupter that nobody can interrupt");
}

static void interrupts_interrupter(void)
{
	model_await(&shared->word[SECOND], 1);
	model_check(interrupt(2, 6, 1, 2) == 0, "a call that somebody has, and is said to be in no queue");
}

static void stops_all(void)
{
	model_await(&shared->word[READY], 1);
	fc_xchg(&the_crew()->stop, 1u);
}

static void both_at_once(void)
{
	fill(0, 1, QUICK, 0, 0);
	crew_begin(3, 0, 0, false);
	model_crew()->member[0].call = FC_CALL_NEXT;
}

static void nothing_left(void)
{
	const struct fc_crew *c = the_crew();

	for (int i = 0; i < (int)FC_ENTRIES; i++)
		model_check(!c->run[i].key && !c->run[i].mark, "a mark is left");
	for (int i = 0; i < WORKERS; i++)
		model_check(model_crew()->member[i].call == FC_CALL_NONE || c->stop, "a call is left");
}

/* A mark may stay when its call was over and the next one has been marked since; it means nothing. */
static void no_key_left(void)
{
	for (int i = 0; i < (int)FC_ENTRIES; i++)
		model_check(!the_crew()->run[i].key, "a call is left");
}

/* ---- with the queue ---- */

static struct fc_entry *submit(uint32_t idx, uint32_t nonce, uint32_t what, uint64_t index, uint64_t about)
{
	struct fc_entry *e;

	model_await(&shared->word[READY], 1);
	e = fill(idx, nonce, what, index, about);
	model_check(fc_queue_enqueue(&shared->area.queue, idx) == 0, "enqueue gave up");
	fc_bell_ring(&fc_bell_local, model_header());
	return e;
}

static int64_t answer(struct fc_entry *e)
{
	int64_t result;

	while (fc_load_acquire(&e->state) != FC_DONE)
		fc_entry_sleep(&fc_bell_local, e, 0);
	result = fc_load(&e->result);
	fc_store(&e->state, FC_FREE);
	return result;
}

/* Worker.c's loop; the client rings each time, for the crew's counting is not in question here. */
static void serves(int i)
{
	for (;;) {
		uint32_t seen = fc_load_acquire(&model_header()->bell);

		if (fc_load_acquire(&the_crew()->stop))
			return;
		serve(&model_crew()->member[i]);
		fc_worker_sleep(&fc_bell_local, model_header(), &shared->area.queue, seen);
	}
}

static void serves_0(void)
{
	model_await(&shared->word[READY], 1);
	serves(0);
}

static void serves_1(void)
{
	model_await(&shared->word[READY], 1);
	serves(1);
}

static void ask_and_interrupt(uint32_t nonce, uint32_t what)
{
	struct fc_entry *first = submit(0, nonce, what, 0, 0), *second = submit(1, 5, INTERRUPTS, 0, nonce);
	int64_t result = answer(first);

	model_check(result == -EINTR || (what == QUICK && finished(result, nonce)), "neither done nor interrupted");
	if (nonce == 1 && what == QUICK)
		model_check(finished(answer(submit(0, 2, QUICK, 0, 0)), 2), "another call than the one that was meant");
	model_check(answer(second) == 0, "a call that is in the queue, and is said not to be");
}

static void asks_waits(void)
{
	ask_and_interrupt(1, WAITS);
	client_ends(1);
}

static void asks_quick(void)
{
	ask_and_interrupt(1, QUICK);
	client_ends(1);
}

static void asks_later(void)
{
	model_check(finished(answer(submit(0, 1, QUICK, 0, 0)), 1), "not interrupted, but ended");
	ask_and_interrupt(2, WAITS);
	client_ends(1);
}

/* It was stopped before that came into the queue. */
static void never_asks(void)
{
	model_await(&shared->word[READY], 1);
	fill(0, 1, QUICK, 0, 0);
	model_check(answer(submit(1, 5, INTERRUPTS, 0, 1)) == -ENOENT, "said to be in the queue, or over");
	client_ends(1);
}

static void two_serve(void)
{
	crew_begin(2, 0, 0, false);
}

#define CALL(what, before, after, n, ...) \
	.name = what, .threads = n, .body = { __VA_ARGS__ }, .bells = true, .setup = before, .finish = after
#define DIRECT(what, ...) CALL(what, both_at_once, nothing_left, __VA_ARGS__)
#define QUEUED(what, ...) CALL(what, two_serve, nothing_left, __VA_ARGS__)

static const struct scenario list[] = {
	{ DIRECT("a call that waits, interrupted", 2, waits, interrupts_first) },
	{ DIRECT("... and the next call of its entry", 2, waits_then_quick, interrupts_first) },
	{ DIRECT("a call that ends, and the next of its entry", 2, quick_then_quick, interrupts_first) },
	{ CALL("both calls of an entry, interrupted", both_at_once, no_key_left, 3, quick_then_waits, interrupts_first,
	       interrupts_second),
	  .preemptions = 4 },
	{ DIRECT("an interrupter, interrupted", 3, deaf, gives_up, interrupts_interrupter), .preemptions = 4 },
	{ CALL("an interrupter, when all are to stop", both_at_once, no_key_left, 3, deaf, gives_up, stops_all) },
	{ QUEUED("a call that waits, from the queue", 3, asks_waits, serves_0, serves_1), .preemptions = 3 },
	{ QUEUED("a call that ends, from the queue", 3, asks_quick, serves_0, serves_1), .preemptions = 2 },
	{ QUEUED("the next call, from the queue", 3, asks_later, serves_0, serves_1), .preemptions = 2 },
	{ QUEUED("a call that never came into the queue", 3, never_asks, serves_0, serves_1), .preemptions = 3 },
	{ CALL("both calls of an entry, whatever comes between", both_at_once, no_key_left, 3, quick_then_waits,
	       interrupts_first, interrupts_second),
	  .deep = true },
	{ QUEUED("a call that waits, from the queue, more preemptions", 3, asks_waits, serves_0, serves_1),
	  .preemptions = 5, .deep = true },
	{ QUEUED("a call that ends, from the queue, more preemptions", 3, asks_quick, serves_0, serves_1),
	  .preemptions = 4, .deep = true },
};

int main(int argc, char **argv)
{
	return model_main(argc, argv, list, sizeof(list) / sizeof(list[0]));
}
