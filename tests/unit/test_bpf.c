/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_bpf.c - the interpreter of seccomp filters: each instruction that the kernel lets pass, beside what the kernel makes of it. */
#include "libc-shim/process/bpf.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <linux/audit.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define NR 440 /* one that does nothing with these arguments */
#define A0 0x1122334455667788ull

static const struct seccomp_data call = { .nr = NR,
					  .arch = AUDIT_ARCH_X86_64,
					  .args = { A0, 2, 3, 4, 5, 0xf0f0f0f000000001ull } };

static uint32_t run(const struct sock_filter *code, unsigned n)
{
	return shim_bpf_run(code, n, &call);
}
#define RUN(...)                                                \
	({                                                      \
		const struct sock_filter c[] = { __VA_ARGS__ }; \
		run(c, sizeof c / sizeof c[0]);                 \
	})

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define IMM(k) BPF_STMT(BPF_LD | BPF_IMM, k)
#define XIMM(k) BPF_STMT(BPF_LDX | BPF_IMM, k)
#define RET_A BPF_STMT(BPF_RET | BPF_A, 0)
#define RET(k) BPF_STMT(BPF_RET | BPF_K, k)

Test(bpf, loads)
{
	cr_assert_eq(RUN(LOAD(nr), RET_A), NR);
	cr_assert_eq(RUN(LOAD(arch), RET_A), AUDIT_ARCH_X86_64);
	cr_assert_eq(RUN(LOAD(args[0]), RET_A), 0x55667788u);
	cr_assert_eq(RUN(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[5]) + 4), RET_A),
		     0xf0f0f0f0u);
	cr_assert_eq(RUN(BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0), RET_A), sizeof call);
	cr_assert_eq(RUN(BPF_STMT(BPF_LDX | BPF_W | BPF_LEN, 0), BPF_STMT(BPF_MISC | BPF_TXA, 0), RET_A), sizeof call);
	cr_assert_eq(RUN(IMM(7), BPF_STMT(BPF_ST, 3), IMM(0), BPF_STMT(BPF_LD | BPF_MEM, 3), RET_A), 7);
	cr_assert_eq(RUN(XIMM(8), BPF_STMT(BPF_STX, 15), BPF_STMT(BPF_LD | BPF_MEM, 15), RET_A), 8);
	cr_assert_eq(RUN(IMM(9), BPF_STMT(BPF_MISC | BPF_TAX, 0), IMM(1), BPF_STMT(BPF_MISC | BPF_TXA, 0), RET_A), 9);
}

Test(bpf, arithmetic)
{
	static const struct {
		uint16_t op;
		uint32_t a, with, is;
	} t[] = { { BPF_ADD, 0xffffffff, 2, 1 }, { BPF_SUB, 1, 2, 0xffffffff }, { BPF_MUL, 0x10000, 0x10001, 0x10000 },
		  { BPF_DIV, 7, 2, 3 },          { BPF_OR, 5, 2, 7 },           { BPF_AND, 7, 10, 2 },
		  { BPF_XOR, 7, 2, 5 },          { BPF_LSH, 1, 31, 1u << 31 },  { BPF_RSH, 1u << 31, 31, 1 } };

	for (unsigned i = 0; i < sizeof t / sizeof t[0]; i++) {
		cr_assert_eq(RUN(IMM(t[i].a), BPF_STMT(BPF_ALU | t[i].op | BPF_K, t[i].with), RET_A), t[i].is, "%u", i);
		cr_assert_eq(RUN(IMM(t[i].a), XIMM(t[i].with), BPF_STMT(BPF_ALU | t[i].op | BPF_X, 0), RET_A), t[i].is,
			     "%u by x", i);
	}
	cr_assert_eq(RUN(IMM(1), BPF_STMT(BPF_ALU | BPF_NEG, 0), RET_A), 0xffffffff);
	cr_assert_eq(RUN(IMM(1), BPF_STMT(BPF_ALU | BPF_DIV | BPF_X, 0), RET(SECCOMP_RET_ALLOW)), 0);
}

Test(bpf, jumps)
{
	static const struct {
		uint16_t op;
		uint32_t a, with;
		bool so;
	} t[] = { { BPF_JEQ, 3, 3, true },   { BPF_JEQ, 3, 4, false },  { BPF_JGT, 4, 3, true },
		  { BPF_JGT, 3, 3, false },  { BPF_JGE, 3, 3, true },   { BPF_JGE, 2, 3, false },
		  { BPF_JSET, 6, 12, true }, { BPF_JSET, 6, 9, false }, { BPF_JGT, 0x80000000, 1, true } };

	for (unsigned i = 0; i < sizeof t / sizeof t[0]; i++) {
		cr_assert_eq(RUN(IMM(t[i].a), BPF_JUMP(BPF_JMP | t[i].op | BPF_K, t[i].with, 1, 0), RET(0), RET(1)),
			     t[i].so);
		cr_assert_eq(
			RUN(IMM(t[i].a), XIMM(t[i].with), BPF_JUMP(BPF_JMP | t[i].op | BPF_X, 0, 0, 1), RET(1), RET(0)),
			t[i].so);
	}
	cr_assert_eq(RUN(BPF_STMT(BPF_JMP | BPF_JA, 1), RET(0), RET(1)), 1);
}

Test(bpf, what_is_none)
{
	cr_assert_eq(RUN(IMM(1)), SECCOMP_RET_KILL_PROCESS);
	cr_assert_eq(run(NULL, 0), SECCOMP_RET_KILL_PROCESS);
	cr_assert_eq(RUN(BPF_STMT(BPF_JMP | BPF_JA, 0xffffffff), RET(1)), SECCOMP_RET_KILL_PROCESS);
	cr_assert_eq(RUN(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, sizeof call), RET(1)), SECCOMP_RET_KILL_PROCESS);
	cr_assert_eq(RUN(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 2), RET(1)), SECCOMP_RET_KILL_PROCESS);
	cr_assert_eq(RUN(BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0), RET(1)), SECCOMP_RET_KILL_PROCESS);
	cr_assert_eq(RUN(BPF_STMT(BPF_LD | BPF_MEM, BPF_MEMWORDS), RET(1)), SECCOMP_RET_KILL_PROCESS);
	cr_assert_eq(RUN(BPF_STMT(BPF_ST, BPF_MEMWORDS), RET(1)), SECCOMP_RET_KILL_PROCESS);
	cr_assert_eq(RUN(BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, 3), RET(1)), SECCOMP_RET_KILL_PROCESS);
}

Test(bpf, the_strictest_wins)
{
	static const uint32_t from_strictest[] = { SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_KILL_THREAD, SECCOMP_RET_TRAP,
						   SECCOMP_RET_ERRNO | 5,    SECCOMP_RET_USER_NOTIF,  SECCOMP_RET_TRACE,
						   SECCOMP_RET_LOG,          SECCOMP_RET_ALLOW };

	for (int i = 0; i < 8; i++)
		for (int k = i; k < 8; k++) {
			cr_assert_eq(shim_bpf_stricter(from_strictest[i], from_strictest[k]), from_strictest[i]);
			cr_assert_eq(shim_bpf_stricter(from_strictest[k], from_strictest[i]), from_strictest[i]);
		}
}

#ifndef __SANITIZE_THREAD__ /* which has a thread of its own, that outlives the one that a filter ends */
/* ---- beside the kernel: random programs that it takes must refuse what ours refuses ---- */

static struct sock_filter any(unsigned at, unsigned n)
{
	static const uint16_t op[] = { BPF_ADD, BPF_SUB, BPF_MUL, BPF_OR, BPF_AND, BPF_XOR, BPF_DIV, BPF_LSH, BPF_RSH };
	static const uint16_t test[] = { BPF_JEQ, BPF_JGT, BPF_JGE, BPF_JSET };
	const uint32_t k = (uint32_t)random() % 31 + 1;
	const unsigned left = n - at - 2;

	switch (random() % 8) {
	case 0:
		return (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 4 * ((uint32_t)random() % 2));
	case 1:
		return (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 16 + 4 * ((uint32_t)random() % 12));
	case 2:
		return (struct sock_filter)BPF_STMT(BPF_ALU | op[random() % 9] | BPF_K, k);
	case 3:
		return (struct sock_filter)BPF_STMT(BPF_ALU | op[random() % 9] | BPF_X, 0);
	case 4:
		return (struct sock_filter)BPF_STMT(BPF_MISC | (random() % 2 ? BPF_TAX : BPF_TXA), 0);
	case 5:
		return (struct sock_filter)BPF_STMT(BPF_ST, 0);
	case 6:
		return (struct sock_filter)BPF_STMT(BPF_LDX | BPF_IMM, k);
	default:
		return (struct sock_filter)BPF_JUMP(BPF_JMP | test[random() % 4] | (random() % 2 ? BPF_X : BPF_K),
						    random() % 2 ? k : (uint32_t)random(),
						    (uint8_t)(random() % (left + 1)), (uint8_t)(random() % (left + 1)));
	}
}

/* Every other call passes; of this one a bit of the result says whether it fails. */
static unsigned make(struct sock_filter *c)
{
	unsigned n = 12 + (unsigned)random() % 20;

	c[0] = (struct sock_filter)LOAD(nr);
	c[1] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NR, 1, 0);
	c[2] = (struct sock_filter)RET(SECCOMP_RET_ALLOW);
	for (unsigned i = 3; i < n; i++)
		c[i] = any(i, n + 4);
	c[n] = (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 1);
	c[n + 1] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0);
	c[n + 2] = (struct sock_filter)RET(SECCOMP_RET_ERRNO | EXFULL);
	c[n + 3] = (struct sock_filter)RET(SECCOMP_RET_ALLOW);
	return n + 4;
}

/* 0: it is let pass, 1: it fails, 2: it is ended, 3: the kernel does not take the program. */
static int by_kernel(const struct sock_filter *c, unsigned n)
{
	struct sock_fprog p = { (unsigned short)n, (struct sock_filter *)c };
	pid_t pid = fork();
	int st;

	if (!pid) {
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &p))
			_exit(3);
		long r =
			syscall(NR, call.args[0], call.args[1], call.args[2], call.args[3], call.args[4], call.args[5]);
		_exit(r < 0 && errno == EXFULL);
	}
	waitpid(pid, &st, 0);
	return WIFEXITED(st) ? WEXITSTATUS(st) : 2;
}

Test(bpf, as_the_kernel)
{
	int taken = 0;

	srandom(7);
	for (int i = 0; i < 150; i++) {
		struct sock_filter c[64];
		unsigned n = make(c);
		int theirs = by_kernel(c, n);
		uint32_t ours = run(c, n) & SECCOMP_RET_ACTION_FULL;

		if (theirs == 3)
			continue;
		taken++;
		cr_assert_eq(ours == SECCOMP_RET_ALLOW   ? 0
			     : ours == SECCOMP_RET_ERRNO ? 1
							 : 2,
			     theirs, "program %d", i);
	}
	cr_assert_gt(taken, 50);
}
#endif
