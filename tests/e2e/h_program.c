/* SPDX-License-Identifier: GPL-2.0-or-later */
/* h_program.c - says what a program is told about itself. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* Is the text of the program mapped from the file that it is said to be? */
static int mapped_from(const char *exe)
{
	char line[8192];
	FILE *maps = fopen("/proc/self/maps", "r");
	int n = 0;

	while (fgets(line, sizeof line, maps)) {
		char *path = strchr(line, '/');

		if (path)
			path[strcspn(path, "\n")] = 0;
		n += path && !strcmp(path, exe);
	}
	fclose(maps);
	return n > 1;
}

static void by_descriptor(const char *path, int flags)
{
	char *argv[] = { "named", "child", NULL };
	int fd = open(path, flags), status;
	pid_t child = fork();

	if (!child) {
		fexecve(fd, argv, environ);
		printf("fexecve: %s\n", strerrorname_np(errno));
		fflush(stdout);
		_exit(1);
	}
	waitpid(child, &status, 0);
	close(fd);
}

int main(int argc, char **argv)
{
	char exe[4096] = "", comm[17] = "";

	if (readlink("/proc/self/exe", exe, sizeof exe - 1) < 0)
		perror("/proc/self/exe");
	prctl(PR_GET_NAME, comm);
	printf("%s %d: exe %s, comm %s, run as %s, short %s, maps %d, variable %d\n", argv[0], argc, exe, comm,
	       (char *)getauxval(AT_EXECFN), program_invocation_short_name, mapped_from(exe),
	       getenv("FARCALL_PROGRAM") != NULL);
	fflush(stdout);
	if (argc == 3 && !strcmp(argv[1], "descriptors")) {
		by_descriptor(argv[0], O_RDONLY | O_CLOEXEC);
		by_descriptor(argv[0], O_PATH | O_CLOEXEC);
		by_descriptor(argv[2], O_RDONLY);
		by_descriptor(argv[2], O_RDONLY | O_CLOEXEC);
	}
	return 0;
}
