/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * t_post.c - a file that is written often, in small pieces, by one who has it alone: what has been written is what anybody sees, whichever way they look,
 * and whatever comes in between.
 */
#include "posix.h"

#include <pthread.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>

#define MANY 3000 /* writes until it is certain that they are served as well as they will ever be */

static char buffer[400000];
static unsigned serial;

static void line(int fd)
{
	char text[32];
	int n = snprintf(text, sizeof text, "%u\n", serial++);

	if (write(fd, text, (size_t)n) != n)
		say("cannot write: %s", strerrorname_np(errno));
}

static int opened(const char *path, int how)
{
	int fd = open(path, how | O_CREAT | O_TRUNC, 0644);

	serial = 100000;
	for (int i = 0; i < MANY; i++)
		line(fd);
	return fd;
}

/* All of it, by another open file. */
static void whole(const char *when, const char *path)
{
	int fd = open(path, O_RDONLY);
	ssize_t n = read(fd, buffer, sizeof buffer);
	unsigned hash = 5381;

	for (ssize_t i = 0; i < n; i++)
		hash = hash * 33 + (unsigned char)buffer[i];
	say("%s: %zd bytes, %08x", when, n, hash);
	close(fd);
}

static long size_of(const char *path)
{
	struct stat st;

	return stat(path, &st) ? -1 : (long)st.st_size;
}

static void looks(int how)
{
	int fd = opened("file", how), copy;
	struct stat st;
	struct iovec iov[3] = { { "one ", 4 }, { "", 0 }, { "two\n", 4 } };

	say("stat: %ld", size_of("file"));
	line(fd);
	SAY(fstat(fd, &st));
	say("%ld", (long)st.st_size);
	line(fd);
	SAY(lseek(fd, 0, SEEK_CUR));
	SAY(lseek(fd, 0, SEEK_END));
	line(fd);
	whole("as another sees it", "file");
	for (int i = 0; i < MANY; i++)
		line(fd);
	say("seek: %ld", (long)lseek(fd, 1000, SEEK_SET));
	line(fd);
	whole("after a seek", "file");
	for (int i = 0; i < MANY; i++)
		if (pwrite(fd, "P", 1, 100 + i * 3) != 1)
			say("pwrite");
	whole("after many pwrites", "file");
	say("at %ld", (long)lseek(fd, 0, SEEK_CUR));
	for (int i = 0; i < MANY; i++)
		if (writev(fd, iov, 3) != 8)
			say("writev");
	whole("after many writevs", "file");
	copy = dup(fd);
	for (int i = 0; i < MANY; i++)
		line(i & 1 ? fd : copy);
	whole("by two descriptors", "file");
	say("close: %d %d", close(copy), close(fd));
	whole("at the end", "file");
}

static void changes(void)
{
	int fd = opened("file", O_RDWR);

	say("ftruncate: %d", ftruncate(fd, 500));
	line(fd);
	whole("cut", "file");
	for (int i = 0; i < MANY; i++)
		line(fd);
	say("truncate: %d", truncate("file", 1000));
	line(fd);
	whole("cut by name", "file");
	for (int i = 0; i < MANY; i++)
		line(fd);
	say("O_APPEND: %d", fcntl(fd, F_SETFL, O_APPEND));
	lseek(fd, 0, SEEK_SET);
	for (int i = 0; i < MANY; i++)
		line(fd);
	say("at %ld", (long)lseek(fd, 0, SEEK_CUR));
	SAY(pwrite(fd, "appended", 8, 0));
	say("not: %d", fcntl(fd, F_SETFL, 0));
	lseek(fd, 0, SEEK_SET);
	line(fd);
	whole("with and without O_APPEND", "file");
	for (int i = 0; i < MANY; i++) {
		pwrite(fd, &(char){ (char)i }, 1, i * 7 % 5000);
		if (pread(fd, buffer, 1, i * 7 % 5000) != 1 || buffer[0] != (char)i)
			say("read what is not what was written");
	}
	SAY(rename("file", "other"));
	SAY(size_of("other"));
	line(fd);
	say("unlink: %d", unlink("other"));
	line(fd);
	say("at %ld", (long)lseek(fd, 0, SEEK_CUR));
	say("lock: %d", flock(fd, LOCK_EX));
	say("close: %d", close(fd));
}

static void wrong(void)
{
	int fd = opened("file", O_WRONLY);
	char *pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	const struct iovec bad[2] = { { "good", 4 }, { (void *)16, 5 } };

	memset(pages, 'y', 8192);
	mprotect(pages + 4096, 4096, PROT_NONE);
	SAY(write(fd, pages + 4090, 20));
	SAY(write(fd, (void *)16, 20));
	SAY(writev(fd, bad, 2));
	SAY(write(fd, pages, 0));
	SAY(write(fd, NULL, 0));
	SAY(pread(fd, pages, 0, 0));
	SAY(pread(fd, pages, 1, 0));
	SAY(pwrite(fd, "x", 1, -1));
	SAY(pwrite(fd, "x", 1, LONG_MAX));
	SAY(read(fd, buffer, 1));
	whole("after errors", "file");
	say("close: %d", close(fd));
	SAY(write(fd, "x", 1));
	fd = open("file", O_RDONLY);
	SAY(write(fd, "x", 1));
	close(fd);
	munmap(pages, 8192);
}

static int signals;

static void on_signal(int sig)
{
	signals += sig == SIGXFSZ;
}

static void limit(void)
{
	struct rlimit old, is;
	int fd = opened("file", O_WRONLY);

	getrlimit(RLIMIT_FSIZE, &old);
	is = (struct rlimit){ 21010, old.rlim_max };
	signal(SIGXFSZ, on_signal);
	SAY(setrlimit(RLIMIT_FSIZE, &is));
	SAY(write(fd, "0123456789", 10));
	SAY(write(fd, "0123456789", 10));
	SAY(write(fd, "0123456789", 10));
	say("%d signals, %ld bytes", signals, size_of("file"));
	setrlimit(RLIMIT_FSIZE, &old);
	line(fd);
	say("%ld bytes", size_of("file"));
	close(fd);
}

/* What is told by whom: a child, natively linked or not, looks when it hears of it. */
static void children(void)
{
	int fd = opened("file", O_WRONLY), pair[2], status;
	char byte;

	socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
	for (int i = 0; i < 5; i++) {
		line(fd);
		fflush(stdout);
		if (!fork()) {
			line(fd);
			_exit(0);
		}
		line(fd);
		wait(&status);
		say("%d: %ld", i, size_of("file"));
	}
	if (!fork()) {
		for (int i = 0; i < 50; i++)
			if (read(pair[1], &byte, 1) != 1 || write(pair[1], &(long){ size_of("file") }, 8) != 8)
				_exit(1);
		_exit(0);
	}
	close(fd);
	fd = opened("file", O_WRONLY);
	for (int i = 0; i < 50; i++) {
		long there = 0;

		for (int k = 0; k < i; k++)
			line(fd);
		write(pair[0], "?", 1);
		read(pair[0], &there, 8);
		if (there != lseek(fd, 0, SEEK_CUR))
			say("%d: it sees %ld of %ld", i, there, (long)lseek(fd, 0, SEEK_CUR));
	}
	wait(&status);
	say("status %d", status);
	for (int i = 0; i < 20; i++) {
		line(fd);
		status = system("test $(wc -c <file) = $(stat -c %s file)");
		if (status)
			say("wc says something else");
	}
	whole("after children", "file");
	close(fd);
}

static void *writes(void *arg)
{
	for (int i = 0; i < MANY; i++)
		if (write(*(int *)arg, "0123456789abcde\n", 16) != 16)
			return "write";
	return NULL;
}

static void threads(void)
{
	pthread_t thread[4];
	int fd = opened("file", O_WRONLY), bad = 0, wrong_lines = 0;
	void *r;

	SAY(ftruncate(fd, 0));
	lseek(fd, 0, SEEK_SET);
	for (int i = 0; i < 4; i++)
		pthread_create(&thread[i], NULL, writes, &fd);
	for (int i = 0; i < 4; i++) {
		pthread_join(thread[i], &r);
		bad += r != NULL;
	}
	say("%d failed; at %ld, %ld bytes", bad, (long)lseek(fd, 0, SEEK_CUR), size_of("file"));
	close(fd);
	fd = open("file", O_RDONLY);
	while (read(fd, buffer, 16) == 16)
		wrong_lines += memcmp(buffer, "0123456789abcde\n", 16) != 0;
	say("%d lines are wrong", wrong_lines);
	close(fd);
}

static void mapped(void)
{
	int fd = opened("file", O_RDWR), wrong_bytes = 0;
	char *m = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	for (int i = 0; i < MANY; i++) {
		pwrite(fd, &(char){ (char)i }, 1, 5);
		wrong_bytes += m[5] != (char)i;
		m[6] = (char)i;
		pread(fd, buffer, 1, 6);
		wrong_bytes += buffer[0] != (char)i;
	}
	say("%d bytes are not what they were made", wrong_bytes);
	munmap(m, 4096);
	close(fd);
}

static void times(void)
{
	int fd = opened("file", O_WRONLY);
	struct stat a, b;

	fstat(fd, &a);
	usleep(30000);
	line(fd);
	usleep(30000); /* what has been written is older than that */
	stat("file", &b);
	say("modified later: %d, and not now: %d", b.st_mtim.tv_nsec != a.st_mtim.tv_nsec, time(NULL) - b.st_mtime < 2);
	fchmod(fd, 04755);
	line(fd);
	fstat(fd, &b);
	say("mode %o", b.st_mode);
	close(fd);
}

int main(int argc, char **argv)
{
	posix_begin(argc, argv);
	looks(O_WRONLY);
	looks(O_RDWR);
	looks(O_WRONLY | O_APPEND);
	changes();
	wrong();
	limit();
	children();
	threads();
	mapped();
	times();
	return 0;
}
