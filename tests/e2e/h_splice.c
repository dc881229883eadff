/* SPDX-License-Identifier: GPL-2.0-or-later */
/* h_splice.c - splice between files and pipes: offsets, short counts, who waits, what is refused; nothing is lost; tee. */
#include "e2e.h"

#include <pthread.h>
#include <sys/socket.h>

#define PAGE 4096

static int file, p[2];
static char data[40 * PAGE], back[40 * PAGE];
static volatile sig_atomic_t signals;

static void note(int sig)
{
	(void)sig;
	signals++;
}

static void empty(int from)
{
	int flags = fcntl(from, F_GETFL);

	fcntl(from, F_SETFL, flags | O_NONBLOCK);
	while (read(from, back, sizeof back) > 0)
		;
	fcntl(from, F_SETFL, flags);
}

static void from_file(void)
{
	loff_t at = 100;

	EQUAL(splice(file, &at, p[1], NULL, 5000, 0), 5000);
	EQUAL(at, 5100);
	EQUAL(lseek(file, 0, SEEK_CUR), 0);
	EQUAL(read(p[0], back, sizeof back), 5000);
	CHECK(!memcmp(back, data + 100, 5000));
	EQUAL(lseek(file, 10, SEEK_SET), 10);
	EQUAL(splice(file, NULL, p[1], NULL, 7, SPLICE_F_MOVE | SPLICE_F_MORE), 7);
	EQUAL(lseek(file, 0, SEEK_CUR), 17);
	EQUAL(read(p[0], back, sizeof back), 7);
	CHECK(!memcmp(back, data + 10, 7));
	/* as much as fits, then no more */
	at = 0;
	EQUAL(splice(file, &at, p[1], NULL, sizeof data, SPLICE_F_NONBLOCK), fcntl(p[1], F_GETPIPE_SZ));
	FAILS(splice(file, &at, p[1], NULL, 1, SPLICE_F_NONBLOCK), EAGAIN);
	EQUAL(at, fcntl(p[1], F_GETPIPE_SZ));
	empty(p[0]);
	at = 1; /* pages in part */
	EQUAL(splice(file, &at, p[1], NULL, sizeof data, 0), fcntl(p[1], F_GETPIPE_SZ) - 1);
	EQUAL(read(p[0], back, sizeof back), fcntl(p[1], F_GETPIPE_SZ) - 1);
	CHECK(!memcmp(back, data + 1, (size_t)fcntl(p[1], F_GETPIPE_SZ) - 1));
	at = sizeof data;
	EQUAL(splice(file, &at, p[1], NULL, 10, 0), 0);
	EQUAL(splice(file, &at, p[1], NULL, 0, 0), 0);
}

static void into_file(void)
{
	int out = open(in_dir("out"), O_RDWR | O_CREAT | O_TRUNC, 0600);
	loff_t at = 3;

	EQUAL(write(p[1], data, 50000), 50000);
	EQUAL(splice(p[0], NULL, out, &at, 7, 0), 7);
	EQUAL(at, 10);
	EQUAL(lseek(out, 0, SEEK_CUR), 0);
	EQUAL(splice(p[0], NULL, out, NULL, 1 << 20, 0), 50000 - 7);
	EQUAL(lseek(out, 0, SEEK_CUR), 50000 - 7);
	EQUAL(pread(out, back, sizeof back, 0), 50000 - 7);
	CHECK(!memcmp(back, data + 7, 50000 - 7));
	FAILS(splice(p[0], NULL, out, NULL, 1, SPLICE_F_NONBLOCK), EAGAIN);
	EQUAL(fcntl(p[0], F_SETFL, O_NONBLOCK), 0);
	FAILS(splice(p[0], NULL, out, NULL, 1, 0), EAGAIN);
	EQUAL(fcntl(p[0], F_SETFL, 0), 0);
	EQUAL(close(out), 0);
}

/* A file that takes no more: the rest is still in the pipe. */
static void not_lost(void)
{
	int out = open(in_dir("limited"), O_RDWR | O_CREAT | O_TRUNC, 0600);
	struct rlimit old, limit;

	getrlimit(RLIMIT_FSIZE, &old);
	limit = (struct rlimit){ 3000, old.rlim_max };
	setrlimit(RLIMIT_FSIZE, &limit);
	handle(SIGXFSZ, note, 0);
	EQUAL(write(p[1], data, 9000), 9000);
	EQUAL(splice(p[0], NULL, out, NULL, 9000, 0), 3000);
	signals = 0;
	FAILS(splice(p[0], NULL, out, NULL, 9000, 0), EFBIG);
	EQUAL(signals, 1);
	setrlimit(RLIMIT_FSIZE, &old);
	EQUAL(read(p[0], back, sizeof back), 6000);
	CHECK(!memcmp(back, data + 3000, 6000));
	EQUAL(close(out), 0);
}

static void *later(void *to)
{
	sleep_ms(50);
	if (to)
		EQUAL(write(p[1], "late", 4), 4);
	else
		empty(p[0]);
	return NULL;
}

static void waiting(void)
{
	int out = open(in_dir("out"), O_RDWR | O_CREAT | O_TRUNC, 0600);
	pthread_t t;

	EQUAL(pthread_create(&t, NULL, later, data), 0);
	EQUAL(splice(p[0], NULL, out, NULL, 100, 0), 4);
	pthread_join(t, NULL);
	while (splice(file, &(loff_t){ 0 }, p[1], NULL, sizeof data, SPLICE_F_NONBLOCK) > 0)
		;
	EQUAL(pthread_create(&t, NULL, later, NULL), 0);
	CHECK(splice(file, &(loff_t){ 0 }, p[1], NULL, PAGE, 0) == PAGE);
	pthread_join(t, NULL);
	empty(p[0]);
	handle(SIGALRM, note, 0);
	alarm_every(20000);
	FAILS(splice(p[0], NULL, out, NULL, 100, 0), EINTR);
	alarm_every(0);
	EQUAL(close(out), 0);
}

static void no_number_left(void)
{
	int out = open(in_dir("out"), O_RDWR | O_CREAT | O_TRUNC, 0600), last;
	struct rlimit old, few;

	getrlimit(RLIMIT_NOFILE, &old);
	last = dup(out);
	few = (struct rlimit){ (rlim_t)last + 1, old.rlim_max };
	setrlimit(RLIMIT_NOFILE, &few);
	EQUAL(write(p[1], "abc", 3), 3);
	EQUAL(splice(p[0], NULL, out, NULL, 100, 0), 3);
	FAILS(dup(out), EMFILE);
	setrlimit(RLIMIT_NOFILE, &old);
	EQUAL(dup(out), last + 1);
	close(last + 1);
	close(last);
	EQUAL(close(out), 0);
}

/* What one has taken from a pipe the other has not. */
static void shared_out(void)
{
	enum { TAKERS = 3, TOTAL = 4 << 20 };
	static char seen[TOTAL / 8];
	off_t *moved = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t taker[TAKERS];
	char name[16];
	uint64_t n = 0, twice = 0, missing = 0;
	int q[2];

	EQUAL(pipe(q), 0);
	for (int i = 0; i < TAKERS; i++) {
		snprintf(name, sizeof name, "taker%d", i);
		int out = open(in_dir(name), O_RDWR | O_CREAT | O_TRUNC, 0600);
		if ((taker[i] = fork()) == 0) {
			close(q[1]);
			while ((n = (uint64_t)splice(q[0], NULL, out, NULL, 512, 0)) - 1 < 512)
				moved[i] += (off_t)n;
			_exit(0);
		}
		close(out);
	}
	close(q[0]);
	for (; n < TOTAL / 8; n++)
		if (write(q[1], &n, 8) != 8)
			break;
	EQUAL(n, TOTAL / 8);
	close(q[1]);
	for (int i = 0; i < TAKERS; i++) {
		EQUAL(waitpid(taker[i], NULL, 0), taker[i]);
		snprintf(name, sizeof name, "taker%d", i);
		int in = open(in_dir(name), O_RDONLY);
		/* where nothing is handed over there may be more behind it */
		CHECK(lseek(in, 0, SEEK_END) == moved[i] || (getenv("FC_NOMAP") && lseek(in, 0, SEEK_END) > moved[i]));
		for (off_t at = 0; at + 8 <= moved[i] && pread(in, &n, 8, at) == 8; at += 8)
			if (n < TOTAL / 8)
				twice += seen[n]++;
		close(in);
		EQUAL(unlink(in_dir(name)), 0);
	}
	for (n = 0; n < TOTAL / 8; n++)
		missing += !seen[n];
	EQUAL(twice, 0);
	EQUAL(missing, 0);
}

static void refused(void)
{
	int only_read = open(in_dir("in"), O_RDONLY), only_write = open(in_dir("in"), O_WRONLY);
	int append = open(in_dir("in"), O_WRONLY | O_APPEND), path = open(in_dir("in"), O_PATH), q[2];
	int directory = open(in_dir("."), O_RDONLY), other = open(in_dir("in"), O_RDWR), s[2];
	loff_t at = 0, negative = -1;

	EQUAL(write(p[1], "abc", 3), 3);
	EQUAL(splice(-1, NULL, file, NULL, 0, 0), 0);
	FAILS(splice(-1, NULL, file, NULL, 1, 64), EINVAL);
	FAILS(splice(-1, NULL, file, NULL, 1, 0), EBADF);
	FAILS(splice(file, NULL, -1, NULL, 1, 0), EBADF);
	FAILS(splice(path, NULL, p[1], NULL, 1, 0), EBADF);
	FAILS(splice(p[0], NULL, path, NULL, 1, 0), EBADF);
	FAILS(splice(p[0], &at, file, NULL, 1, 0), ESPIPE);
	FAILS(splice(file, NULL, p[1], &at, 1, 0), ESPIPE);
	FAILS(splice(p[0], &at, only_read, (loff_t *)1, 1, 0), ESPIPE);
	FAILS(splice(p[0], NULL, only_read, (loff_t *)1, 1, 0), EFAULT);
	FAILS(splice(only_write, (loff_t *)1, p[1], NULL, 1, 0), EFAULT);
	FAILS(splice(p[0], NULL, only_read, NULL, 1, 0), EBADF);
	FAILS(splice(only_write, NULL, p[1], NULL, 1, 0), EBADF);
	FAILS(splice(file, NULL, p[0], NULL, 1, 0), EBADF);
	FAILS(splice(p[1], NULL, file, NULL, 1, 0), EBADF);
	FAILS(splice(p[0], NULL, append, NULL, 1, 0), EINVAL);
	FAILS(splice(p[0], NULL, file, &negative, 1, 0), EINVAL);
	FAILS(splice(file, &negative, p[1], NULL, 1, 0), EINVAL);
	FAILS(splice(p[0], NULL, file, NULL, -1ul, 0), EINVAL);
	FAILS(splice(file, NULL, other, NULL, 1, 0), EINVAL);
	FAILS(splice(file, NULL, only_read, NULL, 1, 0), EBADF);
	FAILS(splice(directory, NULL, p[1], NULL, 1, 0), EINVAL);
	EQUAL(socketpair(AF_UNIX, SOCK_STREAM, 0, s), 0);
	FAILS(splice(file, NULL, s[0], NULL, 1, 0), EINVAL);
	FAILS(splice(s[0], NULL, file, NULL, 1, 0), EINVAL);
	EQUAL(read(p[0], back, 10), 3); /* all of it still there */
	FAILS(tee(file, p[1], 1, 0), EINVAL);
	FAILS(tee(p[0], other, 1, 0), EINVAL);
	FAILS(tee(only_write, p[1], 1, 0), EBADF);
	FAILS(tee(p[0], only_read, 1, 0), EBADF);
	FAILS(tee(p[0], path, 1, 0), EBADF);
	FAILS(tee(file, -1, 1, 0), EBADF);
	FAILS(tee(file, -1, 1, 64), EINVAL);
	EQUAL(tee(file, -1, 0, 0), 0);
	FAILS(vmsplice(file, &(struct iovec){ back, 1 }, 1, 0), EBADF);
	/* nobody at the other end */
	EQUAL(pipe(q), 0);
	close(q[1]);
	EQUAL(splice(q[0], NULL, file, NULL, 1, 0), 0);
	close(q[0]);
	EQUAL(pipe(q), 0);
	close(q[0]);
	handle(SIGPIPE, note, 0);
	signals = 0;
	FAILS(splice(file, NULL, q[1], NULL, 1, 0), EPIPE);
	FAILS(splice(file, &(loff_t){ sizeof data }, q[1], NULL, 1, 0), EPIPE);
	EQUAL(signals, 2);
	for (int i = 0; i < 2; i++)
		close(s[i]);
	close(q[1]);
	close(only_read), close(only_write), close(append), close(path), close(directory), close(other);
}

int main(int argc, char **argv)
{
	e2e_init(argc, argv);
	for (size_t i = 0; i < sizeof data; i++)
		data[i] = (char)pattern(i, 1);
	make_file("in", data, sizeof data);
	file = open(in_dir("in"), O_RDWR);
	EQUAL(pipe(p), 0);
	from_file();
	into_file();
	not_lost();
	waiting();
	no_number_left();
	shared_out();
	refused();
	return e2e_status();
}
