/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kernel_check.c - what a worker may hand to the kernel: memory, paths, descriptors. Owns the descriptors that a request has open. */
#define _GNU_SOURCE
#include "tests/fuzz/kernel_parts.h"

#include <pthread.h>
#include <sanitizer/asan_interface.h>
#include <stdlib.h>

#include "storage-domain/fds.h"
#include "tests/fuzz/client.h"
#include "tests/fuzz/fuzz.h"

extern char __executable_start, end; /* the linker's */

struct fc_worker *kernel_worker;
int kernel_opened[KERNEL_OPENED_MAX], kernel_opened_count;
static int next_fd;
static const char *stack_low, *stack_high;

/* ---- memory ---- */

struct part {
	const void *at;
	size_t size;
};

/* Is [p, p + n) within one member of the worker's scratch? */
static bool in_scratch(const char *p, size_t n)
{
	const struct fc_exec *x = &kernel_worker->exec;
	const struct part part[] = {
		{ x->path[0], sizeof x->path[0] },
		{ x->path[1], sizeof x->path[1] },
		{ x->walk.name, sizeof x->walk.name },
		{ x->walk.text, sizeof x->walk.text },
		{ x->walk.scratch, sizeof x->walk.scratch },
		{ x->iov, sizeof x->iov },
		{ &x->xattr, sizeof x->xattr },
		{ &x->e, sizeof x->e },
		{ &x->cred, sizeof x->cred },
	};

	for (unsigned i = 0; i < sizeof part / sizeof *part; i++) {
		const char *at = part[i].at;

		if (p >= at && p < at + part[i].size)
			return n <= (size_t)(at + part[i].size - p);
	}
	return false;
}

/* Something the compiler knows of: a variable of some frame, a constant, an allocation. */
static bool is_object(void *p)
{
	char name[8];
	void *start;
	size_t size;

	if (((char *)p >= stack_low && (char *)p < stack_high) ||
	    ((char *)p >= &__executable_start && (char *)p < &end))
		return true;
	return strcmp(__asan_locate_address(p, name, sizeof name, &start, &size), "") && start;
}

/* Fails if [p, p + n) is not all there. True: it is the client's. Null pointers are the caller's to look for. */
bool kernel_check(const void *p, size_t n, const char *what)
{
	if (client_owns(p, n) == CLIENT_DATA)
		return true;
	if (client_owns(p, n) == CLIENT_AREA)
		fuzz_fail("%s: the kernel gets the request area", what);
	if ((char *)p >= (char *)kernel_worker && (char *)p < (char *)(kernel_worker + 1)) {
		if (!in_scratch(p, n))
			fuzz_fail("%s: %zu bytes at %p run out of the scratch", what, n, p);
		return false;
	}
	if (__asan_region_is_poisoned((void *)p, n) || !is_object((void *)p))
		fuzz_fail("%s: %zu bytes at %p are nobody's", what, n, p);
	return false;
}

void kernel_check_private(const void *p, size_t n, const char *what)
{
	if (kernel_check(p, n, what))
		fuzz_fail("%s: it is shared with the client, who may change it", what);
}

/* The kernel writes n bytes: all of private ones, the ends of shared ones, in which nothing can be hit but what was checked. */
void kernel_fill(void *p, size_t n, const char *what)
{
	uint8_t byte = fuzz_back(1);

	if (!kernel_check(p, n, what)) {
		memset(p, byte, n);
	} else if (n) {
		memset(p, byte, n < 64 ? n : 64);
		((char *)p)[n - 1] = byte;
	}
}

/* A path ends within its object; the kernel reads no more than FC_PATH_MAX of it. */
const char *kernel_check_path(const char *p)
{
	const char *copies = (const char *)kernel_worker->exec.path;
	size_t n = strnlen(p, FC_PATH_MAX);

	/* the rest of a walk may be longer than what the kernel takes, a copied path may not */
	if (n == FC_PATH_MAX && p >= copies && p < copies + sizeof kernel_worker->exec.path)
		fuzz_fail("a path without an end");
	kernel_check_private(p, n < FC_PATH_MAX ? n + 1 : n, "path");
	return p;
}

/* ---- descriptors ---- */

int kernel_own(int fd)
{
	for (int i = 0; i < kernel_opened_count; i++)
		if (kernel_opened[i] == fd)
			return i;
	return -1;
}

long kernel_new_fd(bool low)
{
	unsigned b = fuzz_back(1);
	int fd = b < 240 ? next_fd++ : b < 248 && low ? (int)(b & 7) + 16 : FC_DOMAIN_FD_MAX + 1 + next_fd++;

	if (kernel_own(fd) >= 0)
		fd = next_fd++;
	if (kernel_opened_count == KERNEL_OPENED_MAX)
		fuzz_fail("one request has %d descriptors open", kernel_opened_count);
	kernel_opened[kernel_opened_count++] = fd;
	return fd;
}

bool kernel_for_client(int fd)
{
	return fd >= FC_DOMAIN_FD_FIRST && fd <= FC_DOMAIN_FD_MAX;
}

/* A descriptor to do something with: none, the client's, or one that this request has just got. */
long kernel_check_fd(int fd, const char *what)
{
	if (fd == -1)
		return -EBADF;
	if (!kernel_for_client(fd) && kernel_own(fd) < 0)
		fuzz_fail("%s: descriptor %d is not the client's", what, fd);
	return 0;
}

static bool absolute(void)
{
	return kernel_worker->exec.path[0][0] == '/' || kernel_worker->exec.path[1][0] == '/';
}

/* "self/fd/N": the client's own path, or a descriptor that it gives another name without a path. */
static void check_descriptor_path(const char *path, const char *what)
{
	const bool named =
		kernel_worker->exec.descriptor_path || (!strcmp(what, "linkat") && !kernel_worker->exec.path[0][0]);
	char *end;
	unsigned long fd;

	if (!named || strncmp(path, "self/fd/", 8))
		fuzz_fail("\"%s\" relative to /proc", path);
	fd = strtoul(path + 8, &end, 10);
	if (*end || end == path + 8 || fd < FC_DOMAIN_FD_FIRST || fd > FC_DOMAIN_FD_MAX)
		fuzz_fail("\"%s\" relative to /proc", path);
}

/* Where a path starts. `walk`: the call is one of those that path.c makes on an export's root. */
long kernel_check_dirfd(int fd, const char *path, bool walk, const char *what)
{
	if (fd == FC_FD_PROC) {
		check_descriptor_path(path ? path : "", what);
		return 0;
	}
	if (fd == AT_FDCWD)
		return 0;
	if (fd >= FC_FD_EXPORT && fd < FC_FD_EXPORT + (int)kernel_worker->exec.s->exports->count && walk && absolute())
		return 0;
	/* the kernel looks at it only if the path is relative, and that says what is wrong with the path first */
	return kernel_check_fd(fd, what) && (!path || path[0] != '/') ? -EBADF : 0;
}

void kernel_check_begin(void)
{
	pthread_attr_t attr;
	size_t size;
	void *low;

	kernel_opened_count = 0;
	next_fd = 64;
	if (stack_low)
		return;
	pthread_getattr_np(pthread_self(), &attr);
	pthread_attr_getstack(&attr, &low, &size);
	pthread_attr_destroy(&attr);
	stack_low = low;
	stack_high = stack_low + size;
}
