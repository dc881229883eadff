/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * usercopy.S - copies that may meet memory that is not there. Every instruction that can fault lies in a range of
 * fc_fixups, which the signal handler (signal.c) looks up. General registers only. No thread state, no decisions.
 */
#define EFAULT 14
#define ENAMETOOLONG 36
#define REP_MIN 640 /* from here on `rep movsb` is faster than a loop of general registers */

	.text

	/* size_t fc_copy_raw(void *dst, const void *src, size_t n): the number of bytes not copied.
	 * At every instruction that can fault %rdi, %rsi and %rdx say what is left, so that the fix-up can go on byte by byte to
	 * the very byte that cannot be reached. */
	.globl	fc_copy_raw
	.hidden	fc_copy_raw
	.type	fc_copy_raw, @function
	.p2align 6
fc_copy_raw:
	.cfi_startproc
	cmp	$16, %rdx
	ja	5f
	cmp	$8, %edx
	jae	3f
	cmp	$4, %edx
	jae	2f
	test	%edx, %edx
	jz	1f
10:	movzbl	(%rsi), %ecx
	movzbl	-1(%rsi, %rdx), %eax
	cmp	$3, %edx
	jb	0f
	movzbl	1(%rsi), %r8d
	mov	%r8b, 1(%rdi)
0:	mov	%cl, (%rdi)
	mov	%al, -1(%rdi, %rdx)
1:	xor	%eax, %eax
	ret
2:	mov	(%rsi), %ecx
	mov	-4(%rsi, %rdx), %eax
	mov	%ecx, (%rdi)
	mov	%eax, -4(%rdi, %rdx)
	xor	%eax, %eax
	ret
3:	mov	(%rsi), %rcx
	mov	-8(%rsi, %rdx), %rax
	mov	%rcx, (%rdi)
	mov	%rax, -8(%rdi, %rdx)
	xor	%eax, %eax
	ret
5:	cmp	$REP_MIN, %rdx
	jae	fc_copy_bytes
6:	cmp	$32, %rdx
	jbe	7f
	mov	(%rsi), %rax
	mov	8(%rsi), %rcx
	mov	16(%rsi), %r8
	mov	24(%rsi), %r9
	mov	%rax, (%rdi)
	mov	%rcx, 8(%rdi)
	mov	%r8, 16(%rdi)
	mov	%r9, 24(%rdi)
	add	$32, %rsi
	add	$32, %rdi
	sub	$32, %rdx
	jmp	6b
	/* 1 to 32 are left of at least 17: the last 16, and the 16 before them that reach back into what is done */
7:	cmp	$16, %rdx
	jbe	8f
	mov	(%rsi), %rax
	mov	8(%rsi), %rcx
	mov	-16(%rsi, %rdx), %r8
	mov	-8(%rsi, %rdx), %r9
	mov	%rax, (%rdi)
	mov	%rcx, 8(%rdi)
	mov	%r8, -16(%rdi, %rdx)
	mov	%r9, -8(%rdi, %rdx)
	xor	%eax, %eax
	ret
8:	mov	-16(%rsi, %rdx), %r8
	mov	-8(%rsi, %rdx), %r9
	mov	%r8, -16(%rdi, %rdx)
	mov	%r9, -8(%rdi, %rdx)
	xor	%eax, %eax
	ret
fc_copy_bytes:
	mov	%rdx, %rcx
20:	rep movsb
21:	mov	%rcx, %rax
	ret
	.cfi_endproc
	.size	fc_copy_raw, . - fc_copy_raw

	/* long fc_strncpy_raw(char *dst, const char *src, size_t max): as fc_strncpy_from_user. Eight bytes at a time where they do
	 * not cross a page: what lies behind the NUL may not be there. */
	.globl	fc_strncpy_raw
	.hidden	fc_strncpy_raw
	.type	fc_strncpy_raw, @function
	.p2align 6
fc_strncpy_raw:
	.cfi_startproc
	xor	%eax, %eax
	movabs	$0x0101010101010101, %r8
	movabs	$0x8080808080808080, %r9
0:	lea	8(%rax), %rcx
	cmp	%rdx, %rcx
	ja	2f
	lea	(%rsi, %rax), %rcx
	and	$4095, %ecx
	cmp	$4088, %ecx
	ja	2f
30:	mov	(%rsi, %rax), %rcx
31:	mov	%rcx, %r11
	mov	%rcx, %r10
	not	%r11
	sub	%r8, %r10
	and	%r9, %r11
	and	%r11, %r10
	jnz	1f
	mov	%rcx, (%rdi, %rax)
	add	$8, %rax
	jmp	0b
	/* keep the bytes in front of the NUL: %r10's lowest bit is bit 7 of the NUL's byte */
1:	bsf	%r10, %rdx
	mov	%rcx, %r11
	lea	-7(%rdx), %ecx
	mov	$1, %r8d
	shl	%cl, %r8
	dec	%r8
	and	%r8, %r11
	mov	%r11, (%rdi, %rax)
	shr	$3, %edx
	add	%rdx, %rax
	ret
2:	cmp	%rdx, %rax
	jae	3f
32:	movzbl	(%rsi, %rax), %ecx
33:	mov	%cl, (%rdi, %rax)
	test	%cl, %cl
	jz	4f
	inc	%rax
	jmp	0b
3:	mov	$-ENAMETOOLONG, %rax
4:	ret
5:	mov	$-EFAULT, %rax
	ret
	.cfi_endproc
	.size	fc_strncpy_raw, . - fc_strncpy_raw

	/* [start, end) -> where to go on, as distances from the entry; ends with zeroes */
	.section .rodata
	.globl	fc_fixups
	.hidden	fc_fixups
	.p2align 3
fc_fixups:
	.macro FIXUP start, end, to
	.long	\start - fc_fixups, \end - fc_fixups, \to - fc_fixups
	.endm
	FIXUP	10b, fc_copy_bytes, fc_copy_bytes
	FIXUP	20b, 21b, 21b
	FIXUP	30b, 31b, 5b
	FIXUP	32b, 33b, 5b
	.long	0, 0, 0
	.section .note.GNU-stack, "", @progbits
