/* SPDX-License-Identifier: GPL-2.0-or-later */
/* t_dir.c - mkdir, rmdir, chdir, getcwd, reading directories while they change, walks, the C library's ways through trees. */
#include "posix.h"

#include <dirent.h>
#include <ftw.h>
#include <glob.h>

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* All names, sorted; where from the stream is now */
static void list(DIR *d)
{
	char *names[512], line[4000] = "";
	struct dirent *e;
	size_t n = 0, length = 0;

	while (n < 512 && (e = readdir(d)))
		asprintf(&names[n++], "%s:%d", e->d_name, e->d_type);
	qsort(names, n, sizeof *names, by_name);
	for (size_t i = 0; i < n; i++) {
		if (n < 20)
			length += (size_t)snprintf(line + length, sizeof line - length, " %s", names[i]);
		free(names[i]);
	}
	say("%zu names%s", n, line);
}

static void making(void)
{
	char text[PATH_MAX];

	part("making");
	SAY(mkdir("d", 0777));
	what("d");
	SAY(mkdir("d", 0777));
	SAY(mkdir("d/", 0777));
	SAY(mkdir("e/", 0700));
	SAY(mkdir("none/x", 0777));
	SAY(mkdir("", 0777));
	SAY(mkdir(".", 0777));
	SAY(mkdir("d/..", 0777));
	SAY(mkdir("sticky", 07777));
	what("sticky");
	close(make("f", "f"));
	SAY(mkdir("f/x", 0777));
	SAY(mkdir("f", 0777));
	SAY(symlink("new", "s"));
	SAY(mkdir("s", 0777));
	SAY(rmdir("s"));
	SAY(rmdir("f"));
	SAY(rmdir("none"));
	SAY(rmdir("."));
	SAY(rmdir("d/."));
	SAY(rmdir("d/.."));
	SAY(mkdir("d/x", 0777));
	SAY(rmdir("d"));
	SAY(rmdir("d/x/"));
	SAY(rmdir("d"));
	memset(text, 'n', 256);
	text[256] = 0;
	SAY(mkdir(text, 0777));
	memset(text, '/', PATH_MAX - 1);
	text[PATH_MAX - 1] = 0;
	SAY(access(text, F_OK));
	SAY(chdir("e"));
	SAY(rmdir("../e"));
	SAY(getcwd(text, sizeof text) != NULL);
	SAY(mkdir("x", 0777));
	SAY(open("x", O_CREAT | O_RDWR, 0644));
	SAY(access(".", F_OK));
	SAY(chdir(".."));
	SAY(access("f", F_OK));
}

static void working(const char *top)
{
	char cwd[PATH_MAX];
	int fd = open(".", O_RDONLY | O_DIRECTORY);

	part("working directory");
	SAY(mkdir("w", 0755));
	SAY(mkdir("w/x", 0755));
	SAY(symlink("w/x", "into"));
	SAY(chdir("into"));
	say("%s", getcwd(cwd, sizeof cwd) + strlen(top));
	SAY(chdir(".."));
	say("%s", getcwd(cwd, sizeof cwd) + strlen(top));
	SAY(getcwd(cwd, 3) != NULL);
	/* renamed from under us */
	SAY(rename("../w", "../v"));
	say("%s", getcwd(cwd, sizeof cwd) + strlen(top));
	close((int)TRY(open("made", O_CREAT | O_RDWR, 0644)));
	what("../v/made");
	SAY(chdir("made"));
	SAY(chdir("none"));
	SAY(chdir(""));
	/* a child's own */
	CHILD(SAY(chdir("x")); say("%s", getcwd(cwd, sizeof cwd) + strlen(top)));
	say("%s", getcwd(cwd, sizeof cwd) + strlen(top));
	SAY(fchdir(fd));
	say("[%s]", getcwd(cwd, sizeof cwd) + strlen(top));
	SAY(fchdir(1));
	SAY(fchdir(-1));
	/* out of the export, and back */
	SAY(chdir("/"));
	SAY(access("v", F_OK));
	SAY(fchdir(fd));
	SAY(access("v", F_OK));
	say("%d", !strcmp(realpath("into/../made", cwd) ?: "-", "-"));
	say("%s", (realpath("v/x/../../v/made", cwd) ?: cwd) + strlen(top));
	close(fd);
}

static void reading(void)
{
	char name[32];
	struct dirent *e;
	long middle = 0;
	int seen = 0, fd;
	DIR *d, *other;

	part("reading");
	SAY(mkdir("many", 0755));
	SAY(chdir("many"));
	for (int i = 0; i < 300; i++) {
		snprintf(name, sizeof name, "name%d", i);
		close(open(name, O_CREAT | O_RDWR, 0644));
	}
	SAY(symlink("name1", "link"));
	SAY(mkdir("dir", 0755));
	SAY(mkfifo("fifo", 0644));
	d = opendir(".");
	list(d);
	rewinddir(d);
	while ((e = readdir(d)) && ++seen < 100)
		;
	middle = telldir(d);
	strcpy(name, (e = readdir(d)) ? e->d_name : "");
	while (readdir(d))
		;
	seekdir(d, middle);
	e = readdir(d);
	say("the same again: %d", e && !strcmp(e->d_name, name));
	/* what is there throughout is seen exactly once, whatever comes and goes */
	rewinddir(d);
	seen = 0;
	while ((e = readdir(d))) {
		int i;

		if (sscanf(e->d_name, "name%d", &i) == 1) {
			seen += i % 2;
			snprintf(name, sizeof name, "name%d", i);
			if (i % 2 == 0)
				unlink(name);
		}
	}
	say("%d", seen);
	rewinddir(d);
	list(d);
	/* two streams do not disturb each other; duplicates of one descriptor share the place */
	other = opendir(".");
	readdir(other);
	rewinddir(d);
	list(d);
	list(other);
	closedir(other);
	fd = dup(dirfd(d));
	rewinddir(d);
	list(d);
	other = fdopendir(fd);
	list(other);
	SAY(lseek(dirfd(d), 0, SEEK_SET));
	list(other);
	closedir(other);
	/* removed while it is open */
	CHILD(execlp("rm", "rm", "-rf", "../many", NULL));
	rewinddir(d);
	list(d);
	closedir(d);
	SAY(chdir(".."));
	SAY(opendir("none") != NULL);
	SAY(opendir("f") != NULL);
	fd = open("f", O_RDONLY);
	SAY(fdopendir(fd) != NULL);
	close(fd);
}

static long walked;

static int step(const char *path, const struct stat *st, int flag, struct FTW *at)
{
	(void)path;
	walked = walked * 3 + flag + at->level + (S_ISREG(st->st_mode) ? st->st_size : 0);
	return 0;
}

static void trees(void)
{
	struct dirent **names;
	char path[64];
	glob_t g;
	int n;

	part("trees");
	for (int i = 0; i < 10; i++) {
		snprintf(path, sizeof path, "tree%d", i % 2);
		mkdir(path, 0755);
		snprintf(path, sizeof path, "tree%d/%d", i % 2, i);
		mkdir(path, 0755);
		snprintf(path, sizeof path, "tree%d/%d/file", i % 2, i);
		close(make(path, "text"));
	}
	SAY(glob("tree*/*/f[a-i]le", 0, NULL, &g));
	for (size_t i = 0; i < g.gl_pathc; i++)
		say("%s", g.gl_pathv[i]);
	globfree(&g);
	n = scandir("tree1", &names, NULL, alphasort);
	for (int i = 0; i < n; i++)
		say("%s", names[i]->d_name);
	walked = 0;
	SAY(nftw("tree0/2", step, 5, FTW_PHYS | FTW_DEPTH));
	say("%ld", walked);
	SAY(nftw("tree0/2", step, 5, FTW_CHDIR));
	say("%ld", walked);
	SAY(nftw("none", step, 5, 0));
}

int main(int argc, char **argv)
{
	posix_begin(argc, argv);
	making();
	working(argv[1]);
	reading();
	trees();
	return 0;
}
