/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* region.h - bounds of a region in shared memory. It owns the one overflow-safe comparison; what lies there is not its. */
#ifndef FC_COMMON_REGION_H
#define FC_COMMON_REGION_H

#include <stdbool.h>
#include <stdint.h>

/* Whether [offset, offset + length) lies within `capacity` bytes. All three may be a peer's. */
static inline bool fc_region_ok(uint64_t capacity, uint64_t offset, uint64_t length)
{
	return offset <= capacity && length <= capacity - offset;
}

#endif
