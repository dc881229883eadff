/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * t_delegated.c - a file that is read or written again and again by one who has it alone, and then what programs seldom do: memory that is not there,
 * flags, holes, names that go, times that are set, leases of one's own, and offsets that others move.
 */
#include "posix.h"

#include <sys/mman.h>
#include <sys/sendfile.h>

#define MANY 3000 /* calls until it is certain that they are served as well as they will ever be */
#define PAGE 4096

static char buffer[400000];

static void read_often(int fd)
{
	for (int i = 0; i < MANY; i++)
		if (pread(fd, buffer, 100, i % 50) != 100)
			say("cannot read: %s", strerrorname_np(errno));
}

static void write_often(int fd)
{
	for (int i = 0; i < MANY; i++)
		if (write(fd, "0123456789", 10) != 10)
			say("cannot write: %s", strerrorname_np(errno));
}

/* In it each place is another byte. */
static int file(long n, int how)
{
	int fd = open("file", O_CREAT | O_TRUNC | O_RDWR, 0644);

	for (long i = 0; i < n; i++)
		buffer[i] = (char)(i * 7 + i / 256);
	if (write(fd, buffer, (size_t)n) != n)
		say("cannot make it");
	close(fd);
	return open("file", how);
}

static int fresh(const char *name)
{
	int fd = open(name, O_CREAT | O_TRUNC | O_RDWR, 0644);

	write_often(fd);
	return fd;
}

static void at(int fd)
{
	say("at %ld", (long)lseek(fd, 0, SEEK_CUR));
}

/* Delegated, and with its offset kept by who reads it. */
static int read_one(long n, int how)
{
	int fd = file(n, how);

	read_often(fd);
	for (int i = 0; i < 100; i++)
		read(fd, buffer, 10);
	return fd;
}

static void memory(int how)
{
	int fd = read_one(100000, how);
	char *p = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	const struct iovec hole[3] = { { p, 10 }, { p + PAGE, 10 }, { p + 2 * PAGE, 10 } },
			   none[3] = { { (void *)16, 0 }, { p, 10 }, { p + 2 * PAGE, 10 } };

	part("memory");
	mprotect(p + PAGE, PAGE, PROT_NONE);
	at(fd);
	SAY(pread(fd, p, 8192, 5));
	SAY(pread(fd, p + 100, 8192, 5));
	SAY(pread(fd, p + PAGE, 10, 5));
	SAY(pread(fd, p + PAGE - 1, 1, 5));
	SAY(pread(fd, p + PAGE - 6, 10, 99995));
	SAY(pread(fd, p + PAGE - 6, 10, 99990));
	SAY(read(fd, p + 4000, 8192));
	at(fd);
	SAY(read(fd, p + PAGE, 10));
	at(fd);
	SAY(readv(fd, hole, 3));
	at(fd);
	SAY(preadv(fd, hole, 3, 7));
	SAY(readv(fd, none, 3));
	at(fd);
	SAY(pread(fd, (void *)16, 10, 200000));
	SAY(pread(fd, (void *)16, 0, 0));
	SAY(pread(fd, NULL, 10, 100000));
	SAY(read(fd, (void *)16, 0));
	mprotect(p, PAGE, PROT_READ);
	SAY(pread(fd, p, 10, 0));
	SAY(pread(fd, p + 2 * PAGE - 92, 200, 0));
	SAY(pread(fd, (void *)-4096, 10, 0));
	munmap(p, 3 * PAGE);
	close(fd);
}

static void places(int how)
{
	int fd = read_one(100000, how);

	part("places");
	SAY(pread(fd, buffer, (size_t)-1, 0));
	SAY(pread(fd, buffer, 1, -1));
	SAY(pread(fd, buffer, 10, LONG_MAX));
	SAY(pread(fd, buffer, 10, LONG_MAX - 5));
	SAY(pread(fd, buffer, 10, LONG_MAX - 10));
	SAY(read(fd, buffer, 400000));
	SAY(read(fd, buffer, 1));
	at(fd);
	SAY(lseek(fd, -1, SEEK_SET));
	SAY(lseek(fd, 10, SEEK_END));
	SAY(read(fd, buffer, 1));
	TRY(lseek(fd, LONG_MAX, SEEK_SET));
	SAY(lseek(fd, 100, SEEK_SET));
	SAY(lseek(fd, 5, SEEK_HOLE));
	SAY(lseek(fd, 6, SEEK_DATA));
	SAY(lseek(fd, 0, 7));
	at(fd);
	close(fd);
}

static void flags(int how)
{
	int fd = read_one(100000, how), out = open("out", O_CREAT | O_TRUNC | O_RDWR, 0644), p[2], copy;
	const struct iovec v = { buffer, 16 };

	part("flags");
	lseek(fd, 500, SEEK_SET);
	for (int i = 0; i < 10; i++)
		read(fd, buffer, 10);
	for (int i = 0; i < 3; i++) {
		SAY(preadv2(fd, &v, 1, -1, i ? RWF_HIPRI : 0));
		say("%02x", buffer[0] & 255);
		at(fd);
		SAY(read(fd, buffer, 10));
		say("%02x", buffer[0] & 255);
	}
	SAY(preadv2(fd, &v, 1, 77, RWF_HIPRI));
	say("%02x", buffer[0] & 255);
	SAY(preadv2(fd, &v, 1, -1, 0x10000));
	SAY(preadv2(fd, &v, 1, -2, 0));
	at(fd);
	SAY(sendfile(out, fd, NULL, 100));
	at(fd);
	SAY(copy_file_range(fd, NULL, out, NULL, 100, 0));
	at(fd);
	pipe(p);
	SAY(splice(fd, NULL, p[1], NULL, 100, 0));
	at(fd);
	for (int i = 0; i < 10; i++)
		read(fd, buffer, 10);
	copy = dup(fd);
	SAY(read(copy, buffer, 10));
	at(fd);
	CHILD(at(fd); SAY(read(fd, buffer, 5)));
	at(fd);
	for (int i = 0; i < 100; i++)
		read(fd, buffer, 1);
	at(fd);
	CHILD(dup2(fd, 0); execlp("sh", "sh", "-c", "head -c 3 >/dev/null", NULL));
	at(fd);
	for (int i = 0; i < 2; i++)
		close(p[i]);
	close(fd);
	close(copy);
	close(out);
}

static void appended(void)
{
	int fd = fresh("file");
	const struct iovec v = { "abcdefghij", 10 };

	part("flags of writes");
	SAY(pwritev2(fd, &v, 1, -1, RWF_DSYNC));
	at(fd);
	SAY(pwritev2(fd, &v, 1, 0, RWF_APPEND));
	at(fd);
	what("file");
	write_often(fd);
	SAY(pwritev2(fd, &v, 1, -1, RWF_APPEND));
	at(fd);
	write_often(fd);
	what("file");
	close(fd);
}

static void blocks(int fd)
{
	struct stat st;

	fstat(fd, &st);
	say("%ld bytes, %ld blocks", (long)st.st_size, (long)st.st_blocks);
}

static void read_all(int fd, long n)
{
	for (int i = 0; i < 8; i++)
		for (long o = 0; o < n - 100; o += 1000)
			if (pread(fd, buffer, 100, o) != 100)
				say("cannot read at %ld", o);
}

/* What is read does not fill them. */
static void holes(void)
{
	int fd = file(400000, O_RDWR);

	part("holes");
	read_often(fd);
	blocks(fd);
	SAY(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 40960, 81920));
	blocks(fd);
	read_all(fd, 400000);
	blocks(fd);
	SAY(lseek(fd, 0, SEEK_HOLE));
	SAY(lseek(fd, 50000, SEEK_DATA));
	SAY(ftruncate(fd, 100000));
	SAY(ftruncate(fd, 300000));
	read_all(fd, 300000);
	blocks(fd);
	SAY(pwrite(fd, "x", 1, 1000000));
	read_all(fd, 1000000);
	blocks(fd);
	close(fd);
	fd = fresh("file");
	for (int i = 0; i < 100; i++)
		pwrite(fd, "x", 1, 1000000l * i);
	blocks(fd);
	SAY(lseek(fd, 100000, SEEK_DATA));
	read_all(fd, 1000000);
	blocks(fd);
	TRY(pwrite(fd, "x", 1, 1l << 62));
	blocks(fd);
	close(fd);
}

static void names(void)
{
	int fd = fresh("file"), other;

	part("names");
	SAY(unlink("file"));
	write_often(fd);
	blocks(fd);
	read_often(fd);
	close(fd);
	fd = fresh("one");
	SAY(rename("one", "two"));
	write_often(fd);
	other = fresh("three");
	SAY(rename("three", "two"));
	write_often(fd);
	write_often(other);
	what("two");
	blocks(fd);
	SAY(link("two", "file"));
	write_often(other);
	what("file");
	close(fd);
	close(other);
	fd = open(".", O_TMPFILE | O_RDWR, 0644);
	write_often(fd);
	snprintf(buffer, sizeof buffer, "/proc/self/fd/%d", fd);
	SAY(linkat(AT_FDCWD, buffer, AT_FDCWD, "named", AT_SYMLINK_FOLLOW));
	write_often(fd);
	what("named");
	close(fd);
}

static void modified(const char *how)
{
	struct stat st;

	stat("file", &st);
	say("%s: modified at %ld.%ld", how, (long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
}

/* What has been written before is older than what is said then. */
static void times(void)
{
	const struct timespec set[2] = { { 1000, 5 }, { 2000, 7 } };
	int fd = fresh("file");

	part("times");
	SAY(futimens(fd, set));
	modified("futimens");
	write_often(fd);
	SAY(utimensat(AT_FDCWD, "file", set, 0));
	sleep_ms(20);
	modified("utimensat");
	write_often(fd);
	SAY(futimens(fd, set));
	close(fd);
	sleep_ms(20);
	modified("close");
	fd = open("file", O_WRONLY);
	write(fd, "x", 1);
	close(fd);
	say("now it is new: %d", ({
		    struct stat st;
		    stat("file", &st);
		    st.st_mtime > 2000;
	    }));
}

static void rights(void)
{
	int fd = file(1000, O_RDONLY);

	part("rights");
	read_often(fd);
	SAY(write(fd, "x", 1));
	SAY(pwrite(fd, "x", 1, 0));
	close(fd);
	SAY(pread(fd, buffer, 10, 0));
	fd = file(1000, O_WRONLY);
	write_often(fd);
	SAY(read(fd, buffer, 1));
	SAY(pread(fd, buffer, 1, 0));
	close(fd);
	SAY(write(fd, "x", 1));
	fd = fresh("file");
	SAY(chmod("file", 0));
	write_often(fd);
	read_often(fd);
	what("file");
	close(fd);
}

/* The domain's are none of theirs. */
static void leases(void)
{
	int fd = file(1000, O_RDONLY);

	part("leases");
	read_often(fd);
	SAY(fcntl(fd, F_GETLEASE));
	SAY(fcntl(fd, F_SETLEASE, F_RDLCK));
	SAY(fcntl(fd, F_GETLEASE));
	SAY(fcntl(fd, F_SETLEASE, F_UNLCK));
	SAY(fcntl(fd, F_GETOWN));
	SAY(fcntl(fd, F_GETSIG));
	close(fd);
	fd = fresh("file");
	SAY(fcntl(fd, F_GETLEASE));
	SAY(fcntl(fd, F_SETLEASE, F_WRLCK));
	write_often(fd);
	SAY(fcntl(fd, F_GETLEASE));
	close(fd);
	for (int i = 0; i < 20; i++) {
		int other;

		fd = fresh("file");
		other = open("file", (i & 1 ? O_RDONLY : O_RDWR) | O_NONBLOCK);
		if (other < 0)
			say("it is not opened: %s", strerrorname_np(errno));
		close(other);
		close(fd);
	}
}

int main(int argc, char **argv)
{
	static const int how[] = { O_RDONLY, O_RDWR };

	posix_begin(argc, argv);
	for (int i = 0; i < 2; i++) {
		memory(how[i]);
		places(how[i]);
		flags(how[i]);
	}
	appended();
	holes();
	names();
	times();
	rights();
	leases();
	return 0;
}
