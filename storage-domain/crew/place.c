/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * place.c - keeps a worker off the CPU of its client while both could spin. The kernel likes to wake a worker where its client
 * runs; there neither can spin for the other, each hand-over costs two switches, and nothing moves them apart for many
 * milliseconds. Where spinning does not pay anyway (spin.h's probation, which also says that many take turns on this CPU, or other workers are
 * awake for other clients), sharing a CPU is the cheaper way, and is left alone.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <sys/syscall.h>

#include "common/atomic.h"
#include "common/rawcall.h"
#include "storage-domain/crew/workers.h"

#define MOVE_EVERY_NS 5000000u

void fc_worker_move_apart(struct fc_worker *w)
{
	uint32_t client = fc_load(&w->pool->s->area->header.cpu), cpu;
	uint64_t now = fc_tsc();
	cpu_set_t all, others;

	if (w->pool->s->foreign || !client || w->spin.probation || fc_load(&w->pool->s->slot->awake) > 1 ||
	    now - w->moved < fc_tsc_from_ns(MOVE_EVERY_NS))
		return;
	if (fc_call(SYS_getcpu, &cpu, 0, 0) || cpu + 1 != client || sched_getaffinity(0, sizeof all, &all))
		return;
	w->moved = now;
	others = all;
	CPU_CLR(cpu, &others);
	if (CPU_COUNT(&others) && !sched_setaffinity(0, sizeof others, &others))
		sched_setaffinity(0, sizeof all, &all);
}
