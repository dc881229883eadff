/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * play.h - a client and a domain in one process: a session's memory, workers on it, and calls submitted as a client
 * would. It stands in for everything but the execution side, which is the real one. Not a test itself.
 */
#ifndef FC_TESTS_PLAY_H
#define FC_TESTS_PLAY_H

#include <stdint.h>
#include <sys/types.h>

#include "storage-domain/shadow/shadow.h"

#define PLAY_POISONED 99 /* exit status of a process whose session was cut off */

extern struct fc_shadow play;

/* Make a private mount namespace with a skeleton root and two exports, /data and /mnt/other, both on one tmpfs, and
 * enter it. Exits with 77 where that is impossible. */
void play_world(void);

/* Make areas of `data_bytes`, and start workers on them; stop them and unmap. */
void play_start(uint64_t data_bytes);
int play_stop(void);

/* Submit a request; wait for its result; both. Any thread. */
unsigned play_submit(unsigned nr, const uint64_t arg[6]);
int64_t play_wait(unsigned entry);
int64_t play_call(unsigned nr, const uint64_t arg[6]);
#define CALL(nr, ...) play_call(nr, (const uint64_t[6]){ __VA_ARGS__ })
#define SUBMIT(nr, ...) play_submit(nr, (const uint64_t[6]){ __VA_ARGS__ })

/* Wait until the call has a result, or for `ms`: whether it has. It must still be waited for with play_wait. */
bool play_settles(unsigned entry, int ms);

/* Interrupt the call in `entry`. Returns what INTERRUPT returned. */
int64_t play_interrupt(unsigned entry);

/* Put a path or a string into the data area at `offset`; returns `offset`. */
uint64_t play_put(uint64_t offset, const char *text);

static inline char *play_at(uint64_t offset)
{
	return play.segment[0] + offset;
}

uint64_t play_ns(void);

#endif
