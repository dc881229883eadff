/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_spin.c - what the spinning budget learns. */
#include <criterion/criterion.h>
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
	uint32_t rate;

	fc_tsc_calibrate();
	rate = fc_tsc_per_us;
	fc_tsc_per_us = 0;
	fc_tsc_begin();
	for (int i = 0; i < 20; i++)
		usleep(100);
	fc_tsc_calibrate();
	cr_expect_gt(fc_tsc_per_us, rate / 2);
	cr_expect_lt(fc_tsc_per_us, rate * 2);
}

Test(spin, clock)
{
	fc_tsc_calibrate();
	cr_expect_gt(fc_tsc_per_us, 100);
	cr_expect_lt(fc_tsc_per_us, 20000);
	cr_expect_eq(fc_tsc_to_ns(fc_tsc_from_ns(1000000)), 1000000);
}
