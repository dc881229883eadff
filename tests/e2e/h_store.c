/* SPDX-License-Identifier: GPL-2.0-or-later */
/* h_store.c - writes that a client makes by itself, in its own mapping of a file that is delegated to it: what else a write does is done, too. */
#include "e2e.h"

#include <pthread.h>
#include <sys/inotify.h>

#define SIZE (1l << 20)
#define MANY 300 /* writes until a file is delegated */
#define WRITE_MAX 65536
#define TICKS 30000 /* writes that take some ticks of the clock */

static unsigned seed = 1;

static unsigned any(unsigned below)
{
	seed = seed * 1103515245 + 12345;
	return (seed >> 8) % below;
}

/* A file of that size without holes, which is delegated, if it can be. */
static int begin(const char *name)
{
	static char block[WRITE_MAX];
	int fd = open(in_dir(name), O_RDWR | O_CREAT | O_TRUNC, 0644);

	CHECK(fd >= 0);
	for (long at = 0; at < SIZE; at += WRITE_MAX)
		EQUAL(pwrite(fd, block, WRITE_MAX, at), WRITE_MAX);
	for (int i = 0; i < MANY; i++)
		EQUAL(pwrite(fd, block, 512, i * 512), 512);
	return fd;
}

/* ---- times: as late as the last write, for whoever is told and for who is not ---- */

static struct shared {
	int asked, answered;
	struct timespec time;
} * shared;

static bool is_before(struct timespec a, struct timespec b)
{
	return a.tv_sec < b.tv_sec || (a.tv_sec == b.tv_sec && a.tv_nsec < b.tv_nsec);
}

static void observe(void)
{
	struct stat st;

	for (int n = 1;; n++) {
		while (__atomic_load_n(&shared->asked, __ATOMIC_ACQUIRE) != n)
			usleep(100);
		if (stat(in_dir("times"), &st))
			_exit(1);
		shared->time = st.st_mtim;
		__atomic_store_n(&shared->answered, n, __ATOMIC_RELEASE);
	}
}

/* Nothing is called meanwhile that could tell of the writes. */
static void wait_in_silence(long ns)
{
	struct timespec from, now;

	clock_gettime(CLOCK_MONOTONIC, &from);
	do
		clock_gettime(CLOCK_MONOTONIC, &now);
	while ((now.tv_sec - from.tv_sec) * 1000000000l + now.tv_nsec - from.tv_nsec < ns);
}

static void times(void)
{
	pid_t observer;
	int fd;

	shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (!(observer = fork()))
		observe();
	fd = begin("times");
	for (int round = 1; round <= 40; round++) {
		struct timespec last;
		struct stat st;

		for (unsigned i = any(3000) + 1; i; i--) {
			clock_gettime(CLOCK_REALTIME_COARSE, &last);
			EQUAL(pwrite(fd, &round, sizeof round, any(1000) * 1000), sizeof round);
		}
		if (round % 2) {
			CHECK(round % 4 == 1 ? !fstat(fd, &st) : !stat(in_dir("times"), &st));
			CHECK(!is_before(st.st_mtim, last));
		}
		wait_in_silence(60000000);
		__atomic_store_n(&shared->asked, round, __ATOMIC_RELEASE);
		while (__atomic_load_n(&shared->answered, __ATOMIC_ACQUIRE) != round)
			wait_in_silence(100000);
		CHECK(!is_before(shared->time, last));
	}
	kill(observer, SIGKILL);
	EQUAL(waitpid(observer, NULL, 0), observer);
	EQUAL(close(fd), 0);
}

/* Prints of how many writes in a hundred those see the time who have looked just before: since Linux 6.13 of all, on some file systems. */
static void fine_times(void)
{
	int fd = begin("times"), differ = 0;

	for (int i = 0; i < TICKS; i++) {
		struct stat before, after;

		EQUAL(pwrite(fd, &i, sizeof i, any(1000) * 1000), sizeof i);
		if (i % 300)
			continue;
		EQUAL(i % 600 ? fstat(fd, &before) : stat(in_dir("times"), &before), 0);
		EQUAL(pwrite(fd, &i, sizeof i, any(1000) * 1000), sizeof i);
		EQUAL(fstat(fd, &after), 0);
		differ += is_before(before.st_mtim, after.st_mtim);
	}
	printf("%d\n", differ);
	EQUAL(close(fd), 0);
}

/* The descriptor that it was delegated by has been closed, and another file has its number. */
static void closed(void)
{
	int fd = begin("closed"), other, again = dup(fd);
	struct stat before, after;

	EQUAL(close(fd), 0);
	other = open(in_dir("times"), O_RDWR);
	EQUAL(fstat(other, &before), 0);
	for (int i = 0; i < TICKS; i++) {
		struct timespec now;
		struct stat st;

		clock_gettime(CLOCK_REALTIME_COARSE, &now);
		EQUAL(pwrite(again, &i, sizeof i, any(1000) * 1000), sizeof i);
		if (i % 100)
			continue;
		EQUAL(fstat(again, &st), 0);
		CHECK(!is_before(st.st_mtim, now));
	}
	EQUAL(fstat(other, &after), 0);
	CHECK(!is_before(before.st_mtim, after.st_mtim));
	EQUAL(close(other), 0);
	EQUAL(close(again), 0);
}

/* Whoever watches the file hears of writes within a tick. */
static void watched(void)
{
	char events[4096];
	int fd = begin("watched"), watch = inotify_init1(IN_NONBLOCK);

	CHECK(inotify_add_watch(watch, in_dir("watched"), IN_MODIFY) >= 0);
	for (int round = 0; round < 5; round++) {
		for (int i = 0; i < MANY; i++)
			EQUAL(pwrite(fd, &i, sizeof i, any(1000) * 1000), sizeof i);
		usleep(50000);
		while (read(watch, events, sizeof events) > 0)
			;
		for (int i = 0; i < MANY; i++)
			EQUAL(pwrite(fd, &i, sizeof i, any(1000) * 1000), sizeof i);
		usleep(50000);
		CHECK(read(watch, events, sizeof events) > 0);
	}
	EQUAL(close(watch), 0);
	EQUAL(close(fd), 0);
}

/* ---- order: what is written last is there, however it was written ---- */

static void order(void)
{
	static char is[SIZE + WRITE_MAX], ought[SIZE + WRITE_MAX], piece[WRITE_MAX];
	int fd = begin("order");
	long size = SIZE;

	for (int i = 0; i < 20000; i++) {
		const long at = any(8) ? any(20) * 1000l : any(SIZE), n = any(6) ? any(3000) + 1 : any(WRITE_MAX) + 1;

		memset(piece, i * 7 + i / 256, (size_t)n);
		EQUAL(pwrite(fd, piece, (size_t)n, at), n);
		memcpy(ought + at, piece, (size_t)n);
		size = at + n > size ? at + n : size;
		if (i % 500 == 0) {
			EQUAL(pread(fd, is, sizeof is, 0), size);
			CHECK(!memcmp(is, ought, (size_t)size));
		}
		if (i % 3000 == 2999) {
			size = SIZE - any(100000);
			EQUAL(ftruncate(fd, size), 0);
			EQUAL(ftruncate(fd, SIZE), 0);
			memset(ought + size, 0, sizeof ought - (size_t)size);
			size = SIZE;
		}
	}
	EQUAL(close(fd), 0);
	fd = open(in_dir("order"), O_RDONLY);
	EQUAL(read(fd, is, sizeof is), size);
	CHECK(!memcmp(is, ought, (size_t)size));
	EQUAL(close(fd), 0);
}

/* ---- ends: in the middle of a write, and what comes to be where the mapping was ---- */

#define PLACES 64
static int ending;
static char *place[PLACES];
static unsigned places;

static void end_it(void)
{
	if (places == PLACES || ftruncate(ending, SIZE))
		return;
	char *p = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	memset(p, 0x55, SIZE);
	place[places] = p;
	__atomic_store_n(&places, places + 1, __ATOMIC_RELEASE);
}

static void on_alarm(int sig)
{
	(void)sig;
	end_it();
}

static void *end_again(void *arg)
{
	(void)arg;
	while (__atomic_load_n(&places, __ATOMIC_ACQUIRE) < PLACES) {
		usleep(any(3000));
		end_it();
	}
	return NULL;
}

static void verify_places(void)
{
	static char ought[SIZE];

	memset(ought, 0x55, SIZE);
	for (unsigned i = 0; i < places; i++) {
		CHECK(!memcmp(place[i], ought, SIZE));
		EQUAL(munmap(place[i], SIZE), 0);
	}
	places = 0;
}

static void ends(bool by_thread)
{
	static char is[WRITE_MAX], piece[WRITE_MAX];
	const struct itimerval often = { { 0, 1700 }, { 0, 1700 } }, never = { { 0, 0 }, { 0, 0 } };
	pthread_t thread;

	ending = begin("ends");
	signal(SIGALRM, on_alarm);
	if (by_thread)
		CHECK(!pthread_create(&thread, NULL, end_again, NULL));
	else
		EQUAL(setitimer(ITIMER_REAL, &often, NULL), 0);
	for (int i = 0; __atomic_load_n(&places, __ATOMIC_ACQUIRE) < PLACES; i++) {
		const long at = any(SIZE - WRITE_MAX);

		memset(piece, i, sizeof piece);
		EQUAL(pwrite(ending, piece, sizeof piece, at), WRITE_MAX);
		if (i % 16)
			continue;
		EQUAL(pread(ending, is, sizeof is, at), WRITE_MAX);
		CHECK(!memcmp(is, piece, sizeof is));
	}
	EQUAL(setitimer(ITIMER_REAL, &never, NULL), 0);
	if (by_thread)
		pthread_join(thread, NULL);
	verify_places();
	EQUAL(close(ending), 0);
}

/* ---- beside: who tells others waits for what there is, not for what comes ---- */

static bool enough;

static void *write_on_and_on(void *arg)
{
	const int fd = *(int *)arg;

	for (unsigned i = 0; !__atomic_load_n(&enough, __ATOMIC_RELAXED); i++)
		EQUAL(pwrite(fd, &i, sizeof i, i * 7919l % 1000 * 1000), sizeof i);
	return NULL;
}

static void beside(void)
{
	int fd = begin("beside"), null = open("/dev/null", O_WRONLY);
	const time_t begun = time(NULL);
	pthread_t thread;
	struct stat st;

	CHECK(!pthread_create(&thread, NULL, write_on_and_on, &fd));
	for (int i = 0; i < 1000 && time(NULL) - begun < 20; i++) {
		EQUAL(i % 2 ? write(null, "", 1) - 1 : stat(in_dir("beside"), &st), 0);
		usleep(100); /* which comes after the other's writes, too */
	}
	CHECK(time(NULL) - begun < 20);
	__atomic_store_n(&enough, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	EQUAL(close(null), 0);
	EQUAL(close(fd), 0);
}

/* ---- what a write is not allowed, or does elsewhere ---- */

static void flags(void)
{
	int fd = begin("flags");
	struct stat st;
	char c = 'x';

	EQUAL(fcntl(fd, F_SETFL, O_APPEND), 0);
	for (int i = 0; i < TICKS; i++)
		EQUAL(pwrite(fd, &c, 1, 100), 1); /* pwrite(2), BUGS: at the end */
	EQUAL(fstat(fd, &st), 0);
	EQUAL(st.st_size, SIZE + TICKS);
	EQUAL(pread(fd, &c, 1, 100), 1);
	EQUAL(c, 0);
	EQUAL(fcntl(fd, F_SETFL, 0), 0);
	c = 'y';
	EQUAL(pwrite(fd, &c, 1, 100), 1);
	EQUAL(pread(fd, &c, 1, 100), 1);
	EQUAL(c, 'y');
	FAILS(pwrite(fd, (char *)(long)fd, 5, 100), EFAULT);
	EQUAL(close(fd), 0);
}

static void limits(void)
{
	const struct rlimit some = { 1000, RLIM_INFINITY }, all = { RLIM_INFINITY, RLIM_INFINITY };
	int fd = begin("limits");
	struct rlimit was;
	char bytes[100] = "";

	EQUAL(getrlimit(RLIMIT_FSIZE, &was), 0);
	if (was.rlim_max != RLIM_INFINITY)
		return;
	signal(SIGXFSZ, SIG_IGN);
	EQUAL(setrlimit(RLIMIT_FSIZE, &some), 0);
	EQUAL(pwrite(fd, bytes, 100, 950), 50);
	FAILS(pwrite(fd, bytes, 100, 5000), EFBIG);
	EQUAL(setrlimit(RLIMIT_FSIZE, &all), 0);
	EQUAL(pwrite(fd, bytes, 100, 5000), 100);
	EQUAL(close(fd), 0);
}

/* On a file system that is filled: a hole is made again, and what would fill it has gone elsewhere. */
static void full(void)
{
	static char block[WRITE_MAX];
	int fd = begin("full"), other = open(in_dir("other"), O_WRONLY | O_CREAT | O_TRUNC, 0644);

	EQUAL(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, SIZE / 2, SIZE / 2), 0);
	while (write(other, block, sizeof block) == WRITE_MAX)
		;
	for (int i = 0; i < MANY; i++)
		EQUAL(pwrite(fd, block, 512, i * 512), 512);
	FAILS(pwrite(fd, block, 4096, SIZE / 2 + 8192), ENOSPC);
	EQUAL(unlink(in_dir("other")), 0);
	EQUAL(close(other), 0);
	EQUAL(pwrite(fd, block, 4096, SIZE / 2 + 8192), 4096);
	EQUAL(close(fd), 0);
	EQUAL(unlink(in_dir("full")), 0);
}

/* So many, of 1 KiB, in a file of SIZE. */
static void many(int n)
{
	static char block[1024];
	int fd = begin("many");

	for (int i = 0; i < n; i++)
		EQUAL(pwrite(fd, block, sizeof block, i % 1000 * 1024), sizeof block);
	EQUAL(close(fd), 0);
}

int main(int argc, char **argv)
{
	e2e_init(argc, argv);
	if (argc > 3 && !strcmp(argv[3], "full")) {
		full();
	} else if (argc > 3 && !strcmp(argv[3], "fine")) {
		fine_times();
	} else if (argc > 3) {
		many(atoi(argv[3]));
	} else {
		times();
		closed();
		if (!getenv("FC_NOMAP")) /* there is none to be had there */
			watched();
		order();
		ends(false);
		ends(true);
		beside();
		flags();
		limits();
	}
	return e2e_status();
}
