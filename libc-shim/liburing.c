/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * liburing.c - the functions of liburing that make a ring, in front of its own: it makes its system calls itself, so that the hook does not see
 * its io_uring_setup. Programs that are linked with liburing come here, and learn that there is no ring, or go on to the real one. In
 * libfarcall.so only: a static program has its liburing in it.
 *
 * Nothing here runs in place of a system call. These are functions that a program calls, and that may call the C library's.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>

#include "libc-shim/shim.h"

extern __typeof__(dlsym) dlsym __attribute__((weak)); /* not in libc before glibc 2.34 */

typedef long ring_function(long, long, long, long, long);

/* liburing's own; null if the program is to do without, or there is none. */
static ring_function *next(const char *name)
{
	if (shim.ready && !shim.io_uring)
		return NULL;
	return &dlsym ? (ring_function *)dlsym(RTLD_NEXT, name) : NULL;
}

/* Whatever arguments it has, five registers hold them. */
#define IN_FRONT_OF(type, name, none)                                                             \
	__attribute__((visibility("default"))) type name(long a, long b, long c, long d, long e); \
	type name(long a, long b, long c, long d, long e)                                         \
	{                                                                                         \
		ring_function *f = next(#name);                                                   \
                                                                                                  \
		return f ? (type)f(a, b, c, d, e) : (none);                                       \
	}

IN_FRONT_OF(int, io_uring_queue_init, -ENOSYS)
IN_FRONT_OF(int, io_uring_queue_init_params, -ENOSYS)
IN_FRONT_OF(int, io_uring_queue_init_mem, -ENOSYS)
IN_FRONT_OF(int, io_uring_queue_init_try_nosqarr, -ENOSYS)
IN_FRONT_OF(int, io_uring_setup, -ENOSYS)
IN_FRONT_OF(void *, io_uring_get_probe, NULL)
