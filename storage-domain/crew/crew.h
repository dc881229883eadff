/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * crew.h - the workers of one session: the changes of state that a worker reports. Starting and stopping them all is in
 * shadow.h, announcing a call that blocks in worker.h.
 */
#ifndef FC_DOMAIN_CREW_H
#define FC_DOMAIN_CREW_H

#include "storage-domain/crew/credit.h"
#include "storage-domain/crew/worker.h"

struct fc_workers {
	struct fc_shadow *s;
	bool stop;
	bool spinner; /* with --spin always: one of the session's workers spins */
	bool eager;   /* written under the lock: calls have been slow: one awake worker per call in flight */

	pthread_mutex_t lock;
	struct fc_crew_count count;           /* under the lock; stuck <= awake */
	struct fc_worker *worker[FC_ENTRIES]; /* under the lock; mapped when first used */
	struct fc_run run[FC_ENTRIES];
};

/* Going to sleep: lowers the credit; fc_worker_sleep must follow. False: this one is one too many, its thread is to
 * end. */
bool fc_crew_sleep(struct fc_worker *w);

/* Woken: raises the credit, and makes another spare if this was the last. */
void fc_crew_wake(struct fc_worker *w);

/* The call that it was counted stuck for is over. */
void fc_crew_unstick(struct fc_worker *w);

/* Its thread ends, because all are to stop. */
void fc_crew_leave(struct fc_worker *w);

/* Calls have turned out slow, or quick: whether every call in flight is to get a worker of its own. */
void fc_crew_set_eager(struct fc_workers *p, bool eager);

#endif
