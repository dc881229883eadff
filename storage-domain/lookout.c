/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lookout.c - the process that looks at clients' namespaces, see lookout.h. */
#define _GNU_SOURCE
#include "storage-domain/lookout.h"

#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "storage-domain/caps.h"
#include "storage-domain/fds.h"
#include "storage-domain/log.h"

#define LINK_MAX_TEXT 64

/* ---- the process ---- */

static int proc = -1;
static char own_user[LINK_MAX_TEXT], own_mount[LINK_MAX_TEXT];

/* /proc/WHO/NAME's text. Returns 0, or -1 if it cannot be read or is longer than what it could be compared with. */
static int read_link(const char *who, const char *name, char text[LINK_MAX_TEXT])
{
	char path[40];
	ssize_t n;

	snprintf(path, sizeof path, "%s/%s", who, name);
	n = readlinkat(proc, path, text, LINK_MAX_TEXT);
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

static uint32_t look(pid_t pid)
{
	uint32_t seen = 0;
	char who[16];

	snprintf(who, sizeof who, "%d", pid);
	if (is(who, "ns/user", own_user))
		seen |= FC_LOOKOUT_USER;
	/* in our mount namespace "/" is what we have as root ourselves */
	if (is(who, "ns/mnt", own_mount) && is(who, "root", "/"))
		seen |= FC_LOOKOUT_ROOT;
	return seen;
}

static int enter_fence(void)
{
	static const int allowed[] = { SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(readlinkat), SCMP_SYS(exit_group) };
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int r = ctx ? 0 : -1;

	for (unsigned i = 0; i < sizeof allowed / sizeof allowed[0] && r == 0; i++)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, allowed[i], 0);
	if (r == 0)
		r = seccomp_load(ctx);
	seccomp_release(ctx);
	return r;
}

static int prepare(const struct fc_identity *id)
{
	const uint64_t see = FC_CAP(SYS_PTRACE) & fc_caps_permitted();

	prctl(PR_SET_NAME, "farcall-lookout", 0, 0, 0);
	proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (proc < 0 || read_link("self", "ns/user", own_user) || read_link("self", "ns/mnt", own_mount))
		return -1;
	return fc_identity_take(id, see) || fc_caps_set(see, see) || prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
}

static void serve(int sock) __attribute__((noreturn));
static void serve(int sock)
{
	int32_t pid;

	while (read(sock, &pid, sizeof pid) == sizeof pid) {
		uint32_t seen = look(pid);

		if (write(sock, &seen, sizeof seen) != sizeof seen)
			break;
	}
	_exit(0);
}

static void lookout(const struct fc_identity *id, int sock, pid_t parent) __attribute__((noreturn));
static void lookout(const struct fc_identity *id, int sock, pid_t parent)
{
	dup3(sock, FC_FD_LOOKOUT, O_CLOEXEC);
	for (int fd = 0; fd < FC_FD_LOOKOUT; fd++)
		if (fd != FC_FD_LOG)
			close(fd);
	close_range(FC_FD_LOOKOUT + 1, ~0u, 0);
	if (prepare(id) || getppid() != parent || enter_fence())
		_exit(1);
	serve(FC_FD_LOOKOUT);
}

/* ---- the supervisor's side ---- */

int fc_lookout_start(const struct fc_identity *id)
{
	pid_t supervisor = getpid(), pid;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		goto failed;
	pid = fork();
	if (pid == 0)
		lookout(id, pair[1], supervisor);
	close(pair[1]);
	if (pid < 0 || dup3(pair[0], FC_FD_LOOKOUT, O_CLOEXEC) < 0)
		goto failed;
	close(pair[0]);
	if (fc_lookout_ask(supervisor) == (FC_LOOKOUT_USER | FC_LOOKOUT_ROOT))
		return 0;
	fc_log(FC_LOG_ERROR, "cannot look at processes in /proc: is it mounted, and may this user see its own?");
	return -1;
failed:
	fc_log(FC_LOG_ERROR, "cannot start the lookout of clients' namespaces: %s", strerror(errno));
	return -1;
}

unsigned fc_lookout_ask(pid_t pid)
{
	int32_t question = pid;
	uint32_t seen;
	static bool lost;

	if (send(FC_FD_LOOKOUT, &question, sizeof question, MSG_NOSIGNAL) == sizeof question &&
	    read(FC_FD_LOOKOUT, &seen, sizeof seen) == sizeof seen)
		return seen;
	if (!lost)
		fc_log(FC_LOG_ERROR, "the lookout is gone: nobody new is admitted; start the domain anew");
	lost = true;
	return 0;
}
