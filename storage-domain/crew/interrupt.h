/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * interrupt.h - ending a call of the session early. Who may ask for it is decided elsewhere: an INTERRUPT reaches only calls of its own
 * session. How a thread is disturbed is signal.c's.
 */
#ifndef FC_DOMAIN_INTERRUPT_H
#define FC_DOMAIN_INTERRUPT_H

#include "storage-domain/crew/crew.h"

/* In the worker `me`, whose call (fc_call_begin) this is: end the call `nonce` of the entry `index`, and wait until it is over. 0; -ENOENT: the entry is in
 * use for it, but it never came into the queue; -EINTR: this call has been interrupted itself, and the wish is withdrawn; -EINVAL: no such entry. */
int64_t fc_crew_interrupt(struct fc_crew *c, struct fc_member *me, uint64_t index, uint64_t nonce);

/* ---- what it needs of signal.c ---- */

/* Make the system call return in which the thread `tid` is. Harmless if it is in none. */
void fc_interrupt_disturb(uint32_t tid);

/* Wait a little, each time longer. `naps` counts them, from 0 on. */
void fc_interrupt_nap(struct fc_member *me, unsigned *naps);

#endif
