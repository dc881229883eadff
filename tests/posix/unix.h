/* SPDX-License-Identifier: GPL-2.0-or-later */
/* unix.h - addresses of Unix sockets, for the programs that are about them. */
#ifndef TESTS_POSIX_UNIX_H
#define TESTS_POSIX_UNIX_H

#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

static struct sockaddr_un un;

/* The bytes of a path, as far as they go in, without a NUL behind them if they fill all there is; and how long that is with `more` bytes. */
static inline socklen_t address(const char *path, size_t more)
{
	const size_t n = strnlen(path, sizeof un.sun_path);

	memset(&un, 0, sizeof un);
	un.sun_family = AF_UNIX;
	memcpy(un.sun_path, path, n);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + more);
}

static socklen_t at(const char *path);

static inline long bind_(int s, const char *path)
{
	socklen_t n = at(path);

	return bind(s, (void *)&un, n);
}

static inline long connect_(int s, const char *path)
{
	socklen_t n = at(path);

	return connect(s, (void *)&un, n);
}

#endif
