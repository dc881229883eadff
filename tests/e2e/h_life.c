/* SPDX-License-Identifier: GPL-2.0-or-later */
/* h_life.c - the beginning and the ends of a process with calls in flight: constructors, handlers of its death, other identities. */
#include "e2e.h"

#include <grp.h>
#include <pthread.h>
#include <setjmp.h>
#include <sys/syscall.h>

#define THREADS 3

static volatile bool stop;
static volatile bool *trouble; /* shared with children */
static volatile char *volatile nowhere = (char *)8;
static const char *early_error = "has not run";

static bool put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	bool good;

	if (fd < 0)
		return false;
	good = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	return close(fd) == 0 && good;
}

static bool holds(const char *name, const char *text)
{
	char buf[100] = "";
	int fd = open(in_dir(name), O_RDONLY);
	ssize_t n = read(fd, buf, sizeof buf - 1);

	close(fd);
	return n == (ssize_t)strlen(text) && !strcmp(buf, text);
}

/* Not every library passes the arguments to constructors. */
__attribute__((constructor)) static void early(void)
{
	char line[4096] = "", path[4200];
	int fd = open("/proc/self/cmdline", O_RDONLY);
	ssize_t n = read(fd, line, sizeof line - 1);

	close(fd);
	if (n <= 0)
		return;
	snprintf(path, sizeof path, "%s/early", line + strlen(line) + 1);
	early_error = put(path, "early") ? NULL : strerror(errno);
}

/* ---- threads with calls in flight ---- */

static void *busy(void *arg)
{
	static __thread char path[1024], buf[150000];
	int fd;

	snprintf(path, sizeof path, "%s/busy%ld", e2e_dir, (long)arg);
	fd = open(path, O_RDWR | O_CREAT, 0600);
	memset(buf, 'b', sizeof buf);
	for (long i = 0; !stop; i++) {
		size_t n = i % 4 ? 100 : sizeof buf;

		if (pwrite(fd, buf, n, 0) != (ssize_t)n || pread(fd, buf, n, 0) != (ssize_t)n) {
			CHECK(!"calls end as always, or never");
			*trouble = true;
			break;
		}
	}
	close(fd);
	return NULL;
}

static void start(pthread_t t[THREADS], void *(*f)(void *))
{
	stop = false;
	for (long i = 0; i < THREADS; i++)
		CHECK(!pthread_create(&t[i], NULL, f, (void *)i));
	sleep_ms(5);
}

static void finish(pthread_t t[THREADS])
{
	stop = true;
	for (int i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
}

/* ---- ends: each in a child, with other threads' calls in flight ---- */

static void at_exit(void)
{
	_Exit(put(in_dir("end"), "atexit") ? 7 : 8);
}

static void end_by_exit(void)
{
	atexit(at_exit);
	exit(0);
}

static void *exit_here(void *arg)
{
	(void)arg;
	atexit(at_exit);
	exit(0);
}

static void end_in_thread(void)
{
	pthread_t t;

	pthread_create(&t, NULL, exit_here, NULL);
	for (;;)
		busy((void *)9);
}

static void on_abort(int sig)
{
	(void)sig;
	CHECK(put(in_dir("end"), "abort"));
}

static void end_by_abort(void)
{
	handle(SIGABRT, on_abort, 0);
	abort();
}

static void end_by_fault(void)
{
	put(in_dir("end"), "fault");
	*nowhere = 1;
}

static void end_by_signal(void)
{
	put(in_dir("end"), "signal");
	raise(SIGTERM);
}

static void ends(void (*how)(void), const char *left, int status)
{
	for (int i = 0; i < (e2e_long ? 50 : 5); i++) {
		pthread_t t[THREADS];
		pid_t pid;

		unlink(in_dir("end"));
		pid = fork();
		if (pid == 0) {
			setrlimit(RLIMIT_CORE, &(struct rlimit){ 0 });
			start(t, busy);
			how();
			_exit(99);
		}
		EQUAL(wait_status(pid), status);
		CHECK(holds("end", left));
		CHECK(!*trouble);
	}
}

/* ---- handlers on a stack of their own ---- */

static sigjmp_buf jump;
static volatile int handled;

static void on_fault(int sig, siginfo_t *info, void *context)
{
	(void)context;
	EQUAL(sig, SIGSEGV);
	EQUAL((long)info->si_addr, 8);
	CHECK(put(in_dir("fault"), "handler"));
	handled++;
	siglongjmp(jump, 1);
}

static void on_alarm(int sig)
{
	int saved = errno;
	struct stat st;

	(void)sig;
	EQUAL(stat(in_dir("fault"), &st), 0);
	handled++;
	errno = saved;
}

static void stacks(void)
{
	static char small[16384], buf[100000];
	stack_t stack = { .ss_sp = small, .ss_size = sizeof small };
	struct sigaction sa = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK };
	int fd = open(in_dir("stacks"), O_RDWR | O_CREAT, 0600);

	EQUAL(sigaltstack(&stack, NULL), 0);
	EQUAL(sigaction(SIGSEGV, &sa, NULL), 0);
	handled = 0;
	for (volatile int i = 0; i < 50; i++) {
		if (!sigsetjmp(jump, 1))
			*nowhere = 1;
		EQUAL(handled, i + 1);
		EQUAL(pwrite(fd, buf, sizeof buf, 0), sizeof buf);
		FAILS(pread(fd, (void *)nowhere, 100, 0), EFAULT);
	}
	CHECK(holds("fault", "handler"));
	handle(SIGALRM, on_alarm, SA_ONSTACK | SA_RESTART);
	handled = 0;
	alarm_every(300);
	for (double began = seconds(); handled < 100 && seconds() - began < 10;)
		EQUAL(pread(fd, buf, sizeof buf, 0), sizeof buf);
	alarm_every(0);
	CHECK(handled >= 100);
	sa = (struct sigaction){ .sa_handler = SIG_DFL };
	sigaction(SIGSEGV, &sa, NULL);
	stack.ss_flags = SS_DISABLE;
	EQUAL(sigaltstack(&stack, NULL), 0);
	close(fd);
}

/* ---- other identities: a change reaches all threads, and all calls from then on ---- */

static volatile int who; /* 0: root, 1: another, -1: just changing */
static int looks[2];

static void *look(void *arg)
{
	(void)arg;
	while (!stop && e2e_failures < 20) {
		int before = who, fd, e;

		fd = open("secret", O_RDWR);
		e = errno;
		if (fd >= 0)
			close(fd);
		__sync_synchronize();
		if (before < 0 || before != who)
			continue;
		if (before == 0)
			CHECK(fd >= 0);
		else
			CHECK(fd < 0 && e == EACCES);
		__atomic_add_fetch(&looks[before], 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

static void change(int to)
{
	gid_t groups[2] = { 65534, 65533 };

	who = -1;
	if (to) {
		EQUAL(setgroups(2, groups), 0);
		EQUAL(setegid(65534), 0);
		EQUAL(seteuid(65534), 0);
	} else {
		EQUAL(seteuid(0), 0);
		EQUAL(setegid(0), 0);
		EQUAL(setgroups(0, NULL), 0);
	}
	who = to;
}

static void identities(void)
{
	pthread_t t[THREADS], u[THREADS];
	struct stat st;

	start(u, busy);
	for (int i = 0; i < 5; i++) {
		EQUAL(setuid(getuid()), 0);
		EQUAL(setgid(getgid()), 0);
	}
	if (geteuid()) {
		finish(u);
		return;
	}
	CHECK(put(in_dir("secret"), "secret"));
	EQUAL(chmod(e2e_dir, 0777), 0);
	EQUAL(chdir(e2e_dir), 0); /* others need not be able to come here */
	who = 0;
#ifdef __UCLIBC__ /* where it reaches the calling thread alone */
	finish(u);
#else
	start(t, look);
#endif
	for (int i = 0; i < (e2e_long ? 60 : 8); i++) {
		change((i + 1) % 2);
#ifndef __UCLIBC__
		for (int seen = looks[who], n = 0; looks[who] < seen + 3 && n < 2000; n++)
			sleep_ms(1);
#endif
		if (who) {
			char name[30];
			int fd;

			snprintf(name, sizeof name, "made%d", i);
			fd = open(name, O_WRONLY | O_CREAT, 0600);
			EQUAL(fstat(fd, &st), 0);
			EQUAL(st.st_uid, 65534);
			EQUAL(st.st_gid, 65534);
			EQUAL(close(fd), 0);
		}
	}
#ifndef __UCLIBC__
	finish(t);
	finish(u);
	CHECK(looks[0] > 3 && looks[1] > 3);
#endif
}

/* ---- the main thread ends before the others; not in a child, where musl 1.2.3 cannot do that ---- */

static void *last(void *arg)
{
	pthread_t t[THREADS];

	(void)arg;
	start(t, busy);
	CHECK(put(in_dir("end"), "last"));
	CHECK(holds("end", "last"));
	finish(t);
	exit(e2e_status());
}

int main(int argc, char **argv)
{
	pthread_t t;

	e2e_init(argc, argv);
	trouble = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (early_error)
		fprintf(stderr, "constructor: %s\n", early_error);
	CHECK(!early_error);
	CHECK(holds("early", "early"));
	stacks();
	ends(end_by_exit, "atexit", 7 << 8);
	ends(end_in_thread, "atexit", 7 << 8);
	ends(end_by_abort, "abort", SIGABRT);
	ends(end_by_fault, "fault", SIGSEGV);
	ends(end_by_signal, "signal", SIGTERM);
	identities();
	CHECK(!pthread_create(&t, NULL, last, NULL));
	pthread_exit(NULL);
}
