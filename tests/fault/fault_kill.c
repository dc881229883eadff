/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fault_kill.c - clients under load killed with SIGKILL at random points. Whoever has reaped one finds its locks gone; in the
 * end the domain is up, answers, and has as many processes, descriptors and as much memory as before.
 *
 *   fault_kill [KILLS]       default: 1000 with FC_TEST_LONG or FC_STRESS_SECONDS set, else 100
 *
 * Two sorts of killing: a client that forks clients, kills and reaps them (most), and whole `farcall run`s killed from
 * outside while they start, work or end (a tenth).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/domain/peer.h"
#include "tests/domain/usage.h"

static unsigned seed = 1;

static unsigned any(void)
{
	return (unsigned)rand_r(&seed);
}

static void sleep_us(unsigned us)
{
	struct timespec t = { us / 1000000, us % 1000000 * 1000 };

	nanosleep(&t, NULL);
}

/* ---- a client under load; never returns ---- */

static const char *load_dir;

static void *load_thread(void *arg)
{
	unsigned own = (unsigned)(uintptr_t)arg, n = 0;
	static __thread char big[400000], path[300], other[300];

	for (;; n++) {
		int fd, copy;
		struct stat st;

		snprintf(path, sizeof path, "%s/load%u.%u", load_dir, own, n % 5);
		snprintf(other, sizeof other, "%s/moved%u.%u", load_dir, own, n % 3);
		fd = open(path, O_RDWR | O_CREAT, 0600);
		if (fd < 0)
			_exit(3);
		if (pwrite(fd, big, n % 4 ? 4096 : sizeof big, 0) < 0 ||
		    pread(fd, big, n % 3 ? 100 : sizeof big, 0) < 0)
			_exit(4);
		copy = dup(fd);
		fcntl(fd, F_SETLK, &(struct flock){ .l_type = F_WRLCK, .l_start = n % 100, .l_len = 1 });
		fstat(copy, &st);
		stat(path, &st);
		if (n % 7 == 0)
			rename(path, other);
		close(fd);
		if (n % 11)
			close(copy);
		if (n % 50 == 49) {
			pid_t pid = fork(); /* a grandchild, which lives on after the kill for a moment */

			if (pid == 0) {
				stat(path, &st);
				_exit(0);
			}
		}
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
	}
	return NULL;
}

static void load(const char *dir, unsigned number)
{
	pthread_t t;

	load_dir = dir;
	for (uintptr_t i = 1; i < 3; i++)
		if (pthread_create(&t, NULL, load_thread, (void *)(number % 8 * 4 + i)))
			_exit(5);
	load_thread((void *)(uintptr_t)(number % 8 * 4));
}

/* ---- the client that kills its children: runs through the shim ---- */

static int loop(const char *dir, int kills)
{
	char name[300];
	int lock;

	snprintf(name, sizeof name, "%s/lock", dir);
	lock = open(name, O_RDWR | O_CREAT, 0600);
	CHECK(lock >= 0);
	for (int i = 0; i < kills; i++) {
		int ready[2], status;
		struct flock posix = { .l_type = F_WRLCK };
		pid_t pid;
		char c;

		CHECK(!pipe(ready));
		pid = fork();
		CHECK(pid >= 0);
		if (pid == 0) {
			int own = open(name, O_RDWR);

			if (flock(own, LOCK_EX) || fcntl(own, F_SETLK, &posix) || write(ready[1], "x", 1) != 1)
				_exit(2);
			close(ready[1]);
			load(dir, (unsigned)i);
		}
		close(ready[1]);
		CHECK_IS(read(ready[0], &c, 1), 1);
		close(ready[0]);
		CHECK(flock(lock, LOCK_EX | LOCK_NB) == -1 && errno == EWOULDBLOCK);
		sleep_us(any() % 4 ? any() % 8000 : any() % 300);
		CHECK(!kill(pid, SIGKILL));
		CHECK_IS(waitpid(pid, &status, 0), pid);
		CHECK(WIFSIGNALED(status)); /* and did not end by itself, with an error */
		if (flock(lock, LOCK_EX | LOCK_NB)) {
			/* a grandchild may have inherited the open file for a moment more: it is not the client's any more */
			bool got = false;

			for (int k = 0; k < 100 && !got; k++) {
				sleep_us(10000);
				got = !flock(lock, LOCK_EX | LOCK_NB);
			}
			CHECK(got);
			printf("kill %d: a descendant held the flock for a moment\n", i);
		}
		CHECK(!fcntl(lock, F_SETLK, &posix)); /* never inherited: free at once */
		posix.l_type = F_UNLCK;
		CHECK(!fcntl(lock, F_SETLK, &posix));
		CHECK(!flock(lock, LOCK_UN));
	}
	return 0;
}

/* ---- around it ---- */

static pid_t start(const char *farcall, const struct daemon *d, char *const *args)
{
	const char *argv[12] = { farcall, "run", "--domain", d->socket, "--" };
	pid_t pid;
	int n = 5;

	while (*args)
		argv[n++] = *args++;
	argv[n] = NULL;
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		setpgid(0, 0);
		execv(farcall, (char *const *)argv);
		_exit(127);
	}
	return pid;
}

static int run(const char *farcall, const struct daemon *d, char *const *args)
{
	int status;
	pid_t pid = start(farcall, d, args);

	CHECK(waitpid(pid, &status, 0) == pid);
	return status;
}

static const char *program(const char *variable, const char *name, char *room, size_t size)
{
	const char *build = getenv("FC_BUILD"), *given = getenv(variable);

	if (given)
		return given;
	snprintf(room, size, "%s/%s", build ? build : ".", name);
	return room;
}

int main(int argc, char **argv)
{
	bool thorough = getenv("FC_TEST_LONG") || getenv("FC_STRESS_SECONDS");
	int kills = argc == 2 ? atoi(argv[1]) : thorough ? 1000 : 100, status;
	char self[512], count[16], daemon_path[512], farcall_path[512];
	const char *storaged, *farcall;
	struct daemon d = { .uid = (uid_t)-1 };
	struct usage before, after;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc == 4 && !strcmp(argv[1], "--loop"))
		return loop(argv[2], atoi(argv[3]));
	if (argc == 4 && !strcmp(argv[1], "--load"))
		load(argv[2], (unsigned)atoi(argv[3]));
	storaged = program("FARCALL_STORAGED", "farcall-storaged", daemon_path, sizeof daemon_path);
	farcall = program("FARCALL", "farcall", farcall_path, sizeof farcall_path);
	if (access(storaged, X_OK) || access(farcall, X_OK)) {
		printf("SKIP: no %s or %s\n", storaged, farcall);
		return 77;
	}
	status = (int)readlink("/proc/self/exe", self, sizeof self - 1);
	CHECK(status > 0);
	self[status] = 0;
	daemon_start(&d, storaged, NULL);
	/* warm: the first few bring what stays */
	CHECK_IS(run(farcall, &d, (char *const[]){ self, "--loop", "/data", "5", NULL }), 0);
	sleep(1);
	before = usage_of(d.pid);

	snprintf(count, sizeof count, "%d", kills - kills / 10);
	CHECK_IS(run(farcall, &d, (char *const[]){ self, "--loop", "/data", count, NULL }), 0);
	for (int i = 0; i < kills / 10; i++) {
		pid_t pid;

		snprintf(count, sizeof count, "%d", i);
		pid = start(farcall, &d, (char *const[]){ self, "--load", "/data", count, NULL });
		sleep_us(any() % 100000);
		kill(-pid, SIGKILL);
		kill(pid, SIGKILL);
		CHECK(waitpid(pid, &status, 0) == pid);
	}
	CHECK_IS(waitpid(d.pid, &status, WNOHANG), 0); /* the domain is up */
	for (int i = 0; i < 100; i++) {
		after = usage_of(d.pid);
		if (after.processes <= before.processes && after.descriptors <= before.descriptors)
			break;
		sleep_us(100000);
	}
	printf("%d kills; processes %d -> %d, threads %d -> %d, descriptors %d -> %d, memory %ld -> %ld kB\n", kills,
	       before.processes, after.processes, before.threads, after.threads, before.descriptors, after.descriptors,
	       before.memory_kb, after.memory_kb);
	CHECK(after.processes <= before.processes);
	CHECK(after.threads <= before.threads + 2);
	CHECK(after.descriptors <= before.descriptors + 2);
	CHECK(after.memory_kb <= before.memory_kb + 1024 + kills);
	CHECK_IS(run(farcall, &d, (char *const[]){ self, "--loop", "/data", "3", NULL }), 0);
	CHECK_IS(daemon_stop(&d), 0);
	printf("fault_kill: passed\n");
	return 0;
}
