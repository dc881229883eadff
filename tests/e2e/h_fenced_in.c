/* SPDX-License-Identifier: GPL-2.0-or-later */
/* h_fenced_in.c - what farcall(7) says of processes that have forbidden themselves to talk to their domain: how many, what fails, how much at once. DIR remote */
#include "e2e.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>

#define KIN 12
#define KIB 1024

static char block[600 * KIB];
static int fd;

/* Calls that fail with ENOSYS from now on */
static void forbid(const int *nr, int n)
{
	struct sock_filter f[16];
	struct sock_fprog p = { 0, f };

	f[p.len++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	for (int i = 0; i < n; i++) {
		f[p.len++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)nr[i], 0, 1);
		f[p.len++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS);
	}
	f[p.len++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	EQUAL(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	EQUAL(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &p), 0);
}
#define FORBID(...) forbid((const int[]){ __VA_ARGS__ }, (int)(sizeof((int[]){ __VA_ARGS__ }) / sizeof(int)))

static void fence(void)
{
	FORBID(SYS_sendmsg, SYS_recvmsg);
}

static int reads(void)
{
	char c;

	return pread(fd, &c, 1, 0) == 1 ? 0 : errno;
}

/* ---- how many ---- */

static int go[2], said[2];

/* One that stays until there is something to read in `go`; what its first read gave. */
static int one_more(pid_t *pid)
{
	char c = 0;

	*pid = fork();
	if (!*pid) {
		c = (char)reads();
		if (write(said[1], &c, 1) == 1 && read(go[0], &c, 1) == 1)
			_exit(reads());
		_exit(99);
	}
	EQUAL(read(said[0], &c, 1), 1);
	return c;
}

static void let_go(const pid_t *pid, int n)
{
	for (int i = 0; i < n; i++)
		EQUAL(write(go[1], "x", 1), 1);
	for (int i = 0; i < n; i++)
		wait_status(pid[i]);
}

static void so_many(void)
{
	pid_t pid[KIN + 2];

	EQUAL(pipe(go), 0);
	EQUAL(pipe(said), 0);
	fence();
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < KIN; i++)
			EQUAL(one_more(&pid[i]), 0);
		EQUAL(one_more(&pid[KIN]), EIO);
		EQUAL(one_more(&pid[KIN + 1]), EIO);
		let_go(pid, KIN + 2);
		EQUAL(reads(), 0);
	}
	/* one that is killed counts for ever */
	EQUAL(one_more(&pid[0]), 0);
	EQUAL(kill(pid[0], SIGKILL), 0);
	wait_status(pid[0]);
	for (int i = 0; i < KIN - 1; i++)
		EQUAL(one_more(&pid[i]), 0);
	EQUAL(one_more(&pid[KIN - 1]), EIO);
	let_go(pid, KIN);
}

static void *stays(void *arg)
{
	char c;

	(void)arg;
	EQUAL(read(go[0], &c, 1), 1);
	return NULL;
}

static void with_threads(void)
{
	pthread_t thread;
	pid_t pid;

	EQUAL(pipe(go), 0);
	pthread_create(&thread, NULL, stays, NULL);
	fence();
	EQUAL(reads(), 0);
	pid = fork();
	if (!pid)
		_exit(reads());
	EQUAL(WEXITSTATUS(wait_status(pid)), EIO);
	EQUAL(write(go[1], "x", 1), 1);
	pthread_join(thread, NULL);
}

static void first_ended(void)
{
	pid_t first;
	char c = 0;

	EQUAL(pipe(said), 0);
	first = fork();
	if (!first) {
		fence();
		if (fork())
			_exit(0);
		for (int i = 0; i < 300 && reads() != EIO; i++)
			sleep_ms(10);
		c = (char)reads();
		_exit(write(said[1], &c, 1) != 1);
	}
	EQUAL(wait_status(first), 0);
	EQUAL(read(said[0], &c, 1), 1);
	EQUAL(c, EIO);
}

/* ---- what they have in common ---- */

static void in_common(void)
{
	struct flock lock = { .l_type = F_WRLCK };
	struct stat st;
	int directory = open(in_dir("d"), O_RDONLY | O_DIRECTORY), status, own;
	pid_t pid;

	fence();
	EQUAL(chdir(in_dir("d")), 0);
	EQUAL(chdir(in_dir(".")), 0);
	EQUAL(fcntl(fd, F_SETLK, &lock), 0);
	umask(022);
	pid = fork();
	if (!pid) {
		FAILS(chdir(in_dir("d")), EPERM);
		FAILS(fchdir(directory), EPERM);
		EQUAL(fcntl(fd, F_SETLK, &lock), 0);
		umask(077);
		_exit(e2e_status());
	}
	status = wait_status(pid);
	EQUAL(status, 0);
	own = open(in_dir("masked"), O_RDWR | O_CREAT | O_TRUNC, 0666);
	EQUAL(fstat(own, &st), 0);
	EQUAL(st.st_mode & 0777, 0600);
	FAILS(chdir(in_dir("d")), EPERM);
	EQUAL(chdir("/"), 0);
}

/* What two of them have had together stays open in the domain, whoever closes it, until the first ends. */
static void kept_open(void)
{
	int own, again, status;
	pid_t pid;

	fence();
	own = open(in_dir("file"), O_RDONLY);
	again = open(in_dir("file"), O_RDONLY);
	EQUAL(flock(own, LOCK_EX), 0);
	pid = fork();
	if (!pid)
		_exit(close(own) != 0);
	status = wait_status(pid);
	EQUAL(status, 0);
	EQUAL(reads(), 0);
	EQUAL(close(own), 0);
	FAILS(flock(again, LOCK_EX | LOCK_NB), EWOULDBLOCK);
	close(again);
}

/* ---- what there is not ---- */

static void no_more(void)
{
	struct sockaddr_un un = { AF_UNIX, "" }, there = { AF_UNIX, "" };
	int in = inotify_init1(IN_NONBLOCK), s = socket(AF_UNIX, SOCK_STREAM, 0), t = socket(AF_UNIX, SOCK_STREAM, 0),
	    listener = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(there.sun_path, sizeof there.sun_path, "%s", in_dir("there"));
	snprintf(un.sun_path, sizeof un.sun_path, "%s", in_dir("sock"));
	EQUAL(bind(listener, (void *)&there, sizeof there), 0);
	EQUAL(listen(listener, 1), 0);
	fence();
	FAILS(mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0), ENODEV);
	FAILS(inotify_add_watch(in, in_dir("file"), IN_MODIFY), ENOSYS);
	FAILS(fcntl(fd, F_SETLEASE, F_RDLCK), EINVAL);
	FAILS(bind(s, (void *)&un, sizeof un), EPERM);
	FAILS(connect(t, (void *)&there, sizeof there), ECONNREFUSED);
}

static void so_much(void)
{
	int out = open(in_dir("out"), O_RDWR | O_CREAT | O_TRUNC, 0600), status;
	pid_t pid;

	fence();
	EQUAL(lseek(fd, 0, SEEK_SET), 0);
	EQUAL(read(fd, block, sizeof block), 448 * KIB);
	EQUAL(write(out, block, sizeof block), 448 * KIB);
	pid = fork();
	if (!pid) {
		EQUAL(lseek(fd, 0, SEEK_SET), 0);
		EQUAL(read(fd, block, sizeof block), 64 * KIB);
		EQUAL(write(out, block, sizeof block), 64 * KIB);
		_exit(e2e_status());
	}
	status = wait_status(pid);
	EQUAL(status, 0);
}

static void no_programs(void)
{
	FORBID(SYS_memfd_create, SYS_pipe2);
	FAILS(execl("/bin/true", "true", NULL), EPERM);
}

int main(int argc, char **argv)
{
	static void (*const test[])(void) = { so_many,   with_threads, first_ended, in_common,
					      kept_open, no_more,      so_much,     no_programs };

	e2e_init(argc, argv);
	make_file("file", block, sizeof block);
	EQUAL(mkdir(in_dir("d"), 0755), 0);
	for (size_t i = 0; i < sizeof test / sizeof *test; i++) {
		pid_t pid = fork();

		if (!pid) {
			fd = open(in_dir("file"), O_RDWR);
			test[i]();
			_exit(e2e_status());
		}
		EQUAL(wait_status(pid), 0);
	}
	return e2e_status();
}
