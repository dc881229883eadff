/* SPDX-License-Identifier: GPL-2.0-or-later */
/* licence.c - see licence.h. Each begins to look at a place of its own, so that few meet on one cache line. */
#include "storage-domain/licence.h"

#include "common/atomic.h"

bool fc_licence_take(struct fc_licence *of, uint32_t count, uint32_t owner)
{
	for (uint32_t i = 0; i < count; i++) {
		struct fc_licence *l = &of[(owner + i) % count];

		if (fc_load(&l->owner) == 0 && fc_cas(&l->owner, 0u, owner))
			return true;
	}
	return false;
}

void fc_licence_give(struct fc_licence *of, uint32_t count, uint32_t owner)
{
	for (uint32_t i = 0; i < count; i++) {
		struct fc_licence *l = &of[(owner + i) % count];

		/* other workers of this process give theirs back at the same time */
		if (fc_load(&l->owner) == owner && fc_cas(&l->owner, owner, 0u))
			return;
	}
}

void fc_licence_reclaim(struct fc_licence *of, uint32_t count, uint32_t owner)
{
	for (uint32_t i = 0; i < count; i++)
		fc_cas(&of[i].owner, owner, 0u);
}

bool fc_licence_try(struct fc_licensee *l)
{
	l->held = fc_licence_take(l->of, l->count, l->owner);
	return l->held;
}

void fc_licence_put(struct fc_licensee *l)
{
	if (!l->held)
		return;
	l->held = false;
	fc_licence_give(l->of, l->count, l->owner);
}
