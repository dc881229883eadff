/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* notes.c - where the sites of a relinked libc are: in the notes it brings along (elfnote.h). It changes nothing in it. */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "common/rawcall.h"
#include "common/elfnote.h"
#include "libc-shim/hook/patch.h"
#include "libc-shim/hook/sites.h"
#include "libc-shim/hook.h"

/* The site that a note is about, or null. */
static const char *site_of(const struct fc_note *n)
{
	int32_t distance;

	if (n->name_size != sizeof(FC_NOTE_OWNER) || n->description_size != sizeof(distance) ||
	    n->type < FC_NOTE_CALL || n->type > FC_NOTE_CANCELLABLE)
		return NULL;
	for (unsigned i = 0; i < sizeof(FC_NOTE_OWNER); i++)
		if (n->name[i] != FC_NOTE_OWNER[i])
			return NULL;
	memcpy(&distance, n->description, sizeof(distance));
	return n->description + distance;
}

static struct fc_site describe(uintptr_t base, uint32_t type, const char *at)
{
	static const uint8_t call[FC_SITE_JUMP] = { 0x0f, 0x05, 0x0f, 0x1f, 0x00 };
	static const uint8_t nop[FC_SITE_JUMP] = { 0x0f, 0x1f, 0x44, 0x00, 0x00 };
	struct fc_site s = {
		.address = (uintptr_t)at - base,
		.nr = FC_SITE_UNKNOWN,
		.kind = type == FC_NOTE_CALL      ? FC_SITE_CALL
			: type == FC_NOTE_SPECIAL ? FC_SITE_SPECIAL
						  : FC_SITE_CANCELLABLE,
		.after = FC_SITE_JUMP - FC_SITE_SYSCALL,
	};

	memcpy(s.bytes, type == FC_NOTE_CANCELLABLE ? nop : call, FC_SITE_JUMP);
	return s;
}

/* Count an object's sites, and with `to` write them there. */
static unsigned each_site(const struct dl_phdr_info *info, struct fc_site *to)
{
	unsigned sites = 0;

	for (unsigned i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];
		const char *at = (const char *)(info->dlpi_addr + p->p_vaddr), *end = at + p->p_memsz, *site;
		struct fc_note n;

		if (p->p_type != PT_NOTE || p->p_align > 4)
			continue;
		while (sites < FC_SITES_MAX && fc_note_next(&at, end, &n)) {
			site = site_of(&n);
			if (site && to)
				to[sites] = describe(info->dlpi_addr, n.type, site);
			sites += site != NULL;
		}
	}
	return sites;
}

struct search {
	struct fc_object *o;
	int n;
};

/* An object's sites; their number, or -errno after a line on stderr. */
static int take(struct fc_object *o, const struct dl_phdr_info *info, const char *what)
{
	const unsigned sites = each_site(info, NULL);
	long p;

	if (!sites)
		return 0;
	fc_object_place(o, info);
	o->what = what;
	p = fc_call(SYS_mmap, 0, sites * sizeof(struct fc_site), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		    -1, 0);
	if (p < 0 && p > -4096)
		return fc_hook_fail((int)p, o->what, "no memory for its sites", NULL);
	o->memory = (void *)p;
	o->memory_size = sites * sizeof(struct fc_site);
	o->site = o->memory;
	o->sites = each_site(info, o->memory);
	return (int)sites;
}

static int look(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct search *s = arg;
	int r;

	(void)size;
	if (s->n == FC_OBJECTS)
		return 0;
	r = take(&s->o[s->n], info, info->dlpi_name && *info->dlpi_name ? info->dlpi_name : "the program");
	s->n = r < 0 ? r : s->n + (r > 0);
	return r < 0;
}

int fc_notes_load(struct fc_object *o)
{
	struct search s = { .o = o };

	dl_iterate_phdr(look, &s);
	return s.n;
}

int fc_notes_load_linker(struct fc_object *o, uintptr_t base)
{
	const struct dl_phdr_info info = fc_object_headers(base);
	const int r = take(o, &info, "the dynamic linker");

	return r > 0 ? 1 : r;
}

static int has_sites(struct dl_phdr_info *info, size_t size, void *arg)
{
	(void)size;
	(void)arg;
	return each_site(info, NULL) != 0;
}

bool fc_hook_is_relinked(void)
{
	return dl_iterate_phdr(has_sites, NULL);
}
