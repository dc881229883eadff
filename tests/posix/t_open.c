/* SPDX-License-Identifier: GPL-2.0-or-later */
/* t_open.c - open(2), openat(2), creat, O_TMPFILE, O_PATH, dup, close: which flags do what, in which order errors win, what a descriptor is afterwards. */
#include "posix.h"

#include <dirent.h>
#include <sys/syscall.h>

static void flags_of(const char *what_, int fd)
{
	say("%s: fl %x fd %x", what_, fcntl(fd, F_GETFL), fcntl(fd, F_GETFD));
}

static void creation(void)
{
	int fd;

	part("creation");
	fd = (int)TRY(open("a", O_WRONLY | O_CREAT | O_EXCL, 0640));
	flags_of("a", fd);
	SAY(write(fd, "abc", 3));
	SAY(read(fd, &fd, 0));
	close(fd);
	TRY(open("a", O_WRONLY | O_CREAT | O_EXCL, 0640));
	SAY(symlink("nowhere", "dangling"));
	TRY(open("dangling", O_WRONLY | O_CREAT | O_EXCL, 0600));
	close((int)TRY(open("dangling", O_WRONLY | O_CREAT, 0600)));
	what("nowhere");
	what("dangling");
	TRY(open("dangling", O_RDONLY | O_NOFOLLOW));
	SAY(symlink("loop", "loop"));
	TRY(open("loop", O_RDONLY));
	TRY(open("loop", O_RDWR | O_CREAT, 0600));
	TRY(open("a/b", O_RDONLY));
	TRY(open("a/", O_RDONLY));
	TRY(open("new/", O_RDWR | O_CREAT, 0600));
	TRY(open("", O_RDONLY));
	TRY(open("none/new", O_RDWR | O_CREAT, 0600));
	umask(077);
	close((int)TRY(creat("b", 0777)));
	what("b");
	umask(0);
	close((int)TRY(creat("c", 07777)));
	what("c");
	umask(022);
	fd = (int)TRY(open("read_only_created", O_RDONLY | O_CREAT, 0200));
	what("read_only_created");
	SAY(write(fd, "x", 1));
	close(fd);
	/* the mode of a new file does not bind the descriptor that made it */
	fd = (int)TRY(open("unreadable", O_RDWR | O_CREAT, 0));
	SAY(write(fd, "text", 4));
	SAY(lseek(fd, 0, SEEK_SET));
	SAY(read(fd, &(char[4]){ 0 }, 4));
	close(fd);
}

static void truncation(void)
{
	int fd, other;

	part("truncation");
	other = make("t", "0123456789");
	SAY(lseek(other, 5, SEEK_SET));
	fd = (int)TRY(open("t", O_WRONLY | O_TRUNC));
	what("t");
	SAY(read(other, &(char[4]){ 0 }, 4));
	SAY(write(other, "end", 3));
	what("t");
	contents("t");
	close(fd);
	fd = (int)TRY(open("t", O_RDONLY | O_TRUNC));
	what("t");
	close(fd);
	close(other);
	TRY(open(".", O_WRONLY));
	TRY(open(".", O_RDWR | O_TRUNC));
	TRY(open(".", O_RDONLY | O_CREAT, 0600));
	TRY(open(".", O_RDONLY | O_CREAT | O_DIRECTORY, 0600));
	TRY(open("t", O_RDONLY | O_DIRECTORY));
	close((int)TRY(open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)));
}

static void appending(void)
{
	int fd = make("app", "12345"), a, b;
	char text[4] = { 0 };

	part("appending");
	a = (int)TRY(open("app", O_RDWR | O_APPEND));
	flags_of("app", a);
	SAY(lseek(a, 0, SEEK_CUR));
	SAY(write(a, "67", 2));
	SAY(lseek(a, 0, SEEK_CUR));
	SAY(lseek(a, 1, SEEK_SET));
	SAY(write(a, "89", 2));
	SAY(pwrite(a, "pw", 2, 0)); /* Linux appends */
	contents("app");
	SAY(pread(a, text, 3, 0));
	say("%s", text);
	/* the flag is of the open file description: a duplicate has it */
	b = dup(a);
	SAY(fcntl(b, F_SETFL, 0));
	flags_of("a", a);
	SAY(lseek(a, 0, SEEK_SET));
	SAY(write(b, "X", 1));
	SAY(lseek(a, 0, SEEK_CUR));
	SAY(fcntl(a, F_SETFL, O_APPEND | O_NONBLOCK | O_RDWR | O_CREAT | O_EXCL));
	flags_of("b", b);
	contents("app");
	close(a);
	close(b);
	close(fd);
}

static void only_paths(void)
{
	int fd, dir, link;
	struct stat st;
	char text[64];

	part("O_PATH");
	close(make("p", "path"));
	fd = (int)TRY(open("p", O_PATH | O_RDWR | O_TRUNC));
	flags_of("p", fd);
	SAY(read(fd, text, 1));
	SAY(write(fd, text, 1));
	SAY(lseek(fd, 0, SEEK_SET));
	SAY(fchmod(fd, 0600));
	SAY(fchown(fd, 0, 0));
	SAY(ftruncate(fd, 0));
	SAY(fsync(fd));
	SAY(fstat(fd, &st));
	say("%ld", (long)st.st_size);
	SAY(fchdir(fd));
	SAY(fstatat(fd, "", &st, AT_EMPTY_PATH));
	SAY(fstatat(fd, "", &st, 0));
	SAY(openat(fd, "x", O_RDONLY));
	SAY(linkat(fd, "", AT_FDCWD, "p2", AT_EMPTY_PATH));
	close(fd);
	SAY(symlink("p", "ln"));
	link = (int)TRY(open("ln", O_PATH | O_NOFOLLOW));
	SAY(fstat(link, &st));
	say("%o", st.st_mode & S_IFMT);
	SAY(readlinkat(link, "", text, sizeof text));
	SAY(readlinkat(link, "x", text, sizeof text));
	close(link);
	SAY(mkdir("d", 0755));
	dir = (int)TRY(open("d", O_PATH | O_DIRECTORY));
	close((int)TRY(openat(dir, "in", O_RDWR | O_CREAT, 0644)));
	what("d/in");
	SAY(getdents64(dir, text, sizeof text));
	SAY(fchdir(dir));
	what("in");
	SAY(chdir(".."));
	close(dir);
}

static void unnamed(void)
{
	char path[64];
	struct stat st;
	int fd;

	part("O_TMPFILE");
	fd = (int)TRY(open(".", O_TMPFILE | O_RDWR, 0640));
	SAY(write(fd, "unnamed", 7));
	SAY(fstat(fd, &st));
	say("links %lu mode %o", (unsigned long)st.st_nlink, st.st_mode);
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	SAY(linkat(AT_FDCWD, path, AT_FDCWD, "named", AT_SYMLINK_FOLLOW));
	contents("named");
	SAY(linkat(AT_FDCWD, path, AT_FDCWD, "named", AT_SYMLINK_FOLLOW));
	close(fd);
	fd = (int)TRY(open(".", O_TMPFILE | O_RDWR | O_EXCL, 0640));
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	SAY(linkat(AT_FDCWD, path, AT_FDCWD, "never", AT_SYMLINK_FOLLOW));
	close(fd);
	TRY(open(".", O_TMPFILE | O_RDONLY, 0640));
	TRY(open("named", O_TMPFILE | O_RDWR, 0640));
	what("never");
}

static void deleted(void)
{
	struct stat st;
	char text[16] = { 0 };
	int fd = make("gone", "still here"), other;

	part("deleted");
	SAY(unlink("gone"));
	SAY(fstat(fd, &st));
	say("links %lu size %ld", (unsigned long)st.st_nlink, (long)st.st_size);
	SAY(pread(fd, text, 15, 0));
	say("%s", text);
	SAY(ftruncate(fd, 5));
	SAY(pread(fd, text, 15, 0));
	close(make("gone", "another"));
	SAY(pread(fd, text, 15, 0));
	SAY(fchmod(fd, 0));
	what("gone");
	SAY(linkat(fd, "", AT_FDCWD, "again", AT_EMPTY_PATH));
	/* through its descriptor in /proc */
	snprintf(text, sizeof text, "/dev/fd/%d", fd);
	other = (int)TRY(open(text, O_RDWR));
	SAY(lseek(other, 0, SEEK_END));
	close(other);
	close(fd);
}

static void duplicates(void)
{
	int fd = make("dups", "abcdefghij"), a, b;
	char c;

	part("duplicates");
	a = dup(fd);
	SAY(read(a, &c, 1));
	SAY(read(fd, &c, 1));
	say("%c", c);
	SAY(dup2(fd, fd) == fd);
	SAY(dup3(fd, fd, O_CLOEXEC));
	SAY(dup3(fd, 77, O_CLOEXEC));
	SAY(fcntl(77, F_GETFD));
	SAY(dup2(77, 78));
	SAY(fcntl(78, F_GETFD));
	SAY(read(78, &c, 1));
	say("%c", c);
	b = (int)fcntl(fd, F_DUPFD, 90);
	say("%d", b);
	SAY(fcntl(fd, F_DUPFD, -1));
	SAY(fcntl(fd, F_DUPFD, 1 << 30));
	SAY(dup2(fd, -1));
	SAY(dup2(200, 201));
	SAY(close(fd));
	SAY(close(fd));
	SAY(read(b, &c, 1));
	say("%c", c);
	/* the lowest that is free */
	fd = open("dups", O_RDONLY);
	a = open("dups", O_RDONLY);
	close(fd);
	SAY(open("dups", O_RDONLY) == fd);
	SAY(syscall(SYS_close_range, 77, 100, 0));
	SAY(read(b, &c, 1));
	SAY(fcntl(78, F_GETFD));
	close(fd);
	close(a);
}

int main(int argc, char **argv)
{
	posix_begin(argc, argv);
	creation();
	truncation();
	appending();
	only_paths();
	unnamed();
	deleted();
	duplicates();
	return 0;
}
