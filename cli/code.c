/* SPDX-License-Identifier: GPL-2.0-or-later */
/* code.c - decodes the executable sections of an ELF file linearly and marks what leads where (code.h). */
#include "cli/code.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/elf_view.h"
#include "cli/zydis.h"

struct code_section *fc_code_section(const struct code *c, uint64_t address)
{
	for (unsigned i = 0; i < c->nsections; i++) {
		struct code_section *s = &c->section[i];

		if (address >= s->address && address - s->address < s->size)
			return s;
	}
	return NULL;
}

bool fc_code_at(const struct code *c, const struct code_section *s, size_t at, struct code_instruction *out)
{
	return at < s->size &&
	       ZYAN_SUCCESS(fc_zydis.decode(&c->decoder, s->bytes + at, s->size - at, &out->i, out->operand));
}

size_t fc_code_previous(const struct code_section *s, size_t at)
{
	for (size_t back = 1; back <= ZYDIS_MAX_INSTRUCTION_LENGTH && back <= at; back++)
		if (s->mark[at - back] & CODE_START)
			return at - back;
	return at;
}

size_t fc_code_edges(const struct code *c, uint64_t address)
{
	size_t low = 0, high = c->nedges;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (c->edge[middle].to < address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool fc_code_writes(const struct code_instruction *in, ZydisRegister reg)
{
	for (unsigned i = 0; i < in->i.operand_count; i++) {
		const ZydisDecodedOperand *o = &in->operand[i];

		if (o->type == ZYDIS_OPERAND_TYPE_REGISTER && (o->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) &&
		    fc_zydis.enclosing(ZYDIS_MACHINE_MODE_LONG_64, o->reg.value) == reg)
			return true;
	}
	return false;
}

static void mark(struct code *c, uint64_t address, unsigned what)
{
	struct code_section *s = fc_code_section(c, address);

	if (s)
		s->mark[address - s->address] |= what;
}

static int add_edge(struct code *c, uint64_t from, uint64_t to)
{
	mark(c, to, CODE_TARGET);
	if (c->nedges == c->edge_room) {
		size_t room = c->edge_room ? 2 * c->edge_room : 65536;
		struct code_edge *p = realloc(c->edge, room * sizeof(*p));

		if (!p)
			return -ENOMEM;
		c->edge = p;
		c->edge_room = room;
	}
	c->edge[c->nedges++] = (struct code_edge){ to, from };
	return 0;
}

/* `address` was taken: if it is code, control may come there; if it is data, it may be a table of 32-bit distances from its
 * own start to the cases of a switch. Random data that looks so only costs a shape that could have been used. */
static void mark_taken(struct code *c, uint64_t address)
{
	const uint8_t *table;
	size_t left;

	if (fc_code_section(c, address)) {
		mark(c, address, CODE_TAKEN);
		return;
	}
	table = fc_elf_at(c->image, address, &left);
	for (; table && left >= 4; table += 4, left -= 4) {
		int32_t distance;

		memcpy(&distance, table, 4);
		if (!fc_code_section(c, address + distance))
			return;
		mark(c, address + distance, CODE_TAKEN);
	}
}

static int mark_operands(struct code *c, const struct code_instruction *in, uint64_t address)
{
	for (unsigned i = 0; i < in->i.operand_count; i++) {
		const ZydisDecodedOperand *o = &in->operand[i];
		bool branch = o->type == ZYDIS_OPERAND_TYPE_IMMEDIATE && o->imm.is_relative;
		bool taken = o->type == ZYDIS_OPERAND_TYPE_MEMORY && o->mem.base == ZYDIS_REGISTER_RIP &&
			     in->i.mnemonic == ZYDIS_MNEMONIC_LEA;
		ZyanU64 to;

		if (!(branch || taken) || !ZYAN_SUCCESS(fc_zydis.absolute(&in->i, o, address, &to)))
			continue;
		if (taken)
			mark_taken(c, to);
		else if (in->i.meta.category == ZYDIS_CATEGORY_CALL)
			mark(c, to, CODE_TAKEN);
		else if (add_edge(c, address, to))
			return -ENOMEM;
	}
	return 0;
}

static int mark_section(struct code *c, struct code_section *s)
{
	struct code_instruction in;

	for (size_t at = 0; at < s->size;) {
		if (!fc_code_at(c, s, at, &in)) {
			s->mark[at] |= CODE_TAKEN; /* not code: nothing is moved across it */
			at++;
			continue;
		}
		s->mark[at] |= CODE_START;
		if (in.i.mnemonic == ZYDIS_MNEMONIC_SYSCALL && in.i.length == FC_SITE_SYSCALL)
			s->mark[at] |= CODE_SYSCALL;
		if (mark_operands(c, &in, s->address + at))
			return -ENOMEM;
		at += in.i.length;
	}
	return 0;
}

/* function pointers in data, and the functions that have names */
static void mark_tables(struct code *c)
{
	const Elf64_Ehdr *e = fc_elf_header(c->image);
	const Elf64_Shdr *sh = fc_elf_sections(c->image);

	for (unsigned i = 0; sh && i < e->e_shnum; i++) {
		const uint8_t *at = c->image->bytes + sh[i].sh_offset;

		if (sh[i].sh_offset > c->image->size || sh[i].sh_size > c->image->size - sh[i].sh_offset)
			continue;
		if (sh[i].sh_type == SHT_DYNSYM || sh[i].sh_type == SHT_SYMTAB) {
			for (size_t n = sh[i].sh_size / sizeof(Elf64_Sym); n--; at += sizeof(Elf64_Sym)) {
				Elf64_Sym symbol;

				memcpy(&symbol, at, sizeof(symbol));
				mark(c, symbol.st_value, CODE_TAKEN);
			}
		} else if (sh[i].sh_type == SHT_RELA) {
			for (size_t n = sh[i].sh_size / sizeof(Elf64_Rela); n--; at += sizeof(Elf64_Rela)) {
				Elf64_Rela rela;

				memcpy(&rela, at, sizeof(rela));
				mark(c, (uint64_t)rela.r_addend, CODE_TAKEN);
			}
		}
	}
	mark(c, e->e_entry, CODE_TAKEN);
}

static int section_order(const void *a, const void *b)
{
	const struct code_section *x = a, *y = b;

	return x->address < y->address ? -1 : x->address > y->address;
}

static int edge_order(const void *a, const void *b)
{
	const struct code_edge *x = a, *y = b;

	return x->to < y->to ? -1 : x->to > y->to;
}

static int find_sections(struct code *c)
{
	const Elf64_Ehdr *e = fc_elf_header(c->image);
	const Elf64_Shdr *sh = fc_elf_sections(c->image);

	if (!sh)
		return -EINVAL;
	c->section = calloc(e->e_shnum, sizeof(*c->section));
	if (!c->section)
		return -ENOMEM;
	for (unsigned i = 0; i < e->e_shnum; i++) {
		struct code_section *s = &c->section[c->nsections];

		if (sh[i].sh_type != SHT_PROGBITS || !(sh[i].sh_flags & SHF_EXECINSTR) || !sh[i].sh_size)
			continue;
		if (sh[i].sh_offset > c->image->size || sh[i].sh_size > c->image->size - sh[i].sh_offset)
			return -EINVAL;
		s->mark = calloc(1, sh[i].sh_size);
		if (!s->mark)
			return -ENOMEM;
		s->address = sh[i].sh_addr;
		s->size = sh[i].sh_size;
		s->bytes = c->image->bytes + sh[i].sh_offset;
		c->nsections++;
	}
	qsort(c->section, c->nsections, sizeof(*c->section), section_order);
	return c->nsections ? 0 : -EINVAL;
}

int fc_code_init(struct code *c, const struct fc_image *image)
{
	int err;

	memset(c, 0, sizeof(*c));
	c->image = image;
	err = fc_zydis_load();
	if (err)
		return err;
	fc_zydis.init(&c->decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	err = find_sections(c);
	for (unsigned i = 0; !err && i < c->nsections; i++)
		err = mark_section(c, &c->section[i]);
	if (err)
		return err;
	mark_tables(c);
	qsort(c->edge, c->nedges, sizeof(*c->edge), edge_order);
	return 0;
}

void fc_code_fini(struct code *c)
{
	for (unsigned i = 0; i < c->nsections; i++)
		free(c->section[i].mark);
	free(c->section);
	free(c->edge);
}
