/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * decode.c - from an ELF file to its site table (decode.h): for each `syscall` first its number, then the instructions
 * around it that can be moved.
 */
#include "cli/decode.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "cli/code.h"
#include "cli/elf_view.h"
#include "cli/zydis.h"
#include "libc-shim/hook/list.h"

#define NUMBERS 1024     /* larger constants are no system call numbers */
#define NEUTRAL 0x10000u /* in number_of: a path that has been looked at already */
#define VISITS_MAX 256   /* instructions looked at for one number */

/* ---- the number ---- */

struct search {
	const struct code *c;
	const struct code_section *s;
	unsigned nvisits;
	struct {
		size_t at;
		ZydisRegister reg;
	} visit[VISITS_MAX];
};

static unsigned value_before(struct search *search, size_t at, ZydisRegister reg);

static unsigned merge(unsigned a, unsigned b)
{
	if (a == NEUTRAL || a == b)
		return b;
	return b == NEUTRAL ? a : FC_SITE_UNKNOWN;
}

static bool ends_flow(const struct code_instruction *in)
{
	return in->i.mnemonic == ZYDIS_MNEMONIC_JMP || in->i.mnemonic == ZYDIS_MNEMONIC_HLT ||
	       in->i.mnemonic == ZYDIS_MNEMONIC_UD2 || in->i.meta.category == ZYDIS_CATEGORY_RET;
}

/* the value of `reg` after an instruction at `at` that writes it */
static unsigned value_written(struct search *search, const struct code_instruction *in, size_t at, ZydisRegister reg)
{
	const ZydisDecodedOperand *to = &in->operand[0], *from = &in->operand[1];
	bool whole = to->type == ZYDIS_OPERAND_TYPE_REGISTER && to->size >= 32 &&
		     fc_zydis.enclosing(ZYDIS_MACHINE_MODE_LONG_64, to->reg.value) == reg;

	if (!whole)
		return FC_SITE_UNKNOWN;
	if (in->i.mnemonic == ZYDIS_MNEMONIC_MOV && from->type == ZYDIS_OPERAND_TYPE_IMMEDIATE)
		return from->imm.value.u < NUMBERS ? (unsigned)from->imm.value.u : FC_SITE_UNKNOWN;
	if (in->i.mnemonic == ZYDIS_MNEMONIC_MOV && from->type == ZYDIS_OPERAND_TYPE_REGISTER && from->size >= 32)
		return value_before(search, at, fc_zydis.enclosing(ZYDIS_MACHINE_MODE_LONG_64, from->reg.value));
	if (in->i.mnemonic == ZYDIS_MNEMONIC_XOR && from->type == ZYDIS_OPERAND_TYPE_REGISTER &&
	    from->reg.value == to->reg.value)
		return 0;
	return FC_SITE_UNKNOWN;
}

/* The value of `reg` just before the instruction at `at`, if every way there leaves the same constant in it. NEUTRAL if
 * there is no way but those already being looked at. */
static unsigned value_before(struct search *search, size_t at, ZydisRegister reg)
{
	const struct code_section *s = search->s;
	struct code_instruction in;
	unsigned value = NEUTRAL;
	size_t before;

	for (unsigned i = 0; i < search->nvisits; i++)
		if (search->visit[i].at == at && search->visit[i].reg == reg)
			return NEUTRAL;
	if (search->nvisits == VISITS_MAX || (s->mark[at] & CODE_TAKEN))
		return FC_SITE_UNKNOWN;
	search->visit[search->nvisits].at = at;
	search->visit[search->nvisits++].reg = reg;

	if (s->mark[at] & CODE_TARGET) {
		for (size_t i = fc_code_edges(search->c, s->address + at);
		     i < search->c->nedges && search->c->edge[i].to == s->address + at; i++) {
			uint64_t from = search->c->edge[i].from;

			if (from < s->address || from - s->address >= s->size)
				return FC_SITE_UNKNOWN;
			value = merge(value, value_before(search, from - s->address, reg));
		}
	}
	before = fc_code_previous(s, at);
	if (before == at || !fc_code_at(search->c, s, before, &in))
		return FC_SITE_UNKNOWN;
	if (ends_flow(&in))
		return value;
	if (in.i.meta.category == ZYDIS_CATEGORY_CALL || in.i.mnemonic == ZYDIS_MNEMONIC_SYSCALL) {
		/* a system call changes %rax, a function all but these */
		bool kept =
			in.i.mnemonic == ZYDIS_MNEMONIC_SYSCALL
				? reg != ZYDIS_REGISTER_RAX && reg != ZYDIS_REGISTER_RCX && reg != ZYDIS_REGISTER_R11
				: reg == ZYDIS_REGISTER_RBX || reg == ZYDIS_REGISTER_RBP ||
					  (reg >= ZYDIS_REGISTER_R12 && reg <= ZYDIS_REGISTER_R15);

		return merge(value, kept ? value_before(search, before, reg) : FC_SITE_UNKNOWN);
	}
	if (fc_code_writes(&in, reg))
		return merge(value, value_written(search, &in, before, reg));
	return merge(value, value_before(search, before, reg));
}

/* The number that the `syscall` at `at` is made with, or FC_SITE_UNKNOWN. */
static unsigned number_of(const struct code *c, const struct code_section *s, size_t at)
{
	struct search search = { .c = c, .s = s };
	unsigned value = value_before(&search, at, ZYDIS_REGISTER_RAX);

	return value == NEUTRAL ? FC_SITE_UNKNOWN : value;
}

/* ---- what can be moved ---- */

/* Only instructions that do the same anywhere and that glibc is known to put there: no control flow, nothing that changes
 * the stack pointer, which the trampoline's unwind information cannot follow, unless `stack` allows that. */
static bool movable(const struct code_instruction *in, bool stack)
{
	switch (in->i.mnemonic) {
	case ZYDIS_MNEMONIC_PUSH:
	case ZYDIS_MNEMONIC_POP:
		return stack;
	case ZYDIS_MNEMONIC_MOV:
	case ZYDIS_MNEMONIC_MOVSXD:
	case ZYDIS_MNEMONIC_MOVZX:
	case ZYDIS_MNEMONIC_MOVSX:
	case ZYDIS_MNEMONIC_LEA:
	case ZYDIS_MNEMONIC_CMP:
	case ZYDIS_MNEMONIC_TEST:
	case ZYDIS_MNEMONIC_NEG:
	case ZYDIS_MNEMONIC_NOT:
	case ZYDIS_MNEMONIC_XOR:
	case ZYDIS_MNEMONIC_OR:
	case ZYDIS_MNEMONIC_AND:
	case ZYDIS_MNEMONIC_ADD:
	case ZYDIS_MNEMONIC_SUB:
	case ZYDIS_MNEMONIC_NOP:
	case ZYDIS_MNEMONIC_PXOR:
	case ZYDIS_MNEMONIC_MOVQ:
	case ZYDIS_MNEMONIC_MOVD:
	case ZYDIS_MNEMONIC_MOVDQA:
	case ZYDIS_MNEMONIC_MOVDQU:
	case ZYDIS_MNEMONIC_MOVAPS:
	case ZYDIS_MNEMONIC_MOVUPS:
		return !fc_code_writes(in, ZYDIS_REGISTER_RSP);
	default:
		return false;
	}
}

/* Try to take the run [from, ...) that holds the `syscall` at `at` and is long enough. Fills *site on success. */
static bool take(const struct code *c, const struct code_section *s, size_t from, size_t at, bool stack,
		 struct fc_site *site)
{
	size_t end = from;

	memset(site, 0, sizeof(*site));
	while (end <= at || end - from < FC_SITE_JUMP) {
		struct code_instruction in;

		if (!fc_code_at(c, s, end, &in) || (end > from && (s->mark[end] & (CODE_TARGET | CODE_TAKEN))) ||
		    (end != at && !movable(&in, stack && end > at)))
			return false;
		if (end != at && (in.i.attributes & ZYDIS_ATTRIB_IS_RELATIVE)) {
			if (site->relative || in.i.raw.disp.size != 32)
				return false;
			site->relative = (uint8_t)(end - from + in.i.raw.disp.offset);
		}
		end += in.i.length;
	}
	if (at - from > FC_SITE_BEFORE_MAX || end - at - FC_SITE_SYSCALL > FC_SITE_AFTER_MAX)
		return false;
	site->address = s->address + from;
	site->before = (uint8_t)(at - from);
	site->after = (uint8_t)(end - at - FC_SITE_SYSCALL);
	memcpy(site->bytes, s->bytes + from, end - from);
	return true;
}

/* Forward if that moves no stack instruction, else backward by as few instructions as possible, else forward all the
 * same. */
static bool shape(const struct code *c, const struct code_section *s, size_t at, struct fc_site *site)
{
	size_t from = at;

	if (take(c, s, at, at, false, site))
		return true;
	while (at - from < FC_SITE_BEFORE_MAX && !(s->mark[from] & (CODE_TARGET | CODE_TAKEN))) {
		size_t before = fc_code_previous(s, from);

		if (before == from)
			break;
		from = before;
		if (take(c, s, from, at, false, site))
			return true;
	}
	return take(c, s, at, at, true, site);
}

/* ---- the table ---- */

/* does the run overlap the one before it? (two `syscall`s that share an instruction between them) */
static bool overlaps(const struct fc_decoded *out, const struct fc_site *site)
{
	const struct fc_site *last = out->header.count ? &out->site[out->header.count - 1] : NULL;

	return last && site->address < last->address + last->before + FC_SITE_SYSCALL + last->after;
}

static int collect(const struct code *c, const struct code_section *s, struct fc_decoded *out)
{
	for (size_t at = 0; at < s->size; at++) {
		struct fc_site site;
		unsigned nr;

		if (!(s->mark[at] & CODE_SYSCALL))
			continue;
		out->header.instructions++;
		nr = number_of(c, s, at);
		if (!fc_list_kind(nr))
			continue;
		if (out->header.count + out->header.refused == FC_SITES_MAX)
			return -EINVAL;
		if (!shape(c, s, at, &site) || overlaps(out, &site)) {
			out->refusal[out->header.refused++] = (struct fc_refusal){ s->address + at, nr };
			continue;
		}
		site.nr = (uint16_t)nr;
		site.kind = (uint8_t)fc_list_kind(nr);
		out->site[out->header.count++] = site;
	}
	return 0;
}

int fc_decode(const struct fc_image *image, struct fc_decoded *out)
{
	struct code c;
	int err;

	memset(out, 0, sizeof(*out));
	err = fc_decode_build_id(image, out->header.build_id);
	if (err < 0)
		return err;
	out->header.build_id_size = (uint8_t)err;
	out->header.magic = FC_SITES_MAGIC;
	out->header.version = FC_SITES_VERSION;
	out->header.list = fc_list_hash();
	out->site = calloc(FC_SITES_MAX, sizeof(*out->site));
	out->refusal = calloc(FC_SITES_MAX, sizeof(*out->refusal));
	if (!out->site || !out->refusal) {
		fc_decode_free(out);
		return -ENOMEM;
	}
	err = fc_code_init(&c, image);
	for (unsigned i = 0; !err && i < c.nsections; i++)
		err = collect(&c, &c.section[i], out);
	fc_code_fini(&c);
	if (err)
		fc_decode_free(out);
	return err;
}

void fc_decode_free(struct fc_decoded *d)
{
	free(d->site);
	free(d->refusal);
	memset(d, 0, sizeof(*d));
}
