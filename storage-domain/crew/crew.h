/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * crew.h - the workers of one session: which are awake, asleep or stuck, and the credit that says so to the client. It owns
 * struct fc_crew. Their threads are workers.h's; what an awake worker does is worker.c's; how to sleep and wake is doorbell.h's.
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
 *   `eager` is on while calls are slow (one of the last 64 of some worker was stuck, and slept in it: being preempted does not count): then
 *   every call in flight gets its own worker and disk-bound calls run side by side.
 *   The gap in this: the last ready worker gets stuck in a call that nobody announced. Nobody in the domain looks then;
 *   the waiting client does, and nudges (doorbell.h). The worker so woken sees the stuck one and counts right.
 *   Whoever lowers the credit looks at the queue afterwards, whoever enqueues looks at the credit afterwards.
 *   Threads are made when the last spare wakes up; one that would be the 33rd to sleep ends instead.
 */
#ifndef FC_DOMAIN_CREW_H
#define FC_DOMAIN_CREW_H

#include "storage-domain/crew/call.h"
#include "storage-domain/crew/credit.h"

/* A call longer than this is no longer one that a waiting request can wait for. */
#define FC_STUCK_NS 50000u

struct fc_crew {
	struct fc_request_area *area;
	const struct fc_bell *bell;
	uint32_t stop;  /* all are to end */
	uint32_t eager; /* written under the lock: calls have been slow: one awake worker per call in flight */

	uint32_t asleep_max;                  /* constant */
	struct fc_crew_count count;           /* under the lock; stuck <= awake */
	struct fc_member *member[FC_ENTRIES]; /* under the lock; null from some place on */
	struct fc_run run[FC_ENTRIES];
};

/* All but fc_crew_enlist take the lock. */

/* Under the lock: one more of them, asleep. */
void fc_crew_enlist(struct fc_crew *c, struct fc_member *m);

/* Going to sleep: lowers the credit; fc_worker_sleep must follow. False: this one is one too many, its thread is to
 * end. */
bool fc_crew_sleep(struct fc_crew *c, struct fc_member *m);

/* Woken: raises the credit, and makes another spare if this was the last. */
void fc_crew_wake(struct fc_crew *c, struct fc_member *m);

/* About to block: it is not counted on any more, and if nobody else is, another one is woken for what is waiting. */
void fc_crew_block(struct fc_crew *c, struct fc_member *m);

/* The call that it was counted stuck for is over. */
void fc_crew_unstick(struct fc_crew *c, struct fc_member *m);

/* Asleep: its thread ends, because all are to stop. */
void fc_crew_leave(struct fc_crew *c, struct fc_member *m);

/* Calls have turned out slow, or quick: whether every call in flight is to get a worker of its own. */
void fc_crew_set_eager(struct fc_crew *c, bool eager);

/* Whether somebody but `but` has that call, or may have it in a moment. Asked by one who has taken a later request. */
bool fc_crew_has(struct fc_crew *c, const struct fc_member *but, uint64_t call);

/* ---- what it needs of workers.c; all but the lock under the lock ---- */

void fc_crew_lock(struct fc_crew *c);
void fc_crew_unlock(struct fc_crew *c);

/* One more worker, if there is room and the client may have it; it enlists. */
void fc_crew_spare(struct fc_crew *c);

/* One worker less has to be paid for. */
void fc_crew_discharged(struct fc_crew *c);

/* The counts have changed: for statistics. */
void fc_crew_show(struct fc_crew *c);

#endif
