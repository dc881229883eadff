/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * model_licence.c - the shipped licence.c in every interleaving: never do more spin than there are licences, and none is lost, whoever
 * dies.
 *
 * Build: as model_queue.c, with storage-domain/licence.c besides
 * Run:   model_licence [--deep] [--only PART-OF-A-SCENARIO-NAME]
 */
#include "common/atomic.h"
#include "storage-domain/licence.h"
#include "tests/model/explore.h"

enum { SPINNING, COUNT }; /* shared->word */
enum { LICENCES_MAX = 2 };

#define licence() ((struct fc_licence *)(void *)shared->own)
_Static_assert(sizeof(struct fc_licence[LICENCES_MAX]) <= MODEL_OWN, "MODEL_OWN");

static struct fc_licensee licensee(uint32_t owner)
{
	model_await_not(&shared->word[COUNT], 0); /* bodies run up to their first step before the setup does */
	return (struct fc_licensee){ licence(), shared->word[COUNT], owner, false };
}

/* A worker spins, sleeps, and spins again. */
static void worker(uint32_t owner, int times)
{
	struct fc_licensee l = licensee(owner);

	while (times--) {
		if (fc_licence_get(&l)) {
			model_check(fc_licence_get(&l), "it has one, and has none");
			model_check(fc_faa(&shared->word[SPINNING], 1u) < l.count, "more spin than may");
			fc_faa(&shared->word[SPINNING], -1u);
		}
		fc_licence_put(&l);
		fc_licence_put(&l); /* it has none: gives none back */
	}
}

/* One that may die at any point: who spins cannot be counted on the way, but nobody may take what another has. */
static void mortal(uint32_t owner)
{
	struct fc_licensee l = licensee(owner);

	fc_licence_get(&l);
	fc_licence_put(&l);
}

static void survivor(uint32_t owner)
{
	struct fc_licensee l = licensee(owner);
	bool there = false;

	if (fc_licence_get(&l)) {
		for (uint32_t i = 0; i < l.count; i++)
			there |= fc_load(&l.of[i].owner) == owner;
		model_check(there, "taken away from one who lives");
	}
	fc_licence_put(&l);
}

/* The supervisor: threads 0 to n - 1 are the process 1. */
static void bury(int n)
{
	struct fc_licensee l = licensee(0);

	for (int i = 0; i < n; i++)
		model_await_end(i);
	fc_licence_reclaim(l.of, l.count, 1);
	for (uint32_t i = 0; i < l.count; i++)
		model_check(fc_load(&l.of[i].owner) != 1, "a dead process has a licence");
}

#define DOES(name, what)       \
	static void name(void) \
	{                      \
		what;          \
	}

DOES(process_1, worker(1, 2))
DOES(process_2, worker(2, 2))
DOES(process_3, worker(3, 1))
DOES(mortal_1, mortal(1))
DOES(survivor_2, survivor(2))
DOES(burial_of_one, bury(1))
DOES(burial_of_two, bury(2))
DOES(one_licence, shared->word[COUNT] = 1)
DOES(two_licences, shared->word[COUNT] = 2)

static void all_back(void)
{
	for (uint32_t i = 0; i < LICENCES_MAX; i++)
		model_check(!licence()[i].owner, "a licence is lost");
}

#define LICENCE(what, before, n, ...) \
	.name = what, .threads = n, .body = { __VA_ARGS__ }, .bells = true, .setup = before, .finish = all_back

static const struct scenario list[] = {
	{ LICENCE("three processes, one licence", one_licence, 3, process_1, process_2, process_3) },
	{ LICENCE("three processes, two licences", two_licences, 3, process_1, process_2, process_3) },
	{ LICENCE("workers of one process and of another, two licences", two_licences, 3, process_1, process_1,
		  process_2) },
	{ LICENCE("workers of one process, one licence", one_licence, 3, process_1, process_1, process_1) },
	{ LICENCE("a death", one_licence, 3, mortal_1, survivor_2, burial_of_one), .stops = 1, .stoppable = 1 },
	{ LICENCE("the death of two workers", two_licences, 4, mortal_1, mortal_1, survivor_2, burial_of_two),
	  .stops = 2, .stoppable = 3 },
};

int main(int argc, char **argv)
{
	return model_main(argc, argv, list, sizeof(list) / sizeof(list[0]));
}
