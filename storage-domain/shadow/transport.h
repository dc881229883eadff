/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * transport.h - what differs between a domain for programs on the same machine and one in another Xen virtual machine, as far as
 * a shadow is concerned. main.c picks one, shadow_main.c and offspring.c call it; the execution side sees only memory, bell and
 * cost.
 */
#ifndef FC_DOMAIN_TRANSPORT_H
#define FC_DOMAIN_TRANSPORT_H

#include "common/control.h"
#include "storage-domain/shadow/memory.h"
#include "storage-domain/shadow/shadow.h"

struct fc_transport {
	const struct fc_memory *memory;
	const struct fc_spin_cost *cost;
	/* Clients are another kernel's processes: their pids mean nothing here, and they run on other CPUs. */
	bool foreign;
	uint32_t fds;           /* bit n: descriptor n of fds.h is kept by shadows */
	const unsigned *ioctls; /* that a shadow makes for it */
	unsigned ioctl_count;

	/* A shadow is to have a client, which SESSION's text tells more about. Sets s->bell. 0 or -errno. */
	int (*begin)(struct fc_shadow *s, const struct fc_packet *session);
	/* In the forked shadow of a client's child, once s->slot is its own: `request` is its parent's FORK. 0 or -errno. */
	int (*forked)(struct fc_shadow *s, const struct fc_packet *request);
};

extern const struct fc_transport fc_transport_local, fc_transport_xen;

#endif
