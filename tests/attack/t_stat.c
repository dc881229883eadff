/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * t_stat.c - whose sessions there are, and which processes and commands they are of, is told to root; to others, what
 * is their own.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "farcall/farcall.h"
#include "tests/attack/attack.h"

#define TIMES 30

struct seen {
	unsigned own, others;
};

static struct seen look(uid_t uid)
{
	int sock = attack_connect();
	const struct fc_stat_session *of;
	const struct fc_stat_domain *d;
	struct seen seen = { 0 };
	struct fc_packet p;

	CHECK(sock >= 0);
	CHECK_IS(attack_ask(sock, FC_MSG_STAT, 0, 0, NULL, 0, &p), 0);
	CHECK_IS(p.nfds, 1);
	d = mmap(NULL, p.head.arg[0], PROT_READ, MAP_SHARED, p.fd[0], 0);
	CHECK(d != MAP_FAILED && d->magic == FC_STAT_MAGIC);
	CHECK_IS(d->size + d->sessions * (uint64_t)d->session_size, p.head.arg[0]);
	CHECK_IS(lseek(p.fd[0], 0, SEEK_END), p.head.arg[0]); /* nothing behind the end */
	of = (const void *)(d + 1);
	for (unsigned i = 0; i < d->sessions; i++) {
		if (of[i].uid == uid)
			seen.own++;
		else if (!seen.others++ && uid)
			attack_wrong("user %u is told of user %u's session, process %u, %.16s", uid, of[i].uid,
				     of[i].client_pid, of[i].comm);
	}
	munmap((void *)d, p.head.arg[0]);
	fc_packet_drop(&p);
	close(sock);
	return seen;
}

/* Both honest programs have sessions all the time. */
static void curious(void)
{
	struct session s;
	struct seen seen = { 0 };

	CHECK_IS(attack_open(&s), 0);
	for (int i = 0; i < TIMES && !seen.others; i++) {
		seen = look(ATTACKER);
		EXPECT(seen.own >= 1, "a user is not told of its own session");
		attack_sleep_ms(5);
	}
	session_close(&s);
}

static void root(void)
{
	struct seen seen = look(0);

	EXPECT(seen.others >= 2, "root is told of %u sessions, not of both programs'", seen.others);
}

int main(void)
{
	attack_begin(NULL);
	attack_by(ATTACKER, "the figures, as a user sees them", curious);
	attack_by(0, "the figures, as root sees them", root);
	return attack_end();
}
