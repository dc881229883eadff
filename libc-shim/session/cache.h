/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cache.h - what has been read of delegated files that are not mapped (lease.h), in private memory of this process: blocks, found by a number of their
 * delegation's own, which no other ever has. So what a delegation has brought ends with it: whoever reads looks whether it still holds after he has
 * copied.
 *
 * A block is looked for in the few places where it can be, and copied without a lock: its place has a number that is odd while it is filled, and another one
 * afterwards. Of the places the one is taken that has not been read since it was last looked at. The memory is taken as it is needed, up to what the
 * configuration says, and given back when nothing is delegated any more; a child of a fork has none of what is in it.
 */
#ifndef FC_SHIM_CACHE_H
#define FC_SHIM_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct iovec;

#define SHIM_BLOCK 16384u

/* Is there to be one? */
bool shim_cache_allowed(void);

/* A delegation begins: the number that its blocks are found by, odd; 0: there is no memory for any. And it has ended. */
uint64_t shim_cache_begin(void);
void shim_cache_end(void);

/* Copy `total` bytes from `at` on. False: some are not there, or the buffers' memory is not; they may have been written to. */
bool shim_cache_read(uint64_t key, const struct iovec *iov, size_t iovcnt, uint64_t total, uint64_t at);

bool shim_cache_has(uint64_t key, uint64_t block);

/* Is what is missing to be brought, or has too much been that nobody read again? */
bool shim_cache_pays(void);

/*
 * Writes: while one to a file is under way nothing is put there of it; and what has been asked for before is not either, for it may be as it was. So who
 * writes says so, and then drops what he is about to write to, or all there is: the next number. `file`: whatever is always the same for it, and may be
 * another one's, too.
 */
uint32_t shim_cache_write_begin(const void *file); /* what the end is to be told */
void shim_cache_write_end(const void *file, uint32_t begun);
void shim_cache_drop(uint64_t key, uint64_t at, uint64_t n);
uint64_t shim_cache_renew(void);

/* What a block is put there for. */
struct shim_cache_fill {
	uint64_t key;
	const void *file;
	uint32_t writes; /* so many have begun */
};

/* Of `file`, what is asked for from now on may be put there: fill->writes. False: it is being written to. */
bool shim_cache_fill_begin(struct shim_cache_fill *fill);

/* The first `bytes` of a block, which is about to be read; or `ahead`: perhaps. */
void shim_cache_put(const struct shim_cache_fill *fill, uint64_t block, const char *from, uint32_t bytes, bool ahead);

/* In a child, where whoever was writing is not. */
void shim_cache_forked(void);

#endif
