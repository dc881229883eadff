/* SPDX-License-Identifier: GPL-2.0-or-later */
/* xen.h - a supervisor whose clients come from other Xen domains: what main.c says to it. Its insides are in front.h. */
#ifndef FC_DOMAIN_XEN_H
#define FC_DOMAIN_XEN_H

#include "storage-domain/supervisor/supervisor.h"

#ifdef HAVE_XEN

/* Open what has to be opened before the domain is confined: devices, xenstore. Returns 0, or -1 after logging one line that
 * says what to do. */
int fc_xen_open(struct fc_supervisor *v);

/* Look for front ends from here on. The supervisor is set up. Returns 0, or -1 after logging. */
int fc_xen_start(struct fc_supervisor *v);

/* The loop has ended: tell the front ends that this domain is going. */
void fc_xen_leave(struct fc_supervisor *v);

/* All sessions have ended: let go of the front ends' memory. */
void fc_xen_close(struct fc_supervisor *v);

#endif

#endif
