/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * h_hook.c - what a program may do around its system calls that a hook could spoil: children of every kind, cancelled
 * threads, clone by hand, red zones and registers; and where it can be unwound from. Prints what it sees; t_hook.sh compares that with a native run.
 * Compiled with -fexceptions: a cancelled thread runs the cleanups of every frame, which only unwinding finds.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/ucontext.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static int status_of(pid_t pid)
{
	int status = -1;

	if (pid < 0 || waitpid(pid, &status, __WALL) != pid)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

/* ---- children ---- */

static int child_main(void *arg)
{
	return write(-1, "", 1) < 0 && errno == EBADF ? (int)(long)arg : 1;
}

static void children(void)
{
	char *argv[] = { "sh", "-c", "exit 7", NULL };
	char *stack = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	struct clone_args args = { .exit_signal = SIGCHLD };
	posix_spawn_file_actions_t actions;
	volatile int shared = 0;
	char buffer[16] = "";
	pid_t pid;
	FILE *p;

	pid = fork();
	if (!pid)
		_exit(3);
	printf("fork %d\n", status_of(pid));

	pid = vfork();
	if (!pid) {
		shared = 5; /* on our stack: a vfork that became a fork would lose it */
		_exit(4);
	}
	printf("vfork %d shared %d\n", status_of(pid), shared);

	pid = vfork();
	if (!pid) {
		execv("/bin/sh", argv);
		_exit(127);
	}
	printf("vfork exec %d\n", status_of(pid));

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
	if (posix_spawnp(&pid, "sh", &actions, NULL, argv, environ))
		pid = -1;
	printf("spawn %d\n", status_of(pid));
	printf("spawn missing %d\n", posix_spawn(&pid, "/nonexistent", NULL, NULL, argv, environ));

	printf("system %d\n", WEXITSTATUS(system("exit 9")));
	p = popen("echo popen", "r");
	if (p && fgets(buffer, sizeof(buffer), p))
		printf("%s", buffer);
	printf("pclose %d\n", pclose(p));

	/* a fork by hand, on the caller's stack */
	pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	if (!pid)
		_exit(11);
	printf("syscall clone %d\n", status_of(pid));
	pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	if (!pid)
		_exit(12);
	printf("syscall clone3 %d\n", status_of(pid));
	pid = (pid_t)syscall(SYS_clone3, NULL, sizeof(args));
	printf("clone3 of nothing %d %d\n", (int)pid, errno);
	pid = (pid_t)syscall(SYS_clone3, &args, 8);
	printf("clone3 of little %d %d\n", (int)pid, errno);

	/* onto a new stack: with a copy of the memory, and with ours */
	printf("clone %d\n", status_of(clone(child_main, stack + 65536, SIGCHLD, (void *)13)));
	printf("clone vm vfork %d\n",
	       status_of(clone(child_main, stack + 65536, CLONE_VM | CLONE_VFORK | SIGCHLD, (void *)14)));
	printf("clone vm %d\n", status_of(clone(child_main, stack + 65536, CLONE_VM | SIGCHLD, (void *)15)));
}

/* ---- threads that are cancelled ---- */

static int pipe_fd[2];
static int cleaned;
static volatile int started;

static void clean(int *what)
{
	cleaned += *what;
}

__attribute__((noinline)) static long blocked_read(void)
{
	int ten __attribute__((cleanup(clean))) = 10;
	char c;

	started = 1;
	return read(pipe_fd[0], &c, 1) + ten;
}

static void *reader(void *arg)
{
	int hundred __attribute__((cleanup(clean))) = 100;

	(void)arg;
	return (void *)(blocked_read() + hundred);
}

static void unlock(void *lock)
{
	pthread_mutex_unlock(lock);
}

/* calls that are not hooked */
__attribute__((noinline)) static long blocked_futex(void)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	static pthread_cond_t never = PTHREAD_COND_INITIALIZER;
	int ten __attribute__((cleanup(clean))) = 10;

	pthread_mutex_lock(&lock);
	pthread_cleanup_push(unlock, &lock);
	started = 1;
	pthread_cond_wait(&never, &lock);
	pthread_cleanup_pop(1);
	return ten;
}

static void *waiter(void *arg)
{
	int hundred __attribute__((cleanup(clean))) = 100;

	(void)arg;
	return (void *)(blocked_futex() + hundred);
}

__attribute__((noinline)) static long blocked_sleep(void)
{
	int ten __attribute__((cleanup(clean))) = 10;

	started = 1;
	return sleep(1000) + ten;
}

static void *sleeper(void *arg)
{
	int hundred __attribute__((cleanup(clean))) = 100;

	(void)arg;
	return (void *)(blocked_sleep() + hundred);
}

/* A cleanup is only found at a call, so the frame that has it does nothing else. */
__attribute__((noinline)) static long call_forever(void)
{
	char c;

	for (started = 1;;)
		if (pread(pipe_fd[0], &c, 1, 0) == 1 || lseek(pipe_fd[0], 0, SEEK_SET) == 0)
			return 1;
}

static void *asynchronous(void *arg)
{
	int thousand __attribute__((cleanup(clean))) = 1000;

	(void)arg;
	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
	return (void *)(call_forever() + thousand);
}

static void cancel_many(const char *what, void *(*body)(void *), int times)
{
	int cancelled = 0;
	pthread_t t;
	void *r;

	cleaned = 0;
	for (int i = 0; i < times; i++) {
		started = 0;
		pthread_create(&t, NULL, body, NULL);
		while (!started)
			sched_yield();
		usleep((unsigned)i % 100);
		pthread_cancel(t);
		pthread_join(t, &r);
		cancelled += r == PTHREAD_CANCELED;
	}
	printf("%s: cancelled %d, cleaned up %d\n", what, cancelled, cleaned);
}

static void cancel(void)
{
	if (pipe(pipe_fd))
		return;
	cancel_many("in a blocking call", reader, 50);
	cancel_many("waiting", waiter, 50);
	cancel_many("asleep", sleeper, 50);
	cancel_many("anywhere", asynchronous, 300);
}

/* ---- registers and the red zone ---- */

/* syscall(2)'s site with every register the kernel keeps holding something; returns what changed */
static long registers(void)
{
	uint64_t before[4] = { 0x1111111111111111, 0x2222222222222222, 0x3333333333333333, 0x4444444444444444 },
		 after[4];
	long wrong = 0;

	/* ymm registers are caller-saved for C, but fstat's own code is what the hook runs under: set them, call, look */
	for (int i = 0; i < 1000; i++) {
		__asm__ volatile("movdqu (%[b]), %%xmm6\n\tmovdqu 16(%[b]), %%xmm15\n\t"
				 "mov %%rsp, %%rbx\n\tand $-16, %%rsp\n\tsub $16, %%rsp\n\t"
				 "mov $39, %%edi\n\tcall syscall@PLT\n\tmov %%rbx, %%rsp\n\t"
				 "movdqu %%xmm6, (%[a])\n\tmovdqu %%xmm15, 16(%[a])"
				 :
				 : [b] "r"(before), [a] "r"(after)
				 : "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "memory", "xmm6",
				   "xmm15");
		wrong += memcmp(before, after, sizeof(before)) != 0;
	}
	return wrong;
}

static void *deep(void *arg)
{
	struct stat st;

	for (int i = 0; i < 20000; i++)
		if (fstat(0, &st) && errno != EBADF)
			return arg;
	return NULL;
}

static void registers_and_threads(void)
{
	pthread_t t[8];
	void *r;
	int bad = 0;

	printf("registers changed %ld\n", registers());
	for (int i = 0; i < 8; i++)
		pthread_create(&t[i], NULL, deep, t);
	for (int i = 0; i < 8; i++) {
		pthread_join(t[i], &r);
		bad += r != NULL;
	}
	printf("threads %d\n", bad);
}

/* ---- unwinding, from each instruction of a call ---- */

#if defined __GLIBC__ && !defined __UCLIBC__ /* others have no backtrace(3) */
#include <execinfo.h>

#define STEP 0x100l /* in the flags: a SIGTRAP after each instruction */

static void *home; /* where the function that makes the call returns to */
static volatile sig_atomic_t watched, seen, lost;

static void on_step(int sig, siginfo_t *info, void *context)
{
	ucontext_t *u = context;
	void *at[64];
	int n = backtrace(at, 64), i = 0;

	(void)sig, (void)info;
	if (!watched)
		u->uc_mcontext.gregs[REG_EFL] &= ~STEP;
	while (i < n && at[i] != home)
		i++;
	seen++;
	lost += i == n;
}

__attribute__((noinline)) static void step_through_call(void)
{
	home = __builtin_return_address(0);
	watched = 1;
	__asm__ volatile("pushfq; orq %0, (%%rsp); popfq" : : "i"(STEP) : "memory", "cc");
	lseek(-1, 0, SEEK_CUR);
	watched = 0;
	__asm__ volatile("" : : : "memory"); /* the next step is the last one */
}

static void unwinding(void)
{
	struct sigaction action = { .sa_sigaction = on_step, .sa_flags = SA_SIGINFO }, before;
	void *at[4];

	backtrace(at, 4); /* it loads a library */
	lseek(-1, 0, SEEK_CUR);
	sigaction(SIGTRAP, &action, &before);
	step_through_call();
	sigaction(SIGTRAP, &before, NULL);
	/* no unwind information is about a link (hook/ready.h) */
	printf("unwinding: %s\n", seen > 5 && lost <= 1 ? "from each instruction" : "not from each");
}
#else
static void unwinding(void)
{
}
#endif

int main(void)
{
	setvbuf(stdout, NULL, _IONBF, 0);
	children();
	cancel();
	registers_and_threads();
	unwinding();
	return 0;
}
