/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * h_post.c - writes that nobody waits for, looked at by somebody who knows nothing of farcall, as soon as he can have heard of them.
 *   h_post observe DIR           tell what the file in DIR is like whenever standard input, a signal or a file in /tmp says so
 *   h_post write DIR PID FLAG    write to it, tell him, in every way, and compare
 *   h_post signals DIR N         write, and get N signals meanwhile whose handler makes a call by which somebody might hear of it
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sem.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

#define LINE 16
#define MANY 100 /* writes until they are posted */

static char path[4096];

static void fail(const char *what)
{
	fprintf(stderr, "h_post: %s: %s\n", what, strerror(errno));
	exit(1);
}

struct seen {
	long size;
	long read; /* bytes, by an open file of its own */
	char last[LINE];
};

static struct seen look(char how)
{
	struct seen s = { 0 };
	struct stat st;
	int fd;

	if (how == 's')
		s.size = stat(path, &st) ? -1 : (long)st.st_size;
	if (how != 'o')
		return s;
	fd = open(path, O_RDONLY);
	s.read = lseek(fd, 0, SEEK_END);
	if (pread(fd, s.last, LINE, s.read - LINE) != LINE)
		s.read = -1;
	close(fd);
	return s;
}

/* 's' 'o': at once; 'S': after a signal; 'F': when there is a file; 'V': when a semaphore says so; 'M': when something is in its memory. */
static void observe(const char *flag)
{
	static volatile long told;
	const int sem = semget(getpid(), 1, IPC_CREAT | 0600);
	volatile long *const where = &told;
	struct seen s;
	sigset_t set;
	char how;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	while (read(0, &how, 1) == 1) {
		told = 0;
		if (how != 's' && how != 'o' && write(1, &how, 1) != 1)
			fail("answer");
		if (how == 'M' && write(1, &where, sizeof where) != sizeof where)
			fail("answer");
		if (how == 'S')
			sigwaitinfo(&set, NULL);
		if (how == 'V' && semop(sem, &(struct sembuf){ 0, -1, 0 }, 1))
			fail("semop");
		while ((how == 'F' && access(flag, F_OK)) || (how == 'M' && !told))
			;
		s = look(how == 'o' ? 'o' : 's');
		if (write(1, &s, sizeof s) != sizeof s)
			fail("answer");
	}
	semctl(sem, 0, IPC_RMID);
}

static unsigned long written;

static void lines(int fd, int n)
{
	char text[LINE + 1];

	for (int i = 0; i < n; i++, written++) {
		snprintf(text, sizeof text, "%015lu\n", written);
		if (write(fd, text, LINE) != LINE)
			fail("write");
	}
}

static int wrong;

static void heard(const char *what)
{
	struct seen s;
	char last[LINE + 1];

	if (read(0, &s, sizeof s) != sizeof s)
		fail("the observer");
	snprintf(last, sizeof last, "%015lu\n", written - 1);
	if (s.size && s.size != (long)(written * LINE)) {
		fprintf(stderr, "h_post: %s: he saw %ld bytes of %lu\n", what, s.size, written * LINE);
		wrong++;
	}
	if (s.read && (s.read != (long)(written * LINE) || memcmp(s.last, last, LINE))) {
		fprintf(stderr, "h_post: %s: he read to %ld of %lu\n", what, s.read, written * LINE);
		wrong++;
	}
}

static void ask(char how)
{
	if (write(1, &how, 1) != 1)
		fail("ask");
}

static void ready(void)
{
	char c;

	if (read(0, &c, 1) != 1)
		fail("the observer");
}

static int fresh(int how)
{
	int fd = open(path, O_CREAT | O_TRUNC | how, 0644);

	written = 0;
	lines(fd, MANY);
	return fd;
}

static void into_memory(int fd, pid_t observer)
{
	long one = 1, *where;
	const struct iovec from = { &one, sizeof one };

	if (read(0, &where, sizeof where) != sizeof where)
		fail("the observer");
	lines(fd, 3);
	if (process_vm_writev(observer, &from, 1, &(struct iovec){ where, sizeof one }, 1, 0) != sizeof one)
		fail("process_vm_writev");
}

static void tell(int how, pid_t observer, const char *flag)
{
	int fd = fresh(how);

	for (int i = 1; i < 40; i++) {
		lines(fd, i % 7 + 1);
		ask('s');
		heard("by a pipe");
	}
	for (int i = 1; i < 20; i++) {
		ask('S');
		ready();
		lines(fd, i % 3 + 1);
		if (i & 1 ? kill(observer, SIGUSR1) : tgkill(observer, observer, SIGUSR1))
			fail("a signal");
		heard("by a signal");
		ask('V');
		ready();
		lines(fd, i % 3 + 1);
		if (semctl(semget(observer, 1, 0), 0, SETVAL, 1))
			fail("semctl");
		heard("by a semaphore");
		ask('M');
		ready();
		into_memory(fd, observer);
		heard("by its memory");
		ask('F');
		ready();
		lines(fd, i % 3 + 1);
		close(open(flag, O_CREAT | O_WRONLY, 0600));
		heard("by a file");
		unlink(flag);
	}
	for (int i = 1; i < 20; i++) {
		lines(fd, MANY); /* delegated again */
		ask('o');
		heard("whoever opens it");
	}
	close(fd);
}

/* The file is opened while it is written: what he finds at its end is a whole line, and no less than before he asked. */
static void meet(int how)
{
	int fd = fresh(how);
	struct seen s;

	for (int i = 1; i < 50; i++) {
		unsigned long before;

		lines(fd, MANY);
		before = written;
		ask('o');
		lines(fd, 20);
		if (read(0, &s, sizeof s) != sizeof s)
			fail("the observer");
		if (s.read < (long)(before * LINE) || s.read > (long)(written * LINE) || s.last[LINE - 1] != '\n' ||
		    atol(s.last) != s.read / LINE - 1) {
			fprintf(stderr, "h_post: he read to %ld, it was %lu to %lu\n", s.read, before * LINE,
				written * LINE);
			wrong++;
		}
	}
	close(fd);
}

static volatile sig_atomic_t calls;
static int nowhere;

static void call(int sig)
{
	(void)sig;
	calls++;
	if (write(nowhere, "", 1) != 1)
		_exit(1);
}

static void under_signals(int n)
{
	struct itimerval often = { { 0, 200 }, { 0, 200 } }, never = { 0 };
	int fd = fresh(O_WRONLY);

	nowhere = open("/dev/null", O_WRONLY);
	signal(SIGALRM, call);
	setitimer(ITIMER_REAL, &often, NULL);
	while (calls < n) {
		lines(fd, MANY);
		if (written > 1000000) { /* and delegated again */
			close(fd);
			fd = fresh(O_WRONLY);
		}
	}
	setitimer(ITIMER_REAL, &never, NULL);
	if (lseek(fd, 0, SEEK_CUR) != (long)(written * LINE))
		fail("the offset");
}

int main(int argc, char **argv)
{
	static const int how[] = { O_WRONLY, O_RDWR, O_WRONLY | O_APPEND };

	if (argc < 4 || snprintf(path, sizeof path, "%s/posted", argv[2]) >= (int)sizeof path)
		return 2;
	if (!strcmp(argv[1], "observe"))
		observe(argv[3]);
	else if (!strcmp(argv[1], "signals"))
		under_signals(atoi(argv[3]));
	for (int i = 0; i < 3 && argc == 5; i++) {
		tell(how[i], atoi(argv[3]), argv[4]);
		meet(how[i]);
	}
	return wrong != 0;
}
