/* SPDX-License-Identifier: GPL-2.0-or-later */
/* h_full.c - a process that has all the descriptors it may have, and then forks, spawns, executes, and uses what it has. */
#include "e2e.h"
#include <pthread.h>
#include <spawn.h>

#define FILES_MAX 4096

extern char **environ;

static int file[FILES_MAX], count;

static int used(int below)
{
	int n = 0;

	for (int i = 0; i < below; i++)
		n += fcntl(i, F_GETFD) >= 0;
	return n;
}

static void limit_to(rlim_t soft, rlim_t hard)
{
	struct rlimit limit = { soft, hard };

	EQUAL(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

/* Local ones and remote ones, until there are no more. */
static void fill(void)
{
	for (count = 0; count < FILES_MAX; count++) {
		file[count] = count % 3 ? open(in_dir("f"), O_RDWR | O_CREAT, 0600) : open("/dev/null", O_RDWR);
		if (file[count] < 0)
			break;
	}
	EQUAL(errno, EMFILE);
}

static void empty(void)
{
	while (count > 0)
		EQUAL(close(file[--count]), 0);
}

static void usable(void)
{
	static char block[1200000];
	struct stat st;

	EQUAL(stat(in_dir("f"), &st), 0);
	EQUAL(pwrite(file[1], block, sizeof block, 0), sizeof block);
	EQUAL(pread(file[1], block, sizeof block, 0), sizeof block);
	FAILS(open(in_dir("f"), O_RDONLY), EMFILE);
	EQUAL(close(file[count - 1]), 0);
	EQUAL(file[count - 1] = open(in_dir("f"), O_RDONLY), file[count - 1]);
}

static void fork_twice(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		usable();
		pid = fork();
		if (pid == 0) {
			usable();
			_exit(e2e_failures != 0);
		}
		_exit(wait_status(pid) || e2e_failures);
	}
	CHECK(pid > 0);
	EQUAL(wait_status(pid), 0);
	usable();
}

static void spawn(void)
{
#ifdef __GLIBC__ /* musl's makes a pipe first */
	posix_spawn_file_actions_t actions;
	char *argv[] = { "sh", "-c", "echo spawned >&9", NULL };
	pid_t pid;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, file[1], 9);
	for (int i = 1; i < 16; i++) /* for the program's libraries */
		posix_spawn_file_actions_addclose(&actions, file[count - i]);
	EQUAL(pwrite(file[1], "nothing", 7, 0), 7);
	EQUAL(lseek(file[1], 0, SEEK_SET), 0);
	EQUAL(posix_spawn(&pid, "/bin/sh", &actions, NULL, argv, environ), 0);
	EQUAL(wait_status(pid), 0);
	char now[8] = "";
	EQUAL(pread(file[1], now, 7, 0), 7);
	CHECK(!memcmp(now, "spawned", 7));
	posix_spawn_file_actions_destroy(&actions);
	usable();
#endif
}

/* exec looks at the program before anything is closed */
static void execute(const char *self)
{
	pid_t pid = fork();

	if (pid == 0) {
		char number[12];

		for (int i = 1; i < 16; i++)
			fcntl(file[count - i], F_SETFD, FD_CLOEXEC);
		snprintf(number, sizeof number, "%d", file[1]);
		EQUAL(ftruncate(file[1], 77), 0);
		execl(self, self, e2e_dir, e2e_remote ? "remote" : "native", number, NULL);
		_exit(99);
	}
	EQUAL(wait_status(pid), 0);
}

static void *wait_forever(void *lock)
{
	pthread_mutex_lock(lock);
	pthread_mutex_unlock(lock);
	return NULL;
}

static void all(const char *self, int expect)
{
	pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	pthread_t thread;

	fill();
	EQUAL(count, expect);
	usable();
	fork_twice();
	spawn();
	execute(self);
	pthread_mutex_lock(&lock);
	CHECK(!pthread_create(&thread, NULL, wait_forever, &lock));
	fork_twice();
	spawn();
	pthread_mutex_unlock(&lock);
	pthread_join(thread, NULL);
	empty();
}

/* The limit is nobody's to see change. */
static volatile bool stop;

static void *watch(void *expect)
{
	struct rlimit limit;

	while (!stop) {
		getrlimit(RLIMIT_NOFILE, &limit);
		if (limit.rlim_cur != *(rlim_t *)expect)
			return expect;
	}
	return NULL;
}

static void watched(rlim_t soft)
{
	pthread_t thread;
	void *seen;

	fill();
	CHECK(!pthread_create(&thread, NULL, watch, &soft));
	for (int i = 0; i < 20; i++)
		fork_twice();
	stop = true;
	pthread_join(thread, &seen);
	CHECK(!seen);
	empty();
}

int main(int argc, char **argv)
{
	struct rlimit old;
	struct stat st;
	int n;

	e2e_init(argc, argv);
	if (argc > 3) { /* executed */
		EQUAL(fstat(atoi(argv[3]), &st), 0);
		EQUAL(st.st_size, 77);
		return e2e_status();
	}
	getrlimit(RLIMIT_NOFILE, &old);
	n = used(100);
	limit_to(100, old.rlim_max);
	all(argv[0], 100 - n);
	watched(100);
	if (old.rlim_max > 3000) {
		limit_to(2500, old.rlim_max);
		all(argv[0], 2500 - used(2500));
	}
	/* a hard limit: the shim needs two, and one for each domain and for placeholders; who may raise it needs none */
	limit_to(100, 100);
	fill();
	CHECK(count <= 100 - n && count >= 100 - n - (e2e_remote ? 4 : 0));
	n = 100 - count;
	empty();
	all(argv[0], 100 - n);
	return e2e_status();
}
