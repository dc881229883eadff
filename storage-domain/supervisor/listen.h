/* SPDX-License-Identifier: GPL-2.0-or-later */
/* listen.h - the socket a domain is found at: a name in the host's file tree. What comes in on it is supervisor.c's. */
#ifndef FC_DOMAIN_LISTEN_H
#define FC_DOMAIN_LISTEN_H

#include <stdbool.h>
#include <sys/types.h>

struct fc_listen {
	int fd;        /* listening, non-blocking, close-on-exec */
	int directory; /* the one the name is in: reachable also when the host's tree no longer is */
	char name[108];
	dev_t dev; /* of the socket file, to remove no other's */
	ino_t ino;
};

/* Make the socket at `path` with file mode `mode`; a dead domain's is replaced. Returns 0, or -1 after logging one line that
 * says what to do. */
int fc_listen_open(struct fc_listen *l, const char *path, mode_t mode);

/* Beside the socket, a directory for those that clients bind on exports from which nothing is handed over: for everybody's, or its own user's. 0, or
 * -1 after logging one line. */
int fc_listen_sockets(const struct fc_listen *l, bool everybody);

/* Remove the name, if it is still ours, and that directory; the process ends next. */
void fc_listen_close(struct fc_listen *l);

#endif
