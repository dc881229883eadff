/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * h_sandbox.c - programs that forbid themselves system calls and go on with their files: h_sandbox DIR prints what they see, which is the same
 * wherever DIR is. t_sandbox.sh runs it natively and remotely. h_sandbox DIR idle does nothing in a sandbox until its standard input ends.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#define COUNT(array) ((int)(sizeof(array) / sizeof(array)[0]))
#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif

extern char **environ;
static int in, out;
static const char *self, *dir;

static const int tight[] = { SYS_read, SYS_write, SYS_exit_group, SYS_exit };
static const int descriptors[] = { SYS_read,       SYS_write, SYS_pread64,    SYS_lseek, SYS_fstat,
				   SYS_newfstatat, SYS_close, SYS_exit_group, SYS_exit,  SYS_rt_sigreturn };
static const int usual[] = { SYS_read,         SYS_write,         SYS_pread64,
			     SYS_lseek,        SYS_fstat,         SYS_newfstatat,
			     SYS_close,        SYS_exit_group,    SYS_exit,
			     SYS_rt_sigreturn, SYS_futex,         SYS_mmap,
			     SYS_munmap,       SYS_mprotect,      SYS_madvise,
			     SYS_brk,          SYS_clock_gettime, SYS_clock_nanosleep,
			     SYS_nanosleep,    SYS_sched_yield,   SYS_rt_sigaction,
			     SYS_getpid,       SYS_gettid,        SYS_rt_sigprocmask,
			     SYS_getrandom,    SYS_poll,          SYS_set_robust_list,
			     SYS_clone,        435 /* clone3 */,  334 /* rseq */ };
static const int opens[] = { SYS_open, SYS_openat, 437 /* openat2 */, SYS_creat, SYS_mkdir, SYS_mkdirat };
/* what a domain is reached by */
static const int ways[] = { SYS_sendmsg, SYS_recvmsg,  SYS_socket,    SYS_connect,
			    SYS_sendto,  SYS_recvfrom, SYS_ftruncate, SYS_futex_waitv };

static struct sock_filter code[200];

static struct sock_fprog program(const int *list, int n, unsigned other, unsigned listed)
{
	int k = 0;

	code[k++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	for (int i = 0; i < n; i++) {
		code[k++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)list[i], 0, 1);
		code[k++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, listed);
	}
	code[k++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, other);
	return (struct sock_fprog){ (unsigned short)k, code };
}

static void install(struct sock_fprog p)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &p))
		_exit(90);
}

#define ALLOW_ONLY(list, other) install(program(list, COUNT(list), other, SECCOMP_RET_ALLOW))
#define FORBID(list, with) install(program(list, COUNT(list), SECCOMP_RET_ALLOW, with))

/* ---- what is done in the sandbox ---- */

static int work(void)
{
	char buf[64];
	ssize_t n = read(in, buf, 10);

	return n != 10 ? 1 : write(out, buf, (size_t)n) != n ? 2 : 0;
}

static int more(void)
{
	static char buf[70000];
	struct stat st;

	memset(buf, 'm', sizeof buf);
	if (work() || lseek(in, 3, SEEK_SET) != 3)
		return 1;
	if (fstat(in, &st) || st.st_size < 100 || pread(in, buf, sizeof buf, 0) < 100)
		return 2;
	return write(out, buf, sizeof buf) != sizeof buf ? 3 : close(in) ? 4 : 0;
}

static void *more_in_thread(void *p)
{
	(void)p;
	return (void *)(long)more();
}

static const char *outcome(int fd)
{
	static char text[4][40];
	static int turn;
	char *t = text[turn++ % 4];

	snprintf(t, sizeof text[0], "%s", fd < 0 ? strerror(errno) : "works");
	if (fd > 0)
		close(fd);
	return t;
}

/* ---- the cases: each in a process of its own ---- */

static void strict(void)
{
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT))
		_exit(90);
	syscall(SYS_exit, work());
}

static void strict_open(void)
{
	prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT);
	open("in", O_RDONLY);
	syscall(SYS_exit, 0);
}

static void read_write(void)
{
	ALLOW_ONLY(tight, SECCOMP_RET_KILL_PROCESS);
	_exit(work());
}

static void descriptors_kill(void)
{
	ALLOW_ONLY(descriptors, SECCOMP_RET_KILL_PROCESS);
	_exit(more());
}

static void descriptors_errno(void)
{
	ALLOW_ONLY(descriptors, SECCOMP_RET_ERRNO | EPERM);
	_exit(more());
}

static void usual_list(void)
{
	ALLOW_ONLY(usual, SECCOMP_RET_KILL_PROCESS);
	_exit(more());
}

static void in_thread(void)
{
	pthread_t t;
	void *r;

	ALLOW_ONLY(usual, SECCOMP_RET_KILL_PROCESS);
	_exit(pthread_create(&t, NULL, more_in_thread, NULL) || pthread_join(t, &r) ? 9 : (int)(long)r);
}

static void killed(void)
{
	static const int list[] = { SYS_read };

	FORBID(list, SECCOMP_RET_KILL_PROCESS);
	work();
	_exit(0);
}

static void no_opens(void)
{
	FORBID(opens, SECCOMP_RET_ERRNO | EACCES);
	const char *a = outcome(open("in", O_RDONLY)), *b = outcome(open("new", O_CREAT | O_WRONLY, 0600)),
		   *c = outcome(mkdir("newdir", 0700));
	printf("open %s, create %s, mkdir %s, read %d\n", a, b, c, work());
	_exit(0);
}

static volatile int sys_nr, sys_code, sys_errno, sys_arch_ok;

static void trapped(int sig, siginfo_t *i, void *context)
{
	(void)sig;
	sys_nr = i->si_syscall;
	sys_code = i->si_code;
	sys_errno = i->si_errno;
	sys_arch_ok = i->si_arch == AUDIT_ARCH_X86_64;
	((ucontext_t *)context)->uc_mcontext.gregs[REG_RAX] = 77;
}

static void traps(void)
{
	static const int list[] = { SYS_lseek };
	struct sigaction sa = { .sa_sigaction = trapped, .sa_flags = SA_SIGINFO };

	sigaction(SIGSYS, &sa, NULL);
	FORBID(list, SECCOMP_RET_TRAP | 42);
	long r = syscall(SYS_lseek, in, 5, SEEK_SET), pos = lseek(in, 5, SEEK_SET);
	printf("lseek %ld %ld, trapped %d, code %d, errno %d, arch %d, read %d\n", r, pos, sys_nr == SYS_lseek,
	       sys_code, sys_errno, sys_arch_ok, work());
	_exit(0);
}

/* Somebody outside is asked, and answers. */
static int asked; /* the descriptor to hear it by */

static void *answers(void *arg)
{
	struct seccomp_notif q;
	struct seccomp_notif_resp a;

	while (__atomic_load_n(&asked, __ATOMIC_ACQUIRE) == 0)
		sched_yield();
	memset(&q, 0, sizeof q);
	if (ioctl(asked, SECCOMP_IOCTL_NOTIF_RECV, &q))
		return NULL;
	sys_nr = q.data.nr;
	a = (struct seccomp_notif_resp){ .id = q.id, .val = 55 };
	ioctl(asked, SECCOMP_IOCTL_NOTIF_SEND, &a);
	return arg;
}

static void supervised(void)
{
	static const int list[] = { SYS_lseek };
	struct sock_fprog p = program(list, COUNT(list), SECCOMP_RET_ALLOW, SECCOMP_RET_USER_NOTIF);
	pthread_t t;
	void *answered;

	pthread_create(&t, NULL, answers, &asked);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	__atomic_store_n(&asked,
			 (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &p),
			 __ATOMIC_RELEASE);
	long r = lseek(in, 3, SEEK_SET);
	pthread_join(t, &answered);
	printf("lseek %ld, asked %d %d, read %d\n", r, answered != NULL, sys_nr == SYS_lseek, work());
	_exit(0);
}

/* no writes of more than 10 bytes, and none with an odd third byte of the length */
static void arguments(void)
{
	const unsigned length = offsetof(struct seccomp_data, args[2]);
	struct sock_filter f[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_write, 0, 4),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)out, 0, 2),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, length),
		BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, 10, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EDOM),
	};

	install((struct sock_fprog){ COUNT(f), f });
	ssize_t a = write(out, "1234567890", 10), b = write(out, "12345678901", 11);
	printf("10: %zd, 11: %zd %s\n", a, b, strerror(errno));
	_exit(0);
}

static void two_filters(void)
{
	static const int second[] = { SYS_fstat, SYS_newfstatat };
	struct stat st;

	FORBID(opens, SECCOMP_RET_ERRNO | EACCES);
	FORBID(opens, SECCOMP_RET_LOG);
	FORBID(second, SECCOMP_RET_ERRNO | ENOTTY);
	FORBID(second, SECCOMP_RET_LOG);
	const char *a = outcome(open("in", O_RDONLY)), *b = outcome(fstat(in, &st));
	printf("open %s, fstat %s, read %d\n", a, b, work());
	_exit(0);
}

static void bad_programs(void)
{
	struct sock_filter no_end[] = { BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0) };
	struct sock_fprog none = { 0, no_end }, wrong = { 1, no_end }, bad = { 1, NULL }, deny;

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	int a = prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &none), ae = errno;
	int b = prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &wrong), be = errno;
	int c = prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &bad), ce = errno;
	int d = prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, NULL), de = errno;
	deny = program(opens, COUNT(opens), SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO | EACCES);
	long e = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0x1000, &deny), ee = errno;
	printf("%d %d, %d %d, %d %d, %d %d, %ld %ld, then open %s, read %d\n", a, ae, b, be, c, ce, d, de, e, ee,
	       outcome(open("in", O_RDONLY)), work());
	_exit(0);
}

/* ---- threads ---- */

static pthread_barrier_t met;
static const char *others;

static void *other_thread(void *p)
{
	(void)p;
	pthread_barrier_wait(&met);
	pthread_barrier_wait(&met);
	others = outcome(open("in", O_RDONLY));
	return NULL;
}

static void beside_thread(unsigned flags)
{
	struct sock_fprog p = program(opens, COUNT(opens), SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO | EACCES);
	pthread_t t;

	pthread_barrier_init(&met, NULL, 2);
	pthread_create(&t, NULL, other_thread, NULL);
	pthread_barrier_wait(&met);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	long r = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &p);
	pthread_barrier_wait(&met);
	pthread_join(t, NULL);
	printf("%ld: open here %s, there %s\n", r, outcome(open("in", O_RDONLY)), others);
	_exit(0);
}

static void one_thread(void)
{
	beside_thread(0);
}

static void all_threads(void)
{
	beside_thread(SECCOMP_FILTER_FLAG_TSYNC);
}

/* ---- exec and fork ---- */

static void execute(const char *how)
{
	char fd[16];

	snprintf(fd, sizeof fd, "%d", in);
	fflush(stdout);
	execl(self, self, dir, how, fd, (char *)NULL);
	printf("exec %s\n", strerror(errno));
	_exit(91);
}

static void over_exec(void)
{
	static const int list[] = { SYS_mkdir, SYS_mkdirat };

	FORBID(list, SECCOMP_RET_ERRNO | EXDEV);
	execute("after");
}

static void over_exec_cut_off(void)
{
	FORBID(ways, SECCOMP_RET_ERRNO | ENOSYS);
	execute("after");
}

static void over_exec_killed(void)
{
	static const int list[] = { SYS_sendmsg, SYS_recvmsg, SYS_socket, SYS_futex_waitv, SYS_memfd_create };

	FORBID(list, SECCOMP_RET_KILL_PROCESS);
	execute("after");
}

static void report(const char *what, pid_t pid)
{
	int st;

	waitpid(pid, &st, 0);
	printf("%s: %s %d\n", what, WIFEXITED(st) ? "exit" : "signal", WIFEXITED(st) ? WEXITSTATUS(st) : WTERMSIG(st));
	fflush(stdout);
}

/* Two generations; the file's offset is shared by all, and what one closes stays open for the others. */
static void forks(void)
{
	static const int list[] = { SYS_memfd_create };
	char buf[16] = "", line[4096];
	int st;
	pid_t p, q;

	FORBID(ways, SECCOMP_RET_ERRNO | ENOSYS);
	FORBID(list, SECCOMP_RET_ERRNO | ENOSYS);
	lseek(in, 1, SEEK_SET);
	if (!(p = fork())) {
		int r = work(), fd = open("in", O_RDONLY);

		if (!(q = fork())) {
			r = r ? r : work();
			close(in);
			_exit(r);
		}
		report("grandchild", q);
		int d = dup(in);
		r = r                                             ? r
		    : read(fd, buf, 3) != 3 || strcmp(buf, "012") ? 5
								  : read(d, buf, 3) != 3 || strcmp(buf, "123");
		close(in);
		_exit(r);
	}
	report("child", p);
	printf("offset %ld, read %d, %s\n", (long)lseek(in, 0, SEEK_CUR), work(),
	       getcwd(line, sizeof line) ? "known" : strerror(errno));
	for (int i = 0; i < 15; i++) {
		if (!(p = fork()))
			_exit(pread(in, buf, 5, 0) != 5 || chdir("."));
		if (waitpid(p, &st, 0) != p || st)
			printf("child %d: %d\n", i, st);
	}
	if (!(p = fork()))
		execute("after");
	report("child's image", p);
	char *const argv[] = { (char *)self, (char *)dir, "after", (in == 3 ? "3" : "4"), NULL };
	fflush(stdout);
	if (posix_spawn(&p, self, NULL, NULL, argv, environ))
		_exit(7);
	report("spawned", p);
	_exit(work());
}

/* The image after. */
static int after(int fd)
{
	char buf[11] = "", line[4096];

	in = fd;
	ssize_t n = read(in, buf, 10);
	printf("after exec: read %zd %s, open %s, mkdir %s, stat %s, cwd %s\n", n, buf, outcome(open("in", O_RDONLY)),
	       outcome(mkdir("sub", 0700)), outcome(access("in", R_OK)),
	       getcwd(line, sizeof line) ? "known" : strerror(errno));
	rmdir("sub");
	return 0;
}

/* In strict mode, with nothing to do until standard input ends. */
static int idle(void)
{
	char byte;

	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT))
		return 90;
	int r = work() || write(1, "ready\n", 6) != 6;
	while (read(0, &byte, 1) > 0)
		;
	syscall(SYS_exit, r ? r : work());
	return 0;
}

static void run(const char *what, void (*f)(void))
{
	pid_t p;

	fflush(stdout);
	lseek(in, 0, SEEK_SET);
	if (!(p = fork())) {
		f();
		_exit(92);
	}
	report(what, p);
}

int main(int argc, char **argv)
{
	if (argc < 2 || (argc < 4 && chdir(argv[1]))) /* an image after is there already */
		return 99;
	self = "/proc/self/exe";
	dir = argv[1];
	setvbuf(stdout, NULL, _IONBF, 0);
	if (argc > 3)
		return after(atoi(argv[3]));
	char path[4096];
	ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
	path[n > 0 ? n : 0] = 0;
	self = path;
	in = open("in", O_RDWR | O_CREAT, 0644);
	out = open("out", O_WRONLY | O_CREAT | O_APPEND, 0644);
	for (int i = 0; i < 60; i++)
		if (write(in, "0123456789", 10) != 10)
			return 98;
	lseek(in, 0, SEEK_SET);
	if (argc == 3)
		return idle();
	run("strict mode", strict);
	run("strict mode, open", strict_open);
	run("read and write only", read_write);
	run("descriptors only", descriptors_kill);
	run("descriptors only, others fail", descriptors_errno);
	run("a usual list", usual_list);
	run("a usual list, in a thread", in_thread);
	run("no reads", killed);
	run("no opens", no_opens);
	run("traps", traps);
	run("supervised", supervised);
	run("arguments", arguments);
	run("two filters", two_filters);
	run("bad programs", bad_programs);
	run("one thread", one_thread);
	run("all threads", all_threads);
	run("over exec", over_exec);
	run("over exec, cut off", over_exec_cut_off);
	run("over exec, cut off by death", over_exec_killed);
	run("forks", forks);
	printf("out %ld\n", (long)lseek(out, 0, SEEK_END));
	return 0;
}
