/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hand.c - what is not storage is handed over: a file that its client maps or executes, a FIFO, a socket's inode. On one machine the kernel
 * then does for it what it does for any process, and coherence, poll and credentials are its own.
 *
 * It is the client's own open file, so that it can do with it what it could have asked for. What it must not get is a way around the border:
 * a directory, from which everything in the domain's sight can be opened. The workers can put something else under a number at any
 * time, so the file is taken under one that they cannot touch first, and looked at there.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "common/rawcall.h"
#include "storage-domain/fds.h"
#include "storage-domain/shadow/shadow_main.h"

#define SELF "self/fd/6" /* FC_FD_HAND in FC_FD_PROC */
_Static_assert(FC_FD_HAND == 6, "its name");

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

bool fc_hand_allowed(const struct fc_exports *exports, const char *path)
{
	const struct fc_export *in = NULL;

	if (all_allow(exports))
		return true;
	for (unsigned i = 0; i < exports->count; i++) {
		const struct fc_export *x = &exports->export[i];

		if (is_below(path, x->prefix) && (!in || strlen(x->prefix) > strlen(in->prefix)))
			in = x;
	}
	return in && !in->nomap;
}

bool fc_hand_allowed_at(const struct fc_exports *exports, const char *link)
{
	char path[FC_PATH_MAX];
	int64_t n;

	if (all_allow(exports))
		return true;
	n = fc_call(SYS_readlinkat, FC_FD_PROC, link, path, sizeof path - 1);
	path[n > 0 ? n : 0] = '\0';
	return fc_hand_allowed(exports, path);
}

static int judge(const struct fc_exports *exports)
{
	struct stat st;

	if (fc_call(SYS_fstat, FC_FD_HAND, &st) < 0)
		return -EBADF;
	if (!S_ISREG(st.st_mode) && !S_ISFIFO(st.st_mode) && !S_ISSOCK(st.st_mode))
		return -ENODEV;
	return fc_hand_allowed_at(exports, SELF) ? 0 : -EOPNOTSUPP;
}

static int take(uint64_t number)
{
	if (number < FC_DOMAIN_FD_FIRST || number >= FC_DOMAIN_FD_MAX)
		return -EBADF;
	return fc_call(SYS_dup3, number, FC_FD_HAND, O_CLOEXEC) < 0 ? -EBADF : 0;
}

void fc_hand_over(struct fc_shadow *s, const struct fc_packet *request)
{
	struct fc_msg m = { .type = FC_MSG_HAND, .serial = request->head.serial };
	const int fd = FC_FD_HAND;
	int r = take(request->head.arg[0]), sent = 0;

	if (r == 0 && (r = judge(s->exports)) == 0)
		sent = fc_control_send(FC_FD_CLIENT, &m, NULL, &fd, 1, MSG_DONTWAIT);
	fc_call(SYS_dup3, FC_FD_NULL, FC_FD_HAND, O_CLOEXEC);
	if (sent == -EAGAIN)
		fc_shadow_poison(s, "it does not take its answers");
	if (r < 0 || sent < 0)
		fc_shadow_answer(s, request, r < 0 ? r : -ENFILE, NULL, -1);
}
