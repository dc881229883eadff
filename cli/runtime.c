/* SPDX-License-Identifier: GPL-2.0-or-later */
/* runtime.c - makes, finds and removes runtime directories (runtime.h). */
#define _GNU_SOURCE
#include "cli/runtime.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"
#include "common/empty.h"
#include "farcall/control.h"
#include "libc-shim/config.h"

#define BASES 3
#define BASE_MAX 60 /* so that BASE/NAME/domain.sock fits a socket address */
#define LOCK "lock"
#define STANDING "/.standing"
#define DEPTH 3         /* users' directories of sockets (farcall/control.h) */
#define STANDING_DAYS 7 /* without having been written to, before one goes whose domain is gone */
#define SWEPT ".swept"  /* beside them; written to when they have been looked at */
#define DAY 86400

/* The n-th place to try, best first; false if there is none of that number. */
static bool base_path(int n, char *base)
{
	const char *xdg = getenv("XDG_RUNTIME_DIR");
	uid_t uid = geteuid();
	int length = -1;

	if (n == 0 && !uid)
		length = snprintf(base, BASE_MAX, "/run/farcall");
	else if (n == 1 && uid && xdg && xdg[0] == '/')
		length = snprintf(base, BASE_MAX, "%s/farcall", xdg);
	else if (n == 2)
		length = snprintf(base, BASE_MAX, "/tmp/farcall-%u", (unsigned)uid);
	return length > 0 && length < BASE_MAX && !strchr(base, '\n');
}

/* Open a base, making it if `create`. It must be a directory of ours that nobody else can write to. -errno. */
static int base_open(const char *base, bool create)
{
	struct stat st;
	int fd;

	if (create && mkdir(base, 0711) && errno != EEXIST)
		return -errno;
	fd = open(base, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) || st.st_uid != geteuid() || (st.st_mode & 022)) {
		close(fd);
		return -EPERM;
	}
	if (create && (st.st_mode & 07777) != 0711 && fchmod(fd, 0711)) { /* the umask may have cut it */
		int err = -errno;

		close(fd);
		return err;
	}
	return fd;
}

/* Is BASE/name a runtime directory whose owner is gone? Call with the base locked. */
static bool is_left_over(int base, const char *name)
{
	char path[300];
	bool free_lock;
	int lock;

	if (snprintf(path, sizeof(path), "%s/" LOCK, name) >= (int)sizeof(path))
		return false;
	lock = openat(base, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (lock < 0)
		return errno == ENOENT;
	free_lock = !flock(lock, LOCK_EX | LOCK_NB);
	close(lock);
	return free_lock;
}

/* Call with the base locked. */
static void sweep(int base)
{
	DIR *d = fdopendir(dup(base));
	struct dirent *e;

	if (!d)
		return;
	while ((e = readdir(d))) {
		int dir;

		if (e->d_name[0] == '.' || !is_left_over(base, e->d_name))
			continue;
		dir = openat(base, e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (dir < 0)
			continue;
		fc_empty_directory(dir, DEPTH);
		unlinkat(base, e->d_name, AT_REMOVEDIR);
	}
	closedir(d);
}

/* Has BASE/name a domain that is where it was? Programs may run there that execute others. */
static bool has_domain(int dir)
{
	char line[4096], path[4096];
	int fd = openat(dir, FC_CONFIG_FILE, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "r");
	bool there = false;

	while (f && !there && fgets(line, sizeof(line), f))
		there = sscanf(line, "domain %4095[^\n]", path) == 1 && !access(path, F_OK);
	if (f)
		fclose(f);
	return there;
}

/* There may be thousands of them. */
static bool is_due(int base)
{
	struct stat st;

	if (!fstatat(base, SWEPT, &st, AT_SYMLINK_NOFOLLOW) && st.st_mtime > time(NULL) - DAY &&
	    st.st_mtime <= time(NULL))
		return false;
	unlinkat(base, SWEPT, 0);
	close(openat(base, SWEPT, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
	return true;
}

/* Once a day: remove those whose domains have been gone for long, but not `name`. */
static void sweep_standing(int base, const char *name)
{
	DIR *d = is_due(base) ? fdopendir(dup(base)) : NULL;
	const time_t before = time(NULL) - STANDING_DAYS * DAY;
	struct dirent *e;
	struct stat st;

	while (d && (e = readdir(d))) {
		int dir;

		if (e->d_name[0] == '.' || !strcmp(e->d_name, name))
			continue;
		dir = openat(base, e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (dir < 0)
			continue;
		if (fstat(dir, &st) || st.st_mtime > before || has_domain(dir)) {
			close(dir);
			continue;
		}
		fc_empty_directory(dir, DEPTH);
		unlinkat(base, e->d_name, AT_REMOVEDIR);
	}
	if (d)
		closedir(d);
}

/* Under the base's lock, so that no sweep meets a directory whose lock is not yet taken. */
static int create_in(int base, const char *base_name, struct fc_runtime *rt)
{
	uint64_t random[2];
	char name[33];

	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		return -errno;
	snprintf(name, sizeof(name), "%016llx%016llx", (unsigned long long)random[0], (unsigned long long)random[1]);
	snprintf(rt->path, sizeof(rt->path), "%s/%s", base_name, name);
	snprintf(rt->socket, sizeof(rt->socket), "%s/" FC_RUNTIME_SOCKET, rt->path);
	if (mkdirat(base, name, 0700))
		return -errno;
	rt->dir = openat(base, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (rt->dir < 0)
		return -errno;
	rt->lock = openat(rt->dir, LOCK, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (rt->lock < 0 || flock(rt->lock, LOCK_EX | LOCK_NB) || fchmod(rt->dir, 0711) ||
	    mkdirat(rt->dir, FC_CONFIG_PLACEHOLDER, 0555) || fchmodat(rt->dir, FC_CONFIG_PLACEHOLDER, 0555, 0))
		return -errno;
	return 0;
}

int fc_runtime_create(struct fc_runtime *rt)
{
	char base[BASE_MAX];
	int err = -ENOENT;

	rt->dir = rt->lock = -1;
	for (int n = 0; n < BASES; n++) {
		int fd;

		if (!base_path(n, base))
			continue;
		fd = base_open(base, true);
		if (fd < 0) {
			err = fd;
			continue;
		}
		flock(fd, LOCK_EX);
		sweep(fd);
		err = create_in(fd, base, rt);
		close(fd);
		if (!err)
			return 0;
		fc_runtime_remove(rt);
	}
	fc_say("cannot make a runtime directory in %s: %s", base, strerror(-err));
	return err;
}

int fc_runtime_create_at(struct fc_runtime *rt, const char *path)
{
	rt->lock = -1;
	if (snprintf(rt->path, sizeof(rt->path), "%s", path) >= (int)sizeof(rt->path))
		return -ENAMETOOLONG;
	if (mkdir(path, 0755) && errno != EEXIST)
		return -errno;
	rt->dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (rt->dir < 0)
		return -errno;
	if (mkdirat(rt->dir, FC_CONFIG_PLACEHOLDER, 0555) && errno != EEXIST)
		return -errno;
	return fchmodat(rt->dir, FC_CONFIG_PLACEHOLDER, 0555, 0) ? -errno : 0;
}

/* BASE/STANDING/name, in the first base that can be had. */
static int open_standing(struct fc_runtime *rt, const char *name, bool make)
{
	char base[BASE_MAX], all[BASE_MAX + sizeof(STANDING)];
	int err = -ENOENT;

	rt->dir = rt->lock = -1;
	for (int n = 0; n < BASES && rt->dir < 0; n++) {
		int fd;

		if (!base_path(n, base))
			continue;
		fd = base_open(base, make);
		if (fd < 0)
			continue;
		close(fd);
		snprintf(all, sizeof(all), "%s" STANDING, base);
		fd = base_open(all, make);
		if (fd < 0)
			continue;
		snprintf(rt->path, sizeof(rt->path), "%s/%s", all, name);
		rt->dir = base_open(rt->path, make);
		err = rt->dir < 0 ? rt->dir : 0;
		if (make)
			sweep_standing(fd, name);
		close(fd);
	}
	return err;
}

int fc_runtime_open_standing(struct fc_runtime *rt, const char *name)
{
	return open_standing(rt, name, false);
}

int fc_runtime_make_standing(struct fc_runtime *rt, const char *name)
{
	int err = open_standing(rt, name, true);

	if (!err && mkdirat(rt->dir, FC_CONFIG_PLACEHOLDER, 0555) && errno != EEXIST)
		err = -errno;
	if (!err && fchmodat(rt->dir, FC_CONFIG_PLACEHOLDER, 0555, 0))
		err = -errno;
	return err;
}

void fc_runtime_remove(struct fc_runtime *rt)
{
	if (rt->dir >= 0) {
		fc_empty_directory(rt->dir, DEPTH);
		rmdir(rt->path);
	}
	if (rt->lock >= 0)
		close(rt->lock);
	rt->dir = rt->lock = -1;
}

void fc_runtime_each(void (*visit)(const char *socket, void *arg), void *arg)
{
	char base[BASE_MAX], socket[108];

	for (int n = 0; n < BASES; n++) {
		struct dirent *e;
		struct stat st;
		DIR *d;
		int fd;

		if (!base_path(n, base))
			continue;
		fd = base_open(base, false);
		if (fd < 0)
			continue;
		d = fdopendir(fd);
		while (d && (e = readdir(d))) {
			if (e->d_name[0] == '.' || strlen(e->d_name) != 32)
				continue;
			snprintf(socket, sizeof(socket), "%s/%.32s/" FC_RUNTIME_SOCKET, base, e->d_name);
			if (!lstat(socket, &st) && S_ISSOCK(st.st_mode))
				visit(socket, arg);
		}
		if (d)
			closedir(d);
	}
}

/* The directory of clients' sockets of a Xen domain; `above`: what it is in. */
static int sockets_path(const char *name, char *path, size_t size, char *above, size_t above_size)
{
	if (name[0] == '.' || strchr(name, '/'))
		return -EINVAL;
	snprintf(above, above_size, "%.*s", (int)(sizeof(FC_SOCKETS_XEN) - 2), FC_SOCKETS_XEN);
	return snprintf(path, size, FC_SOCKETS_XEN "%s", name) < (int)size ? 0 : -ENAMETOOLONG;
}

int fc_runtime_sockets_make(const char *name)
{
	char base[BASE_MAX], above[sizeof(FC_SOCKETS_XEN)], path[300];
	int err = sockets_path(name, path, sizeof(path), above, sizeof(above)), fd;

	if (err)
		return err;
	fd = base_path(0, base) ? base_open(base, true) : -EPERM;
	if (fd < 0)
		return fd;
	close(fd);
	fd = base_open(above, true);
	if (fd < 0)
		return fd;
	err = (mkdirat(fd, name, 0700) && errno != EEXIST) || fchmodat(fd, name, 01777, 0) ? -errno : 0;
	close(fd);
	return err;
}

void fc_runtime_sockets_remove(const char *name)
{
	char above[sizeof(FC_SOCKETS_XEN)], path[300];
	int fd;

	if (sockets_path(name, path, sizeof(path), above, sizeof(above)))
		return;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0)
		fc_empty_directory(fd, DEPTH);
	rmdir(path);
}
