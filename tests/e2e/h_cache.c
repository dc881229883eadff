/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * h_cache.c - a file that one program has open alone, reads and writes: what it reads is what it has written, by whatever call, in whichever thread.
 *   h_cache calls FILE      each kind of call that changes what is in a file, after it has been read so often that it is known by heart
 *   h_cache threads FILE    threads write while others read
 *   h_cache count FILE N    N reads of a file that is open for writing
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define LENGTH (1 << 20)
#define AT 40000 /* in the middle of a block, and of a page */

static char text[LENGTH], mirror[LENGTH];
static int fd, failures;

static void die(const char *what)
{
	fprintf(stderr, "h_cache: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* All of it as it should be: read in pieces that are served from what is known. */
static void same(const char *after)
{
	static const size_t piece[] = { 512, 5000, 65536 };

	for (unsigned i = 0; i < 3; i++)
		for (size_t at = 0; at < LENGTH; at += piece[i]) {
			size_t n = LENGTH - at < piece[i] ? LENGTH - at : piece[i];

			if (pread(fd, text, n, (off_t)at) == (ssize_t)n && !memcmp(text, mirror + at, n))
				continue;
			fprintf(stderr, "after %s: wrong at %zu\n", after, at);
			failures++;
			return;
		}
}

static void begin(const char *path)
{
	for (int i = 0; i < LENGTH; i++)
		mirror[i] = (char)(i * 7 + i / 4096);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0644);
	if (fd < 0 || write(fd, mirror, LENGTH) != LENGTH)
		die(path);
	same("nothing");
}

/* What is to be there from AT on. */
static char *change(size_t n, size_t at)
{
	static unsigned dice = 1;

	for (size_t i = 0; i < n; i++)
		mirror[at + i] = (char)((dice = dice * 1103515245 + 12345) >> 16);
	return mirror + at;
}

static void is(long r, long wanted, const char *what)
{
	if (r != wanted) {
		fprintf(stderr, "%s: %ld, not %ld: %s\n", what, r, wanted, strerror(errno));
		failures++;
	}
	same(what);
}

static void writes(void)
{
	struct iovec v[2];
	const off_t end = LENGTH;
	int copy = dup(fd);

	is(pwrite(fd, change(100, AT), 100, AT), 100, "pwrite");
	is(pwrite(copy, change(9000, AT), 9000, AT), 9000, "pwrite to a copy");
	is(pwrite(fd, change(300000, AT), 300000, AT), 300000, "a large pwrite");
	v[0] = (struct iovec){ change(10, AT), 10 };
	v[1] = (struct iovec){ change(20000, AT + 10), 20000 };
	is(pwritev(fd, v, 2, AT), 20010, "pwritev");
	is(pwritev2(fd, v, 1, AT, RWF_DSYNC), 10, "pwritev2");
	lseek(fd, AT, SEEK_SET);
	is(write(fd, change(77, AT), 77), 77, "write");
	is(write(fd, change(40000, AT + 77), 40000), 40000, "write again");
	lseek(copy, AT, SEEK_SET);
	is(writev(copy, v, 1), (memcpy(mirror + AT, v[0].iov_base, 10), 10), "writev");
	fcntl(fd, F_SETFL, O_APPEND);
	is(write(fd, "appended", 8), 8, "an appending write");
	fcntl(fd, F_SETFL, 0);
	is(ftruncate(fd, end), 0, "ftruncate");
	close(copy);
}

static void copies(const char *path)
{
	char name[4096];
	off_t from = 100000, to = AT;
	int other, p[2];

	memcpy(mirror + AT, mirror + from, 5000);
	is(copy_file_range(fd, &from, fd, &to, 5000, 0), 5000, "copy_file_range");
	snprintf(name, sizeof name, "%s.other", path);
	other = open(name, O_RDWR | O_CREAT | O_TRUNC, 0644);
	if (other < 0 || write(other, change(5000, AT), 5000) != 5000)
		die(name);
	from = 0;
	lseek(fd, AT, SEEK_SET);
	is(sendfile(fd, other, &from, 5000), 5000, "sendfile");
	if (pipe(p) || write(p[1], change(3000, AT), 3000) != 3000)
		die("pipe");
	to = AT;
	is(splice(p[0], NULL, fd, &to, 3000, 0), 3000, "splice");
	close(other);
	close(p[0]);
	close(p[1]);
	unlink(name);
}

static void lengths(const char *path)
{
	is(ftruncate(fd, AT) || ftruncate(fd, LENGTH), (memset(mirror + AT, 0, LENGTH - AT), 0), "ftruncate");
	is(pwrite(fd, change(LENGTH - AT, AT), LENGTH - AT, AT), LENGTH - AT, "pwrite");
	is(truncate(path, AT + 5) || truncate(path, LENGTH), (memset(mirror + AT + 5, 0, LENGTH - AT - 5), 0),
	   "truncate");
	is(pwrite(fd, change(LENGTH - AT, AT), LENGTH - AT, AT), LENGTH - AT, "pwrite");
	if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, AT, 4000) == 0)
		memset(mirror + AT, 0, 4000);
	same("fallocate");
}

static void others(const char *path)
{
	int other = open(path, O_RDWR), status = 1;
	char *m;

	is(pwrite(other, change(5000, AT), 5000, AT), 5000, "another open file");
	close(other);
	same("close");
	change(5000, AT);
	if (!fork())
		_exit(pwrite(fd, mirror + AT, 5000, AT) != 5000);
	wait(&status);
	is(status, 0, "a child");
	fd = open(path, O_RDWR); /* one that it has not */
	same("open");
	m = mmap(NULL, LENGTH, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (m != MAP_FAILED) {
		memcpy(m + AT, change(3000, AT), 3000);
		same("a mapping");
		munmap(m, LENGTH);
	}
	same("no mapping any more");
}

static sigjmp_buf back;
static void jump(int sig)
{
	siglongjmp(back, sig);
}

/* Reads that are left at any point. */
static void jumps(void)
{
	const struct itimerval soon = { { 0, 0 }, { 0, 150 } };

	signal(SIGALRM, jump);
	for (volatile int i = 0; i < 300; i++) {
		if (sigsetjmp(back, 1))
			continue;
		setitimer(ITIMER_REAL, &soon, NULL);
		for (int k = 0;; k++) {
			if (k % 64 == 5 && pwrite(fd, mirror + AT + k, 100, AT + k) != 100)
				die("pwrite");
			pread(fd, text, 3000, k * 4099 % (LENGTH - 3000));
		}
	}
	signal(SIGALRM, SIG_IGN);
	same("jumps");
}

/* ---- threads ---- */

#define RECORDS 256
#define RECORD 4096
static uint64_t written[RECORDS];
static bool over;

static void *writer(void *arg)
{
	const unsigned self = (unsigned)(uintptr_t)arg;
	uint64_t record[RECORD / 8];

	for (uint64_t version = 1; !__atomic_load_n(&over, __ATOMIC_RELAXED); version++)
		for (unsigned i = self; i < RECORDS; i += 2) {
			const size_t n = version % 3 ? 64 : sizeof record;

			for (unsigned k = 0; k < n / 8; k++)
				record[k] = version;
			if (pwrite(fd, record, n, i * RECORD) != (ssize_t)n)
				die("pwrite");
			__atomic_store_n(&written[i], version, __ATOMIC_RELEASE);
		}
	return NULL;
}

static void *reader(void *arg)
{
	unsigned dice = (unsigned)(uintptr_t)arg;
	uint64_t had[RECORDS] = { 0 }, before, now;

	while (!__atomic_load_n(&over, __ATOMIC_RELAXED)) {
		const unsigned i = (dice = dice * 1103515245 + 12345) / 65536 % RECORDS;

		before = __atomic_load_n(&written[i], __ATOMIC_ACQUIRE);
		if (pread(fd, &now, 8, i * RECORD) != 8)
			die("pread");
		if (now < before || now < had[i]) {
			fprintf(stderr, "%u: %lu after %lu was written, %lu was read\n", i, (unsigned long)now,
				(unsigned long)before, (unsigned long)had[i]);
			__atomic_fetch_add(&failures, 1, __ATOMIC_RELAXED);
			return NULL;
		}
		had[i] = now;
	}
	return NULL;
}

static void threads(void)
{
	pthread_t t[4];

	memset(mirror, 0, LENGTH);
	is(pwrite(fd, mirror, LENGTH, 0), LENGTH, "pwrite");
	for (uintptr_t i = 0; i < 4; i++)
		if (pthread_create(&t[i], NULL, i < 2 ? writer : reader, (void *)i))
			die("pthread_create");
	sleep(2);
	__atomic_store_n(&over, true, __ATOMIC_RELAXED);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
}

int main(int argc, char **argv)
{
	if (argc < 3)
		return 2;
	begin(argv[2]);
	if (!strcmp(argv[1], "calls")) {
		writes();
		copies(argv[2]);
		lengths(argv[2]);
		jumps();
		others(argv[2]);
	} else if (!strcmp(argv[1], "threads")) {
		threads();
	} else {
		for (long i = 0; i < atol(argv[3]); i++)
			if (pread(fd, text, 700, i * 701 % (LENGTH - 700)) != 700)
				die("pread");
	}
	return failures != 0;
}
