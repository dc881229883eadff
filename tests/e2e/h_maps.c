/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * h_maps.c - the client's side of t_maps.sh: what is stored in a shared mapping, and nothing more is done about it, comes to be in the file; and what
 * others write there in the mapping. DIR native|remote MODE: says "ready" when somebody is to look, goes on when there is a line to read.
 */
#include "e2e.h"

#include <pthread.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#define SIZE 20000
#define PATIENCE 200 /* hundredths of a second, for what is not coherent at once */

static char *map(int prot, int *fd)
{
	char *p;

	*fd = open(in_dir("file"), prot & PROT_WRITE ? O_RDWR : O_RDONLY);
	p = mmap(NULL, SIZE, prot, MAP_SHARED, *fd, 0);
	if (p == MAP_FAILED) {
		perror("mmap");
		_exit(1);
	}
	return p;
}

static void ready(void)
{
	char line;

	if (write(1, "ready\n", 6) != 6 || read(0, &line, 1) != 1)
		_exit(1);
}

static bool comes(const volatile char *at, const char *text)
{
	for (int i = 0; i < PATIENCE; i++) {
		if (!memcmp((const char *)at, text, strlen(text)))
			return true;
		usleep(10000);
	}
	return false;
}

static int killed(void)
{
	int fd;
	char *p = map(PROT_READ | PROT_WRITE, &fd);

	close(fd);
	memcpy(p + 4096, "dirty", 5);
	ready();
	memcpy(p + 4101, "again", 5);
	return kill(getpid(), SIGKILL);
}

/* There is no lease while the other one has the file open. */
static int shared(void)
{
	int fd;
	char *p = map(PROT_READ | PROT_WRITE, &fd);

	memcpy(p + 100, "mine", 4);
	ready();
	CHECK(comes(p, "theirs"));
	memcpy(p + 200, "later", 5);
	ready();
	CHECK(!memcmp(p + 100, "mine", 4));
	EQUAL(munmap(p, SIZE), 0);
	return close(fd);
}

static int reader(void)
{
	int fd;
	char *p = map(PROT_READ, &fd);

	CHECK(!memcmp(p, "....", 4));
	FAILS(mprotect(p, 4096, PROT_READ | PROT_WRITE), EACCES);
	ready();
	CHECK(comes(p, "theirs"));
	return close(fd);
}

/* Who has made the mapping ends, and its child is still there. */
static int orphan(void)
{
	int fd;
	char *p = map(PROT_READ | PROT_WRITE, &fd);
	pid_t pid;

	memcpy(p, "parent", 6);
	pid = fork();
	if (pid)
		_exit(0);
	close(fd);
	usleep(300000);
	memcpy(p + 10, "child", 5);
	ready();
	memcpy(p + 20, "end", 3);
	return 0;
}

static int executed(void)
{
	int fd;
	char *p = map(PROT_READ | PROT_WRITE, &fd);

	memcpy(p, "before exec", 11);
	ready();
	memcpy(p + 20, "exec", 4);
	return execl("/bin/cat", "cat", in_dir("file"), NULL);
}

static int is_locked(int fd)
{
	struct flock l = { .l_type = F_WRLCK };
	pid_t pid = fork();
	int status;

	if (!pid) {
		fcntl(fd, F_GETLK, &l);
		_exit(l.l_type != F_UNLCK);
	}
	waitpid(pid, &status, 0);
	return WEXITSTATUS(status);
}

/* The end of a mapping costs no lock; that of the last descriptor does. */
static int locks(void)
{
	struct flock l = { .l_type = F_WRLCK };
	int fd, again;
	char *p = map(PROT_READ | PROT_WRITE, &fd);

	EQUAL(fcntl(fd, F_SETLK, &l), 0);
	EQUAL(munmap(p, SIZE), 0);
	EQUAL(is_locked(fd), 1);
	again = open(in_dir("file"), O_RDWR | O_NONBLOCK);
	CHECK(again >= 0);
	close(fd);
	EQUAL(is_locked(again), 0);
	/* and nothing holds the file any more */
	close(again);
	again = open(in_dir("file"), O_RDWR);
	p = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, again, 0);
	CHECK(p != MAP_FAILED);
	return close(again);
}

/* The same file twice, and calls on it: all is one. */
static int twice(void)
{
	int fd, again;
	char *p = map(PROT_READ | PROT_WRITE, &fd), *q, back[8] = { 0 };

	again = open(in_dir("file"), O_RDWR | O_NONBLOCK);
	CHECK(again >= 0);
	q = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, again, 4096);
	CHECK(q != MAP_FAILED);
	memcpy(p + 5000, "one", 3);
	CHECK(!memcmp(q + 904, "one", 3));
	EQUAL(pread(again, back, 3, 5000), 3);
	CHECK(!memcmp(back, "one", 3));
	EQUAL(pwrite(again, "two", 3, 5001), 3);
	CHECK(!memcmp(p + 5000, "otwo", 4));
	EQUAL(ftruncate(again, 5002), 0);
	EQUAL(p[5001], 't');
	EQUAL(p[5002], 0);
	EQUAL(ftruncate(fd, SIZE), 0);
	EQUAL(p[5003], 0);
	EQUAL(lseek(fd, 5100, SEEK_SET), 5100);
	EQUAL(write(fd, "three", 5), 5);
	CHECK(!memcmp(q + 1004, "three", 5));
	/* what is stored behind the end does not make it longer */
	EQUAL(ftruncate(fd, 10), 0);
	p[20] = 'x';
	EQUAL(msync(p, SIZE, MS_SYNC), 0);
	EQUAL(lseek(fd, 0, SEEK_END), 10);
	return 0;
}

/* What the open file and the process are limited to is not what is stored in a mapping is. */
static int flagged(void)
{
	const struct rlimit limit = { 1000, RLIM_INFINITY };
	int fd;
	char *p = map(PROT_READ | PROT_WRITE, &fd);

	EQUAL(fcntl(fd, F_SETFL, O_APPEND), 0);
	memcpy(p + 100, "append", 6);
	EQUAL(msync(p, SIZE, MS_SYNC), 0);
	EQUAL(lseek(fd, 0, SEEK_END), SIZE);
	if (fcntl(fd, F_SETFL, O_APPEND | O_DIRECT) == 0) { /* not on every file system */
		memcpy(p + 201, "direct", 6);
		EQUAL(msync(p, SIZE, MS_SYNC), 0);
		EQUAL(fcntl(fd, F_GETFL) & (O_APPEND | O_DIRECT), O_APPEND | O_DIRECT);
		EQUAL(fcntl(fd, F_SETFL, 0), 0);
	}
	EQUAL(setrlimit(RLIMIT_FSIZE, &limit), 0);
	memcpy(p + 6001, "limit", 5);
	memcpy(p + 998, "across", 6);
	EQUAL(msync(p, SIZE, MS_SYNC), 0);
	EQUAL(lseek(fd, 0, SEEK_END), SIZE);
	return close(fd);
}

/* Somebody makes the file shorter, then longer again. */
static int cut(void)
{
	int fd;
	char *p = map(PROT_READ | PROT_WRITE, &fd);

	memcpy(p + 6000, "gone", 4);
	ready();
	if (e2e_remote)
		memcpy(p + 10000, "nowhere", 7);
	memcpy(p + 4990, "inside", 6);
	p[5001] = 'x';
	usleep(200000);
	EQUAL(msync(p, 8192, MS_SYNC), 0);
	EQUAL(lseek(fd, 0, SEEK_END), 5000);
	ready();
	CHECK(comes(p + 10000, "back"));
	EQUAL(p[6000], 0);
	EQUAL(p[5001], 0);
	CHECK(!memcmp(p + 4990, "inside", 6));
	return close(fd);
}

static int stored_in;
static unsigned rounds = 3000;

/* Bytes of one page, stored by one thread and written by another. */
static void *storing(void *at)
{
	char back;

	for (unsigned i = 0; i < rounds; i++) {
		for (int k = 0; k < 64; k += 2)
			((volatile unsigned char *)at)[k] = (unsigned char)i;
		if (pread(stored_in, &back, 1, 0) != 1)
			_exit(1);
	}
	return NULL;
}

static int beside(void)
{
	pthread_t thread;
	int fd;
	char *p = map(PROT_READ | PROT_WRITE, &fd), byte;

	stored_in = fd;
	if (getenv("FC_TEST_XEN")) /* in an emulator */
		rounds = 100;
	EQUAL(pthread_create(&thread, NULL, storing, p), 0);
	for (unsigned i = 0; i < rounds; i++) {
		byte = (char)i;
		if (pwrite(fd, &byte, 1, 1 + 2 * (i % 32)) != 1 || p[1 + 2 * (i % 32)] != byte) {
			fprintf(stderr, "write %u is lost\n", i);
			return 1;
		}
	}
	pthread_join(thread, NULL);
	return close(fd);
}

/* A file that is delegated is moved to where nothing is handed over, and mapped. */
static int moved(void)
{
	int fd = open(in_dir("file"), O_RDWR);
	char back[8] = { 0 }, *p;

	for (int i = 0; i < 1000; i++)
		if (pread(fd, back, 4, 40) != 4)
			return 1;
	ready();
	p = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(p != MAP_FAILED);
	for (int i = 0; i < 1000 && p != MAP_FAILED; i++) {
		snprintf(p + 40, 8, "%04d", i);
		if (pread(fd, back, 4, 40) != 4 || memcmp(back, p + 40, 4))
			return 1;
	}
	ready(); /* somebody else looks: he need not wait for long */
	return close(fd);
}

static int refused(void)
{
	int fd = open(in_dir("file"), O_RDWR);

	if (e2e_remote)
		FAILS(syscall(SYS_mmap, 0L, 4096L, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0L), ENODEV);
	return close(fd);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(void);
	} mode[] = { { "killed", killed },     { "shared", shared }, { "reader", reader }, { "orphan", orphan },
		     { "executed", executed }, { "locks", locks },   { "twice", twice },   { "refused", refused },
		     { "flagged", flagged },   { "cut", cut },       { "beside", beside }, { "moved", moved } };

	e2e_init(argc, argv);
	for (size_t i = 0; i < sizeof mode / sizeof *mode; i++)
		if (argc > 3 && !strcmp(argv[3], mode[i].name))
			EQUAL(mode[i].run(), 0);
	return e2e_status();
}
