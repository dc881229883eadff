/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lookout.h - a process that looks at a client's namespaces and root. That takes CAP_SYS_PTRACE for other users' processes,
 * which nothing else of the domain shall have: so it is a process of its own, in the host's namespaces, that can make eight system
 * calls and is asked one question.
 */
#ifndef FC_DOMAIN_LOOKOUT_H
#define FC_DOMAIN_LOOKOUT_H

#include <sys/types.h>

#include "storage-domain/supervisor/identity.h"

#define FC_LOOKOUT_USER 1u /* the process is in the user namespace the domain was started in */
#define FC_LOOKOUT_ROOT 2u /* its mount namespace and root directory are those the domain was started in */

/* Fork the lookout; our end of the way to it becomes FC_FD_LOOKOUT. Before any namespace is entered. Returns 0, or -1 after
 * logging. */
int fc_lookout_start(const struct fc_identity *id);

#define FC_LOOKOUT_AGAIN \
	4u /* for want of memory or descriptors nobody could look: alone, and another time there is more to say */

#define FC_LOOKOUT_NOBODY UINT32_MAX

struct fc_sight {
	uint32_t proven; /* FC_LOOKOUT_* */
	uint32_t
		maker; /* of the user namespace below the domain's that the process is in, or one above it is; else FC_LOOKOUT_NOBODY */
};

/* What is proven of process `pid` now; nothing if there is no such process, or no lookout any more. As long as the caller has a pidfd of it
 * that says it lives, the answer is about that process. */
struct fc_sight fc_lookout_ask(pid_t pid);

#endif
