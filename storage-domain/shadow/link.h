/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * link.h - the messages between the supervisor and a shadow, on a socket pair of their own (FC_FD_LINK in the shadow), in the
 * framing of common/control.h. A shadow speaks for its own session only; the supervisor believes it nothing else.
 *
 *   supervisor -> shadow
 *     CRED     arg0 = ruid | fsuid << 32, arg1 = rgid | fsgid << 32, arg2 = capabilities, arg3 = number of groups (-1: the
 *              daemon's), text = the groups. Answer: status; serial as in the message. The first one comes before
 *              SESSION and has no answer.
 *     SESSION  1 fd = the client's connection; arg0, arg1 = token, arg2 = session id, arg3 = umask, arg4 = RLIMIT_FSIZE;
 *              text = what the transport adds (on Xen struct fc_xen_place). The shadow answers the client's ATTACH.
 *     SAMPLE   Answer once the roster slot's queue depth and descriptors are fresh.
 *     GONE     the answer to a GONE of the shadow's: status; serial as in the question.
 *     SHOW     arg0 = the number by which the client knows a descriptor, -1: its current directory. Answer: SHOWN.
 *     OTHER    the answer to an OTHER of the shadow's: as SHOWN; serial as in the question.
 *     PASS     the answer to a PASS of the shadow's: status, 1 fd = the ticket if it is 0; serial as in the question.
 *     CLAIM    the answer to a CLAIM of the shadow's: status, arg0 = flags, 1 fd = the file if it is 0; serial as in the question.
 *     HEIR     to one in the reserve, in place of CRED and SESSION: be the heir of a session (heir.c): 1 fd = the end of its way; arg0, arg1 =
 *              token, arg2 = session id. To the shadow of that session: its heir arg0 is dead, and has not answered.
 *     END      write back what is mapped, and end. Its client is dead, or is to be taken for it.
 *   shadow -> supervisor
 *     FORK     sent by the forked child, over its parent's link: 1 fd = the supervisor's end of the child's own link. Answer on
 *              that new link: status; arg0, arg1 = token, arg2 = session id, arg3 = roster slot.
 *     CLIENT   arg0 = the session's client process, by the kernel's word. One-way.
 *     FORKED   arg0 = id of a session forked from this one, arg1 = its client process. One-way.
 *     GONE     arg0 = a process that is said to be dead: as FC_MSG_GONE.
 *     OTHER    arg0 = a process, arg1 = a number of its: as FC_MSG_OTHER.
 *     SHOWN    the answer to SHOW: status; serial as in the question; arg0 = position, arg1 = flags; if status is 0, 1 fd (O_PATH).
 *     PASS     1 fd = a file; arg0 = the process that it is sent to.
 *     CLAIM    arg0, arg1 = cookie and inode of a ticket, by the kernel's word.
 *     WAY      1 fd = the end of the way to its heirs. Before its first FORK.
 *     FREE     the session is over, and nothing of it is left here: the shadow has never done anything for its client.
 * CLIENT, FORKED, GONE, OTHER, SHOWN, PASS, CLAIM, WAY and FREE are for clients on this machine: those elsewhere are their kernel's to vouch for.
 *
 * With a client elsewhere, the supervisor holds the other end of the session's connection and translates (front.c): there AREAS and
 * GROW bring no descriptors but, as text, the grants of the pages with the list of grants; FORK's arg0 is the child's number;
 * SHRINK is answered.
 */
#ifndef FC_DOMAIN_LINK_H
#define FC_DOMAIN_LINK_H

#include "common/control.h"
#include "storage-domain/shadow/shadow.h"

enum fc_link_type {
	FC_LINK_CRED = 256, /* apart from enum fc_msg_type */
	FC_LINK_SESSION,
	FC_LINK_SAMPLE,
	FC_LINK_FORK,
	/* clients on this machine only */
	FC_LINK_CLIENT,
	FC_LINK_FORKED,
	FC_LINK_GONE,
	FC_LINK_OTHER,
	FC_LINK_SHOW,
	FC_LINK_SHOWN,
	FC_LINK_PASS,
	FC_LINK_CLAIM,
	FC_LINK_HEIR,
	FC_LINK_WAY,
	FC_LINK_FREE,
	FC_LINK_END
};

/* Which socket it is. */
struct fc_ticket_name {
	uint64_t cookie, ino;
};

_Static_assert(sizeof(((struct fc_cred *)0)->group) <= FC_MSG_TEXT, "all groups fit into one message");

/* An identity as the CRED message that carries it, text aside (it is cred->group). */
static inline struct fc_msg fc_cred_pack(const struct fc_cred *c)
{
	return (struct fc_msg){
		.type = FC_LINK_CRED,
		.size = c->ngroups > 0 ? c->ngroups * sizeof c->group[0] : 0,
		.arg = { c->ruid | (uint64_t)c->fsuid << 32, c->rgid | (uint64_t)c->fsgid << 32, c->caps,
			 (uint64_t)(int64_t)c->ngroups },
	};
}

/* The other way. Returns 0, or -EPROTO for a message that is no identity. */
int fc_cred_unpack(struct fc_cred *c, const struct fc_packet *p);

#endif
