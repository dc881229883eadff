/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * supervisor.c - the domain's main loop: the listening socket, signals, time limits. It sees no request and touches no
 * client's memory; what is said on connections and links is connection.c's and session.c's.
 */
#define _GNU_SOURCE
#include "storage-domain/supervisor/supervisor.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "storage-domain/fds.h"
#include "storage-domain/log.h"
#include "storage-domain/shadow/transport.h"
#include "storage-domain/supervisor/nursery.h"

#define FC_RETRY_MS 1000
#define FC_END_MS 3000 /* how long the shadows may take to die */

static uint64_t now_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

uint64_t fc_now_ms(void)
{
	return now_ns(CLOCK_MONOTONIC) / 1000000;
}

/* ---- descriptors ---- */

int fc_watch_add(struct fc_supervisor *v, struct fc_watch *w, int fd,
		 void (*ready)(struct fc_supervisor *, struct fc_watch *, uint32_t))
{
	struct epoll_event e = { .events = EPOLLIN, .data.ptr = w };

	if (epoll_ctl(v->epoll, EPOLL_CTL_ADD, fd, &e))
		return -errno;
	w->fd = fd;
	w->ready = ready;
	return 0;
}

/* Listening stops when there are no descriptors left, and goes on as soon as one is free. */
static void listen_again(struct fc_supervisor *v)
{
	struct epoll_event e = { .events = EPOLLIN, .data.ptr = &v->listen };

	if (!v->listening)
		v->listening = !epoll_ctl(v->epoll, EPOLL_CTL_MOD, v->listen.fd, &e);
}

static void listen_pause(struct fc_supervisor *v)
{
	struct epoll_event e = { .events = 0, .data.ptr = &v->listen };

	if (!epoll_ctl(v->epoll, EPOLL_CTL_MOD, v->listen.fd, &e))
		v->listening = false;
}

int fc_watch_take(struct fc_supervisor *v, struct fc_watch *w)
{
	int fd = w->fd;

	/* taken out by hand: others may hold the same open file, and epoll would go on telling about it */
	epoll_ctl(v->epoll, EPOLL_CTL_DEL, fd, NULL);
	w->fd = -1;
	listen_again(v);
	return fd;
}

void fc_watch_close(struct fc_supervisor *v, struct fc_watch *w)
{
	if (w->fd >= 0)
		close(fc_watch_take(v, w));
}

/* ---- events ---- */

static void accept_ready(struct fc_supervisor *v, struct fc_watch *w, uint32_t events)
{
	int fd = accept4(w->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)events;
	if (fd >= 0) {
		fc_connection_open(v, fd);
	} else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
		fc_log(FC_LOG_WARNING, "no new connections for now: %s", strerror(errno));
		listen_pause(v);
	}
}

static void signals_ready(struct fc_supervisor *v, struct fc_watch *w, uint32_t events)
{
	struct signalfd_siginfo info;
	pid_t pid;
	int status;

	(void)events;
	if (read(w->fd, &info, sizeof info) != sizeof info)
		return;
	if (info.ssi_signo != SIGCHLD)
		v->stop = true;
	/* what a death means is done when the pidfd tells of it */
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		fc_log_death(pid, status);
}

static int signals_open(struct fc_supervisor *v)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGCHLD);
	signal(SIGPIPE, SIG_IGN);
	if (sigprocmask(SIG_BLOCK, &set, NULL))
		return -errno;
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? -errno : fc_watch_add(v, &v->signals, fd, signals_ready);
}

static int usable_cpus(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof set, &set) ? 1 : CPU_COUNT(&set);
}

/* The sessions are in memory of their own which forks do not get: tokens are nobody else's business. */
static int sessions_create(struct fc_supervisor *v)
{
	size_t size = FC_SESSIONS_MAX * sizeof *v->session;
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED || madvise(memory, size, MADV_DONTFORK))
		return -errno;
	v->session = memory;
	for (unsigned i = 0; i < FC_SESSIONS_MAX; i++) {
		struct fc_session *s = &v->session[i];

		s->shadow.fd = s->client.fd = s->link.fd = s->way = -1;
	}
	for (unsigned i = 0; i < FC_CONNECTIONS_MAX; i++)
		v->connection[i].watch.fd = -1;
	return 0;
}

int fc_supervisor_init(struct fc_supervisor *v)
{
	/* differs between two starts even if the clock has been set back to the second */
	uint64_t generation = now_ns(CLOCK_REALTIME) ^ (uint64_t)getpid() << 48;
	int r;

	v->listen.fd = v->signals.fd = v->epoll = v->page_fd = -1;
	v->started_ns = now_ns(CLOCK_MONOTONIC);
	v->shared = fc_roster_create(generation, fc_licences_for(usable_cpus(), !v->transport->foreign));
	if (v->shared)
		v->shared->capacity = v->capacity;
	r = v->shared ? sessions_create(v) : -ENOMEM;
	if (r == 0 && getrandom(v->shared->secret, sizeof v->shared->secret, 0) != sizeof v->shared->secret)
		r = -EIO;
	if (r == 0)
		r = fc_page_create(v, generation);
	if (r == 0) {
		v->epoll = epoll_create1(EPOLL_CLOEXEC);
		r = v->epoll < 0 ? -errno : signals_open(v);
	}
	/* shadows are forked by shadows and the nursery: when those end, we inherit them */
	if (r == 0 && prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))
		r = -errno;
	if (r == 0 && v->listen_fd >= 0)
		r = fc_watch_add(v, &v->listen, v->listen_fd, accept_ready);
	if (r < 0) {
		fc_log(FC_LOG_ERROR, "cannot start: %s", strerror(-r));
		return -1;
	}
	v->listening = true;
	r = fc_nursery_start(v);
	if (r < 0)
		fc_log(FC_LOG_ERROR, "cannot start: %s", strerror(-r));
	else
		fc_reserve_fill(v);
	if (!v->reserved)
		return -1;
	fc_page_state(v, FC_DOMAIN_UP);
	return 0;
}

static int sooner(int a, int b)
{
	return a < 0 ? b : b < 0 ? a : a < b ? a : b;
}

static int next_timeout(struct fc_supervisor *v)
{
	int ms = sooner(sooner(fc_connections_expire(v), fc_stat_due_ms(v)),
			sooner(fc_heirs_due_ms(v), fc_sessions_expire(v)));

	/* it may have been others who used the descriptors up, and who let go of them: nobody will tell us */
	return v->listening ? ms : sooner(ms, FC_RETRY_MS);
}

void fc_supervisor_run(struct fc_supervisor *v)
{
	while (!v->stop) {
		/* one at a time: handling one event may close what another is about */
		struct epoll_event e;
		int n = epoll_wait(v->epoll, &e, 1, next_timeout(v));

		fc_heirs_look(v);
		if (n == 1) {
			struct fc_watch *w = e.data.ptr;

			w->ready(v, w, e.events);
		} else {
			listen_again(v);
		}
		fc_stat_finish(v);
		fc_reserve_fill(v);
	}
}

void fc_supervisor_fini(struct fc_supervisor *v)
{
	uint64_t deadline = fc_now_ms() + FC_END_MS;
	pid_t pid = 0;

	if (v->page)
		fc_page_state(v, FC_DOMAIN_DEAD);
	close(FC_FD_LOOKOUT); /* it ends */
	close(FC_FD_MOUNTS);  /* and so does that one, */
	close(FC_FD_NURSERY); /* and that one */
	if (v->clerk)
		close(FC_FD_CLERK); /* and so it does with the last shadow */
	if (v->epoll < 0 || !v->session)
		return;
	for (unsigned i = 0; i < v->used; i++) {
		struct fc_session *s = &v->session[i];

		if (s->state != FC_SESSION_NONE)
			fc_session_kill(v, s);
		fc_watch_close(v, &s->link); /* also ends a child that was about to introduce itself */
	}
	while (pid >= 0 && fc_now_ms() < deadline) {
		pid = waitpid(-1, NULL, WNOHANG);
		if (pid == 0)
			nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	}
	for (unsigned i = 0; i < v->used; i++) /* those that had something to write, and had their time */
		if (v->session[i].shadow.fd >= 0)
			pidfd_send_signal(v->session[i].shadow.fd, SIGKILL, NULL, 0);
}
