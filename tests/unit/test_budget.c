/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_budget.c - the rule by which the domain is shared out between users, and the descriptors a client may have. */
#define _GNU_SOURCE
#include <criterion/criterion.h>

#include "storage-domain/roster.h"

static struct fc_domain_shared *domain(uint64_t tasks, uint64_t files)
{
	struct fc_domain_shared *d = fc_roster_create(1, 0);

	cr_assert(d);
	d->capacity = (struct fc_capacity){ { [FC_TASKS] = tasks, [FC_FILES] = files, [FC_BYTES] = 1 << 20 } };
	d->used = 16;
	for (unsigned i = 0; i < 16; i++)
		d->slot[i].tasks_max = UINT32_MAX;
	return d;
}

/* As many as `owner` gets, one by one, in slot `i`. */
static unsigned fill(struct fc_domain_shared *d, unsigned i, uint32_t owner)
{
	unsigned n = 0;

	d->slot[i].owner = owner;
	while (fc_budget_take(d, &d->slot[i], FC_TASKS, 1))
		n++;
	return n;
}

Test(budget, one_user_has_half)
{
	struct fc_domain_shared *d = domain(1000, 0);

	cr_assert_eq(fill(d, 0, 1), 500);
	cr_assert_eq(fill(d, 1, 1), 0, "not more in another session");
}

Test(budget, everybody_who_comes_finds_something)
{
	struct fc_domain_shared *d = domain(1000, 0);
	unsigned left = 1000;

	for (unsigned user = 1; user <= 5; user++) {
		unsigned n = fill(d, user, user);

		cr_assert_eq(n, left / 2);
		left -= n;
	}
	cr_assert(left > 0);
}

Test(budget, what_a_cleared_slot_held_is_free)
{
	struct fc_domain_shared *d = domain(1000, 0);
	struct fc_stat_counters total = { 0 };

	cr_assert_eq(fill(d, 0, 1), 500);
	fc_roster_clear(d, 0, &total);
	d->slot[0].tasks_max = UINT32_MAX;
	cr_assert_eq(fill(d, 0, 1), 500);
	fc_budget_give(&d->slot[0], FC_TASKS, 100);
	cr_assert_eq(fill(d, 0, 1), 100);
}

Test(budget, a_question_takes_nothing)
{
	struct fc_domain_shared *d = domain(10, 0);

	for (int i = 0; i < 3; i++) {
		cr_assert(fc_budget_fits(d, 1, FC_TASKS, 5));
		cr_assert_not(fc_budget_fits(d, 1, FC_TASKS, 6));
		cr_assert_not(fc_budget_fits(d, 1, FC_TASKS, UINT64_MAX / 2));
	}
	cr_assert_eq(fill(d, 0, 1), 5);
}

Test(budget, the_users_own_limit_counts_all_its_sessions)
{
	struct fc_domain_shared *d = domain(1000, 0);

	d->slot[0].tasks_max = d->slot[1].tasks_max = 20;
	cr_assert_eq(fill(d, 0, 1), 20);
	cr_assert_eq(fill(d, 1, 1), 0);
	cr_assert_eq(fill(d, 2, 2), (1000 - 20) / 2);
}

static struct fc_shadow shadow(struct fc_domain_shared *d, uint32_t most)
{
	d->slot[0].owner = 1;
	d->slot[0].descriptors_max = FC_DOMAIN_FD_FIRST + most;
	d->slot[0].held[FC_FILES] = 0;
	return (struct fc_shadow){ .shared = d, .slot = &d->slot[0], .descriptors_end = FC_DOMAIN_FD_FIRST };
}

Test(budget, descriptors_are_paid_for_by_steps)
{
	struct fc_domain_shared *d = domain(0, 1 << 20);
	struct fc_shadow s = shadow(d, 1000);

	cr_assert(fc_budget_descriptor(&s, FC_DOMAIN_FD_FIRST));
	cr_assert_eq(s.slot->held[FC_FILES], FC_FILES_STEP);
	cr_assert(fc_budget_descriptor(&s, FC_DOMAIN_FD_FIRST + FC_FILES_STEP - 1));
	cr_assert_eq(s.slot->held[FC_FILES], FC_FILES_STEP);
	cr_assert(fc_budget_descriptor(&s, FC_DOMAIN_FD_FIRST + FC_FILES_STEP));
	cr_assert_eq(s.slot->held[FC_FILES], 2 * FC_FILES_STEP);
}

Test(budget, no_descriptor_beyond_the_clients_limit)
{
	struct fc_domain_shared *d = domain(0, 1 << 20);
	struct fc_shadow s = shadow(d, 64);

	cr_assert(fc_budget_descriptor(&s, FC_DOMAIN_FD_FIRST + 63));
	cr_assert_not(fc_budget_descriptor(&s, FC_DOMAIN_FD_FIRST + 64));
	cr_assert_not(fc_budget_descriptor(&s, FC_DOMAIN_FD_FIRST - 1));
	cr_assert_not(fc_budget_descriptor(&s, -1));
	cr_assert_eq(s.descriptors_end, FC_DOMAIN_FD_FIRST + 64);
}

Test(budget, no_descriptors_when_others_would_have_none)
{
	struct fc_domain_shared *d = domain(0, 4 * FC_FILES_STEP);
	struct fc_shadow s = shadow(d, 1 << 19);

	cr_assert(fc_budget_descriptor(&s, FC_DOMAIN_FD_FIRST + 2 * FC_FILES_STEP - 1));
	cr_assert_not(fc_budget_descriptor(&s, FC_DOMAIN_FD_FIRST + 2 * FC_FILES_STEP));
	cr_assert_eq(s.slot->held[FC_FILES], 2 * FC_FILES_STEP);
}

Test(budget, this_machine_has_something)
{
	struct fc_capacity c;

	fc_capacity_measure(&c);
	for (int good = 0; good < FC_GOODS; good++)
		cr_assert(c.of[good] > 16, "good %d: %llu", good, (unsigned long long)c.of[good]);
}
