/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ready.c - maps a library's text with its sites rewritten already (ready.h). Whatever is not as it must be for that is no error: then
 * patch.c rewrites the sites of this process.
 *
 * A text that somebody else has changed in memory before us - another preloaded object, a debugger with its breakpoints - is left where it is:
 * mapping another would undo that.
 */
#define _GNU_SOURCE
#include "libc-shim/hook/ready.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "common/rawcall.h"
#include "libc-shim/hook/list.h"
#include "libc-shim/hook/patch.h"

#define TEXT_PAGES_MAX 4096 /* of a library that is looked at page by page */
#define LOOK_PAGES 128      /* at a time */

/* of an entry of /proc/self/pagemap */
#define PAGE_PRESENT (1ull << 63)
#define PAGE_SWAPPED (1ull << 62)
#define PAGE_OF_FILE (1ull << 61)

static bool is_ours(const struct stat *st)
{
	return S_ISREG(st->st_mode) && !(st->st_mode & 022) &&
	       (!st->st_uid || st->st_uid == (uid_t)fc_call(SYS_geteuid));
}

/* Is it the file of this library, and sound in itself? */
static bool fits(const struct fc_object *o, const struct fc_ready *r, uint64_t size, const uint8_t *id,
		 unsigned id_size)
{
	uint64_t text = o->base + r->text;

	if (r->magic != FC_READY_MAGIC || r->version != FC_SITES_VERSION || r->list != fc_list_hash() ||
	    r->count > FC_SITES_MAX || r->build_id_size != id_size || id_size > sizeof(r->build_id) ||
	    memcmp(r->build_id, id, id_size))
		return false;
	return text == (o->text & ~(FC_READY_PAGE - 1)) && r->text_size == fc_ready_pages(o->text_end - text) &&
	       r->links_size == fc_ready_pages(r->count * FC_READY_LINK) && r->text_offset <= r->links_offset &&
	       r->text_size <= r->links_offset - r->text_offset && r->sites_offset == r->links_offset + r->links_size &&
	       size == r->sites_offset + fc_ready_pages(r->count * sizeof(struct fc_site)) + FC_READY_PAGE &&
	       o->base > FC_READY_BELOW;
}

/* Has nobody written to the text? Pages that have never been touched are as they were, too. */
static bool is_pristine(uintptr_t at, size_t size)
{
	uint64_t page[LOOK_PAGES];
	size_t pages = size / FC_READY_PAGE, n;
	bool pristine = pages <= TEXT_PAGES_MAX;
	long fd = pristine ? fc_call(SYS_openat, AT_FDCWD, "/proc/self/pagemap", O_RDONLY | O_CLOEXEC, 0) : -1;

	if (fd < 0)
		return false;
	for (size_t i = 0; i < pages && pristine; i += n) {
		n = pages - i < LOOK_PAGES ? pages - i : LOOK_PAGES;
		pristine = fc_call(SYS_pread64, fd, page, n * sizeof(page[0]),
				   (at / FC_READY_PAGE + i) * sizeof(page[0])) == (long)(n * sizeof(page[0]));
		for (size_t j = 0; j < n && pristine; j++)
			pristine = !(page[j] & (PAGE_PRESENT | PAGE_SWAPPED)) || page[j] & PAGE_OF_FILE;
	}
	fc_call(SYS_close, fd);
	return pristine;
}

/* Room for the table, and behind it the links and the sites from the file. */
static bool map_links(struct fc_object *o, const struct fc_ready *r, long fd)
{
	size_t table = r->links_size, rest = table + fc_ready_pages(r->count * sizeof(struct fc_site));
	uintptr_t at = o->base - FC_READY_BELOW - table;
	long p = fc_call(SYS_mmap, at, table + rest, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	if (p < 0 && p > -4096)
		return false;
	if ((uintptr_t)p == at && (uintptr_t)fc_call(SYS_mmap, at + table, rest, PROT_READ | PROT_EXEC,
						     MAP_PRIVATE | MAP_FIXED, fd, r->links_offset) == at + table) {
		o->link = (uintptr_t *)at;
		o->links_size = table;
		o->site = (const void *)(at + 2 * table);
		o->sites = r->count;
		return true;
	}
	fc_call(SYS_munmap, p, table + rest);
	return false;
}

bool fc_ready_load(struct fc_object *o, const char *path, const uint8_t *id, unsigned id_size)
{
	long fd = fc_call(SYS_openat, AT_FDCWD, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC, 0);
	struct fc_ready r;
	struct stat st;

	if (fd < 0)
		return false;
	if (fc_call(SYS_fstat, fd, &st) == 0 && is_ours(&st) && st.st_size > (off_t)FC_READY_PAGE &&
	    fc_call(SYS_pread64, fd, &r, sizeof(r), st.st_size - FC_READY_PAGE) == sizeof(r) &&
	    fits(o, &r, (uint64_t)st.st_size, id, id_size) && is_pristine(o->base + r.text, r.text_size) &&
	    map_links(o, &r, fd)) {
		o->ready_fd = (int)fd;
		o->ready_offset = r.text_offset;
		o->ready_size = r.text_size;
		return true;
	}
	fc_call(SYS_close, fd);
	return false;
}

/* The sites stay where they are, and are as good for rewriting the text. */
void fc_ready_forget(struct fc_object *o)
{
	if (!o->link)
		return;
	fc_call(SYS_munmap, o->link, 2 * o->links_size);
	fc_call(SYS_close, o->ready_fd);
	o->link = NULL;
}

int fc_ready_map(struct fc_object *o)
{
	uintptr_t at = o->text & ~(FC_READY_PAGE - 1);
	long p, r = fc_call(SYS_mprotect, o->link, o->links_size, PROT_READ);

	if (r < 0)
		return (int)r;
	p = fc_call(SYS_mmap, at, o->ready_size, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED, o->ready_fd,
		    o->ready_offset);
	fc_call(SYS_close, o->ready_fd);
	return (uintptr_t)p == at ? 0 : (int)p;
}
