/* SPDX-License-Identifier: GPL-2.0-or-later */
/* transport.c - clients in another Xen domain: what a shadow does at the start of a session, and which calls it makes for it. */
#define _GNU_SOURCE
#include "storage-domain/shadow/transport.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <xen/xen.h>
#include <xen/sys/evtchn.h>
#include <xen/sys/gntdev.h>

#include "storage-domain/fds.h"
#include "storage-domain/xen/shadow.h"

struct fc_xen_place fc_xen_place;

static const unsigned ioctls[] = {
	IOCTL_GNTDEV_MAP_GRANT_REF, IOCTL_GNTDEV_UNMAP_GRANT_REF, IOCTL_GNTDEV_SET_UNMAP_NOTIFY,
	IOCTL_GNTDEV_GRANT_COPY,    IOCTL_EVTCHN_NOTIFY,
};

static int begin(struct fc_shadow *s, const struct fc_packet *session)
{
	int r;

	if (session->head.size != sizeof fc_xen_place)
		return -EPROTO;
	memcpy(&fc_xen_place, session->text, sizeof fc_xen_place);
	r = fc_gntdev_own();
	return r < 0 ? r : fc_bell_xen_begin(s);
}

static int forked(struct fc_shadow *s, const struct fc_packet *request)
{
	int r = fc_gntdev_own();

	fc_xen_place.number = (uint32_t)request->head.arg[0];
	return r < 0 ? r : fc_bell_xen_begin(s);
}

const struct fc_transport fc_transport_xen = {
	.memory = &fc_memory_xen,
	.cost = &fc_spin_xen,
	.foreign = true,
	.fds = 1u << FC_FD_EVTCHN | 1u << FC_FD_GNTDEV | 1u << FC_FD_RINGS,
	.ioctls = ioctls,
	.ioctl_count = sizeof ioctls / sizeof ioctls[0],
	.begin = begin,
	.forked = forked,
};
