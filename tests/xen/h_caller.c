/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * h_caller.c DOMAIN [WHAT...] - for whom /dev/syscall does what: the file of a session in the wrong hands, in another mount namespace or root,
 * others' processes and figures, and how much two users can take from a third. As root, with a domain that does as it is told (h_backend
 * plain). Each check is a line "PASS xen: ..." or "FAIL xen: ..."; exit status 1 if one failed.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "farcall/farcall.h"
#include "farcall/ioctl.h"

#define DIRECTORY "/sys/module/farcall/parameters/"

static const char *domain;
static bool failed;

static void expect(const char *what, long got, long wanted)
{
	if (got == wanted) {
		printf("PASS xen: %s\n", what);
	} else {
		printf("FAIL xen: %s: %ld (%s), not %ld\n", what, got, got < 0 ? strerrorname_np((int)-got) : "",
		       wanted);
		failed = true;
	}
	fflush(stdout);
}

static void expect_between(const char *what, long got, long least, long most)
{
	char text[200];

	snprintf(text, sizeof text, "%s: %ld, of %ld to %ld", what, got, least, most);
	expect(text, got >= least && got <= most, true);
}

static void set_parameter(const char *name, const char *value)
{
	char path[100];
	FILE *f;

	snprintf(path, sizeof path, DIRECTORY "%s", name);
	f = fopen(path, "w");
	if (!f || fputs(value, f) < 0 || fclose(f))
		expect(path, -errno, 0);
}

/* ---- calls; results are 0 or -errno ---- */

static int device(void)
{
	return open(FC_DEVICE, O_RDWR | O_CLOEXEC);
}

static int call(int fd, unsigned long request, void *argument)
{
	return ioctl(fd, request, argument) ? -errno : 0;
}

static int attach(int fd)
{
	struct fc_ioc_attach a = { .size = sizeof a };

	strcpy(a.name, domain);
	return call(fd, FC_IOC_ATTACH, &a);
}

static int none(int fd, unsigned long request)
{
	struct fc_ioc_none a = { .size = sizeof a };

	return call(fd, request, &a);
}

static int gone(int fd, pid_t pid)
{
	struct fc_ioc_gone a = { .size = sizeof a, .pid = pid };

	return call(fd, FC_IOC_GONE, &a);
}

static int forked(int fd, uint32_t session, pid_t pid)
{
	struct fc_ioc_forked a = { .size = sizeof a, .session = session, .pid = pid };

	return call(fd, FC_IOC_FORKED, &a);
}

static int map_page(int fd)
{
	void *at = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, FC_MAP_PAGE);

	return at == MAP_FAILED ? -errno : munmap(at, 4096);
}

/* A session, or the end. */
static int session(void)
{
	int fd = device(), r = attach(fd);

	if (r) {
		expect("attach", r, 0);
		exit(1);
	}
	return fd;
}

/* What @what(@argument) returns in a child of that user; it is 0 or -errno. */
static int as_user(uid_t uid, int (*what)(int), int argument)
{
	pid_t pid = fork();
	int status;

	if (!pid)
		_exit(uid && setresuid(uid, uid, uid) ? 255 : -what(argument));
	waitpid(pid, &status, 0);
	return -WEXITSTATUS(status);
}

/* ---- an open file is no token ---- */

static int use_areas(int fd)
{
	return none(fd, FC_IOC_AREAS);
}

static int tell_and_use(int fd)
{
	int r = none(fd, FC_IOC_CRED);

	return r ? r : use_areas(fd);
}

static int change_and_use(int fd)
{
	struct fc_ioc_fork f = { .size = sizeof f };

	(void)fd;
	fd = session();
	setresuid(1000, 1000, 1000);
	expect("whoever has another uid than the domain was told: no areas", use_areas(fd), -EPERM);
	expect("no map", map_page(fd), -EPERM);
	expect("no bell", none(fd, FC_IOC_RING), -EPERM);
	expect("no fork", call(fd, FC_IOC_FORK, &f), -EPERM);
	expect("once it is told", none(fd, FC_IOC_CRED), 0);
	expect("areas", use_areas(fd), 0);
	expect("map", map_page(fd), 0);
	return failed ? -1 : 0;
}

/* Root as far as the domain knows, and before that was somebody else: whom it is now, untold. */
static int change_back_and_use(int fd)
{
	(void)fd;
	setresuid(1000, 0, 0);
	fd = session();
	setresuid(0, 0, 0);
	expect("told that it is root", none(fd, FC_IOC_CRED), 0);
	setresuid(1000, 1000, 1000);
	expect("the uid before, for a moment", use_areas(fd), 0);
	sleep(2);
	expect("and not for longer", use_areas(fd), -EPERM);
	return failed ? -1 : 0;
}

static int fork_file(int fd, uint32_t *number)
{
	struct fc_ioc_fork f = { .size = sizeof f };
	int r = call(fd, FC_IOC_FORK, &f);

	if (r)
		expect("fork", r, 0);
	*number = f.session;
	return f.fd;
}

/* A grandchild: nobody's child that the session was made for. */
static int tell_as_stranger(int fd)
{
	return as_user(0, tell_and_use, fd);
}

/* The same in a child that shares this process' memory, and may be the first to use a session of this one's. */
static int in_vfork(int (*what)(int), int argument)
{
	pid_t pid = vfork();
	int status;

	if (!pid)
		_exit(-what(argument));
	waitpid(pid, &status, 0);
	return -WEXITSTATUS(status);
}

static int use_in_vfork(int fd)
{
	return in_vfork(use_areas, fd);
}

static int use_after_vfork(int fd)
{
	int r = use_in_vfork(fd);

	return r ? r : use_areas(fd);
}

static int use_after_nested(int fd)
{
	int r = in_vfork(use_in_vfork, fd);

	return r ? r : use_areas(fd);
}

static void test_vfork(void)
{
	uint32_t number;
	int fd = session(), child = fork_file(fd, &number);

	expect("a child's session that its vfork child has used first", as_user(0, use_after_vfork, child), 0);
	close(child);
	child = fork_file(fd, &number);
	expect("and the vfork child of that one", as_user(0, use_after_nested, child), 0);
	close(child);
	child = fork_file(fd, &number);
	expect("a vfork child of whom it was made by has it to itself", use_in_vfork(child), 0);
	expect("and not for its parent", use_areas(child), -EPERM);
	close(child);
	close(fd);
}

static void test_token(void)
{
	uint32_t number;
	int fd, child;

	failed |= as_user(0, change_and_use, 0) != 0;
	failed |= as_user(0, change_back_and_use, 0) != 0;
	fd = session();
	expect("an inherited session is not the child's", as_user(0, use_areas, fd), -EPERM);
	expect("nor another user's", as_user(1000, use_areas, fd), -EPERM);
	expect("not even to tell", as_user(1000, tell_and_use, fd), -EPERM);
	child = fork_file(fd, &number);
	expect("a child's session is not for its parent", use_areas(child), -EPERM);
	expect("nor for a child that is another user", as_user(1000, use_areas, child), -EPERM);
	expect("nor for a stranger who tells", as_user(1000, tell_as_stranger, child), -EPERM);
	expect("but for one that tells so", as_user(1000, tell_and_use, child), 0);
	close(child);
	child = fork_file(fd, &number);
	expect("and for one that is the same", as_user(0, use_areas, child), 0);
	close(child);
	close(fd);
}

/* ---- the same tree ---- */

static int attach_here(int unused)
{
	(void)unused;
	return attach(device());
}

static int attach_in_namespace(int flags)
{
	int fd = device();

	return unshare(flags) ? -errno : attach(fd);
}

static int attach_in_root(int unused)
{
	int fd = device();

	(void)unused;
	return chroot("/usr") ? -errno : attach(fd);
}

static int take_up_in_root(int fd)
{
	return chroot("/usr") ? -errno : use_areas(fd);
}

static void test_tree(void)
{
	uint32_t number;
	int fd = session(), child = fork_file(fd, &number);

	expect("attach as another user", as_user(1000, attach_here, 0), 0);
	expect("in another mount namespace", as_user(0, attach_in_namespace, CLONE_NEWNS), -EPERM);
	expect("which a user has made", as_user(1000, attach_in_namespace, CLONE_NEWUSER | CLONE_NEWNS), -EPERM);
	expect("in a user namespace alone", as_user(1000, attach_in_namespace, CLONE_NEWUSER), 0);
	expect("in another root", as_user(0, attach_in_root, 0), -EPERM);
	expect("a child's session in another root", as_user(0, take_up_in_root, child), -EPERM);
	set_parameter("any_root", "1");
	expect("another mount namespace, allowed", as_user(0, attach_in_namespace, CLONE_NEWNS), 0);
	expect("another root, allowed", as_user(0, attach_in_root, 0), 0);
	set_parameter("any_root", "0");
	close(child);
	close(fd);
}

/* ---- others' processes ---- */

static int gone_of(int pid)
{
	return gone(device(), pid);
}

static int name_pid(int pid)
{
	uint32_t number;
	int fd = session(), child = fork_file(fd, &number);
	int r = forked(fd, number, pid);

	close(child);
	return r;
}

static int name_child(int unused)
{
	pid_t pid = fork();
	int r;

	(void)unused;
	if (!pid)
		pause();
	r = name_pid(pid);
	kill(pid, SIGKILL);
	return r;
}

static void test_processes(void)
{
	int ready[2];
	char byte;
	pid_t pid;

	if (pipe(ready))
		exit(1);
	pid = fork();
	if (!pid) {
		setresuid(1000, 1000, 1000);
		session();
		if (write(ready[1], "", 1) == 1)
			pause();
		_exit(1);
	}
	if (read(ready[0], &byte, 1) != 1)
		exit(1);
	expect("GONE of a living child", gone(device(), pid), -EBUSY);
	expect("of a process of one's own user", as_user(1000, gone_of, pid), -EBUSY);
	expect("of a stranger's: as if there were none", as_user(1001, gone_of, pid), 0);
	expect("FORKED with a stranger's", as_user(1001, name_pid, pid), -EPERM);
	expect("with the first process", as_user(1001, name_pid, 1), -EPERM);
	expect("with a child", as_user(1001, name_child, 0), 0);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	expect("GONE of a dead child", gone(device(), pid), 0);
}

/* ---- figures ---- */

/* How many sessions of what h_backend says; or -1. */
static int sessions_shown(int unused)
{
	static char text[65536];
	struct fc_ioc_stat s = { .size = sizeof s, .buffer = (uintptr_t)text, .length = sizeof text };
	const struct fc_stat_domain *d = (const void *)text;
	const struct fc_stat_session *each = (const void *)(d + 1);

	(void)unused;
	strcpy(s.name, domain);
	if (call(device(), FC_IOC_STAT, &s) || s.length != sizeof *d + d->sessions * sizeof *each)
		return 1;
	for (uint32_t i = 0; getuid() && i < d->sessions; i++)
		if (each[i].uid != getuid())
			return 2;
	return -(int)d->sessions;
}

static void test_figures(void)
{
	expect("root sees all sessions", as_user(0, sessions_shown, 0), -6);
	expect("a user sees their own", as_user(1001, sessions_shown, 0), -3);
	expect("or none", as_user(1002, sessions_shown, 0), 0);
}

/* ---- what the module counts ---- */

static long counter(const char *name)
{
	char line[100], key[50];
	long n = -1, value;
	FILE *f = fopen("/sys/kernel/debug/farcall/counters", "r");

	while (f && fgets(line, sizeof line, f))
		if (sscanf(line, "%49s %ld", key, &value) == 2 && !strcmp(key, name))
			n = value;
	if (f)
		fclose(f);
	return n;
}

/* ---- what one can take ---- */

static long take(bool areas)
{
	struct rlimit limit = { 4096, 4096 };
	long n = 0;
	int fd;

	setrlimit(RLIMIT_NOFILE, &limit);
	for (;; n++) {
		fd = device();
		if (fd < 0 || attach(fd) || (areas && use_areas(fd)))
			return n;
	}
}

/* A user takes what there is, and keeps it until the other end of @out is closed. Returns how much that is. */
static long hog(uid_t uid, bool areas, const int out[2])
{
	int in[2];
	long n = -1;

	if (pipe(in))
		exit(1);
	if (!fork()) {
		char byte;

		close(out[1]);
		setresuid(uid, uid, uid);
		n = take(areas);
		if (write(in[1], &n, sizeof n) == sizeof n && read(out[0], &byte, 1))
			_exit(1);
		_exit(0);
	}
	close(in[1]);
	if (read(in[0], &n, sizeof n) != sizeof n)
		n = -1;
	close(in[0]);
	return n;
}

/* @all: how much there is, at most. */
static void test_hogs(const char *what, bool areas, long all)
{
	char text[100];
	long first, second, third;
	int out[2];

	if (pipe(out))
		exit(1);
	first = hog(1000, areas, out);
	second = hog(1001, areas, out);
	third = hog(1002, areas, out);
	snprintf(text, sizeof text, "%s: half for the first", what);
	expect_between(text, first, all / 2 - 2, all / 2);
	snprintf(text, sizeof text, "%s: a quarter for the second", what);
	expect_between(text, second, all / 4 - 2, all / 4 + 2);
	snprintf(text, sizeof text, "%s: an eighth for the third", what);
	expect_between(text, third, all / 8 - 2, all / 8 + 2);
	close(out[0]);
	close(out[1]);
	while (wait(NULL) > 0 || counter("sessions")) /* which end when they are closed, but not at once */
		usleep(10000);
}

static void test_budgets(void)
{
	set_parameter("sessions_per_user", "100000");
	test_hogs("sessions", false, 1024);
	test_hogs("pages", true, 64 * 512 / 79); /* Xen's default, and what a session has to begin with */
	set_parameter("sessions_per_user", "256");
}

/* What began as root's counts as the user's it has become. */
static void test_change(void)
{
	int fd[4];
	pid_t pid;
	int status;

	set_parameter("sessions_per_user", "4");
	pid = fork();
	if (!pid) {
		for (int i = 0; i < 4; i++)
			fd[i] = session();
		expect("a user has what they may have while it is root's", as_user(1003, attach_here, 0), 0);
		setresuid(1003, 1003, 1003);
		for (int i = 0; i < 4; i++)
			expect("tell", none(fd[i], FC_IOC_CRED), 0);
		expect("and not once it is theirs", as_user(1003, attach_here, 0), -EAGAIN);
		_exit(failed);
	}
	waitpid(pid, &status, 0);
	failed |= status != 0;
	set_parameter("sessions_per_user", "256");
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		expect(path, -errno, 0);
	close(fd);
}

/* A user who has been given other uids for a namespace is still one user: attaches twice as one of them, then once as themselves. */
static void test_namespace(void)
{
	int made[2], mapped[2];
	char path[64], byte;
	pid_t pid;
	int status;

	if (pipe(made) || pipe(mapped))
		exit(1);
	set_parameter("sessions_per_user", "2");
	pid = fork();
	if (!pid) {
		setresuid(1005, 1005, 1005);
		if (unshare(CLONE_NEWUSER) || write(made[1], "", 1) != 1 || read(mapped[0], &byte, 1) != 1 ||
		    setresuid(1, 1, 1))
			_exit(errno);
		session();
		session();
		_exit(attach(device()) == -EAGAIN ? 0 : 1);
	}
	if (read(made[0], &byte, 1) != 1)
		exit(1);
	snprintf(path, sizeof path, "/proc/%d/uid_map", pid);
	write_file(path, "0 1005 1\n1 5000 1");
	if (write(mapped[1], "", 1) != 1)
		exit(1);
	waitpid(pid, &status, 0);
	expect("a namespace's uids are on the account of its maker", status, 0);
	set_parameter("sessions_per_user", "256");
}

/* ---- limits, for h_backend to say what came ---- */

static int attach_with_limits(int unused)
{
	struct rlimit files = { 17, 1234 }, processes = { 567, 1000 };

	(void)unused;
	setrlimit(RLIMIT_NOFILE, &files);
	return setrlimit(RLIMIT_NPROC, &processes) ? -errno : attach(device());
}

static void test_limits(void)
{
	expect("attach with limits", as_user(1004, attach_with_limits, 0), 0);
}

/* ---- requests in flight: a domain that does not answer ---- */

/* How many more there are once many processes of that user have asked for something. */
static long ask(uid_t uid)
{
	long before = counter("requests"), last = -1, now;

	for (int i = 0; i < 24; i++)
		if (!fork()) {
			if (!setresuid(uid, uid, uid))
				sessions_shown(0);
			_exit(0);
		}
	for (now = before; now == before || now != last; now = counter("requests")) {
		last = now;
		usleep(700000);
	}
	return now - before;
}

static void test_requests(void)
{
	set_parameter("answer_ms", "120000");
	expect_between("requests in flight: of the first", ask(1000), 14, 16);
	expect_between("of the second", ask(1001), 7, 8);
	expect_between("of the third", ask(1002), 3, 4);
	set_parameter("answer_ms", "1000");
}

static const struct test {
	const char *name;
	void (*run)(void);
} tests[] = { { "token", test_token },         { "vfork", test_vfork },         { "tree", test_tree },
	      { "processes", test_processes }, { "figures", test_figures },     { "budgets", test_budgets },
	      { "change", test_change },       { "namespace", test_namespace }, { "limits", test_limits },
	      { "requests", test_requests } };

int main(int argc, char **argv)
{
	if (argc < 3 || getuid()) {
		fprintf(stderr, "usage (as root): h_caller DOMAIN TEST...\n");
		return 2;
	}
	domain = argv[1];
	for (int i = 2; i < argc; i++) {
		size_t t = 0;

		while (t < sizeof tests / sizeof *tests && strcmp(argv[i], tests[t].name) != 0)
			t++;
		if (t == sizeof tests / sizeof *tests)
			expect(argv[i], -ENOENT, 0);
		else
			tests[t].run();
	}
	return failed;
}
