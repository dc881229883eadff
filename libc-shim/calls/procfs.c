/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * procfs.c - the links in /proc that lead to what a process has open: fd/N, cwd, and what fdinfo/N says. The local kernel knows of something
 * remote only its placeholder. Here is which of them are about something remote; what they lead to is path.c's, and how others'
 * descriptors are had, other.c's.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "common/rawcall.h"
#include "farcall/abi.h"
#include "libc-shim/calls/handlers.h"
#include "libc-shim/calls/path_text.h"
#include "libc-shim/calls/procfs.h"
#include "libc-shim/hook.h"
#include "libc-shim/native.h"
#include "libc-shim/process/beyond.h"
#include "libc-shim/process/process.h"
#include "libc-shim/shim.h"
#include "libc-shim/text.h"

#define NAME_ROOM 64 /* for a path in /proc that has nothing but numbers and known names */

static const char proc[] = "/proc/", own_descriptors[] = "/proc/self/fd/";

static char *put(char *to, const char *text)
{
	size_t n = strlen(text);

	memcpy(to, text, n + 1);
	return to + n;
}

static char *put_number(char *to, uint64_t n)
{
	char digits[24];

	digits[sizeof digits - 1] = 0;
	return put(to, shim_format_number(digits + sizeof digits - 1, n));
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* A number in decimal as /proc has them, *s behind it; -1 if there is none. */
static int take_number(const char **s)
{
	const char *at = *s;
	long n = 0;

	if (!is_digit(*at) || (*at == '0' && is_digit(at[1])))
		return -1;
	while (is_digit(*at) && n < INT32_MAX / 10)
		n = n * 10 + (*at++ - '0');
	*s = at;
	return is_digit(*at) ? -1 : (int)n;
}

static bool take(const char **s, const char *text)
{
	if (!shim_starts_with(*s, text))
		return false;
	*s += strlen(text);
	return true;
}

/* ---- which they are ---- */

/* /proc/PID/fd/N, with a task of the process or without. */
static bool parse(const char *at, struct shim_link *link)
{
	*link = (struct shim_link){ .kind = SHIM_LINK_NONE, .number = -1 };
	if (!take(&at, proc) || (link->pid = take_number(&at)) < 0)
		return false;
	if (take(&at, "/task/") && take_number(&at) < 0)
		return false;
	if (shim_strcmp(at, "/cwd") == 0)
		link->kind = SHIM_LINK_CWD;
	else if (take(&at, "/fd/"))
		link->kind = SHIM_LINK_FD;
	else if (take(&at, "/fdinfo/"))
		link->kind = SHIM_LINK_INFO;
	else if (take(&at, "/map_files/"))
		link->kind = SHIM_LINK_MAP;
	if (link->kind == SHIM_LINK_FD || link->kind == SHIM_LINK_INFO) {
		link->number = take_number(&at);
		if (link->number < 0 || *at)
			link->kind = SHIM_LINK_NONE;
	}
	return link->kind != SHIM_LINK_NONE;
}

int shim_procfs_self(void)
{
	char text[NAME_ROOM];
	const char *at = text;
	long n = fc_call(SYS_readlink, "/proc/self", text, sizeof text - 1);

	text[n < 0 ? 0 : n] = 0;
	return take_number(&at);
}

/* Is it this process, or one of its threads? */
static bool is_own(int pid)
{
	char path[NAME_ROOM];
	struct stat st;

	if (shim_procfs_self() == pid)
		return true;
	put_number(put(path, "/proc/self/task/"), (unsigned)pid);
	return fc_call(SYS_stat, path, &st) == 0;
}

static bool is_own_remote(const struct shim_process *p, const struct shim_link *link)
{
	if (link->kind == SHIM_LINK_CWD)
		return p->cwd_domain >= 0;
	return shim_fd_get(p, link->number) || (shim_fd_hidden(p, link->number) && shim_is_placeholder(link->number));
}

/* Placeholders of other runs of farcall by the same user are called the same, in a directory beside ours; and in them has been what stands for
 * a current directory. */
static bool is_placeholder_name(const char *text)
{
	const char *dir = shim.config.dir;
	size_t base = (size_t)(shim_path_last(dir) - dir);

	for (size_t i = 0; i < base; i++)
		if (text[i] != dir[i])
			return false;
	text += base;
	text += shim_path_component(text);
	return take(&text, "/" FC_CONFIG_PLACEHOLDER) && (!*text || *text == '/');
}

/* Of another process: what the kernel says that it leads to. It says so to those only who may know. */
static bool leads_to_placeholder(const char *at)
{
	char text[FC_PREFIX_MAX + NAME_ROOM];
	struct stat st;
	long n;

	if (fc_call(SYS_stat, at, &st) < 0)
		return false;
	if (st.st_dev == shim.placeholder_dev && st.st_ino == shim.placeholder_ino)
		return true;
	if (!S_ISDIR(st.st_mode))
		return false;
	n = fc_call(SYS_readlink, at, text, sizeof text - 1);
	if (n <= 0 || text[0] != '/')
		return false;
	text[n] = 0;
	return is_placeholder_name(text);
}

bool shim_procfs_is_placeholder(int fd)
{
	char path[SHIM_FD_PATH];

	return shim_is_placeholder(fd) || leads_to_placeholder(shim_fd_path(path, fd));
}

static bool is_others_remote(const char *at, const struct shim_link *link)
{
	char path[NAME_ROOM];

	if (link->kind != SHIM_LINK_INFO)
		return leads_to_placeholder(at);
	put_number(put(put_number(put(path, proc), (unsigned)link->pid), "/fd/"), (unsigned)link->number);
	return leads_to_placeholder(path);
}

bool shim_procfs_link(const char *at, struct shim_link *link)
{
	link->kind = SHIM_LINK_NONE;
	if (!shim_starts_with(at, proc) || !parse(at, link))
		return false;
	if (link->kind == SHIM_LINK_MAP)
		return true;
	link->own = is_own(link->pid);
	if (link->own ? is_own_remote(shim_process(), link) : is_others_remote(at, link))
		return true;
	link->kind = SHIM_LINK_NONE;
	return false;
}

bool shim_procfs_lists_own(int dir)
{
	char path[SHIM_FD_PATH], text[NAME_ROOM + 3];
	struct shim_link link;
	long n = fc_call(SYS_readlink, shim_fd_path(path, dir), text, NAME_ROOM);

	if (n <= 0 || n >= NAME_ROOM)
		return false;
	put(text + n, "/0");
	return parse(text, &link) && link.number >= 0 && is_own(link.pid);
}

bool shim_procfs_own(const struct shim_process *p, const char *path, struct shim_link *link, const char **rest)
{
	*link = (struct shim_link){ .kind = SHIM_LINK_FD, .own = true };
	if (take(&path, own_descriptors) && (link->number = take_number(&path)) >= 0 && (!*path || *path == '/') &&
	    is_own_remote(p, link)) {
		*rest = path;
		return true;
	}
	link->kind = SHIM_LINK_NONE;
	return false;
}

static bool is_component(const char *p, size_t n, const char *name)
{
	return shim_starts_with(p, name) && strlen(name) == n;
}

bool shim_procfs_may(const char *path, bool numbers)
{
	const char *p = shim_path_next(path);

	if (path[0] == '/') {
		if (shim_starts_with(p, "dev/"))
			return shim_starts_with(p + 4, "fd/") || shim_starts_with(p + 4, "std");
		if (!shim_starts_with(p, "proc/"))
			return false;
	}
	for (size_t n; *p; p = shim_path_next(p + n)) {
		n = shim_path_component(p);
		if (is_component(p, n, "fd") || is_component(p, n, "cwd") || is_component(p, n, "fdinfo"))
			return true;
		for (size_t i = 0; i < n; i++)
			numbers = numbers && is_digit(p[i]);
	}
	return path[0] != '/' && numbers;
}

bool shim_procfs_is_text(const char *text, long n, long room)
{
	const char *dir = shim.config.dir;
	long base = shim_path_last(dir) - dir;

	for (long i = 0; i < n && i < base; i++)
		if (text[i] != dir[i])
			return false;
	return n > base || n == room;
}

/* ---- fdinfo ---- */

/* What the kernel writes about every descriptor. Locks are not in it. Returns how long it is. */
static long describe(char *to, long at, uint64_t flags, const struct statx *st)
{
	char octal[24], *digit = octal + sizeof octal - 1, *end = to;

	*digit = 0;
	do
		*--digit = (char)('0' + (flags & 7));
	while (flags >>= 3);
	end = put_number(put(end, "pos:\t"), (uint64_t)at);
	end = put(put(end, "\nflags:\t0"), digit);
	end = put_number(put(end, "\nmnt_id:\t"), st->stx_mnt_id);
	end = put_number(put(end, "\nino:\t"), st->stx_ino);
	return put(end, "\n") - to;
}

/* A number in the text of a descriptor in fdinfo, which is behind `name` and a tabulator there; 0 if there is none. */
static uint64_t info_number(const char *path, const char *name, unsigned base)
{
	char text[512], *at;
	uint64_t number = 0;
	long n, file = shim_make_fd(shim_process(), SYS_openat, AT_FDCWD, (long)path, O_RDONLY | O_CLOEXEC, 0);

	if (file < 0)
		return 0;
	n = fc_call(SYS_read, file, text, sizeof text - 1);
	shim_done_with(shim_process(), (int)file);
	text[n < 0 ? 0 : n] = 0;
	for (at = text; *at && !shim_starts_with(at, name); at++)
		;
	for (at += *at ? strlen(name) : 0; is_digit(*at); at++)
		number = number * base + (uint64_t)(*at - '0');
	return number;
}

/* Does the kernel say of that descriptor that it is close-on-exec? */
static bool closes_on_exec(const struct shim_link *link, int fd)
{
	char path[NAME_ROOM];

	if (link->own)
		return fc_call(SYS_fcntl, fd, F_GETFD) & FD_CLOEXEC;
	put_number(put(put_number(put(path, proc), (unsigned)link->pid), "/fdinfo/"), (unsigned)link->number);
	return info_number(path, "flags:\t", 8) & O_CLOEXEC;
}

bool shim_procfs_is_own(int pidfd)
{
	char path[NAME_ROOM];
	uint64_t pid;

	put_number(put(path, "/proc/self/fdinfo/"), (unsigned)pidfd);
	pid = info_number(path, "Pid:\t", 10);
	return pid && is_own((int)pid);
}

/* A file of that text; not by writing, which the limit of file sizes would apply to. */
static int make_file(struct shim_process *p, unsigned domain, const char *text, size_t size)
{
	int fd = (int)shim_make_fd(p, SYS_memfd_create, (long)"fdinfo", MFD_CLOEXEC, 0, 0);
	long r = fd < 0 ? fd : shim_set_size(p, fd, size), at;

	if (r == -EFBIG) {
		shim_done_with(p, fd);
		fd = shim_borrow(&p->session[domain], size);
		r = fd < 0 ? fd : 0;
	}
	if (r < 0) {
		if (fd >= 0)
			shim_done_with(p, fd);
		return (int)r;
	}
	at = fc_call(SYS_mmap, 0, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (shim_is_error(at)) {
		shim_done_with(p, fd);
		return (int)at;
	}
	memcpy((char *)at, text, size);
	fc_call(SYS_munmap, at, size);
	return fd;
}

/* The application's descriptor of it: the lowest number, and for reading. */
static long open_file(int fd, long open_flags)
{
	char path[SHIM_FD_PATH];
	long a[6] = { AT_FDCWD, (long)shim_fd_path(path, fd), open_flags & ~(O_CREAT | O_NOFOLLOW) };

	return shim_native_fd(SYS_openat, a);
}

long shim_procfs_open_info(const struct shim_link *link, int fd, long at, long flags, long open_flags)
{
	struct shim_process *p = shim_process();
	uint64_t w = shim_fd_get(p, fd);
	struct statx st = { 0 };
	char text[256];
	long stat[6] = { fd, (long)"", AT_EMPTY_PATH, STATX_INO | STATX_MNT_ID, (long)&st };
	long seek[6] = { fd, 0, SEEK_CUR }, get[6] = { fd, F_GETFL };
	long r = shim_dispatch(SYS_statx, stat);
	int file;

	if (r == 0 && flags < 0)
		r = flags = shim_dispatch(SYS_fcntl, get);
	if (r < 0 || !w)
		return r < 0 ? r : -ENOENT;
	if (at < 0)
		at = shim_dispatch(SYS_lseek, seek);
	if (closes_on_exec(link, fd))
		flags |= O_CLOEXEC;
	r = describe(text, at < 0 ? 0 : at, (uint64_t)flags, &st);
	file = make_file(p, shim_fd_domain(w), text, (size_t)r);
	if (file < 0)
		return file;
	r = open_file(file, open_flags);
	shim_done_with(p, file);
	return r;
}
