/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * route.c - where a path leads: to a domain or to the local kernel. It decides by the text where it can and walks local
 * symbolic links where it must; paths that leave a domain again are the domain's to notice (FC_CONTINUE).
 *
 * A mount covers what the local file system has at its prefix. Normally nothing is there, so that a local call which goes
 * through a mount without the text saying so (a symbolic link, `..`, a relative path) fails with ENOENT: then, and only
 * then, the path is walked, but for one that would make the prefix itself. Where something does exist at a prefix, every local path is walked first.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>

#include "common/atomic.h"
#include "common/rawcall.h"
#include "farcall/abi.h"
#include "libc-shim/calls/path_text.h"
#include "libc-shim/calls/route.h"
#include "libc-shim/hook.h"
#include "libc-shim/process/process.h"
#include "libc-shim/process/sandbox.h"
#include "libc-shim/process/thread.h"
#include "libc-shim/shim.h"
#include "libc-shim/text.h"

#define LINKS_MAX 40

static bool same(const char *a, const char *b, size_t n)
{
	while (n--)
		if (*a++ != *b++)
			return false;
	return true;
}

bool shim_route_ends_as_prefix(const char *path)
{
	const char *last = shim_path_last(path);
	size_t n = shim_path_component(last);

	for (unsigned i = 0; i < shim.config.nmounts; i++) {
		const char *name = shim_path_last(shim.config.mount[i].prefix);

		if (n && n == shim_path_component(name) && same(name, last, n))
			return true;
	}
	return false;
}

static int mount_by_text(const char *path)
{
	for (unsigned i = 0; i < shim.config.nmounts; i++)
		if (shim_path_behind(path, shim.config.mount[i].prefix))
			return (int)i;
	return -1;
}

void shim_route_text(const struct shim_process *p, int dirfd, const char *path, struct shim_route *r)
{
	const bool elsewhere = fc_load(&p->elsewhere);

	*r = (struct shim_route){ .domain = -1, .dirfd = AT_FDCWD, .unsure = path && path[0] && !elsewhere };
	if (path && path[0] == '/') {
		int m = elsewhere ? -1 : mount_by_text(path);

		if (m >= 0)
			r->domain = (int)shim.config.mount[m].domain;
	} else if (dirfd == AT_FDCWD) {
		r->domain = p->cwd_domain;
	} else {
		uint64_t w = shim_fd_get(p, dirfd);

		if (w) {
			r->domain = (int)shim_fd_domain(w);
			r->dirfd = shim_fd_number(w);
			r->fd = dirfd;
			r->w = w;
		}
	}
}

/* ---- the walk ---- */

struct walk {
	char *at; /* the physical path so far, without trailing slash ("" is the root) */
	size_t at_length;
	char *rest; /* what is still to be walked; one page */
};

static int mount_at(const struct walk *w, bool *above)
{
	*above = false;
	for (unsigned i = 0; i < shim.config.nmounts; i++) {
		const char *prefix = shim.config.mount[i].prefix;
		size_t n = shim.config.mount[i].length;

		if (n == w->at_length && same(prefix, w->at, n))
			return (int)i;
		if (n > w->at_length && same(prefix, w->at, w->at_length) && prefix[w->at_length] == '/')
			*above = true;
	}
	return -1;
}

static int append(char *buffer, size_t *length, const char *text, size_t n)
{
	if (*length + n + 2 > FC_PATH_MAX)
		return -ENAMETOOLONG;
	buffer[(*length)++] = '/';
	for (size_t i = 0; i < n; i++)
		buffer[(*length)++] = text[i];
	buffer[*length] = 0;
	return 0;
}

/* rest = target + rest + n, where n bytes of rest have been consumed. */
static int splice_link(struct walk *w, const char *consumed_to, const char *target, size_t n)
{
	size_t left = strlen(consumed_to);

	if (n + left + 1 > FC_PATH_MAX)
		return -ENAMETOOLONG;
	if (consumed_to < w->rest + n) { /* moves up: from the end */
		for (size_t i = left + 1; i-- > 0;)
			w->rest[n + i] = consumed_to[i];
	} else {
		for (size_t i = 0; i <= left; i++)
			w->rest[n + i] = consumed_to[i];
	}
	memcpy(w->rest, target, n);
	return 0;
}

static void go_up(struct walk *w)
{
	while (w->at_length && w->at[--w->at_length] != '/')
		;
	w->at[w->at_length] = 0;
}

static bool number_path(char *out, int fd)
{
	char digits[24], *d = shim_format_number(digits + sizeof digits, (unsigned)fd);
	static const char base[] = "/proc/self/fd/";

	if (fd < 0)
		return false;
	memcpy(out, base, sizeof base - 1);
	memcpy(out + sizeof base - 1, d, (size_t)(digits + sizeof digits - d));
	out[sizeof base - 1 + (size_t)(digits + sizeof digits - d)] = 0;
	return true;
}

/* Where a relative path starts. */
static bool start(struct walk *w, int dirfd)
{
	char link[48];
	long n;

	if (dirfd == AT_FDCWD) {
		n = fc_call(SYS_getcwd, w->at, FC_PATH_MAX);
		n = n > 0 ? n - 1 : n;
	} else {
		n = number_path(link, dirfd) ? fc_call(SYS_readlink, link, w->at, FC_PATH_MAX - 1) : -EBADF;
	}
	if (n <= 0 || w->at[0] != '/')
		return false;
	w->at_length = n == 1 ? 0 : (size_t)n;
	w->at[w->at_length] = 0;
	return true;
}

/* The walk has entered mount m: path = the prefix and what is left. */
static int enter(const struct walk *w, int m, const char *left, char *path, struct shim_route *r)
{
	size_t n = w->at_length;

	memcpy(path, w->at, n);
	path[n] = 0;
	for (const char *p = left; *p;) { /* without "." and double slashes, for it may be as long as a path can be */
		const char *next = shim_path_next(p);
		size_t k = shim_path_component(next);

		if (!k) { /* slashes at the end say that it must be a directory; a dot that nothing can be made of it */
			bool dot = false;

			while (p < next)
				dot |= *p++ == '.';
			if (append(path, &n, ".", dot) < 0)
				return -ENAMETOOLONG;
			break;
		}
		int e = append(path, &n, next, k);
		if (e < 0)
			return e;
		p = next + k;
	}
	*r = (struct shim_route){ .domain = (int)shim.config.mount[m].domain, .dirfd = AT_FDCWD };
	return 0;
}

/* One component that is not `..`: 1 = a symbolic link was spliced in, 0 = go on, -errno = the walk ends here, locally. */
static int step(struct walk *w, const char *after, bool above, bool follow, char *link)
{
	long n;

	if (above)
		return 0; /* a directory on the way to a mount exists, whatever the local file system says */
	if (!follow && !*after)
		return 0;
	n = fc_call(SYS_readlink, w->at, link, FC_PATH_MAX - 1);
	if (n == -EINVAL)
		return 0;
	if (n <= 0)
		return n ? (int)n : -ENOENT;
	int r = splice_link(w, after, link, (size_t)n);
	if (r < 0)
		return r;
	if (link[0] == '/') {
		w->at_length = 0;
		w->at[0] = 0;
	} else {
		go_up(w);
	}
	return 1;
}

/* The walk has come to a link in /proc: path = what is left. */
static int stop_at(const char *left, char *path, struct shim_route *r)
{
	r->link.whole = !*left;
	if (*left)
		memcpy(path, left, strlen(left) + 1);
	return 0;
}

/* Would the walk, if it meets no symbolic link, see nothing but this machine's files? */
static bool stays(struct walk *w)
{
	const size_t length = w->at_length;
	struct shim_link link = { 0 };
	bool above = false, met = false;
	size_t n;

	for (const char *p = shim_path_next(w->rest); *p && !met; p = shim_path_next(p + n)) {
		n = shim_path_component(p);
		met = (n == 2 && p[0] == '.' && p[1] == '.') || append(w->at, &w->at_length, p, n) < 0 ||
		      mount_at(w, &above) >= 0 || above || shim_procfs_link(w->at, &link);
	}
	w->at_length = length;
	w->at[length] = 0;
	return !met;
}

/* Does the kernel meet no symbolic link there? Asked by an open that cannot succeed, of a directory to write to: one call, and no descriptor. */
static bool is_plain(int dirfd, const char *path, bool follow)
{
	const struct open_how how = { .flags = O_RDWR | O_DIRECTORY | O_CLOEXEC | (follow ? 0 : O_NOFOLLOW),
				      .resolve = RESOLVE_NO_SYMLINKS };
	long r = shim_sandbox_unknown() ? -EPERM : fc_call(SYS_openat2, dirfd, path, &how, sizeof how);

	return r == -EISDIR || r == -ENOTDIR || r == -ENOENT || r == -EACCES;
}

int shim_route_walk(int dirfd, char *path, bool follow, char *scratch, struct shim_route *r)
{
	struct walk w = { .at = scratch, .rest = scratch + FC_PATH_MAX };
	size_t n = strlen(path);
	int links = 0;

	memcpy(w.rest, path, n + 1);
	w.at[0] = 0;
	if (path[0] != '/' && !start(&w, dirfd))
		return 0;
	if (!path[0] && shim_procfs_link(w.at, &r->link))
		return stop_at("", path, r); /* what a descriptor of the link itself refers to */
	if (stays(&w) && is_plain(dirfd, path, follow))
		return 0;
	for (const char *p = w.rest;;) {
		bool above;

		p = shim_path_next(p);
		if (!*p)
			return 0;
		n = shim_path_component(p);
		if (n == 2 && p[0] == '.' && p[1] == '.') {
			go_up(&w);
			p += n;
			continue;
		}
		int e = append(w.at, &w.at_length, p, n);
		if (e < 0)
			return e;
		int m = mount_at(&w, &above);
		if (m >= 0)
			return enter(&w, m, p + n, path, r);
		if (shim_procfs_link(w.at, &r->link))
			return stop_at(p + n, path, r);
		e = step(&w, p + n, above, follow, scratch + 2 * FC_PATH_MAX);
		if (e == 1 && ++links > LINKS_MAX)
			return -ELOOP;
		if (e < 0)
			return 0;
		p = e == 1 ? w.rest : p + n;
	}
}

bool fc_path_is_remote(int dirfd, const char *path)
{
	struct shim_frame *f = shim.ready ? shim_frame_begin() : NULL;
	struct shim_route r = { .domain = -1 };

	if (!f)
		return false;
	char *scratch = shim_scratch(f);
	if (fc_strncpy_from_user(scratch, path, FC_PATH_MAX) >= 0) {
		shim_route_text(shim_process(), dirfd, scratch, &r);
		if (r.domain < 0 && r.unsure)
			shim_route_walk(dirfd, scratch, true, scratch + FC_PATH_MAX, &r);
	}
	shim_frame_end(f);
	return r.domain >= 0 || r.link.kind == SHIM_LINK_FD || r.link.kind == SHIM_LINK_CWD;
}
