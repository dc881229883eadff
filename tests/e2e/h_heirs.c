/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * h_heirs.c - what a child has is what its parent had when it called fork, whatever the parent does right afterwards; of the third fork on
 * the domain has somebody ready for it (storage-domain/shadow/heir.c). With "hold": children that do nothing until the input ends; with "storm":
 * many that do nothing at all, until the file "enough" is there.
 */
#include "e2e.h"

#include <pthread.h>

#define FILES 12
#define MOVES 700 /* and the next: no number that others get */

static int go[2], lock_fd;
static int fd[FILES];

static void make(const char *name, const char *text)
{
	int f = open(in_dir(name), O_WRONLY | O_CREAT | O_TRUNC, 0644);

	EQUAL(write(f, text, strlen(text)), strlen(text));
	EQUAL(close(f), 0);
}

static pid_t fork_one(void)
{
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (pid == 0)
		e2e_failures = 0;
	return pid;
}

static bool is_file(int f, const char *name)
{
	struct stat a, b;

	return fstat(f, &a) == 0 && stat(in_dir(name), &b) == 0 && a.st_ino == b.st_ino;
}

static const char *name_of(const char *what, int i)
{
	static char name[2][32];
	static int k;

	k = !k;
	snprintf(name[k], sizeof name[k], "%s%d", what, i);
	return name[k];
}

/* In numbers with gaps, each of a file of its own, at an offset of its own. */
static void open_all(int round)
{
	for (int i = 0; i < FILES; i++) {
		int f = open(in_dir(name_of("f", i)), O_RDWR), at = 70 + i * (1 + round % 5);

		CHECK(f >= 0);
		EQUAL(lseek(f, i, SEEK_SET), i);
		EQUAL(dup2(f, at), at);
		EQUAL(close(f), 0);
		fd[i] = at;
	}
}

static void close_all(void)
{
	for (int i = 0; i < FILES; i++)
		close(fd[i]);
}

/* What the parent does at once, before the child has a look. */
static void change(void)
{
	int f = open(in_dir("other"), O_RDWR);

	CHECK(f >= 0);
	for (int i = 0; i < FILES; i += 3)
		EQUAL(close(fd[i]), 0);
	for (int i = 1; i < FILES; i += 3)
		EQUAL(dup2(f, fd[i]), fd[i]);
	EQUAL(fcntl(f, F_DUPFD, 200) >= 200, 1);
	EQUAL(close(f), 0);
	EQUAL(chdir(in_dir("")), 0);
	umask(077);
}

static void end_change(void)
{
	for (int i = 200; i < 240; i++)
		close(i);
}

static void await_go(void)
{
	char byte;

	EQUAL(read(go[0], &byte, 1), 1);
}

static void look(int round, mode_t mask)
{
	char dir[32];
	struct stat a, b;
	char byte;
	int f;

	strcpy(dir, name_of("d", round % 3));
	for (int i = 0; i < FILES; i++) {
		CHECK(is_file(fd[i], name_of("f", i)));
		EQUAL(lseek(fd[i], 0, SEEK_CUR), i);
		EQUAL(read(fd[i], &byte, 1), 1);
		EQUAL(byte, 'a' + i);
		EQUAL(lseek(fd[i], i, SEEK_SET), i);
	}
	FAILS(fcntl(200, F_GETFD), EBADF);
	EQUAL(stat(".", &a), 0);
	EQUAL(stat(in_dir(dir), &b), 0);
	EQUAL(a.st_ino, b.st_ino);
	f = open(name_of("new", getpid()), O_CREAT | O_EXCL | O_RDWR, 0666);
	EQUAL(fstat(f, &a), 0);
	EQUAL(a.st_mode & 0777, 0666 & ~mask);
	EQUAL(unlink(name_of("new", getpid())), 0);
}

/* The parent's record lock is not the child's, and the child does not take it away. */
static void look_at_lock(void)
{
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 10 };

	EQUAL(fcntl(lock_fd, F_GETLK, &l), 0);
	EQUAL(l.l_type, F_WRLCK);
	EQUAL(l.l_pid, getppid());
	EQUAL(close(lock_fd), 0);
}

static void one_round(int round)
{
	mode_t mask = (mode_t)(round % 8) << 3;
	pid_t pid;

	open_all(round);
	EQUAL(chdir(in_dir(name_of("d", round % 3))), 0);
	umask(mask);
	pid = fork_one();
	if (pid == 0) {
		await_go();
		look(round, mask);
		look_at_lock();
		_exit(e2e_failures != 0);
	}
	change();
	EQUAL(write(go[1], "g", 1), 1);
	EQUAL(wait_status(pid), 0);
	close_all();
	end_change();
	umask(022);
}

/* Children that do nothing, or are killed: whatever they had is free when they have been waited for. */
static void locks_end(int round)
{
	int f = open(in_dir("flocked"), O_RDWR | O_CREAT, 0600), g = open(in_dir("flocked"), O_RDWR);
	pid_t pid;

	EQUAL(flock(f, LOCK_EX), 0);
	pid = fork_one();
	if (pid == 0) {
		if (round % 3 == 0)
			_exit(0);
		await_go();
		if (round % 3 == 1)
			raise(SIGKILL);
		_exit(0);
	}
	EQUAL(close(f), 0); /* the child alone has it now */
	if (round % 3) {
		FAILS(flock(g, LOCK_EX | LOCK_NB), EWOULDBLOCK);
		EQUAL(write(go[1], "g", 1), 1);
	}
	EQUAL(waitpid(pid, NULL, 0), pid);
	EQUAL(flock(g, LOCK_EX | LOCK_NB), 0);
	EQUAL(close(g), 0);
}

/* Children of children. */
static int descend(int depth)
{
	pid_t pid = depth ? fork_one() : 1;

	if (pid == 0) {
		CHECK(is_file(fd[0], "f0"));
		for (int i = 0; i < 2; i++)
			EQUAL(descend(depth - 1), 0);
		_exit(e2e_failures != 0);
	}
	return depth ? wait_status(pid) : 0;
}

static void at_once(int count)
{
	pid_t pid[64];

	for (int i = 0; i < count; i++) {
		int f = open(in_dir(name_of("f", i % FILES)), O_RDONLY), mine = dup2(f, 50);

		close(f);
		pid[i] = fork_one();
		if (pid[i] == 0) {
			await_go();
			CHECK(is_file(mine, name_of("f", i % FILES)));
			_exit(e2e_failures != 0);
		}
	}
	for (int i = 0; i < count; i++)
		EQUAL(write(go[1], "g", 1), 1);
	for (int i = 0; i < count; i++)
		EQUAL(wait_status(pid[i]), 0);
	EQUAL(close(50), 0);
}

/* More than one message carries. */
static void many(int count)
{
	int first = open(in_dir("other"), O_RDONLY);
	pid_t pid;

	for (int i = 0; i < count; i++)
		EQUAL(dup2(first, 300 + i), 300 + i);
	for (int k = 0; k < 3; k++) {
		pid = fork_one();
		if (pid == 0) {
			for (int i = 0; i < count; i++)
				CHECK(is_file(300 + i, "other"));
			FAILS(fcntl(300 + count, F_GETFD), EBADF);
			_exit(e2e_failures != 0);
		}
		EQUAL(wait_status(pid), 0);
	}
	for (int i = 0; i < count; i++)
		EQUAL(close(300 + i), 0);
	close(first);
}

/* ---- with threads that make calls meanwhile ---- */

static bool stop;

static bool goes_on(void)
{
	return !__atomic_load_n(&stop, __ATOMIC_RELAXED);
}

/* A file is always in one of two places. */
static void *mover(void *unused)
{
	(void)unused;
	while (goes_on()) {
		EQUAL(dup2(MOVES, MOVES + 1), MOVES + 1);
		EQUAL(close(MOVES), 0);
		EQUAL(dup2(MOVES + 1, MOVES), MOVES);
		EQUAL(close(MOVES + 1), 0);
	}
	return NULL;
}

static void *reader(void *at)
{
	char byte;

	while (goes_on())
		EQUAL(pread(fd[(long)at], &byte, 1, 0), 1);
	return NULL;
}

static void *looker(void *unused)
{
	(void)unused;
	while (goes_on())
		EQUAL(access(in_dir("other"), R_OK), 0);
	return NULL;
}

static void with_threads(int rounds)
{
	pthread_t thread[2];
	int f = open(in_dir("other"), O_RDONLY);

	open_all(1);
	EQUAL(dup2(f, MOVES), MOVES);
	close(f);
	__atomic_store_n(&stop, false, __ATOMIC_RELAXED);
	pthread_create(&thread[0], NULL, mover, NULL);
	pthread_create(&thread[1], NULL, reader, (void *)2);
	for (int i = 0; i < rounds; i++) {
		pid_t pid = fork_one();

		if (pid == 0) {
			/* with farcall what moves just then may be in neither place: farcall(7) */
			CHECK(e2e_remote || is_file(MOVES, "other") || is_file(MOVES + 1, "other"));
			for (int k = 0; k < FILES; k++)
				CHECK(is_file(fd[k], name_of("f", k)));
			_exit(e2e_failures != 0);
		}
		EQUAL(wait_status(pid), 0);
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	for (int i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	close(MOVES);
	close_all();
}

/* What a child's shadow was to get, and did not, because others' calls came in between: nobody has it any more. */
static void locks_end_beside_threads(int rounds)
{
	int f = open(in_dir("other"), O_RDONLY);
	pthread_t thread[2];

	EQUAL(dup2(f, MOVES), MOVES);
	close(f);
	__atomic_store_n(&stop, false, __ATOMIC_RELAXED);
	pthread_create(&thread[0], NULL, mover, NULL);
	pthread_create(&thread[1], NULL, looker, NULL);
	for (int i = 0; i < rounds && !e2e_failures; i++)
		locks_end(0);
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	for (int i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	close(MOVES);
}

static void hold(int count)
{
	int f = open(in_dir("other"), O_RDONLY | O_CREAT, 0644);
	pid_t pid[8];
	char byte;

	for (int i = 0; i < count; i++) {
		pid[i] = fork_one();
		if (pid[i] == 0) {
			CHECK(is_file(f, "other"));
			EQUAL(read(0, &byte, 1), 0);
			_exit(e2e_failures != 0);
		}
		usleep(50000);
	}
	puts("ready");
	fflush(stdout);
	for (int i = 0; i < count; i++)
		EQUAL(wait_status(pid[i]), 0);
}

/* Whoever kills those that are ready for them: there are children all the same. */
static void storm(void)
{
	int f = open(in_dir("other"), O_RDONLY | O_CREAT, 0644), count = 0;
	pid_t pid;

	while (access(in_dir("enough"), F_OK) && !e2e_failures && count < 20000) {
		pid = fork_one();
		if (pid == 0)
			_exit(0);
		EQUAL(wait_status(pid), 0);
		count++;
	}
	CHECK(is_file(f, "other"));
	CHECK(count > 20);
}

int main(int argc, char **argv)
{
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 10 };

	e2e_init(argc, argv);
	if (argc > 3) {
		if (!strcmp(argv[3], "hold"))
			hold(4);
		else
			storm();
		return e2e_status();
	}
	make("other", "other");
	for (int i = 0; i < FILES; i++)
		make(name_of("f", i), "abcdefghijklmnop");
	for (int i = 0; i < 3; i++)
		EQUAL(mkdir(in_dir(name_of("d", i)), 0755), 0);
	EQUAL(pipe(go), 0);
	lock_fd = open(in_dir("locked"), O_RDWR | O_CREAT, 0600);
	EQUAL(fcntl(lock_fd, F_SETLK, &l), 0);
	for (int i = 0; i < 60 && e2e_failures < 20; i++)
		one_round(i);
	for (int i = 0; i < 30 && e2e_failures < 20; i++)
		locks_end(i);
	open_all(0);
	EQUAL(descend(3), 0);
	close_all();
	at_once(64);
	many(300);
	with_threads(100);
	locks_end_beside_threads(300);
	EQUAL(fcntl(lock_fd, F_GETFD), 0);
	return e2e_status();
}
