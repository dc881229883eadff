/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hand.c - what is not storage is handed over: a file that its client maps or executes, a FIFO, a socket's inode. On one machine the kernel
 * then does for it what it does for any process, and coherence, poll and credentials are its own.
 *
 * It is the client's own open file, so that it can do with it what it could have asked for. What it must not get is a way around the border:
 * a directory, from which everything in the domain's sight can be opened. The workers can put something else under a number at any
 * time, and whoever closes a file in their table takes the client's record locks on it away (fcntl(2)). So a thread that has a table of its
 * own hands over: it gets the file in a message, looks at it, passes it on, and closes it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "common/atomic.h"
#include "common/rawcall.h"
#include "storage-domain/fds.h"
#include "storage-domain/shadow/shadow_main.h"
#include "storage-domain/shadow/thread.h"

static bool is_below(const char *path, const char *prefix)
{
	size_t n = strlen(prefix);

	return !strncmp(path, prefix, n) && (!path[n] || path[n] == '/');
}

static bool all_allow(const struct fc_exports *exports)
{
	for (unsigned i = 0; i < exports->count; i++)
		if (exports->export[i].nomap)
			return false;
	return true;
}

static const struct fc_export *export_of(const struct fc_exports *exports, const char *path)
{
	const struct fc_export *in = NULL;

	for (unsigned i = 0; i < exports->count; i++) {
		const struct fc_export *x = &exports->export[i];

		if (is_below(path, x->prefix) && (!in || strlen(x->prefix) > strlen(in->prefix)))
			in = x;
	}
	return in;
}

bool fc_hand_allowed(const struct fc_exports *exports, const char *path)
{
	const struct fc_export *in;

	if (all_allow(exports))
		return true;
	in = export_of(exports, path);
	return in && !in->nomap;
}

const struct fc_export *fc_export_at(const struct fc_exports *exports, const char *link)
{
	char path[FC_PATH_MAX];
	int64_t n = fc_call(SYS_readlinkat, FC_FD_PROC, link, path, sizeof path - 1);

	path[n > 0 ? n : 0] = '\0';
	return export_of(exports, path);
}

bool fc_hand_allowed_at(const struct fc_exports *exports, const char *link)
{
	const struct fc_export *in;

	if (all_allow(exports))
		return true;
	in = fc_export_at(exports, link);
	return in && !in->nomap;
}

/* ---- in the thread that hands over ---- */

int fc_hand_judge(const struct fc_exports *exports, int fd)
{
	struct stat st;
	char link[32];

	if (fc_call(SYS_fstat, fd, &st) < 0)
		return -EBADF;
	if (!S_ISREG(st.st_mode) && !S_ISFIFO(st.st_mode) && !S_ISSOCK(st.st_mode))
		return -ENODEV;
	snprintf(link, sizeof link, "thread-self/fd/%d", fd);
	return fc_hand_allowed_at(exports, link) ? 0 : -EOPNOTSUPP;
}

static void answer(struct fc_shadow *s, const struct fc_packet *request)
{
	struct fc_msg m = { .type = FC_MSG_HAND,
			    .serial = request->head.serial,
			    .arg = { all_allow(s->exports) ? FC_HAND_ALL : 0 } };
	int r = fc_hand_judge(s->exports, request->fd[0]), sent = 0;

	if (r == 0)
		sent = fc_control_send(FC_FD_CLIENT, &m, NULL, request->fd, 1, MSG_DONTWAIT);
	fc_call(SYS_close, request->fd[0]);
	if (sent == -EAGAIN)
		fc_shadow_poison(s, "it does not take its answers");
	/* or what ends with the last descriptor, as a lock, might be there still when the client has closed all that it knows of */
	fc_shadow_answer(s, request, r < 0 ? r : sent < 0 ? -ENFILE : 0, NULL, -1);
}

static bool running;

/* Until there is memory. */
static void a_moment(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
}

static void *hand_over(void *arg)
{
	struct fc_packet p;
	struct fc_shadow *s = arg;
	int r;

	while (fc_call(SYS_close_range, FC_DOMAIN_FD_FIRST, ~0u, CLOSE_RANGE_UNSHARE) < 0)
		a_moment();
	/* files that are mapped are closed when the workers close them */
	fc_call(SYS_close_range, FC_FD_EXPORT, FC_DOMAIN_FD_FIRST - 1, 0);
	for (;;) {
		r = fc_control_recv(FC_FD_HANDED, &p, 0);
		if (r == -EPROTO) /* there was no number for the file */
			fc_shadow_answer(s, &p, -ENFILE, NULL, -1);
		else if (r < 0)
			a_moment(); /* whatever it is: the message is still there, and somebody waits */
		else if (p.head.type == FC_MSG_LEASE)
			fc_lease(s, &p);
		else if (p.head.type == FC_MSG_RETURN)
			fc_lease_return(s, &p);
		else if (p.head.type == FC_MSG_HAND)
			answer(s, &p);
		else
			fc_leases_look(s);
	}
	return NULL;
}

/* ---- in the control thread ---- */

int fc_hand_begin(void)
{
	running = false;
	fc_leases_begin();
	return fc_shadow_pair(FC_FD_HAND, FC_FD_HANDED);
}

static int start(struct fc_shadow *s)
{
	int r;

	fc_store(&running, true);
	r = fc_thread_start(hand_over, s);
	if (r)
		fc_store(&running, false);
	return -r;
}

void fc_hand_over(struct fc_shadow *s, const struct fc_packet *request)
{
	const uint64_t *arg = request->head.arg;
	struct fc_msg m = { .type = request->head.type, .serial = request->head.serial, .arg = { arg[0], arg[1] } };
	const int fd = (int)arg[0];
	const bool file = m.type != FC_MSG_RETURN;
	int r = -EBADF;

	if (!file || (arg[0] >= FC_DOMAIN_FD_FIRST && arg[0] < FC_DOMAIN_FD_MAX))
		r = fc_load(&running) ? 0 : start(s);
	if (r == 0)
		r = fc_control_send(FC_FD_HAND, &m, NULL, &fd, file, MSG_DONTWAIT);
	if (r < 0)
		fc_shadow_answer(s, request, r == -EBADF ? r : -ENFILE, NULL, -1);
}

void fc_hand_tidy(void)
{
	struct fc_msg m = { .type = FC_MSG_BYE };

	fc_control_send(FC_FD_HAND, &m, NULL, NULL, 0, MSG_DONTWAIT); /* where that is full, it will look anyway */
}
