/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nth.h - makes one chosen system call of other processes fail: they are traced (ptrace), each of their calls that counts gets a
 * number, and the one that is asked for does not happen but returns the errno that is asked for. What is tested is what is shipped; no
 * build of its own, and nothing in the way of those that are not traced. Not a test itself. One tracer for each process.
 */
#ifndef FC_TESTS_NTH_H
#define FC_TESTS_NTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The `n`-th call `nr` that counts, from 0 on, of the `task`-th thread. Of each number by itself, for how often a thread looks
 * or sleeps while it waits depends on others; and of reads and writes, those of sockets. */
struct nth_place {
	unsigned task, n;
	long nr;
	bool socket; /* it reads or writes one */
};

struct nth_rules {
	/* Does this call count? `module`: between which addresses the object named below lies in the process; both 0 if it does not. */
	bool (*counts)(pid_t tid, long nr, uint64_t ip, const uint64_t module[2]);
	const char *object;
	/* Number threads by when they were made, not by who first makes a call that counts: for programs that are traced from their beginning. */
	bool by_birth;
	/* Threads but this one count as one, number 1: where it is chance which of them does what. It is number 0. 0: each counts by itself. */
	pid_t apart;
	/* Looked at when a traced process ends by itself; may be null. */
	void (*ends)(unsigned task, pid_t pid, int status);
};

void nth_init(const struct nth_rules *rules);

/* Run a command with its output to `out`. Traced: with all its descendants. */
pid_t nth_spawn(char *const *argv, int out, bool traced);
/* Trace a process that there is, with all its descendants. 0 or -errno. */
int nth_adopt(pid_t pid);

/* Count from 0 on. With a place: what is called there fails with `error`. */
void nth_arm(const struct nth_place *fail, int error);
/* Count no more. Has it failed? */
bool nth_disarm(void);
/* What has been counted since nth_arm. */
const struct nth_place *nth_seen(size_t *count);

/* Let the traced go on for a while. */
void nth_pump(int ms);
/* Until this child has ended, and if `all`, everything that is traced. False: it has not in time. */
bool nth_wait(pid_t pid, bool all, int ms, int *status);
/* Kill everything that is traced, and see it end. */
void nth_kill(void);

/* The errnos that call `nr` may well fail with, ends with 0. Null: it does not fail. */
const int *nth_errors(long nr, bool socket);
/* May this very call? */
bool nth_fails(long nr, const uint64_t arg[6]);
/* The name of a call, or its number. */
const char *nth_name(long nr);

#endif
