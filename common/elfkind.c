/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* elfkind.c - dynamic, static, script: reads just enough of a file to tell (elfkind.h). It executes and changes nothing. */
#define _GNU_SOURCE
#include "common/elfkind.h"

#include <elf.h>
#include <errno.h>
#include <stdbool.h>
#include <sys/syscall.h>

#include "common/rawcall.h"
#include "common/elfnote.h"

#define SCRIPT_LINE 256 /* BINPRM_BUF_SIZE: what the kernel looks at */
#define GLIBC_LINKER "ld-linux-x86-64.so.2"
#define HEAD 1024      /* of a program: its headers, the linker's name, the notes */
#define NOTES_MAX 8192 /* of a program; a libc linked into it has several hundred */

/* A file, and its beginning, where nearly always everything is. */
struct file {
	int fd;
	long got;
	char head[HEAD];
};

/* pread that goes on after EINTR. Returns bytes or -errno. */
static long read_from(int fd, void *buf, size_t size, unsigned long offset)
{
	long got;

	do
		got = fc_call(SYS_pread64, fd, buf, size, offset);
	while (got == -EINTR);
	return got;
}

static long read_at(const struct file *f, void *buf, size_t size, unsigned long offset)
{
	if (offset > (unsigned long)f->got || size > (unsigned long)f->got - offset)
		return read_from(f->fd, buf, size, offset);
	for (size_t i = 0; i < size; i++)
		((char *)buf)[i] = f->head[offset + i];
	return (long)size;
}

/* Does the NUL-terminated path name glibc's dynamic linker, wherever it is? */
static bool is_glibc_linker(const char *path)
{
	const char *name = path, *want = GLIBC_LINKER;

	for (; *path; path++)
		if (*path == '/')
			name = path + 1;
	while (*want && *name == *want) {
		want++;
		name++;
	}
	return !*want && !*name;
}

static int kind_by_interpreter(const struct file *f, const Elf64_Phdr *ph)
{
	char path[256];
	size_t size = ph->p_filesz < sizeof(path) ? ph->p_filesz : sizeof(path);
	long got;

	got = read_at(f, path, size, ph->p_offset);
	if (got < 0)
		return (int)got;
	if (got < 1 || path[got - 1] != '\0')
		return FC_ELF_FOREIGN;
	return is_glibc_linker(path) ? FC_ELF_DYNAMIC : FC_ELF_FOREIGN;
}

static bool is_program_note(const Elf64_Nhdr *h, const char *name)
{
	static const char owner[] = FC_NOTE_OWNER;

	for (unsigned i = 0; i < sizeof(owner); i++)
		if (name[i] != owner[i])
			return false;
	return h->n_namesz == sizeof(owner) && h->n_type == FC_NOTE_PROGRAM;
}

/* Do the notes of this segment say that the shim is part of the program? 1, 0 or -errno. */
static int has_program_note(const struct file *f, const Elf64_Phdr *ph)
{
	struct {
		Elf64_Nhdr h;
		char name[sizeof(FC_NOTE_OWNER)];
	} note;
	uint64_t at = 0;

	for (unsigned n = 0; n < NOTES_MAX && at + sizeof(note) <= ph->p_filesz; n++) {
		long got = read_at(f, &note, sizeof(note), ph->p_offset + at);

		if (got < 0)
			return (int)got;
		if (got != sizeof(note))
			return 0;
		if (is_program_note(&note.h, note.name))
			return 1;
		at += sizeof(note.h) + ((note.h.n_namesz + 3ull) & ~3ull) + ((note.h.n_descsz + 3ull) & ~3ull);
	}
	return 0;
}

static int kind_of_elf64(const struct file *f, const Elf64_Ehdr *eh)
{
	int kind = FC_ELF_STATIC;

	if (eh->e_phentsize != sizeof(Elf64_Phdr))
		return FC_ELF_OTHER;
	for (unsigned i = 0; i < eh->e_phnum; i++) {
		Elf64_Phdr ph;
		long got = read_at(f, &ph, sizeof(ph), eh->e_phoff + i * sizeof(ph));

		if (got < 0)
			return (int)got;
		if (got != sizeof(ph))
			return FC_ELF_OTHER;
		if (ph.p_type == PT_INTERP)
			kind = kind_by_interpreter(f, &ph);
		else if (ph.p_type == PT_NOTE && ph.p_align <= 4 && (got = has_program_note(f, &ph)))
			return got < 0 ? (int)got : FC_ELF_RELINKED;
		if (kind < 0)
			return kind;
	}
	return kind;
}

int fc_elf_kind(int fd)
{
	struct file f = { .fd = fd };
	Elf64_Ehdr eh;
	long got;

	f.got = read_from(fd, f.head, sizeof(f.head), 0);
	if (f.got < 0)
		return (int)f.got;
	got = read_at(&f, &eh, f.got < (long)sizeof(eh) ? (size_t)f.got : sizeof(eh), 0);
	if (got >= 2 && eh.e_ident[0] == '#' && eh.e_ident[1] == '!')
		return FC_ELF_SCRIPT;
	if (got < EI_NIDENT || eh.e_ident[EI_MAG0] != ELFMAG0 || eh.e_ident[EI_MAG1] != ELFMAG1 ||
	    eh.e_ident[EI_MAG2] != ELFMAG2 || eh.e_ident[EI_MAG3] != ELFMAG3)
		return FC_ELF_OTHER;
	if (eh.e_ident[EI_CLASS] != ELFCLASS64)
		return FC_ELF_FOREIGN;
	if (got != sizeof(eh) || (eh.e_type != ET_EXEC && eh.e_type != ET_DYN))
		return FC_ELF_OTHER;
	if (eh.e_machine != EM_X86_64)
		return FC_ELF_FOREIGN;
	return kind_of_elf64(&f, &eh);
}

int fc_elf_script_interpreter(int fd, char *path, size_t size)
{
	char line[SCRIPT_LINE];
	long got = read_from(fd, line, sizeof(line), 0);
	long at = 2, length = 0;

	if (got < 0)
		return (int)got;
	if (got < 2 || line[0] != '#' || line[1] != '!')
		return -ENOEXEC;
	while (at < got && (line[at] == ' ' || line[at] == '\t'))
		at++;
	while (at + length < got && line[at + length] != ' ' && line[at + length] != '\t' &&
	       line[at + length] != '\n' && line[at + length] != '\0')
		length++;
	if (!length || at + length == SCRIPT_LINE || (size_t)length >= size)
		return -ENOEXEC;
	for (long i = 0; i < length; i++)
		path[i] = line[at + i];
	path[length] = '\0';
	return (int)length;
}
