/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * h_killed.c - programs that are killed at any moment while they post writes, half of them while the domain answers them, too: what they had been told is
 * written is there, whole and in order.
 *   h_killed drive DIR N LATE [COMMAND...]   starts N of them, one or two at a time, kills each, and looks. COMMAND starts h_killed, which begins with
 *                                            a new image; without, they are forked. LATE: nobody but who opens the file can be told how much there is
 *   h_killed write DIR I SEED                is one of them; says what it has written in memory that descriptor 9 is: no system call tells anybody
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define BOTH 2
#define STATE_FD 9
#define LARGEST 70000 /* bytes of a write: more than what is posted */
#define ROOM (LARGEST + (1 << 20))
#define READS 300      /* until it is delegated, and some more */
#define MOST (3 << 20) /* bytes of a file, then it begins anew in another one */

/* What a writer says. */
static struct state {
	uint64_t told; /* the number of a file, and below it the bytes that it has been told are written to it */
	uint64_t writes;
} * state;
#define FILE_SHIFT 32

static char text[ROOM]; /* what is written, from anywhere in the file */

static void fail(const char *what)
{
	fprintf(stderr, "h_killed: %s: %s\n", what, strerror(errno));
	exit(1);
}

static unsigned dice(unsigned *seed, unsigned n)
{
	*seed = *seed * 1103515245 + 12345;
	return (*seed >> 8) % n;
}

/* Of a file, whose number is in it, the byte at a position; each 4 bytes are another number, so what is at a wrong place is seen. */
static uint32_t word_at(uint64_t file, uint64_t word)
{
	return (uint32_t)((word + 1) * 2654435761u ^ file * 40503u) | 1;
}

/* n bytes of a file from `at` on are to be written, or compared */
static const char *bytes(uint64_t file, uint64_t at, size_t n)
{
	for (uint64_t w = at / 4; w <= (at + n) / 4; w++)
		memcpy(text + (w - at / 4) * 4, &(uint32_t){ word_at(file, w) }, 4);
	return text + at % 4;
}

static const char *name_of(const char *dir, unsigned i, uint64_t file)
{
	static char name[4096];

	snprintf(name, sizeof name, "%s/killed.%u.%llu", dir, i, (unsigned long long)file);
	return name;
}

/* ---- who is killed ---- */

static size_t how_much(unsigned *seed, unsigned manner)
{
	switch (manner) {
	case 0:
		return 16;
	case 1:
		return 1 + dice(seed, 600);
	case 2:
		return 4096;
	default:
		return 1 + dice(seed, dice(seed, 20) ? 9000 : LARGEST);
	}
}

static ssize_t put(int fd, unsigned how, const char *from, size_t n, uint64_t at)
{
	const struct iovec iov[2] = { { (char *)from, n / 3 }, { (char *)from + n / 3, n - n / 3 } };

	switch (how) {
	case 0:
		return write(fd, from, n);
	case 1:
		return pwrite(fd, from, n, (off_t)at);
	default:
		return writev(fd, iov, 2);
	}
}

static void one_file(const char *dir, unsigned i, uint64_t file, unsigned *seed)
{
	static const int flags[] = { O_WRONLY, O_RDWR, O_WRONLY | O_APPEND };
	const unsigned how = dice(seed, 3), manner = dice(seed, 4);
	int fd = open(name_of(dir, i, file), O_CREAT | O_EXCL | flags[how == 1 ? 0 : dice(seed, 3)], 0644);
	uint64_t at = 0;

	if (fd < 0)
		fail("open");
	while (at < MOST) {
		const size_t n = how_much(seed, manner);
		const ssize_t r = put(fd, how, bytes(file, at, n), n, at);

		if (r != (ssize_t)n)
			fail("write");
		at += n;
		__atomic_store_n(&state->told, file << FILE_SHIFT | at, __ATOMIC_RELEASE);
		__atomic_store_n(&state->writes, state->writes + 1, __ATOMIC_RELEASE);
	}
	close(fd);
}

/* Another thread has files delegated and gives them back, so that the domain is about to answer when the process is killed. */
static void *ask(void *name)
{
	char block[4096];

	for (;;) {
		int fd = open(name, O_RDONLY);

		for (int n = 0; n < READS; n++)
			if (pread(fd, block, sizeof block, 0) < 0)
				break;
		close(fd);
	}
	return NULL;
}

static void start_asking(const char *dir, unsigned i)
{
	static char name[4096];
	pthread_t thread;
	int fd;

	snprintf(name, sizeof name, "%s/asked.%u", dir, i);
	fd = open(name, O_RDWR | O_CREAT, 0644);
	if (fd < 0 || write(fd, text, 8192) != 8192 || close(fd) || pthread_create(&thread, NULL, ask, name))
		fail("asking");
}

static void writer(const char *dir, unsigned i, unsigned seed)
{
	if (seed % 2)
		start_asking(dir, i);
	for (uint64_t file = state->told >> FILE_SHIFT;; file++) {
		__atomic_store_n(&state->told, file << FILE_SHIFT, __ATOMIC_RELEASE);
		unlink(name_of(dir, i, file - 1));
		one_file(dir, i, file, &seed);
	}
}

/* ---- who kills ---- */

static struct state *all; /* in shared memory, one for each that runs */

static void lost(const char *name, uint64_t told, uint64_t there)
{
	fprintf(stderr, "h_killed: %s: %llu bytes were written, %llu are there, or not what they were\n", name,
		(unsigned long long)told, (unsigned long long)there);
	exit(1);
}

static void look(const char *dir, unsigned i, bool late)
{
	const uint64_t file = all[i].told >> FILE_SHIFT, told = (uint32_t)all[i].told;
	const char *name = name_of(dir, i, file);
	struct stat st = { 0 };
	int fd;
	uint64_t at = 0;
	static char there[1 << 20];
	ssize_t n;

	if (!late && told && (stat(name, &st) || (uint64_t)st.st_size < told))
		lost(name, told, (uint64_t)st.st_size);
	fd = open(name, O_RDONLY);
	if (fd < 0 && !told)
		return; /* killed before it had one, or between two */
	while (fd >= 0 && (n = read(fd, there, sizeof there)) > 0) {
		if (memcmp(there, bytes(file, at, (size_t)n), (size_t)n))
			lost(name, at, at + (uint64_t)n);
		at += (uint64_t)n;
	}
	if (fd < 0 || at < told || at > told + LARGEST)
		lost(name, told, at);
	close(fd);
	unlink(name);
}

static pid_t start(const char *dir, unsigned i, unsigned seed, char **command)
{
	static char number[2][16], *argv[64];
	pid_t pid;
	int n = 0;

	memset(&all[i], 0, sizeof all[i]);
	all[i].told = (seed % 1000 * 1000ull + 1) << FILE_SHIFT;
	snprintf(number[0], sizeof number[0], "%u", i);
	snprintf(number[1], sizeof number[1], "%u", seed);
	for (; command[n] && n < 50; n++)
		argv[n] = command[n];
	argv[n] = "write";
	argv[n + 1] = (char *)dir;
	argv[n + 2] = number[0];
	argv[n + 3] = number[1];
	argv[n + 4] = NULL;
	pid = fork();
	if (pid)
		return pid;
	if (n) {
		execvp(argv[0], argv);
		_exit(1);
	}
	state = &all[i];
	writer(dir, i, seed);
	return 0;
}

static void begin_to_write(unsigned i, pid_t pid)
{
	for (unsigned n = 0; !__atomic_load_n(&all[i].writes, __ATOMIC_ACQUIRE); n++) {
		usleep(200);
		if (n > 100000 || waitpid(pid, NULL, WNOHANG))
			fail("it does not write");
	}
}

/* By either call that says so. WNOWAIT: and it is still there to be waited for. */
static bool is_killed(pid_t pid, int how)
{
	siginfo_t info;
	int status;

	if (how)
		return waitid(P_PID, (id_t)pid, &info, WEXITED | how) == 0 && info.si_code == CLD_KILLED;
	return waitpid(pid, &status, 0) == pid && WIFSIGNALED(status);
}

static unsigned long drive(const char *dir, unsigned n, bool late, char **command)
{
	const char *given = getenv("FC_KILLED_SEED");
	unsigned seed = given ? (unsigned)atoi(given) : (unsigned)getpid(), killed = 0;
	unsigned long writes = 0;
	char *there = strrchr(dir, ',');
	pid_t pid[BOTH];

	/* two views of it: theirs and ours */
	if (there)
		*there++ = 0;
	else
		there = (char *)dir;
	printf("seed %u\n", seed);
	for (; killed < n; killed += BOTH) {
		for (unsigned i = 0; i < BOTH; i++)
			pid[i] = start(dir, i, seed + killed + i, command);
		for (unsigned i = 0; i < BOTH; i++)
			begin_to_write(i, pid[i]);
		for (unsigned i = 0; i < BOTH; i++) {
			usleep(dice(&seed, dice(&seed, 4) ? 3000 : 12000));
			kill(pid[i], SIGKILL);
			if (!is_killed(pid[i], i ? WNOWAIT : 0))
				fail("one ends by itself");
			look(there, i, late);
			if (i)
				waitpid(pid[i], NULL, 0);
			writes += all[i].writes;
		}
	}
	return writes / killed;
}

int main(int argc, char **argv)
{
	int fd;

	if (argc == 5 && !strcmp(argv[1], "write")) {
		all = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, STATE_FD, 0);
		if (all == MAP_FAILED)
			fail("mmap");
		state = &all[atoi(argv[3])];
		writer(argv[2], (unsigned)atoi(argv[3]), (unsigned)atoi(argv[4]));
	}
	if (argc < 5 || strcmp(argv[1], "drive"))
		return 2;
	fd = memfd_create("state", 0);
	if (fd < 0 || ftruncate(fd, 4096) || dup2(fd, STATE_FD) < 0)
		fail("memory");
	all = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (all == MAP_FAILED)
		fail("mmap");
	printf("%lu writes each\n", drive(argv[2], (unsigned)atoi(argv[3]), atoi(argv[4]), argv + 5));
	return 0;
}
