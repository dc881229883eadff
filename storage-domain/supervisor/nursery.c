/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nursery.c - forks shadows, see nursery.h. */
#define _GNU_SOURCE
#include "storage-domain/supervisor/nursery.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/pidfd.h>
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

/* There is one thread here, and nothing that it may have locked; the sanitizers want to know of it all the same. */
static pid_t fork_alone(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	return fork();
#else
	return _Fork();
#endif
}

static void serve(void)
{
	struct fc_packet p;
	struct fc_msg m;
	pid_t pid;

	await();
	if (fc_control_recv(FC_FD_LINK, &p, 0) < 0 || p.nfds != 1)
		_exit(0); /* without a supervisor there is nobody to fork for */
	pid = fork_alone();
	if (pid == 0)
		fc_shadow_main((uint32_t)p.head.arg[0], p.fd[0]);
	m = (struct fc_msg){ .status = pid < 0 ? -errno : 0, .arg = { (uint64_t)pid } };
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

static int nursery_fd = -1; /* pidfd */

static int start(struct fc_supervisor *v, const int pair[2])
{
	pid_t pid;
	int r = 0;

	if (dup3(pair[0], FC_FD_NURSERY, O_CLOEXEC) < 0)
		return -errno;
	fc_oom_before_fork();
	pid = fork();
	if (pid == 0)
		nursery(v, pair[1]);
	if (pid < 0 || (nursery_fd = pidfd_open(pid, 0)) < 0)
		r = -errno;
	fc_oom_after_fork();
	return r;
}

int fc_nursery_start(struct fc_supervisor *v)
{
	int pair[2], r;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return -errno;
	r = start(v, pair);
	close(pair[0]);
	close(pair[1]);
	return r;
}

/* One that is stopped would go on some day, and fork what nobody has asked for any more. */
static void end(void)
{
	if (nursery_fd >= 0) {
		pidfd_send_signal(nursery_fd, SIGKILL, NULL, 0);
		close(nursery_fd);
	}
	nursery_fd = -1;
}

static bool is_ready(int fd)
{
	struct pollfd way = { .fd = fd, .events = POLLIN };
	int n;

	do
		n = poll(&way, 1, PATIENCE_MS);
	while (n < 0 && errno == EINTR);
	return n == 1;
}

static int ask(unsigned index, int link, struct fc_packet *p)
{
	struct fc_msg m = { .arg = { index } };
	int r = fc_control_send(FC_FD_NURSERY, &m, NULL, &link, 1, MSG_DONTWAIT);

	if (r < 0)
		return r;
	r = is_ready(FC_FD_NURSERY) ? fc_control_recv(FC_FD_NURSERY, p, MSG_DONTWAIT) : -ETIMEDOUT;
	return r < 0 ? -EPIPE : 0;
}

pid_t fc_nursery_fork(struct fc_supervisor *v, unsigned index, int link)
{
	struct fc_packet p;
	int r = nursery_fd < 0 ? -EPIPE : ask(index, link, &p);

	if (r == 0)
		return p.head.status < 0 ? p.head.status : (pid_t)p.head.arg[0];
	if (r != -EPIPE) /* there is no memory for a message */
		return r;
	fc_log(FC_LOG_WARNING, "the process that forks shadows does not answer: here is another one");
	end();
	r = fc_nursery_start(v);
	return r < 0 ? r : -EPIPE;
}
