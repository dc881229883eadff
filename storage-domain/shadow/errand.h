/* SPDX-License-Identifier: GPL-2.0-or-later */
/* errand.h - calls on a descriptor that the client brings, about something in the domain: a socket is bound, a file is watched, a ticket is claimed. */
#ifndef FC_DOMAIN_ERRAND_H
#define FC_DOMAIN_ERRAND_H

#include <stdbool.h>

#include "common/control.h"
#include "storage-domain/shadow/shadow.h"

/* Whose errands are run. */
void fc_errand_init(struct fc_shadow *s);

/* Is it a message that brings a descriptor for a call to be made on it? */
bool fc_errand_is(const struct fc_packet *p);

/* Make the call: in a thread of its own, whose descriptors those of the message are (receive.h). Its identity is the client's after that. */
void fc_errand_run(const struct fc_packet *p);

/* What has come of the one that was run last: answer. */
void fc_errand_answer(const struct fc_packet *p);

#endif
