# SPDX-License-Identifier: LGPL-2.1-or-later
# site.s - makes a libc one that can be hooked. The assembler reads it in front of every file of the libc (-Wa,site.s), so it
# reaches inline assembly, .S and .s alike. It takes the mnemonic `syscall` and makes it the instruction, three bytes
# of nop and a note saying where they are (common/elfnote.h): a site of five bytes, the size of a jump, that no branch can lead into.
# Until somebody rewrites it, it is the system call that it was.

	.macro farcall_note kind, site
	.pushsection .note.farcall, "a", @note
	.p2align 2
	.long 8, 4, \kind
	.asciz "farcall"
	.long \site - .
	.popsection
	.endm

	.macro syscall
.Lfarcall_site\@:
	.byte 0x0f, 0x05
	# These must stay what they are: the return from a signal handler, which unwinders know by its bytes; the window in which
	# musl's threads can be cancelled, which is looked at by address; the exit of a thread that has unmapped its stack.
	.ifdef __cp_begin
	.exitm
	.endif
	.ifdef .Lfarcall_no_stack
	.exitm
	.endif
	.ifdef __unmapself
	.set .Lfarcall_no_stack, 1
	.endif
	.ifdef __restore_rt
	.ifndef .Lfarcall_restorer
	.set .Lfarcall_restorer, 1
	.exitm
	.endif
	.endif
	.byte 0x0f, 0x1f, 0x00
	.set .Lfarcall_kind, 1
	# clone and vfork return on another stack or twice, a thread that unmaps its stack on none, and what syscall(2) is used for
	# is not known
	.irp name, clone, __clone, vfork, __vfork, __unmapself, syscall
	.ifdef \name
	.set .Lfarcall_kind, 2
	.endif
	.endr
	.if .Lfarcall_kind == 1
	farcall_note 1, .Lfarcall_site\@
	.else
	farcall_note 2, .Lfarcall_site\@
	.endif
	.endm

	# The entry of a function that makes a cancellable system call: fc_cancellable may take its place.
	.macro farcall_cancellable
.Lfarcall_site\@:
	.byte 0x0f, 0x1f, 0x44, 0x00, 0x00
	farcall_note 3, .Lfarcall_site\@
	.endm
