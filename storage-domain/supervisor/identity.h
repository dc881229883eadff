/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * identity.h - whom the domain's own processes run as: a user of their own, so that nothing which looks at real, effective or
 * saved ids (signals, /proc/sys, SCM_CREDENTIALS, FUSE, tracing) takes them for root or for a client. What requests run as is
 * cred.c's.
 */
#ifndef FC_DOMAIN_IDENTITY_H
#define FC_DOMAIN_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define FC_IDENTITY_USER "farcall" /* if there is such a user and no other is asked for */

struct fc_identity {
	bool own; /* false: stay who we are (a domain of an ordinary user) */
	uid_t uid;
	gid_t gid;
};

/* Find a privileged domain's user: `name` (a name or a number; null: FC_IDENTITY_USER, or else a number that nobody uses). Reads
 * the host's user database. Returns 0, or -1 after logging one line that says what to do. */
int fc_identity_find(struct fc_identity *id, const char *name);

/* Become it for good, with these capabilities permitted, none effective; may not be traced or dump core. Before threads are
 * started. Returns 0 or -errno. */
int fc_identity_take(const struct fc_identity *id, uint64_t permitted);

#endif
