/* SPDX-License-Identifier: GPL-2.0-or-later */
/* h_large.c - transfers from 1 MiB to 64 MiB, by every call that moves bytes, checked byte by byte; and bad memory in the
 * middle of them. */
#include "e2e.h"

#include <sys/sendfile.h>

#define MIB (1024 * 1024)

static unsigned char *data, *back;

static void fill(size_t n, unsigned seed)
{
	for (size_t i = 0; i < n; i++)
		data[i] = pattern(i, seed);
	memset(back, 0, n);
}

static void sizes(size_t n)
{
	int fd = open(in_dir("large"), O_RDWR | O_CREAT | O_TRUNC, 0600);

	fill(n, 1);
	EQUAL(write(fd, data, n), n);
	EQUAL(lseek(fd, 0, SEEK_CUR), n);
	EQUAL(lseek(fd, 0, SEEK_SET), 0);
	EQUAL(read(fd, back, n), n);
	CHECK(!memcmp(data, back, n));
	EQUAL(read(fd, back, n), 0);
	fill(n, 2);
	EQUAL(pwrite(fd, data, n, 12345), n);
	EQUAL(pread(fd, back, n, 12345), n);
	CHECK(!memcmp(data, back, n));
	EQUAL(lseek(fd, 0, SEEK_CUR), n);
	/* over the end: short */
	memset(back, 0, n);
	EQUAL(pread(fd, back, n, 12345 + 7777), n - 7777);
	CHECK(!memcmp(data + 7777, back, n - 7777));
	EQUAL(pread(fd, back, n, (off_t)n + 12345), 0);
	/* the position moves by what was read */
	EQUAL(lseek(fd, (off_t)n, SEEK_SET), n);
	EQUAL(read(fd, back, n), 12345);
	EQUAL(lseek(fd, 0, SEEK_CUR), n + 12345);
	EQUAL(close(fd), 0);
}

static size_t cut(struct iovec *v, int count, unsigned char *from, size_t n)
{
	size_t at = 0;

	for (int i = 0; i < count; i++) {
		size_t len = i == count - 1 ? n - at : (size_t)(i * 7919 % 20000);

		if (len > n - at)
			len = n - at;
		v[i] = (struct iovec){ from + at, len };
		at += len;
	}
	return at;
}

static void vectors(int count, size_t n)
{
	static struct iovec out[1024], in[1024];
	int fd = open(in_dir("vectors"), O_RDWR | O_CREAT | O_TRUNC, 0600);

	fill(n, (unsigned)count);
	EQUAL(cut(out, count, data, n), n);
	cut(in, count > 3 ? count - 1 : count, back, n);
	if (count > 3)
		in[count - 1] = (struct iovec){ NULL, 0 };
	EQUAL(writev(fd, out, count), n);
	EQUAL(lseek(fd, 0, SEEK_SET), 0);
	EQUAL(readv(fd, in, count), n);
	CHECK(!memcmp(data, back, n));
	memset(back, 0, n);
	EQUAL(pwritev(fd, out, count, 4097), n);
	EQUAL(preadv(fd, in, count, 4097), n);
	CHECK(!memcmp(data, back, n));
	memset(back, 0, n);
	EQUAL(pwritev2(fd, out, count, 1, RWF_DSYNC), n);
	EQUAL(preadv2(fd, in, count, 1, 0), n);
	CHECK(!memcmp(data, back, n));
	EQUAL(pwritev2(fd, out, count, 0, RWF_APPEND), n); /* at the end, in one piece */
	EQUAL(lseek(fd, 0, SEEK_END), 2 * n + 4097);
	EQUAL(close(fd), 0);
}

/* 3 MiB + 5000 accessible bytes, then nothing: the transfer stops there, not earlier, not later */
static void bad_memory(void)
{
	size_t good = 3 * MIB + 4096, n = 6 * MIB;
	int fd = open(in_dir("bad"), O_RDWR | O_CREAT | O_TRUNC, 0600);
	unsigned char *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	fill(n, 9);
	memcpy(p, data, n);
	mprotect(p + good, n - good, PROT_NONE);
	EQUAL(pwrite(fd, p, n, 0), good);
	EQUAL(lseek(fd, 0, SEEK_END), good);
	EQUAL(pread(fd, back, n, 0), good);
	CHECK(!memcmp(data, back, good));
	EQUAL(pwrite(fd, data, n, 0), n);
	memset(p, 0, good);
	EQUAL(pread(fd, p, n, 0), good);
	CHECK(!memcmp(data, p, good));
	EQUAL(lseek(fd, 0, SEEK_SET), 0);
	EQUAL(read(fd, p, n), good);
	EQUAL(lseek(fd, 0, SEEK_CUR), good);
	FAILS(pread(fd, p + good, 100, 0), EFAULT);
	FAILS(pwrite(fd, p + good, n - good, 0), EFAULT);
	munmap(p, n);
	EQUAL(close(fd), 0);
}

/* to and from a pipe */
static void splices(int fd)
{
	int pair[2];
	char c = 'x';

	EQUAL(pipe(pair), 0);
	EQUAL(write(pair[1], &c, 1), 1);
	EQUAL(splice(pair[0], NULL, fd, NULL, 1, 0), 1);
	EQUAL(lseek(fd, -1, SEEK_CUR), 0);
	EQUAL(splice(fd, NULL, pair[1], NULL, 1, 0), 1);
	c = 0;
	EQUAL(read(pair[0], &c, 1), 1);
	EQUAL(c, 'x');
	EQUAL(close(pair[0]), 0);
	EQUAL(close(pair[1]), 0);
}

/* between files: copy_file_range and sendfile */
static void copies(void)
{
	size_t n = 5 * MIB + 333;
	int in = open(in_dir("from"), O_RDWR | O_CREAT | O_TRUNC, 0600),
	    out = open(in_dir("to"), O_RDWR | O_CREAT | O_TRUNC, 0600);
	off_t at = 0;
	size_t done = 0;

	fill(n, 4);
	EQUAL(pwrite(in, data, n, 0), n);
	while (done < n) {
		ssize_t r = copy_file_range(in, &at, out, NULL, n - done, 0);

		if (r <= 0) {
			CHECK(r > 0);
			break;
		}
		done += (size_t)r;
	}
	EQUAL(at, n);
	EQUAL(pread(out, back, n, 0), n);
	CHECK(!memcmp(data, back, n));
	EQUAL(ftruncate(out, 0), 0);
	EQUAL(lseek(out, 0, SEEK_SET), 0);
	for (at = 0; (size_t)at < n;) {
		ssize_t r = sendfile(out, in, &at, n);

		if (r <= 0) {
			CHECK(r > 0);
			break;
		}
	}
	memset(back, 0, n);
	EQUAL(pread(out, back, n, 0), n);
	CHECK(!memcmp(data, back, n));
	EQUAL(lseek(out, 0, SEEK_SET), 0);
	splices(out);
	EQUAL(close(in), 0);
	EQUAL(close(out), 0);
}

int main(int argc, char **argv)
{
	static const size_t all[] = { 65535,   65536,        65537,    MIB - 1,  MIB,
				      MIB + 1, 3 * MIB + 17, 16 * MIB, 33 * MIB, 64 * MIB };

	e2e_init(argc, argv);
	data = malloc(64 * MIB + 1);
	back = malloc(64 * MIB + 1);
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
		if (e2e_long || all[i] <= 4 * MIB || all[i] == 64 * MIB)
			sizes(all[i]);
	vectors(1, MIB);
	vectors(3, 200000);
	vectors(1024, 12 * MIB);
	vectors(17, 2 * MIB + 1);
	bad_memory();
	copies();
	return e2e_status();
}
