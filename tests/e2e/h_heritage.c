/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * h_heritage.c - what children and next images have of delegated files, and of posted writes, that are under way when they begin: by exec beside threads, in
 * signal handlers, in vfork children and theirs, with descriptors in common.
 */
#include "e2e.h"

#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>

#define RECORDS 20000
#define RECORD 16
#define MIB (1 << 20)

static unsigned char *seen; /* records, by whomever; in memory that all have */
static int fd, rounds;
static volatile sig_atomic_t in_child, within;
static volatile int children;

static void *common(size_t n)
{
	void *m = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	CHECK(m != MAP_FAILED);
	return m;
}

static void make_records(void)
{
	static char text[RECORDS * RECORD + 1];

	for (int i = 0; i < RECORDS; i++)
		sprintf(text + i * RECORD, "%015d\n", i);
	make_file("records", text, RECORDS * RECORD);
}

/* One record; false at the end, or in a child whose call has ended. */
static bool take(bool count)
{
	char text[RECORD + 1] = { 0 };

	if (read(fd, text, RECORD) != RECORD)
		return false;
	if (count)
		__atomic_fetch_add(&seen[atoi(text) % RECORDS], 1, __ATOMIC_RELAXED);
	return true;
}

/* How many were not read once; one may be nobody's, who was ended in between. */
static void each_once(int nobodys)
{
	int twice = 0, missing = 0;

	for (int i = 0; i < RECORDS; i++) {
		twice += seen[i] > 1;
		missing += !seen[i];
	}
	EQUAL(twice, 0);
	CHECK(missing <= nobodys);
}

/* ---- exec, beside a thread that is at it ---- */

static void *read_on(void *arg)
{
	while (take(true))
		;
	return arg;
}

static volatile long *written; /* bytes */

static void *write_on(void *arg)
{
	char text[100];

	memset(text, 'x', sizeof text);
	while (write(fd, text, sizeof text) == sizeof text)
		*written += (long)sizeof text;
	return arg;
}

static void again(const char *self, const char *what, void *(*work)(void *), int us)
{
	char numbers[2][12];
	int memory = memfd_create("seen", 0);
	pthread_t thread;

	EQUAL(ftruncate(memory, RECORDS), 0);
	seen = mmap(NULL, RECORDS, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
	written = (volatile long *)(void *)seen;
	EQUAL(pthread_create(&thread, NULL, work, NULL), 0);
	usleep((useconds_t)us);
	snprintf(numbers[0], sizeof numbers[0], "%d", fd);
	snprintf(numbers[1], sizeof numbers[1], "%d", memory);
	execl("/proc/self/exe", self, e2e_dir, e2e_remote ? "remote" : "native", what, numbers[0], numbers[1], NULL);
	_exit(127);
}

static void read_by_next(const char *self, int us)
{
	fd = open(in_dir("records"), O_RDONLY);
	again(self, "read", read_on, us);
}

static void written_before(const char *self, int us)
{
	fd = open(in_dir("written"), O_RDWR | O_CREAT | O_TRUNC, 0644);
	again(self, "written", write_on, us);
}

/* The next image. */
static int next(const char *what, int file, int memory)
{
	struct stat st = { 0 };
	off_t end;

	fd = file;
	seen = mmap(NULL, RECORDS, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
	written = (volatile long *)(void *)seen;
	if (!strcmp(what, "read")) {
		read_on(NULL);
		each_once(1);
		return e2e_status();
	}
	EQUAL(fstat(fd, &st), 0);
	CHECK(st.st_size >= *written && st.st_size <= *written + 100); /* a part of one, by who was killed in it */
	EQUAL(write(fd, "end", 3), 3);
	end = lseek(fd, 0, SEEK_CUR);
	EQUAL(end, st.st_size + 3);
	EQUAL(fstat(fd, &st), 0);
	EQUAL(st.st_size, end);
	return e2e_status();
}

static void executed(const char *self, void (*how)(const char *, int), int least_us)
{
	for (int i = 0; i < rounds; i++) {
		pid_t pid = fork();

		if (!pid) {
			e2e_failures = 0;
			how(self, least_us + i % 16 * 100);
			_exit(1);
		}
		EQUAL(wait_status(pid), 0);
	}
}

/* ---- a handler that forks, in the middle of a call ---- */

static void fork_in(int sig)
{
	int saved = errno;
	pid_t pid;

	(void)sig;
	if (in_child || !within || children > 200)
		return;
	pid = fork();
	if (!pid) {
		in_child = 1;
		e2e_failures = 0;
	} else {
		children++;
	}
	errno = saved;
}

static void end_children(void)
{
	int status;

	alarm_every(0);
	while (wait(&status) > 0 || errno == EINTR)
		EQUAL(status, 0);
}

/* The child goes on from where the parent is: what it reads nobody else does. The record of the call that it comes back to is its parent's. */
static void read_in_child(void)
{
	CHECK(in_child);
	for (int i = 0; i < 3; i++)
		take(true);
	_exit(e2e_status());
}

static void read_beside(void)
{
	memset(seen, 0, RECORDS);
	children = 0;
	fd = open(in_dir("records"), O_RDONLY);
	alarm_every(1000);
	for (;;) {
		char text[RECORD + 1] = { 0 };
		ssize_t n;

		within = 1;
		n = read(fd, text, RECORD);
		within = 0;
		if (in_child)
			read_in_child();
		if (n != RECORD)
			break;
		__atomic_fetch_add(&seen[atoi(text) % RECORDS], 1, __ATOMIC_RELAXED);
	}
	end_children();
	each_once(children);
	close(fd);
}

static void write_beside(void)
{
	char text[64];

	memset(text, 'x', sizeof text);
	children = 0;
	fd = open(in_dir("written"), O_RDWR | O_CREAT | O_TRUNC, 0644);
	for (int i = 0; i < 600; i++)
		EQUAL(write(fd, text, sizeof text), sizeof text);
	handle(SIGALRM, fork_in, 0);
	alarm_every(30 + rand() % 150);
	within = 1;
	for (int i = 0; i < 2000; i++) {
		ssize_t n = write(fd, text, sizeof text);

		if (in_child)
			_exit(n != sizeof text && errno != EINTR);
		EQUAL(n, sizeof text);
	}
	within = 0;
	end_children();
	close(fd);
}

/* ---- vfork ---- */

/* The write with which a file is delegated is a child's. */
static void write_in_vfork(int before)
{
	static char text[2 * MIB];
	pid_t pid;

	fd = open(in_dir("written"), O_WRONLY | O_CREAT | O_TRUNC, 0644);
	for (int i = 0; i < before; i++)
		EQUAL(write(fd, text, 100), 100);
	pid = vfork();
	if (!pid)
		_exit(write(fd, text, 100) != 100);
	EQUAL(wait_status(pid), 0);
	for (int i = 0; i < 100; i++)
		EQUAL(write(fd, text, 100), 100);
	EQUAL(pwrite(fd, text, sizeof text, 0), sizeof text);
	EQUAL(lseek(fd, 0, SEEK_CUR), (before + 101) * 100);
	close(fd);
	unlink(in_dir("written"));
}

/* A child's child has the child's descriptors; and the child has them still when that is over. */
static void vfork_in_vfork(void)
{
	volatile int file = -1, other, status;
	char text[4];
	pid_t pid = vfork(), inner;

	if (!pid) {
		file = open(in_dir("records"), O_RDONLY);
		if (read(file, text, 3) != 3)
			_exit(1);
		inner = vfork();
		if (!inner) {
			if (lseek(file, 0, SEEK_CUR) != 3 || read(file, text, 1) != 1)
				_exit(1);
			close(file);
			other = open(in_dir("records"), O_RDONLY);
			_exit(pread(other, text, 1, 0) != 1);
		}
		status = wait_status(inner);
		if (status)
			_exit(2);
		if (lseek(file, 0, SEEK_CUR) != 4 || read(file, text, 1) != 1)
			_exit(3);
		_exit(open(in_dir("records"), O_RDONLY) != file + 1);
	}
	EQUAL(wait_status(pid), 0);
	FAILS(read(file, text, 1), EBADF);
	fd = open(in_dir("records"), O_RDONLY);
	EQUAL(pread(fd, text, 1, 0), 1);
	close(fd);
}

/* ---- descriptors in common ---- */

/* Where the parent has the file mapped the child has something else. */
static void shared_descriptors(void)
{
	static char text[MIB];
	char *m[32];
	pid_t pid;

	make_file("large", text, sizeof text);
	fd = open(in_dir("large"), O_RDONLY);
	for (int i = 0; i < 500; i++)
		EQUAL(pread(fd, text, 4096, i * 4096 % MIB), 4096);
	pid = (pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, NULL, NULL, NULL, NULL);
	if (pid < 0 && errno == EOPNOTSUPP && getenv("FC_TEST_XEN")) { /* farcall(7) */
		close(fd);
		return;
	}
	CHECK(pid >= 0);
	if (!pid) {
		e2e_failures = 0;
		for (int i = 0; i < 32; i++) {
			m[i] = mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
			memset(m[i], i, MIB);
		}
		EQUAL(pread(fd, text, 4096, 0), 4096);
		pid = fork();
		if (!pid)
			_exit(0);
		EQUAL(wait_status(pid), 0);
		for (int i = 0; i < 32; i++)
			for (int at = 0; at < MIB; at += 4096)
				if (m[i][at] != i)
					_exit(3);
		_exit(e2e_status());
	}
	EQUAL(wait_status(pid), 0);
	close(fd);
}

int main(int argc, char **argv)
{
	e2e_init(argc, argv);
	if (argc > 5)
		return next(argv[3], atoi(argv[4]), atoi(argv[5]));
	rounds = e2e_long ? 35 : 20;
	make_records();
	seen = common(RECORDS);
	executed(argv[0], read_by_next, 300);
	executed(argv[0], written_before, 1000);
	for (int i = 25; i < 35; i++) { /* each in a process that has not posted yet */
		pid_t pid = fork();

		if (!pid) {
			e2e_failures = 0;
			write_in_vfork(i);
			_exit(e2e_status());
		}
		EQUAL(wait_status(pid), 0);
	}
	vfork_in_vfork();
	shared_descriptors();
	handle(SIGALRM, fork_in, 0);
	for (int i = 0; i < rounds / 5; i++)
		read_beside();
	for (int i = 0; i < rounds; i++)
		write_beside();
	return e2e_status();
}
