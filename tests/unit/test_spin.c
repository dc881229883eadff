/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_spin.c - what the spinning budget learns. */
#include <criterion/criterion.h>
#include <signal.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "common/spin.h"

Test(spin, starts_near_the_cost_of_a_wake)
{
	struct fc_spin sp;

	fc_spin_init(&sp, &fc_spin_local);
	cr_expect_geq(sp.budget_ns, 50000);
	cr_expect_leq(sp.budget_ns, fc_spin_local.wake_ns);
}

Test(spin, hits_raise_it_to_a_limit)
{
	struct fc_spin sp;

	fc_spin_init(&sp, &fc_spin_local);
	for (int i = 0; i < 1000; i++)
		fc_spin_hit(&sp);
	cr_expect_eq(sp.budget_ns, fc_spin_local.wake_ns);
}

Test(spin, misses_end_it_soon_and_good_signs_bring_it_back)
{
	struct fc_spin sp;
	int misses = 0;

	fc_spin_init(&sp, &fc_spin_local);
	for (; sp.budget_ns; misses++)
		fc_spin_miss(&sp);
	cr_expect_leq(misses, 8);
	fc_spin_slept(&sp, 10 * fc_spin_local.wake_ns); /* spinning would not have helped */
	cr_expect_eq(sp.budget_ns, 0);
	fc_spin_slept(&sp, fc_spin_local.wake_ns);
	cr_expect_gt(sp.budget_ns, 0);
}

Test(spin, preemption_ends_it_at_once_and_for_longer_each_time)
{
	struct fc_spin sp;
	int first = 0, second = 0;

	fc_spin_init(&sp, &fc_spin_local);
	fc_spin_preempted(&sp);
	cr_expect_eq(sp.budget_ns, 0);
	for (; !sp.budget_ns; first++)
		fc_spin_slept(&sp, 1000);
	cr_expect_gt(first, 8);
	fc_spin_preempted(&sp);
	for (; !sp.budget_ns; second++)
		fc_spin_slept(&sp, 1000);
	cr_expect_gt(second, first);
	for (int i = 0; i < 100; i++)
		fc_spin_preempted(&sp);
	for (second = 0; !sp.budget_ns && second < 10000; second++)
		fc_spin_slept(&sp, 1000);
	cr_expect_gt(sp.budget_ns, 0, "it must recover in the end");
	for (int i = 0; i < 100; i++)
		fc_spin_hit(&sp);
	fc_spin_preempted(&sp); /* forgiven after a time of hits */
	for (second = 0; !sp.budget_ns; second++)
		fc_spin_slept(&sp, 1000);
	cr_expect_eq(second, first);
}

/* Measured over some time, or anew if that cannot be. */
Test(spin, rate)
{
	struct timespec now;
	uint32_t rate;

	fc_tsc_calibrate();
	rate = fc_tsc_per_us;
	for (int i = 0; i < 2; i++) {
		uint64_t before = fc_tsc();

		clock_gettime(CLOCK_MONOTONIC, &now);
		now.tv_sec -= i * 5; /* the machine has slept since, and the counter stood still */
		fc_tsc_begin(before, &now);
		usleep(2000);
		fc_tsc_per_us = 0;
		fc_tsc_calibrate();
		cr_expect_gt(fc_tsc_per_us, rate / 2);
		cr_expect_lt(fc_tsc_per_us, rate * 2);
	}
}

/* Somebody else has the CPU for a while, between any two instructions. */
static void interrupt(int signal)
{
	uint64_t start = fc_tsc();

	(void)signal;
	while (fc_tsc() - start < 200000)
		;
}

Test(spin, rate_beside_others)
{
	const struct itimerval often = { { 0, 150 }, { 0, 150 } }, never = { { 0, 0 }, { 0, 0 } };
	const struct timespec unknown = { 0, 0 };
	uint32_t rate;
	int wrong = 0;

	fc_tsc_calibrate();
	rate = fc_tsc_per_us;
	signal(SIGALRM, interrupt);
	setitimer(ITIMER_REAL, &often, NULL);
	for (int i = 0; i < 1000; i++) {
		fc_tsc_begin(fc_tsc(), &unknown);
		fc_tsc_per_us = 0;
		fc_tsc_calibrate();
		wrong += fc_tsc_per_us < rate / 2 || fc_tsc_per_us > rate * 2;
	}
	setitimer(ITIMER_REAL, &never, NULL);
	fc_tsc_per_us = rate;
	cr_expect_eq(wrong, 0, "%d of 1000 are wrong", wrong);
}

Test(spin, clock)
{
	fc_tsc_calibrate();
	cr_expect_gt(fc_tsc_per_us, 100);
	cr_expect_lt(fc_tsc_per_us, 20000);
	cr_expect_eq(fc_tsc_to_ns(fc_tsc_from_ns(1000000)), 1000000);
}

Test(spin, a_yield_says_whether_the_cpu_is_wanted)
{
	struct fc_spin sp;

	fc_spin_init(&sp, &fc_spin_local);
	cr_expect(fc_spin_yielded(&sp, 400));
	fc_spin_came(&sp, false);
	cr_expect_gt(sp.budget_ns, 0, "nobody was there");
	cr_expect(fc_spin_yielded(&sp, 30000));
	fc_spin_came(&sp, false);
	cr_expect_eq(sp.budget_ns, 0, "somebody was");
	for (int i = 0; i < 10000; i++) {
		fc_spin_yielded(&sp, 30000);
		fc_spin_came(&sp, false);
	}
	cr_expect_eq(sp.budget_ns, 0, "no spinning among many");
	cr_expect_not(fc_spin_yielded(&sp, 4000000), "a slice");
	fc_spin_in_vain(&sp);
	for (int i = 0; i < 10000 && !sp.budget_ns; i++) {
		fc_spin_yielded(&sp, 400);
		fc_spin_came(&sp, false);
	}
	cr_expect_gt(sp.budget_ns, 0, "alone again");
}

Test(spin, one_peer_on_the_same_cpu_may_go_elsewhere)
{
	struct fc_spin sp;
	int n;

	fc_spin_init(&sp, &fc_spin_local);
	fc_spin_yielded(&sp, 30000);
	fc_spin_came(&sp, true);
	cr_expect_gt(sp.budget_ns, 0);
	fc_spin_preempted(&sp);
	for (n = 0; !sp.budget_ns && n < 10000; n++) {
		fc_spin_yielded(&sp, 30000);
		fc_spin_came(&sp, true);
	}
	cr_expect_gt(sp.budget_ns, 0);
}

/* So many waits, each as dear as its manner; how many were made sleeping. */
static unsigned wait_often(struct fc_manner *m, unsigned waits, uint64_t yielding_ns, uint64_t sleeping_ns)
{
	unsigned slept = 0;

	for (unsigned i = 0; i < waits; i++) {
		uint32_t sleeps = m->sleeps;

		slept += sleeps;
		fc_manner_waited(m, sleeps, sleeps ? sleeping_ns : yielding_ns, 1);
	}
	return slept;
}

Test(manner, the_cheaper_one_is_kept_and_the_other_tried_rarely)
{
	struct fc_manner m = { 0 };
	unsigned slept;

	slept = wait_often(&m, 1000000, 400000, 800000);
	cr_expect_gt(slept, 0);
	cr_expect_lt(slept, 20000);
	wait_often(&m, 1000000, 800000, 400000); /* things have changed */
	slept = wait_often(&m, 1000000, 800000, 400000);
	cr_expect_gt(slept, 980000);
	cr_expect_lt(slept, 1000000);
	wait_often(&m, 1000000, 400000, 800000); /* and back */
	cr_expect_lt(wait_often(&m, 1000000, 400000, 800000), 20000);
}

Test(manner, nearly_as_good_is_no_reason)
{
	struct fc_manner m = { 0 };
	unsigned changes = 0;
	uint32_t was = m.sleeps;

	for (int i = 0; i < 1000000; i++) {
		wait_often(&m, 1, 400000, i & 1 ? 392000 : 388000);
		changes += m.sleeps != was;
		was = m.sleeps;
	}
	cr_expect_lt(changes, 64);
}

Test(manner, yields_that_cost_slices_are_soon_given_up)
{
	struct fc_manner m = { 0 };

	cr_expect_lt(50 - wait_often(&m, 50, 4000000, 50000), 25u, "as a process begins");
	m = (struct fc_manner){ 0 };
	wait_often(&m, 100000, 30000, 60000);
	while (m.sleeps)
		wait_often(&m, 1, 30000, 60000);
	cr_expect_gt(wait_often(&m, 64, 4000000, 50000), 0, "in the middle");
	wait_often(&m, 200000, 4000000, 50000);
	cr_expect_lt(1000000 - wait_often(&m, 1000000, 4000000, 50000), 100u, "and hardly tried again");
}

Test(manner, a_stall_of_all_threads_changes_nothing)
{
	struct fc_manner m = { 0 };

	wait_often(&m, 100000, 400000, 800000);
	while (m.sleeps || m.trial)
		wait_often(&m, 1, 400000, 800000);
	for (int i = 0; i < 8; i++)
		fc_manner_waited(&m, 0, 20000000, 1);
	cr_expect_lt(wait_often(&m, 10000, 400000, 800000), 2000u);
	cr_expect_eq(m.sleeps, 0);
}

Test(manner, sleeping_is_not_tried_while_yielding_costs_what_it_should)
{
	struct fc_manner m = { 0 };
	unsigned slept = 0;

	cr_expect_eq(wait_often(&m, 1000000, 50000, 1000), 0);
	for (int i = 0; i < 1000000; i++) {
		slept += m.sleeps;
		fc_manner_waited(&m, m.sleeps, 300000, 16);
	}
	cr_expect_eq(slept, 0, "sixteen threads wait longer");
}
