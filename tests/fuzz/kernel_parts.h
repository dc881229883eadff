/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kernel_parts.h - the insides of the modelled kernel, shared by kernel.c (calls of a kind of their own), kernel_table.c (all others) and
 * kernel_check.c (arguments). */
#ifndef FC_TESTS_FUZZ_KERNEL_PARTS_H
#define FC_TESTS_FUZZ_KERNEL_PARTS_H

#include "tests/fuzz/kernel.h"

#define KERNEL_OPENED_MAX 256

extern struct fc_worker *kernel_worker;

/* ---- kernel_check.c ---- */

extern int kernel_opened[KERNEL_OPENED_MAX], kernel_opened_count; /* by the request at hand */

void kernel_check_begin(void);

/* Fails if [p, p + n) is not all there. True: it is the client's. Null pointers are the caller's to look for. */
bool kernel_check(const void *p, size_t n, const char *what);
void kernel_check_private(const void *p, size_t n, const char *what);

/* A path ends within its object; the kernel reads no more than FC_PATH_MAX of it. */
const char *kernel_check_path(const char *p);

/* The kernel writes n bytes: all of private ones, the ends of shared ones, in which nothing can be hit but what was checked. */
void kernel_fill(void *p, size_t n, const char *what);

/* A descriptor to do something with: none (-EBADF), the client's, or one that this request has just got. */
long kernel_check_fd(int fd, const char *what);

/* Where a path starts. `walk`: the call is one of those that path.c makes on an export's root. 0 or -EBADF. */
long kernel_check_dirfd(int fd, const char *path, bool walk, const char *what);

bool kernel_for_client(int fd);
int kernel_own(int fd);       /* its place in kernel_opened, or -1 */
long kernel_new_fd(bool low); /* `low`: may be one below the client's */

/* ---- kernel_table.c ---- */

extern unsigned kernel_calls_made; /* by the request at hand */

long kernel_from_table(long nr, const long a[6]);

/* What happens apart from the call: 0, or how it fails. */
long kernel_weather(void);

/* ---- kernel.c ---- */

void kernel_signal(void);

#endif
