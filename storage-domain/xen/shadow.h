/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * shadow.h - the Xen side of a shadow: where its client is (transport.c), grants mapped for it alone (gntdev.c), its end
 * of the bells (bell.c). What the supervisor does with front ends is xen.h's.
 */
#ifndef FC_DOMAIN_XEN_SHADOW_H
#define FC_DOMAIN_XEN_SHADOW_H

#include <stdint.h>
#include <xengnttab.h>

#include "storage-domain/shadow/shadow.h"

/* A session, as its front end knows it: the text of FC_LINK_SESSION. */
struct fc_xen_place {
	uint32_t domid;
	uint32_t number; /* of the session, the front end's */
	uint32_t bells_port;
	uint32_t bells_ref;
};

/* transport.c: this shadow's. */
extern struct fc_xen_place fc_xen_place;

/*
 * The hypervisor counts how often a page is mapped in eight bits, twice for each mapping of a paravirtual guest's process: not
 * every session can map the bells page. Those with lower numbers do, the supervisor rings for the others.
 */
#define FC_XEN_BELLS_MAPS 40

/* bell.c: s->bell for the session of fc_xen_place. 0 or -errno. */
int fc_bell_xen_begin(struct fc_shadow *s);

/* ---- gntdev.c ---- */

/* libxengnttab's handle: opened by the supervisor, inherited; the descriptor in it is FC_FD_GNTTAB, which is another file in
 * each process. */
extern xengnttab_handle *fc_gnttab;

/* Supervisor, before the domain is confined: open the device. 0 or -errno. */
int fc_gntdev_open(void);

/* A shadow: from here on grants are mapped by this process alone; what it has inherited is let go. 0 or -errno. */
int fc_gntdev_own(void);

/*
 * Map `count` grants of a front end at `at` (null: anywhere), for reading and writing, not inherited by forks. *index names the
 * mapping. Unlike libxengnttab's: at a place of our choice, so that there is never nothing in its stead. 0 or -errno.
 */
int fc_gntdev_map(uint32_t domid, const uint32_t *ref, uint32_t count, void *at, uint64_t *index, void **mapped);

/* When the mapping goes, whoever dies of what: clear the byte at `offset` in it, and notify `port`. 0 or -errno. */
int fc_gntdev_notify(uint64_t index, uint32_t offset, uint32_t port);

/* The address range is already something else, or nothing: give the grants back. 0 or -errno. */
int fc_gntdev_release(uint64_t index, uint32_t count);

/* Copy `size` bytes between memory and granted pages, which are used from their beginnings. 0 or -EFAULT (no such grants). */
int fc_gntdev_read(uint32_t domid, const uint32_t *ref, void *to, uint32_t size);
int fc_gntdev_write(uint32_t domid, const uint32_t *ref, const void *from, uint32_t size);

#endif
