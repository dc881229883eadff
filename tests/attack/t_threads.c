/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * t_threads.c - threads without bound: every open of a FIFO that nobody writes to keeps a worker. A process that may
 * have no more than a few tasks gets no thousands of them in the domain; and one that may does not take the last ones
 * of a domain which may have 2,000: others go on attaching.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/doorbell.h"
#include "tests/attack/attack.h"

#define TASKS 20     /* the limited process': RLIMIT_NPROC */
#define FILES 64     /* ... and RLIMIT_NOFILE */
#define SESSIONS 16  /* at most */
#define PIDS 2000    /* the domain's cgroup's */
#define HEADROOM 100 /* of these, what one user must leave at the very least */
#define FIFO "/data/fifo"

static pid_t list[8192];

static unsigned threads_now(void)
{
	unsigned n;

	attack_processes(list, 8192, &n);
	return n;
}

/* Sessions full of opens that block. Returns how many sessions there are. */
static unsigned block(struct session *s, unsigned room)
{
	unsigned n;
	int r = 0;

	for (n = 0; n < room && (r = attack_open(&s[n])) == 0; n++) {
		uint64_t path = session_put(&s[n], 0, FIFO);

		for (unsigned i = 1; i < FC_ENTRIES; i++)
			attack_post(&s[n], i, SYS_openat, (uint64_t[6]){ (uint64_t)AT_FDCWD, path, O_RDONLY });
	}
	EXPECT(!r || r == -EAGAIN, "attach is refused, but with %s", strerror(-r));
	return n;
}

/* Ring all the time: whoever can be woken is. Returns the most threads seen. */
static unsigned insist(struct session *s, unsigned n)
{
	double end = attack_now() + 2.5;
	unsigned most = 0;

	while (attack_now() < end) {
		unsigned now = threads_now();

		most = now > most ? now : most;
		for (unsigned i = 0; i < n; i++)
			if (!attack_lost(&s[i]))
				fc_bell_ring(&fc_bell_local, &s[i].area->header);
		attack_sleep_ms(5);
	}
	return most;
}

static unsigned attack(void)
{
	static struct session s[SESSIONS];
	unsigned before = threads_now(), n = block(s, SESSIONS), most = insist(s, n);

	printf("# %u sessions, threads %u -> %u\n", n, before, most);
	for (unsigned i = 0; i < n; i++)
		session_close(&s[i]);
	return most - before;
}

static void limited(void)
{
	unsigned n;

	CHECK(!setrlimit(RLIMIT_NPROC, &(struct rlimit){ TASKS, TASKS }));
	CHECK(!setrlimit(RLIMIT_NOFILE, &(struct rlimit){ FILES, FILES }));
	n = attack();
	EXPECT(n <= 10 * TASKS, "a process that may have %d tasks has %u threads in the domain", TASKS, n);
}

static void unlimited(void)
{
	unsigned n = attack();

	EXPECT(n <= PIDS - HEADROOM, "one user has %u of the %d tasks that the domain may have", n, PIDS);
}

int main(void)
{
	static const struct attack_setup setup = { .pids = PIDS, .greedy = true };

	attack_begin(&setup);
	CHECK(!mkfifo(attack_file("fifo"), 0666) && !chmod(attack_file("fifo"), 0666));
	attack_by(ATTACKER, "opens that block, by a process with RLIMIT_NPROC 20", limited);
	attack_by(ATTACKER, "opens that block, by one without", unlimited);
	return attack_end();
}
