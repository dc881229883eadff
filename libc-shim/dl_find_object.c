/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * dl_find_object.c - dropped into musl and uClibc-ng: the function by which the unwinder in Debian's libgcc finds the unwind information of a
 * program counter. glibc has it since 2.35; this one is slow and keeps no state.
 */
#define _GNU_SOURCE
#include <link.h>
#include <stddef.h>

/* as glibc's ABI has it on x86-64 */
struct dl_find_object {
	unsigned long long flags;
	void *map_start, *map_end;
	struct link_map *link_map;
	void *eh_frame;
	unsigned long long reserved[7];
};

struct search {
	ElfW(Addr) pc;
	struct dl_find_object *found;
};

static int look(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct search *s = arg;
	const ElfW(Phdr) *hdr = NULL, *text = NULL;

	(void)size;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];

		if (p->p_type == PT_LOAD && s->pc - info->dlpi_addr - p->p_vaddr < p->p_memsz)
			text = p;
		else if (p->p_type == PT_GNU_EH_FRAME)
			hdr = p;
	}
	if (!text || !hdr)
		return 0;
	s->found->flags = 0;
	s->found->map_start = (void *)(info->dlpi_addr + text->p_vaddr);
	s->found->map_end = (char *)s->found->map_start + text->p_memsz;
	s->found->link_map = NULL;
	s->found->eh_frame = (void *)(info->dlpi_addr + hdr->p_vaddr);
	return 1;
}

int _dl_find_object(void *pc, struct dl_find_object *found);
int _dl_find_object(void *pc, struct dl_find_object *found)
{
	struct search s = { (ElfW(Addr))pc, found };

	return dl_iterate_phdr(look, &s) ? 0 : -1;
}
