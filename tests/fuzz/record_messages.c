/* SPDX-License-Identifier: GPL-2.0-or-later */
/* record_messages.c - linked into a daemon (--wrap): tells on stderr, which shadows keep, each message that one of its processes receives. By
 * hand: record.sh. */
#define _GNU_SOURCE
#include <stdio.h>
#include <unistd.h>

#include "common/control.h"

int __real_fc_control_recv(int sock, struct fc_packet *p, int flags);
int __wrap_fc_control_recv(int sock, struct fc_packet *p, int flags);
int __wrap_fc_control_recv(int sock, struct fc_packet *p, int flags)
{
	int r = __real_fc_control_recv(sock, p, flags);
	char line[1024];
	int n;

	if (r)
		return r;
	n = snprintf(line, sizeof line, "FZRC %d %d %u %d %u %d %lx %lx %lx %lx %lx %lx ", getpid(), sock, p->head.type,
		     p->head.status, p->head.serial, p->nfds, p->head.arg[0], p->head.arg[1], p->head.arg[2],
		     p->head.arg[3], p->head.arg[4], p->head.arg[5]);
	for (unsigned i = 0; i < p->head.size && i < 256; i++)
		n += snprintf(line + n, sizeof line - n, "%02x", (unsigned char)p->text[i]);
	line[n++] = '\n';
	if (write(2, line, n) < 0)
		return r;
	return r;
}
