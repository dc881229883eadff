/* SPDX-License-Identifier: GPL-2.0-or-later */
/* h_threads.c - many threads: private and shared files, races of dup and close, cancellation, more threads than entries. */
#include "e2e.h"

#include <pthread.h>

#define THREADS 16

static int shared_fd, rounds, race_fd = -1;
static volatile bool stop;

static void *own_file(void *arg)
{
	unsigned id = (unsigned)(uintptr_t)arg;
	char name[32], path[1024], buf[9000];

	snprintf(name, sizeof name, "thread%u", id);
	snprintf(path, sizeof path, "%s/%s", e2e_dir, name);
	for (int i = 0; i < rounds; i++) {
		size_t n = 1 + (size_t)(i * 977) % sizeof buf;
		int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
		struct stat st;

		CHECK(fd >= 0);
		for (size_t b = 0; b < n; b++)
			buf[b] = (char)pattern(b, id + (unsigned)i);
		EQUAL(write(fd, buf, n), n);
		EQUAL(fstat(fd, &st), 0);
		EQUAL(st.st_size, n);
		memset(buf, 0, n);
		EQUAL(pread(fd, buf, n, 0), n);
		for (size_t b = 0; b < n; b++) {
			if (buf[b] != (char)pattern(b, id + (unsigned)i)) {
				CHECK(!"the bytes are those written");
				break;
			}
		}
		EQUAL(close(fd), 0);
		if (i % 8 == 7)
			EQUAL(unlink(path), 0);
	}
	return NULL;
}

static void *slice(void *arg)
{
	unsigned id = (unsigned)(uintptr_t)arg;
	static __thread char buf[70000], back[70000];

	for (int i = 0; i < rounds; i++) {
		size_t n = i % 7 ? 512 : sizeof buf;

		memset(buf, (int)(id * 16 + (unsigned)i % 16), n);
		EQUAL(pwrite(shared_fd, buf, n, id * 70000), n);
		EQUAL(pread(shared_fd, back, n, id * 70000), n);
		CHECK(!memcmp(buf, back, n));
	}
	return NULL;
}

static void *racer(void *arg)
{
	unsigned id = (unsigned)(uintptr_t)arg, seed = id;
	char buf[100];

	while (!stop) {
		int fd = __atomic_load_n(&race_fd, __ATOMIC_RELAXED), copy;
		ssize_t r;

		switch (rand_r(&seed) % 5) {
		case 0:
			copy = open(in_dir("race"), O_RDWR);
			CHECK(copy >= 0);
			fd = __atomic_exchange_n(&race_fd, copy, __ATOMIC_RELAXED);
			if (fd >= 0)
				CHECK(close(fd) == 0);
			break;
		case 1:
			copy = dup(fd);
			CHECK(copy >= 0 || errno == EBADF);
			if (copy >= 0)
				CHECK(close(copy) == 0);
			break;
		default:
			r = pread(fd, buf, sizeof buf, 0);
			/* it may be closed, or be another file by now, but never something else */
			CHECK(r == 100 || (r == -1 && errno == EBADF));
		}
		if (e2e_failures > 20)
			break;
	}
	return NULL;
}

/* Half of them open and close as fast as they can; what the others read is there, or is not. */
static void *blinker(void *arg)
{
	struct iovec iov = { .iov_len = 1 };
	char c;
	ssize_t r;

	iov.iov_base = &c;
	while (!stop && e2e_failures < 20) {
		int fd = race_fd;

		if ((uintptr_t)arg % 2) {
			fd = open(in_dir("race"), O_RDONLY);
			__atomic_store_n(&race_fd, fd, __ATOMIC_RELAXED);
			CHECK(close(fd) == 0);
			continue;
		}
		r = rand() % 2 ? pread(fd, &c, 1, 0) : readv(fd, &iov, 1);
		CHECK(r == 1 || r == 0 || (r == -1 && errno == EBADF));
	}
	return NULL;
}

static void together(void *(*f)(void *))
{
	pthread_t t[THREADS];

	stop = false;
	for (uintptr_t i = 0; i < THREADS; i++)
		CHECK(!pthread_create(&t[i], NULL, f, (void *)i));
	if (f == racer || f == blinker) {
		sleep_ms(e2e_long ? 5000 : 1000);
		stop = true;
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
}

static void *one_call(void *arg)
{
	struct stat st;

	(void)arg;
	CHECK(stat(in_dir("race"), &st) == 0 && st.st_size == 100);
	return NULL;
}

static void *wait_in_flock(void *arg)
{
	int fd = open(in_dir("locked"), O_RDWR);

	(void)arg;
	fcntl(fd, F_SETLKW, &(struct flock){ .l_type = F_WRLCK }); /* a cancellation point; flock is none */
	return NULL;
}

static void *wait_in_read(void *arg)
{
	char c;

	return (void *)read(*(int *)arg, &c, 1);
}

static void cancellation(void)
{
	int fd = open(in_dir("locked"), O_RDWR | O_CREAT, 0600), fifo, go[2];
	pthread_t t;
	double began;
	void *result;
	pid_t pid;
	char c;

	EQUAL(pipe(go), 0);
	pid = fork();
	if (pid == 0) {
		int mine = open(in_dir("locked"), O_RDWR);

		if (fcntl(mine, F_SETLKW, &(struct flock){ .l_type = F_WRLCK }) || write(go[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	EQUAL(read(go[0], &c, 1), 1);
	began = seconds();
	CHECK(!pthread_create(&t, NULL, wait_in_flock, NULL));
	sleep_ms(100);
	CHECK(!pthread_cancel(t));
	CHECK(!pthread_join(t, &result));
	CHECK(result == PTHREAD_CANCELED);
	EQUAL(mkfifo(in_dir("cancelfifo"), 0600), 0);
	fifo = open(in_dir("cancelfifo"), O_RDWR);
	CHECK(fifo >= 0);
	CHECK(!pthread_create(&t, NULL, wait_in_read, &fifo));
	sleep_ms(100);
	CHECK(!pthread_cancel(t));
	CHECK(!pthread_join(t, &result));
	CHECK(result == PTHREAD_CANCELED);
	CHECK(seconds() - began < 5);
	kill(pid, SIGKILL);
	wait_status(pid);
	EQUAL(fcntl(fd, F_SETLK, &(struct flock){ .l_type = F_WRLCK }), 0);
	EQUAL(close(fd), 0);
	/* calls of cancelled threads give their entries back */
	for (int i = 0; i < 300; i++) {
		CHECK(!pthread_create(&t, NULL, wait_in_read, &fifo));
		if (i % 3 == 0)
			sleep_ms(1);
		CHECK(!pthread_cancel(t));
		CHECK(!pthread_join(t, NULL));
	}
	EQUAL(write(fifo, "x", 1), 1);
	EQUAL(read(fifo, &c, 1), 1);
	EQUAL(close(fifo), 0);
}

static void *forker(void *arg)
{
	(void)arg;
	for (int i = 0; i < (e2e_long ? 100 : 10); i++) {
		pid_t pid = fork();

		if (pid == 0) {
			struct stat st;
			int fd = open(in_dir("race"), O_RDONLY);

			_exit(fd < 0 || fstat(fd, &st) || st.st_size != 100 || fstat(shared_fd, &st));
		}
		EQUAL(wait_status(pid), 0);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	static char hundred[100];
	pthread_t t[100];

	e2e_init(argc, argv);
	rounds = e2e_long ? 1000 : 60;
	make_file("race", hundred, sizeof hundred);
	shared_fd = open(in_dir("shared"), O_RDWR | O_CREAT, 0600);
	together(own_file);
	together(slice);
	together(racer);
	together(blinker);
	/* more threads, one after the other and at once, than there are entries */
	for (int i = 0; i < 6; i++) {
		for (int j = 0; j < 100; j++)
			CHECK(!pthread_create(&t[j], NULL, one_call, NULL));
		for (int j = 0; j < 100; j++)
			pthread_join(t[j], NULL);
	}
	cancellation();
	together(forker);
	return e2e_status();
}
