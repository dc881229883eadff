/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * h_signals.c - everything a program can see of SIGSEGV and SIGBUS, which the shim takes for itself: prints it, and t_hook.sh
 * compares that with a native run. Called with an argument it prints what an exec has handed over.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#define SKIP 3 /* bytes of the instruction in fault() */

extern char **environ;
static const char *self;
static void *volatile bad = (void *)8; /* nothing is there */

/* `movb $1, (%rax)`: a handler may step over it */
static void fault(uintptr_t at)
{
	__asm__ volatile("movb $1, (%0)" : : "a"(at) : "memory");
}

static int in(const sigset_t *s, int sig)
{
	return sigismember(s, sig);
}

static void show_mask(const char *what)
{
	sigset_t m, p;

	pthread_sigmask(SIG_BLOCK, NULL, &m);
	sigpending(&p);
	printf("%s: blocked SEGV %d BUS %d USR1 %d SYS %d; pending SEGV %d BUS %d\n", what, in(&m, SIGSEGV),
	       in(&m, SIGBUS), in(&m, SIGUSR1), in(&m, SIGSYS), in(&p, SIGSEGV), in(&p, SIGBUS));
}

static void change_mask(int how, int sig)
{
	sigset_t m, old;

	sigemptyset(&m);
	sigaddset(&m, sig);
	printf("sigprocmask %d", sigprocmask(how, &m, &old));
	printf(" before: SEGV %d BUS %d\n", in(&old, SIGSEGV), in(&old, SIGBUS));
}

static void show_action(const char *what, int sig)
{
	struct sigaction a;

	if (sigaction(sig, NULL, &a)) {
		printf("%s: %d\n", what, errno);
		return;
	}
	printf("%s: %s flags %#x mask SEGV %d BUS %d USR1 %d SYS %d\n", what,
	       a.sa_handler == SIG_DFL   ? "default"
	       : a.sa_handler == SIG_IGN ? "ignored"
					 : "handler",
	       (unsigned)a.sa_flags, in(&a.sa_mask, SIGSEGV), in(&a.sa_mask, SIGBUS), in(&a.sa_mask, SIGUSR1),
	       in(&a.sa_mask, SIGSYS));
}

/* Run in a child, print how it ended. */
static void in_child(const char *what, void (*body)(void))
{
	struct rlimit none = { 0, 0 };
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		setrlimit(RLIMIT_CORE, &none);
		body();
		fflush(stdout);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	printf("%s: %s %d\n", what, WIFSIGNALED(status) ? "signal" : "exit",
	       WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
}

/* ---- handlers ---- */

static sigjmp_buf jump;
static volatile int calls;

static void step_over(int sig, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	calls++;
	printf("handler %d code %d address %d, context SEGV %d BUS %d\n", sig, info->si_code,
	       info->si_code > 0 ? (int)((uintptr_t)info->si_addr % 4096) : 0, in(&uc->uc_sigmask, SIGSEGV),
	       in(&uc->uc_sigmask, SIGBUS));
	show_mask("in handler");
	if (info->si_code > 0)
		uc->uc_mcontext.gregs[REG_RIP] += SKIP;
}

static void leave(int sig)
{
	(void)sig;
	siglongjmp(jump, 1);
}

static void set(int sig, void (*handler)(int, siginfo_t *, void *), int flags, int also)
{
	struct sigaction a = { .sa_sigaction = handler, .sa_flags = flags };

	if (also)
		sigaddset(&a.sa_mask, also);
	printf("sigaction %d\n", sigaction(sig, &a, NULL));
}

static void handlers(void)
{
	struct sigaction a = { .sa_handler = leave };

	set(SIGSEGV, step_over, SA_SIGINFO | SA_RESTART, SIGUSR1);
	show_action("as set", SIGSEGV);
	fault(0);
	show_mask("after");
	set(SIGSEGV, step_over, SA_SIGINFO | SA_NODEFER, SIGBUS);
	show_action("as set", SIGSEGV);
	fault(16);
	raise(SIGSEGV);
	show_mask("after");
	sigaction(SIGSEGV, &a, NULL);
	for (int i = 0; i < 3; i++) {
		if (!sigsetjmp(jump, 1))
			fault(0);
		show_mask("after siglongjmp");
	}
	if (!sigsetjmp(jump, 0))
		fault(0);
	show_mask("after siglongjmp without mask");
	change_mask(SIG_UNBLOCK, SIGSEGV);
}

static void second_fault(void)
{
	set(SIGSEGV, step_over, SA_SIGINFO | (int)SA_RESETHAND, 0);
	fault(0);
	show_action("after the first", SIGSEGV);
	fflush(stdout);
	fault(0);
}

static void nested_fault(int sig)
{
	(void)sig;
	fault(0);
}

static void fault_in_handler(void)
{
	signal(SIGSEGV, nested_fault);
	fault(0);
}

static void plain_fault(void)
{
	fault(0);
}

static void ignored_fault(void)
{
	signal(SIGSEGV, SIG_IGN);
	fault(0);
}

static void ignored_kill(void)
{
	signal(SIGSEGV, SIG_IGN);
	kill(getpid(), SIGSEGV);
	raise(SIGSEGV);
	show_action("ignored", SIGSEGV);
}

static void default_kill(void)
{
	kill(getpid(), SIGBUS);
	pause();
}

static void blocked_fault(void)
{
	set(SIGSEGV, step_over, SA_SIGINFO, 0);
	change_mask(SIG_BLOCK, SIGSEGV);
	fflush(stdout);
	fault(0);
}

/* memory behind the end of its file */
static uintptr_t beyond_the_end(void)
{
	int fd = memfd_create("short", 0);
	char *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	close(fd);
	return (uintptr_t)p;
}

static void bus_error(void)
{
	uintptr_t p = beyond_the_end();

	calls = 0;
	set(SIGBUS, step_over, SA_SIGINFO, 0);
	fault(p + 100);
	kill(getpid(), SIGBUS);
	printf("bus errors %d\n", calls);
}

static void bus_error_kills(void)
{
	fault(beyond_the_end());
}

/* ---- alternate stacks ---- */

static char alternate[65536];

static void on_alternate(int sig, siginfo_t *info, void *context)
{
	char here;

	(void)sig, (void)info, (void)context;
	printf("on the alternate stack: %d\n", &here > alternate && &here < alternate + sizeof(alternate));
	siglongjmp(jump, 1);
}

static int recurse(volatile char *above)
{
	volatile char here[4096];

	here[0] = above[0];
	return recurse(here) + here[0];
}

static void stacks(void)
{
	stack_t s = { .ss_sp = alternate, .ss_size = sizeof(alternate) }, old;
	struct rlimit small = { 1 << 20, 1 << 20 };
	volatile char zero = 0;

	setrlimit(RLIMIT_STACK, &small);
	sigaltstack(&s, NULL);
	set(SIGSEGV, on_alternate, SA_SIGINFO | SA_ONSTACK, 0);
	for (int i = 0; i < 2; i++)
		if (!sigsetjmp(jump, 1))
			recurse(&zero);
	set(SIGSEGV, on_alternate, SA_SIGINFO, 0);
	if (!sigsetjmp(jump, 1))
		fault(0);
	sigaltstack(NULL, &old);
	printf("stack flags %d size %zu\n", old.ss_flags, old.ss_size);
}

/* ---- blocked and sent ---- */

static void sent_while_blocked(void)
{
	struct timespec none = { 0, 0 };
	siginfo_t info;
	sigset_t m;

	set(SIGSEGV, step_over, SA_SIGINFO, 0);
	sigemptyset(&m);
	sigaddset(&m, SIGSEGV);
	change_mask(SIG_BLOCK, SIGSEGV);
	raise(SIGSEGV);
	show_mask("sent");
	change_mask(SIG_UNBLOCK, SIGSEGV);
	change_mask(SIG_BLOCK, SIGSEGV);
	kill(getpid(), SIGSEGV);
	show_mask("sent");
	memset(&info, 0, sizeof(info));
	printf("sigtimedwait %d", sigtimedwait(&m, &info, &none));
	printf(" code %d from us %d\n", info.si_code, info.si_pid == getpid());
	show_mask("waited");
	fflush(stdout);
	printf("write %zd\n", write(1, bad, 4));
	change_mask(SIG_UNBLOCK, SIGSEGV);
	calls = 0;
	fault(0);
	printf("calls %d\n", calls);
}

static int waited;

static void *waiter(void *arg)
{
	sigset_t m;

	sigfillset(&m);
	(void)arg;
	sigwait(&m, &waited);
	return NULL;
}

static void sent_to_a_waiting_thread(void)
{
	pthread_t t;
	sigset_t m;

	sigfillset(&m);
	pthread_sigmask(SIG_BLOCK, &m, NULL);
	show_mask("all blocked");
	pthread_create(&t, NULL, waiter, NULL);
	usleep(20000);
	kill(getpid(), SIGSEGV);
	pthread_join(t, NULL);
	printf("waited for %d\n", waited);
}

static void *show_thread(void *arg)
{
	show_mask(arg);
	return NULL;
}

static void threads(void)
{
	pthread_t t;

	change_mask(SIG_BLOCK, SIGBUS);
	pthread_create(&t, NULL, show_thread, "in a new thread");
	pthread_join(t, NULL);
	change_mask(SIG_UNBLOCK, SIGBUS);
}

/* ---- other signals' handlers ---- */

static void other(int sig)
{
	(void)sig;
	printf("write of nothing %zd %d\n", write(-1, bad, 4), errno == EBADF);
}

static void other_handlers(void)
{
	struct sigaction a = { .sa_handler = other }, old;

	sigfillset(&a.sa_mask);
	sigaction(SIGUSR1, &a, NULL);
	show_action("everything masked", SIGUSR1);
	raise(SIGUSR1);
	show_mask("after");
	sigemptyset(&a.sa_mask);
	sigaddset(&a.sa_mask, SIGBUS);
	sigaction(SIGUSR1, &a, &old);
	printf("before: SEGV %d\n", in(&old.sa_mask, SIGSEGV));
	show_action("one masked", SIGUSR1);
}

static void change_context(int sig, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	(void)sig, (void)info;
	sigaddset(&uc->uc_sigmask, SIGBUS);
	uc->uc_mcontext.gregs[REG_RIP] += SKIP;
}

static void contexts(void)
{
	static ucontext_t uc;
	volatile int times = 0;

	set(SIGSEGV, change_context, SA_SIGINFO, 0);
	fault(0);
	show_mask("mask changed through the context");
#ifndef FC_NO_CONTEXT
	getcontext(&uc);
	change_mask(SIG_UNBLOCK, SIGBUS);
	if (!times++)
		setcontext(&uc);
	show_mask("after setcontext");
#else
	(void)uc, (void)times;
#endif
}

/* ---- errors ---- */

static void errors(void)
{
	struct {
		void *handler;
		unsigned long flags;
		void *restorer;
		unsigned long mask;
	} k = { 0 };
	uint64_t m = 0;

#define TRY(...) (errno = 0, printf("%ld", syscall(__VA_ARGS__)), printf(" %d\n", errno))
	TRY(SYS_rt_sigaction, SIGSEGV, bad, NULL, 8);
	TRY(SYS_rt_sigaction, SIGSEGV, NULL, bad, 8);
	TRY(SYS_rt_sigaction, SIGSEGV, &k, bad, 8);
	TRY(SYS_rt_sigaction, SIGUSR2, bad, NULL, 8);
	TRY(SYS_rt_sigaction, SIGUSR2, &k, bad, 8);
	TRY(SYS_rt_sigaction, SIGSEGV, NULL, NULL, 8);
	TRY(SYS_rt_sigaction, SIGSEGV, NULL, NULL, 16);
	TRY(SYS_rt_sigaction, SIGKILL, NULL, &k, 8);
	TRY(SYS_rt_sigaction, SIGKILL, &k, NULL, 8);
	TRY(SYS_rt_sigaction, 0, NULL, &k, 8);
	TRY(SYS_rt_sigaction, 65, NULL, &k, 8);
	TRY(SYS_rt_sigaction, -1, bad, &k, 8);
	TRY(SYS_rt_sigprocmask, SIG_BLOCK, bad, NULL, 8);
	TRY(SYS_rt_sigprocmask, SIG_BLOCK, &m, bad, 8);
	TRY(SYS_rt_sigprocmask, SIG_BLOCK, NULL, bad, 8);
	TRY(SYS_rt_sigprocmask, 17, NULL, &m, 8);
	TRY(SYS_rt_sigprocmask, 17, &m, NULL, 8);
	TRY(SYS_rt_sigprocmask, 17, bad, NULL, 8);
	TRY(SYS_rt_sigprocmask, SIG_BLOCK, &m, NULL, 4);
	/* what was stored although the old one could not be returned */
	k.handler = (void *)SIG_IGN;
	TRY(SYS_rt_sigaction, SIGSEGV, &k, bad, 8);
	show_action("stored", SIGSEGV);
	signal(SIGSEGV, SIG_DFL);
	m = 1ull << (SIGSEGV - 1) | 1ull << (SIGKILL - 1);
	TRY(SYS_rt_sigprocmask, SIG_BLOCK, &m, bad, 8);
	TRY(SYS_rt_sigprocmask, SIG_SETMASK, NULL, &m, 8);
	printf("mask %#lx\n", (unsigned long)m);
	m = 0;
	TRY(SYS_rt_sigprocmask, SIG_SETMASK, &m, NULL, 8);
}

/* ---- exec and its children ---- */

/* What an exec has handed over. Only without the hook is the kernel's view the program's. */
static void show(int kernel_too)
{
	char line[256];
	FILE *f = kernel_too ? fopen("/proc/self/status", "r") : NULL;

	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, "SigBlk", 6) || !strncmp(line, "SigIgn", 6))
			printf("%s", line);
	show_action("SEGV", SIGSEGV);
	show_action("BUS", SIGBUS);
	show_mask("mask");
}

static char *show_argv[] = { "h_signals", "show", NULL };
static char *believe_argv[] = { "h_signals", "believe", NULL };
static char *bare[] = { NULL }; /* an environment without LD_PRELOAD */

static void run_show(const char *how, char **argv, char **env)
{
	int status = 0;
	pid_t pid;

	printf("%s\n", how);
	fflush(stdout);
	pid = fork();
	if (!pid) {
		execve("/nonexistent", argv, env);
		show_action("after a failed exec", SIGSEGV);
		show_mask("after a failed exec");
		fflush(stdout);
		execve(self, argv, env);
		_exit(127);
	}
	waitpid(pid, &status, 0);
	pid = vfork();
	if (!pid) {
		execve("/nonexistent", argv, env);
		execve(self, argv, env);
		_exit(127);
	}
	waitpid(pid, &status, 0);
	printf("%d\n", status);
}

static void execs(void)
{
	set(SIGSEGV, step_over, SA_SIGINFO, 0);
	run_show("with a handler", show_argv, bare);
	signal(SIGSEGV, SIG_IGN);
	run_show("ignored", show_argv, bare);
	change_mask(SIG_BLOCK, SIGBUS);
	run_show("one blocked", show_argv, bare);
	change_mask(SIG_BLOCK, SIGSEGV);
	raise(SIGBUS);
	run_show("one blocked and pending", believe_argv, environ);
	signal(SIGBUS, SIG_IGN);
	change_mask(SIG_UNBLOCK, SIGBUS);
	change_mask(SIG_UNBLOCK, SIGSEGV);
}

static void vfork_children(void)
{
	posix_spawnattr_t attributes;
	sigset_t all, none;
	int status;
	pid_t pid;

	set(SIGSEGV, step_over, SA_SIGINFO, 0);
	fflush(stdout);
	pid = vfork();
	if (!pid) {
		change_mask(SIG_BLOCK, SIGSEGV);
		signal(SIGSEGV, SIG_IGN);
		signal(SIGBUS, SIG_IGN);
		show_action("in the child", SIGSEGV);
		show_mask("in the child");
		fflush(stdout);
		execve(self, show_argv, bare);
		_exit(127);
	}
	waitpid(pid, &status, 0);
	show_action("in the parent", SIGSEGV);
	show_action("in the parent", SIGBUS);
	show_mask("in the parent");
	fault(0);

	sigfillset(&all);
	sigemptyset(&none);
	signal(SIGSEGV, SIG_IGN);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setsigmask(&attributes, &all);
	posix_spawnattr_setsigdefault(&attributes, &all);
	fflush(stdout);
	posix_spawn(&pid, self, NULL, &attributes, show_argv, bare);
	waitpid(pid, &status, 0);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setsigdefault(&attributes, &none);
	posix_spawn(&pid, self, NULL, &attributes, show_argv, bare);
	waitpid(pid, &status, 0);
	show_mask("in the parent");
	show_action("in the parent", SIGSEGV);
}

int main(int argc, char **argv)
{
	static char path[4096];

	if (argc > 1) {
		show(!strcmp(argv[1], "show"));
		return 0;
	}
	if (!realpath("/proc/self/exe", path))
		return 2;
	self = path;
	show_action("first", SIGSEGV);
	handlers();
	in_child("reset", second_fault);
	in_child("fault in a handler", fault_in_handler);
	signal(SIGSEGV, SIG_DFL);
	in_child("default", plain_fault);
	in_child("ignored", ignored_fault);
	in_child("ignored kill", ignored_kill);
	in_child("default kill", default_kill);
	in_child("blocked", blocked_fault);
	in_child("bus", bus_error);
	in_child("bus kills", bus_error_kills);
	in_child("stacks", stacks);
	in_child("sent while blocked", sent_while_blocked);
	in_child("sent to a waiting thread", sent_to_a_waiting_thread);
	in_child("threads", threads);
	in_child("other handlers", other_handlers);
	in_child("contexts", contexts);
	in_child("errors", errors);
	in_child("execs", execs);
	in_child("vfork children", vfork_children);
	return 0;
}
