/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * caps.h - which capabilities exist in the domain: the ones about files, which a request may run with if its client has them,
 * and the two a worker needs to take a client's identity. All others are gone for good once the domain is confined.
 */
#ifndef FC_DOMAIN_CAPS_H
#define FC_DOMAIN_CAPS_H

#include <linux/capability.h>
#include <stdint.h>

#define FC_CAP(name) (1ull << CAP_##name)

#define FC_CAPS_FILES                                                                                       \
	(FC_CAP(CHOWN) | FC_CAP(DAC_OVERRIDE) | FC_CAP(DAC_READ_SEARCH) | FC_CAP(FOWNER) | FC_CAP(FSETID) | \
	 FC_CAP(MKNOD) | FC_CAP(LINUX_IMMUTABLE) | FC_CAP(LEASE) | FC_CAP(SETFCAP))
#define FC_CAPS_IDENTITY (FC_CAP(SETUID) | FC_CAP(SETGID))

/* Set the calling thread's effective and permitted capabilities (inheritable: none). Returns 0 or -errno. */
int fc_caps_set(uint64_t effective, uint64_t permitted);

/* The calling thread's. */
uint64_t fc_caps_permitted(void);
uint64_t fc_caps_effective(void);

#endif
