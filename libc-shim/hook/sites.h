/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sites.h - the site table of one ELF file: where its system call instructions are and how each can be rewritten. The
 * `farcall` command writes it (cli/decode.c, cli/sites.c), the shim reads it (glibc/tables.c). No code.
 *
 * File name: the build-id in hexadecimal, `-`, the hash of the list, then FC_SITES_SUFFIX (list.h). Contents: one struct fc_sites_header, then `count` struct
 * fc_site in ascending order of address; nothing after them. Native byte order; the file never leaves the machine.
 *
 * A site is a run of whole instructions, [before] syscall [after], at least FC_SITE_JUMP bytes long, that nothing
 * branches into the middle of. The shim moves all of it into a trampoline and puts a jump at its start.
 *   FORWARD   before == 0: `syscall` and what follows it
 *   BACKWARD  before > 0:  what leads up to `syscall` too, because a return, a jump or a branch target follows too soon
 *   SPECIAL   kind == FC_SITE_SPECIAL: may not simply be called through C (vfork, clone onto a new stack), or not known
 *             until it runs (syscall(2)); of either shape
 *   CANCELLABLE  no system call, but the entry of musl's function for cancellable ones, in its notes only (cancel.h)
 */
#ifndef FC_SHIM_HOOK_SITES_H
#define FC_SHIM_HOOK_SITES_H

#include <stdint.h>

#define FC_SITES_MAGIC 0x3153455449534346ull /* "FCSITES1", read as bytes */
#define FC_SITES_VERSION 2                   /* one more whenever other calls are hooked, for tables are kept */
#define FC_SITES_SUFFIX ".sites"
#define FC_SITES_MAX 4096

#define FC_BUILD_ID_MAX 32
#define FC_SITE_JUMP 5        /* jmp rel32 */
#define FC_SITE_SYSCALL 2     /* 0f 05 */
#define FC_SITE_BEFORE_MAX 16 /* room in a trampoline, see trampoline.h */
#define FC_SITE_AFTER_MAX 20
#define FC_SITE_BYTES 40

#define FC_SITE_UNKNOWN 0xffffu /* nr: not known before it runs */

enum fc_site_kind { FC_SITE_CALL = 1, FC_SITE_SPECIAL = 2, FC_SITE_CANCELLABLE = 3 };

struct fc_site {
	uint64_t address; /* of the first byte to overwrite, relative to the load base */
	uint16_t nr;      /* FC_SITE_UNKNOWN, or the one number this site is used for: for people and tests */
	uint8_t kind;     /* enum fc_site_kind */
	uint8_t before;   /* bytes in front of `syscall` */
	uint8_t after;    /* bytes behind it */
	uint8_t relative; /* where in `bytes` a 32-bit displacement from %rip stands, 0 = nowhere */
	uint8_t pad[2];
	uint8_t bytes[FC_SITE_BYTES]; /* what must be found there: before + 2 + after bytes */
};

struct fc_sites_header {
	uint64_t magic;
	uint32_t version;
	uint32_t count;
	uint32_t instructions; /* `syscall` instructions in the whole file */
	uint32_t refused;      /* of those that were wanted, how many cannot be rewritten */
	uint32_t list;         /* hash of the list of wanted numbers the table was made for (list.h) */
	uint8_t pad[3];
	uint8_t build_id_size;
	uint8_t build_id[FC_BUILD_ID_MAX];
};

_Static_assert(sizeof(struct fc_site) == 56, "fixed layout");
_Static_assert(sizeof(struct fc_sites_header) == 64, "fixed layout");
_Static_assert(FC_SITE_BEFORE_MAX + FC_SITE_SYSCALL + FC_SITE_AFTER_MAX <= FC_SITE_BYTES, "room for the bytes");

#endif
