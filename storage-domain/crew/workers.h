/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * workers.h - the threads of a session's crew. Which of them are awake is crew.h's; starting and stopping them all is in shadow.h,
 * announcing a call that blocks in exec/host.h.
 */
#ifndef FC_DOMAIN_WORKERS_H
#define FC_DOMAIN_WORKERS_H

#include "storage-domain/crew/crew.h"
#include "storage-domain/crew/worker.h"

struct fc_workers {
	struct fc_shadow *s;
	pthread_mutex_t lock;      /* the crew's */
	struct fc_licence spinner; /* with --spin always: one of the session's workers spins */
	struct fc_crew crew;
	uint32_t discharged; /* futex word: how many workers have ended */
};

#endif
