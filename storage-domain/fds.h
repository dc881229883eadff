/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fds.h - the descriptor numbers that belong to the domain's processes themselves. All are below FC_DOMAIN_FD_FIRST, and
 * every number below it is always open in a shadow (with a placeholder if with nothing else), so that what a
 * client opens always gets a number from FC_DOMAIN_FD_FIRST on.
 */
#ifndef FC_DOMAIN_FDS_H
#define FC_DOMAIN_FDS_H

#include "farcall/abi.h"

#define FC_FD_LOG 2  /* stderr */
#define FC_FD_LINK 3 /* shadow: its socket to the supervisor */
#define FC_FD_MOUNTS \
	3 /* supervisor and who follows the host's mounts (mounts.h): open as long as there is a supervisor */
#define FC_FD_CLIENT 4   /* shadow: the session's connection */
#define FC_FD_NURSERY 4  /* supervisor: the way to who forks shadows (nursery.h) */
#define FC_FD_PROC 5     /* processes in /proc, read-only: clients' for the supervisor, a shadow's own for a shadow */
#define FC_FD_READY 6    /* supervisor: whom to tell when it listens */
#define FC_FD_HAND 6     /* shadow: the way to who hands files over (hand.c), and: */
#define FC_FD_HANDED 13  /* that */
#define FC_FD_NULL 7     /* the placeholder: good for nothing (O_PATH) */
#define FC_FD_PROC_OWN 8 /* supervisor only: what becomes FC_FD_PROC in its shadows */
#define FC_FD_CWD 8      /* shadow: the session's directory, once it has changed it (O_PATH) */
#define FC_FD_GNTTAB 9   /* Xen: this process' own /dev/xen/gntdev, libxengnttab's */
#define FC_FD_EVTCHN 10  /* Xen: /dev/xen/evtchn, one for all, libxenevtchn's; only the supervisor reads */
#define FC_FD_GNTDEV 11  /* Xen: the device behind FC_FD_GNTTAB (O_PATH), for shadows to open it for themselves */
#define FC_FD_RINGS 12   /* Xen: eventfd: a shadow has set `rings` in its roster slot */
#define FC_FD_WAY 9      /* shadow of a client on this machine: to its heir (heir.c), and: */
#define FC_FD_WAY_END 10 /* the heir's end of that */
#define FC_FD_PARENT 11  /* heir: that of its parent */
#define FC_FD_ASKER 12   /* heir: the connection of its parent's client, which is to be answered */
#define FC_FD_CHILD 14   /* heir: the end of its connection that is for its client */
#define FC_FD_LOOKOUT 13 /* supervisor and lookout: the way from one to the other */
#define FC_FD_OOM 14     /* supervisor only: its /proc/self/oom_score_adj */
#define FC_FD_CLERK 15   /* the way to and from the clerk (clerk.h), if there is one */
#define FC_FD_EXPORT 16  /* .. 31: roots of the exports, O_PATH */

_Static_assert(FC_FD_EXPORT + FC_EXPORTS_MAX <= FC_DOMAIN_FD_FIRST, "no export's root is a client's descriptor");

#endif
