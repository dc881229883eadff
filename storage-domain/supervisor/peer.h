/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * peer.h - who is at the other end of a connection, by the kernel's word alone. It admits nobody and refuses nobody: that
 * is the caller's policy.
 */
#ifndef FC_DOMAIN_PEER_H
#define FC_DOMAIN_PEER_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "storage-domain/shadow/shadow.h"

struct fc_peer {
	pid_t pid;
	int pidfd; /* close-on-exec; the caller's to close */
	uid_t ruid, euid, suid, fsuid;
	gid_t rgid, egid, sgid, fsgid;
	uint64_t caps;   /* effective ones that count here; not cut to anything */
	unsigned proven; /* of its namespaces: FC_LOOKOUT_* */
	uid_t maker;     /* of its user namespace, as lookout.h has it */
	uint64_t files,
		threads; /* its RLIMIT_NOFILE, hard, and its user's RLIMIT_NPROC, soft; UINT64_MAX: none that binds it */
	char comm[16];
};

/* Once, before any client. With `caps` false no capability of a client counts. */
void fc_peer_init(bool caps);

/* The effective uid a connection was made with. Returns 0 or -errno. */
int fc_peer_uid(int sock, uid_t *uid);

/* Is this why something could not be done just now, and says nothing about the peer? */
static inline bool fc_peer_in_want(int r)
{
	return r == -EAGAIN || r == -EMFILE || r == -ENFILE || r == -ENOMEM || r == -ENOBUFS || r == -EINTR;
}

/* Everything about the process that connected `sock`, which must also be the `sender` of the message, with real ids `ruid`,
 * `rgid` (its SCM_CREDENTIALS). Returns 0 and fills *peer; -EPERM if another process has sent it; -ESRCH if the process
 * is gone; other -errno. */
int fc_peer_identify(int sock, pid_t sender, uid_t ruid, gid_t rgid, struct fc_peer *peer);

/* The connection's supplementary groups into cred->group. Returns 0 or -errno (-E2BIG: more than cred has room for). */
int fc_peer_groups(int sock, struct fc_cred *cred);

/* Is process `pid` a child of process `parent`, and its real uid `uid` (or `uid` 0)? Returns 1 or 0, -ESRCH if there is no such
 * process, or -errno. */
int fc_peer_is_child(pid_t pid, pid_t parent, uid_t uid);

/* Has the process of a pidfd ended? */
bool fc_pidfd_dead(int pidfd);

/* ---- for tests: the parsers of /proc/PID/status and /proc/PID/limits ---- */

/* Fill comm, ids and caps from the text. Capabilities of a process that is not root count only as far as they are ambient.
 * Returns 0 or -EPROTO. */
int fc_status_parse(const char *text, struct fc_peer *peer);

/* Fill files and threads. Returns 0 or -EPROTO. */
int fc_limits_parse(const char *text, struct fc_peer *peer);

#endif
