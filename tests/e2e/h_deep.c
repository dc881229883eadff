/* SPDX-License-Identifier: GPL-2.0-or-later */
/* h_deep.c - directories whose paths are longer than PATH_MAX, and the directory that the whole tree is in. */
#include "e2e.h"
#include <dirent.h>
#include <limits.h>
#include <sys/syscall.h>

#define LEVELS 150

static void level_name(char name[64], int i)
{
	snprintf(name, 64, "level%03d-%.40s", i, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
}

static void go_down(void)
{
	char name[64];

	EQUAL(chdir(e2e_dir), 0);
	for (int i = 0; i < LEVELS; i++) {
		level_name(name, i);
		EQUAL(mkdir(name, 0755), 0);
		EQUAL(chdir(name), 0);
	}
}

static void where(void)
{
	char buffer[PATH_MAX];

	FAILS(syscall(SYS_getcwd, buffer, sizeof buffer), ENAMETOOLONG);
	FAILS(syscall(SYS_getcwd, buffer, (size_t)10), ENAMETOOLONG);
#if defined __GLIBC__ && !defined __UCLIBC__
	char name[64], *cwd = getcwd(NULL, 0); /* this C library climbs */
	CHECK(cwd);
	if (!cwd)
		return;
	level_name(name, LEVELS - 1);
	EQUAL(strlen(cwd), strlen(e2e_dir) + LEVELS * 50);
	CHECK(!strncmp(cwd, e2e_dir, strlen(e2e_dir)) && !strcmp(cwd + strlen(cwd) - strlen(name), name));
	FAILS(chdir(cwd), ENAMETOOLONG);
	free(cwd);
#endif
}

static void use(void)
{
	struct stat here, there;
	int fd = open("file", O_RDWR | O_CREAT, 0600);

	EQUAL(write(fd, "deep", 4), 4);
	EQUAL(fstat(fd, &here), 0);
	EQUAL(stat("../../../../../level145-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx/../level145-"
		   "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
		   &there),
	      0);
	EQUAL(rename("file", "../file"), 0);
	EQUAL(unlink("../file"), 0);
	EQUAL(close(fd), 0);
}

static void go_up(void)
{
	char name[64], cwd[PATH_MAX];

	for (int i = LEVELS; i-- > 0;) {
		level_name(name, i);
		EQUAL(chdir(".."), 0);
		EQUAL(rmdir(name), 0);
	}
	CHECK(getcwd(cwd, sizeof cwd) && !strcmp(cwd, e2e_dir));
}

/* How often is the tree's own name in the directory that it is in, read with a buffer of that size? */
static int listed(size_t size)
{
	char parent[PATH_MAX], *name, *buffer = malloc(size);
	int fd, n = 0;
	long got;

	snprintf(parent, sizeof parent, "%s", e2e_dir);
	name = strrchr(parent, '/');
	*name++ = 0;
	fd = open(*parent ? parent : "/", O_RDONLY | O_DIRECTORY);
	CHECK(fd >= 0);
	while ((got = syscall(SYS_getdents64, fd, buffer, size)) > 0)
		for (long at = 0; at < got; at += ((struct dirent *)(buffer + at))->d_reclen)
			n += !strcmp(((struct dirent *)(buffer + at))->d_name, name);
	EQUAL(got, 0);
	EQUAL(close(fd), 0);
	free(buffer);
	return n;
}

static void listing(void)
{
	for (size_t size = 280; size < 5000; size += 56)
		EQUAL(listed(size), 1);
	EQUAL(listed(32768), 1);
}

int main(int argc, char **argv)
{
	e2e_init(argc, argv);
	go_down();
	where();
	use();
	go_up();
	listing();
	return e2e_status();
}
