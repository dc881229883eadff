/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * runtime.h - the directory that a run has to itself while it lasts: configuration, placeholder, socket. It owns where
 * such directories are and how left-over ones go away. What is written into `config` is config.c's.
 *
 * BASE/NAME/ with BASE /run/farcall for root, $XDG_RUNTIME_DIR/farcall or /tmp/farcall-UID for others, and NAME 128 random
 * bits. Both are 0711: a command that changes its user id still gets in, and nobody can list them. The owner of NAME
 * holds a lock on NAME/lock; a NAME whose lock is free is left over from a run that was killed, and the next run
 * removes it.
 */
#ifndef FC_CLI_RUNTIME_H
#define FC_CLI_RUNTIME_H

#define FC_RUNTIME_SOCKET "domain.sock"
#define FC_RUNTIME_SITES "sites"
#define FC_RUNTIME_SHIM "libfarcall.so"
#define FC_RUNTIME_AUDIT "libfarcall-audit.so"

struct fc_runtime {
	char path[96];    /* absolute; short enough that path/domain.sock fits a socket address */
	char socket[108]; /* path/domain.sock */
	int dir;          /* descriptor of it, close-on-exec */
	int lock;         /* close-on-exec */
};

/* Make one, with the placeholder in it, and remove left-over ones. Returns 0, or -errno after a line on stderr. */
int fc_runtime_create(struct fc_runtime *rt);

/* Make one that stays, or fill in what is missing, at `path`. It is nobody's: there is no lock, and no run removes it. Returns 0
 * or -errno. */
int fc_runtime_create_at(struct fc_runtime *rt, const char *path);

/* The one that stays, of this name: the one that is there, or made. Nobody but root and this user can write to it. 0 or -errno. */
int fc_runtime_open_standing(struct fc_runtime *rt, const char *name);
int fc_runtime_make_standing(struct fc_runtime *rt, const char *name);

/* Remove it and what is in it. */
void fc_runtime_remove(struct fc_runtime *rt);

/* For a Xen domain of this name, as root: the directory of the sockets that its clients bind on its exports, empty when it is made, or gone. 0 or
 * -errno. */
int fc_runtime_sockets_make(const char *name);
void fc_runtime_sockets_remove(const char *name);

/* Call `visit` with the socket path of every live runtime directory of this user that has a domain of its own. */
void fc_runtime_each(void (*visit)(const char *socket, void *arg), void *arg);

#endif
