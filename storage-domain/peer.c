/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * peer.c - a client's identity, see peer.h.
 *
 * Ids come from SO_PEERCRED: what connect(2) was called with. Capabilities are in no socket option; they are read from
 * the host's /proc, later than the connect. In between the client may have executed a setuid program, whose
 * capabilities are not its own, so what is read counts only if it cannot be borrowed that way:
 *   - the effective ids in the same text must be those of the connection;
 *   - root's count as they are: root gains nothing by executing something;
 *   - anybody else's count only if ambient too: executing a privileged program empties the ambient set;
 *   - those of a process in another user namespace do not count. The namespace is looked at after the capabilities,
 *     for a process can leave ours but not come back.
 */
#define _GNU_SOURCE
#include "storage-domain/peer.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "storage-domain/fds.h"

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

#define MAP_TEXT 4096

static bool caps_count;
static char own_uid_map[MAP_TEXT], own_gid_map[MAP_TEXT];

/* Read /proc/WHO/NAME as a string. Returns 0 or -errno. */
static int proc_read(const char *who, const char *name, char *text, size_t room)
{
	char path[64];
	ssize_t n;
	int fd, r;

	snprintf(path, sizeof path, "%s/%s", who, name);
	fd = openat(FC_FD_PROC, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = read(fd, text, room - 1);
	r = n < 0 ? -errno : 0;
	close(fd);
	text[n < 0 ? 0 : n] = '\0';
	return r;
}

void fc_peer_init(bool caps)
{
	caps_count = caps && !proc_read("self", "uid_map", own_uid_map, sizeof own_uid_map) &&
		     !proc_read("self", "gid_map", own_gid_map, sizeof own_gid_map);
}

static bool same_user_namespace(const char *who)
{
	char map[MAP_TEXT];

	return !proc_read(who, "uid_map", map, sizeof map) && !strcmp(map, own_uid_map) &&
	       !proc_read(who, "gid_map", map, sizeof map) && !strcmp(map, own_gid_map);
}

static const char *field(const char *text, const char *name)
{
	const char *at = strstr(text, name);

	while (at && at != text && at[-1] != '\n')
		at = strstr(at + 1, name);
	return at ? at + strlen(name) : NULL;
}

int fc_status_parse(const char *text, struct fc_peer *p)
{
	const char *name = field(text, "Name:\t"), *uid = field(text, "Uid:\t"), *gid = field(text, "Gid:\t");
	const char *eff = field(text, "CapEff:\t"), *amb = field(text, "CapAmb:\t");
	unsigned long long effective, ambient;
	size_t length;

	if (!name || !uid || !gid || !eff || !amb || sscanf(eff, "%llx", &effective) != 1 ||
	    sscanf(amb, "%llx", &ambient) != 1 ||
	    sscanf(uid, "%u %u %u %u", &p->ruid, &p->euid, &p->suid, &p->fsuid) != 4 ||
	    sscanf(gid, "%u %u %u %u", &p->rgid, &p->egid, &p->sgid, &p->fsgid) != 4)
		return -EPROTO;
	p->caps = p->euid == 0 ? effective : effective & ambient;
	length = strcspn(name, "\n");
	if (length > sizeof p->comm - 1)
		length = sizeof p->comm - 1;
	memset(p->comm, 0, sizeof p->comm);
	memcpy(p->comm, name, length);
	return 0;
}

bool fc_pidfd_dead(int pidfd)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

int fc_peer_uid(int sock, uid_t *uid)
{
	struct ucred u;
	socklen_t size = sizeof u;

	if (getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &u, &size))
		return -errno;
	*uid = u.uid;
	return 0;
}

static int peer_pidfd(int sock, pid_t pid)
{
	int fd;
	socklen_t size = sizeof fd;

	if (!getsockopt(sock, SOL_SOCKET, SO_PEERPIDFD, &fd, &size))
		return fd;
	if (errno != ENOPROTOOPT)
		return -errno;
	/* a kernel before 6.5: the ids read below show if the number has gone to somebody else's process since */
	fd = pidfd_open(pid, 0);
	return fd < 0 ? -errno : fd;
}

/*
 * What the process' status says counts if it agrees with the connection. It need not: /proc may be hidden (hidepid), the
 * thread that connected may be ahead of the main one in a change of ids, the process may be a setuid program by now. Then
 * the connection's ids are all there is, and no capability counts. The real ids are the message's in any case.
 */
static void read_status(const struct ucred *u, uid_t ruid, gid_t rgid, struct fc_peer *p)
{
	char who[16], text[8192];

	snprintf(who, sizeof who, "%d", u->pid);
	if (!proc_read(who, "status", text, sizeof text) && !fc_status_parse(text, p) && p->euid == u->uid &&
	    p->egid == u->gid) {
		if (!caps_count || !same_user_namespace(who))
			p->caps = 0;
		p->ruid = ruid;
		p->rgid = rgid;
		return;
	}
	p->ruid = ruid;
	p->rgid = rgid;
	p->euid = p->suid = p->fsuid = u->uid;
	p->egid = p->sgid = p->fsgid = u->gid;
	p->caps = 0;
	strcpy(p->comm, "?");
}

int fc_peer_identify(int sock, pid_t sender, uid_t ruid, gid_t rgid, struct fc_peer *p)
{
	struct ucred u;
	socklen_t size = sizeof u;

	if (getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &u, &size))
		return -errno;
	if (u.pid <= 0 || u.pid != sender)
		return -EPERM;
	p->pid = u.pid;
	p->pidfd = peer_pidfd(sock, u.pid);
	if (p->pidfd < 0)
		return p->pidfd;
	read_status(&u, ruid, rgid, p);
	/* only now: as long as the process lives, its number was nobody else's while we read */
	if (fc_pidfd_dead(p->pidfd)) {
		close(p->pidfd);
		p->pidfd = -1;
		return -ESRCH;
	}
	return 0;
}

int fc_peer_groups(int sock, struct fc_cred *cred)
{
	socklen_t size = sizeof cred->group;

	if (getsockopt(sock, SOL_SOCKET, SO_PEERGROUPS, cred->group, &size))
		return errno == ERANGE ? -E2BIG : -errno;
	cred->ngroups = size / sizeof cred->group[0];
	return 0;
}
