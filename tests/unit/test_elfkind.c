/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_elfkind.c - kinds of programs, from small made-up files and from a real one. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/elfkind.h"

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

Test(elfkind, dynamic)
{
	int fd = open("/proc/self/exe", O_RDONLY);

	cr_expect_eq(fc_elf_kind(fd), FC_ELF_DYNAMIC);
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
