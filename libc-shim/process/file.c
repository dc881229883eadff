/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * file.c - records of open files, see file.h. It asks no domain. All is lock-free: a call may be left by a jump, or interrupted
 * by a handler that opens and closes files, at any instruction; what a jump loses is a record.
 */
#include "libc-shim/process/file.h"

#include <errno.h>

#include "common/atomic.h"
#include "farcall/abi.h"
#include "libc-shim/process/process.h"
#include "libc-shim/shim.h"
#include "libc-shim/text.h"

/* sizes of names: 64, 256, 1024, FC_PATH_MAX */
static const uint8_t name_order[SHIM_NAMES] = { 6, 8, 10, 12 };
_Static_assert(FC_PATH_MAX == 1 << 12, "the last of them");

void shim_files_init(struct shim_files *fs)
{
	shim_pool_init(&fs->records, SHIM_FILE_ORDER);
	for (int i = 0; i < SHIM_NAMES; i++)
		shim_pool_init(&fs->names[i], name_order[i]);
}

bool shim_files_copy(struct shim_files *to, const struct shim_files *from)
{
	int i = 0;

	to->forks = from->forks;
	if (!shim_pool_copy(&to->records, &from->records))
		return false;
	while (i < SHIM_NAMES && shim_pool_copy(&to->names[i], &from->names[i]))
		i++;
	if (i == SHIM_NAMES)
		return true;
	while (i--)
		shim_pool_unmap(&to->names[i]);
	shim_pool_unmap(&to->records);
	return false;
}

void shim_files_unmap(struct shim_files *fs)
{
	shim_pool_unmap(&fs->records);
	for (int i = 0; i < SHIM_NAMES; i++)
		shim_pool_unmap(&fs->names[i]);
}

void shim_files_forked(struct shim_files *fs)
{
	fc_faa(&fs->forks, 1u);
}

/* ---- paths ---- */

/* Put together `dir`, a slash and `path` in a piece of memory for the record. Not known, if there is no room. */
static void name(struct shim_process *p, struct shim_file *f, const char *dir, const char *path)
{
	uint64_t at = dir ? strlen(dir) + 1 : 0, bytes = at + strlen(path) + 1;
	int size = 0;

	while (size < SHIM_NAMES && 1u << name_order[size] < bytes)
		size++;
	if (size == SHIM_NAMES)
		return;
	uint32_t n = shim_pool_take(&p->files.names[size]);
	if (!n)
		return;
	char *to = shim_pool_at(&p->files.names[size], n);
	if (dir) {
		memcpy(to, dir, at - 1);
		to[at - 1] = '/';
	}
	memcpy(to + at, path, bytes - at);
	f->name_size = (uint8_t)size;
	f->name_bytes = (uint16_t)bytes;
	f->name = n;
}

const char *shim_file_path(const struct shim_process *p, const struct shim_file *f)
{
	const struct shim_pool *names = &p->files.names[f->name_size % SHIM_NAMES];
	const char *text;

	/* in a copy that was made while another thread wrote it, it may be of two paths */
	text = shim_pool_at(names, f->name);
	if (!text || !f->name_bytes || f->name_bytes > 1u << names->order)
		return NULL;
	return text[f->name_bytes - 1] ? NULL : text;
}

/* ---- references ---- */

/* The last one has gone. */
static void forget(struct shim_process *p, struct shim_file *f, uint32_t n)
{
	if (unlikely(f->lease.word))
		shim_lease_end(p, f);
	(void)shim_post_error(p, f); /* that nobody has asked for is not the next file's */
	if (f->name)
		shim_pool_give(&p->files.names[f->name_size], f->name);
	shim_pool_give(&p->files.records, n);
}

uint64_t shim_file_new(struct shim_process *p, const struct shim_file *is, uint64_t dir, const char *path)
{
	const struct shim_file *from = shim_file_of(p, dir);
	uint32_t n = p->shared ? 0 : shim_pool_take(&p->files.records);
	struct shim_file *f;

	if (!n)
		return 0;
	f = shim_pool_at(&p->files.records, n);
	f->domain = is->domain;
	f->descriptor = is->descriptor;
	f->flags = is->flags;
	f->forks = is->forks;
	f->owner = is->owner;
	f->failed = is->failed;
	f->name = 0;
	f->reads = 0;
	f->bars = is->bars & 1;
	f->lease = (struct shim_lease){ .offset = SHIM_OFFSET_AWAY };
	if (path && path[0] == '/')
		name(p, f, NULL, path);
	else if (path && from && shim_file_path(p, from))
		name(p, f, shim_file_path(p, from), path);
	fc_store_release(&f->refs, 1u);
	return shim_fd_file_bits(n);
}

uint64_t shim_file_hold(struct shim_process *p, const uint64_t *word, uint64_t w)
{
	struct shim_file *f = shim_file_of(p, w);
	uint32_t refs;

	if (!f || p->shared)
		return 0;
	do {
		refs = fc_load(&f->refs);
		if (!refs)
			return 0;
	} while (!fc_cas(&f->refs, refs, refs + 1));
	if (fc_load_acquire(word) == w)
		return shim_fd_file_bits(shim_fd_file(w));
	shim_file_drop(p, w); /* it was let go of meanwhile: this may be another's by now */
	return 0;
}

void shim_file_drop(struct shim_process *p, uint64_t w)
{
	struct shim_file *f = shim_file_of(p, w);

	/* shared descriptors: others have the record in memory of their own, and it is never free again */
	if (f && !p->shared && fc_faa(&f->refs, -1u) == 1)
		forget(p, f, shim_fd_file(w));
}

void shim_file_enter(struct shim_process *p, uint64_t bits)
{
	shim_file_drop(p, fc_xchg(&p->cwd_file, bits));
}
