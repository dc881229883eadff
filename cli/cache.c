/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cache.c - files in the cache directory (cache.h). What is in them is their makers' business. */
#define _GNU_SOURCE
#include "cli/cache.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/random.h>
#include <unistd.h>

bool fc_cache_trusted(const struct stat *st)
{
	return (!st->st_uid || st->st_uid == geteuid()) && !(st->st_mode & 022);
}

static int write_all(int fd, const void *data, size_t size)
{
	const char *p = data;

	while (size) {
		ssize_t n = write(fd, p, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		size -= (size_t)n;
	}
	return 0;
}

int fc_cache_write(int dir, const char *name, const struct iovec *part, int parts, bool durable)
{
	char temporary[64];
	uint64_t random;
	int fd, err = 0;

	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		return -errno;
	snprintf(temporary, sizeof(temporary), ".new-%016llx", (unsigned long long)random);
	fd = openat(dir, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	for (int i = 0; i < parts && !err; i++)
		err = write_all(fd, part[i].iov_base, part[i].iov_len);
	if (!err && fchmod(fd, 0644)) /* whatever the umask: root's are for everybody */
		err = -errno;
	if (!err && durable && fsync(fd))
		err = -errno;
	if (close(fd) && !err)
		err = -errno;
	if (!err && renameat(dir, temporary, dir, name))
		err = -errno;
	if (err)
		unlinkat(dir, temporary, 0);
	return err;
}
