/* SPDX-License-Identifier: GPL-2.0-or-later */
/* t_fifo.c - mknod and FIFOs: who waits to open, what is read and written with nobody there, poll, atomic writes, sizes, exec'd programs. */
#include "posix.h"

#include <sys/ioctl.h>
#include <sys/sysmacros.h>

static void nodes(void)
{
	struct stat st;

	part("nodes");
	SAY(mkfifo("f", 0666));
	what("f");
	SAY(mkfifo("f", 0666));
	SAY(mkfifo("none/f", 0666));
	SAY(mknod("reg", S_IFREG | 0600, 0));
	what("reg");
	SAY(mknod("plain", 0640, 0));
	what("plain");
	SAY(mknod("sock", S_IFSOCK | 0600, 0));
	what("sock");
	SAY(mknod("dir", S_IFDIR | 0600, 0));
	SAY(mknod("odd", 0170000, 0));
	TRY(open("sock", O_RDWR));
	SAY(stat("f", &st));
	SAY(truncate("f", 0));
	TRY(open("f", O_RDWR | O_DIRECTORY));
}

static short ready(int fd, short events, int ms)
{
	struct pollfd p = { fd, events, 0 };

	poll(&p, 1, ms);
	return p.revents;
}

#define READY(fd, events) say("ready(%s, %s) %x", #fd, #events, ready(fd, events, 0))

static void nonblocking(void)
{
	int r, w, again, pending;
	char text[16] = { 0 };

	part("without waiting");
	TRY(open("f", O_WRONLY | O_NONBLOCK));
	r = (int)TRY(open("f", O_RDONLY | O_NONBLOCK));
	SAY(read(r, text, 4));
	READY(r, POLLIN);
	w = (int)TRY(open("f", O_WRONLY | O_NONBLOCK));
	SAY(read(r, text, 4));
	READY(r, POLLIN);
	READY(w, POLLOUT);
	SAY(write(w, "abc", 3));
	SAY(ioctl(r, FIONREAD, &pending));
	say("%d", pending);
	READY(r, POLLIN);
	SAY(read(r, text, 2));
	SAY(lseek(r, 0, SEEK_SET));
	SAY(pread(r, text, 1, 0));
	SAY(ftruncate(w, 0));
	SAY(read(w, text, 1));
	SAY(write(r, text, 1));
	close(w);
	READY(r, POLLIN);
	SAY(read(r, text, 4));
	SAY(read(r, text, 4));
	again = (int)TRY(open("f", O_WRONLY));
	READY(r, POLLIN);
	close(r);
	READY(again, POLLOUT);
	signal(SIGPIPE, SIG_IGN);
	SAY(write(again, "x", 1));
	close(again);
	r = (int)TRY(open("f", O_RDWR));
	SAY(write(r, "self", 4));
	SAY(read(r, text, 4));
	SAY(fcntl(r, F_SETPIPE_SZ, 4096));
	SAY(fcntl(r, F_GETPIPE_SZ));
	SAY(fcntl(r, F_SETFL, O_NONBLOCK));
	{
		static char big[8192];

		SAY(write(r, big, sizeof big));
		SAY(write(r, big, 1));
		READY(r, POLLIN | POLLOUT);
		SAY(read(r, big, sizeof big));
	}
	SAY(write(r, "kept?", 5));
	close(r);
	r = (int)TRY(open("f", O_RDONLY | O_NONBLOCK));
	SAY(read(r, text, 4));
	close(r);
}

static void waiting(void)
{
	char text[64] = { 0 };
	int fd, all = 0;
	ssize_t n;
	pid_t pid;

	part("waiting");
	pid = fork();
	if (pid == 0) {
		sleep_ms(100);
		fd = open("f", O_WRONLY);
		sleep_ms(100);
		write(fd, "after a while", 13);
		_exit(0);
	}
	fd = (int)TRY(open("f", O_RDONLY));
	SAY(read(fd, text, 63));
	say("%s", text);
	SAY(read(fd, text, 63));
	close(fd);
	ended(pid);
	/* interrupted while it waits to open */
	struct sigaction sa = { .sa_handler = SIG_IGN };
	sigaction(SIGPIPE, &sa, NULL);
	pid = fork();
	if (pid == 0) {
		TRY(open("f", O_RDONLY));
		_exit(0);
	}
	sleep_ms(100);
	kill(pid, SIGTERM);
	ended(pid);
	/* small writes of many stay whole; it is open for writing all the time, so that there is no end */
	fd = open("f", O_RDWR);
	for (int i = 0; i < 4; i++)
		if (!fork()) {
			char line[100];

			memset(line, 'a' + i, 99);
			line[99] = '\n';
			for (int j = 0; j < 100; j++)
				write(fd, line, 100);
			_exit(0);
		}
	FILE *in = fdopen(fd, "r");
	char line[200];
	int broken = 0;
	while (all < 400 && fgets(line, sizeof line, in)) {
		for (int i = 0; i < 99; i++)
			broken += line[i] != line[0];
		all++;
	}
	say("%d lines, %d broken", all, broken);
	fclose(in);
	while (wait(NULL) > 0)
		;
	/* programs that inherit it */
	pid = fork();
	if (pid == 0) {
		fd = open("f", O_WRONLY);
		dup2(fd, 1);
		close(fd);
		execlp("seq", "seq", "1", "2000", NULL);
	}
	fd = open("f", O_RDONLY);
	all = 0;
	while ((n = read(fd, text, sizeof text)) > 0)
		all += (int)n;
	say("%d bytes", all);
	close(fd);
	ended(pid);
	/* removed while it is open, and of another name */
	fd = open("f", O_RDWR);
	SAY(rename("f", "g"));
	SAY(unlink("g"));
	SAY(write(fd, "x", 1));
	SAY(read(fd, text, 1));
}

int main(int argc, char **argv)
{
	posix_begin(argc, argv);
	nodes();
	nonblocking();
	waiting();
	return 0;
}
