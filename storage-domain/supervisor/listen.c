/* SPDX-License-Identifier: GPL-2.0-or-later */
/* listen.c - makes and removes the domain's socket, see listen.h. */
#define _GNU_SOURCE
#include "storage-domain/supervisor/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "common/empty.h"
#include "farcall/control.h"
#include "storage-domain/log.h"

#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83
#endif

#define FC_BACKLOG 128
#define FC_ALIVE_TRIES 10
#define FC_LOCK_TRIES 40
#define SOCKETS_DEPTH 2

static int fail(const char *path, const char *what)
{
	fc_log(FC_LOG_ERROR, "%s: %s: %s", path, what, strerror(errno));
	return -1;
}

/* Split into the directory, opened, and the name in it. */
static int open_directory(struct fc_listen *l, const char *path)
{
	const char *slash = strrchr(path, '/');
	char directory[sizeof((struct sockaddr_un *)0)->sun_path] = ".";

	if (slash)
		snprintf(directory, sizeof directory, "%.*s", (int)(slash == path ? 1 : slash - path), path);
	snprintf(l->name, sizeof l->name, "%s", slash ? slash + 1 : path);
	l->directory = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (l->directory < 0)
		return fail(path, "cannot use the directory of the socket");
	return 0;
}

/* Is anybody listening there? */
static bool answers(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool refused;

	if (fd < 0)
		return true;
	refused = connect(fd, (const struct sockaddr *)address, sizeof *address) && errno == ECONNREFUSED;
	close(fd);
	return !refused;
}

/* And still after a while? The processes of a domain that has just been killed need a moment to end. */
static bool alive(const struct sockaddr_un *address)
{
	for (int i = 0; i < FC_ALIVE_TRIES; i++) {
		if (!answers(address))
			return false;
		nanosleep(&(struct timespec){ .tv_nsec = 50000000 }, NULL);
	}
	return true;
}

/* Make room for the socket if a dead one is in its place. Nobody else does the same at the time: the directory is locked. */
static int clear_name(struct fc_listen *l, const struct sockaddr_un *address)
{
	struct stat st;

	if (fstatat(l->directory, l->name, &st, AT_SYMLINK_NOFOLLOW))
		return errno == ENOENT ? 0 : fail(address->sun_path, "cannot look at it");
	if (!S_ISSOCK(st.st_mode)) {
		fc_log(FC_LOG_ERROR, "%s exists and is not a socket: give another path to --socket", address->sun_path);
		return -1;
	}
	if (alive(address)) {
		fc_log(FC_LOG_ERROR,
		       "%s: another storage domain (or other program) is listening there: stop it, or give another "
		       "path to --socket",
		       address->sun_path);
		return -1;
	}
	if (unlinkat(l->directory, l->name, 0))
		return fail(address->sun_path, "cannot remove the socket of a dead domain");
	return 0;
}

static int bind_name(struct fc_listen *l, const struct sockaddr_un *address, mode_t mode)
{
	mode_t old = umask(0777 & ~mode);
	int r = bind(l->fd, (const struct sockaddr *)address, sizeof *address);
	struct stat st;

	umask(old);
	if (r)
		return fail(address->sun_path, "cannot make the socket");
	if (listen(l->fd, FC_BACKLOG))
		return fail(address->sun_path, "cannot listen");
	if (fstatat(l->directory, l->name, &st, AT_SYMLINK_NOFOLLOW))
		return fail(address->sun_path, "cannot find it again");
	l->dev = st.st_dev;
	l->ino = st.st_ino;
	return 0;
}

/* Anybody who can read the directory can hold its lock: it is not waited for for ever. */
static int lock_directory(const struct fc_listen *l, const char *path)
{
	for (int i = 0; flock(l->directory, LOCK_EX | LOCK_NB); i++) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return fail(path, "cannot lock the directory of the socket");
		if (i == FC_LOCK_TRIES) {
			fc_log(FC_LOG_ERROR,
			       "%s: somebody else holds a lock on its directory: give a path in a directory of your "
			       "own to --socket",
			       path);
			return -1;
		}
		nanosleep(&(struct timespec){ .tv_nsec = 50000000 }, NULL);
	}
	return 0;
}

/* ---- where clients have the sockets that they bind on exports from which nothing is handed over ---- */

static void sockets_name(const struct fc_listen *l, char name[sizeof l->name + sizeof FC_SOCKETS_SUFFIX])
{
	snprintf(name, sizeof l->name + sizeof FC_SOCKETS_SUFFIX, "%s" FC_SOCKETS_SUFFIX, l->name);
}

/* One directory of each user's in it, and in those nothing but sockets. */
static void sockets_remove(const struct fc_listen *l)
{
	char name[sizeof l->name + sizeof FC_SOCKETS_SUFFIX];
	int fd;

	sockets_name(l, name);
	fd = openat(l->directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0)
		fc_empty_directory(fd, SOCKETS_DEPTH);
	unlinkat(l->directory, name, AT_REMOVEDIR);
}

int fc_listen_sockets(const struct fc_listen *l, bool everybody)
{
	char name[sizeof l->name + sizeof FC_SOCKETS_SUFFIX];
	struct stat st;
	int fd;

	sockets_name(l, name);
	if (mkdirat(l->directory, name, 0700) && errno != EEXIST)
		return fail(name, "cannot make the directory for clients' sockets");
	fd = openat(l->directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) || st.st_uid != geteuid() || fchmod(fd, everybody ? 01777 : 0700)) {
		fc_log(FC_LOG_ERROR, "%s, beside the domain's socket, is not a directory of ours: remove it", name);
		if (fd >= 0)
			close(fd);
		return -1;
	}
	return close(fd);
}

int fc_listen_open(struct fc_listen *l, const char *path, mode_t mode)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int on = 1, off = 0;

	l->fd = -1;
	l->directory = -1;
	if (strlen(path) >= sizeof address.sun_path) {
		fc_log(FC_LOG_ERROR, "%s: too long for a socket (at most %zu bytes): give a shorter path to --socket",
		       path, sizeof address.sun_path - 1);
		return -1;
	}
	strcpy(address.sun_path, path);
	if (open_directory(l, path))
		return -1;
	l->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* accepted sockets inherit it: not even what is sent before accept(2) comes without its sender's identity */
	if (l->fd < 0 || setsockopt(l->fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof on)) {
		fail(path, "cannot make a socket");
		goto close_all;
	}
	/* inherited likewise: closing a descriptor that a stranger has sent may block (SO_LINGER). Kernels before 6.16 do not
	 * know it. */
	setsockopt(l->fd, SOL_SOCKET, SO_PASSRIGHTS, &off, sizeof off);
	if (lock_directory(l, path) || clear_name(l, &address) || bind_name(l, &address, mode))
		goto close_all;
	flock(l->directory, LOCK_UN);
	return 0;
close_all:
	if (l->fd >= 0)
		close(l->fd);
	close(l->directory);
	l->fd = l->directory = -1;
	return -1;
}

void fc_listen_close(struct fc_listen *l)
{
	struct stat st;

	if (l->directory < 0)
		return;
	/* with the lock if it is to be had; without it, a socket that is ours is still ours, but for an instant */
	flock(l->directory, LOCK_EX | LOCK_NB);
	if (!fstatat(l->directory, l->name, &st, AT_SYMLINK_NOFOLLOW) && st.st_dev == l->dev && st.st_ino == l->ino) {
		sockets_remove(l);
		unlinkat(l->directory, l->name, 0);
	}
	close(l->directory);
	l->directory = -1;
	/* the socket is left to the end of the process: what those who have not been accepted have sent may linger (stranger.h) */
}
