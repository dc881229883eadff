/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * licence.h - licences to spin: there are so many, and whoever spins holds one. It owns who holds which; how many there are and
 * which processes share them is the roster's.
 */
#ifndef FC_DOMAIN_LICENCE_H
#define FC_DOMAIN_LICENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "farcall/abi.h"

#define FC_LICENCES_MAX 64

/* 0, or the name of the process whose worker holds it. Named owners, so that those of a killed process can be taken back
 * exactly. */
struct fc_licence {
	uint32_t owner;
} __attribute__((aligned(FC_CACHE_LINE)));

/* One worker as somebody who may hold one of them; its own. */
struct fc_licensee {
	struct fc_licence *of;
	uint32_t count; /* of those */
	uint32_t owner; /* its process' name, not 0 */
	bool held;
};

/* Take one that is free; false: there is none. */
bool fc_licence_take(struct fc_licence *of, uint32_t count, uint32_t owner);

/* Give one of `owner`'s back; without any, nothing happens. */
void fc_licence_give(struct fc_licence *of, uint32_t count, uint32_t owner);

/* No thread of `owner` runs any more: take back what it held. */
void fc_licence_reclaim(struct fc_licence *of, uint32_t count, uint32_t owner);

bool fc_licence_try(struct fc_licensee *l);

/* Whether this worker may spin: with a licence, which it keeps until it puts it back. */
static inline bool fc_licence_get(struct fc_licensee *l)
{
	return l->held || fc_licence_try(l);
}

void fc_licence_put(struct fc_licensee *l);

#endif
