/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_elfkind.c - kinds of programs, from small made-up files and from a real one. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/elfkind.h"
#include "common/elfnote.h"

static int file_of(const void *bytes, size_t size)
{
	int fd = memfd_create("program", MFD_CLOEXEC);

	cr_assert(fd >= 0 && write(fd, bytes, size) == (ssize_t)size);
	return fd;
}

static int kind_of_text(const char *text)
{
	int fd = file_of(text, strlen(text)), kind = fc_elf_kind(fd);

	close(fd);
	return kind;
}

/* An ELF file with one PT_LOAD and, if `interpreter` is not null, a PT_INTERP. */
static int kind_of_elf(uint16_t machine, uint16_t type, const char *interpreter)
{
	struct {
		Elf64_Ehdr eh;
		Elf64_Phdr ph[2];
		char interpreter[64];
	} elf = {
		.eh = { .e_ident = ELFMAG,
			.e_type = type,
			.e_machine = machine,
			.e_phoff = sizeof(Elf64_Ehdr),
			.e_phentsize = sizeof(Elf64_Phdr),
			.e_phnum = interpreter ? 2 : 1 },
		.ph = { { .p_type = PT_LOAD }, { .p_type = PT_INTERP, .p_offset = sizeof(elf.eh) + sizeof(elf.ph) } },
	};
	int fd, kind;

	elf.eh.e_ident[EI_CLASS] = ELFCLASS64;
	elf.eh.e_ident[EI_DATA] = ELFDATA2LSB;
	if (interpreter) {
		strcpy(elf.interpreter, interpreter);
		elf.ph[1].p_filesz = strlen(interpreter) + 1;
	}
	fd = file_of(&elf, sizeof(elf));
	kind = fc_elf_kind(fd);
	close(fd);
	return kind;
}

/* This program; tests/relinked compiles it for others. uClibc-ng says that it is glibc. */
#if defined(__GLIBC__) && !defined(__UCLIBC__)
static const bool is_for_glibc = true;
#else
static const bool is_for_glibc = false;
#endif

Test(elfkind, dynamic)
{
	int fd = open("/proc/self/exe", O_RDONLY);

	cr_expect_eq(fc_elf_kind(fd) == FC_ELF_DYNAMIC, is_for_glibc);
	close(fd);
	cr_expect_eq(kind_of_elf(EM_X86_64, ET_DYN, "/lib64/ld-linux-x86-64.so.2"), FC_ELF_DYNAMIC);
	cr_expect_eq(kind_of_elf(EM_X86_64, ET_EXEC, "ld-linux-x86-64.so.2"), FC_ELF_DYNAMIC);
}

Test(elfkind, static_and_foreign)
{
	cr_expect_eq(kind_of_elf(EM_X86_64, ET_EXEC, NULL), FC_ELF_STATIC);
	cr_expect_eq(kind_of_elf(EM_X86_64, ET_DYN, NULL), FC_ELF_STATIC);
	cr_expect_eq(kind_of_elf(EM_AARCH64, ET_EXEC, NULL), FC_ELF_FOREIGN);
	cr_expect_eq(kind_of_elf(EM_X86_64, ET_DYN, "/lib/ld-musl-x86_64.so.1"), FC_ELF_FOREIGN);
	cr_expect_eq(kind_of_elf(EM_X86_64, ET_DYN, "/lib64/ld-linux-x86-64.so.23"), FC_ELF_FOREIGN);
	cr_expect_eq(kind_of_elf(EM_X86_64, ET_DYN, ""), FC_ELF_FOREIGN);
	cr_expect_eq(kind_of_elf(EM_X86_64, ET_REL, NULL), FC_ELF_OTHER);
}

Test(elfkind, nonsense)
{
	cr_expect_eq(kind_of_text(""), FC_ELF_OTHER);
	cr_expect_eq(kind_of_text("#"), FC_ELF_OTHER);
	cr_expect_eq(kind_of_text("echo hello\n"), FC_ELF_OTHER);
	cr_expect_eq(kind_of_text("\177ELF\002 and then text that is long enough for a whole header ......"),
		     FC_ELF_OTHER);
	cr_expect_eq(fc_elf_kind(-1), -EBADF);
}

/* ---- notes: what makes a relinked program ---- */

static struct {
	unsigned char bytes[16384];
	size_t size;
} notes;

static void add_note(const char *name, uint32_t namesz, uint32_t type, uint32_t descsz)
{
	Elf64_Nhdr h = { .n_namesz = namesz, .n_descsz = descsz, .n_type = type };

	memcpy(notes.bytes + notes.size, &h, sizeof(h));
	memcpy(notes.bytes + notes.size + sizeof(h), name, strlen(name));
	notes.size += sizeof(h) + ((namesz + 3) & ~3u) + ((descsz + 3) & ~3u);
	cr_assert(notes.size <= sizeof(notes.bytes));
}

static void no_notes(void)
{
	memset(&notes, 0, sizeof(notes));
}

static void only_note(const char *name, uint32_t namesz, uint32_t type, uint32_t descsz)
{
	no_notes();
	add_note(name, namesz, type, descsz);
}

static void add_program_note(void)
{
	add_note(FC_NOTE_OWNER, sizeof(FC_NOTE_OWNER), FC_NOTE_PROGRAM, 0);
}

/* An x86-64 program with the notes in a segment that is placed and sized as `segment` says, and, if there is one, an interpreter before or behind
 * it. The file ends `size` bytes behind the first note. */
static int kind_of_noted(uint16_t type, const char *interpreter, bool before, Elf64_Phdr segment, size_t size)
{
	struct {
		Elf64_Ehdr eh;
		Elf64_Phdr ph[2];
		char interpreter[64];
		unsigned char notes[sizeof(notes.bytes)];
	} elf = {
		.eh = { .e_ident = ELFMAG,
			.e_type = type,
			.e_machine = EM_X86_64,
			.e_phoff = sizeof(Elf64_Ehdr),
			.e_phentsize = sizeof(Elf64_Phdr),
			.e_phnum = interpreter ? 2 : 1 },
	};
	Elf64_Phdr *interp = &elf.ph[before ? 0 : 1], *note = &elf.ph[interpreter && before ? 1 : 0];
	int fd, kind;

	elf.eh.e_ident[EI_CLASS] = ELFCLASS64;
	if (interpreter) {
		strcpy(elf.interpreter, interpreter);
		interp->p_type = PT_INTERP;
		interp->p_offset = offsetof(typeof(elf), interpreter);
		interp->p_filesz = strlen(interpreter) + 1;
	}
	*note = segment;
	note->p_type = PT_NOTE;
	note->p_offset += offsetof(typeof(elf), notes);
	memcpy(elf.notes, notes.bytes, sizeof(elf.notes));
	fd = file_of(&elf, sizeof(elf));
	cr_assert_eq(ftruncate(fd, (off_t)(offsetof(typeof(elf), notes) + size)), 0);
	kind = fc_elf_kind(fd);
	close(fd);
	return kind;
}

/* As a linker would do it. */
static int kind_with_notes(uint16_t type, const char *interpreter, bool before)
{
	return kind_of_noted(type, interpreter, before, (Elf64_Phdr){ .p_filesz = notes.size, .p_align = 4 },
			     notes.size);
}

Test(elfkind, relinked)
{
	no_notes();
	add_program_note();
	cr_expect_eq(kind_with_notes(ET_EXEC, NULL, false), FC_ELF_RELINKED);
	cr_expect_eq(kind_with_notes(ET_DYN, NULL, false), FC_ELF_RELINKED); /* static-pie */
	for (int before = 0; before < 2; before++) {
		cr_expect_eq(kind_with_notes(ET_DYN, "/lib/ld-musl-x86_64.so.1", before), FC_ELF_RELINKED);
		cr_expect_eq(kind_with_notes(ET_EXEC, "/lib/ld64-uClibc.so.1", before), FC_ELF_RELINKED);
	}
	/* behind those of others, with descriptions of any size, and those of the library's sites */
	only_note("GNU", 4, 3, 20);
	add_note("", 0, 7, 0);
	add_note("x", 2, 1, 5);
	for (int i = 0; i < 500; i++)
		add_note(FC_NOTE_OWNER, sizeof(FC_NOTE_OWNER), FC_NOTE_CALL, 4);
	add_program_note();
	add_note("GNU", 4, 1, 16);
	cr_expect_eq(kind_with_notes(ET_EXEC, NULL, false), FC_ELF_RELINKED);
	cr_expect_eq(kind_with_notes(ET_DYN, "/lib/ld-musl-x86_64.so.1", true), FC_ELF_RELINKED);
}

Test(elfkind, notes_of_others)
{
	no_notes();
	cr_expect_eq(kind_with_notes(ET_EXEC, NULL, false), FC_ELF_STATIC);
	only_note(FC_NOTE_OWNER, sizeof(FC_NOTE_OWNER), FC_NOTE_CALL, 4); /* a library alone */
	cr_expect_eq(kind_with_notes(ET_EXEC, NULL, false), FC_ELF_STATIC);
	cr_expect_eq(kind_with_notes(ET_DYN, "/lib/ld-musl-x86_64.so.1", false), FC_ELF_FOREIGN);
	cr_expect_eq(kind_with_notes(ET_DYN, "/lib64/ld-linux-x86-64.so.2", false), FC_ELF_DYNAMIC);
	only_note("farcalm", 8, FC_NOTE_PROGRAM, 0);
	cr_expect_eq(kind_with_notes(ET_EXEC, NULL, false), FC_ELF_STATIC);
	only_note("farcall2", 9, FC_NOTE_PROGRAM, 0);
	cr_expect_eq(kind_with_notes(ET_EXEC, NULL, false), FC_ELF_STATIC);
	only_note(FC_NOTE_OWNER, 7, FC_NOTE_PROGRAM, 0); /* without its NUL */
	cr_expect_eq(kind_with_notes(ET_EXEC, NULL, false), FC_ELF_STATIC);
	/* in a segment whose notes are padded to 8 bytes, where nobody puts it */
	no_notes();
	add_program_note();
	cr_expect_eq(
		kind_of_noted(ET_EXEC, NULL, false, (Elf64_Phdr){ .p_filesz = notes.size, .p_align = 8 }, notes.size),
		FC_ELF_STATIC);
	/* what looks like the note, in another's description */
	only_note("GNU", 4, 3, 20);
	notes.size = 16;
	add_program_note();
	cr_expect_eq(kind_with_notes(ET_EXEC, NULL, false), FC_ELF_STATIC);
}

Test(elfkind, notes_cut_off)
{
	size_t whole;

	only_note("GNU", 4, 3, 20);
	add_program_note();
	whole = notes.size;
	for (size_t size = 0; size <= whole; size++) {
		int want = size == whole ? FC_ELF_RELINKED : FC_ELF_STATIC;

		/* by the end of the file, by the end of the segment, by both */
		cr_expect_eq(kind_of_noted(ET_EXEC, NULL, false, (Elf64_Phdr){ .p_filesz = whole }, size), want, "%zu",
			     size);
		cr_expect_eq(kind_of_noted(ET_EXEC, NULL, false, (Elf64_Phdr){ .p_filesz = size }, whole), want, "%zu",
			     size);
		cr_expect_eq(kind_of_noted(ET_EXEC, NULL, false, (Elf64_Phdr){ .p_filesz = size }, size), want, "%zu",
			     size);
	}
}

Test(elfkind, notes_hostile)
{
	static const uint32_t sizes[] = { UINT32_MAX, UINT32_MAX - 3, INT32_MAX, 1u << 31, 1u << 20 };

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		for (int name = 0; name < 2; name++) {
			Elf64_Nhdr h = { .n_namesz = name ? sizes[i] : 4, .n_descsz = name ? 0 : sizes[i] };

			no_notes();
			memcpy(notes.bytes, &h, sizeof(h));
			notes.size = sizeof(h) + (name ? 0 : 4); /* the next, if the size came out as 0 */
			add_program_note();
			cr_expect_eq(kind_with_notes(ET_EXEC, NULL, false), FC_ELF_STATIC, "%#x", sizes[i]);
			cr_expect_eq(
				kind_of_noted(ET_EXEC, NULL, false, (Elf64_Phdr){ .p_filesz = UINT64_MAX }, notes.size),
				FC_ELF_STATIC, "%#x", sizes[i]);
		}
	}
	/* a segment that lies nowhere in a file */
	cr_expect_eq(kind_of_noted(ET_EXEC, NULL, false, (Elf64_Phdr){ .p_offset = 1ull << 63, .p_filesz = 100 }, 0),
		     -EINVAL);
	cr_expect_eq(kind_of_noted(ET_EXEC, NULL, false, (Elf64_Phdr){ .p_offset = 1ull << 62, .p_filesz = 100 }, 0),
		     FC_ELF_STATIC);
}

/* A terabyte of empty notes. */
Test(elfkind, notes_endless, .timeout = 20)
{
	no_notes();
	cr_expect_eq(kind_of_noted(ET_EXEC, NULL, false, (Elf64_Phdr){ .p_filesz = 1ull << 40 }, 1ull << 40),
		     FC_ELF_STATIC);
}

static void expect_interpreter(const char *script, const char *want)
{
	int fd = file_of(script, strlen(script));
	char path[64];
	int length = fc_elf_script_interpreter(fd, path, sizeof(path));

	if (!want) {
		cr_expect_eq(length, -ENOEXEC, "%s: %d", script, length);
	} else {
		cr_assert_eq(length, (int)strlen(want), "%s: %d", script, length);
		cr_expect_str_eq(path, want);
	}
	close(fd);
}

Test(elfkind, scripts)
{
	char line[400] = "#!/";

	cr_expect_eq(kind_of_text("#!/bin/sh\n"), FC_ELF_SCRIPT);
	expect_interpreter("#!/bin/sh\necho\n", "/bin/sh");
	expect_interpreter("#!  \t/usr/bin/env python3\n", "/usr/bin/env");
	expect_interpreter("#!/bin/sh", "/bin/sh");
	expect_interpreter("#!\n/bin/sh\n", NULL);
	expect_interpreter("#!", NULL);
	expect_interpreter("/bin/sh", NULL);
	memset(line + 3, 'x', 300);
	expect_interpreter(line, NULL);
	line[80] = '\n';
	expect_interpreter(line, NULL); /* does not fit the caller's buffer */
}
