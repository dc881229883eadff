/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * suite.h - what the tests of a real farcall-storaged have in common: one domain per round, every test in a process of its own
 * as a client of it, and no descriptor more in the supervisor at the end than at the start. Rounds: with a domain run by
 * ourselves, and if we are root with one run by an ordinary user, in a user namespace.
 */
#ifndef FC_TESTS_SUITE_H
#define FC_TESTS_SUITE_H

#include "farcall/farcall.h"
#include "tests/domain/peer.h"

#define SUITE_USER 12345 /* somebody without a name or rights */

struct suite_test {
	void (*run)(void);
	const char *name;
};

extern struct daemon suite_domain;
extern const char *suite_daemon; /* path of farcall-storaged */

/* A main function: arguments are the daemon and, if not all of `test` (ended by a null name) are to run, their names. `last`
 * (or null) runs in a process that has inherited the domain's processes, and must end the domain. `by_root` (or null) runs in
 * root's own round, `by_others` (or null) as root and as a third user in the other one. */
struct suite {
	const struct suite_test *test;
	void (*by_root)(void);
	void (*by_others)(void);
	void (*last)(void);
};
int suite_main(const struct suite *s, int argc, char **argv);

/* Run `what` in a child as `uid` (-1: ourselves). Its failure is ours. */
void suite_as(uid_t uid, void (*what)(void));

void suite_sleep_ms(int ms);

/* Open a file with a request on entry 0. Returns the domain descriptor or -errno. */
int64_t suite_open(struct session *s, const char *path, int flags);

/* STAT: the figures, to be given back; a session in them, or null; a session's shadow, or 0. */
const struct fc_stat_domain *suite_stat(void);
void suite_stat_free(const struct fc_stat_domain *d);
const struct fc_stat_session *suite_stat_find(const struct fc_stat_domain *d, uint32_t id);
pid_t suite_shadow(uint32_t id);

#endif
