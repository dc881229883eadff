/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * h_kin.c - clone with every combination of CLONE_VM, CLONE_VFORK, CLONE_FILES and CLONE_FS: who sees what the other one does with
 * descriptors and the current directory, while both live and after one has ended, executed a program or been killed.
 */
#include "e2e.h"
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>

#define STACK (256 << 10)

struct shared {
	int f, g;
	int chdir_errno;
	bool closed, wrote, own;
	volatile int go;
};
static struct shared *s;
static char stack[2][STACK] __attribute__((aligned(64)));
static const char *self, *side;

static bool exists(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0;
}

static int child(void *arg)
{
	int own;

	(void)arg;
	s->wrote = write(s->f, "child", 5) == 5;
	s->closed = close(s->g) == 0;
	dup2(s->f, 42);
	own = open("own", O_CREAT | O_RDWR, 0600); /* stays open in a table that both have */
	s->own = own >= 0 && dup2(own, 43) == 43 && close(own) == 0;
	s->chdir_errno = chdir("sub") ? errno : 0;
	return 3;
}

static bool is_odd(int flags)
{
	return !(flags & CLONE_FILES) != !(flags & CLONE_FS);
}

static pid_t start(int (*f)(void *), int flags, bool on_stack)
{
	if (on_stack)
		return clone(f, stack[0] + STACK, flags | SIGCHLD, NULL);
	pid_t pid = (pid_t)syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0);
	if (pid == 0)
		_exit(f(NULL));
	return pid;
}

static void name_flags(int flags, bool on_stack, int before)
{
	if (e2e_failures > before)
		fprintf(stderr, "^ with%s%s%s%s%s\n", flags & CLONE_VM ? " CLONE_VM" : "",
			flags & CLONE_VFORK ? " CLONE_VFORK" : "", flags & CLONE_FILES ? " CLONE_FILES" : "",
			flags & CLONE_FS ? " CLONE_FS" : "", on_stack ? " on another stack" : "");
}

/* The parent's descriptors and directory, after a child. */
static void look(int flags)
{
	bool files = flags & CLONE_FILES, moved = flags & CLONE_FS && !s->chdir_errno;
	char block[8];

	EQUAL(lseek(s->f, 0, SEEK_CUR), 5); /* one open file, whoever has written */
	EQUAL(pread(s->f, block, 8, 0), 5);
	EQUAL(fcntl(s->g, F_GETFD) >= 0, !files);
	EQUAL(fcntl(42, F_GETFD) >= 0, files);
	EQUAL(pwrite(42, "x", 1, 100), files ? 1 : -1);
	EQUAL(pwrite(43, "x", 1, 0), files ? 1 : -1);
	CHECK(exists(moved ? "../f" : "f"));
	CHECK(exists(in_dir("own")));
}

static void one(int flags, bool on_stack)
{
	int before = e2e_failures, expect = e2e_remote && is_odd(flags) ? EOPNOTSUPP : 0;
	pid_t pid;

	EQUAL(chdir(e2e_dir), 0);
	unlink("own");
	s->f = open("f", O_CREAT | O_RDWR | O_TRUNC, 0600);
	s->g = open("g", O_CREAT | O_RDWR, 0600);
	s->closed = s->wrote = s->own = false;
	pid = start(child, flags, on_stack);
	CHECK(pid > 0);
	EQUAL(WEXITSTATUS(wait_status(pid)), 3);
	CHECK(s->wrote && s->closed && s->own);
	EQUAL(s->chdir_errno, expect);
	look(flags);
	EQUAL(chdir(e2e_dir), 0); /* whoever was odd is dead */
	close(42);
	close(43);
	close(s->g);
	EQUAL(close(s->f), 0);
	name_flags(flags, on_stack, before);
}

/* ---- a program ---- */

static int execute(void *arg)
{
	char number[12];

	(void)arg;
	snprintf(number, sizeof number, "%d", s->f);
	execl("/nonexistent", "nonexistent", NULL);
	execl(self, self, e2e_dir, side, number, NULL);
	return 99;
}

static void with_exec(int flags, bool on_stack)
{
	int before = e2e_failures, status;
	struct stat st;
	pid_t pid;

	s->f = open(in_dir("f"), O_CREAT | O_RDWR | O_TRUNC, 0600);
	EQUAL(lseek(s->f, 77, SEEK_SET), 77);
	pid = start(execute, flags, on_stack);
	status = wait_status(pid);
	EQUAL(status, 0);
	EQUAL(lseek(s->f, 0, SEEK_CUR), 78); /* it has written */
	EQUAL(fstat(s->f, &st), 0);
	EQUAL(st.st_size, 78);
	EQUAL(close(s->f), 0);
	name_flags(flags, on_stack, before);
}

/* The process itself executes, while another one shares its descriptors. */
static int linger(void *arg)
{
	(void)arg;
	while (!s->go)
		sched_yield();
	s->wrote = s->go == 2 || pwrite(s->f, "still", 5, 0) == 5;
	s->go = 3;
	return 0;
}

static void execute_beside(int flags)
{
	int before = e2e_failures;
	pid_t pid = fork(), other;

	if (pid == 0) {
		s->f = open(in_dir("f"), O_CREAT | O_RDWR | O_TRUNC, 0600);
		EQUAL(lseek(s->f, 77, SEEK_SET), 77);
		s->go = 0;
		other = start(linger, flags, true);
		CHECK(other > 0);
		if (e2e_failures)
			_exit(1);
		_exit(execute(NULL));
	}
	EQUAL(wait_status(pid), 0);
	s->go = 2;
	name_flags(flags, true, before);
}

/* ---- at the same time ---- */

static int work(void *arg)
{
	const char *name = arg ? arg : "child-file";
	char path[1024]; /* in_dir's may be the other one's, too */
	int failed = 0;

	snprintf(path, sizeof path, "%s/%s", e2e_dir, name);

	for (int i = 0; i < 100; i++) {
		char block[16] = "";
		int fd = open(path, O_CREAT | O_RDWR | O_TRUNC, 0600);

		if (fd < 0 || pwrite(fd, name, 6, 0) != 6 || pread(fd, block, 6, 0) != 6 || memcmp(block, name, 6) ||
		    close(fd))
			failed++;
	}
	return failed ? 1 : 0;
}

static void together(int flags)
{
	int before = e2e_failures;
	pid_t pid = start(work, flags, true);

	EQUAL(work("parent-file"), 0);
	EQUAL(wait_status(pid), 0);
	EQUAL(work("parent-file"), 0);
	name_flags(flags, true, before);
}

static int stay(void *arg)
{
	(void)arg;
	s->go = 1;
	for (;;)
		write(s->f, "x", 1);
	return 0;
}

static void killed(int flags)
{
	int before = e2e_failures, status;
	pid_t pid;

	s->f = open(in_dir("f"), O_CREAT | O_RDWR | O_TRUNC | O_APPEND, 0600);
	s->go = 0;
	pid = start(stay, flags, true);
	while (!s->go)
		sched_yield();
	EQUAL(write(s->f, "y", 1), 1);
	sleep_ms(5);
	EQUAL(kill(pid, SIGKILL), 0);
	status = wait_status(pid);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	EQUAL(write(s->f, "z", 1), 1);
	EQUAL(close(s->f), 0);
	EQUAL(work("parent-file"), 0);
	name_flags(flags, true, before);
}

/* Children of a child. */
static int bear(void *arg)
{
	pid_t pid = fork();

	(void)arg;
	if (pid == 0)
		_exit(write(s->f, "abc", 3) == 3 && work("grandchild-file") == 0 ? 7 : 1);
	return WEXITSTATUS(wait_status(pid)) == 7 ? 8 : 1;
}

static void grandchildren(int flags)
{
	int before = e2e_failures;
	pid_t pid;

	s->f = open(in_dir("f"), O_CREAT | O_RDWR | O_TRUNC, 0600);
	pid = start(bear, flags, true);
	EQUAL(WEXITSTATUS(wait_status(pid)), 8);
	EQUAL(lseek(s->f, 0, SEEK_CUR), 3);
	EQUAL(close(s->f), 0);
	name_flags(flags, true, before);
}

/* Signals are not left blocked. */
static int masks(void *arg)
{
	sigset_t set;

	(void)arg;
	sigprocmask(SIG_BLOCK, NULL, &set);
	for (int i = 1; i < NSIG; i++)
		if (sigismember(&set, i) == 1 && i != SIGUSR2)
			return i;
	return sigismember(&set, SIGUSR2) ? 100 : 101;
}

static void masked(int flags, bool on_stack)
{
	int before = e2e_failures;
	sigset_t set, old;
	pid_t pid;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, &old);
	pid = start(masks, flags, on_stack);
	EQUAL(WEXITSTATUS(wait_status(pid)), 100);
	EQUAL(masks(NULL), 100);
	sigprocmask(SIG_SETMASK, &old, NULL);
	name_flags(flags, on_stack, before);
}

/* A child that becomes somebody else: what is its own goes on as that, what is the parent's as before. */
static int change(void *arg)
{
	char path[1024];
	struct stat st;
	int fd;

	(void)arg;
	snprintf(path, sizeof path, "%s/public/mine", e2e_dir);
	unlink(path);
	if (syscall(SYS_setresuid, 1000, 1000, 1000))
		return 1;
	fd = open(path, O_CREAT | O_RDWR, 0600);
	if (fd < 0 || fstat(fd, &st) || st.st_uid != 1000)
		return 2;
	return pwrite(s->f, "theirs", 6, 0) == 6 ? 9 : 3;
}

static void changed(int flags)
{
	int before = e2e_failures, fd;
	struct stat st;
	pid_t pid;

	s->f = open(in_dir("f"), O_CREAT | O_RDWR | O_TRUNC, 0600);
	pid = start(change, flags, true);
	EQUAL(WEXITSTATUS(wait_status(pid)), 9);
	unlink(in_dir("public/ours"));
	fd = open(in_dir("public/ours"), O_CREAT | O_RDWR, 0600);
	EQUAL(fstat(fd, &st), 0);
	EQUAL(st.st_uid, 0);
	EQUAL(close(fd), 0);
	EQUAL(pwrite(s->f, "ours", 4, 0), 4);
	EQUAL(close(s->f), 0);
	name_flags(flags, true, before);
}

static void combinations(void)
{
	static const int bit[] = { CLONE_VM, CLONE_VFORK, CLONE_FILES, CLONE_FS };

	for (int i = 0; i < 16; i++) {
		int flags = 0;

		for (int b = 0; b < 4; b++)
			flags |= i >> b & 1 ? bit[b] : 0;
		for (int on_stack = !!(flags & CLONE_VM); on_stack < 2; on_stack++) {
			one(flags, on_stack);
			with_exec(flags, on_stack);
			masked(flags, on_stack);
		}
		grandchildren(flags);
		if (getuid() == 0)
			changed(flags);
		if (flags & CLONE_VFORK)
			continue;
		together(flags);
		killed(flags);
		if (flags & CLONE_FILES && !(flags & CLONE_VM))
			execute_beside(flags);
	}
}

static void *work_thread(void *name)
{
	return (void *)(intptr_t)work(name);
}

/* More callers than what both processes have of the shim's memory has room for at once, which cannot grow. */
static void many(void)
{
	static char name[12][20];
	pthread_t thread[12];
	void *result;
	pid_t pid = start(work, CLONE_FILES | CLONE_FS, false);

	for (int i = 0; i < 12; i++) {
		snprintf(name[i], sizeof name[i], "thread-%d", i);
		CHECK(!pthread_create(&thread[i], NULL, work_thread, name[i]));
	}
	for (int i = 0; i < 12; i++) {
		CHECK(!pthread_join(thread[i], &result));
		CHECK(!result);
	}
	EQUAL(wait_status(pid), 0);
	EQUAL(work("parent-file"), 0);
}

static int nothing(void *arg)
{
	(void)arg;
	syscall(SYS_exit, 0);
	return 0;
}

/* What cannot be: one process with two tables. */
static void refused(void)
{
	if (!e2e_remote)
		return;
	FAILS(clone(nothing, stack[1] + STACK, CLONE_VM | CLONE_SIGHAND | CLONE_THREAD | CLONE_FS, NULL), EOPNOTSUPP);
	FAILS(clone(nothing, stack[1] + STACK, CLONE_VM | CLONE_SIGHAND | CLONE_THREAD | CLONE_FILES, NULL),
	      EOPNOTSUPP);
}

/* ---- the first one ends first ---- */

/* A thread that parts from the others: what cannot be its own is refused, and nothing changes for them. */
static void *parting(void *arg)
{
	char path[PATH_MAX];

	(void)arg;
	EQUAL(unshare(CLONE_FS), 0);
	if (e2e_remote) {
		FAILS(unshare(CLONE_FILES), EOPNOTSUPP);
		FAILS(chdir(in_dir("sub")), EOPNOTSUPP);
		FAILS(chdir("/"), EOPNOTSUPP); /* the directory that it has is remote */
	} else {
		EQUAL(chdir(in_dir("sub")), 0);
	}
	CHECK(getcwd(path, sizeof path));
	return NULL;
}

static void parted(void)
{
	pthread_t thread;
	char before[PATH_MAX], after[PATH_MAX];
	pid_t pid = fork();
	int status;

	if (!pid) { /* for what parts stays so */
		CHECK(!chdir(e2e_dir) && getcwd(before, sizeof before));
		pthread_create(&thread, NULL, parting, NULL);
		pthread_join(thread, NULL);
		CHECK(getcwd(after, sizeof after) && !strcmp(before, after));
		pid = fork();
		if (!pid) { /* it is alone */
			EQUAL(chdir(in_dir("sub")), 0);
			_exit(e2e_failures != 0);
		}
		EQUAL(waitpid(pid, &status, 0), pid);
		EQUAL(status, 0);
		_exit(e2e_failures != 0);
	}
	EQUAL(waitpid(pid, &status, 0), pid);
	EQUAL(status, 0);
}

static int after_the_parent(void *pid)
{
	for (int i = 0; i < 500 && getppid() == *(pid_t *)pid; i++)
		usleep(10000);
	for (int i = 0; i < 50; i++)
		if (pwrite(s->f, "after", 5, i * 5) != 5)
			return 1;
	s->go = 1;
	return 0;
}

static void outlived(int flags)
{
	int before = e2e_failures;
	pid_t middle;

	s->f = open(in_dir("outlived"), O_CREAT | O_RDWR | O_TRUNC, 0600);
	s->go = 0;
	middle = fork();
	if (middle == 0) {
		static pid_t me;

		me = getpid();
		_exit(clone(after_the_parent, stack[0] + STACK, flags | SIGCHLD, &me) > 0 ? 0 : 1);
	}
	EQUAL(WEXITSTATUS(wait_status(middle)), 0);
	for (int i = 0; i < 500 && !s->go; i++)
		usleep(10000);
	EQUAL(s->go, 1);
	EQUAL(lseek(s->f, 0, SEEK_END), 250);
	close(s->f);
	name_flags(flags, true, before);
}

int main(int argc, char **argv)
{
	e2e_init(argc, argv);
	self = realpath("/proc/self/exe", NULL);
	side = argv[2];
	if (argc > 3)
		return write(atoi(argv[3]), "x", 1) == 1 && exists(in_dir("f")) ? 0 : 1;
	s = mmap(NULL, sizeof *s, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	mkdir(in_dir("sub"), 0755);
	chmod(e2e_dir, 0711);
	mkdir(in_dir("public"), 0777);
	chmod(in_dir("public"), 0777);
	combinations();
	many();
	refused();
	parted();
	outlived(CLONE_VM);
	outlived(0);
	return e2e_status();
}
