/* SPDX-License-Identifier: GPL-2.0-or-later */
/* h_signals.c - signals meet calls that wait, calls that run, and handlers that make calls themselves. */
#include "e2e.h"

#include <setjmp.h>

static volatile int hits;
static sigjmp_buf jump;
static int handler_fd;

static void count(int sig)
{
	(void)sig;
	hits++;
}

static void jump_out(int sig)
{
	(void)sig;
	siglongjmp(jump, 1);
}

static void call_in_handler(int sig)
{
	char out[300], in[300];
	struct stat st;
	int saved = errno;

	(void)sig;
	hits++;
	memset(out, 'a' + hits % 26, sizeof out);
	EQUAL(pwrite(handler_fd, out, sizeof out, 0), sizeof out);
	EQUAL(pread(handler_fd, in, sizeof in, 0), sizeof in);
	CHECK(!memcmp(in, out, sizeof in));
	EQUAL(fstat(handler_fd, &st), 0);
	errno = saved;
}

/* A child that holds a lock (how: 'f' flock, 'p' POSIX) on lockfile for `ms`; returns when it has it. */
static pid_t hold(char how, long ms)
{
	int ready[2];
	char c;
	pid_t pid;

	EQUAL(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		struct flock l = { .l_type = F_WRLCK };
		int fd = open(in_dir("lockfile"), O_RDWR);

		alarm_every(0);
		if (how == 'f' ? flock(fd, LOCK_EX) : fcntl(fd, F_SETLKW, &l))
			_exit(1);
		if (write(ready[1], "x", 1) != 1)
			_exit(1);
		sleep_ms(ms);
		_exit(0);
	}
	close(ready[1]);
	EQUAL(read(ready[0], &c, 1), 1);
	close(ready[0]);
	return pid;
}

static long lock_wait(char how, int fd)
{
	struct flock l = { .l_type = F_WRLCK };

	return how == 'f' ? flock(fd, LOCK_EX) : fcntl(fd, F_SETLKW, &l);
}

static void locks(char how)
{
	int fd = open(in_dir("lockfile"), O_RDWR);
	struct flock none = { .l_type = F_UNLCK };
	double began;
	pid_t pid;

	/* no SA_RESTART: EINTR, soon */
	pid = hold(how, 30000);
	handle(SIGALRM, count, 0);
	hits = 0;
	began = seconds();
	alarm_every(50000);
	FAILS(lock_wait(how, fd), EINTR);
	alarm_every(0);
	CHECK(hits >= 1);
	CHECK(seconds() - began < 3);
	/* the same call works again afterwards */
	kill(pid, SIGKILL);
	wait_status(pid);
	EQUAL(lock_wait(how, fd), 0);
	if (how == 'f')
		flock(fd, LOCK_UN);
	else
		fcntl(fd, F_SETLK, &none);
	/* SA_RESTART: it goes on waiting and gets the lock */
	pid = hold(how, 400);
	handle(SIGALRM, count, SA_RESTART);
	hits = 0;
	alarm_every(30000);
	EQUAL(lock_wait(how, fd), 0);
	alarm_every(0);
	CHECK(hits >= 2);
	EQUAL(wait_status(pid), 0);
	/* out of it with siglongjmp */
	if (how == 'f')
		flock(fd, LOCK_UN);
	else
		fcntl(fd, F_SETLK, &none);
	pid = hold(how, 30000);
	handle(SIGALRM, jump_out, SA_NODEFER);
	if (!sigsetjmp(jump, 1)) {
		alarm_every(50000);
		lock_wait(how, fd);
		CHECK(!"the lock was free");
	}
	alarm_every(0);
	EQUAL(lseek(fd, 0, SEEK_END), 5);
	kill(pid, SIGKILL);
	wait_status(pid);
	handle(SIGALRM, count, SA_RESTART);
	EQUAL(lock_wait(how, fd), 0);
	EQUAL(close(fd), 0);
}

static void fifo(void)
{
	char buf[10];
	double began;
	int fd, out;
	pid_t pid;

	EQUAL(mkfifo(in_dir("fifo"), 0600), 0);
	handle(SIGALRM, count, 0);
	hits = 0;
	began = seconds();
	alarm_every(50000);
	FAILS(open(in_dir("fifo"), O_RDONLY), EINTR);
	alarm_every(0);
	CHECK(hits >= 1 && seconds() - began < 3);
	pid = fork();
	if (pid == 0) {
		out = open(in_dir("fifo"), O_WRONLY);
		sleep_ms(300);
		_exit(out < 0 || write(out, "hello", 5) != 5);
	}
	fd = open(in_dir("fifo"), O_RDONLY);
	CHECK(fd >= 0);
	alarm_every(30000);
	FAILS(read(fd, buf, sizeof buf), EINTR);
	handle(SIGALRM, count, SA_RESTART);
	EQUAL(read(fd, buf, sizeof buf), 5);
	alarm_every(0);
	EQUAL(read(fd, buf, sizeof buf), 0);
	EQUAL(wait_status(pid), 0);
	/* nobody reads: EPIPE and SIGPIPE */
	out = open(in_dir("fifo"), O_RDWR);
	EQUAL(close(fd), 0);
	fd = open(in_dir("fifo"), O_WRONLY);
	EQUAL(close(out), 0);
	handle(SIGPIPE, count, SA_RESTART);
	hits = 0;
	FAILS(write(fd, "x", 1), EPIPE);
	EQUAL(hits, 1);
	EQUAL(close(fd), 0);
}

/* A signal just before the call, again and again: none may be lost, none may hang. */
static void storm(void)
{
	int fd = open(in_dir("storm"), O_RDWR | O_CREAT, 0600), limit = e2e_long ? 200000 : 5000;
	char buf[4096];

	handle(SIGALRM, count, SA_RESTART);
	hits = 0;
	alarm_every(300);
	for (int i = 0; i < limit; i++) {
		memset(buf, i, sizeof buf);
		EQUAL(pwrite(fd, buf, sizeof buf, i % 16 * 4096), 4096);
		memset(buf, 0, sizeof buf);
		EQUAL(pread(fd, buf, sizeof buf, i % 16 * 4096), 4096);
		CHECK((unsigned char)buf[0] == i % 256 && (unsigned char)buf[4095] == i % 256);
		if (e2e_failures > 20)
			break;
	}
	alarm_every(0);
	CHECK(hits > 0);
	close(fd);
}

static void calls_in_handlers(void)
{
	static char big[600000], back[600000];
	int fd = open(in_dir("main"), O_RDWR | O_CREAT, 0600);

	handler_fd = open(in_dir("handler"), O_RDWR | O_CREAT, 0600);
	handle(SIGALRM, call_in_handler, SA_RESTART);
	hits = 0;
	alarm_every(400);
	for (int i = 0; i < (e2e_long ? 3000 : 150) || (hits <= 10 && i < 100000); i++) {
		size_t n = i % 3 ? 5000 : sizeof big;

		memset(big, 'A' + i % 26, n);
		EQUAL(pwrite(fd, big, n, 10), n);
		memset(back, 0, n);
		EQUAL(pread(fd, back, n, 10), n);
		CHECK(!memcmp(big, back, n));
		if (e2e_failures > 20)
			break;
	}
	alarm_every(0);
	CHECK(hits > 10);
	close(fd);
	close(handler_fd);
}

/* siglongjmp out of calls at random moments, more often than there are request entries */
static void jumps(void)
{
	static char big[300000];
	volatile int left = e2e_long ? 20000 : 700, calls = 0;
	volatile int fd = open(in_dir("jumps"), O_RDWR | O_CREAT, 0600);
	struct stat st;
	unsigned seed = 1;

	EQUAL(pwrite(fd, big, sizeof big, 0), sizeof big);
	handle(SIGALRM, jump_out, SA_NODEFER);
	while (left-- > 0) {
		if (sigsetjmp(jump, 1))
			continue;
		struct itimerval t = { { 0, 0 }, { 0, 20 + rand_r(&seed) % 400 } };

		setitimer(ITIMER_REAL, &t, NULL);
		for (int i = 0; i < 3000; i++, calls++) {
			if (i % 4 == 3)
				CHECK(pread(fd, big, sizeof big, 0) == (ssize_t)sizeof big);
			else
				CHECK(fstat(fd, &st) == 0 && st.st_size == (off_t)sizeof big);
		}
	}
	alarm_every(0);
	handle(SIGALRM, SIG_DFL, 0);
	EQUAL(fstat(fd, &st), 0);
	EQUAL(pread(fd, big, sizeof big, 0), sizeof big);
	EQUAL(close(fd), 0);
	CHECK(calls > 100);
}

int main(int argc, char **argv)
{
	e2e_init(argc, argv);
	make_file("lockfile", "12345", 5);
	locks('f');
	locks('p');
	fifo();
	storm();
	calls_in_handlers();
	jumps();
	return e2e_status();
}
