/* SPDX-License-Identifier: GPL-2.0-or-later */
/* trace.c - `farcall trace`: a run whose shim prints. It opens where to; the lines are libc-shim/trace.c's. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/run.h"

/* Out of the way of the descriptors that shells and programs deal with; the shim moves it further. */
#define TRACE_FD_MIN 64

int fc_cmd_trace(int argc, char **argv)
{
	struct fc_launch launch = { .trace_fd = -1 };
	const char *output = NULL;
	int fd = 2;

	fc_run_parse(&launch, "trace", &output, argc, argv);
	if (output)
		fd = open(output, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0666);
	if (fd >= 0)
		launch.trace_fd = fcntl(fd, F_DUPFD, TRACE_FD_MIN);
	if (launch.trace_fd < 0)
		fc_die(FC_EXIT_OWN, "%s: %s", output ? output : "standard error", strerror(errno));
	if (output)
		close(fd);
	return fc_launch(&launch);
}
