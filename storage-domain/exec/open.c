/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * open.c - requests that make descriptors, and the directory of the process: openat, openat2, dup, chdir, getcwd.
 * An open never runs on a path that leaves its export: the kernel refuses (RESOLVE_NO_XDEV), then path.c decides.
 */
#define _GNU_SOURCE
#include "storage-domain/exec/execute.h"

#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "common/rawcall.h"
#include "storage-domain/fds.h"

#define KERNEL_O_LARGEFILE 0100000 /* glibc's is 0 here */
#define KERNEL_O_TMPFILE 020000000 /* without O_DIRECTORY */
#define KERNEL_O_SYNC 04000000     /* without O_DSYNC */

/* what openat(2) does not ignore */
#define OPENAT_FLAGS                                                                                           \
	(O_ACCMODE | O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_APPEND | O_NONBLOCK | KERNEL_O_SYNC | O_DSYNC | \
	 O_ASYNC | O_DIRECT | KERNEL_O_LARGEFILE | O_DIRECTORY | O_NOFOLLOW | O_NOATIME | O_CLOEXEC | O_PATH | \
	 KERNEL_O_TMPFILE)
#define O_PATH_FLAGS (O_DIRECTORY | O_NOFOLLOW | O_PATH | O_CLOEXEC)

#define RACE_TRIES 16
#define LEASE_LOOKS 70       /* a quarter of a second, on a busy machine: what is not ours takes longer */
#define LEASE_LOOK_NS 100000 /* before the first, and longer each time */

static unsigned open_walk_flags(const struct open_how *how)
{
	unsigned flags = 0;

	if (!(how->flags & O_NOFOLLOW) && (how->flags & (O_CREAT | O_EXCL)) != (O_CREAT | O_EXCL))
		flags |= FC_WALK_FOLLOW;
	if (how->resolve & RESOLVE_NO_SYMLINKS)
		flags |= FC_WALK_NOLINKS;
	return flags;
}

/* Open where the walk ended. Its last component is no link to be followed; should it have become one, ELOOP tells. */
static int64_t open_walked(struct fc_walk *w, const struct open_how *how)
{
	struct open_how here = *how;
	int64_t fd;

	here.resolve |= RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
	fd = fc_call(SYS_openat2, w->dir, w->name, &here, sizeof here);
	fc_walk_end(w);
	return fd;
}

/* The kernel said that the path crosses a mount: leave, or open it step by step. */
static int64_t open_crossing(struct fc_exec *x, int start, const char *rest, const struct open_how *how)
{
	unsigned flags = open_walk_flags(how);
	int64_t r = -ELOOP;

	for (int i = 0; i < RACE_TRIES && r == -ELOOP; i++) {
		r = fc_walk(&x->walk, x->s->exports, start, rest, flags);
		if (r == FC_PATH_LEFT)
			return fc_exec_continue(x, 1, x->walk.text);
		if (r)
			return r;
		r = open_walked(&x->walk, how);
		if (!(flags & FC_WALK_FOLLOW))
			break;
	}
	return r;
}

/* O_CREAT of an export's root with a slash behind its name, which is not part of what the kernel sees. */
static bool makes_slash(const char *path, const struct open_how *how)
{
	return (how->flags & (O_CREAT | O_DIRECTORY)) == O_CREAT && path[strlen(path) - 1] == '/';
}

static int64_t open_once(struct fc_exec *x, const struct open_how *how)
{
	int dirfd = fc_exec_dirfd(x->e.arg[0]), start, r;
	struct open_how inside = *how;
	const char *rest;
	int64_t fd;

	if (!fc_exec_room_for_fd(x))
		return -EMFILE;
	if (!(how->resolve & RESOLVE_IN_ROOT)) /* there the path is below dirfd, whatever its text */
		dirfd = fc_exec_descriptor_path(x, 0, dirfd);
	if (x->descriptor_path)
		return fc_exec_new_fd(x, fc_call(SYS_openat2, dirfd, x->path[0], how, sizeof *how));
	inside.resolve |= RESOLVE_NO_MAGICLINKS;
	if (how->resolve & (RESOLVE_BENEATH | RESOLVE_IN_ROOT)) /* the caller's own confinement is tighter */
		return fc_exec_new_fd(x, fc_call(SYS_openat2, dirfd, x->path[0], &inside, sizeof inside));
	r = fc_path_start(x->s->exports, dirfd, x->path[0], &start, &rest);
	if (r)
		return r;
	if (rest != x->path[0] && !strcmp(rest, ".") && makes_slash(x->path[0], how))
		return -EISDIR;
	inside.resolve |= RESOLVE_NO_XDEV;
	fd = fc_call(SYS_openat2, start, rest, &inside, sizeof inside);
	if (fd == -EXDEV && !(how->resolve & RESOLVE_NO_XDEV))
		fd = open_crossing(x, start, rest, how);
	return fd <= FC_CONTINUE ? fd : fc_exec_new_fd(x, fd);
}

/*
 * A file that is delegated to somebody is opened when he has given it back, which takes a moment. Who opens without blocking is told to come again instead
 * (fcntl(2), leases): so would it be if nobody of ours had it, and an open that need not wait for anything else must not fail for that.
 */
static int64_t open_how(struct fc_exec *x, const struct open_how *how)
{
	int64_t r = open_once(x, how);

	for (int i = 0; r == -EAGAIN && (how->flags & O_NONBLOCK) && i < LEASE_LOOKS; i++) {
		nanosleep(&(struct timespec){ .tv_nsec = LEASE_LOOK_NS * (i + 1) }, NULL);
		r = open_once(x, how);
	}
	return r;
}

/* A FIFO is better off with its client, whose own poll and signals know it then (shadow/hand.c). */
static int64_t open_any(struct fc_exec *x, const struct open_how *how)
{
	int64_t fd = open_how(x, how);

	return fd >= 0 && x->pipe && (x->e.flags & FC_REQ_HANDS) && !x->s->foreign ? fd | FC_OPENED_PIPE : fd;
}

int64_t fc_exec_openat(struct fc_exec *x)
{
	struct open_how how = { .flags = (uint32_t)x->e.arg[2] & OPENAT_FLAGS };
	int r = fc_exec_path(x, x->e.arg[1], 0);

	if (r)
		return r;
	if (how.flags & O_PATH)
		how.flags &= O_PATH_FLAGS;
	if (how.flags & (O_CREAT | KERNEL_O_TMPFILE))
		how.mode = x->e.arg[3] & 07777;
	return open_any(x, &how);
}

int64_t fc_exec_openat2(struct fc_exec *x)
{
	uint64_t size = x->e.arg[3];
	struct open_how how = { 0 };
	const char *shared;
	int r;

	if (size < sizeof how)
		return -EINVAL;
	if (size > FC_PAGE_SIZE)
		return -E2BIG;
	shared = fc_exec_at(x, x->e.arg[2], size);
	if (!shared)
		return -EFAULT;
	fc_exec_fetch(&how, shared, sizeof how);
	for (uint64_t i = sizeof how; i < size; i++)
		if (((const volatile char *)shared)[i])
			return -E2BIG; /* a later kernel's extension */
	r = fc_exec_path(x, x->e.arg[1], 0);
	return r ? r : open_any(x, &how);
}

int64_t fc_exec_dup(struct fc_exec *x)
{
	if (!fc_exec_room_for_fd(x))
		return -EMFILE;
	return fc_exec_new_fd(x, fc_call(SYS_fcntl, fc_exec_fd(x->e.arg[0]), F_DUPFD_CLOEXEC, FC_DOMAIN_FD_FIRST));
}

/* The process goes to directory `fd`. `own`: which is an open file of ours, to be kept for heirs (heir.c); a client's may have a lock. */
static int64_t go_to(struct fc_shadow *s, int fd, bool own)
{
	struct open_how here = { .flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
				 .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS };
	int64_t r, keep = fd;

	pthread_mutex_lock(&s->place_lock);
	r = fc_call(SYS_fchdir, fd);
	if (r == 0 && !own)
		keep = fc_call(SYS_openat2, fd, ".", &here, sizeof here);
	if (r == 0)
		s->place =
			keep >= 0 && fc_call(SYS_dup3, keep, FC_FD_CWD, O_CLOEXEC) >= 0 ? FC_PLACE_KEPT : FC_PLACE_LOST;
	if (r == 0 && !own && keep >= 0)
		fc_call(SYS_close, keep);
	pthread_mutex_unlock(&s->place_lock);
	return r;
}

int64_t fc_exec_fchdir(struct fc_exec *x)
{
	return go_to(x->s, fc_exec_fd(x->e.arg[0]), false);
}

int64_t fc_exec_umask(struct fc_exec *x)
{
	struct fc_shadow *s = x->s;
	int64_t r;

	pthread_mutex_lock(&s->place_lock);
	s->umask = x->e.arg[0] & 0777;
	r = fc_call(SYS_umask, s->umask);
	pthread_mutex_unlock(&s->place_lock);
	return r;
}

int64_t fc_exec_chdir(struct fc_exec *x)
{
	struct open_how how = { .flags = O_PATH | O_DIRECTORY | O_CLOEXEC };
	int r = fc_exec_path(x, x->e.arg[0], 0), start;
	const char *rest;
	int64_t fd, result;

	if (!r)
		r = fc_path_start(x->s->exports, AT_FDCWD, x->path[0], &start, &rest);
	if (r)
		return r;
	how.resolve = RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS;
	fd = fc_call(SYS_openat2, start, rest, &how, sizeof how);
	if (fd == -EXDEV) {
		r = fc_walk(&x->walk, x->s->exports, start, rest, FC_WALK_FOLLOW);
		if (r == FC_PATH_LEFT)
			return fc_exec_continue(x, 0, x->walk.text);
		if (r)
			return r;
		how.resolve = 0;
		fd = open_walked(&x->walk, &how);
	}
	if (fd < 0)
		return fd;
	result = go_to(x->s, (int)fd, true);
	fc_call(SYS_close, fd);
	return result;
}

int64_t fc_exec_getcwd(struct fc_exec *x)
{
	uint64_t size = x->e.arg[1];
	char *out = fc_exec_buffer(x, x->e.arg[0], size);
	const char *rest;
	int64_t r;
	int start;

	r = fc_call(SYS_getcwd, x->path[0], sizeof x->path[0]);
	if (r < 0)
		return r;
	if (x->path[0][0] != '/' || fc_path_start(x->s->exports, -1, x->path[0], &start, &rest))
		return -ENOENT; /* not below an export: nothing the client could know */
	if ((uint64_t)r > size)
		return -ERANGE;
	if (!out)
		return -EFAULT;
	memcpy(out, x->path[0], r);
	return r;
}
