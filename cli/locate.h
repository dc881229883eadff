/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * locate.h - where this farcall's other parts are: what the environment names, else beside the command (build tree),
 * else where they were installed. It also knows the site tables' cache directory.
 */
#ifndef FC_CLI_LOCATE_H
#define FC_CLI_LOCATE_H

/* Absolute path of the daemon (FARCALL_STORAGED) or the preload object (FARCALL_SHIM), in static memory. Ends the
 * command with a line that says what is missing. */
const char *fc_locate_daemon(void);
const char *fc_locate_shim(void);

/* Directory for site tables: /var/cache/farcall for root, else $XDG_CACHE_HOME/farcall or ~/.cache/farcall. Made if need
 * be, ours and writable by nobody else. Null if there is no such place (the caller then uses the runtime directory). */
const char *fc_locate_cache(void);

#endif
