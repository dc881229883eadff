/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * t_token.c - the connection as a bearer token: a child of root that has become somebody else, without its shim
 * noticing, has its parent's connection, and asks there for what root may. Each message's sender counts: the session
 * ends, or refuses. A client that changes its ids as the protocol wants it, and root in somebody else's session, go on.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/attack/attack.h"

#define SECRET "/data/secret"

static struct session root_session;
static unsigned message; /* what the child sends */

static int64_t open_secret(struct session *s)
{
	return attack_open_file(s, SECRET, O_RDWR, 0);
}

/* A process of `uid` that has inherited everything. */
static void as_child(uid_t uid, void (*what)(void))
{
	int status;
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (!pid) {
		become(uid);
		what();
		exit(0);
	}
	CHECK(waitpid(pid, &status, 0) == pid);
	EXPECT(WIFEXITED(status) && !WEXITSTATUS(status), "a child ended with status %x", status);
}

/* ---- what the child tries ---- */

static void takes_a_session(void)
{
	struct session child;

	if (attack_fork(&root_session, &child) < 0)
		return;
	if (session_areas(&child) == 0)
		EXPECT(open_secret(&child) < 0, "FORK on root's connection by user %u: a session of root", geteuid());
	session_close(&child);
}

static void takes_the_session(void)
{
	struct session s = { .sock = root_session.sock };

	if (session_areas(&s) == 0)
		EXPECT(open_secret(&s) < 0, "AREAS on root's connection by user %u: root's session", geteuid());
}

static void says_something(void)
{
	int fd = peer_memfd(FC_DATA_MIN), r;
	uint64_t arg = message == FC_MSG_GROW || message == FC_MSG_SHRINK ? FC_DATA_MIN
		       : message == FC_MSG_GONE                           ? (uint64_t)getpid()
									  : 1;

	attack_tell(root_session.sock, message, arg, getpid(), &fd, message == FC_MSG_GROW);
	r = peer_hangs_up(root_session.sock, 2000);
	EXPECT(r, "message %u by user %u on root's connection is taken", message, geteuid());
}

static void begin(void)
{
	CHECK_IS(attack_open(&root_session), 0);
	EXPECT(open_secret(&root_session) >= 0, "root cannot open its own file");
}

static void inherited(void)
{
	static const unsigned messages[] = { FC_MSG_FORK, FC_MSG_GROW,   FC_MSG_SHRINK, FC_MSG_FORKED,
					     FC_MSG_GONE, FC_MSG_RLIMIT, FC_MSG_BYE,    FC_MSG_MEMORY,
					     FC_MSG_HAND, FC_MSG_OTHER,  FC_MSG_UNMAP };

	begin();
	as_child(ATTACKER, takes_a_session);
	session_close(&root_session);
	begin();
	as_child(ATTACKER, takes_the_session);
	session_close(&root_session);
	for (size_t i = 0; i < sizeof messages / sizeof messages[0]; i++) {
		begin();
		message = messages[i];
		as_child(ATTACKER, says_something);
		session_close(&root_session);
	}
}

/* ---- the same by a user of another ---- */

static struct session passed_on;

static void another(void)
{
	struct session child;

	if (attack_fork(&passed_on, &child) < 0)
		return;
	if (session_areas(&child) == 0)
		EXPECT(attack_open_file(&child, "/data/mine", O_RDWR, 0) < 0,
		       "user %u's connection makes user %u's sessions", ATTACKER, geteuid());
	session_close(&child);
}

static void between_users(void)
{
	int pair[2], status;
	char byte;
	pid_t pid;

	CHECK(!socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair));
	pid = fork();
	CHECK(pid >= 0);
	if (!pid) {
		become(ATTACKER);
		CHECK_IS(attack_open(&passed_on), 0);
		attack_pass(pair[1], passed_on.sock);
		CHECK(read(pair[1], &byte, 1) >= 0);
		exit(0);
	}
	passed_on.sock = attack_take(pair[0]);
	as_child(NEIGHBOUR, another);
	close(passed_on.sock);
	CHECK(write(pair[0], "", 1) == 1);
	CHECK(waitpid(pid, &status, 0) == pid && !status);
}

/* ---- what must go on ---- */

/* Root may speak on a user's connection: a program that becomes itself again for a moment. */
static void ids_change(void)
{
	struct fc_msg m = { .type = FC_MSG_CRED };
	struct session s;
	struct fc_packet p;
	int sock, r;

	CHECK_IS(attack_open(&s), 0);
	CHECK(!setresgid(ATTACKER, ATTACKER, ATTACKER) && !setresuid(ATTACKER, ATTACKER, 0));
	sock = attack_connect();
	CHECK(sock >= 0);
	m.arg[0] = s.token[0];
	m.arg[1] = s.token[1];
	m.arg[2] = m.arg[3] = -1ull;
	r = fc_control_ask(sock, &m, NULL, NULL, 0, &p);
	EXPECT(r == 0, "CRED after a change of ids: %s", strerror(-r));
	close(sock);
	EXPECT(open_secret(&s) == -EACCES, "user %u opens root's file", ATTACKER);
	r = session_grow(&s);
	EXPECT(r == 0, "a data segment after a change of ids: %s", strerror(-r));
	CHECK(!setresuid(0, 0, 0));
	r = attack_ask(s.sock, FC_MSG_RLIMIT, -1ull, -1ull, NULL, 0, NULL);
	EXPECT(r == 0, "a message by root on user %u's connection: %s", ATTACKER, strerror(-r));
	EXPECT(!attack_lost(&s), "the session of a program that has changed its ids as it should is over");
	session_close(&s);
}

int main(void)
{
	attack_begin(NULL);
	attack_make_file("secret", "secret", 0, 0600);
	attack_make_file("mine", "mine", ATTACKER, 0600);
	attack_by(0, "root's connection in a child of another user", inherited);
	attack_by(0, "one user's connection in another's hands", between_users);
	attack_by(0, "ids that change as they should", ids_change);
	return attack_end();
}
