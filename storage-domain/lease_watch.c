/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lease_watch.c - see lease_watch.h. */
#define _GNU_SOURCE
#include "storage-domain/lease_watch.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "common/atomic.h"
#include "common/rawcall.h"
#include "storage-domain/caps.h"
#include "storage-domain/shadow/shadow.h"

#define STACK_SIZE (256u * 1024u)
#define BIT(signal) (1ull << ((signal)-1))

struct beginning {
	struct fc_lease_watch *watch;
	sem_t begun;
};

static void *watch(void *arg)
{
	const uint64_t told = BIT(SIGIO) | BIT(FC_WORKER_SIGNAL);
	struct beginning *b = arg;
	struct fc_lease_watch *w = b->watch;

	fc_store(&w->thread, (uint32_t)fc_call(SYS_gettid));
	sem_post(&b->begun);
	for (;;) {
		const uint64_t pause = w->look(w->arg);
		struct timespec ts = { (time_t)(pause / 1000000000u), (long)(pause % 1000000000u) };

		fc_call(SYS_rt_sigtimedwait, &told, NULL, pause == FC_LOOK_WHEN_TOLD ? NULL : &ts, sizeof told);
	}
	return NULL;
}

int fc_lease_watch_begin(struct fc_lease_watch *w)
{
	struct beginning b = { .watch = w };
	pthread_attr_t attr;
	sigset_t all, usual;
	pthread_t thread;
	int r;

	if (fc_load(&w->thread))
		return 0;
	sem_init(&b.begun, 0, 0);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	sigfillset(&all); /* or what it is told kills */
	pthread_sigmask(SIG_SETMASK, &all, &usual);
	r = pthread_create(&thread, &attr, watch, &b);
	pthread_sigmask(SIG_SETMASK, &usual, NULL);
	pthread_attr_destroy(&attr);
	while (r == 0 && sem_wait(&b.begun)) /* EINTR */
		;
	return -r;
}

void fc_lease_watch_nudge(const struct fc_lease_watch *w)
{
	fc_call(SYS_tgkill, fc_call(SYS_getpid), fc_load(&w->thread), FC_WORKER_SIGNAL);
}

/* The file's owner may, and who has the capability: which the domain may lend itself, for whoever else wants the file gets it in a moment. */
static int set(int fd, int type)
{
	const uint64_t permitted = fc_caps_permitted(), usual = fc_caps_effective();
	const bool more = permitted & ~usual & FC_CAP(LEASE);

	if (more)
		fc_caps_set(usual | FC_CAP(LEASE), permitted);
	int r = (int)fc_call(SYS_fcntl, fd, F_SETLEASE, type);
	if (more)
		fc_caps_set(usual, permitted);
	return r;
}

int fc_lease_take(const struct fc_lease_watch *w, int fd, int type)
{
	struct f_owner_ex told = { F_OWNER_TID, (pid_t)fc_load(&w->thread) };

	fc_call(SYS_fcntl, fd, F_SETSIG, SIGIO);
	fc_call(SYS_fcntl, fd, F_SETOWN_EX, &told);
	return set(fd, type);
}

int fc_lease_give(int fd)
{
	return set(fd, F_UNLCK);
}

bool fc_lease_is_others(const struct fc_lease_watch *w, int fd)
{
	struct f_owner_ex told = { 0 };

	return fc_call(SYS_fcntl, fd, F_GETLEASE) != F_UNLCK && fc_call(SYS_fcntl, fd, F_GETOWN_EX, &told) == 0 &&
	       told.pid != (pid_t)fc_load(&w->thread);
}

bool fc_lease_stands(int fd, int type)
{
	return fc_call(SYS_fcntl, fd, F_GETLEASE) == type;
}
