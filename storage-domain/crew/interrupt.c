/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * interrupt.c - see interrupt.h.
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
 * repeats. A signal that comes too late hits the worker's next call;
 * that call's mark is not set, so it runs again (EINTR means that nothing has been done).
 * An interrupter that comes too late may mark over what another has marked for the entry's next call. So each marks again whenever it
 * finds another mark than its own, and the late one finds another key then, and leaves.
 */
#include "storage-domain/crew/interrupt.h"

#include <errno.h>

#include "common/atomic.h"

/* Whether the entry is still in use for the call `nonce`, as its client has it. */
static bool pending(struct fc_entry *e, uint32_t nonce)
{
	uint32_t state = fc_load_acquire(&e->state);

	return (state == FC_QUEUED || state == FC_ASLEEP) && fc_load(&e->nonce) == nonce;
}

/* Mark it, and disturb whoever runs it. False: it is over by now, or its client was stopped before it came into the queue. */
static bool chase(struct fc_crew *c, const struct fc_member *me, uint32_t index, uint32_t nonce)
{
	struct fc_run *run = &c->run[index];
	uint64_t key = fc_load_acquire(&run->key);

	if (key >> 32 == nonce && (uint32_t)key) {
		if (!fc_call_marked(run, nonce))
			fc_store_release(&run->mark, fc_call_mark(nonce));
		fc_interrupt_disturb((uint32_t)key);
		return true;
	}
	return pending(&c->area->entry[index], nonce) && fc_crew_has(c, me, fc_call_name(nonce, index));
}

static bool told_to_end(const struct fc_crew *c, uint64_t own)
{
	return fc_call_marked(&c->run[(uint32_t)own], (uint32_t)(own >> 32)) || fc_load_acquire(&c->stop);
}

int64_t fc_crew_interrupt(struct fc_crew *c, struct fc_member *me, uint64_t index, uint64_t nonce64)
{
	uint32_t nonce = (uint32_t)nonce64;
	uint64_t own = fc_load(&me->call);
	int64_t result = 0;
	unsigned naps = 0;

	if (index >= FC_ENTRIES)
		return -EINVAL;
	if (index == (uint32_t)own)
		return 0; /* whatever was in this entry before is over */
	while (result == 0 && chase(c, me, (uint32_t)index, nonce)) {
		if (told_to_end(c, own))
			result = -EINTR;
		else
			fc_interrupt_nap(me, &naps);
	}
	if (result == 0 && pending(&c->area->entry[index], nonce))
		result = -ENOENT;                             /* nobody has it */
	fc_cas(&c->run[index].mark, fc_call_mark(nonce), 0u); /* unless another interrupter has marked a later call */
	return result;
}
