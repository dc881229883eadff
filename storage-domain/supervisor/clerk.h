/* SPDX-License-Identifier: GPL-2.0-or-later */
/* supervisor/clerk.h - starting the clerk, see storage-domain/clerk.h. */
#ifndef FC_SUPERVISOR_CLERK_H
#define FC_SUPERVISOR_CLERK_H

#include "storage-domain/clerk.h"
#include "storage-domain/supervisor/identity.h"

/* Fork the clerk of an unprivileged domain; our end of the way to it becomes FC_FD_CLERK, and shadows inherit it. Before any namespace is
 * entered. Returns all sessions' boxes, or null after logging. */
struct fc_clerk_box *fc_clerk_start(const struct fc_identity *id);

#endif
