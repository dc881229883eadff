/* SPDX-License-Identifier: GPL-2.0-or-later */
/* forward.c - passes signals on to the child that have not reached it already (forward.h). It never ends a process. */
#define _GNU_SOURCE
#include "cli/forward.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

/* How long a report of the witness may lag behind our own copy of a signal to the group. The kernel marks both in one
 * call; the witness only has to be scheduled. */
#define WITNESS_MS 50

static const int forwarded[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGTSTP, SIGCONT };

#define NFORWARDED (sizeof(forwarded) / sizeof(forwarded[0]))

struct report {
	int signo;
	pid_t sender;
};

static void forwarded_set(sigset_t *set)
{
	sigemptyset(set);
	for (size_t i = 0; i < NFORWARDED; i++)
		sigaddset(set, forwarded[i]);
}

/* Reports every signal it gets until its parent is gone. */
static void witness(int reports, pid_t parent)
{
	sigset_t set;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NAME, "farcall-witness");
	if (dup2(reports, 0) < 0 || close_range(1, ~0u, 0) || getppid() != parent)
		_exit(1);
	forwarded_set(&set);
	while (1) {
		struct report report;
		siginfo_t info;

		if (sigwaitinfo(&set, &info) < 0)
			continue;
		if (info.si_code > 0) /* the parent does not ask about the kernel's own */
			continue;
		report.signo = info.si_signo;
		report.sender = info.si_pid;
		send(0, &report, sizeof(report), MSG_DONTWAIT | MSG_NOSIGNAL);
	}
}

int fc_forward_init(struct fc_forward *f)
{
	struct sigaction chld = { .sa_handler = SIG_DFL };
	pid_t parent = getpid();
	sigset_t set;
	int pair[2];

	memset(f->reported, 0, sizeof(f->reported));
	forwarded_set(&set);
	sigaddset(&set, SIGCHLD);
	if (sigprocmask(SIG_BLOCK, &set, &f->inherited_mask) || sigaction(SIGCHLD, &chld, &f->inherited_chld))
		return -errno;
	f->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (f->signals < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return -errno;
	f->witness = fork();
	if (f->witness < 0)
		return -errno;
	if (!f->witness)
		witness(pair[1], parent);
	close(pair[1]);
	f->reports = pair[0];
	return 0;
}

void fc_forward_undo(const struct fc_forward *f)
{
	sigaction(SIGCHLD, &f->inherited_chld, NULL);
	sigprocmask(SIG_SETMASK, &f->inherited_mask, NULL);
}

/* Has the witness got this signal too? */
static bool went_to_group(struct fc_forward *f, int signo, pid_t sender)
{
	struct pollfd p = { .fd = f->reports, .events = POLLIN };
	bool matched;

	while (f->reported[signo] != sender && poll(&p, 1, WITNESS_MS) == 1) {
		struct report report;

		if (recv(f->reports, &report, sizeof(report), MSG_DONTWAIT) != sizeof(report))
			break;
		if (report.signo > 0 && report.signo < NSIG)
			f->reported[report.signo] = report.sender;
	}
	matched = f->reported[signo] == sender;
	f->reported[signo] = 0;
	return matched;
}

int fc_forward_next(struct fc_forward *f, pid_t child)
{
	struct signalfd_siginfo info;

	if (read(f->signals, &info, sizeof(info)) != sizeof(info))
		return 0;
	if (info.ssi_signo == SIGCHLD || child <= 0 || info.ssi_code > 0)
		return (int)info.ssi_signo;
	if ((pid_t)info.ssi_pid != child && !went_to_group(f, (int)info.ssi_signo, (pid_t)info.ssi_pid))
		kill(child, (int)info.ssi_signo);
	return (int)info.ssi_signo;
}

bool fc_forward_is_fatal(int signo)
{
	return signo == SIGHUP || signo == SIGINT || signo == SIGQUIT || signo == SIGTERM;
}
