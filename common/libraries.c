/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libraries.c - reads the names and run paths in a program's dynamic section (libraries.h). */
#define _GNU_SOURCE
#include "common/libraries.h"

#include <elf.h>
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>

#include "common/rawcall.h"

#define TEXT_MAX 4096
#define HEADERS_MAX 24
#define ENTRIES 32
#define ENTRIES_MAX 1024

struct file {
	int fd;
	unsigned headers;
	Elf64_Phdr header[HEADERS_MAX];
	uint64_t strings; /* offset in the file, 0 = not known */
};

static long read_at(int fd, void *to, size_t size, uint64_t offset)
{
	long got;

	do
		got = fc_call(SYS_pread64, fd, to, size, offset);
	while (got == -EINTR);
	return got;
}

static bool begins(const char *s, const char *with)
{
	while (*with && *s == *with) {
		s++;
		with++;
	}
	return !*with;
}

static bool has_slash(const char *s)
{
	while (*s && *s != '/')
		s++;
	return *s;
}

static bool leads_there(const struct fc_libraries *l, const char *path)
{
	if (begins(path, "$ORIGIN") || begins(path, "${ORIGIN}"))
		return l->origin;
	return l->is_remote(l->arg, *path ? path : ".");
}

/* Does one of the list lead there? A list of names has those that are searched for, too: without a slash. */
static bool list_leads_there(const struct fc_libraries *l, const char *list, const char *separators, bool names)
{
	char one[TEXT_MAX];

	for (;; list++) {
		size_t n = 0;

		for (; *list; list++) {
			const char *s = separators;

			while (*s && *s != *list)
				s++;
			if (*s)
				break;
			if (n < sizeof(one) - 1)
				one[n++] = *list;
		}
		one[n] = 0;
		if ((!names || has_slash(one)) && leads_there(l, one))
			return true;
		if (!*list)
			return false;
	}
}

static bool read_headers(struct file *f)
{
	Elf64_Ehdr e;
	long size;

	if (read_at(f->fd, &e, sizeof(e), 0) != sizeof(e) || e.e_phentsize != sizeof(Elf64_Phdr) ||
	    e.e_phnum > HEADERS_MAX)
		return false;
	size = (long)(e.e_phnum * sizeof(Elf64_Phdr));
	f->headers = e.e_phnum;
	return read_at(f->fd, f->header, (size_t)size, e.e_phoff) == size;
}

/* Where in the file the address lies, or 0. */
static uint64_t offset_of(const struct file *f, uint64_t address)
{
	for (unsigned i = 0; i < f->headers; i++) {
		const Elf64_Phdr *p = &f->header[i];

		if (p->p_type == PT_LOAD && address - p->p_vaddr < p->p_filesz)
			return address - p->p_vaddr + p->p_offset;
	}
	return 0;
}

static bool entry_leads_there(const struct fc_libraries *l, struct file *f, const Elf64_Dyn *d)
{
	const bool needed = d->d_tag == DT_NEEDED;
	char text[TEXT_MAX];
	long got;

	if (!f->strings || (!needed && d->d_tag != DT_RPATH && d->d_tag != DT_RUNPATH))
		return false;
	got = read_at(f->fd, text, sizeof(text) - 1, f->strings + d->d_un.d_val);
	if (got <= 0)
		return false;
	text[got] = 0;
	return list_leads_there(l, text, needed ? "" : ":", needed);
}

/* Is it glibc's dynamic linker? It has no name for itself but this. */
static bool entry_is_linker(struct file *f, const Elf64_Dyn *d)
{
	static const char linker[] = "ld-linux-x86-64.so.2";
	char name[sizeof(linker)];

	if (!f->strings || d->d_tag != DT_SONAME ||
	    read_at(f->fd, name, sizeof(name), f->strings + d->d_un.d_val) != sizeof(name))
		return false;
	for (unsigned i = 0; i < sizeof(name); i++)
		if (name[i] != linker[i])
			return false;
	return true;
}

enum question { STRINGS, LIBRARIES, LINKER };

static bool answers(enum question question, const struct fc_libraries *l, struct file *f, const Elf64_Dyn *d)
{
	if (question == LIBRARIES)
		return entry_leads_there(l, f, d);
	if (question == LINKER)
		return entry_is_linker(f, d);
	if (d->d_tag == DT_STRTAB)
		f->strings = offset_of(f, d->d_un.d_ptr);
	return d->d_tag == DT_STRTAB;
}

/* Does an entry of the dynamic section say yes? */
static bool walk(enum question question, const struct fc_libraries *l, struct file *f, const Elf64_Phdr *dynamic)
{
	Elf64_Dyn d[ENTRIES];
	const uint64_t all = dynamic->p_filesz / sizeof(d[0]);

	for (uint64_t at = 0; at < all && at < ENTRIES_MAX; at += ENTRIES) {
		const uint64_t n = all - at < ENTRIES ? all - at : ENTRIES;
		long got = read_at(f->fd, d, n * sizeof(d[0]), dynamic->p_offset + at * sizeof(d[0]));

		for (long i = 0; i < got / (long)sizeof(d[0]); i++) {
			if (d[i].d_tag == DT_NULL)
				return false;
			if (answers(question, l, f, &d[i]))
				return true;
		}
		if (got != (long)(n * sizeof(d[0])))
			return false;
	}
	return false;
}

static bool ask(enum question question, const struct fc_libraries *l, int fd)
{
	struct file f = { .fd = fd };

	if (!read_headers(&f))
		return false;
	for (unsigned i = 0; i < f.headers; i++)
		if (f.header[i].p_type == PT_DYNAMIC)
			return walk(STRINGS, NULL, &f, &f.header[i]) && walk(question, l, &f, &f.header[i]);
	return false;
}

bool fc_libraries_remote(const struct fc_libraries *l, int fd)
{
	if (l->library_path && *l->library_path && list_leads_there(l, l->library_path, ":;", false))
		return true;
	return (l->preload && list_leads_there(l, l->preload, ": ", true)) || ask(LIBRARIES, l, fd);
}

bool fc_libraries_is_linker(int fd)
{
	return ask(LINKER, NULL, fd);
}
