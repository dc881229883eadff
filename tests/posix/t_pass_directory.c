/* SPDX-License-Identifier: GPL-2.0-or-later */
/* t_pass_directory.c - descriptors of directories passed over a socket: opened from, and the working directory of who gets them. */
#include "posix.h"

#include <dirent.h>
#include <sys/socket.h>
#include <sys/uio.h>

static long give(int s, int fd)
{
	char space[CMSG_SPACE(sizeof(int))] = { 0 }, c = 'x';
	struct iovec v = { &c, 1 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof space };
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);

	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(h), &fd, sizeof fd);
	return sendmsg(s, &m, MSG_DONTWAIT);
}

static int take(int s)
{
	char space[CMSG_SPACE(sizeof(int))], c;
	struct iovec v = { &c, 1 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof space };
	struct cmsghdr *h;
	int fd = -1;

	if (recvmsg(s, &m, MSG_DONTWAIT) > 0 && (h = CMSG_FIRSTHDR(&m)))
		memcpy(&fd, CMSG_DATA(h), sizeof fd);
	return fd;
}

int main(int argc, char **argv)
{
	int pair[2], fd, got, names = 0;
	DIR *d;

	posix_begin(argc, argv);
	SAY(mkdir("d", 0755));
	close(make("d/f", "in it"));
	SAY(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	for (int flags = O_RDONLY; flags <= O_PATH; flags += O_PATH) {
		fd = (int)TRY(open("d", flags | O_DIRECTORY));
		SAY(give(pair[0], fd));
		close(fd);
		got = (int)TRY(take(pair[1]));
		close((int)TRY(openat(got, "f", O_RDONLY)));
		CHILD(SAY(fchdir(got)); contents("f"));
		close(got);
	}
	fd = open("d", O_RDONLY);
	SAY(give(pair[0], fd));
	CHILD(d = fdopendir(take(pair[1])); if (d) while (readdir(d)) names++; say("%d names", names));
	return 0;
}
