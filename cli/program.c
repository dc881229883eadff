/* SPDX-License-Identifier: GPL-2.0-or-later */
/* program.c - finds the command to run and checks that the shim can get into it (program.h). */
#define _GNU_SOURCE
#include "cli/program.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "cli/cli.h"
#include "common/elfkind.h"

#define SCRIPT_DEPTH 4 /* as the kernel: a script's interpreter may be a script */

static bool is_executable_file(const char *path)
{
	struct stat st;

	if (stat(path, &st))
		return false;
	if (!S_ISREG(st.st_mode)) {
		errno = EACCES;
		return false;
	}
	return !access(path, X_OK);
}

/* As execvp: a name without slash is looked for in PATH; a file that may not be executed is remembered. */
static int find_in_path(const char *name, char *path)
{
	const char *dirs = getenv("PATH");
	int err = ENOENT;

	if (!dirs)
		dirs = "/usr/local/bin:/usr/bin:/bin";
	while (true) {
		size_t length = strcspn(dirs, ":");

		if (length)
			snprintf(path, PATH_MAX, "%.*s/%s", (int)length, dirs, name);
		else
			snprintf(path, PATH_MAX, "./%s", name);
		if (is_executable_file(path))
			return 0;
		if (errno == EACCES &&
		    !access(path, F_OK)) /* it is there; a directory we may not look into does not count */
			err = EACCES;
		if (!dirs[length])
			return err;
		dirs += length + 1;
	}
}

/* Does executing it give rights that the caller does not have? Then the dynamic linker ignores LD_PRELOAD. A set-id bit
 * counts even where it changes nothing today (root runs a root-owned file): whether the shim gets in must not depend on
 * who runs it. */
static bool gains_rights(int fd, const struct stat *st)
{
	if (st->st_mode & S_ISUID || (st->st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP))
		return true;
	return geteuid() && fgetxattr(fd, "security.capability", NULL, 0) > 0;
}

static void refuse_unless_hookable(const char *name, const char *path, int fd, int kind)
{
	const char *why = NULL;
	struct stat st;

	if (fstat(fd, &st))
		fc_die(FC_EXIT_NOT_RUNNABLE, "%s: %s", path, strerror(errno));
	if (kind != FC_ELF_SCRIPT && gains_rights(fd, &st)) /* the kernel ignores these on scripts */
		why = "is setuid, setgid or has file capabilities";
	else if (kind == FC_ELF_STATIC)
		why = "is statically linked";
	else if (kind == FC_ELF_FOREIGN)
		why = "is not an x86-64 program for glibc";
	if (why)
		fc_die(FC_EXIT_USAGE, "%s%s%s %s: the shim cannot get into it; use another program under farcall",
		       strcmp(name, path) ? name : "", strcmp(name, path) ? ": " : "", path, why);
}

void fc_program_find(struct fc_program *program, const char *name)
{
	int err = 0;

	if (!*name)
		fc_die(FC_EXIT_NOT_FOUND, "the command's name is empty");
	if (!strchr(name, '/')) {
		err = find_in_path(name, program->path);
	} else {
		snprintf(program->path, sizeof(program->path), "%s", name);
		if (!is_executable_file(name))
			err = errno;
	}
	if (err)
		fc_die(err == ENOENT || err == ENOTDIR ? FC_EXIT_NOT_FOUND : FC_EXIT_NOT_RUNNABLE, "%s: %s", name,
		       err == ENOENT ? "command not found" : strerror(err));

	snprintf(program->binary, sizeof(program->binary), "%s", program->path);
	for (int depth = 0; depth <= SCRIPT_DEPTH; depth++) {
		int fd = open(program->binary, O_RDONLY | O_CLOEXEC);
		int kind = fd < 0 ? -errno : fc_elf_kind(fd);

		if (kind == -EACCES)
			return; /* executable but not readable: nothing to learn, the shim will tell */
		if (kind < 0)
			fc_die(FC_EXIT_NOT_RUNNABLE, "%s: %s: %s", name, program->binary, strerror(-kind));
		refuse_unless_hookable(name, program->binary, fd, kind);
		if (kind == FC_ELF_OTHER) /* execvp hands it to the shell */
			snprintf(program->binary, sizeof(program->binary), "/bin/sh");
		else if (kind == FC_ELF_SCRIPT &&
			 fc_elf_script_interpreter(fd, program->binary, sizeof(program->binary)) < 0)
			fc_die(FC_EXIT_NOT_RUNNABLE, "%s: bad interpreter line", name);
		close(fd);
		program->relinked = kind == FC_ELF_RELINKED;
		if (kind == FC_ELF_DYNAMIC || kind == FC_ELF_RELINKED)
			return;
	}
	fc_die(FC_EXIT_NOT_RUNNABLE, "%s: %s", name, strerror(ELOOP));
}
