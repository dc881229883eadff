/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * file.h - an open file: what a process knows of each remote open file description. The descriptor table's words name it, so that all
 * descriptors that dup has made of one refer to the same record; a word without one is of a file about which nothing is known: there was no
 * memory, or processes that have not each other's memory share their descriptors (kin.h).
 *
 * open makes a record; dup, dup2, dup3 and F_DUPFD share it; close, close_range, dup2 onto it and close-on-exec let go of it; fork and vfork copy all
 * records, and both processes then have files in common; exec takes them along.
 * Device and inode are not here: nobody asks for them yet, and a domain would have to be asked.
 */
#ifndef FC_SHIM_FILE_H
#define FC_SHIM_FILE_H

#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/atomic.h"
#include "libc-shim/pool.h"
#include "libc-shim/session/lease.h"

struct shim_process;

/* Text that belongs to a record: pieces of four sizes. */
#define SHIM_NAMES 4

struct shim_file {
	uint32_t refs;       /* descriptors of this process that refer to it; 0 = the record is free */
	int32_t descriptor;  /* the domain's, as open got it; those that dup has made may outlive it */
	uint32_t flags;      /* of the open, and of this process' F_SETFL since */
	uint32_t forks;      /* how many forks this process had come from or made, before it was opened */
	uint32_t name;       /* a piece of names[name_size]; 0 = not known */
	uint8_t domain;      /* which of the configuration's */
	uint8_t name_size;   /* which of the sizes */
	uint16_t name_bytes; /* with the NUL */
	uint32_t owner;      /* F_SETOWN's, as calls/owner.c has it; 0 = nobody */
	/* session/lease.h: */
	int16_t reads;  /* since the last question; negative: there will be none for so long */
	uint8_t failed; /* a posted write has, with this errno: session/post.h */
	uint8_t bars;   /* odd: there is to be none any more; it counts what may change the length */
	struct shim_lease lease;
};

#define SHIM_FILE_ORDER 6
_Static_assert(sizeof(struct shim_file) == 1 << SHIM_FILE_ORDER, "a power of two");

struct shim_files {
	struct shim_pool records;
	struct shim_pool names[SHIM_NAMES];
	uint32_t forks; /* so far: what was opened before is shared */
};

void shim_files_init(struct shim_files *fs);
bool shim_files_copy(struct shim_files *to, const struct shim_files *from);
void shim_files_unmap(struct shim_files *fs);

/* All files that are open are another process', too: to be said on both sides of a fork, for a file that is opened meanwhile. */
void shim_files_forked(struct shim_files *fs);

/*
 * A record for a file that has just been opened, with one reference, as bits of a descriptor's word; 0: none. Of `is` domain, descriptor,
 * flags, forks, owner, whether it may be delegated and what has failed are taken. `path` (may be null) is how the call named it, `dir` names the directory (and is held), if it was relative to
 * one: from these two the path is made, if it can be.
 */
uint64_t shim_file_new(struct shim_process *p, const struct shim_file *is, uint64_t dir, const char *path);

/* One reference more to the file of w, which is what `word` holds: its bits; 0 if that has changed meanwhile. */
uint64_t shim_file_hold(struct shim_process *p, const uint64_t *word, uint64_t w);
/* One less: a word is no more. */
void shim_file_drop(struct shim_process *p, uint64_t w);

/* From here on the current directory is the file of these bits, whose reference it takes; 0: not known, or local. */
void shim_file_enter(struct shim_process *p, uint64_t bits);

/* Its path as opened: absolute, by its text; null: not known. */
const char *shim_file_path(const struct shim_process *p, const struct shim_file *f);
/* Is it open for reading alone? */
static inline bool shim_file_reads(const struct shim_file *f)
{
	return (fc_load(&f->flags) & O_ACCMODE) == O_RDONLY;
}

#endif
