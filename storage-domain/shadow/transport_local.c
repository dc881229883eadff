/* SPDX-License-Identifier: GPL-2.0-or-later */
/* transport_local.c - clients on the same machine: sockets, memfds and futexes. There is nothing to prepare for them. */
#include <errno.h>

#include "storage-domain/shadow/transport.h"

static int begin(struct fc_shadow *s, const struct fc_packet *session)
{
	s->bell = &fc_bell_local;
	return session->head.size ? -EPROTO : 0;
}

static int forked(struct fc_shadow *s, const struct fc_packet *request)
{
	(void)s;
	(void)request;
	return 0;
}

const struct fc_transport fc_transport_local = {
	.memory = &fc_memory_local,
	.cost = &fc_spin_local,
	.begin = begin,
	.forked = forked,
};
