/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nursery.c - forks shadows, see nursery.h. */
#define _GNU_SOURCE
#include "storage-domain/supervisor/nursery.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/control.h"
#include "storage-domain/fds.h"
#include "storage-domain/log.h"
#include "storage-domain/shadow/shadow_main.h"
#include "storage-domain/shadow/thread.h"
#include "storage-domain/supervisor/oom.h"
#include "storage-domain/supervisor/supervisor.h"

#define PATIENCE_MS 2000 /* for a fork */

/* ---- in it ---- */

static void *nothing_done(void *arg)
{
	return arg;
}

/* What the C library does at the first thread of a process is done for all. */
static int warm_up(void)
{
	pthread_attr_t attr;
	pthread_t thread;
	int r;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, FC_THREAD_STACK);
	r = pthread_create(&thread, &attr, nothing_done, NULL);
	pthread_attr_destroy(&attr);
	return r ? -r : -pthread_join(thread, NULL);
}

static void nothing(int signal)
{
	(void)signal;
}

/* SIGCHLD comes while it waits, and only then. */
static int arrange_signals(void)
{
	const struct sigaction act = { .sa_handler = nothing };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	return sigaction(SIGCHLD, &act, NULL) || sigprocmask(SIG_BLOCK, &set, NULL) ? -errno : 0;
}

static void await(void)
{
	struct pollfd link = { .fd = FC_FD_LINK, .events = POLLIN };
	sigset_t waiting;
	int status;
	pid_t pid;

	sigprocmask(SIG_BLOCK, NULL, &waiting);
	sigdelset(&waiting, SIGCHLD);
	while (ppoll(&link, 1, NULL, &waiting) < 0)
		while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
			fc_log_death(pid, status);
}

static void serve(void)
{
	struct fc_packet p;
	struct fc_msg m;
	pid_t pid;

	await();
	if (fc_control_recv(FC_FD_LINK, &p, 0) < 0 || p.nfds != 1)
		_exit(0); /* without a supervisor there is nobody to fork for */
	pid = fork();
	if (pid == 0)
		fc_shadow_main((uint32_t)p.head.arg[0], p.fd[0]);
	m = (struct fc_msg){ .serial = p.head.serial, .status = pid < 0 ? -errno : 0, .arg = { (uint64_t)pid } };
	fc_packet_drop(&p); /* the child's end is the child's alone */
	if (fc_control_send(FC_FD_LINK, &m, NULL, NULL, 0, 0) < 0)
		_exit(0);
}

static void nursery(const struct fc_supervisor *v, int link) __attribute__((noreturn));
static void nursery(const struct fc_supervisor *v, int link)
{
	int r;

	prctl(PR_SET_NAME, "farcall-nursery", 0, 0, 0); /* for ps(1) */
	r = warm_up();
	if (r == 0)
		r = fc_shadow_prepare(&v->exports, v->transport, v->shared, v->clerk, link);
	if (r == 0)
		r = arrange_signals();
	if (r < 0) {
		fc_log(FC_LOG_ERROR, "no shadow process can start: %s", strerror(-r));
		_exit(1);
	}
	for (;;)
		serve();
}

/* ---- in the supervisor ---- */

int fc_nursery_start(struct fc_supervisor *v)
{
	pid_t pid = -1;
	int pair[2], r;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return -errno;
	r = dup3(pair[0], FC_FD_NURSERY, O_CLOEXEC) < 0 ? -errno : 0;
	close(pair[0]);
	if (r == 0) {
		fc_oom_before_fork();
		pid = fork();
		if (pid == 0)
			nursery(v, pair[1]);
		r = pid < 0 ? -errno : 0;
		fc_oom_after_fork();
	}
	close(pair[1]);
	return r;
}

/* The answer to `serial`; those to who has given up before are passed over. -errno: there will be none. */
static int answer(uint32_t serial, struct fc_packet *p)
{
	struct pollfd way = { .fd = FC_FD_NURSERY, .events = POLLIN };
	int r;

	do {
		if (poll(&way, 1, PATIENCE_MS) != 1)
			return -ETIMEDOUT;
		r = fc_control_recv(FC_FD_NURSERY, p, MSG_DONTWAIT);
	} while (r == 0 && p->head.serial != serial);
	return r;
}

static int ask(unsigned index, int link, struct fc_packet *p)
{
	static uint32_t serial;
	struct fc_msg m = { .serial = serial + 1, .arg = { index } };
	int r = fc_control_send(FC_FD_NURSERY, &m, NULL, &link, 1, MSG_DONTWAIT);

	serial++;
	return r < 0 ? r : answer(m.serial, p);
}

pid_t fc_nursery_fork(struct fc_supervisor *v, unsigned index, int link)
{
	struct fc_packet p;
	int r = ask(index, link, &p);

	if (r < 0) {
		fc_log(FC_LOG_WARNING, "the process that forks shadows has gone: %s", strerror(-r));
		r = fc_nursery_start(v); /* the old one, if it lives, sees its way end */
		if (r == 0)
			r = ask(index, link, &p);
	}
	if (r == 0)
		r = p.head.status;
	return r < 0 ? r : (pid_t)p.head.arg[0];
}
