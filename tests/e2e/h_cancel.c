/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * h_cancel.c - threads are cancelled, and handlers jump, in the middle of calls: nothing may be lost for the threads that
 * stay, and nobody's call may fail because somebody else, or another call, is to end.
 */
#include "e2e.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>

#define STEADY 2
#define CROWD 230 /* close to the number of calls that can be in flight */
#define BIG (24u << 20)

static volatile bool stop;
static int shared_fd, fifo_fd, lock_fd;

/* ---- the threads that stay: every byte is looked at ---- */

static void *steady(void *arg)
{
	unsigned id = (unsigned)(uintptr_t)arg;
	static __thread unsigned char out[150000], in[150000];

	for (unsigned i = 0; !stop && e2e_failures < 20; i++) {
		size_t n = i % 8 ? 3000 : sizeof out;

		for (size_t b = 0; b < n; b += 500)
			out[b] = pattern(b, id + i);
		EQUAL(pwrite(shared_fd, out, n, id << 20), n);
		memset(in, 0, n);
		EQUAL(pread(shared_fd, in, n, id << 20), n);
		for (size_t b = 0; b < n; b += 500)
			CHECK(in[b] == pattern(b, id + i));
	}
	return NULL;
}

/* ---- the threads that are cancelled ---- */

static pthread_key_t key;
static int ended;
static volatile bool may_end; /* its name is not needed any more */

static void on_end(void *value)
{
	(void)value;
	while (!may_end)
		sched_yield();
	__atomic_add_fetch(&ended, 1, __ATOMIC_RELAXED);
}

static void *victim(void *arg)
{
	unsigned kind = (unsigned)(uintptr_t)arg;
	static __thread char buf[200000];
	struct flock lock = { .l_type = F_WRLCK, .l_start = 1, .l_len = 1 };
	struct stat st;
	char path[1024];

	snprintf(path, sizeof path, "%s", in_dir("shared"));
	pthread_setspecific(key, buf);
	if (kind & 1)
		pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
	for (;;) {
		switch (kind / 2 % 5) {
		case 0:
			CHECK(pread(shared_fd, buf, 100, 0) == 100);
			break;
		case 1:
			CHECK(pread(shared_fd, buf, sizeof buf, 0) == sizeof buf);
			break;
		case 2:
			stat(path, &st);
			break;
		case 3:
			CHECK(pwrite(shared_fd, buf, sizeof buf, 100 << 20) == sizeof buf);
			break;
		default:
			fcntl(lock_fd, F_SETLKW, &lock);
		}
		pthread_testcancel();
	}
	return NULL;
}

static void *wait_in_read(void *arg)
{
	char c;

	(void)arg;
	return (void *)read(fifo_fd, &c, 1);
}

/* as many calls in flight as there may be: none of the cancelled threads has taken a place along */
static void crowd(void)
{
	static char bytes[CROWD];
	static pthread_t t[CROWD];
	void *got;

	for (int i = 0; i < CROWD; i++)
		CHECK(!pthread_create(&t[i], NULL, wait_in_read, NULL));
	EQUAL(write(fifo_fd, bytes, CROWD), CROWD);
	for (int i = 0; i < CROWD; i++) {
		CHECK(!pthread_join(t[i], &got));
		EQUAL((long)got, 1);
	}
}

static void cancellations(int kinds)
{
	int limit = e2e_long ? 20000 : 2000;
	unsigned seed = 1;
	pthread_t keep[STEADY], t;
	void *result;

	stop = false;
	for (uintptr_t i = 0; i < STEADY; i++)
		CHECK(!pthread_create(&keep[i], NULL, steady, (void *)(i + 1)));
	for (int i = 0; i < limit && e2e_failures < 20; i++) {
		may_end = false;
		CHECK(!pthread_create(&t, NULL, victim, (void *)(uintptr_t)(i * 2 + kinds)));
		for (volatile int spin = rand_r(&seed) % 60000; spin > 0; spin--)
			;
		CHECK(!pthread_cancel(t));
		if (i % 3 == 0)
			CHECK(!pthread_detach(t));
		may_end = true;
		if (i % 3) {
			CHECK(!pthread_join(t, &result));
			CHECK(result == PTHREAD_CANCELED);
		}
	}
	stop = true;
	for (int i = 0; i < STEADY; i++)
		pthread_join(keep[i], NULL);
	for (int i = 0; i < 5000 && ended < limit; i++)
		sleep_ms(1);
	EQUAL(ended, limit);
	ended = 0;
}

/* all buffers are there for one call */
static void much(void)
{
	char *big = malloc(BIG);
	int fd = open(in_dir("big"), O_RDWR | O_CREAT | O_TRUNC, 0600);

	memset(big, 'x', BIG);
	EQUAL(write(fd, big, BIG), BIG);
	EQUAL(close(fd), 0);
	EQUAL(unlink(in_dir("big")), 0);
	free(big);
}

/* a cancelled wait for a lock must not end in having it */
static void *wait_for_lock(void *arg)
{
	if (arg)
		pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
	fcntl(lock_fd, F_SETLKW, &(struct flock){ .l_type = F_WRLCK, .l_start = 7, .l_len = 1 });
	return NULL;
}

static void lock_waits(void)
{
	struct flock lock = { .l_type = F_WRLCK, .l_start = 7, .l_len = 1 };
	int ready[2], over[2];
	pthread_t t;
	pid_t pid;
	char c;

	for (uintptr_t async = 0; async < 2; async++) {
		EQUAL(pipe(ready), 0);
		EQUAL(pipe(over), 0);
		pid = fork();
		if (pid == 0) {
			int fd = open(in_dir("lock"), O_RDWR);

			if (fcntl(fd, F_SETLKW, &lock) || write(ready[1], "x", 1) != 1)
				_exit(1);
			close(over[1]);
			_exit(read(over[0], &c, 1) != 0);
		}
		EQUAL(read(ready[0], &c, 1), 1);
		CHECK(!pthread_create(&t, NULL, wait_for_lock, (void *)async));
		sleep_ms(50);
		CHECK(!pthread_cancel(t));
		CHECK(!pthread_join(t, NULL));
		close(over[1]);
		EQUAL(wait_status(pid), 0);
		sleep_ms(20);
		pid = fork(); /* another process sees who has it: nobody */
		if (pid == 0) {
			struct flock seen = lock;

			_exit(fcntl(lock_fd, F_GETLK, &seen) || seen.l_type != F_UNLCK);
		}
		EQUAL(wait_status(pid), 0);
		close(ready[0]), close(ready[1]), close(over[0]);
	}
}

/* ---- who is to end, and which call ---- */

static sigjmp_buf jump;
static volatile int stage;

static void jump_out(int sig)
{
	(void)sig;
	siglongjmp(jump, 1);
}

/* another description of the same file */
static int lock_again(void)
{
	return open(in_dir("lock"), O_RDWR);
}

/* A call that waits and is no cancellation point, made once the thread has been cancelled. */
static void locked_when_cancelled(int fd)
{
	stage = 2;
	while (stage != 3)
		;
	EQUAL(flock(fd, LOCK_EX), 0);
	EQUAL(flock(fd, LOCK_UN), 0);
}

/* A jump out of a call at which the thread may be cancelled; then others, with cancellation put off: they go on. */
static void *jumped(void *arg)
{
	char c;
	int fd = lock_again();

	handle(SIGUSR1, jump_out, 0);
	if (!sigsetjmp(jump, 1)) {
		stage = 1;
		read(fifo_fd, &c, 1);
		CHECK(!"nobody has written");
	}
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
	locked_when_cancelled(fd);
	EQUAL(close(fd), 0);
	return arg;
}

static int handler_fd;

static void wait_in_handler(int sig)
{
	int saved = errno;

	(void)sig;
	locked_when_cancelled(handler_fd);
	errno = saved;
}

/* A handler's own call, on top of one that is to end: glibc ends the thread right there, others let it finish. */
static void *handled(void *arg)
{
	char c;

	(void)arg;
	handle(SIGUSR1, wait_in_handler, SA_RESTART);
	stage = 1;
	read(fifo_fd, &c, 1);
	pthread_testcancel();
	CHECK(!"the thread ends");
	return NULL;
}

static void await(int n)
{
	for (int i = 0; i < 5000 && stage != n; i++)
		sleep_ms(1);
	sleep_ms(20);
}

static void other_calls(void *(*f)(void *))
{
	int fd = lock_again();
	void *result;
	pthread_t t;

	stage = 0;
	handler_fd = lock_again();
	EQUAL(flock(fd, LOCK_EX), 0);
	CHECK(!pthread_create(&t, NULL, f, NULL));
	await(1);
	pthread_kill(t, SIGUSR1);
	await(2);
	CHECK(!pthread_cancel(t));
	stage = 3;
	sleep_ms(100);
	EQUAL(flock(fd, LOCK_UN), 0);
	CHECK(!pthread_join(t, &result));
	CHECK(result == (f == handled ? PTHREAD_CANCELED : NULL));
	EQUAL(close(fd), 0);
	EQUAL(close(handler_fd), 0);
}

/* What the domain says of us: requests that wait, workers that are awake; false: nothing. */
static bool figures(const char *command, unsigned *queued, unsigned *awake)
{
	char line[400];
	bool found = false;
	FILE *f = popen(command, "r");
	int pid;

	while (f && fgets(line, sizeof line, f))
		if (sscanf(line, "%*u %d %*s %u %u/", &pid, queued, awake) == 3 && pid == getpid())
			found = true;
	return f && !pclose(f) && found;
}

/* ---- opens that are cancelled: what they were about to open is nobody's ---- */

static void *opener(void *arg)
{
	(void)arg;
	open(in_dir("opened"),
	     O_RDONLY); /* waits for a writer; the descriptor is left to the end of the process, if there is one */
	return NULL;
}

static int lowest_free(void)
{
	int fd = open("/dev/null", O_RDONLY);

	close(fd);
	return fd;
}

static void cancelled_opens(void)
{
	int before = lowest_free();
	pthread_t t;

	EQUAL(mkfifo(in_dir("opened"), 0600), 0);
	for (unsigned i = 0; i < 40; i++) {
		CHECK(!pthread_create(&t, NULL, opener, NULL));
		sleep_ms(1 + i % 3);
		pthread_cancel(t);
		pthread_join(t, NULL);
	}
	EQUAL(lowest_free(), before);
	FAILS(open(in_dir("opened"), O_WRONLY | O_NONBLOCK), ENXIO);
}

static void nothing_in_flight(void)
{
	unsigned queued = 1, awake = 1;
	char command[1024];

	if (!e2e_remote || !getenv("FARCALL"))
		return;
	snprintf(command, sizeof command, "'%s' stat", getenv("FARCALL"));
	for (int i = 0; i < 30 && (queued || awake); i++) {
		sleep_ms(50);
		if (!figures(command, &queued, &awake))
			return;
	}
	EQUAL(queued, 0);
	EQUAL(awake, 0);
}

int main(int argc, char **argv)
{
	static char zeros[300000];

	e2e_init(argc, argv);
	shared_fd = open(in_dir("shared"), O_RDWR | O_CREAT, 0600);
	lock_fd = open(in_dir("lock"), O_RDWR | O_CREAT, 0600);
	EQUAL(pwrite(shared_fd, zeros, sizeof zeros, 0), sizeof zeros);
	EQUAL(mkfifo(in_dir("fifo"), 0600), 0);
	fifo_fd = open(in_dir("fifo"), O_RDWR);
	CHECK(fifo_fd >= 0);
	CHECK(!pthread_key_create(&key, on_end));
	other_calls(jumped);
	other_calls(handled);
	lock_waits();
	cancelled_opens();
	cancellations(0);
	cancellations(1);
	nothing_in_flight();
	much();
	crowd();
	return e2e_status();
}
