/* SPDX-License-Identifier: GPL-2.0-or-later */
/* t_sessions.c - sessions without bound: two users take all that they get, and a third still attaches at once. */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/attack/attack.h"

#define ACCOMPLICE 1002u
#define SESSIONS 1100 /* more than a domain has */
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

int main(void)
{
	static const struct attack_setup setup = { .greedy = true };

	attack_begin(&setup);
	attack_by(0, "two users take all sessions", two);
	return attack_end();
}
