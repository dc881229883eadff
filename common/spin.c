/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* spin.c - the on-line spinning budget, see spin.h. */
#include "common/spin.h"

#include <sys/syscall.h>
#include <time.h>

#include "common/rawcall.h"

#define STEP_NS 4000u
#define LEAST_NS 2000u /* below this a spin covers nothing: sleep instead */
#define BACKOFF_FIRST 16u
#define BACKOFF_LAST 1024u

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

static uint64_t clock_ns(void)
{
	struct timespec ts;

	fc_call(SYS_clock_gettime, CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

#define MEASURE_NS 20000u
#define SLOWEST 400u /* ticks in a microsecond; what is measured across a suspension of the machine can be anything */
#define FASTEST 10000u

static uint64_t begun_ns, begun_tsc;

void fc_tsc_begin(void)
{
	begun_ns = clock_ns();
	begun_tsc = fc_tsc();
}

static uint64_t measure(void)
{
	uint64_t ns;

	do {
		ns = clock_ns();
	} while (ns - begun_ns < MEASURE_NS);
	return (fc_tsc() - begun_tsc) * 1000 / (ns - begun_ns);
}

void fc_tsc_calibrate(void)
{
	uint64_t rate = 0;

	if (fc_tsc_per_us)
		return;
	if (begun_ns)
		rate = measure();
	if (rate < SLOWEST || rate > FASTEST) {
		fc_tsc_begin();
		rate = measure();
	}
	fc_tsc_per_us = rate ? (uint32_t)rate : 1;
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
