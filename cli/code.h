/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * code.h - the machine code of an ELF file, decoded: where instructions start and from where control can come to each. It
 * knows nothing of system calls beyond marking their instructions.
 */
#ifndef FC_CLI_CODE_H
#define FC_CLI_CODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <Zydis/Zydis.h>

#include "cli/decode.h"

/* marks on a byte of code */
#define CODE_START 1u   /* an instruction starts here */
#define CODE_TARGET 2u  /* a jump or conditional branch leads here: see fc_code_edges */
#define CODE_TAKEN 4u   /* called, or its address is taken: control may come from anywhere */
#define CODE_SYSCALL 8u /* a `syscall` instruction starts here */

struct code_section {
	uint64_t address;
	size_t size;
	const uint8_t *bytes;
	uint8_t *mark; /* size of them */
};

/* a direct jump or branch */
struct code_edge {
	uint64_t to, from;
};

struct code {
	const struct fc_image *image;
	ZydisDecoder decoder;
	struct code_section *section; /* ascending */
	unsigned nsections;
	struct code_edge *edge; /* ascending by `to` */
	size_t nedges, edge_room;
};

struct code_instruction {
	ZydisDecodedInstruction i;
	ZydisDecodedOperand operand[ZYDIS_MAX_OPERAND_COUNT];
};

/* Decode every executable section of a valid ELF file. 0, -EINVAL (no sections), -ENOMEM; pair with fini in any case. */
int fc_code_init(struct code *c, const struct fc_image *image);
void fc_code_fini(struct code *c);

/* The instruction at offset `at` of a section; false if there is none. */
bool fc_code_at(const struct code *c, const struct code_section *s, size_t at, struct code_instruction *out);

/* Where the instruction before the one at `at` starts; `at` itself if there is none. */
size_t fc_code_previous(const struct code_section *s, size_t at);

/* The first edge that leads to `address`, or the one after where it would be; the others follow, up to c->nedges. */
size_t fc_code_edges(const struct code *c, uint64_t address);

struct code_section *fc_code_section(const struct code *c, uint64_t address);

/* Does the instruction write any part of this 64-bit register? */
bool fc_code_writes(const struct code_instruction *in, ZydisRegister reg);

#endif
