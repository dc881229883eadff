/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * patch.h - what patch.c, which rewrites sites, and those who know where the sites are (notes.c, glibc/tables.c) share, and
 * what patch.c tells the rest of the hook.
 */
#ifndef FC_SHIM_HOOK_PATCH_H
#define FC_SHIM_HOOK_PATCH_H

#include <link.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libc-shim/hook/sites.h"

#define FC_OBJECTS 4 /* whose sites are rewritten */

/* an ELF object of the process, and its sites */
struct fc_object {
	const char *what; /* for messages */
	uintptr_t base;
	uintptr_t text, text_end; /* its executable segments */
	const struct fc_site *site;
	unsigned sites;
	void *memory; /* mapping with the sites, unmapped when they have been rewritten; null = none */
	size_t memory_size;
	char *far; /* slots near this object, if ours are out of reach */
	uintptr_t *
		link; /* of each site, where its link leads, if the text is to be mapped instead (ready.c); else null */
	size_t links_size, ready_size;
	uint64_t ready_offset;
	int ready_fd;
};

/* The objects that bring their sites along as notes, as a libc does that was built for farcall (site.s). Fills in at most
 * FC_OBJECTS of them; returns their number, 0 if there are none, or -errno after one line on stderr. */
int fc_notes_load(struct fc_object *o);
/* Of these the dynamic linker alone, which is loaded at `base`. 1, 0 or -errno. */
int fc_notes_load_linker(struct fc_object *o, uintptr_t base);

/* glibc's libc.so.6 and ld.so, with the tables in `sites_dir`. As fc_notes_load. */
int fc_tables_load(struct fc_object *o, const char *sites_dir);

/* If there is such a file at `path` for the object, with this build-id, and it can be mapped, prepare for that: o->link, and the sites are those
 * in it. */
bool fc_ready_load(struct fc_object *o, const char *path, const uint8_t *id, unsigned id_size);
/* It is not going to be: undo that, if it has been done. */
void fc_ready_forget(struct fc_object *o);
/* Every link leads where it must: map the text. 0 or -errno. */
int fc_ready_map(struct fc_object *o);

/* Of these, libc.so.6 alone; ld.so alone, which is loaded at `base`. 1 or -errno. */
int fc_tables_load_libc(struct fc_object *o, const char *sites_dir);
int fc_tables_load_linker(struct fc_object *o, const char *sites_dir, uintptr_t base);

/* What dl_iterate_phdr would show of the object at `base`, as far as its headers tell. */
struct dl_phdr_info fc_object_headers(uintptr_t base);

/* Fill in base and executable segments of the object that dl_iterate_phdr shows. */
void fc_object_place(struct fc_object *o, const struct dl_phdr_info *info);

/* One line on stderr about why `what` cannot be hooked; `path` may be null. Returns err. */
int fc_hook_fail(int err, const char *what, const char *why, const char *path);

/* our own text, known after fc_hook_install: system calls made in it are never hooked */
struct fc_text {
	uintptr_t start, end;
};
extern struct fc_text fc_shim_text;

/* ---- ELF notes ---- */

struct fc_note {
	uint32_t type;
	const char *name;
	uint32_t name_size;
	const char *description;
	uint32_t description_size;
};

/* The note at *at, which moves behind it; false at the end, or at something that is no note. */
static inline bool fc_note_next(const char **at, const char *end, struct fc_note *note)
{
	ElfW(Nhdr) h;

	if (*at > end || (size_t)(end - *at) < sizeof(h))
		return false;
	h = *(const ElfW(Nhdr) *)(const void *)*at;
	note->type = h.n_type;
	note->name = *at + sizeof(h);
	note->name_size = h.n_namesz;
	note->description = note->name + ((h.n_namesz + 3ul) & ~3ul);
	note->description_size = h.n_descsz;
	*at = note->description + ((h.n_descsz + 3ul) & ~3ul);
	return *at <= end;
}

#endif
