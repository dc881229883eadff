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
#include <sys/stat.h>
#include <sys/syscall.h>

#include "common/rawcall.h"
#include "storage-domain/exec/path.h"
#include "storage-domain/fds.h"
#include "storage-domain/shadow/shadow_main.h"

#define SELF "self/fd/6" /* FC_FD_HAND in FC_FD_PROC */
_Static_assert(FC_FD_HAND == 6, "its name");

/* Its export's word; a path that is not known to be in one that allows it does not. */
static bool export_allows(const struct fc_exports *exports)
{
	static char path[2 * FC_PATH_MAX];
	bool all = true;
	int64_t n;

	for (unsigned i = 0; i < exports->count; i++)
		all &= !exports->export[i].nomap;
	if (all)
		return true;
	n = fc_call(SYS_readlinkat, FC_FD_PROC, SELF, path, sizeof path - 1);
	path[n > 0 ? n : 0] = '\0';
	return fc_path_may_be_held(exports, path);
}

static int judge(const struct fc_exports *exports)
{
	struct stat st;

	if (fc_call(SYS_fstat, FC_FD_HAND, &st) < 0)
		return -EBADF;
	if (!S_ISREG(st.st_mode) && !S_ISFIFO(st.st_mode) && !S_ISSOCK(st.st_mode))
		return -ENODEV;
	return export_allows(exports) ? 0 : -EOPNOTSUPP;
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
