/* SPDX-License-Identifier: GPL-2.0-or-later */
/* t_link.c - link, symlink, readlink, rename, renameat2, unlink: what replaces what, what refuses, what open files become. */
#include "posix.h"

static bool same(const char *a, const char *b)
{
	struct stat x, y;

	return !stat(a, &x) && !stat(b, &y) && x.st_ino == y.st_ino && x.st_dev == y.st_dev;
}

static void links(void)
{
	char text[64] = { 0 };

	part("links");
	close(make("a", "a"));
	SAY(link("a", "b"));
	say("%d", same("a", "b"));
	what("a");
	SAY(link("a", "b"));
	SAY(link("none", "c"));
	SAY(mkdir("d", 0755));
	SAY(link("d", "d2"));
	SAY(link("a", "d"));
	SAY(link("a", "none/x"));
	SAY(link("a/", "x"));
	SAY(symlink("a", "s"));
	SAY(link("s", "s2"));
	what("s2");
	SAY(linkat(AT_FDCWD, "s", AT_FDCWD, "s3", AT_SYMLINK_FOLLOW));
	what("s3");
	SAY(linkat(AT_FDCWD, "a", AT_FDCWD, "s4", 0x4000));
	SAY(symlink("", "empty"));
	SAY(symlink("x", ""));
	SAY(symlink("x", "s"));
	SAY(symlink("anything at all", "s/"));
	SAY(readlink("s", text, sizeof text));
	say("%s", text);
	SAY(readlink("s", text, 1));
	SAY(readlink("s", text, 0));
	SAY(readlink("a", text, sizeof text));
	SAY(readlink("none", text, sizeof text));
	SAY(readlink("s/", text, sizeof text));
	SAY(unlink("a"));
	what("b");
	SAY(unlink("a"));
	SAY(unlink("d"));
	SAY(unlink("b/"));
	SAY(unlink("s"));
	SAY(unlink(""));
	SAY(unlinkat(AT_FDCWD, "b", AT_REMOVEDIR));
	SAY(unlinkat(AT_FDCWD, "d", AT_REMOVEDIR));
	SAY(unlinkat(AT_FDCWD, "b", 0x4000));
}

static void long_links(void)
{
	static char target[5000];
	static char text[5000];

	part("long targets");
	memset(target, 't', 4095);
	SAY(symlink(target, "long"));
	SAY(readlink("long", text, sizeof text));
	SAY(memcmp(target, text, 4095));
	SAY(open("long", O_RDONLY));
	memset(target, 't', 4096);
	SAY(symlink(target, "longer"));
	target[255] = 0;
	close((int)TRY(open(target, O_CREAT | O_RDWR, 0644)));
	target[255] = 't';
	target[256] = 0;
	TRY(open(target, O_CREAT | O_RDWR, 0644));
	SAY(unlink("long"));
}

static void renames(void)
{
	int fd, other;
	char text[8] = { 0 };

	part("renames");
	fd = make("x", "x");
	other = make("y", "y");
	SAY(rename("x", "y"));
	what("x");
	contents("y");
	SAY(pread(fd, text, 7, 0));
	SAY(pread(other, text, 7, 0));
	say("%s", text);
	SAY(write(fd, "X", 1));
	contents("y");
	SAY(link("y", "z"));
	SAY(rename("y", "z")); /* the same file: nothing happens */
	what("y");
	SAY(rename("none", "z"));
	SAY(rename("y", "none/z"));
	SAY(rename("y", "y"));
	SAY(mkdir("d1", 0755));
	SAY(mkdir("d2", 0755));
	SAY(mkdir("d2/in", 0755));
	SAY(rename("d1", "y"));
	SAY(rename("y", "d1"));
	SAY(rename("d1", "d2"));
	SAY(rename("d2", "d1"));
	what("d1/in");
	SAY(rename("d1", "d1/in/deeper"));
	SAY(rename("d1/in", "d1"));
	SAY(rename("d1", "."));
	SAY(rename(".", "e"));
	SAY(rename("d1/..", "e"));
	SAY(rename("d1/", "d3/"));
	SAY(rename("y", "w/"));
	SAY(rename("y/", "w"));
	SAY(symlink("y", "s"));
	SAY(rename("s", "t"));
	what("t");
	SAY(rename("y", "t"));
	what("t");
	close(fd);
	close(other);
}

static void renames2(void)
{
	int dir;

	part("renameat2");
	close(make("p", "p"));
	close(make("q", "q"));
	SAY(renameat2(AT_FDCWD, "p", AT_FDCWD, "q", RENAME_NOREPLACE));
	SAY(renameat2(AT_FDCWD, "p", AT_FDCWD, "r", RENAME_NOREPLACE));
	SAY(renameat2(AT_FDCWD, "r", AT_FDCWD, "q", RENAME_EXCHANGE));
	contents("q");
	contents("r");
	SAY(renameat2(AT_FDCWD, "r", AT_FDCWD, "none", RENAME_EXCHANGE));
	SAY(renameat2(AT_FDCWD, "r", AT_FDCWD, "q", RENAME_EXCHANGE | RENAME_NOREPLACE));
	SAY(mkdir("dd", 0755));
	SAY(renameat2(AT_FDCWD, "r", AT_FDCWD, "dd", RENAME_EXCHANGE));
	what("r");
	dir = open("r", O_RDONLY | O_DIRECTORY);
	SAY(renameat(AT_FDCWD, "q", dir, "q"));
	SAY(renameat(dir, "q", AT_FDCWD, "back"));
	contents("back");
	SAY(rename("r", "moved"));
	/* a descriptor goes with its directory */
	close((int)TRY(openat(dir, "made", O_CREAT | O_RDWR, 0644)));
	what("moved/made");
	SAY(renameat(dir, "..", AT_FDCWD, "e"));
	SAY(renameat(dir, "made", 99, "e"));
	SAY(unlinkat(dir, "made", 0));
	SAY(rmdir("moved"));
	TRY(openat(dir, "made", O_CREAT | O_RDWR, 0644));
	SAY(mkdirat(dir, "made", 0755));
	TRY(openat(dir, ".", O_RDONLY));
	TRY(openat(dir, "..", O_RDONLY));
	close(dir);
	/* to and from elsewhere */
	SAY(rename("back", "/dev/shm/farcall-test-never"));
	SAY(link("back", "/dev/shm/farcall-test-never"));
}

/* a name is always one of two, whoever looks */
static void atomic(void)
{
	int missing = 0;
	pid_t pid;

	part("atomic");
	close(make("one", "1"));
	pid = fork();
	if (!pid) {
		for (int i = 0; i < 500; i++) {
			close(make("two", "22"));
			if (rename("two", "one"))
				_exit(1);
		}
		_exit(0);
	}
	for (int i = 0; i < 500; i++) {
		struct stat st;

		missing += stat("one", &st) || !st.st_size;
	}
	ended(pid);
	say("%d times missing", missing);
}

int main(int argc, char **argv)
{
	posix_begin(argc, argv);
	links();
	long_links();
	renames();
	renames2();
	atomic();
	return 0;
}
