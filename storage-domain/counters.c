/* SPDX-License-Identifier: GPL-2.0-or-later */
/* counters.c - sums of statistics, see counters.h. */
#include "storage-domain/counters.h"

#include <stddef.h>
#include <string.h>

#include "common/atomic.h"

#define COUNTERS (sizeof(struct fc_stat_counters) / sizeof(uint64_t))

void fc_counters_add(struct fc_stat_counters *to, const struct fc_stat_counters *from)
{
	for (size_t i = 0; i < COUNTERS; i++)
		((uint64_t *)to)[i] += ((const uint64_t *)from)[i];
}

void fc_counters_move(struct fc_stat_counters *to, struct fc_stat_counters *from)
{
	for (size_t i = 0; i < COUNTERS; i++)
		if (((uint64_t *)from)[i])
			fc_faa(&((uint64_t *)to)[i], ((uint64_t *)from)[i]);
	memset(from, 0, sizeof *from);
}
