/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lease.h - delegated files: as long as a word of the request area says so nobody else changes the length of the file (control.h, LEASE), and what is
 * read from it need not be asked for. It is read from the page cache, which the client has mapped: so its contents are everybody's. Where it is not handed
 * over what has been read once is read from a cache (cache.h): nobody else changes the contents either then, and who writes here drops what is there of it.
 *
 * Asked for after some reads, so that who reads little pays nothing. It ends when the domain takes it back, which a reader sees; with the last
 * descriptor; before a fork and before anything else that shares the open file with another process, or changes the file's length.
 */
#ifndef FC_SHIM_LEASE_H
#define FC_SHIM_LEASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct iovec;
struct shim_file;
struct shim_process;

/* In an open file's record. Any thread may read it at any time: `word` is written last and taken first. */
struct shim_lease {
	uint64_t
		word; /* what the request area says as long as it holds; SHIM_LEASE_ASKED: somebody asks; 0 = there is none */
	union {
		const char *base; /* the file, mapped: */
		uint64_t key;     /* SHIM_LEASE_CACHED: or what is in the cache of it */
	};
	uint64_t bytes; /* of it that are certain to be there; and SHIM_LEASE_POSTS: writes may be posted, .. */
	int64_t offset; /* the file's own, if this process keeps it (offset.h) */
};

#define SHIM_OFFSET_AWAY (-1) /* the domain keeps it, as it does at first */
#define SHIM_LEASE_POSTS (1ull << 63)
#define SHIM_LEASE_CACHED (1ull << 62)
#define SHIM_LEASE_AWAY (1ull << 61) /* the offset is better kept by the domain: what is read there is not found here */
/* It has been handed over: nothing of it is ever in the cache, whatever later delegations are like. */
#define SHIM_LEASE_HANDED (1ull << 60)
/* What is mapped can be written to. */
#define SHIM_LEASE_STORES (1ull << 59)
#define SHIM_LEASE_FLAGS \
	(SHIM_LEASE_POSTS | SHIM_LEASE_CACHED | SHIM_LEASE_AWAY | SHIM_LEASE_HANDED | SHIM_LEASE_STORES)
#define SHIM_LEASE_ASKED 1u
#define SHIM_LEASE_ALL 0u                   /* for who gives back */
#define shim_lease_index(word) ((word)&511) /* of the request area's word */

/* pread(2) from what is mapped: the bytes read, or -1 if it cannot say. Of a file that is only for reading it knows the end, too. */
int64_t shim_lease_read(const struct shim_process *p, struct shim_file *f, const struct iovec *iov, size_t iovcnt,
			uint64_t total, int64_t pos);

/* Of what is in the cache: how it is found, and the file's length. False: it is not one of these. What is read after this has said so, may be put there. */
bool shim_lease_cached(const struct shim_process *p, struct shim_file *f, uint64_t *key, uint64_t *bytes);

/* A call that writes to what w is about begins, and has ended: `total` bytes at `pos`, or nobody knows where (-1). Before and after, what is read from the
 * cache is what is there. The record stays in between. */
uint32_t shim_lease_write_begin(struct shim_file *f, int64_t pos, uint64_t total); /* what the end is to be told */
void shim_lease_write_end(struct shim_file *f, uint32_t begun);

/* A read at the offset that is kept here was not found in the cache, and is not put there. */
void shim_lease_away(struct shim_file *f);

/* The length of a delegated file that is only for reading; -1: it is none. */
int64_t shim_lease_length(const struct shim_process *p, const struct shim_file *f);

/* `bytes` have been read by a request from what the word w of descriptor fd is about: is it time to ask? */
void shim_lease_count(struct shim_process *p, int fd, uint64_t w, struct shim_file *f, int64_t bytes);

/* It has one, and a larger one might be had: the file has grown. */
void shim_lease_again(struct shim_process *p, int fd, uint64_t w, struct shim_file *f);

/* Is it time to ask, after one more transfer of so many bytes? */
bool shim_lease_due(const struct shim_file *f, int64_t bytes);

/* Does the delegation `word` hold, and does it allow to post writes? */
bool shim_lease_posts(const struct shim_process *p, const struct shim_file *f, uint64_t word);

/* There will be none from here on: others have the open file, too, or it has signals of its own. */
void shim_lease_bar(struct shim_process *p, uint64_t w);

/* A call on what w is about that may shorten it begins, or has ended. */
void shim_lease_cut(struct shim_process *p, uint64_t w);

/* No more of it, whoever is reading just now. When it returns the domain has nothing open for it. */
void shim_lease_end(struct shim_process *p, struct shim_file *f);
/* The same for all files of a domain that are open. Its session is locked. */
void shim_leases_end(struct shim_process *p, unsigned domain);
/* Of a copy of a process' records, in a child or for one: the mappings are its parent's. At their addresses something else may be by now. */
void shim_leases_forget(struct shim_process *p);

#endif
