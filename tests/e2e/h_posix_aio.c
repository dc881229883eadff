/* SPDX-License-Identifier: GPL-2.0-or-later */
/* h_posix_aio.c - aio_read(3) and its relatives, which the C library makes of threads: every way to be told, lists, errors, many at once. */
#include "tests/e2e/e2e.h"

#include <aio.h>
#include <semaphore.h>

#define MANY 64
#define SIZE 3000

static int file;
static sem_t told;
static volatile sig_atomic_t value;

static void on_signal(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	CHECK(info->si_code == SI_ASYNCIO);
	value = info->si_value.sival_int;
	sem_post(&told);
}

static void in_thread(union sigval v)
{
	value = v.sival_int;
	sem_post(&told);
}

static struct aiocb make(void *buf, size_t n, off_t at)
{
	return (struct aiocb){ .aio_fildes = file,
			       .aio_buf = buf,
			       .aio_nbytes = n,
			       .aio_offset = at,
			       .aio_sigevent.sigev_notify = SIGEV_NONE };
}

static void signalled(struct aiocb *a, int n)
{
	a->aio_sigevent =
		(struct sigevent){ .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN, .sigev_value.sival_int = n };
}

static ssize_t finish(struct aiocb *a)
{
	const struct aiocb *list[] = { a };

	while (aio_error(a) == EINPROGRESS)
		aio_suspend(list, 1, NULL);
	return aio_return(a);
}

/* a notification has come, with this value */
static void is_told(int n)
{
	while (sem_wait(&told) < 0 && errno == EINTR)
		;
	EQUAL(value, n);
}

static void one(void)
{
	char data[SIZE], back[SIZE] = { 0 };
	struct aiocb a = make(data, SIZE, 10);

	memset(data, 'x', SIZE);
	signalled(&a, 7);
	EQUAL(aio_write(&a), 0);
	is_told(7);
	EQUAL(finish(&a), SIZE);
	a = make(back, SIZE, 10);
	a.aio_sigevent = (struct sigevent){ .sigev_notify = SIGEV_THREAD,
					    .sigev_notify_function = in_thread,
					    .sigev_value.sival_int = 8 };
	EQUAL(aio_read(&a), 0);
	is_told(8);
	EQUAL(finish(&a), SIZE);
	CHECK(!memcmp(data, back, SIZE));
	a = make(NULL, 0, 0);
	EQUAL(aio_fsync(O_DSYNC, &a), 0);
	EQUAL(finish(&a), 0);
	a = make(back, SIZE, 100);
	EQUAL(aio_read(&a), 0);
	EQUAL(finish(&a), SIZE - 90);
	EQUAL(aio_cancel(file, &a), AIO_ALLDONE);
	EQUAL(aio_cancel(file, NULL), AIO_ALLDONE);
}

static void lists(void)
{
	static char data[MANY][SIZE], back[MANY][SIZE];
	struct aiocb a[MANY], *list[MANY];
	struct sigevent all;

	for (int i = 0; i < MANY; i++) {
		memset(data[i], i, SIZE);
		a[i] = make(data[i], SIZE, (off_t)i * SIZE);
		a[i].aio_lio_opcode = LIO_WRITE;
		list[i] = &a[i];
	}
	EQUAL(lio_listio(LIO_WAIT, list, MANY, NULL), 0);
	for (int i = 0; i < MANY; i++) {
		EQUAL(finish(&a[i]), SIZE);
		a[i] = make(back[i], SIZE, (off_t)i * SIZE);
		a[i].aio_lio_opcode = LIO_READ;
	}
	signalled(&a[0], 9); /* for its sigevent */
	all = a[0].aio_sigevent;
	a[0].aio_sigevent.sigev_notify = SIGEV_NONE;
	EQUAL(lio_listio(LIO_NOWAIT, list, MANY, &all), 0);
	is_told(9);
	for (int i = 0; i < MANY; i++)
		EQUAL(finish(&a[i]), SIZE);
	CHECK(!memcmp(data, back, sizeof data));
	a[5].aio_fildes = 999;
	FAILS(lio_listio(LIO_WAIT, list, MANY, NULL), EIO);
	EQUAL(aio_error(&a[5]), EBADF);
	EQUAL(finish(&a[5]), -1);
}

static void errors(void)
{
	const int reads = open(in_dir("f"), O_RDONLY);
	char data[10] = "";
	struct aiocb a = make(data, sizeof data, 0);

	a.aio_fildes = reads;
	EQUAL(aio_write(&a), 0);
	EQUAL(finish(&a), -1);
	EQUAL(aio_error(&a), EBADF);
	a = make((void *)16, sizeof data, 0);
	EQUAL(aio_read(&a), 0);
	EQUAL(finish(&a), -1);
	EQUAL(aio_error(&a), EFAULT);
	close(reads);
}

static void append(void)
{
	char line[] = "line\n";
	struct aiocb a[20];
	struct stat st;

	EQUAL(ftruncate(file, 0), 0);
	EQUAL(fcntl(file, F_SETFL, O_APPEND), 0);
	for (int i = 0; i < 20; i++) {
		a[i] = make(line, 5, 0);
		EQUAL(aio_write(&a[i]), 0);
	}
	for (int i = 0; i < 20; i++)
		EQUAL(finish(&a[i]), 5);
	EQUAL(fstat(file, &st), 0);
	EQUAL(st.st_size, 100);
}

int main(int argc, char **argv)
{
	struct sigaction sa = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART };

	e2e_init(argc, argv);
	sem_init(&told, 0, 0);
	sigaction(SIGRTMIN, &sa, NULL);
	file = open(in_dir("f"), O_CREAT | O_RDWR | O_TRUNC, 0644);
	CHECK(file >= 0);
	one();
	lists();
	errors();
	append();
	return e2e_status();
}
