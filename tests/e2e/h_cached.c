/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * h_cached.c - what reading and writing a delegated file costs: memory, system calls, instructions, and of these those that lock the bus, and calls of
 * functions that do not end with a return: what comes after them is then not predicted.
 *   h_cached memory FILE LIMIT   reads the first 4 KiB of FILE again and again; fails if that takes LIMIT KiB of memory or more
 *   h_cached uses FILE           reads it, and writes FILE.w, in several ways, each between two breakpoints
 *   h_cached steps COMMAND...    runs COMMAND, h_cached uses, one instruction after the other in between; says for each way what it executes
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define SIZE 4096
#define WARM 1000
#define LONGEST 16 /* bytes of an instruction, more or less */
#define STEPS_MAX 1000000

static const char *const names[] = { "pread", "preadv", "pread at the end", "read", "lseek", "write" };
#define WAYS (int)(sizeof names / sizeof names[0])

static int fail(const char *what)
{
	fprintf(stderr, "h_cached: %s: %s\n", what, strerror(errno));
	return 1;
}

/* ---- memory ---- */

static long resident(void)
{
	char text[4096];
	int fd = open("/proc/self/smaps_rollup", O_RDONLY);
	ssize_t n = read(fd, text, sizeof text - 1);
	char *rss;

	close(fd);
	text[n < 0 ? 0 : n] = 0;
	rss = strstr(text, "Rss:");
	return rss ? atol(rss + 4) : -1;
}

static int memory(const char *path, long limit)
{
	static char buffer[SIZE];
	long before, after;
	int fd;

	resident(); /* what looking takes itself */
	before = resident();
	fd = open(path, O_RDONLY);
	for (int i = 0; i < WARM; i++)
		if (pread(fd, buffer, SIZE, 0) != SIZE)
			return fail("pread");
	after = resident();
	printf("%ld KiB more than %ld\n", after - before, before);
	return before < 0 || after - before >= limit;
}

/* ---- who is watched ---- */

static bool use_once(int fd, int written, int way)
{
	static char buffer[SIZE];
	const struct iovec iov[2] = { { buffer, 100 }, { buffer + 100, SIZE - 100 } };

	switch (way) {
	case 0:
		return pread(fd, buffer, SIZE, 0) == SIZE;
	case 1:
		return preadv(fd, iov, 2, 0) == SIZE;
	case 2:
		return pread(fd, buffer, SIZE, SIZE - 10) == 10;
	case 3:
		return read(fd, buffer, 1) == 1;
	case 4:
		return lseek(fd, 0, SEEK_SET) == 0;
	default:
		return write(written, buffer, 64) == 64;
	}
}

static int uses(const char *path)
{
	char to[PATH_MAX];
	int fd = open(path, O_RDONLY), written = -1;
	bool good = snprintf(to, sizeof to, "%s.w", path) < (int)sizeof to;

	if (good)
		written = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	for (int way = 0; way < WAYS; way++) {
		for (int i = 0; i < WARM; i++)
			good = use_once(fd, written, way) && good;
		__asm__ volatile("int3" ::: "memory");
		good = use_once(fd, written, way) && good;
		__asm__ volatile("int3" ::: "memory");
	}
	return good ? 0 : fail("a read or a write");
}

/* ---- who watches ---- */

struct count {
	long steps, calls, locked;
	long open; /* functions that have been called and have not returned */
};

static bool is_prefix(uint8_t b)
{
	return b == 0x66 || b == 0x67 || b == 0xf2 || b == 0xf3 || b == 0x2e || b == 0x36 || b == 0x3e || b == 0x26 ||
	       b == 0x64 || b == 0x65;
}

/* A lock prefix, or an exchange with memory, which locks without one. */
static bool locks(const uint8_t *code)
{
	while (is_prefix(*code))
		code++;
	if (*code == 0xf0)
		return true;
	code += (*code & 0xf0) == 0x40;
	return (*code == 0x86 || *code == 0x87) && code[1] >> 6 != 3;
}

static int depth(const uint8_t *code)
{
	while (is_prefix(*code))
		code++;
	if (*code == 0xc3 || *code == 0xc2)
		return -1;
	code += (*code & 0xf0) == 0x40;
	return *code == 0xe8 || (*code == 0xff && (code[1] >> 3 & 7) == 2);
}

static bool is_call(const uint8_t *code)
{
	return code[0] == 0x0f && (code[1] == 0x05 || code[1] == 0x34);
}

static void peek(pid_t pid, uint64_t at, uint8_t code[LONGEST])
{
	for (int i = 0; i < LONGEST; i += 8) {
		long word = ptrace(PTRACE_PEEKTEXT, pid, at + (uint64_t)i, NULL);

		memcpy(code + i, &word, 8);
	}
}

/* Steps to the next breakpoint, and over it. */
static struct count watch(pid_t pid)
{
	struct count c = { 0 };
	struct user_regs_struct regs;
	uint8_t code[LONGEST];
	int status;

	for (; c.steps < STEPS_MAX; c.steps++) {
		if (ptrace(PTRACE_GETREGS, pid, NULL, &regs))
			exit(fail("its registers"));
		peek(pid, regs.rip, code);
		c.calls += is_call(code);
		c.locked += locks(code);
		c.open += depth(code);
		if (ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) || waitpid(pid, &status, 0) != pid ||
		    !WIFSTOPPED(status))
			exit(fail("a step"));
		if (code[0] == 0xcc)
			return c;
	}
	exit(fail("it never ends"));
}

/* To the next breakpoint, over exec and signals. False: it has ended. */
static bool run(pid_t pid, int *status)
{
	int sig = 0;

	for (;;) {
		siginfo_t info;

		if (ptrace(PTRACE_CONT, pid, NULL, (long)sig) || waitpid(pid, status, 0) != pid)
			exit(fail("ptrace"));
		if (!WIFSTOPPED(*status))
			return false;
		sig = WSTOPSIG(*status) == SIGTRAP ? 0 : WSTOPSIG(*status);
		if (!sig && ptrace(PTRACE_GETSIGINFO, pid, NULL, &info) == 0 && info.si_code == SI_KERNEL)
			return true;
	}
}

static int steps(char **command)
{
	int status, way = 0;
	pid_t pid = fork();

	if (!pid) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		execvp(command[0], command);
		_exit(fail(command[0]));
	}
	if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
		return fail("it does not begin");
	for (; run(pid, &status); way++) {
		struct count c = watch(pid);

		printf("%s: %ld instructions, %ld calls, %ld locked, %ld open\n", names[way % WAYS], c.steps, c.calls,
		       c.locked, c.open);
	}
	return way != WAYS || status ? fail("it has not come to its end") : 0;
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "memory"))
		return memory(argv[2], atol(argv[3]));
	if (argc == 3 && !strcmp(argv[1], "uses"))
		return uses(argv[2]);
	if (argc > 2 && !strcmp(argv[1], "steps"))
		return steps(argv + 2);
	return 2;
}
