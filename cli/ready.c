/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ready.c - writes the file with a library whose sites are rewritten already (libc-shim/hook/ready.h) from the library and the table of its
 * sites.
 */
#define _GNU_SOURCE
#include "cli/ready.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cache.h"
#include "cli/elf_view.h"
#include "libc-shim/hook/list.h"
#include "libc-shim/hook/ready.h"

struct ready {
	struct fc_ready head;
	const struct fc_sites_header *table;
	const struct fc_site *site;
	uint8_t *bytes;
	size_t size;
};

/* The table as it is in the file, or null. */
static struct fc_sites_header *read_table(int dir, const char *name)
{
	int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	struct fc_sites_header *t = NULL;
	struct stat st;

	if (fd < 0)
		return NULL;
	if (!fstat(fd, &st) && st.st_size > (off_t)sizeof(*t) && (t = malloc((size_t)st.st_size)) &&
	    (read(fd, t, (size_t)st.st_size) != st.st_size ||
	     (size_t)st.st_size != sizeof(*t) + t->count * sizeof(struct fc_site))) {
		free(t);
		t = NULL;
	}
	close(fd);
	return t;
}

/* The one executable segment of the image, or null: one that has none or more is not for us. */
static const Elf64_Phdr *text_of(const struct fc_image *image)
{
	const Elf64_Ehdr *h = fc_elf_header(image);
	const Elf64_Phdr *p = h ? fc_elf_segments(image) : NULL, *text = NULL;

	for (unsigned i = 0; p && i < h->e_phnum; i++) {
		if (p[i].p_type != PT_LOAD || !(p[i].p_flags & PF_X))
			continue;
		if (text)
			return NULL;
		text = &p[i];
	}
	return text && text->p_filesz == text->p_memsz && text->p_offset <= image->size &&
			       text->p_filesz <= image->size - text->p_offset &&
			       !((text->p_vaddr - text->p_offset) & (FC_READY_PAGE - 1))
		       ? text
		       : NULL;
}

static bool plan(struct ready *r, const struct fc_image *image)
{
	const Elf64_Phdr *text = text_of(image);

	if (!text)
		return false;
	r->head.magic = FC_READY_MAGIC;
	r->head.version = r->table->version;
	r->head.list = r->table->list;
	r->head.count = r->table->count;
	r->head.build_id_size = r->table->build_id_size;
	memcpy(r->head.build_id, r->table->build_id, sizeof(r->head.build_id));
	r->head.text = text->p_vaddr & ~(FC_READY_PAGE - 1);
	r->head.text_size = fc_ready_pages(text->p_vaddr + text->p_memsz) - r->head.text;
	r->head.text_offset = text->p_offset & ~(FC_READY_PAGE - 1);
	r->head.links_offset = fc_ready_pages(image->size);
	r->head.links_size = fc_ready_pages(r->table->count * FC_READY_LINK);
	r->head.sites_offset = r->head.links_offset + r->head.links_size;
	r->size = r->head.sites_offset + fc_ready_pages(r->table->count * sizeof(*r->site)) + FC_READY_PAGE;
	return true;
}

static bool is_made(int dir, const char *name, const struct ready *r)
{
	int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	struct fc_ready head;
	struct stat st;
	bool made;

	if (fd < 0)
		return false;
	made = !fstat(fd, &st) && S_ISREG(st.st_mode) && fc_cache_trusted(&st) && (size_t)st.st_size == r->size &&
	       pread(fd, &head, sizeof(head), (off_t)(r->size - FC_READY_PAGE)) == sizeof(head) &&
	       !memcmp(&head, &r->head, sizeof(head));
	close(fd);
	return made;
}

static void put_displacement(uint8_t *at, int64_t distance)
{
	int32_t d = (int32_t)distance;

	memcpy(at, &d, sizeof(d));
}

/* False if the table does not belong to the image. */
static bool put_jump(struct ready *r, uint32_t i)
{
	const struct fc_site *s = &r->site[i];
	size_t size = (size_t)s->before + FC_SITE_SYSCALL + s->after;
	uint64_t in = s->address - r->head.text;
	uint8_t *at;

	if (s->address < r->head.text || size > FC_SITE_BYTES || size < FC_SITE_JUMP || in > r->head.text_size - size)
		return false;
	at = r->bytes + r->head.text_offset + in;
	if (memcmp(at, s->bytes, size))
		return false;
	memset(at, 0xcc, size);
	at[0] = 0xe9; /* jmp to the link */
	put_displacement(at + 1,
			 (int64_t)i * FC_READY_LINK - (int64_t)FC_READY_BELOW - (int64_t)s->address - FC_SITE_JUMP);
	return true;
}

static void put_link(struct ready *r, uint32_t i)
{
	uint8_t *at = r->bytes + r->head.links_offset + i * FC_READY_LINK;

	memset(at, 0xcc, FC_READY_LINK);
	at[0] = 0xff; /* jmp *(%rip), its address in the table: as far in front of it as the links are long */
	at[1] = 0x25;
	put_displacement(at + 2, -(int64_t)r->head.links_size - 6);
}

static void make(int dir, const char *name, struct ready *r, const struct fc_image *image)
{
	bool good = true;

	r->bytes = calloc(1, r->size);
	if (!r->bytes)
		return;
	memcpy(r->bytes, image->bytes, image->size);
	for (uint32_t i = 0; i < r->table->count && good; i++) {
		good = put_jump(r, i);
		put_link(r, i);
	}
	memcpy(r->bytes + r->head.sites_offset, r->site, r->table->count * sizeof(*r->site));
	memcpy(r->bytes + r->size - FC_READY_PAGE, &r->head, sizeof(r->head));
	if (good) /* to be executed: not to be there with pages of zeros after a crash */
		fc_cache_write(dir, name, &(struct iovec){ r->bytes, r->size }, 1, true);
	free(r->bytes);
}

void fc_ready_ensure(int dir, const char *table, const struct fc_image *image)
{
	char name[FC_LIST_NAME];
	struct fc_sites_header *t = read_table(dir, table);
	struct ready r = { .table = t, .site = (const struct fc_site *)(t + 1) };
	const char *dot = strrchr(table, '.');

	if (t && dot && t->count >= FC_READY_LEAST &&
	    snprintf(name, sizeof(name), "%.*s" FC_READY_SUFFIX, (int)(dot - table), table) < (int)sizeof(name) &&
	    plan(&r, image) && !is_made(dir, name, &r))
		make(dir, name, &r, image);
	free(t);
}
