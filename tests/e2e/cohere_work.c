/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cohere_work.c - what h_cohere's processes do all the time: use a file for a while, tell each other, have children and threads. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cohere_calls.h"

/* ---- messages ---- */

static struct {
	uint64_t value, at;
} signals[64];
static uint32_t signalled, signals_seen;
static int nowhere;

/* Makes a call, too: by which somebody else might hear something. */
static void on_signal(int sig, siginfo_t *info, void *context)
{
	uint32_t n = signalled % 64;

	(void)sig, (void)context;
	signals[n].at = 0;
	for (uint64_t s = 0; s < SLOTS; s++)
		if (r->slot[s].pid == info->si_pid && r->slot[s].used && who[s].part_of < 0) {
			signals[n].value = s << 32 | (uint32_t)info->si_value.sival_int;
			signals[n].at = now_ns();
			signalled++;
			break;
		}
	if (write(nowhere, &n, 1) != 1)
		_exit(1);
}

/* Whether he hears it or not: it is a call by which he might. */
static void tell(void)
{
	const int to = dice(2) ? LISTENER : hears[dice(HEARS)];
	const bool signal = who[me.id].part_of < 0 && !dice(4);
	uint64_t message = (uint64_t)me.id << 32 | me.s->n;
	const int him = __atomic_load_n(&r->slot[to].pid, __ATOMIC_ACQUIRE);
	struct entry *e;
	long n;

	if (to == me.id || !him)
		return;
	e = note(SENT, 0, 0, 0, 1);
	n = signal ? sigqueue(him, SIGRTMIN, (union sigval){ .sival_int = (int)(uint32_t)message })
		   : write(POST_FD + to, &message, sizeof message);
	if (n < 0 && errno != EAGAIN && errno != ESRCH)
		die("a message");
	done(e);
}

static bool hear(void)
{
	bool any = false, mine = false;
	uint64_t message;

	for (int i = 0; i < HEARS; i++)
		mine |= hears[i] == me.id;
	while (mine && read(POST_FD + SLOTS + me.id, &message, sizeof message) == sizeof message) {
		uint64_t end = now_ns();

		noted(RECEIVED, 0, message, 0, 1, end, end);
		any = true;
		if (over())
			break;
	}
	for (; mine && signals_seen != __atomic_load_n(&signalled, __ATOMIC_ACQUIRE) && !over();
	     signals_seen++, any = true)
		if (signalled - signals_seen < 32)
			noted(RECEIVED, 0, signals[signals_seen % 64].value, 0, 1, signals[signals_seen % 64].at,
			      signals[signals_seen % 64].at);
	return any;
}

/* ---- stretches: a file is open, and used for a while ---- */

/* How long a stretch is, and whether its writes come at once one after the other. */
struct manner {
	uint32_t n;
	bool dense;
};

/* A write that took longer than the one before: it has been interrupted, perhaps while others came. */
static bool was_slow(void)
{
	static __thread uint64_t before;
	const struct entry *e = &me.s->e[me.s->n - 1];
	const uint64_t took = e->end - e->start;
	const bool slow = before < 5000 && took > 15000;

	before = took;
	return slow;
}

/* After a write: nobody asks the domain for anything. */
static void linger(bool dense)
{
	if (was_slow() && dice(4))
		pause_ns(dice(600000));
	if (dense)
		return;
	if (!dice(8))
		pause_ns(dice(dice(4) ? 60000 : 700000));
	if (!dice(150)) { /* a client that is waited for posts less */
		tell();
		if (dice(2))
			pause_ns(dice(100000));
	}
}

static void use_blocks(int file, struct manner m)
{
	static const int hows[] = { O_RDONLY, O_RDWR, O_RDWR, O_WRONLY };
	const int how = m.dense ? O_WRONLY : hows[dice(4)], writes = how == O_RDONLY   ? 0
								     : how == O_WRONLY ? 10
										       : (int)dice(10);
	const bool cuts = !m.dense && !dice(3);
	int fd = opened(file, how);

	for (; m.n && !over(); m.n--) {
		if (!m.dense && !dice(how == O_RDONLY ? 4 : 40)) {
			look_at_end(fd, file, how != O_WRONLY);
		} else if (cuts && !dice(60)) {
			cut(fd, file, how == O_RDONLY || !dice(3));
		} else if ((int)dice(10) < writes) {
			write_blocks(fd, file, m.dense);
			linger(m.dense);
		} else {
			read_blocks(fd, file);
		}
	}
	closed(fd);
}

static void use_log(struct manner m)
{
	static const int hows[] = { O_RDONLY, O_RDWR | O_APPEND, O_WRONLY | O_APPEND, O_WRONLY | O_APPEND };
	const int how = m.dense ? O_WRONLY | O_APPEND : hows[dice(4)];
	int fd = opened(LOG, how);
	off_t length = lseek(fd, 0, SEEK_END);
	uint32_t at = length > 4 * RECORD ? (uint32_t)(length / RECORD) - 4 : 0;

	for (; m.n && !over(); m.n--) {
		if (!m.dense && !dice(60)) {
			reached(fd, dice(2));
		} else if (m.dense || (how != O_RDONLY && dice(4))) {
			append(fd);
			linger(m.dense);
		} else if ((how & O_ACCMODE) == O_WRONLY) {
			continue;
		} else {
			read_log(fd, &at);
		}
	}
	closed(fd);
}

/* Clients' are long, often enough for a delegation; the others come in between. */
static void stretch(void)
{
	const int file = (int)dice(FILES + 1);
	const bool busy = __atomic_load_n(&r->busy[file], __ATOMIC_RELAXED);
	struct manner m = { .n = 1 + dice(30) };
	bool wanted;

	if (busy && dice(me.s->native ? 12 : 6))
		return;
	wanted = !me.s->native && dice(4);
	if (wanted) {
		m.dense = !dice(4);
		m.n = m.dense ? 500 + dice(2500) : 60 + dice(700);
		__atomic_fetch_add(&r->busy[file], 1, __ATOMIC_RELAXED);
	}
	if (file == LOG)
		use_log(m);
	else
		use_blocks(file, m);
	if (wanted)
		__atomic_fetch_sub(&r->busy[file], 1, __ATOMIC_RELAXED);
}

static void work_once(void)
{
	if (hear() || !dice(30))
		look_by_name();
	stretch();
	if (!dice(3))
		tell();
	if (me.s->native)
		usleep(dice(1500));
	else if (!dice(3))
		usleep(dice(300));
}

/* Looks as soon as he hears of something. */
static void listen_well(void)
{
	struct pollfd inbox = { .fd = POST_FD + SLOTS + me.id, .events = POLLIN };

	while (!over()) {
		poll(&inbox, 1, 20); /* or a signal comes */
		if (hear())
			look_by_name();
	}
}

static void work(void)
{
	while (!over())
		work_once();
}

/* ---- a family: what a child has done is there when it has been waited for ---- */

static void child(uint64_t seed)
{
	begin(CHILD, seed);
	me.s->pid = getpid();
	for (int i = 0; i < 3 && !over(); i++)
		work_once();
	if (!over())
		use_log((struct manner){ .n = 60 + dice(100) });
	me.s->serial = me.serial;
	note(SENT, 0, 0, 0, 1);
	_exit(0);
}

static void family(uint64_t seed)
{
	int status;

	while (!over() && r->slot[CHILD].n < ENTRIES - 1000) {
		struct entry *e = note(ASKED, 0, 0, 0, 1);
		pid_t pid = fork();

		done(e);
		if (pid < 0)
			die("fork");
		if (!pid)
			child(seed + me.s->n);
		for (int i = 0; i < 2 && !over(); i++)
			work_once();
		if (waitpid(pid, &status, 0) != pid || status)
			die("the child: %x", status);
		e = note(RECEIVED, 0, (uint64_t)CHILD << 32 | (r->slot[CHILD].n - 1), 0, 1);
		done(e);
		look_by_name();
	}
}

/* ---- two threads: one reads, under the other's feet the mapping goes ---- */

static int shared_fd;
static bool cutting;

static void *cutter(void *arg)
{
	void *m[8];

	begin(CUTTER, *(uint64_t *)arg);
	while (__atomic_load_n(&cutting, __ATOMIC_RELAXED) && !over()) {
		pause_ns(200000 + dice(900000));
		cut(shared_fd, 0, false);
		look_at_end(shared_fd, 0, true);
		for (int i = 0; i < 8; i++) {
			m[i] = mmap(NULL, BODY + LENGTHS, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
			if (m[i] == MAP_FAILED)
				die("mmap");
			memset(m[i], 0xee, BODY);
		}
		pause_ns(dice(2) ? 0 : 500000);
		for (int i = 0; i < 8; i++)
			munmap(m[i], BODY + LENGTHS);
	}
	return NULL;
}

static void pair(uint64_t seed)
{
	pthread_t thread;

	while (!over()) {
		bool alone = dice(2);

		if (alone)
			__atomic_fetch_add(&r->busy[0], 1, __ATOMIC_RELAXED);
		shared_fd = opened(0, O_RDWR);
		cutting = true;
		if (pthread_create(&thread, NULL, cutter, &seed))
			die("thread");
		for (int i = 0; i < 40000 && !over(); i++)
			if (i % 16)
				read_strange(shared_fd, 0);
			else if (i % 64)
				read_some(shared_fd, 0, dice(8), BLOCKS - 8);
			else
				write_blocks(shared_fd, 0, false);
		__atomic_store_n(&cutting, false, __ATOMIC_RELAXED);
		pthread_join(thread, NULL);
		closed(shared_fd);
		if (alone)
			__atomic_fetch_sub(&r->busy[0], 1, __ATOMIC_RELAXED);
	}
}
void work_as(int id, uint64_t seed)
{
	struct sigaction act = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART };

	sigemptyset(&act.sa_mask);
	sigaction(SIGRTMIN, &act, NULL);
	nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
	begin(id, seed);
	__atomic_store_n(&me.s->pid, getpid(), __ATOMIC_RELEASE); /* from here on it is told */
	if (id == PARENT)
		family(seed);
	else if (id == READER)
		pair(seed);
	else if (id == LISTENER)
		listen_well();
	else
		work();
	__atomic_store_n(&me.s->pid, 0, __ATOMIC_RELEASE);
}
