/* SPDX-License-Identifier: GPL-2.0-or-later */
/* h_small.c - a hard RLIMIT_FSIZE that is smaller than anything the shim needs: it holds for the application's files, and for nothing
 * else. */
#include "e2e.h"
#include <pthread.h>
#include <spawn.h>

#define LARGE 3000000
#define LIMIT 4096

static volatile int hits;
static char large[LARGE];

static void count(int sig)
{
	(void)sig;
	hits++;
}

static void limit_to(rlim_t size)
{
	struct rlimit limit = { size, size };

	EQUAL(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void *use(void *arg)
{
	char name[16], *block = malloc(LARGE);
	int fd, before = open(in_dir("large"), O_RDONLY);

	snprintf(name, sizeof name, "t%d", (int)(intptr_t)arg);
	EQUAL(pread(before, block, LARGE, 0), LARGE);
	CHECK(!memcmp(block, large, LARGE));
	fd = open(in_dir(name), O_RDWR | O_CREAT | O_TRUNC, 0600);
	EQUAL(write(fd, large, LARGE), LIMIT);
	FAILS(write(fd, large, 1), EFBIG);
	EQUAL(pread(fd, block, LARGE, 0), LIMIT);
	EQUAL(close(fd), 0);
	EQUAL(close(before), 0);
	free(block);
	return NULL;
}

static void threads(void)
{
	pthread_t thread[8];

	for (intptr_t i = 0; i < 8; i++)
		CHECK(!pthread_create(&thread[i], NULL, use, (void *)i));
	for (int i = 0; i < 8; i++)
		pthread_join(thread[i], NULL);
}

static void in_child(void (*f)(void))
{
	pid_t pid = fork();

	if (pid == 0) {
		f();
		_exit(e2e_failures != 0);
	}
	EQUAL(wait_status(pid), 0);
}

static void signals(void)
{
	int fd = open(in_dir("s"), O_RDWR | O_CREAT | O_TRUNC, 0600);

	handle(SIGXFSZ, count, SA_RESTART);
	EQUAL(pwrite(fd, large, LARGE, 0), LIMIT);
	EQUAL(hits, 0); /* nothing of ours, either */
	FAILS(pwrite(fd, large, 1, LIMIT), EFBIG);
	EQUAL(hits, 1);
	FAILS(ftruncate(fd, LIMIT + 1), EFBIG);
	EQUAL(hits, 2);
	handle(SIGXFSZ, SIG_IGN, 0);
	EQUAL(close(fd), 0);
}

static const char *self, *side;

/* with enough remote descriptors that what an exec hands on is more than the limit */
static void execute(void)
{
	char number[12];
	int fd = -1;

	for (int i = 0; i < 500; i++)
		fd = open(in_dir("large"), O_RDONLY);
	snprintf(number, sizeof number, "%d", fd);
	execl(self, self, e2e_dir, side, number, NULL);
	_exit(99);
}

/* a program that is on the mount itself */
static void execute_stored(void)
{
	execl(in_dir("program"), "program", "-c", "exit 0", NULL);
	_exit(99);
}

static void copy_program(void)
{
	int from = open("/bin/sh", O_RDONLY), to = open(in_dir("program"), O_WRONLY | O_CREAT | O_TRUNC, 0755);
	char block[65536];
	ssize_t n;

	while ((n = read(from, block, sizeof block)) > 0)
		EQUAL(write(to, block, (size_t)n), n);
	EQUAL(close(from), 0);
	EQUAL(close(to), 0);
}

static void all(void)
{
	use((void *)9);
	threads();
	in_child(threads);
	in_child(execute);
	in_child(execute_stored);
}

static void nothing(void)
{
	struct stat st;

	limit_to(0);
	EQUAL(stat(in_dir("large"), &st), 0);
	in_child(execute);
	FAILS(write(open(in_dir("empty"), O_WRONLY | O_CREAT, 0600), "x", 1), EFBIG);
}

int main(int argc, char **argv)
{
	struct stat st;

	e2e_init(argc, argv);
	for (size_t i = 0; i < LARGE; i++)
		large[i] = (char)pattern(i, 1);
	if (argc > 3) {
		EQUAL(fstat(atoi(argv[3]), &st), 0);
		EQUAL(st.st_size, LARGE);
		return e2e_status();
	}
	self = argv[0];
	side = argv[2];
	make_file("large", large, LARGE);
	copy_program();
	limit_to(LIMIT);
	in_child(signals); /* its first calls */
	signals();
	all();
	in_child(nothing);
	return e2e_status();
}
