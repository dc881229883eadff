/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* post.h - posting writes (session/post.h) on the calls' side. */
#ifndef FC_SHIM_CALLS_POST_H
#define FC_SHIM_CALLS_POST_H

#include <stddef.h>
#include <stdint.h>

struct iovec;
struct shim_process;

/* A session's first file is about to be delegated that is written: let it have a ring, if there can be one. */
void shim_posts_open(struct shim_process *p, unsigned domain);

/* Post a write to what descriptor fd refers to, if that is w yet: the bytes written, all of them, or -1: it is to be a request. */
long shim_post_write(struct shim_process *p, int fd, uint64_t w, const struct iovec *iov, size_t iovcnt, uint64_t total,
		     int64_t pos);

#endif
