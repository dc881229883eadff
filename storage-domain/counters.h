/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * counters.h - sums of struct fc_stat_counters, which has counters and nothing else: here none can be forgotten.
 */
#ifndef FC_DOMAIN_COUNTERS_H
#define FC_DOMAIN_COUNTERS_H

#include "farcall/farcall.h"

void fc_counters_add(struct fc_stat_counters *to, const struct fc_stat_counters *from);

/* Add to what others add to at the same time; *from is 0 then. */
void fc_counters_move(struct fc_stat_counters *to, struct fc_stat_counters *from);

#endif
