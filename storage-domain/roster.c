/* SPDX-License-Identifier: GPL-2.0-or-later */
/* roster.c - the memory all processes of a domain share, see roster.h. It does not decide who gets a slot. */
#define _GNU_SOURCE
#include "storage-domain/roster.h"

#include <string.h>
#include <sys/mman.h>

#include "common/atomic.h"
#include "storage-domain/counters.h"

static uint32_t self; /* 1 + this process' slot */

uint32_t fc_licences_for(int cpus, bool shared)
{
	int licences = shared ? cpus - 1 : cpus;

	return licences < 1 ? 0 : licences < FC_LICENCES_MAX ? licences : FC_LICENCES_MAX;
}

/* How many there are, whatever a shadow that went wrong has written. */
static uint32_t licence_count(const struct fc_domain_shared *d)
{
	const uint32_t n = fc_load(&d->licences);

	return n < FC_LICENCES_MAX ? n : FC_LICENCES_MAX;
}

struct fc_domain_shared *fc_roster_create(uint64_t generation, uint32_t licences)
{
	struct fc_domain_shared *d =
		mmap(NULL, sizeof *d, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (d == MAP_FAILED)
		return NULL;
	d->generation = generation;
	d->licences = licences;
	return d;
}

void fc_roster_adopt(uint32_t index)
{
	self = index + 1;
}

void fc_roster_clear(struct fc_domain_shared *d, uint32_t index, struct fc_stat_counters *total)
{
	fc_licence_reclaim(d->licence, licence_count(d), index + 1);
	fc_counters_add(total, &d->slot[index].count);
	memset(&d->slot[index], 0, sizeof d->slot[index]);
}

pid_t fc_roster_client_pid(struct fc_domain_shared *d, pid_t shadow_pid)
{
	uint32_t used = fc_load(&d->used);

	for (uint32_t i = 0; i < used && i < FC_SESSIONS_MAX; i++) {
		const struct fc_roster_slot *s = &d->slot[i];

		if (s->id && s->shadow_pid == (uint32_t)shadow_pid)
			return s->client_pid;
	}
	return shadow_pid;
}

struct fc_licensee fc_roster_licensee(struct fc_domain_shared *d)
{
	return (struct fc_licensee){ d->licence, licence_count(d), self, false };
}
