/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * t_border.c - what the kernel keeps for a process and no request could stand for: shared mappings, files in messages, sockets, watches, leases,
 * FIFOs that somebody waits for, signals. On one machine it is handed over, so that all is as natively; where it cannot be, tests/posix/border says
 * what each call gives.
 */
#include "posix.h"

#include <sched.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/xattr.h>

#define PAGE 4096

static void maps(void)
{
	int fd = make("map", "text"), reads = open("map", O_RDONLY), writes = open("map", O_WRONLY);
	char *m;

	part("maps");
	TRY(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0));
	TRY(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED_VALIDATE, fd, 0));
	TRY(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, reads, 0));
	TRY(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, writes, 0));
	TRY(mmap(NULL, PAGE, PROT_READ, MAP_SHARED_VALIDATE | (1 << 28), fd, 0));
	TRY(mmap(NULL, PAGE, PROT_READ, 0, fd, 0));
	TRY(mmap(NULL, 0, PROT_READ, MAP_SHARED, fd, 0));
	TRY(mmap(NULL, SIZE_MAX, PROT_READ, MAP_SHARED, fd, 0));
	m = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, reads, 0);
	say("%s", m == MAP_FAILED ? "none" : m);
	pwrite(fd, "T", 1, 0);
	say("%s", m == MAP_FAILED ? "none" : m); /* what POSIX leaves open */
}

static long give(int to, int fd)
{
	struct iovec v = { "m", 1 };
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} c = { 0 };
	struct msghdr h = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = c.bytes, .msg_controllen = sizeof c };
	struct cmsghdr *m = CMSG_FIRSTHDR(&h);

	m->cmsg_level = SOL_SOCKET;
	m->cmsg_type = SCM_RIGHTS;
	m->cmsg_len = CMSG_LEN(sizeof fd);
	memcpy(CMSG_DATA(m), &fd, sizeof fd);
	return sendmsg(to, &h, 0);
}

static void sockets(void)
{
	struct sockaddr_un bound = { AF_UNIX, "socket" }, bare = { AF_UNIX, "bare" };
	int fd = make("given", "text"), pair[2], s = socket(AF_UNIX, SOCK_STREAM, 0),
	    t = socket(AF_UNIX, SOCK_STREAM, 0), d = socket(AF_UNIX, SOCK_DGRAM, 0);

	part("messages and sockets");
	socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
	SAY(give(pair[0], fd));
	SAY(recv(pair[1], &(char){ 0 }, 1, MSG_DONTWAIT));
	SAY(bind(s, (void *)&bound, sizeof bound));
	SAY(access("socket", F_OK));
	SAY(mknod("bare", S_IFSOCK | 0644, 0));
	SAY(connect(t, (void *)&bare, sizeof bare));
	SAY(sendto(d, "x", 1, 0, (void *)&bare, sizeof bare));
}

static void watches(void)
{
	int in = inotify_init1(IN_NONBLOCK), fd = make("watched", "text"), reads;

	part("watches and leases");
	TRY(inotify_add_watch(in, "watched", IN_MODIFY));
	TRY(inotify_add_watch(in, ".", IN_CREATE));
	TRY(inotify_add_watch(in, "none", IN_CREATE));
	pwrite(fd, "T", 1, 0);
	TRY(read(in, (char[512]){ 0 }, 512));
	close(fd);
	reads = open("watched", O_RDONLY);
	SAY(fcntl(reads, F_SETLEASE, F_RDLCK));
	SAY(fcntl(reads, F_GETLEASE));
	SAY(fcntl(reads, F_SETLEASE, F_UNLCK));
}

static void fifos(void)
{
	struct epoll_event event = { .events = EPOLLIN };
	struct pollfd p;
	sigset_t set;
	int e = epoll_create1(0), r, w, signals;

	part("FIFOs");
	mkfifo("fifo", 0644);
	r = open("fifo", O_RDONLY | O_NONBLOCK);
	w = open("fifo", O_WRONLY | O_NONBLOCK);
	p = (struct pollfd){ r, POLLIN, 0 };
	SAY(poll(&p, 1, 0));
	SAY(epoll_ctl(e, EPOLL_CTL_ADD, r, &event));
	SAY(fcntl(r, F_SETPIPE_SZ, 4096));
	SAY(fcntl(r, F_GETPIPE_SZ) > 0);
	sigemptyset(&set);
	sigaddset(&set, SIGIO);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signals = signalfd(-1, &set, SFD_NONBLOCK);
	SAY(fcntl(r, F_SETOWN, getpid()));
	SAY(fcntl(r, F_SETFL, O_ASYNC | O_NONBLOCK));
	SAY(write(w, "x", 1));
	SAY(read(signals, &(struct signalfd_siginfo){ 0 }, sizeof(struct signalfd_siginfo)));
}

static int child(void *fd)
{
	return write(*(int *)fd, "child", 5) == 5 && open("of_child", O_CREAT | O_WRONLY, 0600) >= 0;
}

static void shared(void)
{
	static char stack[65536] __attribute__((aligned(16)));
	int fd = make("both", ""), status = -1;
	pid_t pid;

	part("shared descriptors");
	fflush(NULL);
	pid = (pid_t)TRY(clone(child, stack + sizeof stack, CLONE_FILES | SIGCHLD, &fd));
	if (pid > 0)
		SAY(waitpid(pid, &status, 0) == pid);
	contents("both");
}

static void attributes(void)
{
	int fd = open("watched", O_RDONLY);

	part("attributes");
	SAY(fsetxattr(fd, "user.x", "1", 1, 0));
	SAY(fsetxattr(fd, "trusted.x", "1", 1, 0));
	SAY(setxattr("watched", "trusted.y", "1", 1, 0));
}

int main(int argc, char **argv)
{
	posix_begin(argc, argv);
	maps();
	sockets();
	watches();
	fifos();
	attributes();
	shared();
	return 0;
}
