/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * t_pass.c - descriptors of files passed over sockets: to a child, to a program that was executed, to oneself, many at once, closed while under
 * way; the receiver shares the offset, the flags, the locks. tests/e2e/h_passing.c has the rest.
 */
#include "posix.h"

#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define MANY 20

static ssize_t give(int s, const int *fds, unsigned n, int flags)
{
	char space[CMSG_SPACE(MANY * sizeof(int))] = { 0 }, c = 'x';
	struct iovec v = { &c, 1 };
	struct msghdr m = {
		.msg_iov = &v, .msg_iovlen = 1, .msg_control = space, .msg_controllen = CMSG_SPACE(n * sizeof(int))
	};
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);

	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = CMSG_LEN(n * sizeof(int));
	memcpy(CMSG_DATA(h), fds, n * sizeof(int));
	return sendmsg(s, &m, flags);
}

/* Says how many came, and the flags of the message */
static int take(int s, int *fds, unsigned room, int flags)
{
	char space[CMSG_SPACE(MANY * sizeof(int))], c;
	struct iovec v = { &c, 1 };
	struct msghdr m = {
		.msg_iov = &v, .msg_iovlen = 1, .msg_control = space, .msg_controllen = CMSG_LEN(room * sizeof(int))
	};
	ssize_t n = recvmsg(s, &m, flags);
	struct cmsghdr *h = n < 0 ? NULL : CMSG_FIRSTHDR(&m);
	int got = h ? (int)((h->cmsg_len - CMSG_LEN(0)) / sizeof(int)) : 0;

	if (got)
		memcpy(fds, CMSG_DATA(h), (size_t)got * sizeof(int));
	say("took %zd, %d descriptors, flags %x", n, got, m.msg_flags & ~MSG_CMSG_CLOEXEC);
	return got;
}

int main(int argc, char **argv)
{
	int pair[2], fds[MANY], got[MANY] = { 0 }, fd;
	char text[32] = { 0 }, self[PATH_MAX];
	struct stat st;
	pid_t pid;

	if (argc > 2) { /* executed, with the socket as descriptor 3 */
		take(3, got, MANY, 0);
		SAY(read(got[0], text, 3));
		say("%s fd %x", text, fcntl(got[0], F_GETFD));
		SAY(write(got[0], "by exec", 7));
		return 0;
	}
	posix_begin(argc, argv);
	self[readlink("/proc/self/exe", self, sizeof self - 1)] = 0;
	SAY(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair));
	fd = make("f", "0123456789");

	part("to oneself");
	SAY(give(pair[0], &fd, 1, 0));
	take(pair[1], got, MANY, 0);
	SAY(read(fd, text, 2));
	SAY(read(got[0], text, 2));
	say("%s fl %x", text, fcntl(got[0], F_GETFL));
	SAY(fcntl(got[0], F_SETFL, O_APPEND));
	say("%x", fcntl(fd, F_GETFL));
	SAY(fcntl(fd, F_SETFL, 0));
	SAY(flock(fd, LOCK_EX));
	SAY(flock(got[0], LOCK_EX | LOCK_NB));
	close(got[0]);
	SAY(flock(open("f", O_RDONLY), LOCK_EX | LOCK_NB));

	part("closed and removed under way");
	SAY(give(pair[0], &fd, 1, 0));
	close(fd);
	SAY(unlink("f"));
	take(pair[1], got, MANY, MSG_CMSG_CLOEXEC);
	SAY(pread(got[0], text, 10, 0));
	say("%s fd %x", text, fcntl(got[0], F_GETFD));
	SAY(fstat(got[0], &st));
	say("%lu", (unsigned long)st.st_nlink);
	close(got[0]);

	part("many");
	for (int i = 0; i < MANY; i++) {
		snprintf(text, sizeof text, "many%d", i);
		fds[i] = i % 4 == 3 ? open("/dev/null", O_RDWR) : make(text, text);
	}
	SAY(give(pair[0], fds, MANY, 0));
	for (int i = 0; i < MANY; i++)
		close(fds[i]);
	take(pair[1], got, MANY, 0);
	for (int i = 0; i < MANY; i++) {
		ssize_t n = read(got[i], text, sizeof text - 1);

		text[n > 0 ? n : 0] = 0;
		say("%d %s", i, text);
		close(got[i]);
	}

	part("no room for all");
	for (int i = 0; i < 4; i++)
		fds[i] = make("room", "room");
	SAY(give(pair[0], fds, 4, 0));
	take(pair[1], got, 2, 0);
	SAY(read(got[1], text, 4));
	SAY(give(pair[0], fds, 4, 0));
	SAY(recv(pair[1], text, 1, 0)); /* and none: they are gone */
	SAY(give(pair[0], fds, 2, 0));
	take(pair[1], got, MANY, MSG_PEEK);
	SAY(read(got[0], text, 4));
	take(pair[1], got, MANY, 0);
	SAY(lseek(got[0], 0, SEEK_CUR));
	SAY(give(pair[0], (int[]){ fds[0], 999 }, 2, 0));
	take(pair[1], got, MANY, MSG_DONTWAIT);

	part("to a child");
	pid = fork();
	if (pid == 0) {
		take(pair[1], got, MANY, 0);
		SAY(write(got[0], "child", 5));
		SAY(ftruncate(got[0], 8));
		give(pair[1], &(int){ make("childs", "made by the child") }, 1, 0);
		_exit(0);
	}
	fd = make("parents", "parent was here");
	give(pair[0], &fd, 1, 0); /* and says nothing: the child is speaking */
	take(pair[0], got, MANY, 0);
	ended(pid);
	SAY(lseek(fd, 0, SEEK_CUR));
	contents("parents");
	SAY(read(got[0], text, 30));
	SAY(lseek(got[0], 0, SEEK_SET));
	SAY(read(got[0], text, 17));
	say("%.17s", text);

	part("to a program");
	lseek(fd, 0, SEEK_SET);
	give(pair[0], &fd, 1, 0);
	pid = fork();
	if (pid == 0) {
		dup2(pair[1], 3);
		execl(self, self, ".", "executed", NULL);
	}
	ended(pid);
	contents("parents");
	SAY(lseek(fd, 0, SEEK_CUR));

	part("other things");
	SAY(mkfifo("fifo", 0644));
	fd = open("fifo", O_RDWR);
	give(pair[0], &fd, 1, 0);
	take(pair[1], got, MANY, 0);
	SAY(write(fd, "through", 7));
	SAY(read(got[0], text, 7));
	fd = open("room", O_PATH);
	give(pair[0], &fd, 1, 0);
	take(pair[1], got, MANY, 0);
	SAY(read(got[0], text, 1));
	SAY(fstat(got[0], &st));
	/* over exec and close-on-exec no more than natively */
	fd = open("room", O_RDONLY | O_CLOEXEC);
	give(pair[0], &fd, 1, 0);
	take(pair[1], got, MANY, 0);
	say("%x", fcntl(got[0], F_GETFD));
	return 0;
}
