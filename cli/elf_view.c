/* SPDX-License-Identifier: GPL-2.0-or-later */
/* elf_view.c - bounds-checked looks into an ELF file in memory (elf_view.h). */
#include "cli/elf_view.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

/* do n items of `each` bytes at `offset` lie in the file? */
static bool inside(const struct fc_image *image, uint64_t offset, uint64_t n, uint64_t each)
{
	return offset <= image->size && n <= (image->size - offset) / each;
}

const Elf64_Ehdr *fc_elf_header(const struct fc_image *image)
{
	const Elf64_Ehdr *e = (const void *)image->bytes;

	if (image->size < sizeof(*e) || memcmp(e->e_ident, ELFMAG, SELFMAG) || e->e_ident[EI_CLASS] != ELFCLASS64 ||
	    e->e_ident[EI_DATA] != ELFDATA2LSB || e->e_machine != EM_X86_64)
		return NULL;
	if (e->e_phentsize != sizeof(Elf64_Phdr) || e->e_phoff % 8 ||
	    !inside(image, e->e_phoff, e->e_phnum, sizeof(Elf64_Phdr)))
		return NULL;
	if (e->e_shnum && (e->e_shentsize != sizeof(Elf64_Shdr) || e->e_shoff % 8 ||
			   !inside(image, e->e_shoff, e->e_shnum, sizeof(Elf64_Shdr))))
		return NULL;
	return e;
}

const Elf64_Phdr *fc_elf_segments(const struct fc_image *image)
{
	const Elf64_Ehdr *e = (const void *)image->bytes;

	return (const void *)(image->bytes + e->e_phoff);
}

const Elf64_Shdr *fc_elf_sections(const struct fc_image *image)
{
	const Elf64_Ehdr *e = (const void *)image->bytes;

	return e->e_shnum ? (const void *)(image->bytes + e->e_shoff) : NULL;
}

const uint8_t *fc_elf_at(const struct fc_image *image, uint64_t address, size_t *left)
{
	const Elf64_Ehdr *e = (const void *)image->bytes;
	const Elf64_Phdr *p = fc_elf_segments(image);

	for (unsigned i = 0; i < e->e_phnum; i++) {
		if (p[i].p_type != PT_LOAD || address < p[i].p_vaddr || address - p[i].p_vaddr >= p[i].p_filesz ||
		    !inside(image, p[i].p_offset, p[i].p_filesz, 1))
			continue;
		*left = p[i].p_filesz - (address - p[i].p_vaddr);
		return image->bytes + p[i].p_offset + (address - p[i].p_vaddr);
	}
	return NULL;
}

int fc_decode_build_id(const struct fc_image *image, uint8_t id[FC_BUILD_ID_MAX])
{
	const Elf64_Ehdr *e = fc_elf_header(image);
	const Elf64_Phdr *p;

	if (!e)
		return -EINVAL;
	p = fc_elf_segments(image);
	for (unsigned i = 0; i < e->e_phnum; i++) {
		uint64_t at = p[i].p_offset, end = at + p[i].p_filesz;

		if (p[i].p_type != PT_NOTE || !inside(image, at, p[i].p_filesz, 1))
			continue;
		while (end - at >= sizeof(Elf64_Nhdr)) {
			Elf64_Nhdr n;
			uint64_t name, description;

			memcpy(&n, image->bytes + at, sizeof(n));
			name = at + sizeof(n);
			description = name + ((n.n_namesz + 3ull) & ~3ull);
			at = description + ((n.n_descsz + 3ull) & ~3ull);
			if (at > end)
				break;
			if (n.n_type != NT_GNU_BUILD_ID || n.n_namesz != 4 || memcmp(image->bytes + name, "GNU", 4) ||
			    !n.n_descsz || n.n_descsz > FC_BUILD_ID_MAX)
				continue;
			memcpy(id, image->bytes + description, n.n_descsz);
			return (int)n.n_descsz;
		}
	}
	return -ENODATA;
}
