/* SPDX-License-Identifier: GPL-2.0-or-later */
/* h_fifo.c - a FIFO is one to poll, select, epoll, O_NONBLOCK, fcntl, splice and tee; for threads, children, programs that a child becomes. */
#include "e2e.h"

#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/ioctl.h>

static void *late_writer(void *arg)
{
	(void)arg;
	usleep(200000);
	int w = open(in_dir("fifo"), O_WRONLY);
	usleep(100000);
	EQUAL(write(w, "late", 4), 4);
	return (void *)(long)w;
}

static int ready(int fd, short events)
{
	struct pollfd p = { .fd = fd, .events = events };

	return poll(&p, 1, 0) == 1 ? p.revents : 0;
}

static void polled(int r, int w)
{
	struct epoll_event event = { .events = EPOLLIN }, got;
	int epoll = epoll_create1(0), n = -1;
	fd_set set;

	EQUAL(ready(r, POLLIN), 0);
	EQUAL(ready(w, POLLOUT), POLLOUT);
	EQUAL(epoll_ctl(epoll, EPOLL_CTL_ADD, r, &event), 0);
	EQUAL(epoll_wait(epoll, &got, 1, 20), 0);
	EQUAL(write(w, "abc", 3), 3);
	EQUAL(ready(r, POLLIN), POLLIN);
	EQUAL(epoll_wait(epoll, &got, 1, 20), 1);
	FD_ZERO(&set);
	FD_SET(r, &set);
	EQUAL(select(r + 1, &set, NULL, NULL, &(struct timeval){ 0 }), 1);
	EQUAL(ioctl(r, FIONREAD, &n), 0);
	EQUAL(n, 3);
	close(epoll);
}

static void moved(int r, int w)
{
	int p[2];
	char text[8] = { 0 };

	EQUAL(pipe(p), 0);
	EQUAL(tee(r, p[1], 2, 0), 2);
	EQUAL(splice(r, NULL, p[1], NULL, 3, 0), 3);
	EQUAL(read(p[0], text, 8), 5);
	CHECK(!strcmp(text, "ababc"));
	FAILS(read(r, text, 1), EAGAIN);
	FAILS(lseek(r, 0, SEEK_CUR), ESPIPE);
	EQUAL(fcntl(w, F_SETPIPE_SZ, 8192), 8192);
	EQUAL(fcntl(r, F_GETPIPE_SZ), 8192);
	close(p[0]);
	close(p[1]);
}

static void inherited(int w)
{
	char fd[24], text[8] = { 0 };
	int status, r = open(in_dir("fifo"), O_RDONLY | O_NONBLOCK);
	pid_t child;

	EQUAL(fcntl(w, F_GETFD), FD_CLOEXEC);
	EQUAL(fcntl(r, F_GETFD), 0);
	int again = dup(w);
	snprintf(fd, sizeof fd, "echo e >&%d", again);
	if (!(child = fork())) {
		execl("/bin/sh", "sh", "-c", fd, (char *)NULL);
		_exit(1);
	}
	waitpid(child, &status, 0);
	EQUAL(status, 0);
	EQUAL(read(r, text, 8), 2);
	CHECK(!strcmp(text, "e\n"));
	close(again);
	close(r);
}

int main(int argc, char **argv)
{
	struct stat st;
	pthread_t thread;
	char text[8] = { 0 };
	void *late;
	int r, w;

	e2e_init(argc, argv);
	EQUAL(mkfifo(in_dir("fifo"), 0600), 0);
	FAILS(open(in_dir("fifo"), O_WRONLY | O_NONBLOCK), ENXIO);
	r = open(in_dir("fifo"), O_RDONLY | O_NONBLOCK);
	EQUAL(read(r, text, 1), 0);
	w = open(in_dir("fifo"), O_WRONLY | O_CLOEXEC);
	CHECK(r >= 0 && w >= 0 && !fstat(r, &st) && S_ISFIFO(st.st_mode));
	polled(r, w);
	moved(r, w);
	inherited(w);
	EQUAL(close(w), 0);
	EQUAL(ready(r, POLLIN), POLLHUP);
	EQUAL(close(r), 0);

	EQUAL(pthread_create(&thread, NULL, late_writer, NULL), 0);
	r = open(in_dir("fifo"), O_RDONLY); /* waits for the writer */
	EQUAL(ready(r, POLLIN), 0);
	EQUAL(read(r, text, 8), 4);
	pthread_join(thread, &late);
	signal(SIGPIPE, SIG_IGN);
	EQUAL(close(r), 0);
	FAILS(write((int)(long)late, "x", 1), EPIPE);
	EQUAL(close((int)(long)late), 0);
	return e2e_status();
}
