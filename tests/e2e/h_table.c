/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * h_table.c - calls that no domain runs, given something remote: answered as natively where a file is a file, else refused as their
 * rows in local.def say. And descriptors with O_PATH, whose placeholders the kernel must take for such.
 */
#include "e2e.h"

#include <linux/fs.h>
#include <linux/openat2.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include "farcall/numbers.h"

static int file, path_only, directory;

static long test_openat2(int dir, const char *path, uint64_t flags, uint64_t resolve)
{
	struct open_how how = { flags, 0, resolve };

	return syscall(SYS_openat2, dir, path, &how, sizeof how);
}

/* ---- O_PATH ---- */

static void is_path_only(int fd)
{
	struct epoll_event event = { EPOLLIN, { 0 } };
	struct pollfd p = { fd, POLLIN, 0 };
	int e = epoll_create1(0);
	fd_set set;

	EQUAL(poll(&p, 1, 0), 1);
	EQUAL(p.revents, POLLNVAL);
	FD_ZERO(&set);
	FD_SET(fd, &set);
	EQUAL(select(fd + 1, &set, NULL, NULL, NULL), 1);
	FAILS(epoll_ctl(e, EPOLL_CTL_ADD, fd, &event), EBADF);
	FAILS(send(fd, "x", 1, 0), EBADF);
	FAILS(read(fd, &event, 1), EBADF);
	FAILS(tee(fd, fd, 1, 0), EBADF);
	CHECK(fcntl(fd, F_GETFL) & O_PATH);
	close(e);
}

static void path_descriptors(void)
{
	struct epoll_event event = { EPOLLIN, { 0 } };
	int e = epoll_create1(0), copy;
	struct pollfd p = { file, POLLIN | POLLOUT, 0 };

	is_path_only(path_only);
	is_path_only(copy = dup(path_only));
	EQUAL(dup2(path_only, 50), 50);
	is_path_only(50);
	EQUAL(close(copy), 0);
	CHECK((copy = fcntl(path_only, F_DUPFD_CLOEXEC, 60)) >= 60);
	is_path_only(copy);
	EQUAL(fcntl(copy, F_GETFD), FD_CLOEXEC);
	EQUAL(close(copy), 0);
	EQUAL(close(50), 0);
	copy = (int)test_openat2(directory, "f", O_PATH | O_CLOEXEC, 0);
	is_path_only(copy);
	EQUAL(fcntl(copy, F_GETFD), FD_CLOEXEC);
	EQUAL(close(copy), 0);
	/* and others are not */
	EQUAL(poll(&p, 1, 0), 1);
	EQUAL(p.revents, POLLIN | POLLOUT);
	FAILS(epoll_ctl(e, EPOLL_CTL_ADD, file, &event), EPERM);
	FAILS(epoll_ctl(file, EPOLL_CTL_ADD, e, &event), EINVAL);
	FAILS(send(file, "x", 1, 0), ENOTSOCK);
	close(e);
}

/* ---- messages ---- */

static long pass(int socket, const int *fds, int n, bool many)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(8 * sizeof(int))];
	} control = { .room = { 0 } };
	struct iovec iov = { "m", 1 };
	struct mmsghdr m[2] = { { .msg_hdr = { .msg_iov = &iov, .msg_iovlen = 1 } } };

	m[1].msg_hdr = (struct msghdr){ .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control };
	m[1].msg_hdr.msg_controllen = CMSG_SPACE((size_t)n * sizeof(int));
	control.header.cmsg_len = CMSG_LEN((size_t)n * sizeof(int));
	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_RIGHTS;
	memcpy(CMSG_DATA(&control.header), fds, (size_t)n * sizeof(int));
	return many ? sendmmsg(socket, m, 2, 0) : sendmsg(socket, &m[1].msg_hdr, 0);
}

static void messages(void)
{
	const int remote[] = { 0, 1, file }, local[] = { 0, 1 };
	int s[2];
	char c[8];

	EQUAL(socketpair(AF_UNIX, SOCK_STREAM, 0, s), 0);
	EQUAL(pass(s[0], local, 2, false), 1);
	REFUSED(pass(s[0], remote, 3, false), EOPNOTSUPP);
	EQUAL(pass(s[0], remote, 3, true), e2e_remote ? 1 : 2);
	EQUAL(recv(s[1], c, sizeof c, MSG_DONTWAIT), 1); /* one with descriptors is never joined to the next */
	close(s[0]);
	close(s[1]);
}

static void addresses(void)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX }, abstract = { .sun_family = AF_UNIX };
	int listener = socket(AF_UNIX, SOCK_STREAM, 0), s = socket(AF_UNIX, SOCK_STREAM, 0),
	    d = socket(AF_UNIX, SOCK_DGRAM, 0);
	struct iovec iov = { "m", 1 };
	struct msghdr m = { .msg_name = &un, .msg_namelen = sizeof un, .msg_iov = &iov, .msg_iovlen = 1 };

	snprintf(un.sun_path, sizeof un.sun_path, "socket");
	FAILS(connect(s, (void *)&un, sizeof un), ENOENT);
	EQUAL(bind(listener, (void *)&un, sizeof un), 0); /* relative, in a remote directory */
	EQUAL(listen(listener, 1), 0);
	EQUAL(connect(s, (void *)&un, sizeof un), 0);
	FAILS(sendto(d, "x", 1, 0, (void *)&un, sizeof un), EPROTOTYPE);
	FAILS(sendmsg(d, &m, 0), EPROTOTYPE);
	FAILS(bind(file, (void *)&un, sizeof un), ENOTSOCK);
	snprintf(abstract.sun_path + 1, 40, "farcall-test-%d", getpid());
	EQUAL(bind(d, (void *)&abstract, sizeof abstract), 0);
	FAILS(access("socket-none", F_OK), ENOENT);
	EQUAL(access("socket", F_OK), 0);
	close(listener);
	close(s);
	close(d);
}

/* ---- descriptors in structures ---- */

static void structures(void)
{
	int local = open("/tmp", O_TMPFILE | O_RDWR, 0600), self = (int)syscall(SYS_pidfd_open, getpid(), 0),
	    other = dup(file), fd;
	int separate = open(in_dir("f"), O_RDWR);

	if (syscall(SYS_kcmp, getpid(), getpid(), 0, local, local) == 0) {
		EQUAL(syscall(SYS_kcmp, getpid(), getpid(), 0, file, file), 0);
		if (e2e_remote)
			FAILS(syscall(SYS_kcmp, getpid(), getpid(), 0, file, separate), ENOSYS);
		else
			CHECK(syscall(SYS_kcmp, getpid(), getpid(), 0, file, separate) > 0);
	}
	if ((fd = (int)syscall(SYS_pidfd_getfd, self, local, 0)) >= 0) {
		close(fd);
		CHECK((fd = (int)syscall(SYS_pidfd_getfd, self, file, 0)) >= 0);
		close(fd);
	}
	long rules = syscall(SYS_landlock_create_ruleset, &(uint64_t){ 1 }, sizeof(uint64_t), 0);
	if (rules >= 0) {
		struct __attribute__((packed)) {
			uint64_t allowed;
			int32_t parent;
		} beneath = { 1, directory };

		REFUSED(syscall(SYS_landlock_add_rule, rules, 1, &beneath, 0), EBADFD);
		close((int)rules);
	}
	close(separate);
	close(other);
	close(local);
	close(self);
}

/* ---- paths and directories ---- */

/* What is wrong before anybody asks for a handle. */
static void handles(void)
{
	struct {
		struct file_handle h;
		char room[128];
	} handle = { .h = { .handle_bytes = 128 } }, same = handle;
	int id, r;

	FAILS(name_to_handle_at(AT_FDCWD, in_dir("none"), &handle.h, &id, 0), ENOENT);
	FAILS(name_to_handle_at(directory, "f/x", &handle.h, &id, 0), ENOTDIR);
	FAILS(name_to_handle_at(directory, "", &handle.h, &id, 0), ENOENT);
	FAILS(name_to_handle_at(directory, NULL, &handle.h, &id, 0), EFAULT);
	FAILS(name_to_handle_at(AT_FDCWD, in_dir("none"), &handle.h, &id, 0x40000), EINVAL);
	FAILS(name_to_handle_at(file, "x", &handle.h, &id, 0), ENOTDIR);
	REFUSED(name_to_handle_at(file, "", &handle.h, &id, AT_EMPTY_PATH), EOPNOTSUPP);
	REFUSED(name_to_handle_at(AT_FDCWD, "", &handle.h, &id, AT_EMPTY_PATH), EOPNOTSUPP);
	/* a link out of the domain */
	EQUAL(symlink("/etc/passwd", in_dir("passwd")), 0);
	r = name_to_handle_at(AT_FDCWD, "/etc/passwd", &same.h, &id, 0);
	handle.h.handle_bytes = 128;
	EQUAL(name_to_handle_at(AT_FDCWD, in_dir("passwd"), &handle.h, &id, AT_SYMLINK_FOLLOW), r);
	CHECK(r || !memcmp(&handle, &same, sizeof handle.h + handle.h.handle_bytes));
	handle.h.handle_bytes = 128;
	REFUSED(name_to_handle_at(AT_FDCWD, in_dir("passwd"), &handle.h, &id, 0), EOPNOTSUPP);
	EQUAL(unlink(in_dir("passwd")), 0);
}

static void paths(void)
{
	struct {
		struct file_handle h;
		char room[128];
	} handle = { .h = { .handle_bytes = 128 } };
	int mount_id, p[2], i = inotify_init1(0);
	loff_t at = 0;

	REFUSED(name_to_handle_at(AT_FDCWD, "f", &handle.h, &mount_id, 0), EOPNOTSUPP);
	handles();
	if (e2e_remote) {
		handle.h = (struct file_handle){ .handle_bytes = 8, .handle_type = 1 };
		FAILS(open_by_handle_at(directory, &handle.h, O_RDONLY), ESTALE);
		FAILS(open_by_handle_at(AT_FDCWD, &handle.h, O_RDONLY), ESTALE);
		FAILS(syscall(SYS_mount, "none", ".", "tmpfs", 0, NULL),
		      EPERM); /* or the placeholder would be mounted on */
		FAILS(syscall(SYS_umount2, in_dir("d"), 0), EPERM);
		FAILS(syscall(SYS_chroot, "d"), EPERM);
		FAILS(syscall(SYS_quotactl, 0, in_dir("f"), 0, NULL), ENOTBLK);
		FAILS(syscall(SYS_fspick, directory, "", 8), EPERM);
		FAILS(syscall(SYS_mount_setattr, directory, "", 0x1000, NULL, 0), EPERM);
		FAILS(syscall(SYS_move_mount, AT_FDCWD, "/", directory, "d", 0), EPERM);
		FAILS(syscall(SYS_open_tree, directory, "f", 1 /* OPEN_TREE_CLONE */), EPERM);
	}
	REFUSED(inotify_add_watch(i, "d", IN_CREATE), ENOSYS);
	REFUSED(inotify_add_watch(i, in_dir("."), IN_CREATE), ENOSYS);
	EQUAL(pipe(p), 0);
	CHECK(splice(file, &at, p[1], NULL, 1, SPLICE_F_NONBLOCK) >= 0);
	FAILS(splice(-1, NULL, file, NULL, 1, 0), EBADF);
	FAILS(tee(file, p[1], 1, 0), EINVAL);
	FAILS(vmsplice(file, &(struct iovec){ "x", 1 }, 1, 0), EBADF);
	FAILS(syscall(SYS_setns, file, 0), EINVAL);
	close(p[0]);
	close(p[1]);
	close(i);
}

static void open_trees(void)
{
	int fd = (int)syscall(SYS_open_tree, directory, "f", O_CLOEXEC), link;
	struct stat st;

	if (fd < 0 && errno == ENOSYS)
		return;
	is_path_only(fd);
	EQUAL(fcntl(fd, F_GETFD), FD_CLOEXEC);
	CHECK(fstat(fd, &st) == 0 && S_ISREG(st.st_mode));
	close(fd);
	fd = (int)syscall(SYS_open_tree, file, "", AT_EMPTY_PATH);
	is_path_only(fd);
	close(fd);
	link = (int)syscall(SYS_open_tree, AT_FDCWD, in_dir("link"), AT_SYMLINK_NOFOLLOW);
	CHECK(fstat(link, &st) == 0 && S_ISLNK(st.st_mode));
	close(link);
	FAILS(syscall(SYS_open_tree, directory, "f", 0x40000000), EINVAL);
	FAILS(syscall(SYS_open_tree, directory, "nothing", 0), ENOENT);
}

static void roots(void)
{
	int fd = (int)test_openat2(directory, "/d/g", O_RDONLY, RESOLVE_IN_ROOT);
	char c = 0, link[40];

	CHECK(fd >= 0);
	EQUAL(read(fd, &c, 1), 1);
	EQUAL(c, 'g');
	close(fd);
	fd = (int)test_openat2(AT_FDCWD, "/d/../../d/g", O_RDONLY, RESOLVE_IN_ROOT);
	CHECK(fd >= 0);
	close(fd);
	FAILS(test_openat2(directory, in_dir("f"), O_RDONLY, RESOLVE_IN_ROOT), ENOENT);
	FAILS(test_openat2(directory, "/proc/self/fd/0", O_RDONLY, RESOLVE_IN_ROOT), ENOENT);
	FAILS(test_openat2(directory, "/d/g", O_RDONLY, RESOLVE_BENEATH), EXDEV);
	/* through a magic link; from a local directory into a mount */
	snprintf(link, sizeof link, "/proc/self/fd/%d/f", directory);
	FAILS(test_openat2(AT_FDCWD, link, O_RDONLY, RESOLVE_BENEATH), EXDEV);
	FAILS(test_openat2(AT_FDCWD, link, O_RDONLY, RESOLVE_NO_XDEV), EXDEV);
	FAILS(test_openat2(AT_FDCWD, link, O_RDONLY, RESOLVE_NO_SYMLINKS), ELOOP);
	FAILS(test_openat2(AT_FDCWD, link, O_RDONLY, RESOLVE_NO_MAGICLINKS), ELOOP);
	close(fd = (int)test_openat2(directory, "f", O_RDONLY, RESOLVE_NO_XDEV | RESOLVE_BENEATH));
	CHECK(fd >= 0);
	fd = (int)test_openat2(AT_FDCWD, in_dir("f"), O_RDONLY, RESOLVE_NO_XDEV);
	CHECK(e2e_remote ? fd < 0 && errno == EXDEV : true);
	close(fd);
	fd = open("/", O_RDONLY | O_DIRECTORY); /* a local root is the local kernel's */
	FAILS(test_openat2(fd, "/nothing/here", O_RDONLY, RESOLVE_IN_ROOT), ENOENT);
	close(fd);
}

/* ---- getdents ---- */

static void old_entries(void)
{
	struct old {
		unsigned long inode, offset;
		unsigned short length;
		char name[];
	} * e;
	static char buffer[32768], again[32768];
	int fd = open(in_dir("d"), O_RDONLY | O_DIRECTORY), seen = 0;
	bool names[41] = { false };
	long n, newer;

	while ((n = syscall(SYS_getdents, fd, buffer, 500)) > 0) {
		for (long at = 0; at < n; at += e->length) {
			struct stat st;

			e = (struct old *)(buffer + at);
			CHECK(e->length > 18 && at + e->length <= n);
			CHECK(fstatat(fd, e->name, &st, AT_SYMLINK_NOFOLLOW) == 0);
			if (strcmp(e->name, "..") != 0)
				EQUAL(st.st_ino, e->inode);
			EQUAL(buffer[at + e->length - 1], st.st_mode >> 12);
			if (e->name[0] == 'n')
				names[atoi(e->name + 1)] = true;
			seen++;
		}
	}
	EQUAL(n, 0);
	EQUAL(seen, 43);
	for (int i = 0; i < 40; i++)
		CHECK(names[i]);
	lseek(fd, 0, SEEK_SET);
	n = syscall(SYS_getdents, fd, buffer, sizeof buffer);
	lseek(fd, 0, SEEK_SET);
	newer = syscall(SYS_getdents64, fd, again, sizeof again);
	EQUAL(n, newer);
	lseek(fd, 0, SEEK_SET);
	FAILS(syscall(SYS_getdents, fd, buffer, 10), EINVAL);
	FAILS(syscall(SYS_getdents, fd, 8L, 1000), EFAULT);
	FAILS(syscall(SYS_getdents, file, buffer, sizeof buffer), ENOTDIR);
	FAILS(syscall(SYS_getdents, path_only, buffer, sizeof buffer), EBADF);
	close(fd);
	EQUAL(mkdir(in_dir("gone"), 0755), 0);
	fd = open(in_dir("gone"), O_RDONLY);
	EQUAL(rmdir(in_dir("gone")), 0);
	FAILS(syscall(SYS_getdents, fd, buffer, sizeof buffer), ENOENT);
	close(fd);
}

/* ---- commands ---- */

static void commands(void)
{
	struct {
		struct file_dedupe_range range;
		struct file_dedupe_range_info info[3];
	} d = { .range = { .src_length = 4096, .dest_count = 3 } };
	int on = 1, off = 0, other = open("/dev/null", O_RDWR), size = 0;
	struct stat st;

	EQUAL(ioctl(file, FIONBIO, &on), 0);
	CHECK(fcntl(file, F_GETFL) & O_NONBLOCK);
	EQUAL(ioctl(file, FIONBIO, &off), 0);
	CHECK(!(fcntl(file, F_GETFL) & O_NONBLOCK));
	FAILS(ioctl(file, FIONBIO, 8L), EFAULT);
	FAILS(ioctl(path_only, FIONBIO, &on), EBADF);
	FAILS(ioctl(file, FIOASYNC, &on), ENOTTY);
	EQUAL(ioctl(file, FIOASYNC, &off), 0);
	EQUAL(ioctl(file, FIGETBSZ, &size), 0);
	CHECK(fstat(file, &st) == 0 && st.st_blksize % size == 0);
	if (geteuid() != 0)
		FAILS(ioctl(file, FIBMAP, &off), EPERM);
	FAILS(ioctl(directory, FIBMAP, &off), ENOTTY);
	FAILS(ioctl(path_only, FIBMAP, &off), EBADF);
	EQUAL(fcntl(file, F_SETSIG, SIGUSR1), 0);
	EQUAL(fcntl(file, F_GETSIG), SIGUSR1);
	FAILS(fcntl(file, F_SETSIG, 1000), EINVAL);
	EQUAL(fcntl(file, F_SETSIG, 0), 0);
	EQUAL(fcntl(file, F_SETOWN, getpid()), 0);
	EQUAL(fcntl(file, F_GETOWN), getpid());
	d.info[0].dest_fd = -1;
	d.info[1].dest_fd = other;
	d.info[2].dest_fd = directory;
	if (ioctl(file, FIDEDUPERANGE, &d) == 0) {
		EQUAL(d.info[0].status, -EBADF);
		CHECK(d.info[1].status < 0 && d.info[2].status < 0);
	} else {
		CHECK(errno == EOPNOTSUPP || errno == ENOTTY);
	}
	EQUAL(d.info[1].dest_fd, other);
	d.range.dest_count = 4000;
	FAILS(ioctl(file, FIDEDUPERANGE, &d), ENOMEM);
	close(other);
}

static void vectors(void)
{
	char b[50];
	struct iovec v[3] = { { b, 50 }, { b, 1ul << 62 }, { b, 1ul << 63 } };

	FAILS(preadv(file, v, 3, 0), EINVAL);
	FAILS(preadv(file, v, 2, 0), EFAULT);
}

int main(int argc, char **argv)
{
	char name[40];

	e2e_init(argc, argv);
	make_file("f", "content", 7);
	EQUAL(mkdir(in_dir("d"), 0755), 0);
	make_file("d/g", "g", 1);
	for (int i = 0; i < 40; i++) {
		snprintf(name, sizeof name, "d/n%d%*s", i, i, "");
		EQUAL(i % 2 ? symlink("x", in_dir(name)) : mkdir(in_dir(name), 0755), 0);
	}
	EQUAL(symlink("f", in_dir("link")), 0);
	file = open(in_dir("f"), O_RDWR);
	path_only = open(in_dir("f"), O_PATH);
	directory = open(in_dir("."), O_RDONLY | O_DIRECTORY);
	EQUAL(chdir(in_dir(".")), 0);
	path_descriptors();
	messages();
	addresses();
	structures();
	paths();
	open_trees();
	roots();
	old_entries();
	commands();
	vectors();
	EQUAL(lseek(file, 0, SEEK_CUR), 0);
	return e2e_status();
}
