/* SPDX-License-Identifier: GPL-2.0-or-later */
/* message.c - datagrams, see message.h. */
#define _GNU_SOURCE
#include "tests/fuzz/message.h"

#include <errno.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"

#define SHAPE_MAGIC 1u  /* a wrong one */
#define SHAPE_LENGTH 2u /* the datagram is of another length than the header says */
#define SHAPE_ANONYMOUS 4u
#define SHAPE_SENDER 8u /* another one than usual */
#define SHAPE_TEXT 16u
#define SHAPE_HEAD 32u /* status and serial */

/*
 * shape, types, descriptors (one byte each); which arguments follow (a bit each); those arguments, 8 bytes each; then what the shape
 * says: text size and text, status and serial, another length, another sender; a byte for each descriptor.
 */
void message_make(struct message *m)
{
	unsigned shape = fuzz_front(1), type = fuzz_front(2), args;

	message_usual(m, type);
	m->fd_count = fuzz_front(1) % (MESSAGE_FDS + 1);
	args = fuzz_front(1);
	for (int i = 0; i < 6; i++)
		if (args >> i & 1)
			m->head.arg[i] = fuzz_front(8);
	if (shape & SHAPE_TEXT) {
		m->head.size = fuzz_front(2);
		memset(m->text, 'x', sizeof m->text);
		fuzz_take(m->text, m->head.size < 256 ? m->head.size : 256);
	}
	m->size = sizeof m->head + m->head.size;
	if (shape & SHAPE_HEAD) {
		m->head.status = (int32_t)fuzz_front(4);
		m->head.serial = fuzz_front(4);
	}
	if (shape & SHAPE_LENGTH)
		m->size = fuzz_front(2);
	if (m->size > sizeof m->head + sizeof m->text)
		m->size = sizeof m->head + sizeof m->text;
	if (shape & SHAPE_MAGIC)
		m->head.magic ^= 1;
	m->has_sender = !(shape & SHAPE_ANONYMOUS);
	if (shape & SHAPE_SENDER)
		m->sender = (struct ucred){ (int)fuzz_front(2), fuzz_front(2), fuzz_front(2) };
	for (int i = 0; i < m->fd_count; i++)
		m->fd_kind[i] = fuzz_front(1);
}

void message_usual(struct message *m, unsigned type)
{
	m->pending = true;
	m->head = (struct fc_msg){ .magic = FC_MSG_MAGIC, .type = type, .serial = 7 };
	m->size = sizeof m->head;
	m->fd_count = 0;
	m->has_sender = true;
	m->sender = (struct ucred){ 500, 1000, 1000 };
}

static size_t scatter(struct message *m, struct msghdr *to)
{
	char all[sizeof m->head + sizeof m->text];
	size_t done = 0;

	memcpy(all, &m->head, sizeof m->head);
	memcpy(all + sizeof m->head, m->text, sizeof m->text);
	for (size_t i = 0; i < to->msg_iovlen && done < m->size; i++) {
		size_t n = to->msg_iov[i].iov_len < m->size - done ? to->msg_iov[i].iov_len : m->size - done;

		memcpy(to->msg_iov[i].iov_base, all + done, n);
		done += n;
	}
	return done;
}

/* The room that a control message of `n` bytes would have, header aside; -1: none. */
static long room(const struct msghdr *to, size_t used)
{
	return to->msg_control && to->msg_controllen >= used + CMSG_LEN(0)
		       ? (long)(to->msg_controllen - used - CMSG_LEN(0))
		       : -1;
}

static size_t put(struct msghdr *to, size_t used, int type, const void *data, size_t n)
{
	struct cmsghdr *c = (void *)((char *)to->msg_control + used);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = type;
	c->cmsg_len = CMSG_LEN(n);
	memcpy(CMSG_DATA(c), data, n);
	used += CMSG_SPACE(n);
	return used < to->msg_controllen ? used : to->msg_controllen;
}

long message_deliver(struct message *m, struct msghdr *to, int flags, int (*open)(const struct message *m, int n))
{
	size_t done = scatter(m, to), used = 0;
	long space = room(to, 0);
	int fd[MESSAGE_FDS], n = 0;

	to->msg_flags = done < m->size ? MSG_TRUNC : 0;
	if (m->has_sender && space >= (long)sizeof m->sender)
		used = put(to, 0, SCM_CREDENTIALS, &m->sender, sizeof m->sender);
	else if (m->has_sender)
		to->msg_flags |= MSG_CTRUNC;
	space = room(to, used);
	/* those for which there is room are put into the table, the others are not */
	while (n < m->fd_count && (n + 1) * (long)sizeof *fd <= space) {
		fd[n] = open(m, n);
		if (fd[n] < 0)
			break;
		n++;
	}
	if (n < m->fd_count)
		to->msg_flags |= MSG_CTRUNC;
	if (n)
		used = put(to, used, SCM_RIGHTS, fd, n * sizeof *fd);
	to->msg_controllen = used;
	if (!(flags & MSG_PEEK))
		m->pending = false;
	return done;
}

void message_sent(const struct msghdr *from, struct fc_msg *head, int fd[FC_MSG_FDS], int *fds)
{
	char all[sizeof *head + FC_MSG_TEXT];
	size_t size = 0;

	for (size_t i = 0; i < from->msg_iovlen; i++) {
		if (from->msg_iov[i].iov_len > sizeof all - size)
			fuzz_fail("a message of more than %zu bytes", sizeof all);
		memcpy(all + size, from->msg_iov[i].iov_base, from->msg_iov[i].iov_len);
		size += from->msg_iov[i].iov_len;
	}
	if (size < sizeof *head)
		fuzz_fail("a message of %zu bytes", size);
	memcpy(head, all, sizeof *head);
	if (head->magic != FC_MSG_MAGIC || size != sizeof *head + head->size || head->status > 0 ||
	    head->status < -4095)
		fuzz_fail("a message of type %u, %zu bytes, status %d", head->type, size, head->status);
	*fds = 0;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(from); c; c = CMSG_NXTHDR((struct msghdr *)from, c)) {
		*fds = (int)((c->cmsg_len - CMSG_LEN(0)) / sizeof *fd);
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS || *fds > FC_MSG_FDS)
			fuzz_fail("a control message of type %d", c->cmsg_type);
		memcpy(fd, CMSG_DATA(c), *fds * sizeof *fd);
	}
}
