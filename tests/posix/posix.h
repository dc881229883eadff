/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * posix.h - what the programs here share. Each makes calls of one family in a directory that it is given, and says what every one of them gives:
 * the same natively and on an export, which compare.sh checks. Called without a directory, a program runs compare.sh on itself. What a
 * program prints must not differ between two native runs: no addresses, times or inode numbers, and nothing that two processes print at once.
 */
#ifndef TESTS_POSIX_H
#define TESTS_POSIX_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
/* wrong arguments are what many of these calls are about */
#pragma GCC diagnostic ignored "-Wnonnull"
#pragma GCC diagnostic ignored "-Wstringop-overflow"
#pragma GCC diagnostic ignored "-Wstringop-overread"
#pragma GCC diagnostic ignored "-Wunused-result"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* SAY(call): its text, what it returned, and why not */
#define SAY(call)                                                                     \
	({                                                                            \
		errno = 0;                                                            \
		long r_ = (long)(call);                                               \
		int e_ = errno;                                                       \
		say("%s = %ld%s%s", #call, r_, r_ == -1 ? " " : "",                   \
		    r_ == -1 ? strerrorname_np(e_) ? strerrorname_np(e_) : "0" : ""); \
		r_;                                                                   \
	})

/* TRY(call): as SAY, where what it returns is not the same each time, as a descriptor is */
#define TRY(call)                                                                                       \
	({                                                                                              \
		errno = 0;                                                                              \
		long r_ = (long)(call);                                                                 \
		int e_ = errno;                                                                         \
		say("%s %s", #call, r_ == -1 ? strerrorname_np(e_) ? strerrorname_np(e_) : "0" : "ok"); \
		r_;                                                                                     \
	})

/* One line, at once: what a child says is in its place */
__attribute__((format(printf, 1, 2))) static inline void say(const char *format, ...)
{
	char line[4096];
	va_list list;
	int n;

	va_start(list, format);
	n = vsnprintf(line, sizeof line - 1, format, list);
	va_end(list);
	if (n > (int)sizeof line - 2)
		n = sizeof line - 2;
	line[n] = '\n';
	if (write(1, line, (size_t)n + 1) < 0)
		_exit(9);
}

static inline void part(const char *what)
{
	say("-- %s", what);
}

static inline int make(const char *path, const char *text)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0644);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		say("cannot make %s: %s", path, strerrorname_np(errno));
	lseek(fd, 0, SEEK_SET);
	return fd;
}

/* What a file is: type, mode, links, owners, size, blocks or none */
static inline void what(const char *path)
{
	struct stat st;

	if (lstat(path, &st))
		say("%s: %s", path, strerrorname_np(errno));
	else
		say("%s: mode %o links %lu owner %u:%u size %ld", path, st.st_mode,
		    S_ISDIR(st.st_mode) ? 0ul : (unsigned long)st.st_nlink, st.st_uid, st.st_gid,
		    S_ISDIR(st.st_mode) ? 0 : (long)st.st_size);
}

static inline void contents(const char *path)
{
	char text[256];
	int fd = open(path, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);

	if (n < 0) {
		say("%s: %s", path, strerrorname_np(errno));
	} else {
		text[n] = 0;
		for (ssize_t i = 0; i < n; i++)
			if (!text[i])
				text[i] = '0';
		say("%s: %zd \"%s\"", path, n, text);
	}
	if (fd >= 0)
		close(fd);
}

/* An open file by a message over a Unix socket */
static inline bool send_file(int sock, int fd)
{
	char space[CMSG_SPACE(sizeof fd)] = { 0 }, c = 0;
	struct iovec one = { &c, 1 };
	struct msghdr m = { .msg_iov = &one, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof space };
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);

	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = CMSG_LEN(sizeof fd);
	memcpy(CMSG_DATA(h), &fd, sizeof fd);
	return sendmsg(sock, &m, 0) == 1;
}

static inline int receive_file(int sock)
{
	int fd = -1;
	char space[CMSG_SPACE(sizeof fd)] = { 0 }, c;
	struct iovec one = { &c, 1 };
	struct msghdr m = { .msg_iov = &one, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof space };

	if (recvmsg(sock, &m, 0) == 1 && CMSG_FIRSTHDR(&m))
		memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof fd);
	return fd;
}

/* Waits for a child, says how it ended */
static inline void ended(pid_t pid)
{
	int status = -1;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFSIGNALED(status))
		say("child killed by %s", sigabbrev_np(WTERMSIG(status)));
	else
		say("child exits %d", WEXITSTATUS(status));
}

/* CHILD { ... } ended in its own time */
#define CHILD(...)                   \
	do {                         \
		pid_t pid_ = fork(); \
		if (pid_ == 0) {     \
			__VA_ARGS__; \
			_exit(0);    \
		}                    \
		ended(pid_);         \
	} while (0)

static inline void sleep_ms(long ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000 };

	while (nanosleep(&t, &t) && errno == EINTR)
		;
}

/* Ends the program well or ill if it hangs, so that what it has said is seen */
static inline void posix_begin(int argc, char **argv)
{
	const char *source = getenv("FC_SOURCE"), *seconds = getenv("FC_POSIX_SECONDS");
	char script[PATH_MAX];

	if (argc < 2) {
		snprintf(script, sizeof script, "%s/tests/posix/compare.sh", source ? source : ".");
		execl("/bin/bash", "bash", script, argv[0], NULL);
		perror(script);
		exit(2);
	}
	if (chdir(argv[1])) {
		perror(argv[1]);
		exit(2);
	}
	umask(022);
	alarm(seconds ? (unsigned)atoi(seconds) : 40);
}

#endif
