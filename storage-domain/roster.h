/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * roster.h - what all processes of a domain share: a line per session, the licences to spin, a few counters. Clients never
 * see it. Nothing here is trusted: a shadow that went wrong can scribble over it, so the supervisor keeps what
 * matters (who is whose, tokens, process descriptors) in memory of its own.
 */
#ifndef FC_DOMAIN_ROSTER_H
#define FC_DOMAIN_ROSTER_H

#include "storage-domain/licence.h"
#include "storage-domain/shadow/shadow.h"

#define FC_SESSIONS_MAX 1024

struct fc_domain_shared {
	uint64_t generation;
	uint32_t licences;           /* constant: how many of licence[] exist */
	uint32_t used;               /* slots from here on have never been used */
	struct fc_capacity capacity; /* constant: what there is to be shared out */
	uint64_t secret[2];          /* constant: what the keys of sockets are made with (exec/socket.c) */
	uint64_t cut_off;            /* sessions ended for breaking the protocol */
	struct fc_licence licence[FC_LICENCES_MAX];
	struct fc_roster_slot slot[FC_SESSIONS_MAX];
};

/* How many workers of a whole domain may spin at once on `cpus` usable CPUs. If those they spin for run on the same ones, one
 * is left to them. */
uint32_t fc_licences_for(int cpus, bool shared);

/* Make the shared memory. Returns null if there is none. Supervisor, before the first fork. */
struct fc_domain_shared *fc_roster_create(uint64_t generation, uint32_t licences);

/* From now on this process is slot `index`: its licences carry that name. */
void fc_roster_adopt(uint32_t index);

/* A worker of this process as one who may hold a licence. */
struct fc_licensee fc_roster_licensee(struct fc_domain_shared *d);

/* The process of slot `index` is dead: take its licences back, add its counters to *total and clear the slot. */
void fc_roster_clear(struct fc_domain_shared *d, uint32_t index, struct fc_stat_counters *total);

#endif
