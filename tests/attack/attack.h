/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * attack.h - what the tests have in common in which a client attacks a domain: a domain run by root, two honest
 * programs beside the attack, and the verdict: they saw no error and no delay, and nothing is left afterwards. What an
 * attack must not achieve is its own test's to say.
 *
 *	int main(void)
 *	{
 *		attack_begin(&setup);
 *		attack_by(ATTACKER, "what it is about", function);
 *		return attack_end();
 *	}
 *
 * The honest programs belong to ATTACKER and NEIGHBOUR. Each holds a session for as long as an attack lasts, calls on
 * it all the time, and attaches again and again. How long that takes is measured without attack too, and a slow machine
 * may be as many times slower with one as ATTACK_SLOWER says. An attack that seems to have delayed them is run again to
 * make sure.
 */
#ifndef FC_TESTS_ATTACK_H
#define FC_TESTS_ATTACK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "tests/domain/peer.h"

#define ATTACKER 1000u
#define NEIGHBOUR 1001u
#define ATTACK_ATTACH_MS 50
#define ATTACK_CALL_MS 10
#define ATTACK_SLOWER 5

extern struct daemon attack_domain;

struct attack_setup {
	const char *const *options; /* more options for the daemon, up to a null pointer; or null */
	const char *under;          /* a helper in tests/attack that executes the daemon; or null */
	void (*prepare)(void);      /* the directory to export is there, the daemon not yet; or null */
	void (*after)(void);        /* an attack is over and judged: take away what holds its remains; or null */
	unsigned pids;              /* the most tasks the daemon's cgroup may have, 0: no cgroup of its own */
	unsigned memory_mb;         /* the same for memory */
	bool greedy;                /* the attack takes all that its user may have: to be refused more (EAGAIN, EMFILE,
				       ENFILE, a closed connection) is right for this user's honest program */
};

/* Start the domain and the honest programs. Exits with 77 if this is not root. */
void attack_begin(const struct attack_setup *s);

/* Run `what` in a process of `uid` beside the honest programs, then see what is left. It is killed, with all that it
 * has started, when it returns. FC_ATTACK in the environment: only those with this text in their names. */
void attack_by(uid_t uid, const char *name, void (*what)(void));
/* What an attach may take from then on, whatever it takes without an attack. */
extern int attack_attach_ms;

/* Run `what` as `uid` without a look at the domain: for what is normal without farcall. */
void attack_natively(uid_t uid, const char *name, void (*what)(void));

/* End the domain. Returns the program's exit status. */
int attack_end(void);

/* One thing that must not be, in any process of the test. It goes on. */
void attack_wrong(const char *format, ...) __attribute__((format(printf, 1, 2)));
#define EXPECT(condition, ...)                     \
	do {                                       \
		if (!(condition))                  \
			attack_wrong(__VA_ARGS__); \
	} while (0)

/* ---- clients that do not trust their luck: everything ends in time, nothing ends the program ---- */

int attack_connect(void);
/* Send and wait for the answer: its status, a transport error, -ETIMEDOUT after 10 s. *answer may be null. */
int attack_ask(int sock, unsigned type, uint64_t a, uint64_t b, const int *fds, int nfds, struct fc_packet *answer);
/* Send bytes and up to 250 descriptors. 0 or -errno. */
int attack_send(int sock, const void *bytes, size_t size, const int *fds, int nfds);
int attack_tell(int sock, unsigned type, uint64_t a, uint64_t b, const int *fds, int nfds);

/* A session, with and without areas. 0 or -errno; after an error there is nothing to close. */
int attack_attach(struct session *s);
int attack_open(struct session *s);

/* The child's session of one, without areas. */
int attack_fork(struct session *parent, struct session *child);

/* Queue a request on an entry that is not in use, ring. */
void attack_post(struct session *s, unsigned entry, unsigned nr, const uint64_t arg[6]);
#define ATTACK_LOST INT64_MIN
/* Its result; ATTACK_LOST: the session has been cut off, or `ms` have passed. */
int64_t attack_result(struct session *s, unsigned entry, int ms);
int64_t attack_call(struct session *s, unsigned nr, const uint64_t arg[6]);
#define ATTEMPT(s, nr, ...) attack_call(s, nr, (const uint64_t[6]){ __VA_ARGS__ })
bool attack_lost(const struct session *s);

/* openat on entry 0, the path put at offset 0 of the data area */
int64_t attack_open_file(struct session *s, const char *path, int flags, int mode);

/* ---- odds and ends ---- */

double attack_now(void);
void attack_sleep_ms(int ms);

/* Path of a file in the exported directory. One of a few buffers, used in turn. */
const char *attack_file(const char *name);
/* Make one there, with these bytes, owner and mode. */
void attack_make_file(const char *name, const char *text, uid_t owner, mode_t mode);

/* A descriptor over a Unix socket. */
void attack_pass(int sock, int fd);
int attack_take(int sock);

/* The domain's processes, the supervisor first. Returns how many; `threads` (or null) is the sum of theirs. */
unsigned attack_processes(pid_t *list, unsigned room, unsigned *threads);

#endif
