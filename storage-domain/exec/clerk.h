/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exec/clerk.h - answers that name ids which a domain in a user namespace does not know are put right: the clerk is asked
 * (storage-domain/clerk.h).
 */
#ifndef FC_DOMAIN_EXEC_CLERK_H
#define FC_DOMAIN_EXEC_CLERK_H

#include "storage-domain/exec/execute.h"

/* The domain has a clerk, and `row` has been run with arguments a[] and has given `result`; what the last component of its path is, `follow` says. Returns what the client
 * is to get; what is in its buffers is right by then. */
int64_t fc_clerk_correct(struct fc_exec *x, const struct fc_row *row, const long a[6], bool follow, int64_t result);

#endif
