/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * h_ids.c - ids that change back and forth, real ones too, while other threads do what needs messages to the domain: larger
 * transfers than before, forks, spawns, limits. Nobody loses a file over it, and each file belongs to whom it should.
 */
#include "e2e.h"

#include <pthread.h>
#include <spawn.h>
#include <sys/syscall.h>

#define OTHER 1000
#define SIZE (3u << 20)

static volatile bool stop;
static int fd; /* keeps the session's state alive in children */

static void *reads(void *arg)
{
	char *buf = malloc(SIZE);
	unsigned n = 0;

	(void)arg;
	while (!stop && !e2e_failures) {
		EQUAL(pread(fd, buf, SIZE, 0), SIZE);
		CHECK(buf[n % SIZE] == (char)pattern(n % SIZE, 1));
		for (int i = 0; i < 40; i++) /* little by little, until memory is given back */
			EQUAL(pread(fd, buf, 100, (n = n * 7 + 1) % (SIZE - 100)), 100);
	}
	free(buf);
	return NULL;
}

static void *forks(void *arg)
{
	(void)arg;
	while (!stop && !e2e_failures) {
		pid_t pid = fork();
		char byte;

		if (!pid)
			_exit(pread(fd, &byte, 1, 5) == 1 && byte == (char)pattern(5, 1) ? 0 : 1);
		CHECK(pid > 0);
		if (pid > 0)
			EQUAL(wait_status(pid), 0);
	}
	return NULL;
}

static void *spawns(void *arg)
{
	char *argv[] = { "true", NULL };
	posix_spawnattr_t attr;

	(void)arg;
	posix_spawnattr_init(&attr);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_RESETIDS);
	while (!stop && !e2e_failures) {
		pid_t pid;

		EQUAL(posix_spawn(&pid, "/bin/true", NULL, &attr, argv, environ), 0);
		EQUAL(wait_status(pid), 0);
	}
	return NULL;
}

static void *limits(void *arg)
{
	struct rlimit l;

	(void)arg;
	EQUAL(getrlimit(RLIMIT_FSIZE, &l), 0);
	while (!stop && !e2e_failures)
		EQUAL(setrlimit(RLIMIT_FSIZE, &l), 0);
	return NULL;
}

static void owned_by(uid_t uid)
{
	struct stat st;
	int f = open(in_dir("owned"), O_CREAT | O_EXCL | O_RDWR, 0600);

	CHECK(f >= 0);
	EQUAL(fstat(f, &st), 0);
	EQUAL(st.st_uid, uid);
	EQUAL(close(f), 0);
	EQUAL(unlink(in_dir("owned")), 0);
}

static void *changes(void *arg)
{
	double end = seconds() + (e2e_long ? 10 : 3);
	int n = 0;

	(void)arg;
	for (; (n < 4 || seconds() < end) && !e2e_failures; n++) {
		EQUAL(setresuid(OTHER, OTHER, 0), 0);
		owned_by(OTHER);
		EQUAL(seteuid(0), 0);
		EQUAL(setresuid(OTHER + 1, -1, -1), 0);
		owned_by(0);
		EQUAL(seteuid(OTHER + 1), 0);
		owned_by(OTHER + 1);
		EQUAL(setresuid(0, 0, 0), 0);
		owned_by(0);
		EQUAL(seteuid(OTHER), 0);
		owned_by(OTHER);
		EQUAL(seteuid(0), 0);
		EQUAL(setuid(0), 0);
		owned_by(0);
	}
	printf("# %d rounds\n", n);
	stop = true;
	return NULL;
}

static int as_other(void)
{
	struct stat st;

	if (syscall(SYS_setresuid, OTHER, OTHER, OTHER))
		return 1;
	int f = open(in_dir("vforked"), O_CREAT | O_EXCL | O_RDWR, 0600);
	return f < 0 || fstat(f, &st) || st.st_uid != OTHER || unlink(in_dir("vforked")) ? 2 : 0;
}

/* A vfork child that becomes somebody else for good, and then uses what it has from its parent. */
static void vforks(void)
{
	pid_t pid = vfork();
	char byte;

	if (!pid)
		_exit(as_other());
	EQUAL(wait_status(pid), 0);
	EQUAL(pread(fd, &byte, 1, 7), 1);
	owned_by(0);
	pid = fork();
	if (!pid)
		_exit(pread(fd, &byte, 1, 5) == 1 ? 0 : 1);
	EQUAL(wait_status(pid), 0);
}

int main(int argc, char **argv)
{
	static void *(*const roles[])(void *) = { reads, reads, reads, forks, spawns, limits, changes };
	pthread_t thread[sizeof roles / sizeof roles[0]];
	char *data = malloc(SIZE);

	e2e_init(argc, argv);
	EQUAL(chmod(e2e_dir, 0777), 0);
	for (size_t i = 0; i < SIZE; i++)
		data[i] = (char)pattern(i, 1);
	make_file("data", data, SIZE);
	fd = open(in_dir("data"), O_RDONLY);
	CHECK(fd >= 0);
	vforks();
	for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++)
		EQUAL(pthread_create(&thread[i], NULL, roles[i], NULL), 0);
	for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++)
		pthread_join(thread[i], NULL);
	return e2e_status();
}
