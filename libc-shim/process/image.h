/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* image.h - what an execve is to run: a local program, or a remote one, which the kernel cannot see. */
#ifndef FC_SHIM_IMAGE_H
#define FC_SHIM_IMAGE_H

#include <stdbool.h>
#include <stddef.h>

#include "farcall/abi.h"
#include "libc-shim/text.h"

#define SHIM_SCRIPT_DEPTH 5 /* scripts in a chain, and what of one is looked at: the kernel's numbers */
#define SHIM_SCRIPT_HEAD 256
#define SHIM_PROGRAM_VARIABLE "FARCALL_PROGRAM="
#define END(array) ((array) + sizeof(array))

/* Everything the execve needs, in one mapping; a vfork child leaves it to its parent to unmap. */
struct shim_exec {
	size_t size;
	const char **envp;
	const char **argv;
	char exec_var[40];
	char trace_var[40];
	char preload_var[2 * FC_PATH_MAX];
	char audit_var[2 * FC_PATH_MAX];
	char tunables_var[2 * FC_PATH_MAX];
	const char *const *given; /* the environment, ngiven strings */
	long ngiven;
	char audit[FC_PATH_MAX]; /* our audit object, "" = none */
	char dir_var[FC_PATH_MAX + 16];
	char program_var[FC_PATH_MAX + 48];
	char line[SHIM_SCRIPT_DEPTH + 1]
		 [SHIM_SCRIPT_HEAD]; /* of each script in a chain, and of the program at its end */
	unsigned lines;
	char loaded_path[SHIM_FD_PATH]; /* of the image's `loaded` */
	const char *pointers[];
};

/* what is to be run */
struct shim_image {
	int dirfd;
	const char *path;
	int flags;
	long nargs;
	bool hooked;    /* the shim will be in it */
	bool relinked;  /* and is part of it */
	bool linker;    /* glibc's, to load a program that is among its arguments */
	bool libraries; /* some of what it needs may lie on an export */
	int fd;         /* a remote program's file or a copy of it, or -1 */
	int loaded;     /* what the dynamic linker is to load, if that is remote, or -1 */
};

/* Find out what to run: a local program (path), or a remote one (fd). 0 or -errno; the arguments may be others then. Either way shim_image_put is
 * to come. */
int shim_image_resolve(struct shim_image *im, struct shim_exec *m);
/* Give back what that has obtained, also if it has failed: for an execve that has. */
void shim_image_put(struct shim_image *im);
bool shim_image_is_remote(const struct shim_image *im);

bool shim_user_starts_with(const char *user,
			   const char *prefix); /* a string of the application's; prefix of up to 31 bytes */

#endif
