/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * receive.h - a client's message with descriptors, taken in such a way that no worker ever sees them: workers do what requests say,
 * and a descriptor that is in their table for a moment can be used in that moment.
 */
#ifndef FC_DOMAIN_RECEIVE_H
#define FC_DOMAIN_RECEIVE_H

#include "common/control.h"

/*
 * Receive the next message on FC_FD_CLIENT in a thread that has a descriptor table of its own, call `judge` there, close what the
 * message brought (p->nfds stays, each p->fd is -1), return when the thread has closed them. What judge maps stays mapped. Closing
 * may take as long as the sender likes, for the sender's own session alone. Returns as fc_control_recv, or -ENOMEM if
 * there was no thread to be had for a second.
 */
int fc_receive_apart(struct fc_packet *p, void (*judge)(const struct fc_packet *p));

/* The same in the calling thread, whose table is nobody else's, and has nothing of the client's. */
int fc_receive_alone(struct fc_packet *p, void (*judge)(const struct fc_packet *p));

#endif
