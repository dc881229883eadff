/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* region.h - bounds in shared memory. It owns the one overflow-safe comparison and the arithmetic of data segments; what lies
 * there is not its. */
#ifndef FC_COMMON_REGION_H
#define FC_COMMON_REGION_H

#include <stdbool.h>
#include <stdint.h>

#include "farcall/abi.h"

/* Whether [offset, offset + length) lies within `capacity` bytes. All three may be a peer's. */
static inline bool fc_region_ok(uint64_t capacity, uint64_t offset, uint64_t length)
{
	return offset <= capacity && length <= capacity - offset;
}

/* The data segment that `offset` lies in: 0 for [0, FC_DATA_MIN), n for [FC_DATA_MIN << n - 1, FC_DATA_MIN << n). */
static inline unsigned fc_segment_of(uint64_t offset)
{
	uint64_t units = offset / FC_DATA_MIN;

	return units ? 64 - (unsigned)__builtin_clzll(units) : 0;
}

static inline uint64_t fc_segment_start(unsigned segment)
{
	return segment ? (uint64_t)FC_DATA_MIN << (segment - 1) : 0;
}

static inline uint64_t fc_segment_end(unsigned segment)
{
	return (uint64_t)FC_DATA_MIN << segment;
}

#endif
