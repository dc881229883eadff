/* SPDX-License-Identifier: GPL-2.0-or-later */
/* h_limits.c - RLIMIT_FSIZE with SIGXFSZ; RLIMIT_NOFILE, and which number a new descriptor gets. */
#include "e2e.h"

static volatile int hits;

static void count(int sig)
{
	(void)sig;
	hits++;
}

static void file_size(void)
{
	static char big[300000];
	struct rlimit old, limit;
	int fd = open(in_dir("limited"), O_RDWR | O_CREAT, 0600), append, status;
	pid_t pid;

	getrlimit(RLIMIT_FSIZE, &old);
	limit = old;
	limit.rlim_cur = 10000;
	EQUAL(setrlimit(RLIMIT_FSIZE, &limit), 0);
	handle(SIGXFSZ, count, SA_RESTART);
	EQUAL(write(fd, big, 9000), 9000);
	EQUAL(hits, 0);
	EQUAL(write(fd, big, 9000), 1000); /* up to the limit, no signal */
	EQUAL(hits, 0);
	FAILS(write(fd, big, 1), EFBIG);
	EQUAL(hits, 1);
	FAILS(pwrite(fd, big, 10, 10000), EFBIG);
	EQUAL(hits, 2);
	EQUAL(pwrite(fd, big, sizeof big, 100), 9900);
	EQUAL(hits, 2);
	FAILS(ftruncate(fd, 10001), EFBIG);
	EQUAL(hits, 3);
	FAILS(posix_fallocate(fd, 0, 20000) == EFBIG ? (errno = EFBIG, -1) : 0, EFBIG);
	EQUAL(hits, 4);
	append = open(in_dir("limited"), O_WRONLY | O_APPEND);
	FAILS(write(append, big, 5), EFBIG);
	EQUAL(hits, 5);
	handle(SIGXFSZ, SIG_IGN, 0);
	FAILS(pwrite(fd, big, 10, 20000), EFBIG);
	EQUAL(hits, 5);
	/* not caught, it kills */
	pid = fork();
	if (pid == 0) {
		struct rlimit core = { 0, 0 };

		setrlimit(RLIMIT_CORE, &core);
		handle(SIGXFSZ, SIG_DFL, 0);
		_exit(pwrite(fd, big, 10, 20000) == -1 ? 1 : 2);
	}
	status = wait_status(pid);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGXFSZ);
	EQUAL(setrlimit(RLIMIT_FSIZE, &old), 0);
	EQUAL(pwrite(fd, big, 10, 20000), 10);
	EQUAL(close(fd), 0);
	EQUAL(close(append), 0);
}

static void descriptor_numbers(void)
{
	struct rlimit old, limit;
	int first = open("/dev/null", O_RDONLY), fd, n, all[64], pair[2];

	EQUAL(close(first), 0);
	/* remote and local ones share one row of numbers, and the lowest is next */
	EQUAL(fd = open(in_dir("f"), O_RDWR | O_CREAT, 0600), first);
	EQUAL(open("/dev/null", O_RDONLY), first + 1);
	EQUAL(open(in_dir("f"), O_RDWR), first + 2);
	EQUAL(pipe(pair), 0);
	EQUAL(pair[0], first + 3);
	EQUAL(dup(fd), first + 5);
	EQUAL(close(first + 1), 0);
	EQUAL(open(in_dir("f"), O_RDWR), first + 1);
	EQUAL(close(first), 0);
	EQUAL(dup(first + 2), first);
	EQUAL(fcntl(first, F_DUPFD, first + 3), first + 6);
	EQUAL(fcntl(first, F_DUPFD_CLOEXEC, 100), 100);
	EQUAL(fcntl(100, F_GETFD), FD_CLOEXEC);
	EQUAL(fcntl(first, F_GETFD), 0);
	EQUAL(dup2(first, 50), 50);
	EQUAL(dup2(50, 50), 50);
	EQUAL(dup2(pair[1], 50), 50); /* a local one over a remote one */
	EQUAL(write(50, "x", 1), 1);
	EQUAL(dup2(first, 50), 50); /* and back */
	EQUAL(pwrite(50, "remote", 6, 0), 6);
	EQUAL(dup3(first, 51, O_CLOEXEC), 51);
	EQUAL(fcntl(51, F_GETFD), FD_CLOEXEC);
	FAILS(dup3(first, first, 0), EINVAL);
	FAILS(dup2(first + 60, 50), EBADF);
	EQUAL(pwrite(50, "remote", 6, 0), 6);
	FAILS(dup2(first, -1), EBADF);
	EQUAL(lseek(first, 3, SEEK_SET), 3); /* dup'ed ones share the offset */
	EQUAL(lseek(50, 0, SEEK_CUR), 3);
	EQUAL(lseek(first + 1, 0, SEEK_CUR), 0);
	EQUAL(close_range(50, 100, 0), 0);
	FAILS(fcntl(50, F_GETFD), EBADF);
	FAILS(fcntl(100, F_GETFD), EBADF);
	EQUAL(close_range((unsigned)first, first + 1, CLOSE_RANGE_CLOEXEC), 0);
	EQUAL(fcntl(first, F_GETFD), FD_CLOEXEC);
	EQUAL(fcntl(first + 2, F_GETFD), 0);
	EQUAL(close_range((unsigned)first, ~0u, 0), 0);
	for (int i = first; i < 1000; i++)
		CHECK(fcntl(i, F_GETFD) == -1);
	EQUAL(open(in_dir("f"), O_RDWR), first);
	EQUAL(close(first), 0);
	FAILS(close(first), EBADF);

	getrlimit(RLIMIT_NOFILE, &old);
	limit = old;
	limit.rlim_cur = 40;
	EQUAL(setrlimit(RLIMIT_NOFILE, &limit), 0);
	for (n = 0; n < 64; n++) {
		all[n] = open(n % 3 ? in_dir("f") : "/dev/null", O_RDONLY);
		if (all[n] < 0)
			break;
		EQUAL(all[n], first + n);
	}
	EQUAL(errno, EMFILE);
	EQUAL(n, 40 - first);
	FAILS(open(in_dir("f"), O_RDONLY), EMFILE);
	FAILS(open(in_dir("created"), O_RDWR | O_CREAT, 0600), EMFILE);
	CHECK(access(in_dir("created"), F_OK) == -1); /* no number, no file */
	FAILS(dup(all[1]), EMFILE);
	FAILS(fcntl(all[1], F_DUPFD, 0), EMFILE);
	FAILS(fcntl(all[1], F_DUPFD, 40), EINVAL);
	FAILS(dup2(all[1], 40), EBADF);
	EQUAL(close(all[7]), 0);
	EQUAL(open(in_dir("f"), O_RDONLY), all[7]);
	for (int i = 0; i < n; i++)
		EQUAL(close(all[i]), 0);
	EQUAL(setrlimit(RLIMIT_NOFILE, &old), 0);
}

int main(int argc, char **argv)
{
	e2e_init(argc, argv);
	descriptor_numbers();
	file_size();
	return e2e_status();
}
