/* SPDX-License-Identifier: GPL-2.0-or-later */
/* h_wide.c - makes as many kinds of storage calls through libc as there are, in the directory it is given. Their results are
 * other tests' business; this one is for counting. */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#if __has_include(<fts.h>)
#include <fts.h>
#endif
#include <ftw.h>
#include <glob.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/xattr.h>
#include <unistd.h>
#include <utime.h>

static int visit(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)path, (void)st, (void)flag, (void)ftw;
	return 0;
}

static void streams(void)
{
	char line[64], name[] = "tmp-XXXXXX", names[] = "dir-XXXXXX";
	FILE *f = fopen("stream", "w+");

	for (int i = 0; i < 3000; i++)
		fprintf(f, "line %d\n", i);
	fflush(f);
	rewind(f);
	while (fgets(line, sizeof(line), f))
		;
	fseek(f, 100, SEEK_SET);
	fgetc(f);
	f = freopen("stream", "a", f);
	fputs("more", f);
	fclose(f);
	f = tmpfile();
	fputs("x", f);
	fclose(f);
	close(mkstemp(name));
	remove(name);
	rmdir(mkdtemp(names));
}

static void data(void)
{
	char b[100] = "0123456789";
	struct iovec v[2] = { { b, 10 }, { b + 10, 20 } };
	int fd = open("data", O_RDWR | O_CREAT, 0644), to = openat(AT_FDCWD, "copy", O_RDWR | O_CREAT, 0600);
	off_t at = 0;

	write(fd, b, 10);
	pwrite(fd, b, 10, 20);
	writev(fd, v, 2);
	pwritev(fd, v, 2, 100);
	pwritev2(fd, v, 2, 200, 0);
	lseek(fd, 0, SEEK_SET);
	read(fd, b, 10);
	pread(fd, b, 10, 5);
	readv(fd, v, 2);
	preadv(fd, v, 2, 0);
	preadv2(fd, v, 2, 0, 0);
	ftruncate(fd, 5000);
	truncate("data", 6000);
	posix_fallocate(fd, 0, 8192);
	fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 16384);
	posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	readahead(fd, 0, 4096);
	sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
	fsync(fd);
	fdatasync(fd);
	syncfs(fd);
	sendfile(to, fd, &at, 100);
	copy_file_range(fd, NULL, to, NULL, 100, 0);
	flock(fd, LOCK_EX);
	lockf(to, F_LOCK, 0);
	fcntl(fd, F_GETFL);
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	ioctl(fd, FIONREAD, &(int){ 0 });
	close(dup(fd));
	close(dup2(fd, 50));
	close(dup3(fd, 51, O_CLOEXEC));
	munmap(mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0), 4096);
	close(fd);
	close(to);
	close(creat("created", 0600));
	close_range(60, 70, 0);
}

static void names(void)
{
	char path[PATH_MAX];
	struct dirent **list;
	glob_t g;
	DIR *d;
	int n;

	mkdir("d", 0755);
	mkdirat(AT_FDCWD, "d/e", 0755);
	symlink("data", "s");
	symlinkat("data", AT_FDCWD, "s2");
	readlink("s", path, sizeof(path));
	readlinkat(AT_FDCWD, "s2", path, sizeof(path));
	link("data", "l");
	linkat(AT_FDCWD, "data", AT_FDCWD, "l2", 0);
	rename("l", "m");
	renameat(AT_FDCWD, "l2", AT_FDCWD, "m2");
	renameat2(AT_FDCWD, "m2", AT_FDCWD, "m3", 0);
	mkfifo("p", 0600);
	mknodat(AT_FDCWD, "p2", S_IFIFO | 0600, 0);
	unlink("m");
	unlinkat(AT_FDCWD, "m3", 0);
	if (realpath("d/e/..", path) && (d = opendir("."))) {
		while (readdir(d))
			;
		rewinddir(d);
		seekdir(d, telldir(d));
		closedir(d);
	}
	n = scandir(".", &list, NULL, alphasort);
	while (n-- > 0)
		free(list[n]);
	nftw(".", visit, 8, FTW_PHYS | FTW_DEPTH);
	glob("*", 0, NULL, &g);
	globfree(&g);
#if __has_include(<fts.h>)
	char *const roots[] = { ".", NULL };
	FTS *fts = fts_open(roots, FTS_PHYSICAL, NULL);

	while (fts_read(fts))
		;
	fts_close(fts);
#endif
	chdir("d");
	n = open(".", O_RDONLY | O_DIRECTORY);
	chdir("..");
	fchdir(n);
	close(n);
	chdir("..");
	free(getcwd(NULL, 0));
	rmdir("d/e");
}

static void attributes(void)
{
	struct timeval tv[2] = { { 1, 2 }, { 3, 4 } };
	struct timespec ts[2] = { { 1, 2 }, { 3, 4 } };
	struct utimbuf ut = { 1, 2 };
	int fd = open("data", O_RDWR);
	struct statvfs vfs;
	struct statfs fs;
	struct statx sx;
	struct stat st;
	char b[64];

	stat("data", &st);
	lstat("s", &st);
	fstat(fd, &st);
	fstatat(AT_FDCWD, "data", &st, 0);
	statx(AT_FDCWD, "data", 0, STATX_ALL, &sx);
	statfs(".", &fs);
	fstatfs(fd, &fs);
	statvfs(".", &vfs);
	access("data", R_OK);
	faccessat(AT_FDCWD, "data", R_OK, AT_EACCESS);
	euidaccess("data", R_OK);
	chmod("data", 0640);
	fchmod(fd, 0644);
	fchmodat(AT_FDCWD, "data", 0600, 0);
	chown("data", getuid(), getgid());
	lchown("s", getuid(), getgid());
	fchown(fd, getuid(), getgid());
	fchownat(AT_FDCWD, "data", getuid(), getgid(), 0);
	utime("data", &ut);
	utimes("data", tv);
	futimes(fd, tv);
	lutimes("s", tv);
	utimensat(AT_FDCWD, "data", ts, 0);
	futimens(fd, ts);
	umask(umask(022));
	setxattr("data", "user.a", "b", 1, 0);
	fsetxattr(fd, "user.b", "b", 1, 0);
	lsetxattr("data", "user.c", "b", 1, 0);
	getxattr("data", "user.a", b, sizeof(b));
	lgetxattr("data", "user.a", b, sizeof(b));
	fgetxattr(fd, "user.a", b, sizeof(b));
	listxattr("data", b, sizeof(b));
	llistxattr("data", b, sizeof(b));
	flistxattr(fd, b, sizeof(b));
	removexattr("data", "user.a");
	fremovexattr(fd, "user.b");
	lremovexattr("data", "user.c");
	close(fd);
}

static void *thread(void *arg)
{
	char name[16];

	snprintf(name, sizeof(name), "t%d", (int)(long)arg);
	close(open(name, O_CREAT | O_RDWR, 0600));
	unlink(name);
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t t[4];
	FILE *p;

	if (argc < 2 || chdir(argv[1]))
		return 2;
	streams();
	data();
	names();
	attributes();
	for (long i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, thread, (void *)i);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	system("cat data > /dev/null; ls -l > list; (cd / && pwd) >> list; test -e data");
	p = popen("wc -c < list", "r");
	fscanf(p, "%d", &argc);
	pclose(p);
	return 0;
}
