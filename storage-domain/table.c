/* SPDX-License-Identifier: GPL-2.0-or-later */
/* table.c - see table.h. A number far up is used for a moment, by a descriptor that is good for nothing. */
#define _GNU_SOURCE
#include "storage-domain/table.h"

#include <fcntl.h>
#include <sys/syscall.h>

#include "common/atomic.h"
#include "common/rawcall.h"
#include "storage-domain/fds.h"

static bool reach(uint32_t numbers)
{
	long fd = fc_call(SYS_fcntl, FC_FD_NULL, F_DUPFD_CLOEXEC, numbers - 1);

	if (fd >= 0)
		fc_call(SYS_close, fd);
	return fd >= 0;
}

void fc_table_begin(struct fc_shadow *s)
{
	s->table_long = false;
	reach(FC_TABLE_FIRST);
}

void fc_table_lengthen(struct fc_shadow *s)
{
	uint32_t most = fc_load(&s->slot->descriptors_max);

	if (fc_load(&s->table_long) || fc_xchg(&s->table_long, true))
		return;
	if (most > FC_TABLE_LAST)
		most = FC_TABLE_LAST;
	while (most > FC_TABLE_FIRST && !reach(most)) /* the domain's own limit may be lower */
		most -= most / 4;
}
