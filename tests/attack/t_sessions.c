/* SPDX-License-Identifier: GPL-2.0-or-later */
/* t_sessions.c - sessions without bound: two users take all that they get, and a third still attaches at once. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/attack/attack.h"

#define ACCOMPLICE 1002u
#define SESSIONS 1100 /* more than a domain has */
#define SUBUIDS 400
#define HOLD_MS 1500

/* By ATTACH and by FORK, as they come. */
static unsigned take(struct session *s, unsigned room)
{
	unsigned n = 0, refused = 0;
	int r = 0;

	while (n < room && refused < 20) {
		r = n % 2 ? attack_fork(&s[n - 1], &s[n]) : attack_attach(&s[n]);
		if (r < 0 && n % 2)
			r = attack_attach(&s[n]);
		if (r == 0) {
			n++;
			continue;
		}
		EXPECT(r == -EAGAIN || r == -EPIPE, "attach is refused, but with %s", strerror(-r));
		refused++;
		attack_sleep_ms(10);
	}
	return n;
}

static void take_all(uid_t uid)
{
	static struct session s[SESSIONS];
	unsigned n;

	become(uid);
	n = take(s, SESSIONS);
	printf("# user %u has %u sessions\n", uid, n);
	EXPECT(n >= 16, "user %u gets no more than %u sessions", uid, n);
	attack_sleep_ms(HOLD_MS);
}

static void two(void)
{
	static const uid_t uid[2] = { ATTACKER, ACCOMPLICE };
	pid_t pid[2];

	for (int i = 0; i < 2; i++) {
		pid[i] = fork();
		CHECK(pid[i] >= 0);
		if (!pid[i]) {
			take_all(uid[i]);
			exit(0);
		}
	}
	for (int i = 0; i < 2; i++)
		CHECK(waitpid(pid[i], NULL, 0) == pid[i]);
}

/* ---- one user who has many ---- */

static void write_map(pid_t pid, const char *name)
{
	char path[64];
	int fd;

	snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
	fd = open(path, O_WRONLY);
	CHECK(fd >= 0 && dprintf(fd, "0 %d 1\n1 100000 %d\n", ATTACKER, SUBUIDS) > 0);
	close(fd);
}

/* In a namespace of the attacker's: each of its users takes what it gets. How many is written to `told`; they are held for `ms`. */
static void take_by_many(int told, int ms)
{
	static struct session s[8];

	for (uid_t uid = 1; uid < SUBUIDS; uid++) {
		pid_t pid = fork();
		uint32_t n = 0;

		CHECK(pid >= 0);
		attack_sleep_ms(
			pid ? 10
			    : 0); /* how much they have together is the question, not how it is when all come at once */
		if (pid)
			continue;
		CHECK(!setresgid(uid, uid, uid) && !setresuid(uid, uid, uid) && !prctl(PR_SET_DUMPABLE, 1));
		while (n < 8 && attack_attach(&s[n]) == 0)
			n++;
		CHECK(write(told, &n, sizeof n) == sizeof n);
		attack_sleep_ms(ms);
		_exit(0);
	}
}

static void many(void)
{
	int made[2], mapped[2], told[2];
	uint32_t n, all = 0;
	char byte;
	pid_t pid;

	CHECK(!pipe(made) && !pipe(mapped) && !pipe(told));
	pid = fork();
	CHECK(pid >= 0);
	if (!pid) {
		become(ATTACKER);
		CHECK(!unshare(CLONE_NEWUSER) && write(made[1], "", 1) == 1 && read(mapped[0], &byte, 1) == 1);
		CHECK(!setresgid(0, 0, 0) && !setresuid(0, 0, 0));
		take_by_many(told[1], HOLD_MS + SUBUIDS * 15);
		while (wait(NULL) > 0)
			;
		_exit(0);
	}
	close(told[1]);
	CHECK(read(made[0], &byte, 1) == 1);
	write_map(pid, "uid_map"); /* as newuidmap does for whoever has a range in /etc/subuid */
	write_map(pid, "gid_map");
	CHECK(write(mapped[1], "", 1) == 1);
	while (read(told[0], &n, sizeof n) == sizeof n)
		all += n;
	printf("# %d users of user %d's have %u sessions together\n", SUBUIDS - 1, ATTACKER, all);
	EXPECT(all <= 512, "%u sessions for what is one user", all);
	CHECK(waitpid(pid, NULL, 0) == pid);
}

int main(void)
{
	static const struct attack_setup setup = { .greedy = true };

	attack_begin(&setup);
	attack_by(0, "two users take all sessions", two);
	/* hundreds of processes want a CPU at the same time as who attaches, and natively he would wait for them, too */
	attack_attach_ms = 800;
	attack_by(0, "a user's own users take all sessions", many);
	return attack_end();
}
