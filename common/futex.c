/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * futex.c - waiting and waking on a shared word for the local transport. Owns the two system calls and nothing else; when to
 * use them is doorbell.c's. A file of its own so that the interleaving checker can put its own wait and wake in its place.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>

#include "common/doorbell.h"
#include "common/rawcall.h"

int fc_futex_wait_either(const uint32_t *const word[2], const uint32_t seen[2], uint64_t deadline_ns)
{
	/* futex_waitv, not FUTEX_WAIT: with a timeout the latter always fails with EINTR after a handler, the former
	 * only after one without SA_RESTART, which is what the interrupted system call would have done. */
	struct futex_waitv w[2] = { { .val = seen[0], .uaddr = (uintptr_t)word[0], .flags = FUTEX_32 },
				    { .val = seen[1], .uaddr = (uintptr_t)word[1], .flags = FUTEX_32 } };
	struct timespec ts = { deadline_ns / 1000000000u, deadline_ns % 1000000000u };
	long r = fc_call(SYS_futex_waitv, w, word[1] ? 2 : 1, 0, deadline_ns ? &ts : NULL, CLOCK_MONOTONIC);

	return r == -EINTR || r == -ETIMEDOUT ? (int)r : 0;
}

int fc_futex_wait(const uint32_t *word, uint32_t seen, uint64_t deadline_ns)
{
	const uint32_t *const words[2] = { word };
	const uint32_t values[2] = { seen };

	return fc_futex_wait_either(words, values, deadline_ns);
}

void fc_futex_wake(uint32_t *word, int n)
{
	fc_call(SYS_futex, word, FUTEX_WAKE, n);
}

static int wait(const struct fc_bell *b, const uint32_t *word, uint32_t seen, uint64_t deadline_ns)
{
	(void)b;
	return fc_futex_wait(word, seen, deadline_ns);
}

static void wake(const struct fc_bell *b, uint32_t *word, int n)
{
	(void)b;
	fc_futex_wake(word, n);
}

const struct fc_bell_ops fc_bell_local_ops = { .wait = wait, .wake_peer = wake, .wake_worker = wake };
const struct fc_bell fc_bell_local = { &fc_bell_local_ops };
