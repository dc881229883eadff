/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * h_listed.c - what farcall(7) lists and takes more than a call to see. DIR native|remote WHAT [...]; t_manual.sh has what is to come of it:
 *   ticket             a directory in a message, received by io_uring
 *   gibibyte           shared mappings of 1 GiB, and one more (:nomap)
 *   kept               a mapping that the domain keeps, and processes that share memory or descriptors (:nomap)
 *   fence CALL HOW COMMAND...  install a filter that refuses (HOW: errno) or traps a call, and run COMMAND
 *   hold               with a file delegated by reads; DIR/go: somebody cuts it. How it is open is in FC_HOLD: r, or w
 *   cut                open DIR/held to read, cut it; do not wait
 */
#include "e2e.h"

#include <linux/filter.h>
#include <linux/io_uring.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#define MIB (1l << 20)

/* ---- tickets ---- */

static char *ring_map(int ring, size_t n, off_t at)
{
	char *m = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED, ring, at);

	CHECK(m != MAP_FAILED);
	return m;
}

/* recvmsg by a ring. -1: there is none. */
static int ring_receive(int sock, struct msghdr *m)
{
	struct io_uring_params p = { 0 };
	int ring = (int)syscall(SYS_io_uring_setup, 2, &p);

	if (ring < 0)
		return -1;
	char *sq = ring_map(ring, p.sq_off.array + p.sq_entries * 4, IORING_OFF_SQ_RING);
	char *cq = ring_map(ring, p.cq_off.cqes + p.cq_entries * sizeof(struct io_uring_cqe), IORING_OFF_CQ_RING);
	struct io_uring_sqe *e = (void *)ring_map(ring, p.sq_entries * sizeof *e, IORING_OFF_SQES);
	*e = (struct io_uring_sqe){ .opcode = IORING_OP_RECVMSG, .fd = sock, .addr = (uintptr_t)m, .len = 1 };
	*(uint32_t *)(sq + p.sq_off.array) = 0;
	__atomic_store_n((uint32_t *)(sq + p.sq_off.tail), 1, __ATOMIC_RELEASE);
	EQUAL(syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0), 1);
	return ((struct io_uring_cqe *)(cq + p.cq_off.cqes))->res;
}

/* By a ring: what it is. By recvmsg, of the same kind: a directory, wherever it is. */
static void ticket(void)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 }, c = 'x';
	struct iovec v = { &c, 1 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control };
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);
	int pair[2], fd = open(e2e_dir, O_RDONLY | O_DIRECTORY), got;
	struct stat st = { 0 };

	EQUAL(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = CMSG_LEN(sizeof fd);
	memcpy(CMSG_DATA(h), &fd, sizeof fd);
	EQUAL(sendmsg(pair[0], &m, 0), 1);
	EQUAL(sendmsg(pair[0], &m, 0), 1);
	for (int i = 0; i < 2; i++) {
		int r = i ? (int)recvmsg(pair[1], &m, 0) : ring_receive(pair[1], &m);

		if (r < 0) {
			puts("no ring");
			return;
		}
		EQUAL(r, 1);
		memcpy(&got, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof got);
		EQUAL(fstat(got, &st), 0);
		printf("%s\n", S_ISDIR(st.st_mode) ? "directory" : S_ISSOCK(st.st_mode) ? "socket" : "something else");
		if (S_ISSOCK(st.st_mode))
			puts(read(got, &c, 1) > 0 ? "something" : "nothing");
		close(got);
	}
}

/* ---- mappings ---- */

static void gibibyte(void)
{
	char name[16], *m[5];
	int n = 0, fd = -1;

	for (; n < 5; n++) {
		const size_t size = n < 4 ? 256 * MIB : 4096;

		snprintf(name, sizeof name, "large%d", n);
		fd = open(in_dir(name), O_RDWR | O_CREAT | O_TRUNC, 0644);
		EQUAL(unlink(in_dir(name)), 0);
		EQUAL(ftruncate(fd, (off_t)size), 0);
		m[n] = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		if (m[n] == MAP_FAILED) {
			printf("%d: %s\n", n, strerrorname_np(errno));
			break;
		}
	}
	if (n == 5)
		return;
	/* less of them: there is room */
	EQUAL(munmap(m[0], 256 * MIB), 0);
	m[0] = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(m[0] != MAP_FAILED);
}

static char *map_page(int fd)
{
	return mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
}

static pid_t with_descriptors(void)
{
	return (pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, NULL, NULL, NULL, NULL);
}

/* One process' table of them would be about another's. */
static void kept(void)
{
	int fd = open(in_dir("kept"), O_RDWR | O_CREAT | O_TRUNC, 0644);
	char *m, back[3] = { 0 };
	pid_t pid;

	EQUAL(ftruncate(fd, 4096), 0);
	CHECK((m = map_page(fd)) != MAP_FAILED);
	pid = with_descriptors();
	if (!pid) {
		munmap(m, 4096);
		_exit(0);
	}
	if (e2e_remote)
		EQUAL(pid < 0 ? errno : 0, EOPNOTSUPP);
	else
		EQUAL(wait_status(pid), 0);
	memcpy(m, "abc", 3);
	EQUAL(pread(fd, back, 3, 0), 3);
	EQUAL(memcmp(back, "abc", 3), 0);
	pid = vfork();
	if (!pid)
		_exit(map_page(fd) == MAP_FAILED ? errno : 0);
	EQUAL(wait_status(pid) >> 8, e2e_remote ? ENODEV : 0);
	EQUAL(munmap(m, 4096), 0);
	pid = with_descriptors();
	if (!pid)
		_exit(map_page(fd) == MAP_FAILED ? errno : 0);
	EQUAL(wait_status(pid) >> 8, e2e_remote ? ENODEV : 0);
}

/* ---- filters ---- */

static int fence(const char *call, bool trap, char **command)
{
	const bool link = !strcmp(call, "symlink");
	const unsigned nr = !strcmp(call, "openat2") ? SYS_openat2 : SYS_memfd_create;
	struct sock_filter f[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, link ? SYS_symlink : nr, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, link ? SYS_symlinkat : nr, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, trap ? SECCOMP_RET_TRAP : SECCOMP_RET_ERRNO | EXDEV),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog p = { sizeof f / sizeof f[0], f };

	EQUAL(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	EQUAL(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &p), 0);
	execv(command[0], command);
	return 127;
}

/* ---- what is cut without breaking a lease ---- */

static void hold(void)
{
	static char text[20000], back[20000];
	int fd = open(in_dir("held"), getenv("FC_HOLD")[0] == 'w' ? O_RDWR : O_RDONLY);
	off_t length = 0;

	memset(text, 'x', sizeof text);
	for (int i = 0; i < 300; i++) {
		EQUAL(lseek(fd, 0, SEEK_SET), 0);
		EQUAL(read(fd, back, sizeof back), sizeof back);
		EQUAL(pread(fd, back, 100, i), 100);
	}
	CHECK(!memcmp(text, back, sizeof text));
	EQUAL(lseek(fd, 0, SEEK_END), sizeof text);
	EQUAL(lseek(fd, 1000, SEEK_SET), 1000);
	puts("held");
	fflush(stdout);
	/* it is read all the time: what was there, or zeros, or the end */
	while (access(in_dir("go"), F_OK))
		for (int i = 0; i < 100; i++) {
			ssize_t n = pread(fd, back, sizeof back, 0);

			CHECK(n == 0 || n == sizeof back);
			for (ssize_t k = 0; k < n; k++)
				CHECK(back[k] == 'x' || !back[k]);
		}
	/* and when whoever has cut it says so, it is cut */
	EQUAL(pread(fd, back, sizeof back, 0), 0);
	EQUAL(read(fd, back, 10), 0);
	EQUAL(lseek(fd, 0, SEEK_CUR), 1000);
	EQUAL(length = lseek(fd, 0, SEEK_END), 0);
	EQUAL(lseek(fd, 5000, SEEK_SET), 5000);
}

static void cut(void)
{
	int fd = open(in_dir("held"), O_RDONLY | O_TRUNC | O_NONBLOCK);

	puts(fd >= 0 ? "cut" : strerrorname_np(errno));
}

int main(int argc, char **argv)
{
	const char *what = argc > 3 ? argv[3] : "";

	e2e_init(argc, argv);
	if (!strcmp(what, "ticket"))
		ticket();
	else if (!strcmp(what, "gibibyte"))
		gibibyte();
	else if (!strcmp(what, "kept"))
		kept();
	else if (!strcmp(what, "fence") && argc > 6)
		return fence(argv[4], !strcmp(argv[5], "trap"), argv + 6);
	else if (!strcmp(what, "hold"))
		hold();
	else if (!strcmp(what, "cut"))
		cut();
	else
		return 2;
	return e2e_status();
}
