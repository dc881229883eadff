/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * attach.h - makes a running Xen domain a storage domain of this one, and undoes it: the nodes in xenstore that both ends look
 * for (farcall/xen.h). What is said over them is the module's and the daemon's. Needs libxenstore and root.
 */
#ifndef FC_CLI_ATTACH_H
#define FC_CLI_ATTACH_H

#include <stdbool.h>

/* Make the nodes for the domain (a name or a number) and wait, `seconds` at most, until both ends are connected. 0, or -1 after
 * a line on stderr. */
int fc_attach(const char *domain, int seconds);

/* Whether there is a domain of that name or number. */
bool fc_xen_exists(const char *domain);

/* Say goodbye to it and remove the nodes; with `dead`, without waiting for its end. 0, or -1 after a line on stderr. */
int fc_detach(const char *name, bool dead, int seconds);

#endif
