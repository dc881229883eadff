/* SPDX-License-Identifier: GPL-2.0-or-later */
/* helper.c - how a process beside the supervisor begins, see helper.h. */
#define _GNU_SOURCE
#include "storage-domain/supervisor/helper.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "storage-domain/caps.h"
#include "storage-domain/fds.h"

static void keep_only(int sock, int number)
{
	dup3(sock, number, O_CLOEXEC);
	for (int fd = 0; fd < number; fd++)
		if (fd != FC_FD_LOG)
			close(fd);
	close_range(number + 1, ~0u, 0);
}

int fc_helper_start(int number, const char *name, void (*run)(const struct fc_identity *, pid_t supervisor),
		    const struct fc_identity *id)
{
	pid_t supervisor = getpid(), pid;
	int pair[2], r;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return -1;
	pid = fork();
	if (pid == 0) {
		keep_only(pair[1], number);
		prctl(PR_SET_NAME, name, 0, 0, 0); /* for ps(1) */
		run(id, supervisor);
		_exit(1);
	}
	close(pair[1]);
	r = pid < 0 || dup3(pair[0], number, O_CLOEXEC) < 0 ? -1 : 0;
	close(pair[0]);
	return r;
}

int fc_helper_settle(const struct fc_identity *id, unsigned long capabilities, pid_t supervisor)
{
	if (fc_identity_take(id, capabilities) || (capabilities && fc_caps_set(capabilities, capabilities)) ||
	    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0))
		return -1;
	return getppid() == supervisor ? 0 : -1;
}
