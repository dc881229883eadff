/* SPDX-License-Identifier: GPL-2.0-or-later */
/* path.c - where a path leads, see path.h. */
#define _GNU_SOURCE
#include "storage-domain/exec/path.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include "common/rawcall.h"
#include "storage-domain/shadow/shadow.h"

/* ---- prefixes ---- */

/* How many bytes of `path` the prefix covers, counting extra slashes and "." components; 0: no match. */
static size_t prefix_length(const char *prefix, const char *path)
{
	const char *p = path;

	while (*prefix) {
		size_t n = strcspn(++prefix, "/");

		for (;;) {
			while (*p == '/')
				p++;
			if (p[0] != '.' || (p[1] && p[1] != '/'))
				break;
			p++;
		}
		if (strncmp(p, prefix, n) || (p[n] && p[n] != '/'))
			return 0;
		prefix += n;
		p += n;
	}
	return p - path;
}

static const struct fc_export *export_of(const struct fc_exports *exports, const char *path, size_t *covered)
{
	const struct fc_export *best = NULL;

	*covered = 0;
	for (unsigned i = 0; i < exports->count; i++) {
		size_t n = prefix_length(exports->export[i].prefix, path);

		if (n > *covered) {
			*covered = n;
			best = &exports->export[i];
		}
	}
	return best;
}

int fc_path_start(const struct fc_exports *exports, int dirfd, const char *path, int *start, const char **rest)
{
	const struct fc_export *x;
	size_t covered;

	*start = dirfd;
	*rest = path;
	if (path[0] != '/')
		return 0;
	x = export_of(exports, path, &covered);
	if (!x)
		return -ENOENT;
	*start = x->root_fd;
	*rest = path + covered + strspn(path + covered, "/");
	if (!**rest)
		*rest = ".";
	return 0;
}

bool fc_path_is_root(const struct fc_exports *exports, const char *path)
{
	const char *rest;
	int start;

	if (path[0] != '/' || fc_path_start(exports, -1, path, &start, &rest))
		return false;
	rest += *rest == '.';
	return !rest[strspn(rest, "/")];
}

/* ---- the careful walk ---- */

static void step_to(struct fc_walk *w, int fd)
{
	fc_walk_end(w);
	w->dir = fd;
	w->owned = true;
}

void fc_walk_end(struct fc_walk *w)
{
	if (w->owned)
		fc_call(SYS_close, w->dir);
	w->owned = false;
}

/* The export whose root `fd` is, or null. */
static const struct fc_export *root_at(const struct fc_exports *exports, int fd)
{
	struct statx st;

	if (fc_call(SYS_statx, fd, "", AT_EMPTY_PATH, STATX_INO | STATX_MNT_ID, &st))
		return NULL;
	for (unsigned i = 0; i < exports->count; i++) {
		const struct fc_export *x = &exports->export[i];

		if (x->mount_id == st.stx_mnt_id && x->ino == st.stx_ino &&
		    x->dev == makedev(st.stx_dev_major, st.stx_dev_minor))
			return x;
	}
	return NULL;
}

/* w->text = the first n1 bytes of head, a slash, tail (which may stand in w->text). */
static int rewrite(struct fc_walk *w, const char *head, size_t n1, const char *tail, size_t capacity)
{
	size_t n2 = strlen(tail), slash = n2 && tail[0] != '/' && n1 && head[n1 - 1] != '/';

	if (n1 + slash + n2 >= capacity)
		return -ENAMETOOLONG;
	memcpy(w->scratch, head, n1);
	if (slash)
		w->scratch[n1] = '/';
	memcpy(w->scratch + n1 + slash, tail, n2 + 1);
	memcpy(w->text, w->scratch, n1 + slash + n2 + 1);
	return 0;
}

/* ".." at the root of an export: on at the prefix's parent. */
static int leave_upwards(struct fc_walk *w, const struct fc_export *x, const char *rest)
{
	const char *slash = strrchr(x->prefix, '/');
	size_t n = slash && slash > x->prefix ? (size_t)(slash - x->prefix) : 0;
	int r = fc_call(SYS_openat, w->dir, ".", O_PATH | O_CLOEXEC, 0);

	if (!rest[strspn(rest, "/")])
		rest = ""; /* ".." is a directory with or without a slash; the parent's name might be judged by one */

	if (r < 0)
		return r; /* no search permission here: the kernel would not look up ".." either */
	fc_call(SYS_close, r);
	if (n)
		r = rewrite(w, x->prefix, n, rest, FC_PATH_MAX);
	else
		r = rewrite(w, "/", 1, rest + strspn(rest, "/"), FC_PATH_MAX);
	return r ? r : FC_PATH_LEFT;
}

/* Put a symbolic link's target in front of the rest. *at is where to go on. */
static int splice_link(struct fc_walk *w, int link, const char *rest)
{
	char target[FC_PATH_MAX];
	long n = fc_call(SYS_readlinkat, link, "", target, sizeof target);
	int r;

	if (n < 0)
		return n;
	if (!n)
		return -ENOENT;
	r = rewrite(w, target, n, rest, target[0] == '/' ? FC_PATH_MAX : sizeof w->text);
	if (r)
		return r;
	return target[0] == '/' ? FC_PATH_LEFT : FC_PATH_HERE;
}

static bool is_link(int fd)
{
	struct stat st;

	return !fc_call(SYS_newfstatat, fd, "", &st, AT_EMPTY_PATH) && S_ISLNK(st.st_mode);
}

struct component {
	char name[NAME_MAX + 1];
	const char *rest; /* what follows: empty, or begins with a slash */
	bool last;
	bool slash; /* the last one, followed by slashes */
};

/* Cut the first component off `at`; "." if there is none. */
static int cut(struct component *c, const char *at)
{
	size_t n;

	at += strspn(at, "/");
	n = strcspn(at, "/");
	if (n > NAME_MAX)
		return -ENAMETOOLONG;
	memcpy(c->name, at, n);
	c->name[n] = 0;
	c->rest = at + n;
	c->last = !c->rest[strspn(c->rest, "/")];
	c->slash = c->last && *c->rest;
	if (!n)
		strcpy(c->name, ".");
	return 0;
}

static int finish(struct fc_walk *w, const struct component *c)
{
	strcpy(w->name, c->name);
	if (c->slash)
		strcat(w->name, "/");
	return FC_PATH_HERE;
}

static bool must_follow(const struct component *c, unsigned flags)
{
	if (!c->last)
		return true;
	return !(flags & FC_WALK_PARENT) && (c->slash || (flags & FC_WALK_FOLLOW));
}

int fc_walk(struct fc_walk *w, const struct fc_exports *exports, int start, const char *rest, unsigned flags)
{
	const struct fc_export *x;
	struct component c;
	int fd, r, links = 0;

	w->dir = start;
	w->owned = false;
	r = rewrite(w, "", 0, rest, sizeof w->text);
	for (const char *at = w->text; !r; at = c.rest) {
		r = cut(&c, at);
		if (r)
			break;
		x = !strcmp(c.name, "..") && !(c.last && (flags & FC_WALK_PARENT)) ? root_at(exports, w->dir) : NULL;
		if (x) {
			r = leave_upwards(w, x, c.rest);
			break;
		}
		if (c.last && (!strcmp(c.name, ".") || !strcmp(c.name, "..")))
			return finish(w, &c);
		fd = fc_call(SYS_openat, w->dir, c.name, O_PATH | O_NOFOLLOW | O_CLOEXEC, 0);
		if (fd < 0 && c.last)
			return finish(w, &c); /* the call itself says what is wrong, or makes it */
		if (fd < 0) {
			r = fd;
			break;
		}
		if (!is_link(fd)) {
			if (c.last) {
				fc_call(SYS_close, fd);
				return finish(w, &c);
			}
			step_to(w, fd);
			continue;
		}
		if (!must_follow(&c, flags)) {
			fc_call(SYS_close, fd);
			return finish(w, &c);
		}
		r = ++links > FC_LINKS_MAX || (flags & FC_WALK_NOLINKS) ? -ELOOP : splice_link(w, fd, c.rest);
		fc_call(SYS_close, fd);
		c.rest = w->text;
	}
	fc_walk_end(w);
	return r;
}

/* ---- probing ---- */

static int probe(int start, const char *rest, bool follow)
{
	struct open_how how = {
		.flags = O_PATH | O_CLOEXEC | (follow ? 0 : O_NOFOLLOW),
		.resolve = RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS,
	};
	long fd = fc_call(SYS_openat2, start, rest, &how, sizeof how);

	if (fd < 0)
		return fd;
	fc_call(SYS_close, fd);
	return 0;
}

/* Is it a mere name in the client's directory, and is there nothing by that name, not even a link? To ask that costs less than a probe, which opens
 * something. */
static bool is_absent(int dirfd, const char *path)
{
	struct stat st;

	return !strchr(path, '/') && fc_call(SYS_newfstatat, dirfd, path, &st, AT_SYMLINK_NOFOLLOW) == -ENOENT;
}

/* Probe the directory that `rest`'s last component is in. */
static int probe_parent(struct fc_walk *w, int start, const char *rest)
{
	size_t last = strlen(rest);

	while (last && rest[last - 1] == '/')
		last--;
	while (last && rest[last - 1] != '/')
		last--;
	if (!last)
		return 0;
	memcpy(w->scratch, rest, last);
	w->scratch[last] = 0;
	return probe(start, w->scratch, true);
}

int fc_path_judge(struct fc_walk *w, const struct fc_exports *exports, int dirfd, const char *path, unsigned flags)
{
	const char *rest;
	int start, r = fc_path_start(exports, dirfd, path, &start, &rest);

	if (r)
		return r;
	if (!*rest)
		return FC_PATH_HERE;
	if (flags & FC_WALK_PARENT)
		r = probe_parent(w, start, rest);
	else if (is_absent(dirfd, path))
		r = -ENOENT;
	else
		r = probe(start, rest, flags & FC_WALK_FOLLOW);
	if (r != -EXDEV)
		return r;
	r = fc_walk(w, exports, start, rest, flags);
	if (r == FC_PATH_HERE)
		fc_walk_end(w);
	return r;
}
