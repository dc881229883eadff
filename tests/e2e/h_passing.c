/* SPDX-License-Identifier: GPL-2.0-or-later */
/* h_passing.c - open files in messages: offset, flags and locks are those of the one who sends; directories are no others. And taken by pidfd_getfd. */
#include "e2e.h"

#include <sys/socket.h>
#include <sys/syscall.h>

static int pair[2];

static ssize_t send_fds(const int *fd, int n)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int) * 253)];
	} control = { 0 };
	struct iovec iov = { "m", 1 };
	struct msghdr m = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = CMSG_SPACE(sizeof(int) * n)
	};
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);

	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = CMSG_LEN(sizeof(int) * n);
	memcpy(CMSG_DATA(h), fd, sizeof(int) * n);
	return sendmsg(pair[0], &m, 0);
}

static int receive_fds(int *fd, int n)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int) * 253)];
	} control;
	char byte;
	struct iovec iov = { &byte, 1 };
	struct msghdr m = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control
	};

	if (recvmsg(pair[1], &m, MSG_DONTWAIT) != 1 || !CMSG_FIRSTHDR(&m))
		return -1;
	memcpy(fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(int) * n);
	return (int)((CMSG_FIRSTHDR(&m)->cmsg_len - CMSG_LEN(0)) / sizeof(int));
}

static void one_file(void)
{
	int fd = open(in_dir("file"), O_RDWR | O_APPEND), got = -1, other = open(in_dir("file"), O_RDWR), status;
	char text[16] = { 0 };
	struct stat st, st2;

	EQUAL(read(fd, text, 3), 3);
	EQUAL(flock(fd, LOCK_EX), 0);
	EQUAL(send_fds(&fd, 1), 1);
	EQUAL(receive_fds(&got, 1), 1);
	EQUAL(fstat(got, &st), 0);
	EQUAL(fstat(fd, &st2), 0);
	CHECK(S_ISREG(st.st_mode) && st.st_ino == st2.st_ino && st.st_dev == st2.st_dev);
	EQUAL(fcntl(got, F_GETFL) & (O_ACCMODE | O_APPEND), O_RDWR | O_APPEND);
	EQUAL(read(got, text, 3), 3);
	CHECK(!memcmp(text, "345", 3));
	EQUAL(lseek(fd, 0, SEEK_CUR), 6); /* one offset */
	EQUAL(close(fd), 0);
	FAILS(flock(other, LOCK_EX | LOCK_NB), EWOULDBLOCK); /* the lock is the open file's */
	EQUAL(write(got, "end", 3), 3);
	EQUAL(pread(other, text, 3, 10), 3);
	CHECK(!memcmp(text, "end", 3));
	pid_t child = fork();
	if (!child)
		_exit(pread(got, text, 4, 0) != 4);
	waitpid(child, &status, 0);
	EQUAL(status, 0);
	EQUAL(close(got), 0);
	EQUAL(flock(other, LOCK_EX | LOCK_NB), 0);
	close(other);
}

static void several(void)
{
	int p[2], out[4], in[4], directory = open(in_dir("."), O_RDONLY | O_DIRECTORY), file;
	char text[8];

	EQUAL(pipe(p), 0);
	out[0] = p[1];
	file = out[1] = open(in_dir("file"), O_RDONLY);
	out[2] = open("/dev/null", O_RDWR);
	out[3] = open(in_dir("file"), O_WRONLY);
	EQUAL(send_fds(out, 4), 1);
	EQUAL(receive_fds(in, 4), 4);
	EQUAL(write(in[0], "pipe", 4), 4);
	EQUAL(read(p[0], text, 8), 4);
	EQUAL(read(in[1], text, 2), 2);
	FAILS(write(in[1], "x", 1), EBADF);
	EQUAL(write(in[2], "x", 1), 1);
	FAILS(read(in[3], text, 1), EBADF);
	for (int i = 0; i < 4; i++)
		close(in[i]);
	out[1] = directory;
	EQUAL(send_fds(out, 2), 1);
	EQUAL(receive_fds(in, 2), 2);
	EQUAL(faccessat(in[1], "file", R_OK, 0), 0);
	FAILS(read(in[1], text, 1), EISDIR);
	close(in[0]);
	close(in[1]);
	out[1] = 777;
	FAILS(send_fds(out, 2), EBADF);
	EQUAL(syscall(SYS_pidfd_getfd, syscall(SYS_pidfd_open, getpid(), 0), 777, 0), -1);
	close(file);
	close(directory);
}

static int take(int pidfd, int fd, unsigned flags)
{
	return (int)syscall(SYS_pidfd_getfd, pidfd, fd, flags);
}

/* One's own, all of it: the same open file, close-on-exec. */
static void taken_from_oneself(void)
{
	int self = (int)syscall(SYS_pidfd_open, getpid(), 0), file = open(in_dir("file"), O_RDWR), got;
	int directory = open(in_dir(""), O_RDONLY | O_DIRECTORY), place = open(in_dir("file"), O_PATH);
	char text[16] = { 0 };

	EQUAL(fcntl(file, F_SETFD, 0), 0);
	CHECK((got = take(self, file, 0)) > file);
	EQUAL(fcntl(got, F_GETFD), FD_CLOEXEC);
	EQUAL(read(file, text, 4), 4);
	EQUAL(read(got, text, 3), 3);
	EQUAL(memcmp(text, "456", 3), 0);
	EQUAL(lseek(file, 0, SEEK_CUR), 7);
	close(file);
	EQUAL(pwrite(got, "0", 1, 0), 1);
	FAILS(take(self, got, 1), EINVAL);
	FAILS(take(self, file, 0), EBADF);
	FAILS(take(file, got, 0), EBADF);
	FAILS(take(got, got, 0), EBADF);
	close(got);
	CHECK((got = take(self, directory, 0)) >= 0);
	EQUAL(faccessat(got, "file", R_OK, 0), 0);
	close(got);
	CHECK((got = take(self, place, 0)) >= 0);
	FAILS(read(got, text, 1), EBADF);
	EQUAL(fcntl(got, F_GETFL) & O_PATH, O_PATH);
	for (int fd = 64; fd < 1 << 17; fd += fd < 256 ? 1 : 1019) /* nor what there is besides */
		if (fcntl(fd, F_GETFD) < 0)
			FAILS(take(self, fd, 0), EBADF);
	close(got);
	close(place);
	close(directory);
	close(self);
}

/* A child's: local ones as they are. */
static void taken_from_another(void)
{
	int told[2], local[2], remote[3], got, child_pidfd;
	char text[16] = { 0 };
	pid_t pid;

	EQUAL(pipe(told), 0);
	pid = fork();
	if (!pid) {
		EQUAL(pipe(local), 0);
		remote[0] = open(in_dir("file"), O_RDWR);
		remote[1] = open(in_dir(""), O_RDONLY | O_DIRECTORY);
		remote[2] = open(in_dir("file"), O_PATH);
		lseek(remote[0], 5, SEEK_SET);
		EQUAL(write(told[1], local, sizeof local), sizeof local);
		EQUAL(write(told[1], remote, sizeof remote), sizeof remote);
		pause();
	}
	EQUAL(read(told[0], local, sizeof local), sizeof local);
	EQUAL(read(told[0], remote, sizeof remote), sizeof remote);
	child_pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	CHECK((got = take(child_pidfd, local[1], 0)) >= 0);
	EQUAL(write(got, "pipe", 4), 4);
	close(got);
	CHECK((got = take(child_pidfd, local[0], 0)) >= 0);
	EQUAL(read(got, text, sizeof text), 4);
	close(got);
	FAILS(take(child_pidfd, 777, 0), EBADF);
	for (int i = 0; i < 3; i++)
		if (e2e_remote)
			FAILS(take(child_pidfd, remote[i], 0), EPERM);
		else
			CHECK((got = take(child_pidfd, remote[i], 0)) >= 0);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	FAILS(take(child_pidfd, local[0], 0), ESRCH);
	close(child_pidfd);
	close(told[0]);
	close(told[1]);
}

int main(int argc, char **argv)
{
	e2e_init(argc, argv);
	make_file("file", "0123456789", 10);
	EQUAL(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	one_file();
	several();
	taken_from_oneself();
	taken_from_another();
	return e2e_status();
}
