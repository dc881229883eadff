/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * program.h - the command to run: found as execvp(3) finds it, and refused if the shim cannot get into it. It does not
 * execute anything.
 */
#ifndef FC_CLI_PROGRAM_H
#define FC_CLI_PROGRAM_H

#include <limits.h>
#include <stdbool.h>

struct fc_program {
	char path[PATH_MAX];   /* to execute */
	char binary[PATH_MAX]; /* the ELF file that runs in the end: path itself, or a script's interpreter */
	bool relinked;         /* it has the shim in it */
};

/* Find `name` and look into it. Ends the command with one line: exit 127 (not found), 126 (not executable), 2 (setuid,
 * setgid, statically linked, not a glibc program). */
void fc_program_find(struct fc_program *program, const char *name);

#endif
