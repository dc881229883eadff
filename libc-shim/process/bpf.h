/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * bpf.h - what a seccomp filter says of a system call: the classic BPF programs that the kernel takes for seccomp(2), run on a copy. It keeps
 * no programs, and checks none: the kernel has, or will.
 */
#ifndef FC_SHIM_BPF_H
#define FC_SHIM_BPF_H

#include <stdint.h>

#include <linux/filter.h>
#include <linux/seccomp.h>

/* What the program returns for that call. Of what is no such program: SECCOMP_RET_KILL_PROCESS. */
uint32_t shim_bpf_run(const struct sock_filter *code, uint32_t length, const struct seccomp_data *call);

/* Of two returns the one that the kernel acts on. */
static inline uint32_t shim_bpf_stricter(uint32_t a, uint32_t b)
{
	return (int32_t)(a & SECCOMP_RET_ACTION_FULL) <= (int32_t)(b & SECCOMP_RET_ACTION_FULL) ? a : b;
}

#endif
