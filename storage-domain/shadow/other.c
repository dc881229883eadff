/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * other.c - what one client has open, for another that looks at it in /proc. The shadow of the first makes an O_PATH descriptor of it, which
 * says what file it is and lets nobody do anything with it; the supervisor passes it on, if that is to be; the second one's shadow counts
 * it among its client's. To open it is another request, with the second client's own identity.
 *
 * All is done in the table that the workers see, for nothing here is more than either client has or gets.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/atomic.h"
#include "storage-domain/fds.h"
#include "storage-domain/shadow/link.h"
#include "storage-domain/shadow/shadow_main.h"

void fc_other_ask(struct fc_shadow *s, const struct fc_packet *request)
{
	const uint64_t *arg = request->head.arg;

	/* whoever counts processes in another way means another process */
	if (s->foreign || !request->has_sender || (uint64_t)request->sender.pid != arg[2]) {
		fc_shadow_answer(s, request, -ENOENT, NULL, -1);
		return;
	}
	fc_shadow_tell(
		(struct fc_msg){ .type = FC_LINK_OTHER, .serial = request->head.serial, .arg = { arg[0], arg[1] } },
		-1);
}

void fc_other_answer(struct fc_shadow *s, struct fc_packet *answer)
{
	const uint16_t type = answer->head.type == FC_LINK_CLAIM ? FC_MSG_CLAIM : FC_MSG_OTHER;
	const struct fc_packet question = { .head = { .type = type, .serial = answer->head.serial } };
	const int fd = answer->nfds ? answer->fd[0] : -1;
	const uint64_t arg[3] = { (uint64_t)fd, answer->head.arg[0], answer->head.arg[1] };
	int status = answer->head.status;

	if (status == 0 && fd < 0)
		status = -EIO;
	if (status == 0 && !fc_budget_number(s, fd))
		status = -EMFILE;
	if (status < 0) {
		fc_packet_drop(answer);
		fc_shadow_answer(s, &question, status, NULL, -1);
		return;
	}
	fc_store(&s->numbers[fd], 0u);
	fc_shadow_answer(s, &question, 0, arg, -1);
}

/* The client's descriptor that it knows by that number, or -1. */
static int find(const struct fc_shadow *s, uint64_t number)
{
	const uint32_t top = fc_load(&s->descriptors_top);

	if (number >= UINT32_MAX)
		return -1;
	for (uint32_t fd = FC_DOMAIN_FD_FIRST; fd < top; fd++)
		if (fc_load(&s->numbers[fd]) == (uint32_t)number + 1 && fcntl((int)fd, F_GETFD) >= 0)
			return (int)fd;
	return -1;
}

/* An O_PATH descriptor of it, or -errno. */
static int look(const struct fc_shadow *s, uint64_t number, struct fc_msg *m)
{
	int of = number == UINT64_MAX ? -1 : find(s, number), fd;
	char path[32] = "self/cwd";
	struct stat st;

	if (number != UINT64_MAX) {
		if (of < 0)
			return -ENOENT;
		snprintf(path, sizeof path, "self/fd/%d", of);
	}
	fd = openat(FC_FD_PROC, path, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	/* where a shadow begins is no directory of anybody's */
	if (fstat(fd, &st) || st.st_dev == s->exports->skeleton_dev) {
		close(fd);
		return -ENOENT;
	}
	if (of >= 0) {
		off_t at = lseek(of, 0, SEEK_CUR);

		m->arg[0] = at < 0 ? 0 : (uint64_t)at;
		m->arg[1] = (uint64_t)fcntl(of, F_GETFL);
	}
	return fd;
}

void fc_other_show(struct fc_shadow *s, const struct fc_packet *question)
{
	struct fc_msg m = { .type = FC_LINK_SHOWN, .serial = question->head.serial };
	int fd = look(s, question->head.arg[0], &m);

	m.status = fd < 0 ? fd : 0;
	fc_shadow_tell(m, fd);
	if (fd >= 0)
		close(fd);
}
