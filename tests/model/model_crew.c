/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * model_crew.c - the shipped crew.c, which counts the awake, the asleep and the stuck, against a client that submits, in every interleaving:
 * no request waits while all workers sleep, or behind a call that needs that very request; the counts are right whenever somebody holds
 * the lock (worker.h).
 *
 * Build: as model_doorbell.c
 * Run:   model_crew [--deep] [--only PART-OF-A-SCENARIO-NAME]
 */
#include "tests/model/worker.h"

enum {
	SENT = MODEL_OWN_WORDS,
	EXECUTED = SENT + FC_ENTRIES,
	RUNNING
}; /* shared->word: of each entry whether it is in flight, ... */
enum { ANSWER = 1000 };
enum { QUICK, BLOCKS, LONG, SLOW, FAST }; /* what a call does: see execute() */

static int64_t execute(struct fc_member *m, const struct fc_entry *e)
{
	struct fc_crew *c = the_crew();

	switch (e->nr) {
	case QUICK:
		fc_faa(&shared->word[EXECUTED], 1u);
		break;
	case BLOCKS: /* and says so; until others have been executed */
		if (!fc_load(&m->stuck))
			fc_crew_block(c, m);
		model_await(&shared->word[EXECUTED], (uint32_t)e->arg[0]);
		break;
	case LONG: /* the same, but nobody knew */
		fc_store_release(&shared->word[RUNNING], 1);
		model_await(&shared->word[EXECUTED], (uint32_t)e->arg[0]);
		break;
	case SLOW:
	case FAST:
		fc_crew_set_eager(c, e->nr == SLOW);
		break;
	}
	return (int64_t)e->nonce + ANSWER;
}

/* ---- clients ---- */

static void submit(uint32_t idx, uint32_t nonce, uint32_t what, uint64_t until)
{
	struct fc_entry *e = &shared->area.entry[idx];
	uint32_t credit, in_flight = 0;

	model_await(&shared->word[READY], 1); /* bodies run up to their first step before the setup does */
	e->nonce = nonce;
	e->nr = what;
	e->arg[0] = until;
	fc_store(&shared->word[SENT + idx], 1u);
	fc_store_release(&e->state, FC_QUEUED);
	model_check(fc_queue_enqueue(&shared->area.queue, idx) == 0, "enqueue gave up");
	/* as libc-shim/request/request.c: all that are in flight now, not those that were when this one began */
	credit = fc_bell_credit(model_header());
	for (uint32_t i = 0; i < FC_ENTRIES; i++)
		in_flight += fc_load(&shared->word[SENT + i]);
	if (credit < in_flight)
		fc_bell_ring(&fc_bell_local, model_header());
}

static void wait_for(uint32_t idx)
{
	struct fc_entry *e = &shared->area.entry[idx];

	while (fc_load_acquire(&e->state) != FC_DONE)
		fc_entry_sleep(&fc_bell_local, e, 0);
	model_check(fc_load(&e->result) == (int64_t)e->nonce + ANSWER, "the answer to another question");
	fc_store(&shared->word[SENT + idx], 0u);
	fc_store(&e->state, FC_FREE);
}

static void call(uint32_t idx, uint32_t nonce, uint32_t what, uint64_t until)
{
	submit(idx, nonce, what, until);
	wait_for(idx);
}

/* A call, and another that ends it. */
static void both(uint32_t first)
{
	submit(0, 1, first, 1);
	submit(1, 2, QUICK, 0);
	wait_for(0);
	wait_for(1);
}

/* Time passes, and whoever waits looks whether that helps. */
static void wait_long(void)
{
	model_await(&shared->word[RUNNING], 1);
	fc_xchg(&shared->word[MODEL_NOW], 2 * FC_STUCK_NS / 1000);
}

static void long_call(uint32_t until)
{
	submit(0, 1, LONG, until);
	wait_long();
	submit(1, 2, QUICK, 0);
	fc_bell_nudge(&fc_bell_local, &shared->area);
	wait_for(1);
	if (until > 1)
		call(1, 3, QUICK, 0); /* this time it is known */
	wait_for(0);
}

#define DOES(name, what)       \
	static void name(void) \
	{                      \
		what;          \
	}

DOES(one_quick, call(0, 1, QUICK, 0); client_ends(1))
DOES(two_quick, call(0, 1, QUICK, 0); call(0, 2, QUICK, 0); client_ends(1))
DOES(blocks, both(BLOCKS); client_ends(1))
DOES(blocks_and_goes_on, both(BLOCKS); call(0, 3, QUICK, 0); client_ends(1))
DOES(blocks_1_of_2, call(0, 1, BLOCKS, 1); client_ends(2))
DOES(quick_2_of_2, call(1, 2, QUICK, 0); client_ends(2))
DOES(slow, both(SLOW); client_ends(1))
DOES(slow_then_fast, call(0, 1, SLOW, 0); both(FAST); client_ends(1))
DOES(unknown, long_call(1); client_ends(1))
DOES(unknown_then_known, long_call(2); client_ends(1))

#define SETUP(name, ...)                 \
	static void name(void)           \
	{                                \
		crew_begin(__VA_ARGS__); \
	}

SETUP(one_awake, 1, 0, 0, false)
SETUP(one_asleep, 0, 1, 0, false)
SETUP(spare_asleep, 1, 1, 0, false)
SETUP(all_asleep, 0, 2, 0, false)
SETUP(all_asleep_eager, 0, 2, 0, true)
SETUP(all_awake, 2, 0, 0, false)
SETUP(one_to_hire, 0, 1, 1, false)

static void one_too_many(void)
{
	the_crew()->asleep_max = 1;
	crew_begin(2, 0, 0, false);
	the_crew()->asleep_max = 1;
}

#define CREW(what, before, n, ...) \
	.name = what, .threads = n, .body = { __VA_ARGS__ }, .bells = true, .setup = before, .finish = crew_ended

static const struct scenario list[] = {
	{ CREW("one call, one worker", one_awake, 2, one_quick, worker) },
	{ CREW("two calls, one worker, asleep", one_asleep, 2, two_quick, worker) },
	{ CREW("one call, two workers", spare_asleep, 3, one_quick, worker, worker_1), .preemptions = 3 },
	{ CREW("a call that blocks", spare_asleep, 3, blocks, worker, worker_1), .preemptions = 3 },
	{ CREW("a call that blocks, all asleep", all_asleep, 3, blocks, worker, worker_1), .preemptions = 2 },
	{ CREW("a call that blocks, all asleep, eager", all_asleep_eager, 3, blocks, worker, worker_1),
	  .preemptions = 2 },
	{ CREW("a call that blocks, and the next one", spare_asleep, 3, blocks_and_goes_on, worker, worker_1),
	  .preemptions = 2 },
	{ CREW("a call that blocks, another client ends it", spare_asleep, 4, blocks_1_of_2, quick_2_of_2, worker,
	       worker_1),
	  .preemptions = 1 },
	{ CREW("the last spare wakes up: another is made", one_to_hire, 3, blocks, worker, worker_1),
	  .preemptions = 2 },
	{ CREW("one too many goes to sleep", one_too_many, 3, one_quick, worker, worker_1), .preemptions = 3 },
	{ CREW("a long call that nobody announced", spare_asleep, 3, unknown, worker, worker_1), .preemptions = 3 },
	{ CREW("... and is known from then on", spare_asleep, 3, unknown_then_known, worker, worker_1),
	  .preemptions = 2 },
	{ CREW("calls turn out slow", spare_asleep, 3, slow, worker, worker_1), .preemptions = 2 },
	{ CREW("... and quick again", all_awake, 3, slow_then_fast, worker, worker_1), .preemptions = 1 },
	{ CREW("a call that blocks, more preemptions", spare_asleep, 3, blocks_and_goes_on, worker, worker_1),
	  .preemptions = 4, .deep = true },
	{ CREW("one too many goes to sleep, more preemptions", one_too_many, 3, one_quick, worker, worker_1),
	  .preemptions = 5, .deep = true },
	{ CREW("a long call, more preemptions", spare_asleep, 3, unknown_then_known, worker, worker_1),
	  .preemptions = 4, .deep = true },
};

int main(int argc, char **argv)
{
	return model_main(argc, argv, list, sizeof(list) / sizeof(list[0]));
}
