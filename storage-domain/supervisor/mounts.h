/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mounts.h - a process that mounts in the domain what is mounted below an export while the domain runs, and unmounts it again. The kernel
 * would do so by itself (MS_SLAVE), but without the flags that everything in the domain has: nosuid, nodev, no procfs, read-only where the
 * export is. That takes CAP_SYS_ADMIN, which nothing else of the domain shall have: so it is a process of its own, which has no connection to
 * any client, and is asked nothing.
 */
#ifndef FC_SUPERVISOR_MOUNTS_H
#define FC_SUPERVISOR_MOUNTS_H

#include <stdbool.h>

#include "common/export_spec.h"
#include "storage-domain/shadow/shadow.h"
#include "storage-domain/supervisor/identity.h"

/* In the namespace where mounts are made, or a slave of it: take note of what is mounted below the exports. Returns 0, or -1 with errno. */
int fc_mounts_note(const struct fc_export_spec *spec, unsigned count);

/* Is it still so? What has been cloned between the two has just these. */
bool fc_mounts_stand(void);

/* From the domain's namespace, with its tree complete: fork the process. FC_FD_MOUNTS keeps it alive. It is not vital: if there can be none,
 * that is logged. */
void fc_mounts_start(const struct fc_identity *id, const struct fc_exports *exports);

#endif
