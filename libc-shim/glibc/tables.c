/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tables.c - where the sites of a stock glibc are: it finds libc and ld.so and reads the tables that the `farcall` command has made
 * for their build-ids (sites.h). It changes nothing in them.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "common/rawcall.h"
#include "libc-shim/hook/list.h"
#include "libc-shim/hook/patch.h"
#include "libc-shim/hook/ready.h"
#include "libc-shim/hook/sites.h"

#define DIR_MAX 4096
#define PATH_ROOM (DIR_MAX + 1 + FC_LIST_NAME)

extern void *__tls_get_addr(void *) __attribute__((weak)); /* ld.so's */

/* a library that is looked for */
struct library {
	struct fc_object *o;
	uintptr_t probe; /* an address in it */
	const uint8_t *id;
	unsigned id_size;
};

static void find_build_id(struct library *l, const char *at, size_t size)
{
	const char *end = at + size;
	struct fc_note n;

	while (fc_note_next(&at, end, &n)) {
		if (n.type == NT_GNU_BUILD_ID && n.name_size == 4 && n.description_size &&
		    n.description_size <= FC_BUILD_ID_MAX) {
			l->id = (const void *)n.description;
			l->id_size = n.description_size;
			return;
		}
	}
}

static int find_library(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct library *l = arg;
	bool here = false;

	(void)size;
	for (unsigned i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];

		here |= p->p_type == PT_LOAD && l->probe - info->dlpi_addr - p->p_vaddr < p->p_memsz;
	}
	if (!here)
		return 0;
	fc_object_place(l->o, info);
	for (unsigned i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];

		if (p->p_type == PT_NOTE && !l->id)
			find_build_id(l, (const void *)(info->dlpi_addr + p->p_vaddr), p->p_memsz);
	}
	return 1;
}

static int table_path(char path[PATH_ROOM], const char *dir, const struct library *l, const char *suffix)
{
	size_t n = 0;

	while (n < DIR_MAX && dir[n]) {
		path[n] = dir[n];
		n++;
	}
	if (n == DIR_MAX)
		return -ENAMETOOLONG;
	path[n++] = '/';
	fc_list_name(path + n, l->id, l->id_size, suffix);
	return 0;
}

/* The table is believed if only root or this user can have written it. The sites are checked one by one later. */
static int check_table(const struct library *l, const struct fc_sites_header *h, const struct stat *st)
{
	if (h->magic != FC_SITES_MAGIC || h->version != FC_SITES_VERSION || h->list != fc_list_hash() ||
	    h->count > FC_SITES_MAX || (size_t)st->st_size != sizeof(*h) + h->count * sizeof(struct fc_site) ||
	    h->build_id_size != l->id_size)
		return -EINVAL;
	for (unsigned i = 0; i < l->id_size; i++)
		if (h->build_id[i] != l->id[i])
			return -EINVAL;
	return 0;
}

static int load_table(const struct library *l, const char *dir)
{
	const struct fc_sites_header *h;
	struct fc_object *o = l->o;
	char path[PATH_ROOM];
	struct stat st;
	int err;
	long fd, p;

	if (!o->base || !l->id)
		return fc_hook_fail(-ENOENT, o->what, "it is not loaded or has no build-id", NULL);
	if (table_path(path, dir, l, FC_READY_SUFFIX) == 0 && fc_ready_load(o, path, l->id, l->id_size))
		return 0;
	err = table_path(path, dir, l, FC_SITES_SUFFIX);
	if (err)
		return fc_hook_fail(err, o->what, "no site table: the directory's name is too long", NULL);
	fd = fc_call(SYS_openat, AT_FDCWD, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC, 0);
	if (fd < 0)
		return fc_hook_fail((int)fd, o->what, "no site table", path);
	err = (int)fc_call(SYS_fstat, fd, &st);
	if (!err &&
	    (!S_ISREG(st.st_mode) || (st.st_mode & 022) || (st.st_uid && st.st_uid != (uid_t)fc_call(SYS_geteuid))))
		err = -EPERM;
	if (!err && (size_t)st.st_size < sizeof(struct fc_sites_header))
		err = -EINVAL;
	p = err ? 0 : fc_call(SYS_mmap, 0, st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	fc_call(SYS_close, fd);
	if (err || p <= 0) /* (mmap gives no address 0) */
		return fc_hook_fail(err ? err : (int)p, o->what, "will not use the site table", path);
	o->memory = (void *)p;
	h = o->memory;
	o->memory_size = (size_t)st.st_size;
	err = check_table(l, h, &st);
	o->site = (const void *)(h + 1);
	o->sites = h->count;
	return err ? fc_hook_fail(err, o->what, "the site table is damaged or of another version:", path) : 0;
}

static int load_loaded(struct fc_object *o, const char *what, const void *probe, const char *sites_dir)
{
	struct library l = { .o = o, .probe = (uintptr_t)probe };

	o->what = what;
	dl_iterate_phdr(find_library, &l);
	return load_table(&l, sites_dir);
}

int fc_tables_load_libc(struct fc_object *o, const char *sites_dir)
{
	int err = load_loaded(o, "libc", (const void *)(uintptr_t)&dl_iterate_phdr, sites_dir);

	return err ? err : 1;
}

int fc_tables_load_linker(struct fc_object *o, const char *sites_dir, uintptr_t base)
{
	struct dl_phdr_info info = fc_object_headers(base);
	struct library l = { .o = o, .probe = base };
	int err;

	o->what = "ld.so";
	find_library(&info, sizeof(info), &l);
	err = load_table(&l, sites_dir);
	return err ? err : 1;
}

int fc_tables_load(struct fc_object *o, const char *sites_dir)
{
	int err = fc_tables_load_libc(&o[0], sites_dir);

	if (err < 0)
		return err;
	err = load_loaded(&o[1], "ld.so", (const void *)(uintptr_t)&__tls_get_addr, sites_dir);
	return err ? err : 2;
}
