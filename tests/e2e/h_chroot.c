/* SPDX-License-Identifier: GPL-2.0-or-later */
/* h_chroot.c - another root directory: h_chroot DIRECTORY JAIL. It prints what it sees, to be compared. DIRECTORY has `f`, and `out`, a link to /in; JAIL
 * has `in`. Programs in the jail are not started. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void show(int dir, const char *path)
{
	char text[50] = { 0 };
	int fd = openat(dir, path, O_RDONLY);

	if (fd < 0 || read(fd, text, 40) < 0)
		strcpy(text, strerrorname_np(errno));
	printf("%s: %s\n", path, text);
	close(fd);
}

static void result(const char *what, long r)
{
	printf("%s: %ld %s\n", what, r, r < 0 ? strerrorname_np(errno) : "");
}

int main(int argc, char **argv)
{
	char file[300], cwd[300] = { 0 };
	int root = open("/", O_RDONLY | O_DIRECTORY), far, f;

	setvbuf(stdout, NULL, _IONBF, 0);
	if (argc < 3)
		return 2;
	far = open(argv[1], O_RDONLY | O_DIRECTORY);
	f = openat(far, "f", O_RDONLY);
	snprintf(file, sizeof file, "%s/f", argv[1]);
	result("nothing there", chroot("/fc-nothing"));
	show(AT_FDCWD, file);
	result("chroot", chroot(argv[2]));
	result("chdir", chdir("/"));
	show(AT_FDCWD, file);
	show(AT_FDCWD, "in");
	show(far, "f");
	show(far, "out");
	if (!fork()) {
		show(far, "f");
		show(AT_FDCWD, file);
		result("seek", lseek(f, 1, SEEK_SET));
		_exit(0);
	}
	wait(NULL);
	result("seek", lseek(f, 0, SEEK_CUR));
	result("mkdir", mkdir(argv[1], 0700));
	result("rmdir", rmdir(argv[1]));
	result("fchdir", fchdir(far));
	result("getcwd", syscall(SYS_getcwd, cwd, sizeof cwd));
	puts(cwd);
	result("getcwd", syscall(SYS_getcwd, cwd, 10));
	show(AT_FDCWD, "f");
	show(AT_FDCWD, file);
	result("fchdir", fchdir(root));
	result("chroot back", chroot("."));
	show(AT_FDCWD, file);
	result("chdir", chdir(argv[1]));
	show(AT_FDCWD, "f");
	result("getcwd", syscall(SYS_getcwd, cwd, sizeof cwd));
	return 0;
}
