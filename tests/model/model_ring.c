/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * model_ring.c - posted writes (the shipped ring.h) in every interleaving with the end of the delegation, with who does them, and with his sleep: when
 * somebody else has the file every write is there that had returned before; and none is left undone while the domain sleeps.
 *
 * Build: as model_doorbell.c
 * Run:   model_ring [--deep] [--only PART-OF-A-SCENARIO-NAME]
 */
#include "common/ring.h"

#include "farcall/abi.h"
#include "tests/model/explore.h"

enum { NAME = 77 };
enum { LOCK, RETURNED, WRITTEN, OPEN, BELL, ASLEEP, ENDED }; /* shared->word */

struct own {
	uint64_t word, tail, data[4];
};
#define own ((struct own *)(void *)shared->own)

/* ---- the domain ---- */

static void lock(void)
{
	while (!fc_cas(&shared->word[LOCK], 0u, 1u))
		model_await(&shared->word[LOCK], 0);
}

static void unlock(void)
{
	fc_store_release(&shared->word[LOCK], 0u);
}

/* One at a time; returns how far. */
static uint32_t run_locked(void)
{
	const uint64_t tail = fc_load_acquire(&own->tail);
	uint32_t done = fc_load(&shared->word[WRITTEN]);

	for (; done != tail; done++)
		model_check(fc_load(&own->data[done]) == done + 1, "published, but not there");
	fc_store_release(&shared->word[WRITTEN], done);
	return done;
}

static void run(void)
{
	lock();
	run_locked();
	unlock();
}

/* Somebody opens the file. */
static void revokes(void)
{
	uint32_t returned;

	fc_ring_revoke(&own->word);
	run();
	fc_store_release(&shared->word[OPEN], 1u);
	returned = fc_load_acquire(&shared->word[RETURNED]);
	model_check(fc_load_acquire(&shared->word[WRITTEN]) >= returned, "a write has returned, and is not there");
}

static void sleeps_until(uint32_t all)
{
	uint32_t done, seen;
	bool rests;

	for (;;) {
		lock();
		fc_store(&shared->word[ASLEEP], FC_RING_AWAKE);
		done = run_locked();
		rests = done == all || fc_ring_rest(&shared->word[ASLEEP], FC_RING_SLEEPS, &shared->word[BELL], &seen,
						    &own->tail, done);
		unlock();
		if (done == all)
			return;
		if (rests)
			model_await_not(&shared->word[BELL], seen);
	}
}

static void sleeper_for_2(void)
{
	sleeps_until(2);
}

/* ---- the client ---- */

static void write_one(uint32_t n)
{
	bool held;

	fc_store(&own->data[n - 1], (uint64_t)n);
	held = fc_ring_publish(&own->tail, n, &own->word, NAME);
	if (fc_ring_sleeps(&shared->word[ASLEEP], FC_RING_DOZES))
		fc_faa(&shared->word[BELL], 1u);
	if (!held)
		run(); /* a worker does, before the next request */
	fc_store_release(&shared->word[RETURNED], n);
}

static void writes_2(void)
{
	write_one(1);
	write_one(2);
}

static void another_runs(void)
{
	run();
}

static void delegated(void)
{
	own->word = NAME;
}

#define RING(what, n, ...) .name = what, .threads = n, .body = { __VA_ARGS__ }, .bells = true, .setup = delegated

static const struct scenario list[] = {
	{ RING("two writes, somebody opens the file", 2, writes_2, revokes) },
	{ RING("two writes, opened, and a worker", 3, writes_2, revokes, another_runs) },
	{ RING("two writes, and who sleeps", 2, writes_2, sleeper_for_2) },
	{ RING("two writes, who sleeps, and a worker", 3, writes_2, sleeper_for_2, another_runs) },
	{ RING("two writes, who sleeps, opened", 3, writes_2, sleeper_for_2, revokes) },
};

int main(int argc, char **argv)
{
	return model_main(argc, argv, list, sizeof(list) / sizeof(list[0]));
}
