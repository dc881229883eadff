/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * signal.c - the signal that makes a worker's system call return, and the worker as an interrupter that waits. When there is
 * something to interrupt is interrupt.c's.
 */
#include <errno.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "storage-domain/crew/interrupt.h"
#include "storage-domain/crew/worker.h"
#include "storage-domain/crew/workers.h"

#define NAP_FIRST_NS 5000
#define NAP_DOUBLINGS 9 /* to 2.6 ms */
#define NAPS_SHORT 3    /* a worker that has napped so often is not counted on */

static _Thread_local volatile sig_atomic_t arrived;

static void on_signal(int sig)
{
	(void)sig;
	arrived = 1;
}

bool fc_signal_taken(void)
{
	bool taken = arrived;

	arrived = 0;
	return taken;
}

int fc_interrupt_init(void)
{
	struct sigaction sa = { .sa_handler = on_signal }; /* no SA_RESTART: calls are to return */

	sigemptyset(&sa.sa_mask);
	return sigaction(FC_WORKER_SIGNAL, &sa, NULL) ? -errno : 0;
}

void fc_interrupt_disturb(uint32_t tid)
{
	syscall(SYS_tgkill, getpid(), (pid_t)tid, FC_WORKER_SIGNAL);
}

void fc_interrupt_nap(struct fc_member *me, unsigned *naps)
{
	struct timespec ts = { 0, NAP_FIRST_NS << (*naps < NAP_DOUBLINGS ? *naps : NAP_DOUBLINGS) };

	if ((*naps)++ >= NAPS_SHORT)
		fc_block_begin(fc_worker_of(me));
	nanosleep(&ts, NULL);
}

bool fc_interrupted(const struct fc_worker *w)
{
	return fc_call_marked(w->run, w->exec.e.nonce) || fc_load_acquire(&w->pool->crew.stop);
}

int64_t fc_interrupt(struct fc_worker *w, uint64_t index, uint64_t nonce)
{
	return fc_crew_interrupt(&w->pool->crew, &w->member, index, nonce);
}
