/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nursery.h - a process that is all that a shadow is before it has a slot and a link, filter included, and forks those of the reserve: what is the
 * same for each is done once, and what is forked is small. Shadows outlive it.
 */
#ifndef FC_SUPERVISOR_NURSERY_H
#define FC_SUPERVISOR_NURSERY_H

#include <sys/types.h>

struct fc_supervisor;

/* Fork it. Its way is FC_FD_NURSERY. 0 or -errno. */
int fc_nursery_start(struct fc_supervisor *v);

/* A shadow for slot `index`, with `link` as its way to the supervisor, which stays the caller's to close. Its process, whose number is good for as long as
 * the other end of the link is open; or -errno. -EPIPE: it did not answer, and is replaced; that link is not to be used again, for there may be a child that has it. */
pid_t fc_nursery_fork(struct fc_supervisor *v, unsigned index, int link);

#endif
