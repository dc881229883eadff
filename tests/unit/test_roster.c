/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_roster.c - the memory all processes of a domain share: licences to spin, pids, counters of the dead. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "storage-domain/roster.h"

static bool get(struct fc_domain_shared *d)
{
	struct fc_licensee l = fc_roster_licensee(d);

	return fc_licence_take(l.of, l.count, l.owner);
}

static void put(struct fc_domain_shared *d)
{
	struct fc_licensee l = fc_roster_licensee(d);

	fc_licence_give(l.of, l.count, l.owner);
}

Test(roster, licences_leave_a_cpu_to_the_clients)
{
	cr_assert_eq(fc_licences_for(0, true), 0);
	cr_assert_eq(fc_licences_for(1, true), 0);
	cr_assert_eq(fc_licences_for(2, true), 1);
	cr_assert_eq(fc_licences_for(8, true), 7);
	cr_assert_eq(fc_licences_for(4096, true), FC_LICENCES_MAX);
}

Test(roster, all_cpus_may_spin_for_clients_elsewhere)
{
	cr_assert_eq(fc_licences_for(0, false), 0);
	cr_assert_eq(fc_licences_for(1, false), 1);
	cr_assert_eq(fc_licences_for(4096, false), FC_LICENCES_MAX);
}

Test(roster, never_more_spinners_than_licences)
{
	struct fc_domain_shared *d = fc_roster_create(1, 3);

	for (uint32_t slot = 0; slot < 3; slot++) {
		fc_roster_adopt(slot);
		cr_assert(get(d));
	}
	fc_roster_adopt(9);
	cr_assert_not(get(d));
	put(d); /* has none: gives none back */
	cr_assert_not(get(d));
	fc_roster_adopt(1);
	put(d);
	fc_roster_adopt(9);
	cr_assert(get(d));
	cr_assert_not(get(d));
}

Test(roster, without_licences_nobody_spins)
{
	struct fc_domain_shared *d = fc_roster_create(1, 0);

	fc_roster_adopt(0);
	cr_assert_not(get(d));
	put(d);
}

Test(roster, a_killed_holder_s_licences_come_back)
{
	struct fc_domain_shared *d = fc_roster_create(1, 4);
	struct fc_stat_counters total = { 0 };

	fc_roster_adopt(0);
	cr_assert(get(d));
	for (int round = 0; round < 50; round++) {
		pid_t pid = fork();

		if (!pid) {
			fc_roster_adopt(5);
			for (;;) {
				get(d);
				get(d);
				put(d);
			}
		}
		usleep(1000 + round * 37);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		fc_roster_clear(d, 5, &total);
		fc_roster_adopt(6);
		for (int i = 0; i < 3; i++)
			cr_assert(get(d));
		cr_assert_not(get(d));
		fc_roster_clear(d, 6, &total);
	}
}

Test(roster, pids_and_counters)
{
	struct fc_domain_shared *d = fc_roster_create(1, 1);
	struct fc_stat_counters total = { .calls = 1 };

	d->used = 3;
	d->slot[2] = (struct fc_roster_slot){
		.id = 7, .client_pid = 1000, .shadow_pid = 2000, .count = { .calls = 5, .errors = 2, .wakeups = 1 }
	};
	cr_assert_eq(fc_roster_client_pid(d, 2000), 1000);
	cr_assert_eq(fc_roster_client_pid(d, 2001), 2001);
	fc_roster_clear(d, 2, &total);
	cr_assert_eq(fc_roster_client_pid(d, 2000), 2000);
	cr_assert(total.calls == 6 && total.errors == 2 && total.wakeups == 1);
	cr_assert(d->slot[2].id == 0 && d->slot[2].count.calls == 0);
}
