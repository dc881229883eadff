/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * store.h - writes to what this process has mapped of a file that is delegated to it (lease.h): they are made there, and take nothing but the copy. What a
 * write does besides, to the file's times, the domain does (abi.h, `stored`), as late as what is posted (post.h). The first one in each tick of the clock
 * that times are set by is no such write: so set-id bits go. Where each page takes the file system's leave to be written to it is faster to post.
 *
 * Whoever writes so has the turn of posting; who unmaps waits for that.
 */
#ifndef FC_SHIM_STORE_H
#define FC_SHIM_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "farcall/abi.h"

struct iovec;
struct shim_file;
struct shim_session;

#define SHIM_STORE_MAX (2u << 20) /* bytes of a write */

/* A delegation begins. */
void shim_store_begin(const struct shim_session *s, uint64_t word);

/* Make the write p. False: it has not been, or not all of it, or nobody sets its times: it is to be posted, or a request. */
bool shim_store(const struct shim_session *s, struct fc_ring *ring, const struct shim_file *f, const struct fc_post *p,
		const struct iovec *iov, size_t iovcnt);

/* Is a file's delegation better asked for once more? It has grown since, and what is behind what is mapped is written to again. */
bool shim_store_outgrown(const struct shim_session *s, const struct shim_file *f);
/* That was in vain. */
void shim_store_stay_behind(const struct shim_session *s, uint64_t word);

#endif
