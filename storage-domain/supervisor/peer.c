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
 *   - only those of a process count that is proven to be in our own user namespace (lookout.h), whatever its ids are called there. The
 *     namespace is looked at after the capabilities, for a process can leave ours but not come back.
 */
#define _GNU_SOURCE
#include "storage-domain/supervisor/peer.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "storage-domain/caps.h"
#include "storage-domain/fds.h"
#include "storage-domain/supervisor/lookout.h"

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

static bool caps_count;

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
	caps_count = caps;
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

/* One of a line's two limits, the soft one first. */
static bool take_limit(const char *line, bool hard, uint64_t *value)
{
	unsigned long long number;
	char text[2][24];

	if (!line || sscanf(line, "%23s %23s", text[0], text[1]) != 2)
		return false;
	*value = UINT64_MAX;
	if (!strcmp(text[hard], "unlimited"))
		return true;
	if (sscanf(text[hard], "%llu", &number) != 1)
		return false;
	*value = number;
	return true;
}

int fc_limits_parse(const char *text, struct fc_peer *p)
{
	return take_limit(field(text, "Max open files"), true, &p->files) &&
			       take_limit(field(text, "Max processes"), false, &p->threads)
		       ? 0
		       : -EPROTO;
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

static void see(pid_t pid, struct fc_peer *p)
{
	struct fc_sight sight = fc_lookout_ask(pid);

	p->proven = sight.proven;
	p->maker = sight.maker;
}

/*
 * What the process' status says counts if it agrees with the connection. It need not: /proc may be hidden (hidepid), the
 * thread that connected may be ahead of the main one in a change of ids, the process may be a setuid program by now. Then
 * the connection's ids are all there is, and no capability counts. The real ids are the message's in any case.
 */
static int read_status(const struct ucred *u, uid_t ruid, gid_t rgid, struct fc_peer *p)
{
	char who[16], text[8192];
	int r;

	snprintf(who, sizeof who, "%d", u->pid);
	r = proc_read(who, "status", text, sizeof text);
	if (fc_peer_in_want(r)) /* it would lose its capabilities for the rest of its life */
		return r;
	if (!r && !fc_status_parse(text, p) && p->euid == u->uid && p->egid == u->gid) {
		see(u->pid, p);
		if (!caps_count || !(p->proven & FC_LOOKOUT_USER))
			p->caps = 0;
		p->ruid = ruid;
		p->rgid = rgid;
		return p->proven & FC_LOOKOUT_AGAIN ? -EAGAIN : 0;
	}
	p->ruid = ruid;
	p->rgid = rgid;
	p->euid = p->suid = p->fsuid = u->uid;
	p->egid = p->sgid = p->fsgid = u->gid;
	see(u->pid, p);
	p->caps = 0;
	strcpy(p->comm, "?");
	return p->proven & FC_LOOKOUT_AGAIN ? -EAGAIN : 0;
}

/* As its kernel holds it to them: root's threads are not counted, and who may raise its limits has none. */
static int read_limits(pid_t pid, struct fc_peer *p)
{
	char who[16], text[4096];
	int r;

	snprintf(who, sizeof who, "%d", pid);
	r = proc_read(who, "limits", text, sizeof text);
	if (r == 0)
		r = fc_limits_parse(text, p);
	if (p->caps & FC_CAP(SYS_RESOURCE))
		p->files = UINT64_MAX;
	if (p->ruid == 0 || p->caps & (FC_CAP(SYS_RESOURCE) | FC_CAP(SYS_ADMIN)))
		p->threads = UINT64_MAX;
	return r;
}

int fc_peer_identify(int sock, pid_t sender, uid_t ruid, gid_t rgid, struct fc_peer *p)
{
	struct ucred u;
	socklen_t size = sizeof u;
	int r;

	if (getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &u, &size))
		return -errno;
	if (u.pid <= 0 || u.pid != sender)
		return -EPERM;
	p->pid = u.pid;
	p->pidfd = peer_pidfd(sock, u.pid);
	if (p->pidfd < 0)
		return p->pidfd;
	r = read_status(&u, ruid, rgid, p);
	if (r == 0)
		r = read_limits(u.pid, p);
	/* only now: as long as the process lives, its number was nobody else's while we read */
	if (r < 0 || fc_pidfd_dead(p->pidfd)) {
		close(p->pidfd);
		p->pidfd = -1;
		return r < 0 ? r : -ESRCH;
	}
	return 0;
}

int fc_peer_is_child(pid_t pid, pid_t parent, uid_t uid)
{
	char who[16], text[8192];
	struct fc_peer peer;
	const char *at;
	int ppid, r;

	snprintf(who, sizeof who, "%d", pid);
	r = proc_read(who, "status", text, sizeof text);
	if (r < 0)
		return r == -ENOENT ? -ESRCH : r;
	at = field(text, "PPid:\t");
	if (!at || sscanf(at, "%d", &ppid) != 1 || fc_status_parse(text, &peer))
		return -EPROTO;
	return ppid == parent && (peer.ruid == uid || uid == 0);
}

int fc_peer_groups(int sock, struct fc_cred *cred)
{
	socklen_t size = sizeof cred->group;

	if (getsockopt(sock, SOL_SOCKET, SO_PEERGROUPS, cred->group, &size))
		return errno == ERANGE ? -E2BIG : -errno;
	cred->ngroups = size / sizeof cred->group[0];
	return 0;
}
