/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * table.h - how long the kernel's table of a shadow's descriptors is. It grows by itself, to twice its length; but in a process with threads
 * each time waits until no CPU can be looking at the old one, some ten milliseconds. A shadow has threads from its
 * client's first request on, so it is made long enough for most before, and then once for all that the client may open.
 */
#ifndef FC_DOMAIN_TABLE_H
#define FC_DOMAIN_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "storage-domain/shadow/shadow.h"

#define FC_TABLE_FIRST 1024 /* 8 KiB in each shadow */
#define FC_TABLE_LAST 65536 /* 512 KiB in those that have had more open than that */
#define FC_TABLE_AHEAD 32   /* numbers that are still free when it is made longer */

/* In a process without other threads: make room. */
void fc_table_begin(struct fc_shadow *s);

/* Descriptor `fd` has been opened. Any thread. */
void fc_table_lengthen(struct fc_shadow *s);
static inline void fc_table_note(struct fc_shadow *s, int64_t fd)
{
	if (__builtin_expect(fd >= FC_TABLE_FIRST - FC_TABLE_AHEAD, 0))
		fc_table_lengthen(s);
}

#endif
