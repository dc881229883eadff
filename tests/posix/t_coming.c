/* SPDX-License-Identifier: GPL-2.0-or-later */
/* t_coming.c - the number of a file that another thread is still opening: what calls, children and the programs that they execute find under it. */
#include "posix.h"

#include <linux/close_range.h>
#include <pthread.h>
#include <sys/mman.h>

static void *reader(void *arg)
{
	(void)arg;
	return (void *)(long)open("waits", O_RDONLY);
}

/* What another thread is about to open has a number, and is nothing yet. */
static void coming(void)
{
	struct stat st;
	char text[200];
	pthread_t t;
	void *opened;
	int n, file = make("some", "abc"), null = open("/dev/null", O_RDONLY);

	mkfifo("waits", 0600);
	n = dup(null);
	close(n);
	pthread_create(&t, NULL, reader, NULL);
	usleep(200000);
	SAY(fstat(n, &st));
	SAY(read(n, text, 1));
	SAY(write(n, text, 1));
	SAY(fcntl(n, F_GETFD));
	SAY(fcntl(n, F_SETFD, FD_CLOEXEC));
	SAY(fcntl(n, F_GETFL));
	SAY(dup(n));
	SAY(fcntl(n, F_DUPFD, 0));
	SAY(dup2(n, 60));
	SAY(dup2(null, n));
	SAY(dup2(file, n));
	SAY(dup2(99, n));
	SAY(fsync(n));
	SAY(lseek(n, 0, SEEK_SET));
	SAY(mmap(NULL, 1, PROT_READ, MAP_SHARED, n, 0));
	SAY(fchdir(n));
	SAY(openat(n, "x", O_RDONLY));
	SAY(close_range(n, n, 0));
	SAY(close(n));
	SAY(open("/dev/null", O_RDONLY) - n);
	SAY(open("some", O_RDONLY) - n);
	CHILD(SAY(fcntl(n, F_GETFD)); SAY(open("some", O_RDONLY) - n); SAY(read(n, text, 9)));
	CHILD(SAY(close(n)); SAY(open("/dev/null", O_RDONLY) - n));
	snprintf(text, sizeof text, "test -e /proc/self/fd/%d || echo none; exec %d<some; cat <&%d", n, n, n);
	CHILD(execlp("bash", "bash", "-c", text, NULL));
	if (!vfork()) {
		SAY(fcntl(n, F_GETFD));
		_exit(SAY(open("some", O_RDONLY) - n) ? 1 : 0);
	}
	wait(NULL);
	SAY(close_range(n, n, CLOSE_RANGE_CLOEXEC));
	int w = open("waits", O_WRONLY);
	pthread_join(t, &opened);
	say("%ld", (long)opened - n);
	SAY(fcntl(n, F_GETFD));
	SAY(write(w, "hello", 5));
	SAY(read(n, text, 9));
	SAY(close(n));
}

int main(int argc, char **argv)
{
	posix_begin(argc, argv);
	coming();
	return 0;
}
