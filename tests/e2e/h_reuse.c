/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * h_reuse.c - the domain's own numbers of files are used again at once. A call that has begun is about the file that it began with, whoever closes that
 * meanwhile, and whatever is opened then. Others are opened and closed all the time, and looked at: nobody does anything to them.
 * usage: h_reuse KIND DIR
 *   of a number that one thread gives to one log after the other:
 *     writes       each write succeeds, and none is in files that others open
 *     copies       the same of copy_file_range and sendfile
 *     splices      the same of splice from a pipe
 *     flags        fcntl sets flags of it, and of no other
 *     locks        it is locked, and no other
 *   of a number that is now one file's, now the other's:
 *     reads        each gives its records in order
 *     lengths      ioctl says how much there is to read
 *     reopens      what is opened by its name in /proc is one of them
 *     maps         what is mapped is there
 *     passes       what is sent in a message is one of them
 *   of numbers that are now one directory's, now the other's:
 *     directories  what is made, renamed and removed there is in no other directory
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECONDS (getenv("FC_TEST_LONG") ? 3 : 1)
#define RECORD 64
#define RECORDS 100000l
#define OTHERS 2

static const char *dir;
static int number, second, file[2];
static bool stop;
static unsigned wrong, rounds;

static bool over(void)
{
	return __atomic_load_n(&stop, __ATOMIC_RELAXED);
}

static void found(const char *what)
{
	if (__atomic_fetch_add(&wrong, 1, __ATOMIC_RELAXED) < 5)
		perror(what);
}

static int opened(const char *name, unsigned n, int how)
{
	char path[256];

	snprintf(path, sizeof path, "%s/%s%u", dir, name, n);
	return open(path, how, 0644);
}

/* ---- who changes what the number stands for ---- */

static void *rotate(void *arg)
{
	(void)arg;
	for (unsigned n = 0; !over(); n++) {
		int fd = opened("log", n % 4, O_RDWR | O_CREAT | O_TRUNC);

		dup2(fd, number);
		close(fd);
		usleep(n * 7919 % 400);
	}
	return NULL;
}

static void *turn(void *arg)
{
	(void)arg;
	for (unsigned n = 0; !over(); n++) {
		dup2(file[n % 2], number);
		usleep(n * 7919 % 300);
	}
	return NULL;
}

static void *turn_both(void *arg)
{
	(void)arg;
	for (unsigned n = 0; !over(); n++) {
		dup2(file[n % 2], n % 3 ? second : number);
		usleep(n * 7919 % 200);
	}
	return NULL;
}

/* ---- the others ---- */

/* A file that nobody writes to, nor sets anything of. */
static void *open_often(void *arg)
{
	struct stat st;

	for (unsigned n = 0; !over(); n++) {
		int fd = opened("other", (unsigned)(size_t)arg, O_RDWR | O_CREAT);

		usleep(n * 7919 % 200);
		if (fstat(fd, &st) || st.st_size || fcntl(fd, F_GETFL) & O_APPEND)
			found("another file");
		close(fd);
	}
	return NULL;
}

/* A file that nobody else locks. */
static void *lock_often(void *arg)
{
	for (unsigned n = 0; !over(); n++) {
		struct flock l = { .l_type = F_WRLCK };
		int fd = opened("other", (unsigned)(size_t)arg, O_RDWR | O_CREAT), same;

		usleep(n * 7919 % 200);
		same = opened("other", (unsigned)(size_t)arg, O_RDWR);
		if (flock(same, LOCK_EX | LOCK_NB) || fcntl(same, F_OFD_GETLK, &l) || l.l_type != F_UNLCK)
			found("another file");
		close(same);
		close(fd);
	}
	return NULL;
}

/* A directory that is empty. */
static void *open_directory_often(void *arg)
{
	for (unsigned n = 0; !over(); n++) {
		int fd = opened("empty", (unsigned)(size_t)arg, O_RDONLY | O_DIRECTORY);

		usleep(n * 7919 % 200);
		if (!faccessat(fd, "a", F_OK, 0) || !faccessat(fd, "b", F_OK, 0))
			found("another directory");
		unlinkat(fd, "a", 0);
		unlinkat(fd, "b", 0);
		close(fd);
	}
	return NULL;
}

/* ---- who uses it ---- */

static void *write_on(void *arg)
{
	char text[RECORD] = { 0 };

	(void)arg;
	for (; !over(); rounds++)
		if (write(number, text, RECORD) != RECORD)
			found("write");
	return NULL;
}

static void *copy_on(void *arg)
{
	off_t at = 0;

	(void)arg;
	for (; !over(); rounds++, at = 0)
		if ((rounds % 2 ? copy_file_range(file[0], &at, number, NULL, RECORD, 0)
				: sendfile(number, file[0], &at, RECORD)) != RECORD)
			found("copy");
	return NULL;
}

static void *splice_on(void *arg)
{
	char text[RECORD] = { 0 };
	int ends[2];

	(void)arg;
	if (pipe(ends))
		found("pipe");
	for (; !over(); rounds++)
		if (write(ends[1], text, RECORD) != RECORD || splice(ends[0], NULL, number, NULL, RECORD, 0) != RECORD)
			found("splice");
	return NULL;
}

static void *set_flags(void *arg)
{
	(void)arg;
	for (; !over(); rounds++)
		if (fcntl(number, F_SETFL, O_APPEND))
			found("fcntl");
	return NULL;
}

static void *lock_on(void *arg)
{
	struct flock l;

	(void)arg;
	for (; !over(); rounds++) {
		l = (struct flock){ .l_type = rounds % 2 ? F_WRLCK : F_UNLCK };
		if (flock(number, rounds % 2 ? LOCK_EX : LOCK_UN) || fcntl(number, F_OFD_SETLKW, &l))
			found("lock");
	}
	return NULL;
}

static bool make_file(unsigned which)
{
	static long record[RECORDS];

	for (long i = 0; i < RECORDS; i++)
		record[i] = which * RECORDS + i;
	file[which] = opened("file", which, O_RDWR | O_CREAT | O_TRUNC);
	return write(file[which], record, sizeof record) == sizeof record && !lseek(file[which], 0, SEEK_SET);
}

static void *read_on(void *arg)
{
	long next[2] = { 0, 0 }, record;

	(void)arg;
	for (; !over(); rounds++) {
		ssize_t n = read(number, &record, sizeof record);

		if (n == 0) {
			for (int k = 0; k < 2; k++)
				if (next[k] == RECORDS)
					next[k] = lseek(file[k], 0, SEEK_SET);
		} else if (n != sizeof record || record < 0 || record >= 2 * RECORDS ||
			   record % RECORDS != next[record / RECORDS]++) {
			found("read");
			break;
		}
	}
	return NULL;
}

static void *ask_length(void *arg)
{
	int n;

	(void)arg;
	for (; !over(); rounds++)
		if (ioctl(number, FIONREAD, &n) || n != (int)(RECORDS * sizeof(long)))
			found("ioctl");
	return NULL;
}

static void *reopen(void *arg)
{
	char path[64];
	struct stat st;

	(void)arg;
	snprintf(path, sizeof path, "/proc/self/fd/%d", number);
	for (; !over(); rounds++) {
		int fd = open(path, O_RDONLY);

		if (fd < 0 || fstat(fd, &st) || st.st_size != RECORDS * (long)sizeof(long))
			found("open");
		close(fd);
	}
	return NULL;
}

static void *map_on(void *arg)
{
	(void)arg;
	for (; !over(); rounds++) {
		const long *at = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, number, 0);

		if (at == MAP_FAILED || *at % RECORDS) /* and if it is empty, SIGBUS */
			found("mmap");
		if (at != MAP_FAILED)
			munmap((void *)at, 4096);
	}
	return NULL;
}

static int sent_and_received(const int sock[2])
{
	union {
		struct cmsghdr h;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { .h = { CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS } };
	char byte = 0;
	struct iovec one = { &byte, 1 };
	struct msghdr m = {
		.msg_iov = &one, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control
	};
	int fd;

	memcpy(CMSG_DATA(&control.h), &number, sizeof number);
	if (sendmsg(sock[0], &m, 0) != 1 || recvmsg(sock[1], &m, 0) != 1)
		return -1;
	memcpy(&fd, CMSG_DATA(&control.h), sizeof fd);
	return fd;
}

static void *pass_on(void *arg)
{
	struct stat st;
	int sock[2];

	(void)arg;
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, sock))
		found("socketpair");
	for (; !over(); rounds++) {
		int fd = sent_and_received(sock);

		if (fd < 0 || fstat(fd, &st) || st.st_size != RECORDS * (long)sizeof(long))
			found("sendmsg");
		close(fd);
	}
	return NULL;
}

static bool make_directory(unsigned which)
{
	char path[256];

	for (int empty = 0; empty < 2; empty++) {
		snprintf(path, sizeof path, "%s/%s%u", dir, empty ? "empty" : "dir", which);
		if (mkdir(path, 0755) && errno != EEXIST)
			return false;
	}
	file[which] = opened("dir", which, O_RDONLY | O_DIRECTORY);
	return file[which] >= 0;
}

/* What is not there is in the other one of the two. */
static void *make_and_rename(void *arg)
{
	(void)arg;
	for (; !over(); rounds++) {
		int fd = openat(number, "a", O_RDWR | O_CREAT, 0644);
		struct stat st;

		if (fd < 0 || (fstatat(number, "a", &st, 0) && errno != ENOENT))
			found("openat");
		close(fd);
		if (renameat(number, "a", second, "b") && errno != ENOENT)
			found("renameat");
		if (linkat(second, "b", number, "a", 0) && errno != ENOENT && errno != EEXIST)
			found("linkat");
		if (unlinkat(second, "b", 0) && errno != ENOENT)
			found("unlinkat");
	}
	return NULL;
}

/* ---- */

static const struct kind {
	const char *name;
	void *(*change)(void *), *(*use)(void *), *(*others)(void *);
	int users;
} kinds[] = {
	{ "writes", rotate, write_on, open_often, 2 },
	{ "copies", rotate, copy_on, open_often, 2 },
	{ "splices", rotate, splice_on, open_often, 1 },
	{ "flags", rotate, set_flags, open_often, 2 },
	{ "locks", rotate, lock_on, lock_often, 1 },
	{ "reads", turn, read_on, open_often, 1 }, /* who reads is alone, or nobody knows the order */
	{ "lengths", turn, ask_length, open_often, 2 },
	{ "reopens", turn, reopen, open_often, 1 },
	{ "maps", turn, map_on, open_often, 1 },
	{ "passes", turn, pass_on, open_often, 1 },
	{ "directories", turn_both, make_and_rename, open_directory_often, 1 },
};

static void run(const struct kind *k)
{
	pthread_t threads[OTHERS + 3];
	unsigned n = 0;

	for (size_t i = 0; i < OTHERS; i++)
		pthread_create(&threads[n++], NULL, k->others, (void *)i);
	pthread_create(&threads[n++], NULL, k->change, NULL);
	for (int i = 0; i < k->users; i++)
		pthread_create(&threads[n++], NULL, k->use, NULL);
	sleep(SECONDS);
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	while (n)
		pthread_join(threads[--n], NULL);
	printf("%s: %u rounds, %u wrong\n", k->name, rounds, wrong);
}

int main(int argc, char **argv)
{
	const struct kind *k = kinds, *end = kinds + sizeof kinds / sizeof *kinds;

	if (argc != 3)
		return 2;
	while (k < end && strcmp(k->name, argv[1]))
		k++;
	if (k == end)
		return 2;
	dir = argv[2];
	for (unsigned i = 0; i < 2; i++)
		if (k->change == turn_both ? !make_directory(i) : !make_file(i))
			return 1;
	number = dup(file[0]);
	second = dup(file[1]);
	run(k);
	return wrong != 0;
}
