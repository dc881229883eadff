/* SPDX-License-Identifier: GPL-2.0-or-later */
/* log.c - one line per event on stderr, see log.h. */
#include "storage-domain/log.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static enum fc_log_level limit = FC_LOG_WARNING;

void fc_log_limit(enum fc_log_level level)
{
	limit = level;
}

void fc_log(enum fc_log_level level, const char *format, ...)
{
	char line[1024] = "farcall-storaged: ";
	int length = 18, error = errno, r;
	va_list args;

	if (level > limit)
		return;
	va_start(args, format);
	r = vsnprintf(line + length, sizeof line - length - 1, format, args);
	va_end(args);
	if (r < 0)
		r = 0;
	length += r < (int)sizeof line - length - 2 ? r : (int)sizeof line - length - 2;
	line[length++] = '\n';
	if (write(STDERR_FILENO, line, length) < 0) {
		/* nobody reads the log: nothing to be done about it */
	}
	errno = error;
}

void fc_log_death(int pid, int status)
{
	if (WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL && WTERMSIG(status) != SIGTERM)
		fc_log(FC_LOG_ERROR, "process %d of the domain has ended by signal %d (%s)", pid, WTERMSIG(status),
		       strsignal(WTERMSIG(status)));
}
