/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * trampoline.S - the way from a rewritten system call site to fc_dispatch and back: the trampolines, which patch.c fills
 * in, and the stubs they call. Nothing here decides what a call means.
 *
 * At a site everything but %rax, %rcx and %r11 must survive, vector registers and the 128 bytes under the stack pointer
 * included. The stubs keep the general registers; the dispatcher has no vector instructions.
 *
 * A trampoline jumps to a stub, and that back to %rcx. Behind a system call the processor's return predictor is empty, where an indirect jump
 * is 6 ns faster than a `ret`; without one a call that does not return by `ret` would have the C library's own go wrong, which takes as long.
 *
 * The unwinder (a cancelled thread, an exception thrown from a signal handler, gdb) must get from the dispatcher back into
 * the C library. A trampoline's frame is therefore described as one of size nothing, whose return address is the 64-bit
 * word at the start of its slot: an address in the C library's function, behind the original `syscall`. So the function's
 * own unwind information holds there, with the stack pointer as the site had it.
 */
#include <asm/unistd.h>

#include "libc-shim/hook/trampoline.h"

	/* ---- stubs ---- */

	/* With the registers of the system call, and %rsp at any alignment. %rcx: where to go on. */
	.macro ENTER_STUB
	.cfi_startproc
	.cfi_def_cfa %rsp, 0
	.cfi_register %rip, %rcx
	lea	-136(%rsp), %rsp /* below the red zone */
	.cfi_adjust_cfa_offset 136
	mov	%rcx, (%rsp)
	.cfi_rel_offset %rip, 0
	push	%rbp
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %rbp, 0
	mov	%rsp, %rbp
	.cfi_def_cfa_register %rbp
	push	%rdi
	push	%rsi
	push	%rdx
	push	%r10
	push	%r8
	push	%r9
	.cfi_rel_offset %rdi, -8
	.cfi_rel_offset %rsi, -16
	.cfi_rel_offset %rdx, -24
	.cfi_rel_offset %r10, -32
	.cfi_rel_offset %r8, -40
	.cfi_rel_offset %r9, -48
	and	$-16, %rsp
	/* the dispatcher's own copy: long a[6] */
	push	%r9
	push	%r8
	push	%r10
	push	%rdx
	push	%rsi
	push	%rdi
	.endm

	.macro LEAVE_STUB
	mov	-8(%rbp), %rdi
	mov	-16(%rbp), %rsi
	mov	-24(%rbp), %rdx
	mov	-32(%rbp), %r10
	mov	-40(%rbp), %r8
	mov	-48(%rbp), %r9
	leave
	.cfi_def_cfa %rsp, 136
	.cfi_restore %rbp
	mov	(%rsp), %rcx
	.cfi_register %rip, %rcx
	lea	136(%rsp), %rsp
	.cfi_def_cfa_offset 0
	jmp	*%rcx
	.cfi_endproc
	.endm

	.text
	.globl	fc_stub
	.hidden	fc_stub
	.type	fc_stub, @function
	.p2align 6
fc_stub:
	ENTER_STUB
	mov	%rax, %rdi
	mov	%rsp, %rsi
	call	fc_dispatch
	LEAVE_STUB
	.size	fc_stub, . - fc_stub

	/* the same, but asks fc_clone_class; keeps %rax, and returns the answer in %r11d */
	.type	fc_stub_class, @function
	.p2align 6
fc_stub_class:
	ENTER_STUB
	sub	$16, %rsp
	mov	%rax, (%rsp)
	mov	%rax, %rdi
	lea	16(%rsp), %rsi
	call	fc_clone_class
	mov	%eax, %r11d
	mov	(%rsp), %rax
	LEAVE_STUB
	.size	fc_stub_class, . - fc_stub_class

	/* the same, but tells fc_clone_done of a clone's result, which it keeps */
	.type	fc_stub_cloned, @function
	.p2align 6
fc_stub_cloned:
	ENTER_STUB
	sub	$16, %rsp
	mov	%rax, (%rsp)
	mov	%rax, %rdi
	call	fc_clone_done
	mov	(%rsp), %rax
	LEAVE_STUB
	.size	fc_stub_cloned, . - fc_stub_cloned

	/* Return from the shim's own signal handlers. Unwinders know such a frame by these very bytes, and only if no unwind
	 * information covers them or the byte in front. */
	.p2align 4, 0x90
	nop
	.globl	fc_restorer
	.hidden	fc_restorer
	.type	fc_restorer, @function
fc_restorer:
	movq	$__NR_rt_sigreturn, %rax
	syscall
	.size	fc_restorer, . - fc_restorer

	/* FARCALL_CHECK sends a trapped system call through one of these, once for every place such calls are made at, so that it
	 * runs with the registers and the stack it was made with. The return address for the unwinder is where the jump finds its
	 * own: at slot + 8 + its displacement, which is positive. DW_CFA_expression r16: DW_OP_breg16 0, DW_OP_const1s -8, DW_OP_and,
	 * DW_OP_dup, DW_OP_plus_uconst 4, DW_OP_deref_size 4, DW_OP_plus, DW_OP_plus_uconst 8 */
	.globl	fc_replays
	.hidden	fc_replays
	.type	fc_replays, @function
	.p2align 6
fc_replays:
	.cfi_startproc
	.cfi_def_cfa %rsp, 0
	.cfi_escape 0x10, 0x10, 13, 0x80, 0, 0x09, 0xf8, 0x1a, 0x12, 0x23, 4, 0x94, 4, 0x22, 0x23, 8
	.set	i, 0
	.rept	FC_REPLAYS
	syscall
	jmp	*fc_replay_resume + 8 * i(%rip)
	.set	i, i + 1
	.endr
	.cfi_endproc
	.size	fc_replays, . - fc_replays

	/* ---- trampolines: pages of their own, because patch.c writes to them ---- */

	.macro THROUGH stub
	lea	99f(%rip), %rcx
	jmp	\stub
99:
	.endm

	/* CFA = %rsp; the return address is saved at (%rip & -size): DW_CFA_expression r16, DW_OP_breg16 0, DW_OP_const2s -size,
	 * DW_OP_and */
	.macro SLOT_CFI size
	.cfi_def_cfa %rsp, 0
	.cfi_escape 0x10, 0x10, 6, 0x80, 0, 0x0b, (-\size) & 0xff, ((-\size) >> 8) & 0xff, 0x1a
	.endm

	.globl	fc_slots, fc_slots_end, fc_specials
	.hidden	fc_slots, fc_slots_end, fc_specials
	.type	fc_slots, @function
	.p2align 12
fc_slots:
	.rept	FC_SLOTS
	.cfi_startproc
	SLOT_CFI FC_SLOT_SIZE
	.quad	0
	.skip	FC_SLOT_ENTRY - 8, 0x90
	THROUGH fc_stub
	.skip	FC_SLOT_SIZE - FC_SLOT_AFTER, 0xcc
	.cfi_endproc
	.endr
	.size	fc_slots, . - fc_slots

	.type	fc_specials, @function
	.p2align 8
fc_specials:
	.rept	FC_SPECIALS
	.cfi_startproc
	SLOT_CFI FC_SPECIAL_SIZE
10:	.quad	0
	.skip	FC_SLOT_ENTRY - 8, 0x90
	cmp	$__NR_clone, %eax
	je	1f
	cmp	$__NR_vfork, %eax
	je	1f
	cmp	$__NR_clone3, %eax
	je	1f
	cmp	$__NR_munmap, %eax
	je	1f
	cmp	$__NR_rt_sigreturn, %eax
	je	2f
0:	THROUGH fc_stub
	jmp	9f
1:	THROUGH fc_stub_class
	cmp	$FC_CLASS_NATIVE, %r11d
	jb	0b
	je	2f
	cmp	$FC_CLASS_TOLD, %r11d
	je	3f
	/* From here on the stack must not be touched: the child may have another, or share ours. The child of a vfork has our
	 * memory and thread-local storage, and its parent sleeps; the child leaves the count up, the parent takes it down. */
	mov	fc_vfork_depth@gottpoff(%rip), %r11
	incl	%fs:(%r11)
	syscall
	test	%rax, %rax
	jz	9f
	mov	fc_vfork_depth@gottpoff(%rip), %rcx
	decl	%fs:(%rcx)
	jmp	9f
2:	syscall
	jmp	9f
3:	syscall
	THROUGH fc_stub_cloned
	.org	10b + FC_SPECIAL_AFTER, 0x90
9:	.skip	FC_SPECIAL_SIZE - FC_SPECIAL_AFTER, 0xcc
	.cfi_endproc
	.endr
	.size	fc_specials, . - fc_specials
	.p2align 12, 0xcc
fc_slots_end:

	.section .note.GNU-stack, "", @progbits
