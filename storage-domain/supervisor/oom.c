/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * oom.c - who dies first, see oom.h.
 *
 * A child inherits its parent's score, and a shadow has no /proc to write its own into: so the supervisor takes the shadows' score
 * for the moment of the fork. It may go back to its own without CAP_SYS_RESOURCE, for that was set with it
 * (proc_pid_oom_score_adj(5)).
 */
#define _GNU_SOURCE
#include "storage-domain/supervisor/oom.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "storage-domain/fds.h"

#define SUPERVISOR_SCORE (-900)
#define SHADOW_MORE 300 /* than what the domain was started with */
#define SCORE_MAX 1000

static int own, shadows;

static int set(int score)
{
	char text[16];
	int n = snprintf(text, sizeof text, "%d", score);

	return pwrite(FC_FD_OOM, text, (size_t)n, 0) == n ? 0 : -1;
}

void fc_oom_open(void)
{
	int fd = open("/proc/self/oom_score_adj", O_RDWR | O_CLOEXEC);
	char text[16] = "";

	if (fd < 0)
		return;
	if (dup3(fd, FC_FD_OOM, O_CLOEXEC) >= 0 && read(fd, text, sizeof text - 1) > 0) {
		own = (int)strtol(text, NULL, 10);
		shadows = own + SHADOW_MORE < SCORE_MAX ? own + SHADOW_MORE : SCORE_MAX;
		if (!set(SUPERVISOR_SCORE))
			own = SUPERVISOR_SCORE;
	}
	close(fd);
}

void fc_oom_before_fork(void)
{
	if (shadows != own)
		set(shadows);
}

void fc_oom_after_fork(void)
{
	if (shadows != own)
		set(own);
}
