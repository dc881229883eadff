/* SPDX-License-Identifier: GPL-2.0-or-later */
/* elf_view.h - bounds-checked looks into an ELF file in memory, for the decoder. Knows nothing of instructions. */
#ifndef FC_CLI_ELF_VIEW_H
#define FC_CLI_ELF_VIEW_H

#include <elf.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/decode.h"

/* The file's header if it is a little-endian x86-64 ELF file whose header tables lie within it, else null. */
const Elf64_Ehdr *fc_elf_header(const struct fc_image *image);
const Elf64_Phdr *fc_elf_segments(const struct fc_image *image); /* e_phnum of them */
const Elf64_Shdr *fc_elf_sections(const struct fc_image *image); /* e_shnum of them; null if there are none */

/* The bytes that are loaded at virtual address `address`; *left = how many follow in the same segment's file part.
 * Null if there are none. */
const uint8_t *fc_elf_at(const struct fc_image *image, uint64_t address, size_t *left);

#endif
