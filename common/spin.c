/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* spin.c - the on-line spinning budget, see spin.h. */
#include "common/spin.h"

#include <sys/syscall.h>
#include <time.h>

#include "common/atomic.h"
#include "common/rawcall.h"

#define STEP_NS 4000u
#define LEAST_NS 2000u /* below this a spin covers nothing: sleep instead */
#define BACKOFF_FIRST 16u
#define BACKOFF_LAST 1024u

#define YIELD_SHARED_NS 2000u  /* longer than one that finds nobody */
#define YIELD_DEAR_NS 1500000u /* longer than a round of calls, shorter than a slice */

#define SPELL 128u  /* waits */
#define SETTLES 32u /* waits, after a change: those that still wait in the other manner are in the way */
#define TRIAL_WORSE 2u
#define DEAR_RUN 20u /* waits in a row: no accident that stops all threads once */
#define PATIENCE_FIRST 16u
#define PATIENCE_LAST 2048u
#define PATIENCE_MORE 2u /* times */
#define PATIENCE_DEAR 8u
#define CALM_NS 100000u      /* for each thread */
#define WAIT_MOST_NS 8000000 /* longer ones say nothing about the manner */

const struct fc_spin_cost fc_spin_local = { 70000, 50000 };
const struct fc_spin_cost fc_spin_xen = { 600000, 2000000 };
enum fc_spin_policy fc_spin_policy;
uint32_t fc_tsc_per_us;

int fc_spin_policy_find(const char *name)
{
	static const char names[][9] = { "adaptive", "always", "never" };

	for (int i = 0; i < 3; i++) {
		const char *a = names[i], *b = name;

		while (*a && *a == *b)
			a++, b++;
		if (*a == *b)
			return i;
	}
	return -1;
}

#define MEASURE_NS 20000u
#define MEASURE_MOST_NS 1000000000u /* across a suspension of the machine anything can be measured */
#define RATE_UNKNOWN 2000u          /* there is no clock to be had */
#define LOOKS 4

/* A moment on both clocks; the counter was read up to `took` ticks before the other. */
struct moment {
	uint64_t ns, tsc, took;
};

static struct moment begun = { .took = UINT64_MAX };

/* 0: that is forbidden. */
static uint64_t clock_ns(void)
{
	struct timespec ts;

	return fc_call(SYS_clock_gettime, CLOCK_MONOTONIC, &ts) < 0 ? 0 : ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

/* Whoever is preempted between the two gets what belongs to two moments: so the shortest look of some counts. ns is 0: no clock. */
static struct moment look(void)
{
	struct moment best = { .took = UINT64_MAX };

	for (int i = 0; i < LOOKS; i++) {
		struct moment m = { .tsc = fc_tsc() };

		m.ns = clock_ns();
		m.took = fc_tsc() - m.tsc;
		if (m.ns && m.took < best.took)
			best = m;
	}
	return best;
}

void fc_tsc_begin(uint64_t before, const struct timespec *now)
{
	struct moment m = { now->tv_sec * 1000000000ull + now->tv_nsec, before, fc_tsc() - before };

	if (m.took < begun.took)
		begun = m;
}

/* Is the time between them long enough, and so much longer than looking at them took that the rate is not wrong by more than a third? */
static int apart(const struct moment *a, const struct moment *b)
{
	return b->ns - a->ns >= MEASURE_NS && (b->tsc - a->tsc) / 4 >= a->took + b->took;
}

void fc_tsc_calibrate(void)
{
	struct moment from = begun, to;

	if (fc_tsc_per_us)
		return;
	do {
		to = look();
		if (!from.ns || to.ns - from.ns > MEASURE_MOST_NS || to.took < from.took / 8)
			from = to;
	} while (to.ns && !apart(&from, &to));
	fc_tsc_per_us = to.ns ? (uint32_t)((to.tsc - from.tsc) * 1000 / (to.ns - from.ns)) : RATE_UNKNOWN;
	if (!fc_tsc_per_us)
		fc_tsc_per_us = 1;
	begun.took = UINT64_MAX;
}

static void apply_policy(struct fc_spin *sp)
{
	if (fc_spin_policy != FC_SPIN_ADAPTIVE)
		sp->budget_ns = fc_spin_policy == FC_SPIN_ALWAYS ? UINT32_MAX : 0;
}

void fc_spin_init(struct fc_spin *sp, const struct fc_spin_cost *cost)
{
	*sp = (struct fc_spin){ .cost = cost, .budget_ns = cost->wake_ns - cost->wake_ns / 8 };
	apply_policy(sp);
}

static void raise_budget(struct fc_spin *sp, uint32_t by_ns)
{
	sp->budget_ns += by_ns;
	if (sp->budget_ns > sp->cost->wake_ns)
		sp->budget_ns = sp->cost->wake_ns;
	apply_policy(sp);
}

void fc_spin_hit(struct fc_spin *sp)
{
	if (sp->budget_ns < sp->cost->wake_ns)
		raise_budget(sp, STEP_NS);
	else if (sp->backoff)
		sp->backoff = 0; /* a full budget again: the CPU is ours */
}

void fc_spin_miss(struct fc_spin *sp)
{
	sp->budget_ns /= 2;
	if (sp->budget_ns < LEAST_NS)
		sp->budget_ns = 0;
	apply_policy(sp);
}

void fc_spin_preempted(struct fc_spin *sp)
{
	sp->budget_ns = 0;
	sp->backoff = sp->backoff ? 2 * sp->backoff : BACKOFF_FIRST;
	if (sp->backoff > BACKOFF_LAST)
		sp->backoff = BACKOFF_LAST;
	sp->probation = sp->backoff;
	apply_policy(sp);
}

bool fc_spin_yielded(struct fc_spin *sp, uint64_t ns)
{
	sp->shared |= ns > YIELD_SHARED_NS;
	return ns < YIELD_DEAR_NS;
}

bool fc_spin_yield(struct fc_spin *sp)
{
	uint64_t start = fc_tsc();

	return fc_spin_policy == FC_SPIN_ADAPTIVE && !fc_call(SYS_sched_yield) &&
	       fc_spin_yielded(sp, fc_tsc_to_ns(fc_tsc() - start));
}

void fc_spin_came(struct fc_spin *sp, bool few)
{
	if (!few && sp->shared) {
		if (sp->budget_ns)
			fc_spin_preempted(sp);
	} else if (sp->probation) {
		sp->probation--;
	} else {
		raise_budget(sp, STEP_NS);
	}
	sp->shared = false;
}

void fc_spin_in_vain(struct fc_spin *sp)
{
	sp->shared = false;
}

void fc_spin_slept(struct fc_spin *sp, uint64_t waited_ns)
{
	/* the wait includes the wakeup itself, which is about wake_ns at its worst */
	if (waited_ns >= 2 * (uint64_t)sp->cost->wake_ns)
		return;
	if (sp->probation)
		sp->probation--;
	else
		/* more than a miss takes away, or it would not get anywhere */
		raise_budget(sp, sp->budget_ns + STEP_NS);
}

/* ---- yielding or sleeping ---- */

static void change(struct fc_manner *m, uint32_t to, bool trial)
{
	fc_store(&m->trial, trial);
	fc_store(&m->waits, 0u);
	fc_store(&m->spent_ns, 0u);
	fc_store(&m->dear, 0u);
	fc_store(&m->sleeps, to);
}

static uint32_t more_patience(uint32_t patience, bool dear)
{
	patience = !patience ? PATIENCE_FIRST : patience * (dear ? PATIENCE_DEAR : PATIENCE_MORE);
	return patience < PATIENCE_LAST ? patience : PATIENCE_LAST;
}

/* A spell of `n` waits is over. Better is what is better by an eighth. */
static void judge(struct fc_manner *m, uint32_t sleeps, uint32_t n, uint64_t spent, bool dear, bool calm)
{
	const uint32_t other = fc_load(&m->mean_ns[!sleeps]), mean = (uint32_t)(spent / n) + 1;
	uint32_t patience = fc_load(&m->patience);

	fc_store(&m->mean_ns[sleeps], mean);
	fc_store(&m->spent_ns, 0u);
	fc_store(&m->dear, 0u);
	if (!fc_load(&m->trial)) {
		if (!sleeps && !dear && calm)
			return;
		if (dear || !other || fc_load(&m->spells) <= 1)
			change(m, !sleeps, true);
		else
			fc_store(&m->spells, fc_load(&m->spells) - 1);
		return;
	}
	if (!dear && mean < other - other / 8) {
		fc_store(&m->trial, 0u);
		patience = more_patience(0, false);
		if (sleeps && other > YIELD_DEAR_NS)
			patience = more_patience(patience, true);
	} else {
		change(m, !sleeps, false);
		patience = more_patience(patience, dear);
	}
	fc_store(&m->patience, patience);
	fc_store(&m->spells, patience);
}

void fc_manner_waited(struct fc_manner *m, uint32_t sleeps, uint64_t ns, uint32_t threads)
{
	uint64_t spent;
	uint32_t n, dear;
	bool early;

	if (fc_load(&m->sleeps) != sleeps)
		return;
	if (ns > WAIT_MOST_NS)
		ns = WAIT_MOST_NS;
	n = fc_faa(&m->waits, 1u) + 1;
	dear = !sleeps && ns > YIELD_DEAR_NS ? fc_load(&m->dear) + 1 : 0;
	if (fc_load(&m->dear) != dear)
		fc_store(&m->dear, dear);
	if (n <= SETTLES && dear < DEAR_RUN)
		return;
	spent = fc_faa(&m->spent_ns, ns) + ns;
	early = dear >= DEAR_RUN ||
		(fc_load(&m->trial) && spent > (uint64_t)TRIAL_WORSE * SPELL * fc_load(&m->mean_ns[!sleeps]));
	/* one of those that see it at the same time */
	if ((!early && n < SETTLES + SPELL) || !fc_cas(&m->waits, n, SETTLES))
		return;
	n = n > SETTLES ? n - SETTLES : 1;
	judge(m, sleeps, n, spent, dear >= DEAR_RUN, spent / n <= (uint64_t)CALM_NS * threads);
}
