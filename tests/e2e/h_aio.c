/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * h_aio.c - Linux AIO as a program sees it: what io_submit says of each iocb, what its event says, what is in the ring and in the iocb. It
 * prints all that; t_aio.sh compares what it prints of a remote directory with what it prints of a plain one.
 *
 *   h_aio DIRECTORY native|remote [domain]   domain: submit, once a line has come in, to a domain that is dead by then
 */
#include "tests/e2e/e2e.h"

#include <limits.h>
#include <linux/aio_abi.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stddef.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>

#define NOWHERE ((void *)0x10)
#ifndef IOCB_FLAG_IOPRIO
#define IOCB_FLAG_IOPRIO 2
#endif
#define DATA 0xfeed
#define LARGE (30ul << 20)

static aio_context_t ctx;
static int file, local;
static char buffer[1 << 20] __attribute__((aligned(4096)));

static const char *said(long r)
{
	static char text[4][40];
	static int n;

	n = (n + 1) % 4;
	if (r < 0)
		snprintf(text[n], sizeof text[n], "%s", strerrorname_np((int)-r));
	else
		snprintf(text[n], sizeof text[n], "%ld", r);
	return text[n];
}

static long call(long r)
{
	return r < 0 ? -errno : r;
}

static long submit(aio_context_t c, long n, struct iocb **list)
{
	return call(syscall(SYS_io_submit, c, n, list));
}

static long events(aio_context_t c, long least, long most, struct io_event *e)
{
	return call(syscall(SYS_io_getevents, c, least, most, e, NULL));
}

static aio_context_t context(unsigned n)
{
	aio_context_t c = 0;

	EQUAL(syscall(SYS_io_setup, n, &c), 0);
	return c;
}

static struct iocb make(int op, int fd, void *buf, size_t n, int64_t offset)
{
	return (struct iocb){ .aio_data = DATA,
			      .aio_key = 0,
			      .aio_lio_opcode = (uint16_t)op,
			      .aio_fildes = (uint32_t)fd,
			      .aio_buf = (uintptr_t)buf,
			      .aio_nbytes = n,
			      .aio_offset = offset };
}

struct ring {
	unsigned id, nr, head, tail, magic, compatible, incompatible, header;
	struct io_event e[];
};

/* the result in the ring that belongs to the newest event, whoever has taken it */
static long in_ring(aio_context_t c)
{
	const struct ring *ring = (void *)c;

	return ring->e[(ring->tail + ring->nr - 1) % ring->nr].res;
}

/* Submit one and print all that comes of it. Of a poll it may be that nothing comes. */
static void show_at(const char *what, struct iocb *io, struct iocb *image)
{
	struct iocb was = *io;
	struct io_event e;
	long r;

	memcpy(image, io, sizeof *io);
	r = submit(ctx, 1, &image);
	printf("%s: submit %s", what, said(r));
	if (r == 1) {
		EQUAL(events(ctx, 1, 1, &e), 1);
		printf(", result %s %lld, in the ring %s, data %s, object %s", said((long)e.res), (long long)e.res2,
		       said(in_ring(ctx)), e.data == was.aio_data ? "ok" : "wrong",
		       e.obj == (uintptr_t)image ? "ok" : "wrong");
	}
	memcpy(io, image, sizeof *io);
	printf(", contents %s\n", memcmp(io, &was, sizeof was) ? "changed" : "kept");
}

static void show(const char *what, struct iocb io)
{
	struct iocb image;

	show_at(what, &io, &image);
}

static void fill(unsigned seed, size_t n)
{
	for (size_t i = 0; i < n; i++)
		buffer[i] = (char)pattern(i, seed);
}

static bool filled(unsigned seed, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (buffer[i] != (char)pattern(i, seed))
			return false;
	return true;
}

/* ---- transfers ---- */

static void transfers(void)
{
	fill(1, 10000);
	show("write", make(IOCB_CMD_PWRITE, file, buffer, 10000, 100));
	memset(buffer, 0, sizeof buffer);
	show("read", make(IOCB_CMD_PREAD, file, buffer, 10000, 100));
	printf("the same: %d\n", filled(1, 10000));
	show("short read", make(IOCB_CMD_PREAD, file, buffer, 10000, 5000));
	show("read at the end", make(IOCB_CMD_PREAD, file, buffer, 10000, 10100));
	show("read of nothing", make(IOCB_CMD_PREAD, file, buffer, 0, 0));
	show("write of nothing", make(IOCB_CMD_PWRITE, file, buffer, 0, 0));
	fill(2, sizeof buffer);
	show("large write", make(IOCB_CMD_PWRITE, file, buffer, sizeof buffer, 0));
	memset(buffer, 0, sizeof buffer);
	show("large read", make(IOCB_CMD_PREAD, file, buffer, sizeof buffer, 0));
	printf("the same: %d\n", filled(2, sizeof buffer));

	struct iovec v[1025] = { { buffer, 100 }, { buffer + 5000, 0 }, { buffer + 100, 9000 } };
	fill(3, 9100);
	show("vector write", make(IOCB_CMD_PWRITEV, file, v, 3, 77));
	memset(buffer, 0, sizeof buffer);
	show("vector read", make(IOCB_CMD_PREADV, file, v, 3, 77));
	printf("the same: %d\n", filled(3, 9100));
	show("empty vector", make(IOCB_CMD_PREADV, file, v, 0, 0));
	show("vector too long", make(IOCB_CMD_PREADV, file, v, 1025, 0));
	show("vector nowhere", make(IOCB_CMD_PWRITEV, file, NOWHERE, 2, 0));
	v[1].iov_len = (size_t)-5;
	show("vector with a negative length", make(IOCB_CMD_PREADV, file, v, 2, 0));
	v[1] = (struct iovec){ (void *)-4096ul, 100 };
	show("vector into the kernel", make(IOCB_CMD_PREADV, file, v, 2, 0));
	v[1] = (struct iovec){ NOWHERE, 100 };
	show("vector with a hole, read", make(IOCB_CMD_PREADV, file, v, 3, 0));
	show("vector with a hole, write", make(IOCB_CMD_PWRITEV, file, v, 3, 0));
}

static void wrong_transfers(void)
{
	const int reads = open(in_dir("f"), O_RDONLY), appends = open(in_dir("f"), O_WRONLY | O_APPEND),
		  directory = open(e2e_dir, O_RDONLY), path = open(in_dir("f"), O_PATH);
	struct iocb io;

	show("read, not open for it", make(IOCB_CMD_PREAD, appends, buffer, 10, 0));
	show("write, not open for it", make(IOCB_CMD_PWRITE, reads, buffer, 10, 0));
	show("both that and an offset", make(IOCB_CMD_PWRITE, reads, buffer, 10, -1));
	show("directory", make(IOCB_CMD_PREAD, directory, buffer, 10, 0));
	show("directory, sync", make(IOCB_CMD_FSYNC, directory, NULL, 0, 0));
	show("O_PATH", make(IOCB_CMD_PREAD, path, buffer, 10, 0));
	show("O_PATH, sync", make(IOCB_CMD_FSYNC, path, NULL, 0, 0));
	show("no descriptor", make(IOCB_CMD_PREAD, 999, buffer, 10, 0));
	show("offset", make(IOCB_CMD_PREAD, file, buffer, 10, -1));
	show("offset, write", make(IOCB_CMD_PWRITE, file, buffer, 10, LLONG_MIN));
	show("offset and length", make(IOCB_CMD_PREAD, file, buffer, 10, LLONG_MAX - 5));
	show("far offset", make(IOCB_CMD_PWRITE, file, buffer, 10, LLONG_MAX - 100));
	show("length", make(IOCB_CMD_PREAD, file, buffer, (size_t)-1, 0));
	show("read to nowhere", make(IOCB_CMD_PREAD, file, NOWHERE, 10, 0));
	show("write from nowhere", make(IOCB_CMD_PWRITE, file, NOWHERE, 10, 0));
	show("read into the kernel", make(IOCB_CMD_PREAD, file, (void *)-4096ul, 10, 0));
	show("no such command", make(99, file, buffer, 10, 0));
	show("command without meaning", make(IOCB_CMD_NOOP, file, buffer, 10, 0));
	io = make(IOCB_CMD_PREAD, file, buffer, 10, 0);
	io.aio_reserved2 = 1;
	show("reserved", io);

	struct stat before, after;
	fstat(file, &before);
	show("append", make(IOCB_CMD_PWRITE, appends, buffer, 10, 3));
	io = make(IOCB_CMD_PWRITE, file, buffer, 10, 3);
	io.aio_rw_flags = 0x10; /* RWF_APPEND */
	show("append by flag", io);
	fstat(file, &after);
	printf("longer by %ld\n", (long)(after.st_size - before.st_size));
	io.aio_rw_flags = 2; /* RWF_DSYNC */
	show("write through", io);
	io.aio_rw_flags = 1 << 29;
	show("unknown flag", io);
	io = make(IOCB_CMD_PREAD, file, buffer, 10, 0);
	io.aio_rw_flags = 8; /* RWF_NOWAIT */
	show("without waiting", io);
	io = make(IOCB_CMD_PREAD, local, buffer, 10, 0);
	show("local", io);
	io = make(IOCB_CMD_PREAD, -1, buffer, 10, 0);
	show("no descriptor", io);
	close(reads);
	close(appends);
	close(directory);
	close(path);
}

/* ---- other commands and fields ---- */

static void others(void)
{
	struct iocb io;

	show("fsync", make(IOCB_CMD_FSYNC, file, NULL, 0, 0));
	show("fdatasync", make(IOCB_CMD_FDSYNC, file, NULL, 0, 0));
	show("fsync with a buffer", make(IOCB_CMD_FSYNC, file, buffer, 0, 0));
	show("fsync with an offset", make(IOCB_CMD_FDSYNC, file, NULL, 0, 1));
	show("poll", make(IOCB_CMD_POLL, file, (void *)(POLLIN | POLLOUT | POLLPRI), 0, 0));
	show("poll for what never comes", make(IOCB_CMD_POLL, file, (void *)POLLPRI, 0, 0));
	show("poll for what is not", make(IOCB_CMD_POLL, file, (void *)0x10000, 0, 0));
	show("poll with an offset", make(IOCB_CMD_POLL, file, (void *)POLLIN, 0, 1));

	io = make(IOCB_CMD_PREAD, file, buffer, 100, 0);
	io.aio_flags = IOCB_FLAG_IOPRIO;
	io.aio_reqprio = 2 << 13 | 4;
	show("priority", io);
	io.aio_reqprio = 7 << 13;
	show("no such priority", io);
	io = make(IOCB_CMD_FSYNC, file, NULL, 0, 0);
	io.aio_flags = IOCB_FLAG_IOPRIO;
	io.aio_reqprio = 7 << 13;
	show("no such priority, but nobody asks", io);
	io.aio_flags = 1u << 31;
	show("unknown flag", io);
}

static void notification(void)
{
	const int e = eventfd(0, EFD_NONBLOCK);
	struct iocb io = make(IOCB_CMD_PREAD, file, buffer, 100, 0);
	uint64_t n = 0;

	io.aio_flags = IOCB_FLAG_RESFD;
	io.aio_resfd = (uint32_t)e;
	show("eventfd", io);
	io.aio_lio_opcode = IOCB_CMD_FSYNC;
	io.aio_buf = io.aio_nbytes = 0;
	show("eventfd, sync", io);
	sleep_ms(20); /* natively a sync tells after its event */
	EQUAL(read(e, &n, sizeof n), sizeof n);
	printf("counted %lu\n", (unsigned long)n);
	io.aio_resfd = (uint32_t)-1;
	show("no eventfd", io);
	io.aio_resfd = (uint32_t)file;
	show("file for an eventfd", io);
	io.aio_resfd = (uint32_t)local;
	show("local file for an eventfd", io);
	close(e);
}

/* ---- lists ---- */

static void show_list(const char *what, long n, struct iocb **list)
{
	struct io_event e[16];
	long r = submit(ctx, n, list), got;

	printf("%s: %s\n", what, said(r));
	for (; r > 0; r -= got) {
		got = events(ctx, r, 16, e);
		if (got <= 0)
			break;
		for (long i = 0; i < got; i++)
			printf("  %llu: %s\n", (unsigned long long)e[i].data, said((long)e[i].res));
	}
}

static void lists(void)
{
	char piece[6][100] = { { 0 } };
	struct iocb io[6], *list[8];

	for (int i = 0; i < 6; i++) {
		io[i] = make(i < 3 ? IOCB_CMD_PWRITE : IOCB_CMD_PREAD, i & 1 ? local : file, piece[i],
			     sizeof piece[i] - (size_t)i, i * 1000);
		io[i].aio_data = (uint64_t)i;
		list[i] = &io[i];
	}
	show_list("mixed", 6, list);
	show_list("from a local one on", 5, list + 1);
	show_list("none", 0, list);
	show_list("fewer than none", -1, list);
	io[3].aio_fildes = 999;
	show_list("bad fourth", 6, list);
	io[3].aio_fildes = (uint32_t)file;
	io[3].aio_offset = -1;
	show_list("bad fourth, remote", 6, list);
	show_list("bad first, remote", 3, list + 3);
	io[3].aio_offset = 0;
	list[2] = NOWHERE;
	show_list("third nowhere", 6, list);
	list[2] = NULL;
	show_list("no third", 6, list);
	show_list("list nowhere", 2, NOWHERE);
	list[2] = list[0];
	show_list("one twice", 3, list);
	printf("no context: %s\n", said(submit(0, 1, list)));
	printf("wrong context: %s\n", said(submit((aio_context_t)(uintptr_t)buffer, 1, list)));

	/* the end of the list's page */
	char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	munmap(page + 4096, 4096);
	struct iocb **edge = (struct iocb **)(page + 4096) - 2;
	edge[0] = &io[0];
	edge[1] = &io[1];
	show_list("list that ends", 4, edge);

	/* an iocb that cannot be written, and one that is not aligned */
	struct iocb fixed = make(IOCB_CMD_PWRITE, file, "never", 5, 0), *in_page = (struct iocb *)page;
	memcpy(page, &fixed, sizeof fixed);
	mprotect(page, 4096, PROT_READ);
	printf("read-only iocb: %s\n", said(submit(ctx, 1, &in_page)));
	EQUAL(pread(file, piece[0], 5, 0), 5);
	printf("written: %d\n", !memcmp(piece[0], "never", 5));
	mprotect(page, 4096, PROT_READ | PROT_WRITE);
	show_at("odd address", &io[0], (struct iocb *)(page + 3));
	munmap(page, 4096);
}

/* What is not taken because there is no room has not been done. */
static void limits(void)
{
	const int appends = open(in_dir("a"), O_CREAT | O_TRUNC | O_RDWR | O_APPEND, 0644);
	aio_context_t small = context(1);
	struct iocb io = make(IOCB_CMD_PWRITE, appends, buffer, 1, 0), *list = &io;
	struct io_event e[64];
	struct stat st;
	long n = 0, r, taken = 0;

	while ((r = submit(small, 1, &list)) == 1)
		n++;
	printf("full: %s\n", said(r));
	fstat(appends, &st);
	EQUAL(st.st_size, n);
	EQUAL(syscall(SYS_io_cancel, small, &io, e), -1);
	printf("cancel one that is done: %s\n", said(-errno));
	while ((r = events(small, 0, 64, e)) > 0)
		taken += r;
	EQUAL(taken, n);
	EQUAL(submit(small, 1, &list), 1);
	printf("end: %s\n", said(call(syscall(SYS_io_destroy, small))));
	printf("after it: %s\n", said(submit(small, 1, &list)));
	fstat(appends, &st);
	EQUAL(st.st_size, n + 1);
	close(appends);
}

/* ---- errors of the file system ---- */

static volatile sig_atomic_t signals;

static void count(int sig)
{
	(void)sig;
	signals++;
}

static void too_large(bool on)
{
	struct rlimit limit = { on ? 2 << 20 : RLIM_INFINITY, RLIM_INFINITY };

	EQUAL(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* A program takes an event out of the ring itself, and uses the iocb again. */
static void ring_taken(void)
{
	struct iocb io = make(IOCB_CMD_PWRITE, file, buffer, 10, 3 << 20), *list = &io;
	volatile struct ring *ring = (void *)ctx;
	struct io_event e;

	EQUAL(submit(ctx, 1, &list), 1);
	while (ring->head == ring->tail)
		sched_yield();
	printf("taken from the ring: %s\n", said((long)ring->e[ring->head].res));
	ring->head = (ring->head + 1) % ring->nr;
	io = make(IOCB_CMD_PREAD, file, NOWHERE, 10, 0);
	EQUAL(submit(ctx, 1, &list), 1);
	EQUAL(events(ctx, 1, 1, &e), 1);
	printf("then: %s\n", said((long)e.res));
}

static void errors(void)
{
	const int direct = open(in_dir("f"), O_RDWR | O_DIRECT);

	handle(SIGXFSZ, count, 0);
	too_large(true);
	show("too large", make(IOCB_CMD_PWRITE, file, buffer, 10, 3 << 20));
	show("partly too large", make(IOCB_CMD_PWRITE, file, buffer, 10, (2 << 20) - 4));
	printf("signals: %d\n", (int)signals);
	ring_taken();
	too_large(false);
	show("not too large", make(IOCB_CMD_PWRITE, file, buffer, 10, 3 << 20));
	show("aligned", make(IOCB_CMD_PREAD, direct, buffer, 4096, 0));
	show("not aligned", make(IOCB_CMD_PREAD, direct, buffer, 4096, 10));
	show("not aligned, length", make(IOCB_CMD_PREAD, direct, buffer, 100, 0));
	show("not aligned, memory", make(IOCB_CMD_PREAD, direct, buffer + 1, 4096, 0));
	show("not aligned, write", make(IOCB_CMD_PWRITE, direct, buffer + 1, 4096, 0));
	char *large = mmap(NULL, LARGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (size_t i = 0; i < LARGE; i += 4096)
		large[i] = (char)(i / 4096);
	show("aligned and large, write", make(IOCB_CMD_PWRITE, direct, large, LARGE, 4096));
	memset(large, 0xff, LARGE);
	show("aligned and large", make(IOCB_CMD_PREAD, direct, large, LARGE, 4096));
	for (size_t i = 0; i < LARGE; i += 4096)
		if (large[i] != (char)(i / 4096)) {
			CHECK(!"the large one is what was written");
			break;
		}
	munmap(large, LARGE);
	close(direct);
}

/* ---- threads ---- */

#define THREADS 4
#define EACH 8
#define ROUNDS (e2e_long ? 5000 : 600)
#define SIZE 512

struct slot {
	struct iocb io;
	char data[SIZE];
	unsigned rounds;
	uint32_t free; /* it is the submitting thread's */
};
static struct slot slots[THREADS][EACH];
static aio_context_t shared;
static bool spoilt; /* they are all to fail */

static void *submits(void *arg)
{
	struct slot *mine = arg;

	for (int left = EACH * ROUNDS, i = 0; left; i = (i + 1) % EACH) {
		struct slot *s = &mine[i];
		const int64_t at = (s - &slots[0][0]) * SIZE;
		struct iocb *list = &s->io;
		int op;

		if (!__atomic_load_n(&s->free, __ATOMIC_ACQUIRE)) {
			sched_yield();
			continue;
		}
		op = s->rounds & 1 ? IOCB_CMD_PREAD : IOCB_CMD_PWRITE;
		s->io = make(op, i & 3 ? file : local, s->data, SIZE - (s->rounds & 31), spoilt ? (3 << 20) + at : at);
		if (spoilt)
			s->io.aio_lio_opcode = IOCB_CMD_PWRITE;
		else if (op == IOCB_CMD_PREAD)
			memset(s->data, 0, SIZE);
		else
			memset(s->data, (int)(s->rounds / 2 + (unsigned)i), SIZE);
		__atomic_store_n(&s->free, 0, __ATOMIC_RELEASE);
		EQUAL(submit(shared, 1, &list), 1);
		left--;
	}
	return NULL;
}

/* What has come is as it was submitted, and is used again at once. */
static void finished(const struct io_event *e)
{
	struct slot *s = (struct slot *)(uintptr_t)e->obj;
	const size_t n = SIZE - (s->rounds & 31);

	EQUAL(e->res, spoilt ? -EFBIG : (long)n);
	EQUAL(s->io.aio_nbytes, n);
	EQUAL(s->io.aio_buf, (uintptr_t)s->data);
	EQUAL(s->io.aio_lio_opcode, spoilt || !(s->rounds & 1) ? IOCB_CMD_PWRITE : IOCB_CMD_PREAD);
	CHECK(s->io.aio_fildes == (uint32_t)file || s->io.aio_fildes == (uint32_t)local);
	for (size_t i = 0; i < n && !spoilt; i++)
		if (s->data[i] != (char)(s->rounds / 2 + (unsigned)((s - &slots[0][0]) % EACH))) {
			CHECK(!"the data are what was written");
			break;
		}
	memset(&s->io, 0xee, sizeof s->io);
	s->rounds++;
	__atomic_store_n(&s->free, 1, __ATOMIC_RELEASE);
}

static void threads(bool spoil)
{
	pthread_t t[THREADS];
	struct io_event e[16];
	sigset_t xfsz;

	spoilt = spoil;
	sigemptyset(&xfsz);
	sigaddset(&xfsz, SIGXFSZ);
	pthread_sigmask(SIG_BLOCK, &xfsz, NULL); /* blocked for all of them */
	too_large(spoil);
	shared = context(THREADS * EACH);
	for (int i = 0; i < THREADS; i++)
		for (int k = 0; k < EACH; k++)
			slots[i][k] = (struct slot){ .free = 1 };
	for (int i = 0; i < THREADS; i++)
		EQUAL(pthread_create(&t[i], NULL, submits, slots[i]), 0);
	for (long left = (long)THREADS * EACH * ROUNDS, n; left; left -= n) {
		n = events(shared, 1, 16, e);
		CHECK(n > 0);
		if (n <= 0)
			break;
		for (long i = 0; i < n; i++)
			finished(&e[i]);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	syscall(SYS_io_destroy, shared);
	too_large(false);
	printf("threads: done\n");
}

/* ---- signals and processes ---- */

static aio_context_t handlers_own;
static volatile sig_atomic_t handled;

static void in_handler(int sig)
{
	char piece[64];
	struct iocb io = make(IOCB_CMD_PREAD, file, piece, sizeof piece, 0), *list = &io;
	struct io_event e;

	(void)sig;
	CHECK(submit(handlers_own, 1, &list) == 1 && events(handlers_own, 1, 1, &e) == 1 && e.res == sizeof piece);
	handled++;
}

static void interrupted(void)
{
	struct iocb io = make(IOCB_CMD_PREAD, file, buffer, 4096, 0), *list = &io;
	struct io_event e;
	long r;

	handlers_own = context(64);
	handle(SIGALRM, in_handler, SA_RESTART);
	alarm_every(500);
	for (double end = seconds() + 10; handled < 100 && seconds() < end;) {
		EQUAL(submit(ctx, 1, &list), 1);
		while ((r = events(ctx, 1, 1, &e)) == -EINTR)
			;
		EQUAL(r, 1);
		EQUAL(e.res, 4096);
		EQUAL(io.aio_fildes, file);
	}
	alarm_every(0);
	CHECK(handled >= 100);
	printf("signals: done\n");
}

static void child(void)
{
	struct iocb io = make(IOCB_CMD_PREAD, file, buffer, 100, 0), *list = &io;
	struct io_event e;
	pid_t pid = fork();

	if (pid) {
		EQUAL(wait_status(pid), 0);
		return;
	}
	printf("child: %s\n", said(submit(ctx, 1, &list)));
	ctx = context(1);
	EQUAL(submit(ctx, 1, &list), 1);
	EQUAL(events(ctx, 1, 1, &e), 1);
	EQUAL(e.res, 100);
	fflush(stdout);
	_exit(e2e_status());
}

static void with_mask(void)
{
	struct iocb io = make(IOCB_CMD_PREAD, file, buffer, 100, 0), *list = &io;
	struct io_event e;
	sigset_t set;
	struct {
		const sigset_t *set;
		size_t size;
	} mask = { &set, 8 };

	sigemptyset(&set);
	EQUAL(submit(ctx, 1, &list), 1);
	printf("io_pgetevents: %s", said(call(syscall(SYS_io_pgetevents, ctx, 1, 1, &e, NULL, &mask))));
	printf(", %s\n", said((long)e.res));
}

static void dead_domain(void)
{
	printf("ready\n");
	fflush(stdout);
	getchar();
	for (int i = 0; i < 3; i++)
		show("dead", make(IOCB_CMD_PWRITE, file, buffer, 10, 0));
	show("dead, sync", make(IOCB_CMD_FSYNC, file, NULL, 0, 0));
	show("dead, local", make(IOCB_CMD_PWRITE, local, buffer, 10, 0));
}

int main(int argc, char **argv)
{
	e2e_init(argc, argv);
	setvbuf(stdout, NULL, _IOLBF, 0);
	file = open(in_dir("f"), O_CREAT | O_RDWR | O_TRUNC, 0644);
	local = open("/tmp", O_TMPFILE | O_RDWR, 0600);
	ctx = context(64);
	if (argc > 3) {
		dead_domain();
		return e2e_status();
	}
	transfers();
	wrong_transfers();
	others();
	notification();
	lists();
	limits();
	errors();
	with_mask();
	child();
	threads(false);
	threads(true);
	interrupted();
	return e2e_status();
}
