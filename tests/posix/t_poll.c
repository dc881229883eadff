/* SPDX-License-Identifier: GPL-2.0-or-later */
/* t_poll.c - select, poll, epoll on files, directories, FIFOs and sockets of an export together with pipes; and signals that a file may send. */
#include "posix.h"

#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/socket.h>

int main(int argc, char **argv)
{
	int file, dir, fifo, p[2], pair[2], e, n;
	struct pollfd polled[6];
	struct epoll_event event = { .events = EPOLLIN | EPOLLOUT, .data.u32 = 7 }, got[4];
	struct timespec t = { 0, 50000000 };
	fd_set r, w, x;
	sigset_t set;
	char c;

	posix_begin(argc, argv);
	file = make("file", "text");
	dir = open(".", O_RDONLY);
	mkfifo("fifo", 0644);
	fifo = open("fifo", O_RDWR | O_NONBLOCK);
	SAY(pipe(p));
	SAY(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));

	part("poll");
	for (int round = 0; round < 3; round++) {
		int fds[] = { file, dir, fifo, p[0], pair[0], 99 };

		for (int i = 0; i < 6; i++)
			polled[i] = (struct pollfd){ fds[i], round ? POLLIN | POLLOUT | POLLPRI | POLLRDHUP : 0, 0 };
		SAY(poll(polled, 6, 0));
		for (int i = 0; i < 6; i++)
			say("%d: %x", i, polled[i].revents);
		if (round == 1) {
			write(fifo, "x", 1);
			write(p[1], "x", 1);
			close(pair[1]);
		}
	}
	SAY(ppoll(polled + 2, 1, &t, NULL));
	SAY(read(fifo, &c, 1));
	polled[2].events = POLLIN;
	SAY(ppoll(polled + 2, 1, &t, NULL));
	polled[0].fd = -1;
	SAY(poll(polled, 1, 10));

	part("select");
	FD_ZERO(&r);
	FD_ZERO(&w);
	FD_ZERO(&x);
	FD_SET(file, &r);
	FD_SET(file, &w);
	FD_SET(file, &x);
	FD_SET(dir, &r);
	FD_SET(fifo, &r);
	FD_SET(fifo, &w);
	SAY(select(100, &r, &w, &x, &(struct timeval){ 0, 0 }));
	say("%d %d %d %d %d %d", FD_ISSET(file, &r), FD_ISSET(file, &w), FD_ISSET(file, &x), FD_ISSET(dir, &r),
	    FD_ISSET(fifo, &r), FD_ISSET(fifo, &w));
	FD_ZERO(&r);
	FD_SET(60, &r); /* below 64: higher ones are looked at only if the table has ever been larger */
	SAY(select(61, &r, NULL, NULL, &(struct timeval){ 0, 0 }));

	part("epoll");
	e = epoll_create1(EPOLL_CLOEXEC);
	SAY(epoll_ctl(e, EPOLL_CTL_ADD, file, &event));
	SAY(epoll_ctl(e, EPOLL_CTL_ADD, dir, &event));
	SAY(epoll_ctl(e, EPOLL_CTL_ADD, fifo, &event));
	SAY(epoll_ctl(e, EPOLL_CTL_ADD, fifo, &event));
	SAY(epoll_wait(e, got, 4, 0));
	say("%x %u", got[0].events, got[0].data.u32);
	event.events = EPOLLIN | EPOLLET;
	SAY(epoll_ctl(e, EPOLL_CTL_MOD, fifo, &event));
	SAY(epoll_wait(e, got, 4, 0));
	CHILD(int own = open("fifo", O_WRONLY); write(own, "y", 1));
	SAY(epoll_wait(e, got, 4, 1000));
	SAY(epoll_wait(e, got, 4, 0));
	SAY(read(fifo, &c, 1));
	n = dup(fifo);
	close(fifo); /* its duplicate keeps it in the set */
	write(n, "z", 1);
	SAY(epoll_wait(e, got, 4, 1000));
	SAY(epoll_ctl(e, EPOLL_CTL_DEL, n, &event));
	close(n);
	SAY(epoll_wait(e, got, 4, 10));

	part("signals");
	fifo = open("fifo", O_RDWR | O_NONBLOCK);
	sigemptyset(&set);
	sigaddset(&set, SIGIO);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	n = signalfd(-1, &set, SFD_NONBLOCK);
	SAY(fcntl(fifo, F_SETOWN, getpid()));
	SAY(fcntl(fifo, F_GETOWN) == getpid());
	SAY(fcntl(fifo, F_SETFL, O_ASYNC | O_NONBLOCK));
	SAY(write(fifo, "x", 1));
	SAY(read(n, &(struct signalfd_siginfo){ 0 }, sizeof(struct signalfd_siginfo)));
	SAY(fcntl(fifo, F_SETSIG, SIGUSR1));
	SAY(fcntl(fifo, F_GETSIG));
	SAY(read(fifo, &c, 1));
	SAY(fcntl(file, F_SETFL, O_ASYNC));
	say("%x", fcntl(file, F_GETFL));
	SAY(fcntl(file, F_SETOWN, getpid()));
	SAY(fcntl(file, F_GETOWN) == getpid());
	return 0;
}
