/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* trampoline.h - the layout of a trampoline, which trampoline.S, patch.c and check.c share. C and assembler. */
#ifndef FC_SHIM_HOOK_TRAMPOLINE_H
#define FC_SHIM_HOOK_TRAMPOLINE_H

/*
 * A trampoline is a slot, aligned to its size (so that a program counter finds the slot's start by masking):
 *   0                   64-bit address of the instruction after the original `syscall`: where the unwinder goes on
 *   SLOT_ENTRY - before the displaced instructions in front of `syscall`; the site jumps here
 *   SLOT_ENTRY          the call
 *   SLOT_AFTER, SPECIAL_AFTER  the displaced instructions behind `syscall`, then a jump back
 */
#define FC_SLOTS 640
#define FC_SLOT_SIZE 64
#define FC_SLOT_ENTRY 24
#define FC_SLOT_AFTER 36

#define FC_SPECIALS 16
#define FC_SPECIAL_SIZE 256
#define FC_SPECIAL_AFTER 192

/* what fc_clone_class() answers */
#define FC_CLASS_DISPATCH 0 /* an ordinary call, or a fork on the caller's own stack, or one that is refused */
#define FC_CLASS_NATIVE 1   /* in place: a new thread, rt_sigreturn, nonsense */
#define FC_CLASS_VFORK 2    /* in place: the child shares our memory while its parent waits */
#define FC_CLASS_TOLD 3     /* in place, and fc_clone_done is told in both processes, each on its own stack */

/* replay slots of FARCALL_CHECK: `syscall`, then an indirect jump */
#define FC_REPLAYS 4096
#define FC_REPLAY_SIZE 8

#endif
