/* SPDX-License-Identifier: GPL-2.0-or-later */
/* h_locks.c - flock and fcntl locks between processes: who has them, who is named, and when they are gone. */
#include "e2e.h"

static int to_child[2], from_child[2];

static void tell(int fd)
{
	CHECK(write(fd, "x", 1) == 1);
}

static void await(int fd)
{
	char c;

	CHECK(read(fd, &c, 1) == 1);
}

/* A child that takes a lock, says so, and does what `end` says when told: exit, or wait to be killed, or close */
static pid_t locker(char how, char end)
{
	pid_t pid;

	EQUAL(pipe(to_child), 0);
	EQUAL(pipe(from_child), 0);
	pid = fork();
	if (pid == 0) {
		struct flock l = { .l_type = F_WRLCK, .l_start = 10, .l_len = 20 };
		int fd = open(in_dir("file"), O_RDWR);

		if (how == 'f' ? flock(fd, LOCK_EX) : fcntl(fd, how == 'o' ? F_OFD_SETLKW : F_SETLKW, &l))
			_exit(1);
		tell(from_child[1]);
		await(to_child[0]);
		if (end == 'k')
			for (;;)
				pause();
		if (end == 'c') {
			close(fd);
			tell(from_child[1]);
			await(to_child[0]);
		}
		_exit(0);
	}
	await(from_child[0]);
	return pid;
}

static bool try_lock(char how, int fd)
{
	struct flock l = { .l_type = F_WRLCK }, none = { .l_type = F_UNLCK };

	if (how == 'f')
		return !flock(fd, LOCK_EX | LOCK_NB) && !flock(fd, LOCK_UN);
	return !fcntl(fd, how == 'o' ? F_OFD_SETLK : F_SETLK, &l) &&
	       !fcntl(fd, how == 'o' ? F_OFD_SETLK : F_SETLK, &none);
}

static void end_pipes(void)
{
	close(to_child[0]);
	close(to_child[1]);
	close(from_child[0]);
	close(from_child[1]);
}

static void exclusion(char how)
{
	static const char ends[] = "ekc";
	int fd = open(in_dir("file"), O_RDWR);

	for (int round = 0; round < (e2e_long ? 300 : 12); round++) {
		char end = ends[round % 3];
		pid_t pid = locker(how, end);

		errno = 0;
		CHECK(!try_lock(how, fd) && (errno == EWOULDBLOCK || errno == EACCES));
		if (how == 'p') {
			struct flock l = { .l_type = F_RDLCK };

			EQUAL(fcntl(fd, F_GETLK, &l), 0);
			EQUAL(l.l_type, F_WRLCK);
			EQUAL(l.l_pid, pid);
			EQUAL(l.l_start, 10);
			EQUAL(l.l_len, 20);
		} else if (how == 'o') {
			struct flock l = { .l_type = F_RDLCK };

			EQUAL(fcntl(fd, F_GETLK, &l), 0);
			EQUAL(l.l_type, F_WRLCK);
			EQUAL(l.l_pid, -1);
		}
		tell(to_child[1]);
		if (end == 'c') {
			await(from_child[0]);
			CHECK(try_lock(how, fd));
			tell(to_child[1]);
		} else if (end == 'k') {
			kill(pid, SIGKILL);
		}
		wait_status(pid);
		/* whoever has reaped it finds its locks gone: at once, not soon */
		CHECK(try_lock(how, fd));
		end_pipes();
		if (e2e_failures > 10)
			break;
	}
	EQUAL(close(fd), 0);
}

static void inheritance(void)
{
	int fd = open(in_dir("file"), O_RDWR), other = open(in_dir("file"), O_RDWR);
	struct flock l = { .l_type = F_WRLCK };
	pid_t pid;

	/* a flock belongs to the open file description: the child has it too, and can end it */
	EQUAL(flock(fd, LOCK_EX), 0);
	pid = fork();
	if (pid == 0)
		_exit(flock(fd, LOCK_EX | LOCK_NB) || !flock(other, LOCK_EX | LOCK_NB) || flock(fd, LOCK_UN) ||
		      flock(other, LOCK_EX | LOCK_NB));
	EQUAL(wait_status(pid), 0);
	FAILS(flock(fd, LOCK_EX | LOCK_NB), EWOULDBLOCK); /* "other" is ours too, and still holds it */
	EQUAL(flock(other, LOCK_UN), 0);
	EQUAL(flock(fd, LOCK_EX | LOCK_NB), 0);
	EQUAL(flock(fd, LOCK_UN), 0);
	/* a POSIX lock belongs to the process: the child has none, and closing any descriptor of the file ends it */
	EQUAL(fcntl(fd, F_SETLK, &l), 0);
	pid = fork();
	if (pid == 0) {
		errno = 0;
		_exit(!fcntl(fd, F_SETLK, &l) || (errno != EAGAIN && errno != EACCES) || fcntl(fd, F_GETLK, &l) ||
		      l.l_pid != getppid());
	}
	EQUAL(wait_status(pid), 0);
	EQUAL(close(other), 0);
	pid = fork();
	if (pid == 0)
		_exit(fcntl(fd, F_SETLK, &l) != 0);
	EQUAL(wait_status(pid), 0);
	EQUAL(close(fd), 0);
}

/* two processes that each wait for the other's lock */
static void deadlock(void)
{
	struct flock a = { .l_type = F_WRLCK, .l_start = 0, .l_len = 1 },
		     b = { .l_type = F_WRLCK, .l_start = 1, .l_len = 1 };
	int fd = open(in_dir("file"), O_RDWR);
	long r;
	pid_t pid;

	EQUAL(pipe(to_child), 0);
	EQUAL(pipe(from_child), 0);
	EQUAL(fcntl(fd, F_SETLK, &a), 0);
	pid = fork();
	if (pid == 0) {
		if (fcntl(fd, F_SETLK, &b))
			_exit(2);
		tell(from_child[1]);
		_exit(fcntl(fd, F_SETLKW, &a) ? (errno == EDEADLK ? 1 : 3) : 0);
	}
	await(from_child[0]);
	sleep_ms(200);
	r = fcntl(fd, F_SETLKW, &b);
	CHECK(r == -1 && errno == EDEADLK);
	EQUAL(close(fd), 0);
	EQUAL(wait_status(pid), 0);
	end_pipes();
}

static void ignore(int sig)
{
	(void)sig;
}

/* What does not wait is not interrupted. */
static void refusal(void)
{
	const struct itimerval often = { { 0, 100 }, { 0, 100 } }, never = { { 0, 0 }, { 0, 0 } };
	int fd = open(in_dir("file"), O_RDWR), other = open(in_dir("file"), O_RDWR);

	EQUAL(flock(other, LOCK_EX), 0);
	sigaction(SIGALRM, &(struct sigaction){ .sa_handler = ignore }, NULL);
	EQUAL(setitimer(ITIMER_REAL, &often, NULL), 0);
	for (int i = 0; i < 10000; i++)
		FAILS(flock(fd, LOCK_EX | LOCK_NB), EWOULDBLOCK);
	EQUAL(setitimer(ITIMER_REAL, &never, NULL), 0);
	EQUAL(close(other), 0);
	EQUAL(close(fd), 0);
}

int main(int argc, char **argv)
{
	e2e_init(argc, argv);
	make_file("file", "0123456789", 10);
	exclusion('f');
	exclusion('p');
	exclusion('o');
	inheritance();
	deadlock();
	refusal();
	return e2e_status();
}
