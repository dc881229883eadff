/* SPDX-License-Identifier: GPL-2.0-or-later */
/* t_limit.c - limits: descriptors, sizes of files and the signal, names and paths, levels of links, prlimit of oneself; and full queues of names. */
#include "posix.h"

#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/xattr.h>

static void on_signal(int sig)
{
	say("signal %s", sigabbrev_np(sig));
}

static void descriptors(void)
{
	struct rlimit r = { 20, 30 }, old;
	int n = 0, fd, last = -1, p[2];

	SAY(setrlimit(RLIMIT_NOFILE, &r));
	while ((fd = open("f", O_RDONLY)) >= 0) {
		last = fd;
		n++;
	}
	say("%d, %s", last, strerrorname_np(errno));
	TRY(dup(last));
	TRY(open("/dev/null", O_RDONLY));
	TRY(open("new", O_CREAT | O_RDWR, 0600));
	what("new");
	SAY(pipe(p));
	SAY(memfd_create("x", 0));
	SAY(fcntl(last, F_DUPFD, 5));
	SAY(fcntl(last, F_DUPFD, 20));
	SAY(dup2(last, 20));
	SAY(dup2(last, 19));
	SAY(chdir("."));
	SAY(access("f", R_OK));
	SAY(mkdir("with_none_left", 0755));
	SAY(rename("with_none_left", "d"));
	CHILD(SAY(close(last)); TRY(open("f", O_RDONLY)));
	CHILD(close(10); execlp("sh", "sh", "-c", "cat f", NULL));
	SAY(getrlimit(RLIMIT_NOFILE, &old));
	say("%lu %lu", old.rlim_cur, old.rlim_max);
	r.rlim_cur = 30;
	SAY(prlimit(0, RLIMIT_NOFILE, &r, &old));
	SAY(dup2(last, 29));
	r.rlim_cur = 5;
	SAY(setrlimit(RLIMIT_NOFILE, &r));
	SAY(read(29, &(char){ 0 }, 1));
	SAY(close(29));
	TRY(open("f", O_RDONLY));
	r.rlim_cur = 31;
	SAY(setrlimit(RLIMIT_NOFILE, &r));
}

static void sizes(void)
{
	struct rlimit r = { 10000, RLIM_INFINITY };
	static char text[8000];
	struct iovec_ {
		void *base;
		size_t n;
	} v[2] = { { text, 6000 }, { text, 6000 } };
	int fd = open("big", O_CREAT | O_RDWR | O_TRUNC, 0600), local = memfd_create("x", 0);

	signal(SIGXFSZ, on_signal);
	SAY(setrlimit(RLIMIT_FSIZE, &r));
	SAY(write(fd, text, 8000));
	SAY(write(fd, text, 8000));
	SAY(write(fd, text, 1));
	SAY(write(fd, text, 0));
	SAY(pwrite(fd, text, 100, 9990));
	SAY(pwrite(fd, text, 100, 20000));
	SAY(ftruncate(fd, 10000));
	SAY(ftruncate(fd, 10001));
	SAY(truncate("big", 10001));
	SAY(posix_fallocate(fd, 0, 10001));
	SAY(lseek(fd, 0, SEEK_SET));
	SAY(syscall(SYS_writev, fd, v, 2));
	SAY(syscall(SYS_writev, fd, v, 2));
	SAY(write(local, text, 8000));
	SAY(write(local, text, 8000));
	SAY(copy_file_range(fd, &(off_t){ 0 }, fd, &(off_t){ 10000 }, 10, 0));
	r.rlim_cur = 5000;
	SAY(setrlimit(RLIMIT_FSIZE, &r));
	SAY(pwrite(fd, text, 100, 100));
	SAY(pwrite(fd, text, 100, 4950));
	SAY(pwrite(fd, text, 100, 6000));
	SAY(ftruncate(fd, 9000));
	what("big");
	signal(SIGXFSZ, SIG_IGN);
	SAY(pwrite(fd, text, 100, 6000));
	CHILD(signal(SIGXFSZ, SIG_DFL); SAY(pwrite(fd, text, 100, 6000)));
	CHILD(signal(SIGXFSZ, SIG_DFL); execlp("sh", "sh", "-c", "head -c 9000 /dev/zero >from_sh; echo $?", NULL));
	what("from_sh");
}

static void names(void)
{
	static char path[2 * PATH_MAX];
	char name[40];
	int n = 0;

	memset(path, 'n', 255);
	path[255] = 0;
	close((int)TRY(open(path, O_CREAT | O_RDWR, 0600)));
	SAY(unlink(path));
	strcpy(path + 255, "n");
	SAY(mkdir(path, 0755));
	SAY(symlink("x", path));
	SAY(rename("f", path));
	SAY(access(path, F_OK));
	/* as long as a path may be, with room for the end */
	for (size_t i = 0; i < PATH_MAX - 2; i += 2)
		memcpy(path + i, "./", 2);
	strcpy(path + PATH_MAX - 2, "f");
	SAY(access(path, F_OK));
	strcpy(path + PATH_MAX - 2, "/f");
	SAY(access(path, F_OK));
	SAY(open(path, O_RDONLY));
	SAY(chdir(path));
	SAY(symlink(path, "to_long"));
	/* links to links */
	SAY(symlink("f", "l0"));
	for (n = 1; n < 45; n++) {
		char to[40];

		snprintf(name, sizeof name, "l%d", n);
		snprintf(to, sizeof to, "l%d", n - 1);
		symlink(to, name);
		if (access(name, F_OK))
			break;
	}
	say("%d links: %s", n, strerrorname_np(errno));
	close((int)TRY(open("l39", O_RDONLY)));
	close((int)TRY(open("l40", O_RDONLY)));
	close((int)TRY(open("l40", O_PATH | O_NOFOLLOW)));
	SAY(symlink(".", "dot"));
	SAY(access("dot/dot/dot/dot/dot/dot/dot/dot/dot/dot/dot/dot/dot/dot/dot/dot/dot/dot/dot/dot/dot/dot/dot/dot/f",
		   F_OK));
	/* deeper than any path reaches */
	for (n = 0; n < 30; n++) {
		memset(path, 'a' + n % 26, 200);
		path[200] = 0;
		if (mkdir(path, 0755) || chdir(path))
			break;
	}
	say("%d deep", n);
	close(make("down", "there"));
	contents("down");
	SAY(getcwd(path, sizeof path) != NULL);
	SAY(getcwd(path, PATH_MAX) != NULL);
	CHILD(execlp("sh", "sh", "-c", "cat down; test -e ../../../f || echo no", NULL));
	for (; n > 0; n--)
		chdir("..");
	SAY(access("f", F_OK));
}

/* What makes no descriptor needs no number for one; and one number is enough to start a program. */
static void no_number_left(bool hard)
{
	struct sockaddr_un s = { .sun_family = AF_UNIX, .sun_path = "sock" },
			   other = { .sun_family = AF_UNIX, .sun_path = "other" };
	int listener = socket(AF_UNIX, SOCK_STREAM, 0), to = socket(AF_UNIX, SOCK_STREAM, 0),
	    letters = socket(AF_UNIX, SOCK_DGRAM, 0);
	int named = socket(AF_UNIX, SOCK_STREAM, 0), watcher = inotify_init(), fd = open("f", O_RDONLY);
	struct rlimit r = { 64, hard ? 64 : 4096 };

	SAY(bind(listener, (struct sockaddr *)&s, sizeof s));
	SAY(listen(listener, 9));
	SAY(setrlimit(RLIMIT_NOFILE, &r));
	while (dup(fd) >= 0)
		;
	SAY(connect(to, (struct sockaddr *)&s, sizeof s));
	SAY(sendto(letters, "x", 1, 0, (struct sockaddr *)&s, sizeof s));
	SAY(bind(named, (struct sockaddr *)&other, sizeof other));
	SAY(inotify_add_watch(watcher, "f", IN_ALL_EVENTS));
	SAY(inotify_add_watch(watcher, ".", IN_ALL_EVENTS));
	SAY(mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0) != MAP_FAILED);
	SAY(setxattr("f", "user.x", "y", 1, 0));
	SAY(fcntl(fd, F_SETLEASE, F_RDLCK));
	SAY(fcntl(fd, F_SETLEASE, F_UNLCK));
	SAY(unlink("sock"));
	SAY(unlink("other"));
	close(40);
	CHILD(execl("/bin/true", "true", NULL));
	for (int i = 41; i < 50; i++)
		close(i);
	CHILD(execl("./program", "program", NULL));
}

int main(int argc, char **argv)
{
	posix_begin(argc, argv);
	close(make("f", "text\n"));
	close(make("program", "#!/bin/sh\nread line <f\necho $line\n"));
	chmod("program", 0755);
	part("no number left");
	CHILD(no_number_left(false));
	CHILD(no_number_left(true));
	part("descriptors");
	CHILD(descriptors());
	part("sizes");
	CHILD(sizes());
	part("names");
	names();
	return 0;
}
