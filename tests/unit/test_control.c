/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_control.c - framing of control messages: what goes in comes out, nothing torn gets through, no descriptor leaks. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/control.h"

static int pair[2];

static void make_pair(void)
{
	cr_assert(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair));
}

static int open_descriptors(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

/* One datagram of any bytes, with `nfds` descriptors. */
static void send_raw(const void *bytes, size_t size, int nfds)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(64 * sizeof(int))];
	} control = { .bytes = { 0 } };
	struct iovec iov = { (void *)bytes, size };
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (nfds) {
		h.msg_control = &control;
		h.msg_controllen = CMSG_SPACE(nfds * sizeof(int));
		control.align.cmsg_len = CMSG_LEN(nfds * sizeof(int));
		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS; /* descriptors 0, 0, ... */
	}
	cr_assert_eq(sendmsg(pair[0], &h, 0), (ssize_t)size);
}

Test(control, round_trip, .init = make_pair)
{
	struct fc_msg m = { .type = FC_MSG_FORK, .size = 5, .status = -7, .serial = 99, .arg = { 1, 2, 3, 4, 5, 6 } };
	int fds[2] = { 0, 1 }, before = open_descriptors();
	struct fc_packet p;

	cr_assert_eq(fc_control_send(pair[0], &m, "hello", fds, 2, 0), 0);
	cr_assert_eq(fc_control_recv(pair[1], &p, 0), 0);
	cr_assert(p.head.type == m.type && p.head.status == -7 && p.head.serial == 99 && p.head.arg[5] == 6);
	cr_assert_str_eq(p.text, "hello");
	cr_assert_eq(p.nfds, 2);
	cr_assert_not(p.has_sender);
	fc_packet_drop(&p);
	cr_assert_eq(open_descriptors(), before);
}

Test(control, sender, .init = make_pair)
{
	struct fc_msg m = { .type = FC_MSG_HELLO };
	struct fc_packet p;
	int on = 1;

	cr_assert(!setsockopt(pair[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof on));
	cr_assert_eq(fc_control_send(pair[0], &m, NULL, NULL, 0, 0), 0);
	cr_assert_eq(fc_control_recv(pair[1], &p, 0), 0);
	cr_assert(p.has_sender && p.sender.pid == getpid() && p.sender.uid == getuid() && p.sender.gid == getgid());
}

Test(control, limits, .init = make_pair)
{
	struct fc_msg m = { .type = FC_MSG_HELLO, .size = FC_MSG_TEXT };
	static char text[FC_MSG_TEXT + 1];
	int fds[FC_MSG_FDS + 1] = { 0 };
	struct fc_packet p;

	cr_assert_eq(fc_control_send(pair[0], &m, text, NULL, 0, 0), 0);
	cr_assert_eq(fc_control_recv(pair[1], &p, 0), 0);
	cr_assert_eq(p.head.size, FC_MSG_TEXT);
	m.size = FC_MSG_TEXT + 1;
	cr_assert_eq(fc_control_send(pair[0], &m, text, NULL, 0, 0), -EMSGSIZE);
	m.size = 0;
	cr_assert_eq(fc_control_send(pair[0], &m, NULL, fds, FC_MSG_FDS + 1, 0), -EMSGSIZE);
}

Test(control, nonsense_is_refused_and_leaves_nothing, .init = make_pair)
{
	static char bytes[sizeof(struct fc_msg) + FC_MSG_TEXT + 100];
	struct fc_msg good = { .magic = FC_MSG_MAGIC, .type = FC_MSG_HELLO };
	int before = open_descriptors(), on = 1;
	struct fc_packet p;

	for (int round = 0; round < 2; round++) {
		for (int nfds = 0; nfds <= 64; nfds = nfds ? nfds * 2 : 1) {
			struct fc_msg bad = good;

			send_raw("x", 1, nfds);
			cr_assert_eq(fc_control_recv(pair[1], &p, 0), -EPROTO);
			send_raw(bytes, sizeof bytes, nfds);
			cr_assert_eq(fc_control_recv(pair[1], &p, 0), -EPROTO);
			bad.magic++;
			send_raw(&bad, sizeof bad, nfds);
			cr_assert_eq(fc_control_recv(pair[1], &p, 0), -EPROTO);
			bad = good;
			bad.size = 1;
			send_raw(&bad, sizeof bad, nfds);
			cr_assert_eq(fc_control_recv(pair[1], &p, 0), -EPROTO);
			send_raw("", 0, nfds);
			cr_assert_eq(fc_control_recv(pair[1], &p, 0), -EPIPE);
			send_raw(&good, sizeof good, nfds);
			cr_assert_eq(fc_control_recv(pair[1], &p, 0), nfds > FC_MSG_FDS ? -EPROTO : 0, "%d", nfds);
			fc_packet_drop(&p);
		}
		cr_assert_eq(open_descriptors(), before);
		/* the same with the sender's identity taking part of the room */
		cr_assert(!setsockopt(pair[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof on));
	}
}

Test(control, ends, .init = make_pair)
{
	struct fc_msg m = { .type = FC_MSG_HELLO };
	struct fc_packet p;

	cr_assert_eq(fc_control_recv(pair[1], &p, MSG_DONTWAIT), -EAGAIN);
	close(pair[0]);
	cr_assert_eq(fc_control_recv(pair[1], &p, 0), -EPIPE);
	cr_assert_eq(fc_control_send(pair[1], &m, NULL, NULL, 0, 0), -EPIPE);
}
