/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * h_manual.c - what farcall(7) says is refused, with the errno it says, in that page's order, where no other test has it. Natively none of it is refused
 * so. DIR native|remote LOCAL: LOCAL is a directory on this machine. t_manual.sh runs it where files are handed over, and where not (FC_NOMAP).
 */
#include "e2e.h"

#include <linux/aio_abi.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <sched.h>
#include <sys/fanotify.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#define PAGE 4096
#define MIB (1l << 20)

static const char *local_dir;
static bool nomap;

static const char *in_local(const char *name)
{
	static char path[4][1024];
	static int n;

	n = (n + 1) % 4;
	snprintf(path[n], sizeof path[n], "%s/%s", local_dir, name);
	return path[n];
}

static int make_local(const char *name, const char *text)
{
	int fd = open(in_local(name), O_RDWR | O_CREAT | O_TRUNC, 0644);

	CHECK(fd >= 0);
	EQUAL(write(fd, text, strlen(text)), strlen(text));
	return fd;
}

static void is_text(int fd, const char *text)
{
	char back[64] = { 0 };

	EQUAL(pread(fd, back, sizeof back - 1, 0), strlen(text));
	CHECK(!strcmp(back, text));
}

/* What a child finds: its failures are ours. */
#define CHILD(...)                           \
	do {                                 \
		pid_t pid_ = fork();         \
		if (pid_ == 0) {             \
			e2e_failures = 0;    \
			__VA_ARGS__;         \
			_exit(e2e_status()); \
		}                            \
		EQUAL(wait_status(pid_), 0); \
	} while (0)

/* ---- What is remote ---- */

static void crossing(void)
{
	int near = make_local("near", "of here"), far = open(in_dir("f"), O_RDWR), to;

	close(make_local("near2", ""));
	make_file("far2", "", 0);
	REFUSED(rename(in_local("near2"), in_dir("moved")), EXDEV);
	REFUSED(rename(in_dir("far2"), in_local("moved")), EXDEV);
	REFUSED(link(in_local("near"), in_dir("linked")), EXDEV);
	REFUSED(link(in_dir("f"), in_local("linked")), EXDEV);
	to = make_local("copy", "");
	EQUAL(copy_file_range(far, &(off_t){ 0 }, to, NULL, 7, 0), 7);
	EQUAL(sendfile(to, far, &(off_t){ 0 }, 7), 7);
	is_text(to, "contentcontent");
	close(to);
	to = open(in_dir("copy"), O_RDWR | O_CREAT | O_TRUNC, 0644);
	EQUAL(copy_file_range(near, &(off_t){ 0 }, to, NULL, 7, 0), 7);
	EQUAL(sendfile(to, near, &(off_t){ 0 }, 7), 7);
	is_text(to, "of hereof here");
	close(to);
	close(near);
	close(far);
}

static void commands(void)
{
	int fd = open(in_dir("f"), O_RDWR);
	char label[FSLABEL_MAX];
	long size;

	EQUAL(ioctl(fd, FIOQSIZE, &size), 0);
	EQUAL(ioctl(fd, FIGETBSZ, &size), 0);
	if (e2e_remote) {
		FAILS(ioctl(fd, FS_IOC_GETFSLABEL, label), ENOTTY);
		FAILS(ioctl(fd, FIFREEZE, 0), ENOTTY);
		FAILS(ioctl(fd, _IO('f', 99), 0), ENOTTY);
	}
	close(fd);
}

static void devices(void)
{
	if (geteuid() != 0)
		return;
	EQUAL(mknod(in_dir("null"), S_IFCHR | 0666, makedev(1, 3)), 0);
	if (e2e_remote)
		FAILS(open(in_dir("null"), O_RDWR), EACCES);
	EQUAL(unlink(in_dir("null")), 0);
}

/* ---- What cannot be remote ---- */

static void given(void)
{
	int pair[2], fd = open(in_dir("f"), O_RDWR), got = -1;
	char control[CMSG_SPACE(sizeof fd)] = { 0 }, c = 'x';
	struct iovec v = { &c, 1 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control };
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);

	EQUAL(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = CMSG_LEN(sizeof fd);
	memcpy(CMSG_DATA(h), &fd, sizeof fd);
	if (nomap) {
		FAILS(sendmsg(pair[0], &m, 0), EOPNOTSUPP);
	} else {
		EQUAL(sendmsg(pair[0], &m, 0), 1);
		EQUAL(recvmsg(pair[1], &m, 0), 1);
		memcpy(&got, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof got);
		if (geteuid() == 0) /* others may not, with older kernels */
			REFUSED(linkat(got, "", AT_FDCWD, in_dir("given"), AT_EMPTY_PATH), EXDEV);
		unlink(in_dir("given"));
		close(got);
	}
	close(pair[0]);
	close(pair[1]);
	close(fd);
}

static void watched(void)
{
	int all = fanotify_init(FAN_CLASS_NOTIF, O_RDONLY), directory = open(in_dir("."), O_RDONLY | O_DIRECTORY);

	if (all >= 0) { /* root's */
		REFUSED(fanotify_mark(all, FAN_MARK_ADD, FAN_OPEN, AT_FDCWD, in_dir("f")), EOPNOTSUPP);
		REFUSED(fanotify_mark(all, FAN_MARK_ADD, FAN_OPEN | FAN_EVENT_ON_CHILD, directory, NULL), EOPNOTSUPP);
		close(all);
	}
	if (e2e_remote)
		FAILS(fcntl(directory, F_NOTIFY, DN_CREATE), EINVAL);
	close(directory);
}

/* Of what is not handed over. */
static void attributes(void)
{
	static const unsigned char able[] = {
		0, 0, 0, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
	}; /* a cap_chown=p of version 2 */
	char back[64];

	if (geteuid() != 0)
		return;
	EQUAL(symlink("f", in_dir("l")), 0);
	REFUSED(setxattr(in_dir("."), "trusted.x", "1", 1, 0), EPERM);
	REFUSED(lsetxattr(in_dir("l"), "trusted.x", "1", 1, 0), EPERM);
	EQUAL(unlink(in_dir("l")), 0);
	if (nomap)
		FAILS(setxattr(in_dir("f"), "trusted.x", "1", 1, 0), EPERM);
	else
		EQUAL(setxattr(in_dir("f"), "trusted.x", "1", 1, 0), 0);
	EQUAL(setxattr(in_dir("f"), "security.capability", able, sizeof able, 0), 0);
	EQUAL(getxattr(in_dir("f"), "security.capability", back, sizeof back), sizeof able);
	EQUAL(removexattr(in_dir("f"), "security.capability"), 0);
}

/* There, and for directories, an owner is a process' own. */
static void owned(const char *name)
{
	int fd = open(in_dir(name), O_RDONLY), status;
	pid_t child;

	EQUAL(fcntl(fd, F_SETOWN, getpid()), 0);
	child = fork();
	if (!child) {
		EQUAL(fcntl(fd, F_SETOWN, getpid()), 0);
		_exit(e2e_status());
	}
	status = wait_status(child);
	EQUAL(status, 0);
	EQUAL(fcntl(fd, F_GETOWN), e2e_remote ? getpid() : 0); /* natively it is the dead one */
	close(fd);
}

/* ---- clone ---- */

static struct {
	int file, directory;
	volatile int step;
	int moved, changed;
	mode_t mode;
} * both;
static char stack[65536] __attribute__((aligned(64)));

static void step(int to)
{
	both->step = to;
}

static void until(int step)
{
	for (int i = 0; i < 5000 && both->step < step; i++)
		sleep_ms(1);
	CHECK(both->step >= step);
}

static mode_t mode_of_new(const char *name)
{
	struct stat st = { 0 };
	int fd = open(in_dir(name), O_RDWR | O_CREAT | O_EXCL, 0666);

	CHECK(fd >= 0);
	fstat(fd, &st);
	close(fd);
	unlink(in_dir(name));
	return st.st_mode & 0777;
}

static int sharing(void *arg)
{
	(void)arg;
	both->moved = chdir(in_dir("d")) ? errno : 0;
	both->changed = fchdir(both->directory) ? errno : 0;
	umask(077);
	step(1);
	until(2);
	return 0;
}

/* One of the two without the other; `files`: descriptors. */
static void shared(bool files)
{
	int expect = e2e_remote ? EOPNOTSUPP : 0;
	pid_t pid;

	EQUAL(chdir(e2e_dir), 0);
	umask(022);
	both->step = 0;
	pid = clone(sharing, stack + sizeof stack, (files ? CLONE_FILES : CLONE_FS) | SIGCHLD, NULL);
	CHECK(pid > 0);
	until(1);
	EQUAL(both->moved, expect);
	EQUAL(both->changed, expect);
	if (e2e_remote) {
		FAILS(chdir(in_dir("d")), EOPNOTSUPP);
		FAILS(chdir("/"), EOPNOTSUPP);
		FAILS(fchdir(both->directory), EOPNOTSUPP);
	}
	EQUAL(mode_of_new("mode"), (e2e_remote ? files : !files) ? 0600 : 0644);
	step(2);
	EQUAL(wait_status(pid), 0);
	EQUAL(chdir(in_dir("d")), 0);
	umask(022);
}

static int nothing(void *arg)
{
	(void)arg;
	return 0;
}

static void *waits(void *arg)
{
	until(1);
	return arg;
}

static void beside_threads(void)
{
	pthread_t thread;
	pid_t pid;

	step(0);
	pthread_create(&thread, NULL, waits, NULL);
	REFUSED(pid = clone(nothing, stack + sizeof stack, CLONE_FILES | SIGCHLD, NULL), EOPNOTSUPP);
	if (pid > 0)
		waitpid(pid, NULL, 0);
	step(1);
	pthread_join(thread, NULL);
}

static int outlives(void *arg)
{
	char c;

	(void)arg;
	until(1);
	sleep_ms(50);
	both->moved = pread(both->file, &c, 1, 0) < 0 ? errno : 0;
	step(2);
	return 0;
}

static void outlived(void)
{
	int status;
	pid_t first;

	step(0);
	first = fork();
	if (!first) {
		both->file = open(in_dir("f"), O_RDONLY);
		_exit(clone(outlives, stack + sizeof stack, CLONE_FILES | SIGCHLD, NULL) < 0);
	}
	status = wait_status(first);
	EQUAL(status, 0);
	step(1);
	until(2);
	EQUAL(both->moved, e2e_remote ? EIO : 0);
}

static void clones(void)
{
	both = mmap(NULL, sizeof *both, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	both->directory = open(in_dir("d"), O_RDONLY | O_DIRECTORY);
	shared(true);
	shared(false);
	EQUAL(chdir("/"), 0);
	beside_threads();
	outlived();
	close(both->directory);
}

/* ---- /proc ---- */

static int lines_of(int fd, char text[2000])
{
	ssize_t n = pread(fd, text, 1999, 0);

	text[n > 0 ? n : 0] = 0;
	return strstr(text, "pos:") != NULL;
}

static void informed(void)
{
	char path[64], text[2000];
	struct flock lock = { .l_type = F_WRLCK };
	struct stat st;
	int fd = open(in_dir("f"), O_RDWR), info;

	EQUAL(fcntl(fd, F_SETLK, &lock), 0);
	snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
	info = open(path, O_RDONLY);
	EQUAL(lines_of(info, text), 1);
	EQUAL(strstr(text, "lock:") != NULL, !e2e_remote);
	EQUAL(lseek(fd, 5, SEEK_SET), 5);
	EQUAL(lines_of(info, text), 1);
	CHECK(strstr(text, e2e_remote ? "pos:\t0" : "pos:\t5"));
	close(info);
	/* how it is open, by another's name of it */
	snprintf(path, sizeof path, "/proc/%d/fd/%d", getpid(), fd);
	CHILD(EQUAL(lstat(path, &st), 0); if (!e2e_remote) EQUAL(st.st_mode & 0777, 0700));
	close(fd);
}

/* ---- paths ---- */

static void from_above(void)
{
	const char *below = e2e_dir + strlen(local_dir) + 1;
	struct open_how how = { .flags = O_RDONLY };
	int above = open(local_dir, O_RDONLY | O_DIRECTORY), fd;
	char path[300];

	close(make_local("beside", ""));
	snprintf(path, sizeof path, "/%s/f", below);
	how.resolve = RESOLVE_BENEATH;
	REFUSED(syscall(SYS_openat2, above, path + 1, &how, sizeof how), EXDEV);
	how.resolve = RESOLVE_IN_ROOT;
	REFUSED(syscall(SYS_openat2, above, path, &how, sizeof how), ENOENT);
	fd = (int)syscall(SYS_openat2, above, path + 1, &how, sizeof how);
	is_text(fd, "content");
	close(fd);
	/* out of it again */
	EQUAL(symlink("/beside", in_dir("out")), 0);
	snprintf(path, sizeof path, "%s/out", below);
	REFUSED(syscall(SYS_openat2, above, path, &how, sizeof how), ENOENT);
	snprintf(path, sizeof path, "%s/../beside", below);
	REFUSED(syscall(SYS_openat2, above, path, &how, sizeof how), ENOENT);
	close(above);
}

/* ---- Shared mappings ---- */

static char *map(int fd, size_t length, off_t at)
{
	return mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, at);
}

static void mappings(void)
{
	int fd = open(in_dir("m"), O_RDWR | O_CREAT, 0644), again, reads, n;
	char *p, *q, *m[66];

	EQUAL(ftruncate(fd, 4 * PAGE), 0);
	p = map(fd, 2 * PAGE, 0);
	CHECK(p != MAP_FAILED);
	if (e2e_remote) {
		FAILS(madvise(p, PAGE, MADV_REMOVE), EPERM);
		FAILS(map(fd, 256 * MIB + PAGE, 0), ENOMEM);
	}
	/* another part of what overlaps */
	again = open(in_dir("m"), O_RDWR);
	CHECK(again >= 0);
	q = map(again, PAGE, PAGE);
	CHECK(q != MAP_FAILED);
	REFUSED(map(again, 2 * PAGE, PAGE), ENODEV);
	/* behind the end */
	EQUAL(ftruncate(fd, PAGE), 0);
	if (e2e_remote)
		EQUAL(p[PAGE], 0);
	p[PAGE - 1] = 'x';
	EQUAL(munmap(q, PAGE), 0);
	EQUAL(munmap(p, 2 * PAGE), 0);
	close(again);
	close(fd);
	/* who has it open to write, and who only reads */
	reads = open(in_dir("m"), O_RDONLY);
	fd = open(in_dir("m"), O_RDWR);
	REFUSED(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, reads, 0), ENODEV);
	REFUSED(map(fd, PAGE, 0), ENODEV);
	close(fd);
	again = open(in_dir("m"), O_RDONLY);
	p = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, reads, 0);
	CHECK(p != MAP_FAILED);
	munmap(p, PAGE);
	close(again);
	close(reads);
	/* 64 of them */
	fd = open(in_dir("m"), O_RDWR);
	EQUAL(ftruncate(fd, 66l * PAGE), 0);
	for (n = 0; n < 66; n++)
		if ((m[n] = map(fd, PAGE, (off_t)n * PAGE)) == MAP_FAILED)
			break;
	EQUAL(n, e2e_remote ? 64 : 66);
	while (n)
		munmap(m[--n], PAGE);
	close(fd);
}

/* ---- Asynchronous I/O ---- */

/* With no /dev/zero to be had. */
static void asynchronous(void)
{
	aio_context_t context = 0;
	char c;
	int fd = open(in_dir("f"), O_RDONLY);
	struct iocb io = { .aio_lio_opcode = IOCB_CMD_PREAD,
			   .aio_fildes = (uint32_t)fd,
			   .aio_buf = (uintptr_t)&c,
			   .aio_nbytes = 1 },
		    *list = &io;

	if (chroot(local_dir) < 0) /* root's */
		return;
	EQUAL(syscall(SYS_io_setup, 4, &context), 0);
	REFUSED(syscall(SYS_io_submit, context, 1, &list), EINVAL);
	EQUAL(syscall(SYS_io_destroy, context), 0);
}

int main(int argc, char **argv)
{
	e2e_init(argc, argv);
	nomap = e2e_remote && getenv("FC_NOMAP");
	local_dir = argc > 3 ? argv[3] : "/tmp";
	make_file("f", "content", 7);
	EQUAL(mkdir(in_dir("d"), 0755), 0);
	CHILD(crossing());
	CHILD(commands());
	CHILD(devices());
	CHILD(given());
	CHILD(watched());
	CHILD(attributes());
	CHILD(owned("d"));
	if (nomap)
		CHILD(owned("f"));
	CHILD(clones());
	CHILD(informed());
	CHILD(from_above());
	if (nomap || !e2e_remote)
		CHILD(mappings());
	CHILD(asynchronous());
	return e2e_status();
}
