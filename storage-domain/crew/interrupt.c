/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * interrupt.c - ending a call early. It owns the table of running calls' marks and the signal that makes a kernel call
 * return; it does not decide who may interrupt what: an INTERRUPT reaches only calls of its own session.
 *
 *      interrupter                          worker
 *      -----------                          ------
 *      repeat until the call is over:       key = nonce, tid
 *        key has this nonce?                run the call; EINTR? look at mark: end, or run it again
 *          mark = nonce, signal tid         key = 0, complete the entry
 *        wait a little longer each time
 *
 * So only a call that waits ends early, as under a signal of one's own: lseek, stat or close never say EINTR.
 * No fence is needed between the two columns, and a signal that comes before the call blocks is lost without harm: the interrupter
 * repeats. So it is with a mark: an interrupter that comes late, for the entry's call before, may write its own over it. A signal that comes too late hits the worker's next call;
 * that call's mark is not set, so it runs again (EINTR means that nothing has been done).
 */
#include "storage-domain/crew/worker.h"

#include <errno.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "common/atomic.h"
#include "common/rawcall.h"
#include "storage-domain/crew/crew.h"

#define WAIT_FIRST_NS 5000
#define WAIT_LAST_NS 2000000

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

bool fc_interrupted(const struct fc_worker *w)
{
	uint64_t mark = (uint64_t)w->exec.e.nonce << 32 | 1;

	return fc_load_acquire(&w->run->mark) == mark || fc_load_acquire(&w->pool->stop);
}

/* Whether entry `index` is still in use for the call `nonce`, as its client has it. */
static bool pending(struct fc_entry *e, uint32_t nonce)
{
	uint32_t state = fc_load_acquire(&e->state);

	return (state == FC_QUEUED || state == FC_ASLEEP) && fc_load(&e->nonce) == nonce;
}

int64_t fc_interrupt(struct fc_worker *w, uint64_t index, uint64_t nonce64)
{
	uint32_t nonce = nonce64;
	struct fc_run *run;
	struct timespec ts = { 0, WAIT_FIRST_NS };
	uint64_t key, mark = (uint64_t)nonce << 32 | 1;
	int64_t result = 0;

	if (index >= FC_ENTRIES)
		return -EINVAL;
	if (index == w->exec.index)
		return 0; /* whatever was in this entry before is over */
	run = &w->pool->run[index];
	for (;;) {
		key = fc_load_acquire(&run->key);
		if (key >> 32 == nonce && (uint32_t)key) {
			fc_store_release(&run->mark, mark);
			syscall(SYS_tgkill, getpid(), (pid_t)(uint32_t)key, FC_WORKER_SIGNAL);
		} else if (!pending(&w->pool->s->area->entry[index], nonce))
			break;
		else if (!fc_crew_has(w->pool, w, nonce64 << 32 | index)) {
			/* nobody has it: it is over by now, or its client was stopped before it came into the queue */
			if (pending(&w->pool->s->area->entry[index], nonce))
				result = -ENOENT;
			break;
		}
		if (fc_interrupted(w))
			return -EINTR;
		if (ts.tv_nsec > 4 * WAIT_FIRST_NS)
			fc_block_begin(w);
		nanosleep(&ts, NULL);
		if (ts.tv_nsec < WAIT_LAST_NS)
			ts.tv_nsec *= 2;
	}
	fc_cas(&run->mark, mark, 0);
	return result;
}
