/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * t_forged_pids.c - a client that says its child is a process of somebody else: the other's wait for it must not become
 * a wait for the forger's session, which cannot end because its shadow holds a descriptor that nobody can close. The
 * victim is a real program under the shim: it forks, kills and waits for children, in no time, and afterwards its
 * session lives.
 *
 *   t_forged_pids DIRECTORY      the victim itself: its remote directory is DIRECTORY
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/attack/attack.h"
#include "tests/attack/fuse.h"

#define CHILDREN 5
#define CHILD_MS 400
#define WAIT_MS 2000 /* far less than the shim's patience, far more than waiting takes */
#define SHARED "pid" /* in the domain's directory: which process the victim will wait for next */

static struct fuse fuse;
static char mount_point[96], self[512], farcall[512];
static uid_t victim_uid;

/* ---- the victim: under the shim, so that it may use nothing of this test but what the C library has ---- */

static void say(const char *path, pid_t pid)
{
	int fd = open(path, O_WRONLY);

	CHECK(fd >= 0 && pwrite(fd, &pid, sizeof pid, 0) == sizeof pid);
	close(fd);
}

static void wait_for_child(const char *shared, const char *file)
{
	double began;
	int status;
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (!pid) {
		int fd = open(file, O_RDWR); /* a session of its own */

		CHECK(fd >= 0);
		for (;;)
			pause();
	}
	say(shared, pid);
	attack_sleep_ms(CHILD_MS);
	CHECK(!kill(pid, SIGKILL));
	began = attack_now();
	CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status));
	printf("# the victim waited %.0f ms\n", (attack_now() - began) * 1000);
	CHECK((attack_now() - began) * 1000 < WAIT_MS);
}

static int victim(const char *directory, const char *shared)
{
	char path[256], text[8] = "";
	int fd;

	snprintf(path, sizeof path, "%s/victim.%u", directory, geteuid());
	fd = open(path, O_CREAT | O_RDWR, 0600);
	CHECK(fd >= 0);
	for (int i = 0; i < CHILDREN; i++)
		wait_for_child(shared, path);
	CHECK_IS(pwrite(fd, "alive", 5, 0), 5);
	CHECK_IS(pread(fd, text, 5, 0), 5);
	CHECK(!strcmp(text, "alive") && !close(fd));
	return 0;
}

static pid_t victim_start(void)
{
	char shared[128];
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (!pid) {
		become(victim_uid);
		snprintf(shared, sizeof shared, "%s/" SHARED, attack_domain.directory);
		setenv("HOME", "/", 1);
		execl(farcall, farcall, "run", "--domain", attack_domain.socket, "--", self, "/data", shared, NULL);
		_exit(127);
	}
	return pid;
}

/* ---- the forger ---- */

static pid_t next_pid(void)
{
	char path[128];
	pid_t pid = 0;
	int fd;

	snprintf(path, sizeof path, "%s/" SHARED, attack_domain.directory);
	fd = open(path, O_RDONLY);
	if (fd < 0 || pread(fd, &pid, sizeof pid, 0) != sizeof pid)
		pid = 0;
	close(fd);
	return pid;
}

/* A session said to be that process', whose shadow hangs as it ends. */
static void forge(struct session *parent, pid_t pid, int fd)
{
	struct session child;

	if (attack_fork(parent, &child) < 0)
		return;
	attack_tell(parent->sock, FC_MSG_FORKED, child.id, (uint64_t)pid, NULL, 0);
	attack_sleep_ms(30); /* until the supervisor has heard it */
	attack_tell(child.sock, FC_MSG_GROW, FC_DATA_MIN, 0, &fd, 1);
	attack_sleep_ms(30);
	close(child.sock);
}

static void forger(void)
{
	struct session s = { .sock = -1 };
	char path[128];
	pid_t last = 0;
	int fd;

	become(ATTACKER);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	snprintf(path, sizeof path, "%s/" FUSE_FILE, mount_point);
	fd = open(path, O_RDONLY);
	CHECK(fd >= 0);
	fuse_silence(&fuse);
	for (;;) {
		pid_t pid = next_pid();

		if (s.sock < 0 || attack_lost(&s)) {
			if (s.sock >= 0)
				session_close(&s);
			s.sock = -1;
			if (attack_open(&s) < 0)
				s.sock = -1;
		}
		if (pid && pid != last && s.sock >= 0) {
			forge(&s, pid, fd);
			last = pid;
		}
		attack_sleep_ms(5);
	}
}

static void run_both(void)
{
	int status;
	pid_t bad = fork(), good;

	CHECK(bad >= 0);
	if (!bad)
		forger();
	attack_sleep_ms(100);
	good = victim_start();
	CHECK(waitpid(good, &status, 0) == good);
	EXPECT(WIFEXITED(status) && !WEXITSTATUS(status), "the victim, user %u, ended with status %x", victim_uid,
	       status);
	kill(bad, SIGKILL);
	waitpid(bad, NULL, 0);
}

static void of_another(void)
{
	victim_uid = NEIGHBOUR;
	run_both();
}

static void of_its_own(void)
{
	victim_uid = ATTACKER;
	run_both();
}

/* ---- */

static void mount_fuse(void)
{
	fuse_start(&fuse, mount_point, true);
}

static void prepare(void)
{
	char shared[128];
	pid_t none = 0;
	int fd;

	CHECK(!unshare(CLONE_NEWNS) && !mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	snprintf(mount_point, sizeof mount_point, "%s/fuse", attack_domain.directory);
	CHECK(!mkdir(mount_point, 0755));
	snprintf(shared, sizeof shared, "%s/" SHARED, attack_domain.directory);
	fd = open(shared, O_CREAT | O_RDWR, 0666);
	CHECK(fd >= 0 && !fchmod(fd, 0666) && write(fd, &none, sizeof none) == sizeof none);
	close(fd);
	mount_fuse();
}

static void remount(void)
{
	fuse_stop(&fuse);
	mount_fuse();
}

int main(int argc, char **argv)
{
	static const struct attack_setup setup = { .prepare = prepare, .after = remount };
	const char *command = getenv("FARCALL"), *build = getenv("FC_BUILD");
	int status;

	if (argc == 3)
		return victim(argv[1], argv[2]);
	CHECK(realpath(argv[0], self) || readlink("/proc/self/exe", self, sizeof self - 1) > 0);
	snprintf(farcall, sizeof farcall, "%s%s", command ? command : build ? build : ".", command ? "" : "/farcall");
	attack_begin(&setup);
	attack_by(0, "another user's child claimed as one's own", of_another);
	attack_by(0, "somebody else's child of the same user claimed", of_its_own);
	status = attack_end();
	fuse_stop(&fuse);
	return status;
}
