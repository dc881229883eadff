/* SPDX-License-Identifier: GPL-2.0-or-later */
/* status.c - fuzz target: the parsers of /proc/PID/status and limits, which decide about capabilities and budgets. The input is the text. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "storage-domain/supervisor/lookout.h"
#include "storage-domain/supervisor/peer.h"
#include "tests/fuzz/fuzz.h"

struct fc_sight fc_lookout_ask(pid_t pid)
{
	(void)pid;
	return (struct fc_sight){ 0 };
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fc_peer p;
	char *text = malloc(size + 1); /* of its own, so that a byte too far is noticed */
	int r;

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = 0;
	memset(&p, 0xaa, sizeof p);
	r = fc_status_parse(text, &p);
	if (r != 0 && r != -EPROTO)
		fuzz_fail("the parser says %d", r);
	if (r == 0 && (memchr(p.comm, 0, sizeof p.comm) == NULL || strchr(p.comm, '\n')))
		fuzz_fail("a name that does not end");
	r = fc_limits_parse(text, &p);
	if (r != 0 && r != -EPROTO)
		fuzz_fail("the parser of limits says %d", r);
	r = fc_status_parse(text, &p);
	/* capabilities of others than root are those in two sets: with an empty one there is none */
	if (r == 0 && p.euid && p.caps && strstr(text, "CapAmb:\t0000000000000000\n") &&
	    !strstr(strstr(text, "CapAmb:") + 1, "CapAmb:"))
		fuzz_fail("capabilities %lx out of nothing", (unsigned long)p.caps);
	free(text);
	return 0;
}
