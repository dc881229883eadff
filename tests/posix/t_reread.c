/* SPDX-License-Identifier: GPL-2.0-or-later */
/* t_reread.c - a file that is read many times, and what may change meanwhile: length and contents, by this open file, another one, another process. */
#include "posix.h"

#include <signal.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define MANY 3000 /* reads: those at first, and those after a refusal, are all too few for a delegation */

static char buffer[65536], before[65536];

/* Read at 0 many times. All reads but the first say the same. */
static void often(int fd)
{
	ssize_t first = pread(fd, before, 5000, 0), odd = 0;

	for (int i = 0; i < MANY; i++)
		odd += pread(fd, buffer, 5000, 0) != first || (first > 0 && memcmp(buffer, before, (size_t)first));
	say("%zd bytes, %zd reads that differ", first, odd);
}

static void see(const char *when, int fd, off_t at, size_t n)
{
	memset(buffer, '-', sizeof buffer);
	ssize_t r = pread(fd, buffer, n, at);

	say("%s: %zu at %ld = %zd%s%s, %.12s", when, n, (long)at, r, r < 0 ? " " : "",
	    r < 0 ? strerrorname_np(errno) : "", buffer);
}

/* Somebody who has the open file by a message, and not by a fork, which could be seen coming. */
static void pass(void)
{
	int pair[2], fd, status = 0;
	pid_t pid;
	char c;

	socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
	pid = fork();
	if (!pid) {
		SAY(ftruncate(receive_file(pair[1]), 77));
		write(pair[1], "x", 1);
		_exit(0);
	}
	fd = open("file", O_RDWR);
	often(fd);
	if (!send_file(pair[0], fd) || read(pair[0], &c, 1) != 1) {
		say("not passed");
		kill(pid, SIGKILL); /* it waits for it */
	}
	see("passed", fd, 70, 100);
	waitpid(pid, &status, 0);
	close(fd);
}

int main(int argc, char **argv)
{
	int rd, rw, other, flags, pid;
	char *text = malloc(20001), name[64];
	struct iovec v[3] = { { buffer, 3 }, { buffer + 10, 0 }, { buffer + 20, 4000 } };

	posix_begin(argc, argv);
	memset(text, 'a', 20000);
	text[20000] = 0;
	for (int i = 0; i < 20000; i += 10)
		text[i] = (char)('A' + i / 10 % 26);
	rw = make("file", text);
	rd = open("other", O_RDWR | O_CREAT, 0644);
	SAY(write(rd, text, 9000));
	close(rd);
	rd = open("other", O_RDONLY);

	part("reads");
	often(rd);
	often(rw);
	for (int i = 0; i < 2; i++) {
		int fd = i ? rw : rd;

		see("inside", fd, 4094, 5);
		see("to the end", fd, 8990, 10);
		see("over the end", fd, i ? 19990 : 8990, 20);
		see("behind it", fd, 30000, 20);
		see("nothing", fd, 10, 0);
		see("before it", fd, -1, 5);
		SAY(preadv(fd, v, 3, 100));
		SAY(preadv2(fd, v, 3, 100, RWF_HIPRI));
		SAY(preadv2(fd, v, 3, -1, 0));
		SAY(lseek(fd, 0, SEEK_CUR));
		SAY(pread(fd, (void *)8, 10, 0));
		SAY(pread(fd, NULL, 0, 0));
		char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		munmap(page + 4096, 4096);
		SAY(pread(fd, page + 4000, 400, 0));
		SAY(page[4095]);
	}

	part("by this open file");
	SAY(pwrite(rw, "written", 7, 3));
	see("written", rw, 0, 12);
	SAY(pwrite(rw, "more", 4, 20000));
	see("longer", rw, 19998, 100);
	often(rw);
	SAY(ftruncate(rw, 19000));
	see("shorter", rw, 18990, 100);
	see("behind it", rw, 19000, 100);
	often(rw);
	SAY(ftruncate(rw, 19500));
	see("zeros", rw, 18995, 600);
	often(rw);
	SAY(fallocate(rw, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096));
	see("a hole", rw, 0, 20);
	often(rw);
	SAY(lseek(rw, 100, SEEK_SET));
	SAY(write(rw, "here", 4));
	see("at the offset", rw, 98, 8);

	part("by another one");
	often(rw);
	other = open("file", O_RDWR);
	SAY(pwrite(other, "foreign", 7, 0));
	SAY(ftruncate(other, 5000));
	see("shorter", rw, 4990, 100);
	close(other);
	often(rw);
	SAY(truncate("file", 4000));
	see("shorter", rw, 3990, 100);
	often(rw);
	close(open("file", O_WRONLY | O_TRUNC));
	see("empty", rw, 0, 100);
	SAY(pwrite(rw, text, 9000, 0));
	often(rw);
	other = open("file", O_RDWR | O_NONBLOCK);
	say("without blocking: %s", other < 0 ? strerrorname_np(errno) : "open");
	close(other);
	often(rd);
	struct flock lock = { .l_type = F_RDLCK, .l_len = 10 };
	SAY(fcntl(rd, F_SETLK, &lock));
	other = open("other", O_RDONLY | O_TRUNC); /* which breaks no lease for reading */
	see("cut by a reader", rd, 0, 100);
	pid = fork(); /* which has no lock of its own */
	if (!pid) {
		lock.l_type = F_WRLCK;
		fcntl(rd, F_GETLK, &lock);
		_exit(lock.l_type == F_RDLCK ? 0 : 1);
	}
	waitpid(pid, &flags, 0);
	say("its lock is %s", flags ? "gone" : "there");
	SAY(lseek(rd, 0, SEEK_END));
	close(other);
	other = open("other", O_WRONLY);
	SAY(write(other, text, 9000));
	close(other);
	often(rd);
	other = open("other", O_WRONLY | O_NONBLOCK | O_APPEND);
	say("without blocking: %s", other < 0 ? strerrorname_np(errno) : "open");
	SAY(write(other, "appended", 8));
	see("appended", rd, 8998, 100);
	close(other);
	often(rd);
	SAY(rename("other", "elsewhere"));
	SAY(chmod("elsewhere", 0));
	see("renamed", rd, 0, 5);
	SAY(unlink("elsewhere"));
	often(rd);

	part("by another process");
	often(rw);
	CHILD(SAY(ftruncate(rw, 6000)); see("in it", rw, 5990, 100));
	see("after it", rw, 5990, 100);
	often(rw);
	CHILD(int own = open("file", O_RDWR); SAY(ftruncate(own, 5500)));
	see("after it", rw, 5490, 100);
	often(rw);
	pid = vfork();
	if (!pid) {
		execlp("truncate", "truncate", "-s", "3000", "file", NULL);
		_exit(1);
	}
	ended(pid);
	see("after it", rw, 2990, 100);
	close(rw);
	pass();

	part("descriptors");
	close(rw);
	rw = open("file", O_RDWR);
	often(rw);
	flags = fcntl(rw, F_GETFL);
	if (fcntl(rw, F_SETFL, flags | O_DIRECT) == 0) { /* not on every file system */
		say("%d", pread(rw, buffer + 1, 100, 1) == 100);
		fcntl(rw, F_SETFL, flags);
	}
	other = dup(rw);
	close(rw);
	often(other);
	SAY(ftruncate(other, 60));
	see("the other", other, 50, 100);
	SAY(fcntl(other, F_GETLEASE));
	SAY(fcntl(other, F_SETLEASE, F_WRLCK));
	SAY(fcntl(other, F_GETLEASE));
	SAY(fcntl(other, F_SETLEASE, F_UNLCK));
	often(other);
	flags = fcntl(other, F_GETFL);
	SAY(fcntl(other, F_SETFL, flags | O_APPEND));
	SAY(pwrite(other, "end", 3, 0));
	see("at the end", other, 58, 100);
	close(other);
	rw = make("locked", text);
	often(rw);
	struct flock l = { .l_type = F_WRLCK, .l_len = 10 };
	SAY(fcntl(rw, F_SETLK, &l));
	often(rw);
	CHILD(int own = open("locked", O_RDWR); SAY(fcntl(own, F_SETLK, &l)));
	close(rw);
	CHILD(int own = open("locked", O_RDWR); SAY(fcntl(own, F_SETLK, &l)));
	for (int i = 0; i < 5; i++) { /* what ends with a process has ended when it has been waited for */
		CHILD(int own = open("locked", O_RDWR); often(own); SAY(flock(own, LOCK_EX)));
		rw = open("locked", O_RDWR);
		SAY(flock(rw, LOCK_EX | LOCK_NB));
		close(rw);
		CHILD(int own = open("locked", O_RDWR | O_CLOEXEC); often(own); SAY(flock(own, LOCK_EX));
		      execlp("flock", "flock", "-n", "locked", "echo", "not locked", NULL));
	}

	part("a program");
	make("program", "#!/bin/true\n");
	chmod("program", 0755);
	other = open("program", O_RDWR);
	often(other);
	close(other);
	for (int i = 0; i < 3; i++) { /* natively it is closed when close returns: no "text file busy" */
		snprintf(name, sizeof name, "cp /bin/true t%d", i);
		SAY(system(name));
		snprintf(name, sizeof name, "t%d", i);
		other = open(name, O_RDWR);
		often(other);
		close(other);
		snprintf(name, sizeof name, "./t%d", i);
		SAY(system(name));
	}
	part("with holes");
	rw = make("holes", "text");
	SAY(ftruncate(rw, 100000));
	often(rw);
	other = (int)TRY(open("holes", O_RDONLY | O_NONBLOCK)); /* would wait for a delegation, and there is none */
	close(other);
	close(rw);
	return 0;
}
