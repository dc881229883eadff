/* SPDX-License-Identifier: GPL-2.0-or-later */
/* h_crowd.c - as many calls as a session ever had room for, all of which wait for a lock: a signal ends one of them, and the lock all. */
#include "e2e.h"
#include <pthread.h>
#include <stdatomic.h>

#define THREADS 256 /* not more: then the call that gives the lock back would find no room, which is a limit */

static char name[300];
static _Atomic int begun, interrupted, served;

static void on_signal(int number)
{
	(void)number;
}

static void *wait_for_lock(void *nothing)
{
	int fd = open(name, O_RDWR);

	(void)nothing;
	begun++;
	if (fd < 0)
		return NULL;
	if (flock(fd, LOCK_SH) == 0)
		served++;
	else if (errno == EINTR)
		interrupted++;
	close(fd);
	return NULL;
}

/* Until the first `n` have noticed: of which some may still have had no room for their call. */
static void interrupt(const pthread_t thread[], int n)
{
	for (int round = 0; round < 100 && interrupted != n; round++) {
		for (int i = 0; i < n; i++)
			pthread_kill(thread[i], SIGUSR1);
		usleep(50000);
	}
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = on_signal };
	struct rlimit files = { 1024, 1024 };
	static pthread_t thread[THREADS];
	pthread_attr_t small;
	int holder;

	e2e_init(argc, argv);
	setrlimit(RLIMIT_NOFILE, &files);
	sigaction(SIGUSR1, &action, NULL);
	snprintf(name, sizeof name, "%s/locked", e2e_dir);
	holder = open(name, O_RDWR | O_CREAT, 0644);
	EQUAL(flock(holder, LOCK_EX), 0);
	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, 256 << 10);
	for (int i = 0; i < THREADS; i++)
		EQUAL(pthread_create(&thread[i], &small, wait_for_lock, NULL), 0);
	usleep(500000); /* those that find no room wait for it before they open */
	interrupt(thread, 20);
	EQUAL(interrupted, 20);
	EQUAL(served, 0);
	EQUAL(flock(holder, LOCK_UN), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	EQUAL(begun, THREADS);
	EQUAL(interrupted, 20);
	EQUAL(served, THREADS - 20);
	return e2e_status();
}
