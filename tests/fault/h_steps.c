/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * h_steps.c - the program whose host calls fault_calls has fail: attach, open, grow, a large transfer, a thread, fork, a child that is
 * killed, spawn, exec. A step that fails says with what, undoes what it did, and is tried once more: one failure does not last.
 *
 *   h_steps DIR           all of it. What it leaves in DIR is "whole" and "child", of WHOLE and CHILD bytes of the pattern.
 *   h_steps DIR short     only a little, to see that the domain is well
 *
 * Status: 0 all was done, at the second attempt if need be; 20 a step failed twice, and it has been said; 99 wrong data. On
 * standard output: a line "STEP: ERRNO" for each failure.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/fault/h_steps.h"

enum { GAVE_UP = 20, WRONG = 99 };

extern char **environ;

static const char *self, *dir;
static int whole = -1;
static char room[WHOLE];

static char *name(const char *file)
{
	static __thread char path[300];

	snprintf(path, sizeof path, "%s/%s", dir, file);
	return path;
}

static void say(const char *step, int error)
{
	char line[80];
	int n = snprintf(line, sizeof line, "%s: %d\n", step, error);

	(void)!write(1, line, (size_t)n);
}

static void wrong(const char *step)
{
	say(step, -WRONG);
	_exit(WRONG);
}

/* Once more if it fails. Returns whether it was done. */
static bool done(const char *step, int (*run)(void))
{
	for (int i = 0; i < 2; i++) {
		int error = run();

		if (!error)
			return true;
		say(step, error);
	}
	return false;
}

static void must(const char *step, int (*run)(void))
{
	if (!done(step, run))
		_exit(GAVE_UP);
}

/* ---- bytes ---- */

/* All of them, as whoever writes a file for good does. 0 or an errno. */
static int put(int fd, size_t at, size_t size, bool own_offset)
{
	for (size_t n = 0; n < size;) {
		ssize_t r;

		for (size_t i = n; i < size; i++)
			room[i] = pattern(at + i);
		r = own_offset ? write(fd, room + n, size - n) : pwrite(fd, room + n, size - n, (off_t)(at + n));
		if (r < 0)
			return errno;
		if (r == 0)
			return EIO;
		n += (size_t)r;
	}
	return 0;
}

static int get(const char *step, int fd, size_t at, size_t size, bool own_offset)
{
	for (size_t n = 0; n < size;) {
		ssize_t r;

		memset(room, 0, size - n);
		r = own_offset ? read(fd, room, size - n) : pread(fd, room, size - n, (off_t)(at + n));
		if (r < 0)
			return errno;
		if (r == 0)
			wrong(step);
		for (ssize_t i = 0; i < r; i++)
			if (room[i] != pattern(at + n + (size_t)i))
				wrong(step);
		n += (size_t)r;
	}
	return 0;
}

/* A file from its beginning, through the descriptor's own offset. */
static int put_all(int fd, size_t size)
{
	return lseek(fd, 0, SEEK_SET) < 0 ? errno : put(fd, 0, size, true);
}

static int get_all(const char *step, int fd, size_t size)
{
	return lseek(fd, 0, SEEK_SET) < 0 ? errno : get(step, fd, 0, size, true);
}

/* ---- steps ---- */

static int open_whole(void)
{
	whole = open(name("whole"), O_RDWR | O_CREAT, 0644);
	return whole < 0 ? errno : 0;
}

static int small(void)
{
	int r = put(whole, 0, 4096, false);

	return r ? r : get("small", whole, 0, 4096, false);
}

static int grow(void)
{
	int r = put(whole, 0, WHOLE / 2, false);

	return r ? r : get("grow", whole, 0, WHOLE / 2, false);
}

static int large(void)
{
	int r = put_all(whole, WHOLE);

	return r ? r : get_all("large", whole, WHOLE);
}

static int limit(void)
{
	struct rlimit size;

	if (getrlimit(RLIMIT_FSIZE, &size))
		return errno;
	size.rlim_cur = 1 << 30;
	return setrlimit(RLIMIT_FSIZE, &size) ? errno : 0;
}

static void *in_thread(void *arg)
{
	static char some[4096];
	ssize_t n = pread(whole, some, sizeof some, 8192);
	intptr_t r = n < 0 ? errno : 0;

	(void)arg;
	for (ssize_t i = 0; i < n; i++)
		if (some[i] != pattern(8192 + (size_t)i))
			wrong("thread");
	return (void *)r;
}

static int thread(void)
{
	pthread_t one;
	void *result;
	int r = pthread_create(&one, NULL, in_thread, NULL);

	if (r)
		return r;
	r = pthread_join(one, &result);
	return r ? r : (int)(intptr_t)result;
}

/* How a child ended. A second attempt has another child. */
static int child_end(const char *step, pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return errno;
	if (WIFSIGNALED(status))
		say("killed by", WTERMSIG(status));
	if (WIFSIGNALED(status) || WEXITSTATUS(status) == WRONG)
		wrong(step);
	return WEXITSTATUS(status) == 0 ? 0 : EREMOTEIO; /* it has said why */
}

static int child_open(void)
{
	int fd = open(name("child"), O_RDWR | O_CREAT | O_TRUNC, 0644), r, closed;

	if (fd < 0)
		return errno;
	r = put(fd, 0, CHILD, false);
	closed = close(fd) ? errno : 0;
	return r ? r : closed;
}

static int child_inherited(void)
{
	return get("child reads", whole, 4096, 4096, false);
}

static int fork_once(void)
{
	pid_t pid = fork();

	if (pid < 0)
		return errno;
	if (pid == 0) {
		must("child reads", child_inherited);
		must("child writes", child_open);
		exit(0);
	}
	return child_end("fork", pid);
}

/* A child that is killed while it has a lock: when its end is known, the lock is free. */
static int killed(void)
{
	int ready[2], own = -1, r = 0, status;
	pid_t pid;
	char c;

	if (pipe(ready))
		return errno;
	pid = fork();
	if (pid == 0) {
		int fd = open(name("whole"), O_RDWR);

		if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB)) {
			say("locker", errno);
			_exit(GAVE_UP);
		}
		if (write(ready[1], "x", 1) != 1) {
			say("locker", errno);
			_exit(GAVE_UP);
		}
		for (;;)
			pause();
	}
	r = pid < 0 ? errno : 0;
	close(ready[1]);
	if (pid > 0) {
		bool locked = read(ready[0], &c, 1) == 1;

		while (kill(pid, SIGKILL))
			r = errno;
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
		own = open(name("whole"), O_RDWR);
		if (own < 0 || flock(own, LOCK_EX | LOCK_NB))
			r = errno;
		else if (!locked)
			r = EREMOTEIO;
	}
	close(ready[0]);
	if (own >= 0)
		close(own);
	return r;
}

static int spawn_once(void)
{
	char *argv[] = { (char *)self, (char *)dir, "spawned", NULL };
	pid_t pid;
	int r = posix_spawn(&pid, self, NULL, NULL, argv, environ);

	return r ? r : child_end("spawn", pid);
}

static int exec_once(void)
{
	char number[16], *argv[] = { (char *)self, (char *)dir, "executed", number, NULL };

	snprintf(number, sizeof number, "%d", whole);
	execv(self, argv);
	return errno;
}

/* ---- afterwards ---- */

static int close_whole(void)
{
	int r = close(whole);

	whole = -1;
	return r ? errno : 0;
}

static int read_whole(void)
{
	return get("executed", whole, 0, WHOLE, false);
}

static int move_on(void)
{
	return put_all(whole, 4096);
}

static int open_read_close(void)
{
	int fd = open(name("whole"), O_RDONLY), r;

	if (fd < 0)
		return errno;
	r = get("reads", fd, 4096, 4096, false);
	if (close(fd) && !r)
		r = errno;
	return r;
}

static int short_one(void)
{
	int r = child_open(), fd;

	if (r)
		return r;
	fd = open(name("child"), O_RDWR);
	if (fd < 0)
		return errno;
	r = get("short", fd, 0, CHILD, false);
	close(fd);
	return r ? r : unlink(name("child")) ? errno : 0;
}

int main(int argc, char **argv)
{
	const char *part = argc > 2 ? argv[2] : "";

	if (argc < 2)
		return 2;
	self = argv[0];
	dir = argv[1];
	if (!strcmp(part, "short")) {
		must("short", short_one);
	} else if (!strcmp(part, "spawned")) {
		must("spawned reads", open_read_close);
	} else if (!strcmp(part, "executed")) {
		whole = atoi(argv[3]);
		must("executed reads", read_whole);
		must("executed writes", move_on);
		must("executed closes", close_whole);
		must("executed opens", open_read_close);
	} else {
		must("open", open_whole);
		must("small", small);
		must("grow", grow);
		must("large", large);
		must("limit", limit);
		must("thread", thread);
		must("fork", fork_once);
		must("killed", killed);
		must("spawn", spawn_once);
		must("exec", exec_once);
	}
	return 0;
}
