/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * h_fork_in.c - a signal handler on top of a call that moves much data, or of any other, forks. The child makes calls there, and ends there, jumps
 * out, or goes back into the call, which may have ended with EINTR in it, and goes on. The parent notices nothing.
 */
#include "e2e.h"

#include <pthread.h>
#include <setjmp.h>

#define BIG 700000
#define CHILDREN 64

static char big[BIG], back[BIG];
static int main_fd, handler_fd;
static sigjmp_buf jump;
static volatile sig_atomic_t in_child;
static volatile pid_t children[CHILDREN];
static volatile int count;

static void *in_thread(void *unused)
{
	struct stat st;

	(void)unused;
	for (int i = 0; i < 20; i++)
		EQUAL(fstat(handler_fd, &st), 0);
	return NULL;
}

/* What a program may do there. */
static void work(bool threads)
{
	char out[300], in[300];
	struct stat st;
	pthread_t thread;
	pid_t pid;
	int fd;

	memset(out, 'a' + count % 26, sizeof out);
	EQUAL(pwrite(handler_fd, out, sizeof out, count * 512), sizeof out);
	EQUAL(pread(handler_fd, in, sizeof in, count * 512), sizeof in);
	CHECK(!memcmp(in, out, sizeof in));
	EQUAL(fstat(main_fd, &st), 0);
	fd = open(in_dir("handler"), O_RDONLY);
	CHECK(fd >= 0);
	EQUAL(close(fd), 0);
	if (!threads)
		return;
	EQUAL(pthread_create(&thread, NULL, in_thread, NULL), 0);
	pthread_join(thread, NULL);
	pid = fork();
	if (pid == 0) {
		in_thread(NULL);
		_exit(e2e_failures != 0);
	}
	EQUAL(wait_status(pid), 0);
}

static void fork_in(int sig)
{
	int saved = errno, which = count % 5;
	pid_t pid;

	(void)sig;
	if (in_child || count == CHILDREN)
		return;
	pid = fork();
	if (pid) {
		CHECK(pid > 0);
		children[count++] = pid;
		errno = saved;
		return;
	}
	in_child = 1;
	e2e_failures = 0;
	alarm_every(0);
	if (which != 3)
		work(which >= 2);
	if (which == 0)
		_exit(e2e_failures != 0);
	if (which == 1)
		siglongjmp(jump, 1);
	errno = saved;
}

/* In the child the interrupted call may have moved less, or nothing. */
static bool is_result(ssize_t r, ssize_t n)
{
	return r == n || (in_child && ((r > 0 && r < n) || (r < 0 && errno == EINTR)));
}

/* A child that has come back, one way or another. */
static void be_child(void)
{
	static char mine[BIG];

	work(true);
	memset(mine, 'z', sizeof mine);
	EQUAL(pwrite(handler_fd, mine, sizeof mine, 100000), sizeof mine);
	memset(back, 0, sizeof back);
	EQUAL(pread(handler_fd, back, sizeof back, 100000), sizeof back);
	CHECK(!memcmp(back, mine, sizeof mine));
	work(true);
	_exit(e2e_failures != 0);
}

static ssize_t at_offset(bool out)
{
	struct iovec v[2] = { { back, BIG / 2 }, { back + BIG / 2, BIG - BIG / 2 } };

	CHECK(is_result(lseek(main_fd, 0, SEEK_SET), 0));
	if (in_child)
		return BIG;
	return out ? write(main_fd, big, BIG) : readv(main_fd, v, 2);
}

static void call(int i)
{
	struct stat st;
	ssize_t r;

	switch (i % 6) {
	case 0:
	case 1:
		CHECK(is_result(r = pwrite(main_fd, big, BIG, 0), BIG));
		break;
	case 2:
	case 3:
		memset(back, 0, BIG);
		r = pread(main_fd, back, BIG, 0);
		CHECK(is_result(r, BIG));
		CHECK(r < 0 || !memcmp(back, big, (size_t)r));
		break;
	case 4:
		r = at_offset(i % 4 == 0);
		CHECK(is_result(r, BIG) ||
		      (r >= 0 && r < BIG)); /* a child shares the offset, and may have moved it on */
		break;
	default:
		for (int k = 0; k < 50 && !in_child; k++)
			CHECK(is_result(fstat(main_fd, &st), 0));
	}
}

static void rounds(int flags)
{
	struct stat st;
	volatile int i = 0;

	count = 0;
	handle(SIGALRM, fork_in, flags);
	if (sigsetjmp(jump, 1))
		be_child();
	alarm_every(3000);
	while (count < CHILDREN && i < 100000) {
		call(i++);
		if (in_child)
			be_child();
	}
	alarm_every(0);
	handle(SIGALRM, SIG_IGN, 0);
	for (int k = 0; k < count; k++)
		EQUAL(wait_status(children[k]), 0);
	EQUAL(count, CHILDREN);
	EQUAL(fstat(main_fd, &st), 0);
	EQUAL(st.st_size % BIG,
	      0); /* a child shares the offset, and may come between the parent's lseek and its write */
	EQUAL(ftruncate(main_fd, BIG), 0);
}

int main(int argc, char **argv)
{
	e2e_init(argc, argv);
	for (int i = 0; i < BIG; i++)
		big[i] = (char)(i * 7 + i / 251);
	main_fd = open(in_dir("main"), O_RDWR | O_CREAT, 0600);
	handler_fd = open(in_dir("handler"), O_RDWR | O_CREAT, 0600);
	EQUAL(pwrite(main_fd, big, BIG, 0), BIG);
	for (int i = 0; i < (e2e_long ? 12 : 2) && e2e_failures < 20; i++)
		rounds(i % 2 ? 0 : SA_RESTART);
	return e2e_status();
}
