/* SPDX-License-Identifier: GPL-2.0-or-later */
/* credit.c - see credit.h. */
#include "storage-domain/crew/credit.h"

#include "common/atomic.h"

uint32_t fc_credit_of(const struct fc_crew_count *n, bool eager)
{
	uint32_t ready = n->awake - n->stuck;

	return n->stuck + (!ready ? 0 : eager ? ready : FC_ENTRIES);
}

void fc_credit_publish(struct fc_area_header *h, const struct fc_crew_count *n, bool eager)
{
	uint32_t credit = fc_credit_of(n, eager);

	if (fc_load(&h->credit) != credit)
		fc_store(&h->credit, credit);
}
