/* SPDX-License-Identifier: GPL-2.0-or-later */
/* h_append.c - O_APPEND writers of several processes and threads: every record is in the file, whole, once. */
#include "e2e.h"

#include <pthread.h>

#define WRITERS 8

struct head {
	uint32_t magic, writer, number, length; /* of the whole record */
};

static int rounds;

static size_t record_length(unsigned writer, int i)
{
	static const size_t lengths[] = { 20, 100, 5000, 66000, 200000, 17, 1000000 };

	return lengths[(writer + (unsigned)i) % (i % 10 ? 6 : 7)];
}

static void write_records(unsigned writer, int fd)
{
	static __thread unsigned char record[1000000];

	for (int i = 0; i < rounds; i++) {
		size_t n = record_length(writer, i);
		struct head h = { 0xfca11, writer, (uint32_t)i, (uint32_t)n };

		memset(record, (int)(writer * 16 + (unsigned)i % 16), n);
		memcpy(record, &h, n < sizeof h ? n : sizeof h);
		if (i % 3 == 0) {
			struct iovec v[3] = { { record, n / 3 }, { record + n / 3, 0 }, { record + n / 3, n - n / 3 } };

			EQUAL(writev(fd, v, 3), n);
		} else {
			EQUAL(write(fd, record, n), n);
		}
	}
}

static void *thread(void *arg)
{
	unsigned writer = (unsigned)(uintptr_t)arg;
	int fd = open(in_dir("log"), O_WRONLY | O_APPEND);

	write_records(writer, fd);
	EQUAL(close(fd), 0);
	return NULL;
}

static void verify(int fd)
{
	static unsigned char record[1000000];
	int next[WRITERS] = { 0 };
	off_t at = 0, size = lseek(fd, 0, SEEK_END);

	while (at < size) {
		struct head h;
		ssize_t n = pread(fd, record, sizeof record, at);

		memcpy(&h, record, sizeof h);
		if (n < 17 || h.magic != 0xfca11 || h.writer >= WRITERS || h.length > (size_t)n ||
		    (int)h.number != next[h.writer] || h.length != record_length(h.writer, (int)h.number)) {
			fprintf(stderr, "no record at %ld: magic %x writer %u number %u length %u\n", (long)at, h.magic,
				h.writer, h.number, h.length);
			e2e_failures++;
			return;
		}
		for (size_t i = sizeof h; i < h.length; i++) {
			if (record[i] != (unsigned char)(h.writer * 16 + h.number % 16)) {
				fprintf(stderr, "record at %ld is torn at byte %zu\n", (long)at, i);
				e2e_failures++;
				return;
			}
		}
		next[h.writer]++;
		at += h.length;
	}
	for (int i = 0; i < WRITERS; i++)
		EQUAL(next[i], rounds);
}

int main(int argc, char **argv)
{
	pthread_t t[WRITERS / 2];
	pid_t pid[WRITERS];
	int fd, shared;

	e2e_init(argc, argv);
	rounds = e2e_long ? 300 : 25;
	fd = open(in_dir("log"), O_RDWR | O_CREAT, 0600);
	shared = open(in_dir("log"), O_WRONLY | O_APPEND); /* two children write through this one, inherited */
	for (unsigned i = 0; i < WRITERS / 2; i++) {
		pid[i] = fork();
		if (pid[i] == 0) {
			write_records(i, i < 2 ? shared : open(in_dir("log"), O_RDWR | O_APPEND));
			_exit(e2e_status());
		}
	}
	for (uintptr_t i = 0; i < WRITERS / 2; i++)
		CHECK(!pthread_create(&t[i], NULL, thread, (void *)(i + WRITERS / 2)));
	for (int i = 0; i < WRITERS / 2; i++) {
		pthread_join(t[i], NULL);
		EQUAL(wait_status(pid[i]), 0);
	}
	verify(fd);
	/* pwrite on O_APPEND appends all the same; so does a descriptor that became so by F_SETFL */
	EQUAL(ftruncate(fd, 10), 0);
	EQUAL(pwrite(shared, "abc", 3, 0), 3);
	EQUAL(lseek(fd, 0, SEEK_END), 13);
	EQUAL(lseek(fd, 0, SEEK_SET), 0);
	EQUAL(fcntl(fd, F_SETFL, O_APPEND), 0);
	EQUAL(write(fd, "def", 3), 3);
	EQUAL(lseek(fd, 0, SEEK_CUR), 16);
	return e2e_status();
}
