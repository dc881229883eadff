/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * h_cohere.c - many processes work on few small files, clients of one domain and such that know nothing of it, and tell each other what they have done.
 * Each call is noted with its times; after each round cohere_check.c says whether it can have happened so.
 *   h_cohere drive DIR MS SEED [MINE COMMAND...]   rounds for MS milliseconds, on files in DIR. With COMMAND (farcall run ... --) some of them are run by it,
 *                                                  and find the files in MINE.
 *   h_cohere work DIR SLOT SEED                    one of them
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cohere.h"

#define ROUND_MS 900
#define PATIENCE_MS 20000 /* a round that takes longer has hung */
#define STATE_FD 40
#define POST_FD 50 /* and as many as there are slots: to write to; behind those, to read from */
#define SAMPLE 16  /* blocks of a read that are noted */
#define TAIL 8     /* records that are read at a time */

/* Who is who. Each part is one thread or child, with a slot of its own. */
enum { NATIVE, NATIVE_2, CLIENT, CLIENT_2, PARENT, CHILD, READER, CUTTER, DRIVER };
static const struct {
	bool native;
	int part_of; /* another slot's process */
} who[DRIVER + 1] = { [NATIVE] = { true, -1 },    [NATIVE_2] = { true, -1 },    [CLIENT] = { false, -1 },
		      [CLIENT_2] = { false, -1 }, [PARENT] = { false, -1 },     [CHILD] = { false, PARENT },
		      [READER] = { false, -1 },   [CUTTER] = { false, READER }, [DRIVER] = { true, DRIVER } };
/* to whom messages are sent: each has a pipe, or a socket */
static const int hears[] = { NATIVE, NATIVE_2, CLIENT, CLIENT_2, PARENT };
#define HEARS (int)(sizeof hears / sizeof *hears)

static struct round *r;
static char path[FILES + 1][4096];

/* What a thread has of its own. */
static __thread struct self {
	struct slot *s;
	int id;
	uint64_t dice;
	uint32_t serial;
	uint64_t body[BODY / 8 + LENGTHS];
} me;

static void die(const char *format, ...)
{
	va_list v;
	int e = errno;

	printf("h_cohere: %d: ", me.id);
	va_start(v, format);
	vprintf(format, v);
	va_end(v);
	printf(" (%s)\n", strerror(e));
	fflush(stdout);
	_exit(1);
}

static uint32_t dice(uint32_t n)
{
	me.dice ^= me.dice << 13;
	me.dice ^= me.dice >> 7;
	me.dice ^= me.dice << 17;
	return (uint32_t)(me.dice >> 33) % n;
}

static uint64_t plain_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* What is before it in the program has happened, what is behind it has not begun: the processor would reorder a read of memory with reading the clock. */
static uint64_t now_ns(void)
{
	uint64_t t;

	__builtin_ia32_mfence();
	t = plain_ns();
	__builtin_ia32_lfence();
	return t;
}

static bool over(void)
{
	return __atomic_load_n(&r->over, __ATOMIC_RELAXED) || me.s->n > ENTRIES - BLOCKS - 100;
}

/* Without a system call. */
static void pause_ns(uint64_t ns)
{
	const uint64_t end = plain_ns() + ns;

	while (plain_ns() < end && !over())
		__builtin_ia32_pause();
}

static struct entry *note(enum what what, int file, uint64_t value, uint32_t first, uint32_t count)
{
	struct entry *e = &me.s->e[me.s->n];

	*e = (struct entry){
		.value = value, .first = first, .count = (uint16_t)count, .what = (uint8_t)what, .file = (uint8_t)file
	};
	__atomic_store_n(&me.s->n, me.s->n + 1, __ATOMIC_RELEASE);
	e->start = now_ns();
	return e;
}

static void done(struct entry *e)
{
	e->end = now_ns();
}

static void noted(enum what what, int file, uint64_t value, uint32_t first, uint32_t count, uint64_t start,
		  uint64_t end)
{
	struct entry *e = note(what, file, value, first, count);

	e->start = start;
	e->end = end;
}

static uint64_t fresh(uint32_t n)
{
	me.serial += n;
	return (uint64_t)(me.id + 1) << 32 | (me.serial - n);
}

/* ---- blocks ---- */

static void some_blocks(uint32_t *first, uint32_t *count)
{
	static const uint8_t counts[] = { 1, 1, 1, 2, 8, 1, 2, 1, 1, 1, 1, 2, 8, 1, 2, BLOCKS };

	*count = counts[dice(16)];
	*first = *count == BLOCKS ? 0 : dice(8) ? dice(9 - *count) : dice(BLOCKS + 1 - *count);
}

static void write_blocks(int fd, int file)
{
	uint32_t first, count;
	struct entry *e;

	some_blocks(&first, &count);
	if (count == BLOCKS && dice(3))
		count = 1 + dice(BLOCKS);
	uint64_t value = fresh(1);

	for (uint32_t i = 0; i < count * (BLOCK / 8); i++)
		me.body[i] = value;
	e = note(WROTE, file, value, first, count);
	if (pwrite(fd, me.body, count * BLOCK, first * BLOCK) != (ssize_t)count * BLOCK)
		die("pwrite of %u blocks", count);
	done(e);
}

/* Of many blocks some, and what is nobody's value. */
static void note_blocks(int file, uint32_t first, uint32_t count, uint64_t start, uint64_t end)
{
	const uint32_t from = count > SAMPLE && me.id != DRIVER ? dice(count) : 0,
		       to = me.id != DRIVER ? from + SAMPLE : count;
	const uint64_t *b = me.body;
	uint32_t n;

	for (uint32_t i = 0; i < count; i += n) {
		for (n = 1; i + n < count && b[(i + n) * 8] == b[i * 8]; n++)
			;
		if ((i < to && i + n > from) || !b[i * 8] || b[i * 8] >> 32 > SLOTS)
			noted(READ, file, b[i * 8], first + i, n, start, end);
	}
	for (uint32_t i = 0; i < count; i++)
		for (uint32_t k = 1; k < BLOCK / 8 && me.s->n < ENTRIES - 50; k++)
			if (b[i * 8 + k] != b[i * 8 + k - 1])
				noted(TORN, file, b[i * 8 + k], first + i, 1, start, end);
}

static void read_some(int fd, int file, uint32_t first, uint32_t count)
{
	uint64_t start = now_ns(), end;
	ssize_t got = pread(fd, me.body, count * BLOCK, first * BLOCK);

	end = now_ns();
	if (got != (ssize_t)count * BLOCK)
		die("pread of %u blocks at %u of file %d: %zd", count, first, file, got);
	note_blocks(file, first, count, start, end);
}

static void read_blocks(int fd, int file)
{
	uint32_t first, count;

	some_blocks(&first, &count);
	read_some(fd, file, first, count);
}

/* ---- the end ---- */

static void look_at_end(int fd, int file, bool reads)
{
	struct entry *e = note(LENGTH, file, 0, BLOCKS, 1);
	struct stat st;
	int64_t n;

	switch (dice(reads ? 4 : 2)) {
	case 0:
		n = fstat(fd, &st) ? -1 : st.st_size - BODY;
		break;
	case 1:
		n = lseek(fd, 0, SEEK_END) - BODY;
		break;
	default:
		n = pread(fd, me.body, 2 * LENGTHS, BODY);
	}
	e->value = (uint64_t)n;
	done(e);
}

static void cut(int fd, int file, bool by_name)
{
	uint32_t nth = __atomic_fetch_add(&r->lengths[file], 1, __ATOMIC_RELAXED);
	struct entry *e;

	if (nth >= LENGTHS)
		return;
	e = note(CUT, file, length_of(nth), BLOCKS, 1);
	if (by_name ? truncate(path[file], BODY + (off_t)length_of(nth)) : ftruncate(fd, BODY + (off_t)length_of(nth)))
		die("truncate");
	done(e);
}

/* ---- the log ---- */

static void append(int fd)
{
	uint32_t count = dice(4) ? 1 : 1 + dice(dice(4) ? 4 : 100);
	uint64_t value = fresh(count);
	struct entry *e;

	for (uint32_t i = 0; i < count * (RECORD / 8); i++)
		me.body[i] = value + i / (RECORD / 8);
	e = note(APPENDED, LOG, value, 0, count);
	if (write(fd, me.body, count * RECORD) != (ssize_t)count * RECORD)
		die("append");
	done(e);
}

static void reached(int fd, bool by_stat)
{
	struct entry *e = note(REACHED, LOG, 0, 0, 1);
	struct stat st;

	e->value = by_stat ? (fstat(fd, &st) ? 0 : (uint64_t)st.st_size) : (uint64_t)lseek(fd, 0, SEEK_END);
	done(e);
}

/* From a record that had been there on: the last of them. Moves on as the log grows. */
static void read_log(int fd, uint32_t *at)
{
	uint64_t start = now_ns(), end;
	ssize_t got = pread(fd, me.body, TAIL * RECORD, *at * (off_t)RECORD);

	end = now_ns();
	if (got < 0)
		die("pread of the log");
	for (ssize_t i = 0; i < got / RECORD; i++)
		for (int k = 1; k < RECORD / 8; k++)
			if (me.body[i * 8 + k] != me.body[i * 8])
				die("record %zu is %llx and %llx", *at + i, me.body[i * 8], me.body[i * 8 + k]);
	if (got / RECORD)
		noted(RECORDED, LOG, me.body[(got / RECORD - 1) * 8], *at + (uint32_t)(got / RECORD) - 1, 1, start,
		      end);
	if (got < TAIL * RECORD)
		noted(REACHED, LOG, *at * (uint64_t)RECORD + (uint64_t)got, 0, 1, start, end);
	else
		*at += TAIL / 2;
}

static void look_by_name(void)
{
	struct entry *e = note(SEEN, LOG, 0, 0, 1);
	struct stat st;

	e->value = stat(path[LOG], &st) ? 0 : (uint64_t)st.st_size;
	done(e);
}

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
	const int to = hears[dice(HEARS)];
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

static int opened(int file, int how)
{
	struct entry *e = note(ASKED, file, 0, 0, 1);
	int fd = open(path[file], how | O_CLOEXEC);

	if (fd < 0)
		die("open %s", path[file]);
	done(e);
	return fd;
}

static void closed(int fd)
{
	struct entry *e = note(ASKED, 0, 0, 0, 1);

	if (close(fd))
		die("close");
	done(e);
}

/* After a write: nobody asks the domain for anything. */
static void linger(void)
{
	if (!dice(8))
		pause_ns(dice(dice(4) ? 60000 : 700000));
	if (!dice(150)) { /* a client that is waited for posts less */
		tell();
		if (dice(2))
			pause_ns(dice(100000));
	}
}

static void use_blocks(int file, uint32_t n)
{
	static const int hows[] = { O_RDONLY, O_RDWR, O_RDWR, O_WRONLY };
	const int how = hows[dice(4)], writes = how == O_RDONLY ? 0 : how == O_WRONLY ? 10 : (int)dice(10);
	const int cuts = dice(3) ? 0 : 1;
	int fd = opened(file, how);

	for (; n && !over(); n--) {
		if (!dice(how == O_RDONLY ? 4 : 40)) {
			look_at_end(fd, file, how != O_WRONLY);
		} else if (cuts && !dice(60)) {
			if (how == O_RDONLY || !dice(3))
				cut(fd, file, true);
			else
				cut(fd, file, false);
		} else if ((int)dice(10) < writes) {
			write_blocks(fd, file);
			linger();
		} else {
			read_blocks(fd, file);
		}
	}
	closed(fd);
}

static void use_log(uint32_t n)
{
	static const int hows[] = { O_RDONLY, O_RDWR | O_APPEND, O_WRONLY | O_APPEND, O_WRONLY | O_APPEND };
	const int how = hows[dice(4)];
	int fd = opened(LOG, how);
	off_t length = lseek(fd, 0, SEEK_END);
	uint32_t at = length > 4 * RECORD ? (uint32_t)(length / RECORD) - 4 : 0;

	for (; n && !over(); n--) {
		if (!dice(60)) {
			reached(fd, dice(2));
		} else if (how != O_RDONLY && dice(4)) {
			append(fd);
			linger();
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
	uint32_t n = 1 + dice(30);

	if (busy && dice(me.s->native ? 12 : 6))
		return;
	if (!me.s->native && dice(4)) {
		n = 60 + dice(700);
		__atomic_fetch_add(&r->busy[file], 1, __ATOMIC_RELAXED);
	}
	if (file == LOG)
		use_log(n);
	else
		use_blocks(file, n);
	if (n >= 60)
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

static void begin(int id, uint64_t seed)
{
	me.id = id;
	me.s = &r->slot[id];
	me.dice = (seed + 1) * 0x9e3779b97f4a7c15u + (uint64_t)id * 0xbf58476d1ce4e5b9u;
	me.serial = me.s->serial;
	me.s->used = true;
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
		use_log(60 + dice(100));
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
		pause_ns(200000 + dice(1500000));
		cut(shared_fd, 0, false);
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
		for (int i = 0; i < 4000 && !over(); i++)
			if (dice(50))
				read_some(shared_fd, 0, dice(8), BLOCKS - 8);
			else
				write_blocks(shared_fd, 0);
		__atomic_store_n(&cutting, false, __ATOMIC_RELAXED);
		pthread_join(thread, NULL);
		closed(shared_fd);
		if (alone)
			__atomic_fetch_sub(&r->busy[0], 1, __ATOMIC_RELAXED);
	}
}

/* ---- rounds ---- */

static void one_worker(int id, uint64_t seed)
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
	else
		work();
	__atomic_store_n(&me.s->pid, 0, __ATOMIC_RELEASE);
}

static void name_files(const char *dir)
{
	for (int i = 0; i <= FILES; i++)
		if (snprintf(path[i], sizeof path[i], "%s/%s%d", dir, i == LOG ? "log" : "blocks", i) >=
		    (int)sizeof path[i])
			die("a long name");
}

static void map_round(void)
{
	r = mmap(NULL, sizeof *r, PROT_READ | PROT_WRITE, MAP_SHARED, STATE_FD, 0);
	if (r == MAP_FAILED)
		die("mmap");
}

static void make_channel(int id)
{
	int fd[2];

	if (id % 2 ? socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, fd) : pipe2(fd, O_NONBLOCK))
		die("a channel");
	if (dup2(fd[1], POST_FD + id) < 0 || dup2(fd[0], POST_FD + SLOTS + id) < 0)
		die("dup2");
	close(fd[0]);
	close(fd[1]);
}

/* What is there before the round is the driver's: one value in all blocks of a file, and an end within the page that is there. */
static void make_files(void)
{
	for (int i = 0; i < FILES; i++) {
		uint64_t value = fresh(1);
		int fd = open(path[i], O_RDWR | O_CREAT | O_TRUNC, 0644);

		memset(me.body, 0, sizeof me.body);
		for (uint32_t k = 0; k < BODY / 8; k++)
			me.body[k] = value;
		if (fd < 0 || pwrite(fd, me.body, BODY + LENGTHS, 0) != BODY + LENGTHS)
			die("%s", path[i]);
		noted(WROTE, i, value, 0, BLOCKS, r->begin, r->begin);
		cut(fd, i, false);
		close(fd);
	}
	close(open(path[LOG], O_RDWR | O_CREAT | O_TRUNC, 0644));
}

/* What nobody has read in the round before. */
static void empty_channels(void)
{
	uint64_t message;

	for (int i = 0; i < HEARS; i++)
		while (read(POST_FD + SLOTS + hears[i], &message, sizeof message) > 0)
			;
}

static void begin_round(uint64_t seed)
{
	empty_channels();
	memset(r, 0, offsetof(struct round, slot));
	for (int i = 0; i < SLOTS; i++) {
		memset(&r->slot[i], 0, offsetof(struct slot, e));
		r->slot[i].native = i > DRIVER || who[i].native;
	}
	begin(DRIVER, seed);
	r->begin = now_ns();
	make_files();
}

static pid_t start(int id, const char *dir, const char *mine, char **command, uint64_t seed)
{
	char self[4096] = { 0 }, slot[16], seeds[32], *argv[64];
	const bool runs = *command && !who[id].native;
	int n = 0;
	pid_t pid;

	snprintf(slot, sizeof slot, "%d", id);
	snprintf(seeds, sizeof seeds, "%llu", (unsigned long long)seed);
	if (readlink("/proc/self/exe", self, sizeof self - 1) < 0)
		die("my name");
	for (; runs && command[n] && n < 50; n++)
		argv[n] = command[n];
	argv[n++] = self;
	argv[n++] = (char *)"work";
	argv[n++] = (char *)(runs ? mine : dir);
	argv[n++] = slot;
	argv[n++] = seeds;
	argv[n] = NULL;
	fflush(stdout);
	pid = fork();
	if (!pid) {
		execvp(argv[0], argv);
		die("%s", argv[0]);
	}
	return pid;
}

static unsigned failed;

/* He has ended: has he been killed by us, or found something? */
static void ended(int id, int status, bool killed)
{
	r->slot[id].dead = now_ns();
	__atomic_store_n(&r->slot[id].pid, 0, __ATOMIC_RELEASE);
	for (int i = 0; i < DRIVER; i++)
		if (who[i].part_of == id)
			r->slot[i].dead = r->slot[id].dead;
	if (status && !killed) {
		printf("%d has ended with %x\n", id, status);
		failed++;
	}
}

static bool wait_for_all(pid_t *pid, uint64_t until, int victim)
{
	int status, left = 0;

	for (int i = 0; i < DRIVER; i++) {
		if (pid[i] <= 0)
			continue;
		if (waitpid(pid[i], &status, plain_ns() < until ? WNOHANG : 0) == pid[i]) {
			pid[i] = 0;
			ended(i, status, i == victim);
		} else {
			left++;
		}
	}
	return left == 0;
}

static void hung(const pid_t *pid)
{
	for (int i = 0; i < DRIVER; i++) {
		const struct slot *s = &r->slot[i];

		if (pid[i] <= 0)
			continue;
		printf("%d hangs, after %u calls, in a call of kind %d since %.0f ms\n", i, s->n,
		       s->n ? s->e[s->n - 1].what : -1, s->n ? (double)(now_ns() - s->e[s->n - 1].start) / 1e6 : 0.0);
		if (s->pid > 0)
			kill(s->pid, SIGKILL);
	}
	failed++;
}

static bool all_are_there(void)
{
	for (int i = 0; i < DRIVER; i++)
		if (who[i].part_of < 0 && !__atomic_load_n(&r->slot[i].used, __ATOMIC_ACQUIRE))
			return false;
	return true;
}

static void run_workers(const char *dir, const char *mine, char **command, uint64_t seed)
{
	const uint64_t patience = plain_ns() + PATIENCE_MS * 1000000ull,
		       lived = (ROUND_MS / 2 + dice(ROUND_MS / 2)) * 1000000ull;
	uint64_t end = 0;
	int victim = *command && dice(2) ? CLIENT : -1;
	pid_t pid[DRIVER] = { 0 };
	bool killed = false;

	for (int i = 0; i < DRIVER; i++)
		if (who[i].part_of < 0)
			pid[i] = start(i, dir, mine, command, seed);
	while (!wait_for_all(pid, UINT64_MAX, killed ? victim : -1)) {
		if (!end && all_are_there())
			end = plain_ns() + ROUND_MS * 1000000ull;
		if (plain_ns() > patience) {
			hung(pid);
			wait_for_all(pid, 0, -1);
			return;
		}
		if ((end && plain_ns() > end) || plain_ns() > patience - PATIENCE_MS * 500000ull)
			__atomic_store_n(&r->over, 1, __ATOMIC_RELAXED);
		if (victim >= 0 && !killed && end && plain_ns() > end - ROUND_MS * 1000000ull + lived &&
		    __atomic_load_n(&r->slot[victim].pid, __ATOMIC_ACQUIRE)) {
			kill(r->slot[victim].pid, SIGKILL);
			killed = true;
		}
		usleep(500);
	}
}

/* The log as it is now, and the last reads of all. Returns the number of records. */
static size_t look_at_all(uint64_t **log)
{
	size_t n;
	struct stat st;
	int fd;

	for (int i = 0; i < FILES; i++) {
		fd = opened(i, O_RDONLY);
		read_some(fd, i, 0, BLOCKS);
		look_at_end(fd, i, true);
		closed(fd);
	}
	fd = opened(LOG, O_RDONLY);
	if (fstat(fd, &st))
		die("the log");
	noted(REACHED, LOG, (uint64_t)st.st_size, 0, 1, now_ns(), now_ns());
	n = (size_t)st.st_size / RECORD;
	*log = calloc(n + 1, sizeof **log);
	for (size_t i = 0; i < n; i++) {
		uint64_t record[RECORD / 8];

		if (pread(fd, record, RECORD, (off_t)(i * RECORD)) != RECORD)
			die("the log");
		(*log)[i] = record[0];
	}
	closed(fd);
	return n;
}

static int drive(const char *dir, long ms, uint64_t seed, const char *mine, char **command)
{
	const uint64_t end = plain_ns() + (uint64_t)ms * 1000000u;
	uint64_t calls = 0, torn = 0, *log;
	unsigned rounds = 0;
	size_t n;

	for (; plain_ns() < end && !failed; rounds++) {
		begin_round(seed + rounds);
		run_workers(dir, mine, command, seed + rounds);
		if (failed)
			break;
		n = look_at_all(&log);
		failed += check_round(r, log, n, &calls, &torn);
		free(log);
	}
	printf("%u rounds from seed %llu, %llu calls, %llu parts of blocks: %u wrong\n", rounds,
	       (unsigned long long)seed, (unsigned long long)calls, (unsigned long long)torn, failed);
	return failed != 0;
}

int main(int argc, char **argv)
{
	if (argc == 5 && !strcmp(argv[1], "work")) {
		me.id = atoi(argv[3]);
		map_round();
		name_files(argv[2]);
		one_worker(me.id, strtoull(argv[4], NULL, 10));
		return 0;
	}
	if (argc < 5 || strcmp(argv[1], "drive") != 0)
		return 2;
	me.id = DRIVER;
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (dup2(memfd_create("round", 0), STATE_FD) < 0 || ftruncate(STATE_FD, sizeof *r))
		die("memory");
	map_round();
	for (int i = 0; i < HEARS; i++)
		make_channel(hears[i]);
	name_files(argv[2]);
	return drive(argv[2], atol(argv[3]), strtoull(argv[4], NULL, 10), argc > 5 ? argv[5] : argv[2],
		     argc > 6 ? argv + 6 : argv + argc);
}
