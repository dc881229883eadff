/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* beyond.h - calls of our own that the application's limits do not hold for. */
#ifndef FC_SHIM_BEYOND_H
#define FC_SHIM_BEYOND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct shim_process;

/* A system call of ours to which neither RLIMIT_NOFILE nor RLIMIT_FSIZE applies (only ftruncate is about the latter), as far as can be;
 * other threads do not see them lifted. For errors only: it can cost a process. Kernel results; -EFBIG instead of a SIGXFSZ. */
long shim_beyond(struct shim_process *p, long nr, const long a[6]);
/* A call that makes a descriptor, beyond the limit if that is reached. */
long shim_make_fd(struct shim_process *p, long nr, long a0, long a1, long a2, long a3);
/* ftruncate of a file of ours. */
long shim_set_size(struct shim_process *p, int fd, size_t size);
/* Descriptors whose numbers are kept, if there are none beyond the limit: have as many as there should be. */
void shim_spares_fit(struct shim_process *p);
/* Close a descriptor of ours that came of the calls above. */
void shim_done_with(struct shim_process *p, int fd);
/* While the shim begins, and nobody else is there to notice: descriptors beyond RLIMIT_NOFILE, as far as can be. */
struct shim_numbers {
	uint64_t limit[2];
	bool lifted;
};
void shim_numbers_begin(struct shim_process *p, struct shim_numbers *n);
void shim_numbers_end(struct shim_process *p, const struct shim_numbers *n);
void shim_limits_look(struct shim_process *p); /* RLIMIT_NOFILE is new: which is it? */

#endif
