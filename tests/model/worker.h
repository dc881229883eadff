/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * worker.h - the domain's side of the models: workers that serve the queue, sleep and say so by the credit, as worker.c and crew.c do. They
 * are eager: each ready one is counted on for one call. What a request does is the model's: execute().
 */
#ifndef FC_MODEL_WORKER_H
#define FC_MODEL_WORKER_H

#include "storage-domain/crew/credit.h"
#include "tests/model/explore.h"

enum { FINISHED, LOCK, AWAKE, STOP, MODEL_OWN_WORDS }; /* shared->word; the model's own come behind */

/* The result of a request. */
static int64_t execute(const struct fc_entry *e);

static void run(int idx)
{
	struct fc_entry *e = &shared->area.entry[idx];

	model_check(fc_load(&e->state) == FC_QUEUED || fc_load(&e->state) == FC_ASLEEP, "served, but not asked");
	fc_entry_complete(&fc_bell_local, e, execute(e));
}

static void serve(void)
{
	while (fc_queue_peek(&shared->area.queue)) {
		int idx = fc_queue_dequeue(&shared->area.queue);

		model_check(idx != FC_QUEUE_BROKEN, "dequeue calls the queue broken");
		if (idx >= 0)
			run(idx);
	}
}

/* The workers' own lock guards `credit`, as it does in the domain. */
static void awake_add(uint32_t change)
{
	do
		model_await(&shared->word[LOCK], 0);
	while (!fc_cas(&shared->word[LOCK], 0u, 1u));
	fc_store(&shared->word[AWAKE], fc_load(&shared->word[AWAKE]) + change);
	fc_credit_publish(model_header(), &(struct fc_crew_count){ .awake = fc_load(&shared->word[AWAKE]) }, true);
	fc_store_release(&shared->word[LOCK], 0);
}

/* Starts awake. */
static void worker(void)
{
	for (;;) {
		uint32_t seen = fc_load_acquire(&model_header()->bell);

		if (fc_load_acquire(&shared->word[STOP]))
			return;
		serve();
		awake_add(-1u);
		fc_worker_sleep(&fc_bell_local, model_header(), &shared->area.queue, seen);
		awake_add(1);
	}
}

/* The last client to finish stops the workers: as a session's end does. */
static void client_ends(uint32_t clients, int workers)
{
	if (fc_faa(&shared->word[FINISHED], 1u) + 1 != clients)
		return;
	fc_store_release(&shared->word[STOP], 1);
	while (workers--)
		fc_bell_ring(&fc_bell_local, model_header());
}

#endif
