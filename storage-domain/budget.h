/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * budget.h - how much of the domain one user may have. There is one rule for everything: a user gets more only as long as he has
 * no more than what is then left for everybody. So one user alone can have half of it, two a third each, and whoever comes
 * next always finds something. (Choudhury and Hahne's dynamic thresholds, IEEE/ACM ToN 6(2), 1998, with alpha = 1.)
 *
 * What a session holds stands in its roster slot and nowhere else: when the slot is cleared it is free again, whatever its
 * shadow died of. Which user pays is the real uid of the client, as for RLIMIT_NPROC.
 */
#ifndef FC_DOMAIN_BUDGET_H
#define FC_DOMAIN_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

enum fc_good {
	FC_TASKS, /* threads of the domain's processes */
	FC_FILES, /* descriptors that clients have open */
	FC_BYTES, /* of clients' memory that the domain may have to pay for */
	FC_GOODS
};

#define FC_TASKS_BASE 3  /* of any session: control, the first worker, the spare */
#define FC_TASKS_HEIR 1  /* of one that has no client yet (heir.c) */
#define FC_FILES_STEP 32 /* descriptors are taken by so many: a session that has opened nothing holds so many, too */

struct fc_capacity {
	uint64_t of[FC_GOODS];
};

struct fc_domain_shared;
struct fc_roster_slot;
struct fc_shadow;

/* capacity.c: what this machine, and the control groups the domain was started in, have for it. Reads the host's /proc and
 * /sys. Logs nothing: what cannot be read does not limit. */
void fc_capacity_measure(struct fc_capacity *c);

/* Would `owner` be within the rule with `more` of it? Others may be faster. */
bool fc_budget_fits(const struct fc_domain_shared *d, uint32_t owner, enum fc_good good, uint64_t more);

/* Take `n` more for the session of `slot`, or nothing. Any thread of any process of the domain. */
bool fc_budget_take(const struct fc_domain_shared *d, struct fc_roster_slot *slot, enum fc_good good, uint64_t n);
void fc_budget_give(struct fc_roster_slot *slot, enum fc_good good, uint64_t n);

/* May the client have descriptor `fd`? Takes more for it where it must. Descriptors are numbered from the lowest, so that a
 * bound on the number is one on how many are open. */
bool fc_budget_descriptor(struct fc_shadow *s, int fd);

/* The same for one that it has just been given, from the first number on that is its own. */
bool fc_budget_number(struct fc_shadow *s, int64_t fd);

/* The client has opened, or made another descriptor for, what may be a FIFO: pay for the pipe behind it. What is in a pipe is memory of the
 * kernel's that nobody but the domain is charged for. Returns its size, 0 if it is none, -1 if it cannot be had. */
int64_t fc_budget_pipe(struct fc_shadow *s, int fd);

/* close(2) of a client's descriptor, and what was paid for a pipe behind it is given back. */
int64_t fc_budget_close(struct fc_shadow *s, int fd);

#endif
