/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * h_static.c - a program the shim cannot get into (linked statically). Reads its standard input, or writes to its standard
 * output, or makes a file in its current directory, with plain system calls: exit status 0 if that worked, 3 with the errno on stderr if not.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	char buf[100];
	ssize_t n = argc == 1 || !strcmp(argv[1], "read") ? read(0, buf, sizeof buf)
		    : strcmp(argv[1], "write") == 0       ? write(1, "static\n", 7)
							  : open(argv[1], O_WRONLY | O_CREAT, 0600);

	if (n >= 0)
		return 0;
	fprintf(stderr, "h_static: errno %d\n", errno);
	return 3;
}
