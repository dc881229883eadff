/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * path_link.c - paths that lead through links in /proc to what a process has open (procfs.h), or to a placeholder: the call goes on at
 * the descriptor, or the directory, that stands behind. Where its row has no directory beside the path it is made another call about the
 * descriptor.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include "common/atomic.h"
#include "common/rawcall.h"
#include "libc-shim/calls/handlers.h"
#include "libc-shim/calls/other.h"
#include "libc-shim/calls/path_call.h"
#include "libc-shim/calls/path_text.h"
#include "libc-shim/calls/procfs.h"
#include "libc-shim/hook.h"
#include "libc-shim/shim.h"
#include "libc-shim/text.h"

static bool has_dirfd(const struct shim_path_call *pc, int k)
{
	return !pc->alone && pc->arg[k] && pc->row->arg[pc->arg[k] - 1].kind == FC_KIND_DIRFD;
}

static int64_t answer(struct shim_path_call *pc, int64_t result)
{
	pc->answered = true;
	pc->answer = result;
	return 0;
}

/* What a call of the application's own does with a descriptor, instead of with path 0, which leads to it. */
static long by_descriptor(const struct shim_path_call *pc, int fd)
{
	long a[6] = { fd, pc->a[1], pc->a[2], pc->a[3], pc->a[4] };

	switch (pc->row->nr) {
	case SYS_statfs:
		return shim_dispatch(SYS_fstatfs, a);
	case SYS_chdir:
		return shim_dispatch(SYS_fchdir, a);
	case SYS_setxattr:
		return shim_dispatch(SYS_fsetxattr, a);
	case SYS_getxattr:
		return shim_dispatch(SYS_fgetxattr, a);
	case SYS_listxattr:
		return shim_dispatch(SYS_flistxattr, a);
	case SYS_removexattr:
		return shim_dispatch(SYS_fremovexattr, a);
	case SYS_truncate:
		return shim_dispatch(SYS_ftruncate, a);
	default:
		return -ENOSYS;
	}
}

/* One more descriptor of the same file, for the time of the call. */
static long reopen(struct shim_path_call *pc, int k, int fd, long flags)
{
	char path[SHIM_FD_PATH];
	long a[6] = { AT_FDCWD, (long)(fd == AT_FDCWD ? "." : shim_fd_path(path, fd)), flags | O_CLOEXEC }, r;

	shim_self()->for_us = true;
	r = shim_dispatch(SYS_openat, a);
	shim_self()->for_us = false;
	if (r >= 0)
		pc->frame->borrowed[k] = (int)r;
	return r;
}

/* A call whose row has no directory, on what path 0 leads to. */
static long by_path(struct shim_path_call *pc, int fd)
{
	const bool truncates = pc->row->nr == SYS_truncate;
	long stat[6] = { fd, 0 }, r = -EBADF;
	struct stat st;

	stat[1] = (long)&st;
	if (!truncates)
		r = by_descriptor(pc, fd);
	if (r != -EBADF)
		return r;
	/* it is O_PATH, or needs to be open for writing: that of another may be */
	r = shim_dispatch(SYS_fstat, stat);
	if (r == 0 && !S_ISREG(st.st_mode) && (truncates || !S_ISDIR(st.st_mode)))
		return S_ISDIR(st.st_mode) ? -EISDIR : truncates ? -EINVAL : -EOPNOTSUPP;
	if (r == 0)
		r = reopen(pc, 0, fd, (truncates ? O_WRONLY : O_RDONLY) | O_NONBLOCK);
	return r < 0 ? r : by_descriptor(pc, (int)r);
}

/* Path k is what descriptor `fd` refers to: the domain's name for that. As shim_path_follow. */
static int64_t name_descriptor(struct shim_path_call *pc, int k, int fd)
{
	uint64_t w = shim_fd_get(pc->p, fd);

	if (!w)
		return -ENOENT; /* it was a remote one a moment ago */
	pc->descriptor[k] = true;
	pc->route[k] = (struct shim_route){ .domain = (int)shim_fd_domain(w), .dirfd = AT_FDCWD, .fd = fd, .w = w };
	shim_fd_path(pc->path[k], shim_fd_number(w));
	return 1;
}

void shim_path_begin_anew(struct shim_path_call *pc)
{
	for (int k = 0; k < pc->paths; k++) {
		if (!pc->descriptor[k] || shim_fd_get(pc->p, pc->route[k].fd) == pc->route[k].w)
			continue;
		shim_fd_path(pc->path[k], pc->route[k].fd);
		pc->descriptor[k] = false;
		pc->rewritten[k] = true;
		pc->dirfd[k] = AT_FDCWD;
	}
}

/* Path k goes on at `fd`, a remote directory: for a call that has no directory beside its path, at that one's own path. */
static int64_t begin_at(struct shim_path_call *pc, int k, int fd)
{
	char *path = pc->path[k], *text = pc->scratch + 2 * FC_PATH_MAX, link[SHIM_FD_PATH];
	long a[6] = { AT_FDCWD, (long)link, (long)text, FC_PATH_MAX };
	size_t skip = 0;

	while (path[skip] == '/')
		skip++;
	pc->dirfd[k] = fd;
	if (!path[skip])
		skip--, path[skip] = '.';
	if (has_dirfd(pc, k) || fd == AT_FDCWD) {
		for (size_t i = 0, n = strlen(path + skip); i <= n; i++)
			path[i] = path[skip + i];
		return 0;
	}
	shim_fd_path(link, fd);
	long n = shim_dispatch(SYS_readlinkat, a);
	if (n < 0)
		return n;
	if ((size_t)n + 1 + strlen(path + skip) >= FC_PATH_MAX)
		return -ENAMETOOLONG;
	text[n] = 0;
	if (shim_path_goes_up(text)) /* the domain's word, and `..` would be ours */
		return -ENOENT;
	text[n] = '/';
	memcpy(text + n + 1, path + skip, strlen(path + skip) + 1);
	memcpy(path, text, strlen(text) + 1);
	pc->dirfd[k] = AT_FDCWD;
	return 0;
}

/* Is it the remote file that a call means by a path that ends at a link, and not the link itself, which is a local file? */
static bool means_file(const struct shim_path_call *pc, int k, const struct shim_link *link)
{
	const unsigned nr = pc->row->nr;

	if (link->kind == SHIM_LINK_INFO)
		return nr == SYS_openat && !(pc->a[2] & (O_ACCMODE | O_PATH | O_DIRECTORY)) &&
		       (pc->a[2] & (O_CREAT | O_EXCL)) != (O_CREAT | O_EXCL);
	if (shim_path_is_named(pc, k))
		return false;
	if (pc->follow[k] || nr == SYS_readlinkat)
		return true;
	/* its mode is how the file is open */
	return link->own && link->kind == SHIM_LINK_FD && (nr == SYS_newfstatat || nr == SYS_statx);
}

/* The descriptor of this process for what a link leads to, for the time of the call if it has none; AT_FDCWD; or -errno. */
static long link_descriptor(struct shim_path_call *pc, int k, const struct shim_link *link, struct shim_other *o)
{
	if (!link->own) {
		long fd = (pc->p = shim_process_own()) ? shim_other_open(pc->p, link, o) : -ENOMEM;

		if (fd >= 0)
			pc->frame->borrowed[k] = (int)fd;
		return fd;
	}
	if (link->kind == SHIM_LINK_CWD)
		return link->whole && pc->row->nr == SYS_readlinkat ? reopen(pc, k, AT_FDCWD, O_PATH) : AT_FDCWD;
	return shim_fd_get(pc->p, link->number) ? link->number : -ENOENT;
}

/* Path k leads through, or to, something remote that a process has open. */
static int64_t take_link(struct shim_path_call *pc, int k, const struct shim_link *link)
{
	const uint64_t confined = RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH | RESOLVE_NO_XDEV;
	struct shim_other o = { .position = -1, .flags = -1 };
	long fd;

	if (link->kind == SHIM_LINK_MAP || (shim_path_how(pc).resolve & confined) ||
	    (link->whole && !means_file(pc, k, link))) {
		pc->route[k].unsure = false; /* the local kernel knows */
		return 0;
	}
	fd = link_descriptor(pc, k, link, &o);
	if (fd < 0 && fd != AT_FDCWD)
		return fd;
	if (link->kind == SHIM_LINK_INFO)
		return answer(pc, shim_procfs_open_info(link, (int)fd, o.position, o.flags, pc->a[2]));
	if (link->whole && fd != AT_FDCWD) {
		if (!has_dirfd(pc, k)) {
			pc->ran_in = (int)shim_fd_domain(shim_fd_get(pc->p, fd));
			return answer(pc, by_path(pc, (int)fd));
		}
		return name_descriptor(pc, k, (int)fd);
	}
	if (link->whole) {
		pc->path[k][0] = '.';
		pc->path[k][1] = 0;
	}
	int64_t r = begin_at(pc, k, (int)fd);
	if (r == 0)
		shim_route_text(pc->p, pc->dirfd[k], pc->path[k], &pc->route[k]);
	return r < 0 ? r : pc->route[k].domain < 0 ? -ENOENT : 1;
}

/* Follow links of the local file system in path k. */
static int64_t walk(struct shim_path_call *pc, int k)
{
	struct shim_route *r = &pc->route[k];
	const char *rest;

	if (shim_procfs_own(pc->p, pc->path[k], &r->link, &rest)) {
		r->link.whole = !*rest;
		for (size_t i = 0, n = strlen(rest); *rest && i <= n; i++)
			pc->path[k][i] = rest[i];
		return 0;
	}
	return shim_route_walk(pc->dirfd[k], pc->path[k], pc->follow[k], pc->scratch + 2 * FC_PATH_MAX, r);
}

int64_t shim_path_follow(struct shim_path_call *pc, int k)
{
	int64_t r = walk(pc, k);
	const struct shim_link link = pc->route[k].link;

	if (r == 0 && link.kind != SHIM_LINK_NONE)
		return take_link(pc, k, &link);
	if (r < 0)
		return r;
	pc->route[k].unsure = false;
	if (pc->route[k].domain < 0)
		return 0;
	pc->rewritten[k] = true;
	pc->dirfd[k] = AT_FDCWD;
	return 1;
}

bool shim_path_is_of(struct shim_process *p, int domain, const char *user, long n)
{
	struct shim_frame *f = shim_frame_begin();
	struct shim_route r = { .domain = -1 };

	if (!f)
		return false;
	char *path = shim_scratch(f);
	if (n < FC_PATH_MAX && !fc_copy_from_user(path, user, (size_t)n)) {
		path[n] = 0;
		if ((long)strlen(path) == n && path[0] == '/' && !shim_path_goes_up(path))
			shim_route_text(p, AT_FDCWD, path, &r);
	}
	shim_frame_end(f);
	return r.domain == domain;
}

/* The domain says what a descriptor refers to: a path, if it is all there. What has been moved out of its export has none that anybody
 * here could know. */
int64_t shim_path_check_link(const struct shim_path_call *pc, int64_t r)
{
	if (r <= 0 || pc->row->nr != SYS_readlinkat || !pc->descriptor[0] || r == (int)pc->a[3])
		return r;
	return shim_path_is_of(pc->p, pc->route[0].domain, (const char *)pc->a[2], (long)r) ? r : -ENOENT;
}

void shim_path_give_back(struct shim_frame *f)
{
	for (int k = 0; k < 2; k++) {
		int fd = f->borrowed[k];

		f->borrowed[k] = -1;
		if (fd >= 0)
			shim_close_untold(fd);
	}
}

/* ---- placeholders ---- */

static bool has_remote(const struct shim_process *p)
{
	return fc_load(&p->fd_count) || p->cwd_domain >= 0;
}

/* Is it a placeholder, or something in one, that the call would be about with path k, which is local by its text? */
static bool meets_placeholder(const struct shim_path_call *pc, int k)
{
	const char *path = pc->path[k];
	bool named = shim_path_is_named(pc, k);
	struct stat st;

	if (pc->route[k].domain >= 0 || !pc->route[k].unsure || (!named && !pc->follow[k]))
		return false;
	if (named)
		path = shim_path_parent(pc, k);
	return *path && fc_call(SYS_newfstatat, pc->dirfd[k], path, &st, 0) == 0 &&
	       shim_may_be_nowhere(st.st_dev, st.st_ino, st.st_mode, st.st_nlink);
}

/* A call whose answer says that it was about a placeholder: it is looked at afterwards. */
static bool shows_placeholder(const struct shim_path_call *pc)
{
	const unsigned nr = pc->row->nr;

	return nr == SYS_newfstatat || nr == SYS_statx || nr == SYS_readlinkat || pc->row->effect == FC_EFFECT_OPENS;
}

bool shim_path_meets_placeholder(const struct shim_path_call *pc)
{
	if (shows_placeholder(pc) || !has_remote(pc->p))
		return false;
	return meets_placeholder(pc, 0) || (pc->paths > 1 && meets_placeholder(pc, 1));
}

static bool is_placeholder_stat(const void *user)
{
	struct stat st;

	return !fc_copy_from_user(&st, user, sizeof st) &&
	       shim_may_be_nowhere(st.st_dev, st.st_ino, st.st_mode, st.st_nlink);
}

static bool is_placeholder_statx(const void *user)
{
	struct statx st;

	return !fc_copy_from_user(&st, user, sizeof st) &&
	       shim_may_be_nowhere(makedev(st.stx_dev_major, st.stx_dev_minor), st.stx_ino, st.stx_mode, st.stx_nlink);
}

static bool is_placeholder_descriptor(int fd)
{
	struct stat st;

	return fc_call(SYS_fstat, fd, &st) == 0 && shim_may_be_nowhere(st.st_dev, st.st_ino, st.st_mode, st.st_nlink);
}

static bool is_placeholder_text(const struct shim_path_call *pc, long n)
{
	char text[FC_PREFIX_MAX];
	long most = n < (long)sizeof text ? n : (long)sizeof text;

	return !fc_copy_from_user(text, (const void *)pc->a[2], (size_t)most) &&
	       shim_procfs_is_text(text, most, pc->a[3]);
}

bool shim_path_shows_placeholder(const struct shim_path_call *pc, long r)
{
	switch (pc->row->nr) {
	case SYS_newfstatat:
		return is_placeholder_stat((void *)pc->a[2]);
	case SYS_statx:
		return is_placeholder_statx((void *)pc->a[4]);
	case SYS_readlinkat:
		return is_placeholder_text(pc, r);
	case SYS_openat:
	case SYS_openat2:
		return has_remote(pc->p) && is_placeholder_descriptor((int)r);
	default:
		return false;
	}
}
