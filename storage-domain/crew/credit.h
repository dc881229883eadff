/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * credit.h - what the workers of a session promise its client: how many calls in flight they serve without being rung. It owns the
 * header's `credit`; who is awake or stuck is crew.c's, under whose lock all this is called. crew.h says what the states mean.
 */
#ifndef FC_DOMAIN_CREDIT_H
#define FC_DOMAIN_CREDIT_H

#include <stdbool.h>
#include <stdint.h>

#include "farcall/abi.h"

struct fc_crew_count {
	uint32_t live;  /* threads */
	uint32_t awake; /* of those */
	uint32_t stuck; /* of those: each serves the one call it has */
};

/* The credit that such a crew is worth; `eager`: each ready worker is counted on for one call only. */
uint32_t fc_credit_of(const struct fc_crew_count *n, bool eager);

/* Say so to the client, if it is news. Whoever has lowered it looks at the queue afterwards (doorbell.h). */
void fc_credit_publish(struct fc_area_header *h, const struct fc_crew_count *n, bool eager);

#endif
