/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * elfnote.h - the ELF notes, of owner FC_NOTE_OWNER, by which a relinked libc and the programs linked with it are known. C
 * and assembler; site.s, which the assembler reads without preprocessor, has the numbers again.
 *
 * A site's description is the distance from itself to the site, 32 bits. A site is FC_SITE_JUMP bytes long and nothing
 * branches into it: `syscall` and a three-byte nop, or for FC_NOTE_CANCELLABLE a five-byte nop.
 */
#ifndef FC_COMMON_ELFNOTE_H
#define FC_COMMON_ELFNOTE_H

#define FC_NOTE_OWNER "farcall"
#define FC_NOTE_CALL 1        /* a site, as FC_SITE_CALL */
#define FC_NOTE_SPECIAL 2     /* a site, as FC_SITE_SPECIAL */
#define FC_NOTE_CANCELLABLE 3 /* a site, as FC_SITE_CANCELLABLE */
#define FC_NOTE_PROGRAM 16    /* a program with the dispatcher linked to it; no description */

#endif
