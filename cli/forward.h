/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * forward.h - signals that arrive at the command on their way to its child. It decides which of them the child has not got
 * already; what happens when the child ends is run.c's.
 *
 * The child stays in our process group, so that job control and pipelines work as without us. A signal to the whole
 * group - from the terminal, or kill(-group) - reaches the child by itself and must not be passed on; one to our
 * process alone must be. The kernel's si_code tells the terminal's from others; for the others there is a witness:
 * a second child in the same group that reports the signals it gets. What the witness got too went to the group.
 */
#ifndef FC_CLI_FORWARD_H
#define FC_CLI_FORWARD_H

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

struct fc_forward {
	int signals; /* signalfd: the forwarded ones and SIGCHLD; readable when there is something to do */
	pid_t witness;
	int reports;          /* from the witness */
	pid_t reported[NSIG]; /* by signal: sender of the one that the witness got and we have not asked about; or 0 */
	sigset_t inherited_mask;
	struct sigaction inherited_chld;
};

/* Block the signals and start the witness. Returns 0 or -errno. */
int fc_forward_init(struct fc_forward *f);

/* In a child, before exec: the mask and dispositions that farcall was started with. Async-signal-safe. */
void fc_forward_undo(const struct fc_forward *f);

/* Read one signal without blocking. Returns its number, 0 if there is none. If `child` > 0, it is passed on where
 * needed (SIGCHLD never is). */
int fc_forward_next(struct fc_forward *f, pid_t child);

/* Is it one that should end a command that has not started its child yet? */
bool fc_forward_is_fatal(int signo);

#endif
