/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* meet.c - see meet.h: where the sockets are, and how one is found. */
#define _GNU_SOURCE
#include "libc-shim/calls/meet.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "common/atomic.h"
#include "common/rawcall.h"
#include "libc-shim/calls/dirent.h"
#include "libc-shim/calls/handed.h"
#include "libc-shim/calls/remote.h"
#include "libc-shim/process/beyond.h"
#include "libc-shim/process/sandbox.h"
#include "libc-shim/process/thread.h"
#include "libc-shim/session/session.h"
#include "libc-shim/shim.h"
#include "libc-shim/text.h"

#define SINCE_MINOR 6

void shim_meet_hex(char *to, uint64_t n)
{
	for (int i = 0; i < 16; i++)
		to[i] = "0123456789abcdef"[n >> (60 - 4 * i) & 15];
}

/* ---- directories ---- */

static bool is_others_to_write(const struct stat *st)
{
	return (st->st_mode & (S_IWGRP | S_IWOTH)) && !(st->st_mode & S_ISVTX);
}

int shim_meet_open(struct shim_process *p, unsigned domain)
{
	const char *address = shim.config.domain[domain].address;
	const bool xen = shim.config.domain[domain].xen;
	char path[sizeof shim.config.domain[domain].address + sizeof FC_SOCKETS_XEN], *to = path;
	struct stat st;
	long fd;

	to = shim_append(to, path + sizeof path, xen ? FC_SOCKETS_XEN : "");
	to = shim_append(to, path + sizeof path, address);
	shim_append(to, path + sizeof path, xen ? "" : FC_SOCKETS_SUFFIX);
	fd = shim_make_fd(p, SYS_openat, AT_FDCWD, (long)path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
	if (fd < 0)
		return -EPERM;
	if (fc_call(SYS_fstat, fd, &st) == 0 && !is_others_to_write(&st) &&
	    (!st.st_uid || st.st_uid == (uint32_t)fc_call(SYS_setfsuid, -1) || shim.config.domain[domain].trusted))
		return (int)fd;
	shim_done_with(p, (int)fd);
	return -EPERM;
}

const char *shim_meet_entry(int fd, char *buffer, size_t size, uint32_t *at, uint32_t *end)
{
	const struct shim_dirent *e;
	long n;

	if (*at == *end) {
		n = fc_call(SYS_getdents64, fd, buffer, size);
		if (n <= 0)
			return NULL;
		*at = 0;
		*end = (uint32_t)n;
	}
	e = (const struct shim_dirent *)(buffer + *at);
	*at += e->length;
	return e->name;
}

void shim_meet_search(struct shim_meet_search *s, int all, uint32_t uid)
{
	char digits[24], *end = digits + sizeof digits - 1;

	*end = 0;
	s->all = all;
	s->uid = uid;
	s->at = s->end = 0;
	end = shim_append(s->begins, s->begins + sizeof s->begins, shim_format_number(end, uid));
	shim_append(end, s->begins + sizeof s->begins, "-");
	fc_call(SYS_lseek, all, 0, SEEK_SET);
}

int shim_meet_next(struct shim_process *p, struct shim_meet_search *s)
{
	const char *name;
	struct stat st;
	long fd;

	while ((name = shim_meet_entry(s->all, s->buffer, sizeof s->buffer, &s->at, &s->end))) {
		if (!shim_starts_with(name, s->begins))
			continue;
		fd = shim_make_fd(p, SYS_openat, s->all, (long)name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
		if (fd < 0)
			continue;
		if (fc_call(SYS_fstat, fd, &st) == 0 && st.st_uid == s->uid && !(st.st_mode & (S_IWGRP | S_IWOTH)))
			return (int)fd;
		shim_done_with(p, (int)fd);
	}
	return -ENOENT;
}

/* ---- a socket ---- */

int64_t shim_meet_key(struct shim_process *p, unsigned domain, int descriptor, bool own, uint32_t *uid)
{
	struct shim_call c = { .path = { NULL, NULL } };
	struct stat st;
	const long a[6] = { descriptor, (long)&st };
	struct shim_frame *f;
	int64_t r;

	if (fc_load(&shim.minor[domain]) < SINCE_MINOR)
		return -ENOSYS;
	if (!(f = shim_frame_begin()))
		return -EDEADLK;
	r = shim_call_begin(&c, fc_row_by_nr(SYS_fstat), p, domain, f);
	if (r == 0) {
		c.quiet = true;
		c.loose = true; /* it is ours */
		r = shim_call_row(&c, a);
	}
	if (r == 0) {
		*uid = st.st_uid;
		r = shim_call_own(&c, shim_call_ask(&c, FC_NR_SOCKET_KEY, own, 0));
	}
	if (r < 0 && c.s)
		r = shim_result(c.s, r);
	shim_frame_end(f);
	return r;
}

/* It must be theirs, too, not a link to somebody else's. */
static int find_in(struct shim_process *p, int directory, uint32_t uid, const char *key)
{
	long fd = shim_make_fd(p, SYS_openat, directory, (long)key, O_PATH | O_NOFOLLOW | O_CLOEXEC, 0);
	struct stat st;

	if (fd >= 0 && (fc_call(SYS_fstat, fd, &st) < 0 || !S_ISSOCK(st.st_mode) || st.st_uid != uid)) {
		shim_done_with(p, (int)fd);
		fd = -ECONNREFUSED;
	}
	return (int)fd;
}

static int find_of(struct shim_process *p, int all, uint32_t uid, const char *key)
{
	struct shim_meet_search s;
	int directory, fd = -ECONNREFUSED;

	shim_meet_search(&s, all, uid);
	while (fd < 0 && (directory = shim_meet_next(p, &s)) >= 0) {
		fd = find_in(p, directory, uid, key);
		shim_done_with(p, directory);
	}
	return fd;
}

/* Nobody is there, unless it is found. */
static int meet(struct shim_process *p, unsigned domain, int descriptor)
{
	char key[SHIM_MEET_KEY] = { 0 };
	uint32_t uid = 0;
	int64_t r = shim_meet_key(p, domain, descriptor, false, &uid);
	int all, fd;

	if (r < 0)
		return r == -ENOSYS ? -ECONNREFUSED : (int)r;
	shim_meet_hex(key, (uint64_t)r);
	all = shim_meet_open(p, domain);
	if (all < 0)
		return -ECONNREFUSED;
	fd = find_of(p, all, uid, key);
	if (fd < 0 && uid)
		fd = find_of(p, all, 0, key);
	shim_done_with(p, all);
	return fd == -EMFILE || fd == -ENFILE || fd == -ENOMEM || fd >= 0 ? fd : -ECONNREFUSED;
}

int shim_meet(const char *path)
{
	const long a[6] = { AT_FDCWD, (long)path, O_PATH | O_CLOEXEC };
	int fd = (int)shim_dispatch_for_us(SYS_openat, a), r;
	struct shim_process *p = fd < 0 ? NULL : shim_process_own();
	uint64_t w = p ? shim_fd_get(p, fd) : 0;

	if (!w)
		return fd;
	r = shim_hand(p, shim_fd_domain(w), shim_fd_number(w));
	if (r == -EOPNOTSUPP)
		r = shim_sandbox_talks() ? meet(p, shim_fd_domain(w), shim_fd_number(w)) : -ENODEV;
	shim_dispatch_for_us(SYS_close, (long[6]){ fd });
	return r;
}
