/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * meet_bind.c - see meet.h: a socket is bound.
 *
 * The address that the kernel knows a socket by, and tells everybody, is the text that bind(2) is given; where it is bound is where that text leads.
 * So the call is made in a process beside, in a directory that is made for it, or under it as the root, with whatever directories the text goes
 * through. Then the socket is moved to its place: it is its inode that others connect to.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "common/beside.h"
#include "common/rawcall.h"
#include "libc-shim/calls/handed.h"
#include "libc-shim/calls/meet.h"
#include "libc-shim/process/beyond.h"
#include "libc-shim/process/sandbox.h"
#include "libc-shim/shim.h"
#include "libc-shim/text.h"

#define UPS_MAX (sizeof((struct sockaddr_un){ 0 }.sun_path) / 3 + 1)

/* ---- the directories of a user ---- */

static bool random_name(char *to)
{
	uint64_t n;

	if (fc_call(SYS_getrandom, &n, sizeof n, 0) != sizeof n)
		return false;
	shim_meet_hex(to, n);
	return true;
}

/* To be listed, or -errno. */
static int own_open(struct shim_process *p, int all, const char *name)
{
	return (int)shim_make_fd(p, SYS_openat, all, (long)name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
}

static int own_make(struct shim_process *p, struct shim_meet_search *s)
{
	char name[sizeof s->begins + SHIM_MEET_KEY] = { 0 }, *end = shim_append(name, name + sizeof name, s->begins);
	long r;

	if (!random_name(end))
		return -EPERM;
	r = fc_call(SYS_mkdirat, s->all, name, 0711);
	if (r == 0)
		r = fc_call(SYS_fchmodat, s->all, name, 0711); /* the umask may have cut it */
	return r < 0 ? (int)r : own_open(p, s->all, name);
}

static int own_directory(struct shim_process *p, int all)
{
	struct shim_meet_search s;
	int found, fd;

	shim_meet_search(&s, all, (uint32_t)fc_call(SYS_setfsuid, -1));
	found = shim_meet_next(p, &s);
	if (found < 0)
		return own_make(p, &s);
	fd = own_open(p, found, ".");
	shim_done_with(p, found);
	return fd;
}

/* Remove what nobody is behind any more. Whoever is there does not notice: a datagram socket that connects says nothing. */
static void sweep(struct shim_process *p, int own)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	char buffer[1024] __attribute__((aligned(8))), *end;
	long probe = shim_make_fd(p, SYS_socket, AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, 0);
	uint32_t at = 0, size = 0;
	const char *name;

	if (probe < 0)
		return;
	shim_fd_path(un.sun_path, own);
	end = shim_append(un.sun_path + strlen(un.sun_path), un.sun_path + sizeof un.sun_path, "/");
	while ((name = shim_meet_entry(own, buffer, sizeof buffer, &at, &size))) {
		if (strlen(name) != SHIM_MEET_KEY - 1)
			continue;
		shim_append(end, un.sun_path + sizeof un.sun_path, name);
		if (fc_call(SYS_connect, probe, &un, sizeof un) == -ECONNREFUSED)
			fc_call(SYS_unlinkat, own, name, 0);
	}
	shim_done_with(p, (int)probe);
}

/* ---- in the process beside ---- */

struct place {
	int own, sock;
	const struct sockaddr_un *address;
	long length;
	const char *key;
	char path[sizeof((struct sockaddr_un){ 0 }.sun_path) + 1]; /* the text of the address */
	/* a directory in `own`, and others in it for each `..` to leave */
	char scratch[SHIM_MEET_KEY + 1 + 2 * UPS_MAX + 1];
	bool rootless; /* it cannot change its root */
	long result;
};

/* All directories that the text goes through, as far as they can be made. */
static void way_make(char *path)
{
	for (char *c = path + 1; *c; c++) {
		if (*c != '/')
			continue;
		*c = 0;
		fc_call(SYS_mkdirat, AT_FDCWD, path, 0700);
		*c = '/';
	}
}

static void way_remove(char *path)
{
	for (char *c = path + strlen(path) - 1; c > path; c--) {
		if (*c != '/')
			continue;
		*c = 0;
		fc_call(SYS_unlinkat, AT_FDCWD, path, AT_REMOVEDIR);
		*c = '/';
	}
}

static long bind_here(struct place *b)
{
	long r;

	way_make(b->path);
	r = fc_call(SYS_bind, b->sock, b->address, b->length);
	if (r == 0)
		r = fc_call(SYS_fchmodat, AT_FDCWD, b->path, 0777); /* who may connect is said in the domain */
	if (r == 0)
		r = fc_call(SYS_renameat, AT_FDCWD, b->path, b->own, b->key);
	if (r < 0)
		fc_call(SYS_unlinkat, AT_FDCWD, b->path, 0);
	way_remove(b->path);
	return r;
}

static void beside(void *arg)
{
	struct place *b = arg;
	long r;

	fc_call(SYS_umask, 0);
	b->result = fc_call(SYS_fchdir, b->own);
	if (b->result < 0)
		return;
	way_make(b->scratch);
	r = fc_call(SYS_chdir, b->scratch);
	if (r == 0 && b->path[0] == '/') {
		r = fc_call(SYS_chroot, ".");
		b->rootless = r < 0;
	}
	b->result = r < 0 ? r : bind_here(b);
	if (fc_call(SYS_fchdir, b->own) == 0)
		way_remove(b->scratch);
}

/* ---- */

static bool is_up(const char *path, const char *c)
{
	return (c == path || c[-1] == '/') && c[0] == '.' && c[1] == '.' && (!c[2] || c[2] == '/');
}

/* +RANDOM/_/_/ */
static bool take_scratch(struct place *b)
{
	char *end = b->scratch, *const limit = b->scratch + sizeof b->scratch;

	memset(b->scratch, 0, sizeof b->scratch);
	*end++ = '+';
	if (!random_name(end))
		return false;
	end = shim_append(end + SHIM_MEET_KEY - 1, limit, "/");
	for (const char *c = b->path; *c; c++)
		if (is_up(b->path, c))
			end = shim_append(end, limit, "_/");
	return true;
}

/* Whoever may not change his root may in a user namespace. */
static long bind_beside(struct shim_process *p, struct place *b)
{
	struct shim_lock_state saved;
	int r;

	b->result = -EAGAIN; /* whoever kills it */
	b->rootless = false;
	shim_lock(&p->beyond, &saved);
	r = fc_beside(beside, b, 0);
	if (r == 0 && b->rootless)
		r = fc_beside(beside, b, CLONE_NEWUSER);
	shim_unlock(&p->beyond, &saved);
	if (r == 0 && !b->rootless && b->result < 0)
		r = (int)b->result;
	return b->rootless ? -EPERM : r;
}

/* The inode is there: what is it called here? */
static int64_t key_of(struct shim_process *p, unsigned domain, const char *path)
{
	const long a[6] = { AT_FDCWD, (long)path, O_PATH | O_NOFOLLOW | O_CLOEXEC };
	int fd = (int)shim_dispatch_for_us(SYS_openat, a);
	uint64_t w = fd < 0 ? 0 : shim_fd_get(p, fd);
	uint32_t uid;
	int64_t r = fd;

	if (w)
		r = shim_fd_domain(w) == domain ? shim_meet_key(p, domain, shim_fd_number(w), true, &uid) : -EPERM;
	if (fd >= 0)
		shim_dispatch_for_us(SYS_close, (long[6]){ fd });
	return fd >= 0 && !w ? -EPERM : r;
}

static long make_inode(struct shim_process *p, const char *path, int sock)
{
	long a[6] = { AT_FDCWD, (long)path };
	struct stat st;
	long r = fc_call(SYS_fstat, sock, &st);

	if (r < 0)
		return r;
	a[2] = S_IFSOCK |
	       (st.st_mode & 07777 & ~p->umask); /* bind(2) minds the umask where there are default rights, too */
	r = shim_dispatch_for_us(SYS_mknodat, a);
	return r == -EEXIST ? -EADDRINUSE : r;
}

/* Until it is bound here whoever looks for it is refused, as natively until it listens: what can be done before, is. */
static long bind_at(struct shim_process *p, unsigned domain, const char *path, struct place *b)
{
	char key[SHIM_MEET_KEY] = { 0 };
	long r = make_inode(p, path, b->sock);
	int64_t n;

	if (r < 0)
		return r;
	n = key_of(p, domain, path);
	r = (long)n;
	if (n >= 0) {
		shim_meet_hex(key, (uint64_t)n);
		b->key = key;
		r = bind_beside(p, b);
	}
	if (r < 0)
		shim_dispatch_for_us(SYS_unlinkat, (long[6]){ AT_FDCWD, (long)path });
	return r == -ENOSYS ? -EPERM : r;
}

long shim_meet_bind(struct shim_process *p, unsigned domain, int sock, const char *path,
		    const struct sockaddr_un *address, long length)
{
	struct place b = { .sock = sock, .address = address, .length = length };
	int all = shim_sandbox_talks() ? shim_meet_open(p, domain) : -EPERM;
	long r;

	if (all < 0)
		return -EPERM;
	memcpy(b.path, address->sun_path, sizeof address->sun_path);
	b.own = own_directory(p, all);
	r = b.own < 0 ? b.own : 0;
	if (r == 0) {
		sweep(p, b.own);
		r = take_scratch(&b) ? bind_at(p, domain, path, &b) : -EPERM;
		shim_done_with(p, b.own);
	}
	shim_done_with(p, all);
	return r;
}
