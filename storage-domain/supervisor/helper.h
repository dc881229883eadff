/* SPDX-License-Identifier: GPL-2.0-or-later */
/* helper.h - a process beside the supervisor that stays in the host's namespaces, with a socket to it and the log: lookout and clerk. */
#ifndef FC_SUPERVISOR_HELPER_H
#define FC_SUPERVISOR_HELPER_H

#include <sys/types.h>

#include "storage-domain/supervisor/identity.h"

/* Fork one that has nothing open but the log and, as descriptor `number`, its end of the way to us; it runs `run`, which does not return.
 * Our end becomes `number`, too. Before any namespace is entered. Returns 0, or -1 with errno. */
int fc_helper_start(int number, const char *name, void (*run)(const struct fc_identity *, pid_t supervisor),
		    const struct fc_identity *id);

/* In it: become the domain's user with these capabilities permitted and effective, and end with the supervisor. Returns 0 or -1. */
int fc_helper_settle(const struct fc_identity *id, unsigned long capabilities, pid_t supervisor);

#endif
