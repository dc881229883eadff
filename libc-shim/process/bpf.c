/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* bpf.c - see bpf.h. The instructions are those that seccomp_check_filter() of the kernel lets pass. */
#include "libc-shim/process/bpf.h"

#include <stdbool.h>

#define WRONG SECCOMP_RET_KILL_PROCESS

struct machine {
	const struct seccomp_data *call;
	uint32_t a, x;
	uint32_t memory[BPF_MEMWORDS];
};

/* Loads and stores. False: no such instruction. */
static bool load(struct machine *m, const struct sock_filter *i)
{
	const uint32_t size = sizeof *m->call;

	if (i->code == (BPF_LD | BPF_W | BPF_ABS)) {
		if (i->k % 4 || i->k > size - 4)
			return false;
		m->a = ((const uint32_t *)m->call)[i->k / 4];
		return true;
	}
	if (i->code == (BPF_LD | BPF_W | BPF_LEN))
		m->a = size;
	else if (i->code == (BPF_LDX | BPF_W | BPF_LEN))
		m->x = size;
	else if (i->code == (BPF_LD | BPF_IMM))
		m->a = i->k;
	else if (i->code == (BPF_LDX | BPF_IMM))
		m->x = i->k;
	else if (i->k >= BPF_MEMWORDS)
		return false;
	else if (i->code == (BPF_LD | BPF_MEM))
		m->a = m->memory[i->k];
	else if (i->code == (BPF_LDX | BPF_MEM))
		m->x = m->memory[i->k];
	else if (i->code == BPF_ST)
		m->memory[i->k] = m->a;
	else if (i->code == BPF_STX)
		m->memory[i->k] = m->x;
	else
		return false;
	return true;
}

/* Arithmetic; a shift by more than there are bits is one by what is left of it, as on this processor. */
static bool compute(struct machine *m, uint16_t code, uint32_t with)
{
	switch (BPF_OP(code)) {
	case BPF_ADD:
		m->a += with;
		return true;
	case BPF_SUB:
		m->a -= with;
		return true;
	case BPF_MUL:
		m->a *= with;
		return true;
	case BPF_DIV:
		m->a /= with;
		return true;
	case BPF_OR:
		m->a |= with;
		return true;
	case BPF_AND:
		m->a &= with;
		return true;
	case BPF_XOR:
		m->a ^= with;
		return true;
	case BPF_LSH:
		m->a <<= with & 31;
		return true;
	case BPF_RSH:
		m->a >>= with & 31;
		return true;
	case BPF_NEG:
		m->a = -m->a;
		return true;
	default:
		return false;
	}
}

/* How far to jump; -1: no such instruction. */
static int64_t jump(const struct machine *m, const struct sock_filter *i)
{
	const uint32_t with = BPF_SRC(i->code) == BPF_X ? m->x : i->k;

	switch (BPF_OP(i->code)) {
	case BPF_JA:
		return i->k;
	case BPF_JEQ:
		return m->a == with ? i->jt : i->jf;
	case BPF_JGT:
		return m->a > with ? i->jt : i->jf;
	case BPF_JGE:
		return m->a >= with ? i->jt : i->jf;
	case BPF_JSET:
		return m->a & with ? i->jt : i->jf;
	default:
		return -1;
	}
}

uint32_t shim_bpf_run(const struct sock_filter *code, uint32_t length, const struct seccomp_data *call)
{
	struct machine m = { .call = call };

	for (uint64_t at = 0; at < length; at++) { /* jumps go forward only */
		const struct sock_filter *i = &code[at];
		const uint32_t with = BPF_SRC(i->code) == BPF_X ? m.x : i->k;
		int64_t far;

		switch (BPF_CLASS(i->code)) {
		case BPF_RET:
			return BPF_RVAL(i->code) == BPF_A ? m.a : i->k;
		case BPF_JMP:
			far = jump(&m, i);
			if (far < 0)
				return WRONG;
			at += (uint64_t)far;
			break;
		case BPF_ALU:
			if (BPF_OP(i->code) == BPF_DIV && !with)
				return 0; /* the kernel ends the program there */
			if (!compute(&m, i->code, with))
				return WRONG;
			break;
		case BPF_MISC:
			if (BPF_MISCOP(i->code) == BPF_TAX)
				m.x = m.a;
			else
				m.a = m.x;
			break;
		default:
			if (!load(&m, i))
				return WRONG;
		}
	}
	return WRONG;
}
