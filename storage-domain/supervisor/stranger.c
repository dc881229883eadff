/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stranger.c - receiving from and closing connections of whoever it is, see stranger.h. */
#define _GNU_SOURCE
#include "storage-domain/supervisor/stranger.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "storage-domain/log.h"

#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83
#endif

#define QUEUED_MAX 4096 /* messages; no socket's buffer holds as many */

int fc_stranger_recv(int sock, struct fc_packet *p)
{
	bool brings;
	int r = fc_control_peek(sock, &brings);

	if (r < 0)
		return r;
	return brings ? -EPROTO : fc_control_recv(sock, p, MSG_DONTWAIT);
}

/* Nothing new comes in any more: is what is queued free of descriptors? Empties the queue up to the first that is not. Whether there is
 * more is for the peek to say: a message may be empty, or none. */
static bool drain(int sock)
{
	struct fc_packet p;
	bool brings;

	for (int i = 0; i < QUEUED_MAX; i++) {
		if (fc_control_peek(sock, &brings) < 0)
			return true;
		if (brings)
			return false;
		fc_control_recv(sock, &p, MSG_DONTWAIT);
	}
	return false;
}

static void last_holder(int sock, int let_go) __attribute__((noreturn));
static void last_holder(int sock, int let_go)
{
	char byte;

	/* closed by the end: what ends does not linger. The numbers of stdin and stdout are placeholders; nothing else is kept, or others' ends would not be seen */
	_exit(dup2(sock, 0) || dup2(let_go, 1) != 1 || close_range(2, ~0u, 0) || read(1, &byte, 1));
}

static void close_in_child(int sock)
{
	int pair[2];
	pid_t pid;

	if (pipe(pair)) {
		fc_log(FC_LOG_WARNING, "a connection stays open: %s", strerror(errno));
		return;
	}
	pid = fork();
	if (pid == 0) {
		close(pair[1]);
		last_holder(sock, pair[0]);
	}
	if (pid < 0)
		fc_log(FC_LOG_WARNING, "a connection stays open: %s", strerror(errno));
	else
		close(sock);
	close(pair[0]);
	close(pair[1]); /* from here on the child is the last */
}

void fc_stranger_close(int sock)
{
	int on;
	socklen_t size = sizeof on;

	if ((getsockopt(sock, SOL_SOCKET, SO_PASSRIGHTS, &on, &size) || on) &&
	    !(shutdown(sock, SHUT_RD) == 0 && drain(sock)))
		close_in_child(sock);
	else
		close(sock);
}
