/* SPDX-License-Identifier: GPL-2.0-or-later */
/* t_offset.c - the offset of a file that is read often: reads, seeks, and whatever else moves it or counts from it, in this process and others. */
#include "posix.h"

#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define MANY 3000 /* reads until it is certain that they are served as well as they will ever be */
#define SIZE 200000

static char buffer[65536];

static int opened(const char *path)
{
	int fd = open(path, O_RDONLY);

	for (int i = 0; i < MANY; i++)
		if (read(fd, buffer, 50) != 50 || (i % 100 == 99 && lseek(fd, 0, SEEK_SET)))
			say("cannot read");
	lseek(fd, 1000, SEEK_SET);
	return fd;
}

/* What comes next, and where that is. */
static void next(const char *when, int fd)
{
	ssize_t n = read(fd, buffer, 10);

	say("%s: %zd \"%.*s\" at %ld", when, n, n > 0 ? (int)n : 0, buffer, (long)lseek(fd, 0, SEEK_CUR));
}

static void seeks(int fd)
{
	static const int whence[] = { SEEK_SET, SEEK_CUR, SEEK_END, SEEK_DATA, SEEK_HOLE, 77 };
	static const long by[] = { 0, 5, -5, 199990, 200000, 300000, LONG_MAX, LONG_MIN };

	for (int i = 0; i < 6; i++)
		for (int k = 0; k < 8; k++) {
			long r = lseek(fd, by[k], whence[i]);

			say("lseek %ld, %d: %ld%s", by[k], whence[i], r, r < 0 ? strerrorname_np(errno) : "");
			lseek(fd, 100, SEEK_SET);
		}
}

static void *reads(void *arg)
{
	static char seen[SIZE / 10];
	char text[10];

	while (read(*(int *)arg, text, 10) == 10)
		if (__atomic_fetch_add(&seen[atoi(text)], 1, __ATOMIC_RELAXED))
			return "twice";
	return NULL;
}

static void threads(void)
{
	pthread_t thread[4];
	int fd = opened("file"), bad = 0;
	void *r;

	lseek(fd, 0, SEEK_SET);
	for (int i = 0; i < 4; i++)
		pthread_create(&thread[i], NULL, reads, &fd);
	for (int i = 0; i < 4; i++) {
		pthread_join(thread[i], &r);
		bad += r != NULL;
	}
	say("%d saw what another had; at %ld", bad, (long)lseek(fd, 0, SEEK_CUR));
	close(fd);
}

static void pass(void)
{
	int pair[2], fd;
	pid_t pid;
	char c;

	socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
	pid = fork();
	if (!pid) {
		next("passed", receive_file(pair[1]));
		write(pair[1], "x", 1);
		_exit(0);
	}
	fd = opened("file");
	if (!send_file(pair[0], fd) || read(pair[0], &c, 1) != 1)
		say("not passed");
	next("after the other", fd);
	ended(pid);
	close(fd);
}

int main(int argc, char **argv)
{
	int fd, other, out, n, pid;
	struct iovec v[2] = { { buffer, 5 }, { buffer + 5, 5 } };
	struct flock lock = { .l_type = F_RDLCK, .l_whence = SEEK_CUR, .l_start = 5, .l_len = 10 };
	off_t at = 20;
	char path[64], *text = malloc(SIZE + 1);

	posix_begin(argc, argv);
	for (int i = 0; i < SIZE / 10; i++)
		sprintf(text + i * 10, "%09d\n", i);
	close(make("file", text));

	part("reads and seeks");
	fd = opened("file");
	next("first", fd);
	SAY(readv(fd, v, 2));
	next("after readv", fd);
	SAY(preadv2(fd, v, 2, -1, 0));
	SAY(preadv2(fd, v, 2, -1, RWF_NOWAIT) != 0);
	lseek(fd, 500, SEEK_SET);
	SAY(pread(fd, buffer, 10, 0));
	next("after pread", fd);
	SAY(read(fd, (void *)8, 10));
	SAY(read(fd, buffer, 0));
	SAY(read(fd, NULL, 0));
	next("after nothing", fd);
	char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	munmap(page + 4096, 4096);
	SAY(read(fd, page + 4000, 400));
	next("after a part", fd);
	SAY(write(fd, "x", 1));
	seeks(fd);
	lseek(fd, SIZE - 15, SEEK_SET);
	next("near the end", fd);
	next("at the end", fd);
	next("behind it", fd);
	lseek(fd, SIZE + 100, SEEK_SET);
	next("far behind it", fd);
	lseek(fd, 0, SEEK_SET);
	for (n = 0; read(fd, buffer, 999) > 0; n++)
		;
	say("%d reads", n);

	part("what else moves it");
	lseek(fd, 1000, SEEK_SET);
	out = open("out", O_RDWR | O_CREAT | O_TRUNC, 0644);
	SAY(sendfile(out, fd, NULL, 20));
	next("after sendfile", fd);
	SAY(sendfile(out, fd, &at, 20));
	next("after sendfile at an offset", fd);
	SAY(copy_file_range(fd, NULL, out, NULL, 20, 0));
	next("after copy_file_range", fd);
	int p[2], sock[2];
	pipe(p);
	SAY(splice(fd, NULL, p[1], NULL, 20, 0));
	next("after splice", fd);
	socketpair(AF_UNIX, SOCK_STREAM, 0, sock);
	SAY(sendfile(sock[0], fd, NULL, 30));
	next("after sendfile to a socket", fd);
	SAY(ioctl(fd, FIONREAD, &n));
	say("%d", n);
	SAY(fcntl(fd, F_SETLK, &lock));
	CHILD(struct flock l = { .l_type = F_WRLCK }; int own = open("file", O_RDWR); SAY(fcntl(own, F_GETLK, &l));
	      say("%d %ld %ld", l.l_type, (long)l.l_start, (long)l.l_len));
	SAY(mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0) != MAP_FAILED);
	next("after mmap", fd);
	sprintf(path, "/proc/self/fdinfo/%d", fd);
	FILE *f = fopen(path, "r");
	fscanf(f, "pos: %d", &n);
	say("pos %d", n);
	fclose(f);
	sprintf(path, "/dev/fd/%d", fd);
	other = open(path, O_RDONLY);
	next("opened once more", other);
	next("not moved", fd);
	close(other);
	close(fd);

	part("shared");
	fd = opened("file");
	other = dup(fd);
	next("dup", other);
	next("the first", fd);
	close(fd);
	next("dup alone", other);
	CHILD(next("child", other); next("child", other));
	next("parent", other);
	close(other);
	fd = opened("file");
	CHILD(next("child", fd); lseek(fd, 2000, SEEK_SET));
	next("parent", fd);
	for (int i = 0; i < MANY; i++)
		read(fd, buffer, 10);
	next("parent, later", fd);
	close(fd);
	fd = opened("file");
	if (!(pid = vfork())) {
		dup2(fd, 0);
		execlp("head", "head", "-c", "10", NULL);
		_exit(1);
	}
	ended(pid);
	next("after head", fd);
	close(fd);
	fd = opened("file");
	pid = fork();
	if (!pid) {
		for (int i = 0; i < MANY; i++)
			read(fd, buffer, 10);
		next("child", fd);
		dup2(fd, 0);
		execlp("head", "head", "-c", "10", NULL);
	}
	ended(pid);
	next("after both", fd);
	close(fd);
	pass();
	threads();

	part("changed by others");
	fd = opened("file");
	other = open("file", O_WRONLY | O_APPEND);
	lseek(fd, 0, SEEK_END);
	next("at the end", fd);
	SAY(write(other, "appended", 8));
	next("appended", fd);
	SAY(ftruncate(other, 5000));
	next("shorter", fd);
	SAY(lseek(fd, -10, SEEK_END));
	next("at its end", fd);
	close(other);
	for (int i = 0; i < MANY; i++)
		pread(fd, buffer, 50, 0);
	lseek(fd, 4990, SEEK_SET);
	next("again", fd);
	close(open("file", O_WRONLY | O_TRUNC));
	next("empty", fd);
	return 0;
}
