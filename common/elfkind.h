/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * elfkind.h - what kind of program a file is, as far as the shim's getting into it goes. It looks at the bytes of the file
 * only; whether the file may be executed, or is setuid, is the caller's to ask the kernel.
 */
#ifndef FC_COMMON_ELFKIND_H
#define FC_COMMON_ELFKIND_H

#include <stddef.h>

enum fc_elf_kind {
	FC_ELF_DYNAMIC,  /* x86-64, started by glibc's dynamic linker: LD_PRELOAD reaches it */
	FC_ELF_RELINKED, /* x86-64, static or not, with the shim linked to it */
	FC_ELF_STATIC,   /* x86-64, no program interpreter */
	FC_ELF_FOREIGN,  /* dynamic, of another machine or C library */
	FC_ELF_SCRIPT,   /* starts with #! */
	FC_ELF_OTHER,    /* none of these: the kernel will say ENOEXEC (a shell may then run it as a script) */
};

/* The kind of the local file `fd`, which must be readable; its offset does not matter and does not move. Returns an
 * enum fc_elf_kind or -errno. Raw system calls only, no malloc, under 2 KiB of stack, async-signal-safe, logs nothing. */
int fc_elf_kind(int fd);

/* The interpreter named in the first line of the script `fd`, NUL-terminated, without its argument. Returns its length;
 * -ENOEXEC if there is none or it does not fit. As fc_elf_kind otherwise. */
int fc_elf_script_interpreter(int fd, char *path, size_t size);

#endif
