/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * t_poison.c - a session that has been cut off: what its client asks for once it can see that it has been, no worker
 * does any more, however busy they are.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/doorbell.h"
#include "tests/attack/attack.h"

#define TRIES 400
#define LATE 64 /* entries that are kept for afterwards */

static struct session s;

/* All others in use, all the time, so that workers are awake: until the session is cut off. */
static void keep_busy(void)
{
	while (!attack_lost(&s))
		for (unsigned i = LATE; i < FC_ENTRIES; i++)
			if (__atomic_load_n(&s.area->entry[i].state, __ATOMIC_ACQUIRE) == FC_DONE)
				attack_post(&s, i, FC_NR_NOP, (uint64_t[6]){ 0 });
}

static void ask_late(void)
{
	for (unsigned i = 0; i < LATE; i++)
		attack_post(&s, i, SYS_mkdirat, (uint64_t[6]){ (uint64_t)AT_FDCWD, i * FC_PATH_MAX / 2, 0777 });
	fc_bell_ring(&fc_bell_local, &s.area->header);
}

static void prepare(unsigned round)
{
	char name[64];

	for (unsigned i = 0; i < LATE; i++) {
		snprintf(name, sizeof name, "/data/late/%u.%u", round, i);
		session_put(&s, i * FC_PATH_MAX / 2, name);
	}
	for (unsigned i = LATE; i < FC_ENTRIES; i++)
		attack_post(&s, i, FC_NR_NOP, (uint64_t[6]){ 0 });
}

static void *break_protocol(void *arg)
{
	attack_sleep_ms(1);
	attack_tell(s.sock, 99, 0, 0, NULL, 0);
	return arg;
}

/* How many of the late requests have been carried out. */
static unsigned look(unsigned round)
{
	unsigned done = 0;
	char name[64];

	for (unsigned i = 0; i < LATE; i++) {
		snprintf(name, sizeof name, "late/%u.%u", round, i);
		done += !rmdir(attack_file(name));
	}
	return done;
}

static void late(void)
{
	unsigned done = 0, round;
	pthread_t thread;
	int r;

	for (round = 0; round < TRIES && !done; round++) {
		while ((r = attack_open(&s)) == -EAGAIN)
			attack_sleep_ms(5);
		CHECK_IS(r, 0);
		prepare(round);
		CHECK(!pthread_create(&thread, NULL, break_protocol, NULL));
		keep_busy();
		ask_late();
		pthread_join(thread, NULL);
		EXPECT(peer_hangs_up(s.sock, 2000), "a session that has been cut off does not end");
		done = look(round);
		session_close(&s);
	}
	printf("# %u sessions cut off\n", round);
	EXPECT(!done, "%u requests of a client that had been cut off were carried out", done);
}

int main(void)
{
	attack_begin(NULL);
	CHECK(!mkdir(attack_file("late"), 0777) && !chmod(attack_file("late"), 0777));
	attack_by(ATTACKER, "requests after the end", late);
	return attack_end();
}
