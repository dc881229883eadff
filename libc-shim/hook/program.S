/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* program.S - linked into every relinked program: the note that says so (elfnote.h). No code. */
#include "common/elfnote.h"

	.section .note.farcall, "a", @note
	.p2align 2
	.long	2f - 1f, 0, FC_NOTE_PROGRAM
1:	.asciz	FC_NOTE_OWNER
2:	.p2align 2

	.section .note.GNU-stack, "", @progbits
