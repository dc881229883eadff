/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stranger.h - connections of whom nothing is known yet. A descriptor that somebody has sent along can take for ever to be closed
 * (SO_LINGER, a file of a FUSE server that does not answer), and closing a socket closes what is still queued on it: so
 * the supervisor never takes one, and is never the last to hold a socket that may have some.
 *
 * Since Linux 6.16 a socket can refuse descriptors (SO_PASSRIGHTS, set by listen.c), and all of this finds nothing to do.
 */
#ifndef FC_DOMAIN_STRANGER_H
#define FC_DOMAIN_STRANGER_H

#include "common/control.h"

/* As fc_control_recv with MSG_DONTWAIT, for a socket with SO_PASSCRED; -EPROTO, the message left where it is, if it brings
 * descriptors. */
int fc_stranger_recv(int sock, struct fc_packet *p);

/* Close a connection that nobody else has. Does not wait: a child does, if need be. */
void fc_stranger_close(int sock);

#endif
