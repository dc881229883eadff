/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * spin.h - how long to spin before sleeping: one on-line budget per waiting place. It owns the budget and the clock
 * that measures it, not the waiting itself.
 *
 * After Karlin, Li, Manasse and Owicki ("Empirical Studies of Competitive Spinning", SOSP 1991): never spin for much
 * longer than a wakeup costs, and learn from what came: a wait that spinning covered (or would have) raises the budget,
 * one that it did not halves it. Being preempted while spinning says that somebody else needs this CPU, most likely the
 * peer: the budget drops to nothing at once and has to be earned again, each time over a longer probation.
 *
 * Before it sleeps, a waiter may give its CPU away a few times. Where there are more threads than CPUs, that is how those run whom it waits for,
 * several calls for each switch, and nobody has to be put to sleep and woken, which costs more than a call. How long a yield took tells whether
 * anybody else runs on this CPU: if it is many, there is no spinning here, if not, it may pay again. Whether to yield at all is one decision of a session, for its
 * threads and workers (struct fc_manner).
 */
#ifndef FC_COMMON_SPIN_H
#define FC_COMMON_SPIN_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "common/rawcall.h"

/* What is known of a transport beforehand. */
struct fc_spin_cost {
	uint32_t wake_ns; /* from a sleep to running again: no budget is larger */
	uint32_t gap_ns;  /* between two polls: more than interrupts take, those of a virtual machine included */
};

/* one machine: a wake across sleeping CPUs; Xen: an event channel each way, through two kernels */
extern const struct fc_spin_cost fc_spin_local, fc_spin_xen;

/* For measurements: what adaptive spinning is compared with. Set once, at the start of a process. */
enum fc_spin_policy { FC_SPIN_ADAPTIVE, FC_SPIN_ALWAYS, FC_SPIN_NEVER };
extern enum fc_spin_policy fc_spin_policy;

/* The policy of that name, or -1. */
int fc_spin_policy_find(const char *name);

struct fc_spin {
	const struct fc_spin_cost *cost;
	uint32_t budget_ns;
	uint32_t probation; /* good signs still to be seen before the budget may rise from nothing */
	uint32_t backoff;   /* what `probation` was set to last */

	bool shared; /* in this wait somebody else ran on this CPU */
};

/* A CPU's time stamp counter, and its ticks per microsecond (constant and synchronous: any x86-64 this runs on). */
static inline uint64_t fc_tsc(void)
{
#ifdef FC_SHIM
	if (__builtin_expect(fc_guard != 0, 0))
		return fc_guard->tsc(); /* reading it may be forbidden */
#endif
	return __builtin_ia32_rdtsc();
}

extern uint32_t fc_tsc_per_us;

/*
 * Measure fc_tsc_per_us, unless that has been done: from fc_tsc_begin on, if that is less than a second ago, and for 20 us at least;
 * longer while others have the CPU, until it is true but for a third.
 * `now`: CLOCK_MONOTONIC, fc_tsc() was `before` right before that; of several beginnings the one counts that took least.
 */
void fc_tsc_begin(uint64_t before, const struct timespec *now);
void fc_tsc_calibrate(void);

static inline uint64_t fc_tsc_from_ns(uint64_t ns)
{
	return ns * fc_tsc_per_us / 1000;
}

static inline uint64_t fc_tsc_to_ns(uint64_t ticks)
{
	return ticks * 1000 / fc_tsc_per_us;
}

void fc_spin_init(struct fc_spin *sp, const struct fc_spin_cost *cost);

/* What a wait taught. hit: what was waited for came while spinning. miss: the budget ran out. preempted: the spinner
 * lost its CPU. slept: it came `waited_ns` after the wait began, sleeping included. */
void fc_spin_hit(struct fc_spin *sp);
void fc_spin_miss(struct fc_spin *sp);
void fc_spin_preempted(struct fc_spin *sp);
void fc_spin_slept(struct fc_spin *sp, uint64_t waited_ns);

/* Give the CPU away once, and learn from how long it took. False: it cannot be done, or took so long that a sleep would have been better. */
bool fc_spin_yield(struct fc_spin *sp);

/* yielded: a yield took that long; false if too long. came: what was waited for came after one; `few`: and it is just two who take turns,
 * who could do so on two CPUs. in_vain: it did not. */
bool fc_spin_yielded(struct fc_spin *sp, uint64_t ns);
void fc_spin_came(struct fc_spin *sp, bool few);
void fc_spin_in_vain(struct fc_spin *sp);

/*
 * Whether the threads of a session yield: all of them or none, for beside those that sleep and are woken, those that yield come last. Two manners
 * of waiting, compared by what a wait costs on the average: the better one is kept, the other is tried again now and then, more rarely each time it
 * was not better, and no longer than it takes to see that. All zero: it begins with yielding. While
 * yielding costs what it should, sleeping is not tried: the only one of several sessions to sleep would be served before the others, until all sleep.
 * No lock: what is lost where two meet is a wait more or less.
 */
struct fc_manner {
	uint32_t sleeps;     /* 1: they sleep at once; 0: they yield first */
	uint32_t trial;      /* of the one that seemed worse */
	uint32_t waits;      /* in this spell */
	uint32_t dear;       /* waits in a row in which yields took long */
	uint32_t spells;     /* until the other one is tried */
	uint32_t patience;   /* what `spells` was set to last */
	uint32_t mean_ns[2]; /* of each, in its last spell; 0 = not known */
	uint64_t spent_ns;   /* in this spell */
};

/* A wait took `ns`, and was begun with `sleeps` as that. `threads`: how many wait at a time, at most. */
void fc_manner_waited(struct fc_manner *m, uint32_t sleeps, uint64_t ns, uint32_t threads);

#endif
