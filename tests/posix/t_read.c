/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * t_read.c - read(2), write(2), their vector and positioned forms, lseek(2), truncate(2), fallocate(2), copy_file_range(2), sendfile(2):
 * how much they move, and where the offset is afterwards.
 */
#include "posix.h"

#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

static void offsets(void)
{
	int fd = make("f", "0123456789");
	char text[32] = { 0 };

	part("offsets");
	SAY(read(fd, text, 4));
	SAY(lseek(fd, 0, SEEK_CUR));
	SAY(pread(fd, text, 4, 8));
	SAY(lseek(fd, 0, SEEK_CUR));
	SAY(lseek(fd, -5, SEEK_CUR));
	SAY(lseek(fd, 0, SEEK_CUR));
	SAY(lseek(fd, -1, SEEK_SET));
	SAY(lseek(fd, 5, SEEK_END));
	SAY(read(fd, text, 4));
	SAY(write(fd, "x", 1));
	what("f");
	SAY(pread(fd, text, 16, 10));
	say("%d %d %c", text[0], text[4], text[5]);
	SAY(lseek(fd, 0, 99));
	SAY(lseek(fd, LONG_MAX, SEEK_SET));
	SAY(write(fd, "x", 1));
	SAY(lseek(fd, 0, SEEK_SET));
	SAY(pread(fd, text, 4, -1));
	SAY(pwrite(fd, text, 4, -1));
	SAY(read(fd, NULL, 0));
	SAY(write(fd, NULL, 0));
	SAY(read(fd, (void *)8, 1));
	SAY(write(fd, (void *)8, 1));
	SAY(lseek(fd, 0, SEEK_CUR));
	SAY(read(fd, text, SIZE_MAX));
	close(fd);
	fd = open(".", O_RDONLY);
	SAY(read(fd, text, 1));
	SAY(pread(fd, text, 1, 0));
	SAY(write(fd, text, 1));
	close(fd);
	fd = open("f", O_WRONLY);
	SAY(read(fd, text, 1));
	SAY(pread(fd, text, 1, 0));
	close(fd);
	fd = open("f", O_RDONLY);
	SAY(write(fd, text, 1));
	SAY(pwrite(fd, text, 1, 0));
	SAY(ftruncate(fd, 1));
	close(fd);
}

static void vectors(void)
{
	char a[3], b[5] = { 0 }, c[20] = { 0 };
	struct iovec in[] = { { a, 3 }, { NULL, 0 }, { b, 4 }, { c, 19 } },
		     out[] = { { "one", 3 }, { "", 0 }, { "three", 5 } }, bad[] = { { a, 3 }, { (void *)8, 4 } },
		     huge[] = { { a, SIZE_MAX } };
	int fd = make("v", "abcdefghijklmnop");

	part("vectors");
	SAY(readv(fd, in, 4));
	say("%.3s %s %s", a, b, c);
	SAY(writev(fd, out, 3));
	SAY(lseek(fd, 0, SEEK_CUR));
	SAY(preadv(fd, in, 4, 10));
	say("%.3s %s %s", a, b, c);
	SAY(pwritev(fd, out, 3, 100));
	SAY(lseek(fd, 0, SEEK_CUR));
	SAY(readv(fd, in, 0));
	SAY(readv(fd, in, -1));
	SAY(readv(fd, in, IOV_MAX + 1));
	SAY(lseek(fd, 0, SEEK_SET));
	SAY(readv(fd, bad, 2));
	SAY(lseek(fd, 0, SEEK_SET));
	SAY(writev(fd, bad, 2));
	SAY(readv(fd, huge, 1));
	SAY(preadv2(fd, in, 4, -1, 0));
	SAY(lseek(fd, 0, SEEK_CUR) != 0);
	SAY(pwritev2(fd, out, 3, 0, RWF_APPEND));
	SAY(pwritev2(fd, out, 3, 0, RWF_DSYNC));
	SAY(preadv2(fd, in, 4, 0, 1 << 30));
	what("v");
	close(fd);
}

static void sizes(void)
{
	int fd = make("s", "0123456789");
	char text[16];

	part("sizes");
	SAY(ftruncate(fd, 4));
	SAY(ftruncate(fd, 8));
	contents("s");
	SAY(ftruncate(fd, -1));
	SAY(truncate("s", 1 << 20));
	what("s");
	SAY(truncate("none", 0));
	SAY(truncate(".", 0));
	SAY(truncate("s/", 0));
	SAY(truncate("s", -1));
	SAY(posix_fallocate(fd, 0, 2 << 20));
	what("s");
	SAY(fallocate(fd, FALLOC_FL_KEEP_SIZE, 4 << 20, 4096));
	what("s");
	SAY(pwrite(fd, "data", 4, 65536));
	SAY(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 65536, 65536));
	SAY(pread(fd, text, 4, 65536));
	say("%d", text[0]);
	SAY(fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, 10));
	SAY(fallocate(fd, 0, 0, 0));
	SAY(fallocate(fd, 0, -1, 10));
	SAY(posix_fallocate(fd, 0, 0));
	SAY(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
	SAY(posix_fadvise(fd, 0, 0, 77));
	SAY(sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE));
	SAY(fsync(fd));
	SAY(fdatasync(fd));
	close(fd);
	fd = make("holes", "");
	SAY(ftruncate(fd, 1 << 20));
	SAY(pwrite(fd, "x", 1, 512 * 1024));
	SAY(lseek(fd, 0, SEEK_DATA));
	SAY(lseek(fd, 512 * 1024, SEEK_HOLE));
	SAY(lseek(fd, 600 * 1024, SEEK_DATA));
	SAY(lseek(fd, 1 << 20, SEEK_HOLE));
	close(fd);
	unlink("s");
}

static void copies(void)
{
	int in = make("in", "0123456789abcdefghij"), out = make("out", ""), p[2], local = memfd_create("local", 0);
	off_t a = 5, b = 2;
	char text[64] = { 0 };

	part("copies");
	SAY(copy_file_range(in, &a, out, &b, 4, 0));
	say("%ld %ld %ld", (long)a, (long)b, (long)lseek(out, 0, SEEK_CUR));
	contents("out");
	SAY(copy_file_range(in, NULL, out, NULL, 100, 0));
	SAY(copy_file_range(in, NULL, out, NULL, 100, 0));
	say("%ld %ld", (long)lseek(in, 0, SEEK_CUR), (long)lseek(out, 0, SEEK_CUR));
	a = 0;
	b = 2;
	SAY(copy_file_range(in, &a, in, &b, 10, 0));
	SAY(copy_file_range(in, NULL, out, NULL, 1, 1));
	a = 0;
	SAY(sendfile(out, in, &a, 6));
	say("%ld", (long)a);
	contents("out");
	SAY(pipe(p));
	SAY(lseek(in, 0, SEEK_SET));
	SAY(sendfile(p[1], in, NULL, 5));
	SAY(read(p[0], text, 63));
	say("%s %ld", text, (long)lseek(in, 0, SEEK_CUR));
	a = 0;
	SAY(sendfile(local, in, &a, 20));
	a = 0;
	SAY(lseek(out, 0, SEEK_SET));
	SAY(sendfile(out, local, &a, 20));
	contents("out");
	close(in);
	close(out);
	close(local);
	close(p[0]);
	close(p[1]);
}

/* more than any buffer on the way: all of it arrives, in one call */
static void much(void)
{
	size_t size = 5u << 20;
	unsigned char *data = malloc(size), *back = calloc(1, size);
	int fd = make("much", "");

	part("much");
	for (size_t i = 0; i < size; i++)
		data[i] = (unsigned char)(i * 7 + i / 4096);
	SAY(write(fd, data, size));
	SAY(pread(fd, back, size, 0));
	SAY(memcmp(data, back, size));
	SAY(pread(fd, back, size, 1 << 20));
	SAY(memcmp(data + (1 << 20), back, size - (1 << 20)));
	close(fd);
	free(data);
	free(back);
}

int main(int argc, char **argv)
{
	posix_begin(argc, argv);
	offsets();
	vectors();
	sizes();
	copies();
	much();
	return 0;
}
