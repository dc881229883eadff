/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * offset.h - a file's own offset, which read(2) and lseek(2) move. The domain's kernel keeps it, but for a file that is delegated and open for reading
 * alone: then its client does, in the file's record, and they need no request. It goes back before anything that the domain's kernel does with it: each call
 * on such a file that may use it says so. Nothing of it is lost when a call is left by a jump, but that it may stay with the domain for good.
 */
#ifndef FC_SHIM_OFFSET_H
#define FC_SHIM_OFFSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct iovec;
struct shim_file;
struct shim_process;

/* read(2) of what this process keeps the offset of: the bytes read, or -1 if it does not, or cannot say. */
int64_t shim_offset_read(const struct shim_process *p, struct shim_file *f, const struct iovec *iov, size_t iovcnt,
			 uint64_t total);
/* lseek(2) of the same: the new offset, or -1. */
int64_t shim_offset_seek(const struct shim_process *p, struct shim_file *f, int64_t by, int whence);

/* A call at the domain's offset of descriptor fd begins: it goes there, if it is not there. For shim_offset_end; 0: it is one that a client never keeps. */
uint64_t shim_offset_begin(struct shim_process *p, int fd);
/* Is it the offset of what w is about that a call has begun to use? The number may have been another file's, and then the call is to begin anew, for the
 * offset may be kept here: SHIM_OTHER. */
bool shim_offset_is_begun(const struct shim_process *p, uint64_t w, uint64_t held);
/* It has ended. `keep`: it has read; if the file is delegated the offset is kept here from now on, unless something forbids it. */
void shim_offset_end(struct shim_process *p, int fd, uint64_t held, bool keep);

/* It goes to the domain; all those of a domain do (-1: of any). What is shared does not come back. False: fd does not stand for w any more, and it stays. */
bool shim_offset_leave(struct shim_process *p, int fd, uint64_t w);
void shim_offsets_leave(struct shim_process *p, int domain);

#endif
