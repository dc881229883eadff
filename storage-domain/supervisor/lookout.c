/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lookout.c - the process that looks at clients' namespaces, see lookout.h. */
#define _GNU_SOURCE
#include "storage-domain/supervisor/lookout.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <seccomp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "storage-domain/caps.h"
#include "storage-domain/fds.h"
#include "storage-domain/log.h"
#include "storage-domain/supervisor/helper.h"

#define LINK_MAX_TEXT 64
#define NESTED_MAX 64 /* user namespaces; the kernel has 32 */

/* ---- the process ---- */

static int proc = -1;
static char own_user[LINK_MAX_TEXT], own_mount[LINK_MAX_TEXT];
static struct statx own_root, own_namespace;
static bool in_want; /* this look has met a want of memory or descriptors */

/* A system call's result. What failed for want proves nothing, and nothing else either. */
static int noted(int r)
{
	if (r < 0 && (errno == ENOMEM || errno == EMFILE || errno == ENFILE || errno == EINTR))
		in_want = true;
	return r;
}

/* /proc/WHO/NAME's text. Returns 0, or -1 if it cannot be read or is longer than what it could be compared with. */
static int read_link(const char *who, const char *name, char text[LINK_MAX_TEXT])
{
	char path[40];
	ssize_t n;

	snprintf(path, sizeof path, "%s/%s", who, name);
	n = noted((int)readlinkat(proc, path, text, LINK_MAX_TEXT));
	if (n <= 0 || n == LINK_MAX_TEXT)
		return -1;
	text[n] = '\0';
	return 0;
}

static bool is(const char *who, const char *name, const char *expected)
{
	char text[LINK_MAX_TEXT];

	return !read_link(who, name, text) && !strcmp(text, expected);
}

static int open_at(const char *who, const char *name, int flags)
{
	char path[40];

	snprintf(path, sizeof path, "%s/%s", who, name);
	return noted(openat(proc, path, flags | O_CLOEXEC));
}

/* Without asking a file server, which may be the client's. */
static int look_at(int fd, unsigned mask, struct statx *st)
{
	return noted(statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, mask, st));
}

/* Which mount, that is: it is called "/" also if it hangs nowhere. */
static int root_of(const char *who, struct statx *st)
{
	int fd = open_at(who, "root", O_PATH), r;

	if (fd < 0)
		return -1;
	r = look_at(fd, STATX_MNT_ID, st);
	close(fd);
	return r || !(st->stx_mask & STATX_MNT_ID) ? -1 : 0;
}

static bool same_root(const char *who)
{
	struct statx st;

	return is(who, "ns/mnt", own_mount) && is(who, "root", "/") && !root_of(who, &st) &&
	       st.stx_mnt_id == own_root.stx_mnt_id;
}

static bool is_own_namespace(int fd)
{
	struct statx st;

	return !look_at(fd, STATX_INO, &st) && st.stx_ino == own_namespace.stx_ino;
}

/* Who has made the outermost user namespace below ours that the process is in: its numbers are his to give out. */
static uint32_t maker_of(const char *who)
{
	int fd = open_at(who, "ns/user", O_RDONLY), parent;
	uid_t maker = FC_LOOKOUT_NOBODY;

	for (int i = 0; fd >= 0 && i < NESTED_MAX; i++) {
		parent = noted(ioctl(fd, NS_GET_PARENT));
		if (parent >= 0 && is_own_namespace(parent) && noted(ioctl(fd, NS_GET_OWNER_UID, &maker)))
			maker = FC_LOOKOUT_NOBODY;
		close(fd);
		fd = parent;
	}
	if (fd >= 0)
		close(fd);
	return maker;
}

static struct fc_sight look(pid_t pid)
{
	struct fc_sight seen = { .maker = FC_LOOKOUT_NOBODY };
	char who[16];

	in_want = false;
	snprintf(who, sizeof who, "%d", pid);
	if (is(who, "ns/user", own_user))
		seen.proven |= FC_LOOKOUT_USER;
	else
		seen.maker = maker_of(who);
	if (same_root(who))
		seen.proven |= FC_LOOKOUT_ROOT;
	if (in_want)
		seen = (struct fc_sight){ FC_LOOKOUT_AGAIN, FC_LOOKOUT_NOBODY };
	return seen;
}

static int enter_fence(void)
{
	static const int allowed[] = { SCMP_SYS(read),  SCMP_SYS(write), SCMP_SYS(readlinkat), SCMP_SYS(openat),
				       SCMP_SYS(close), SCMP_SYS(statx), SCMP_SYS(exit_group) };
	static const unsigned requests[] = { NS_GET_PARENT, NS_GET_OWNER_UID };
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int r = ctx ? 0 : -1;

	for (unsigned i = 0; i < sizeof allowed / sizeof allowed[0] && r == 0; i++)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, allowed[i], 0);
	for (unsigned i = 0; i < sizeof requests / sizeof requests[0] && r == 0; i++)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
				     SCMP_A1(SCMP_CMP_MASKED_EQ, 0xffffffff, requests[i]));
	if (r == 0)
		r = seccomp_load(ctx);
	seccomp_release(ctx);
	return r;
}

/* What others are compared with: our own, before any namespace is entered. */
static int remember_own(void)
{
	int fd, r;

	if (read_link("self", "ns/user", own_user) || read_link("self", "ns/mnt", own_mount) ||
	    root_of("self", &own_root))
		return -1;
	fd = open_at("self", "ns/user", O_RDONLY);
	r = fd < 0 ? -1 : look_at(fd, STATX_INO, &own_namespace);
	close(fd);
	return r;
}

static int prepare(const struct fc_identity *id, pid_t supervisor)
{
	proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (proc < 0 || remember_own())
		return -1;
	return fc_helper_settle(id, FC_CAP(SYS_PTRACE) & fc_caps_permitted(), supervisor);
}

/* All of a message in or out, however often it is interrupted. */
static bool take(int sock, void *to, size_t size)
{
	ssize_t n;

	do
		n = read(sock, to, size);
	while (n < 0 && errno == EINTR);
	return n == (ssize_t)size;
}

static bool give(int sock, const void *from, size_t size)
{
	ssize_t n;

	do /* who has asked waits for it */
		n = write(sock, from, size);
	while (n < 0 && (errno == EINTR || errno == ENOBUFS || errno == ENOMEM));
	return n == (ssize_t)size;
}

static void serve(int sock) __attribute__((noreturn));
static void serve(int sock)
{
	int32_t pid;

	while (take(sock, &pid, sizeof pid)) {
		struct fc_sight seen = look(pid);

		if (!give(sock, &seen, sizeof seen))
			break;
	}
	_exit(0);
}

static void lookout(const struct fc_identity *id, pid_t supervisor)
{
	if (prepare(id, supervisor) || enter_fence())
		_exit(1);
	serve(FC_FD_LOOKOUT);
}

/* ---- the supervisor's side ---- */

int fc_lookout_start(const struct fc_identity *id)
{
	if (fc_helper_start(FC_FD_LOOKOUT, "farcall-lookout", lookout, id)) {
		fc_log(FC_LOG_ERROR, "cannot start the lookout of clients' namespaces: %s", strerror(errno));
		return -1;
	}
	if (fc_lookout_ask(getpid()).proven == (FC_LOOKOUT_USER | FC_LOOKOUT_ROOT))
		return 0;
	fc_log(FC_LOG_ERROR, "cannot look at processes in /proc: is it mounted, and may this user see its own?");
	return -1;
}

struct fc_sight fc_lookout_ask(pid_t pid)
{
	int32_t question = pid;
	struct fc_sight seen;
	static bool lost;
	ssize_t n = -1;

	do
		if (!lost)
			n = send(FC_FD_LOOKOUT, &question, sizeof question, MSG_NOSIGNAL);
	while (n < 0 && !lost && errno == EINTR);
	if (n < 0 && !lost && (errno == ENOBUFS || errno == ENOMEM))
		return (struct fc_sight){ FC_LOOKOUT_AGAIN, FC_LOOKOUT_NOBODY };
	if (n == sizeof question && take(FC_FD_LOOKOUT, &seen, sizeof seen))
		return seen;
	if (!lost)
		fc_log(FC_LOG_ERROR, "the lookout is gone: nobody new is admitted; start the domain anew");
	lost = true; /* for good: what it says yet would be about somebody else */
	return (struct fc_sight){ .maker = FC_LOOKOUT_NOBODY };
}
