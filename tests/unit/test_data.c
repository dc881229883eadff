/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_data.c - libc-shim/session/data.c without a domain: which call has which part of the data area, what comes back, when the area grows
 * and shrinks, and that no part is two calls', in threads.
 */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <time.h>

#include "common/atomic.h"
#include "libc-shim/session/data.h"
#include "libc-shim/session/session.h"
#include "libc-shim/shim.h"

TestSuite(data, .timeout = 60);

#define ME 7
#define AT_FIRST (FC_DATA_MIN / FC_CHUNK)

static struct shim_session session;
static struct shim_session *const s = &session;
static struct shim_slot slots[FC_ENTRIES];
static uint32_t most = AT_FIRST; /* chunks there can be */
static unsigned grown, shrunk, reclaimed, waited;

/* ---- what data.c needs of others ---- */

shim_owner shim_owner_self(void)
{
	return ME;
}

uint64_t shim_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

int shim_grow(struct shim_session *of)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	int r = -ENOMEM;

	pthread_mutex_lock(&lock);
	if (of->chunks + AT_FIRST <= most) {
		grown++;
		fc_store_release(&of->chunks, of->chunks + AT_FIRST);
		r = 0;
	}
	pthread_mutex_unlock(&lock);
	return r;
}

void shim_shrink(struct shim_session *of)
{
	shrunk++;
	of->chunks -= AT_FIRST;
}

void shim_requests_reclaim(struct shim_requests *q, shim_owner owner, bool look_for_dead)
{
	(void)q, (void)owner, (void)look_for_dead;
	fc_faa(&reclaimed, 1u);
}

/* Nobody gives anything back but the threads of the test. */
bool shim_wait_for_room(struct shim_requests *q, unsigned round)
{
	(void)q, (void)round;
	fc_faa(&waited, 1u);
	nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	return true;
}

/* ---- */

static void setup(void)
{
	s->requests.slot = slots;
	s->chunks = AT_FIRST;
	s->requests.used = FC_ENTRIES;
}

/* The entry is a call's. */
static int begin(int entry)
{
	slots[entry].owner = ME;
	return shim_entry_chunk(s, entry);
}

static void end(int entry)
{
	if (slots[entry].extra)
		shim_extra_free(s, entry);
	slots[entry].owner = 0;
}

Test(data, an_entry_keeps_its_first_chunk, .init = setup)
{
	int a = begin(0), b = begin(1);

	cr_assert(a >= 0 && b >= 0 && a != b);
	cr_assert_eq(shim_entry_chunk(s, 0), a);
	end(0);
	cr_assert_eq(begin(0), a, "also for the next call");
	cr_assert_eq(s->chunk_owner[a], 1);
	cr_assert_eq(s->chunk_owner[b], 2);
}

Test(data, extra_chunks_come_back, .init = setup)
{
	int first = begin(3), extra[AT_FIRST - 1];

	for (unsigned i = 0; i < AT_FIRST - 1; i++) {
		extra[i] = shim_entry_extra(s, 3);
		cr_assert(extra[i] >= 0 && extra[i] != first);
		for (unsigned k = 0; k < i; k++)
			cr_assert_neq(extra[i], extra[k]);
	}
	shim_extra_free(s, 3);
	for (unsigned i = 0; i < AT_FIRST - 1; i++)
		cr_assert_eq(s->chunk_owner[extra[i]], 0);
	cr_assert_eq(s->chunk_owner[first], 4);
	cr_assert_eq(slots[3].extra, 0);
}

Test(data, it_grows_when_all_is_in_use, .init = setup)
{
	most = 4 * AT_FIRST;
	begin(0);
	for (unsigned i = 1; i < 3 * AT_FIRST; i++)
		cr_assert_geq(shim_entry_extra(s, 0), 0);
	cr_assert_eq(grown, 2);
	cr_assert_eq(s->chunks, 3 * AT_FIRST);
	cr_assert_eq(s->peak, 3 * AT_FIRST - 1);
}

Test(data, at_the_limit_an_idle_entry_gives_its_chunk, .init = setup)
{
	int idle = begin(9), chunk;

	end(9);
	begin(0);
	for (unsigned i = 2; i < AT_FIRST; i++)
		cr_assert_geq(shim_entry_extra(s, 0), 0);
	chunk = begin(1);
	cr_assert_eq(chunk, idle);
	cr_assert_eq(slots[9].chunk, 0);
	cr_assert_eq(slots[9].owner, 0);
	cr_assert_eq(s->chunk_owner[idle], 2);
	cr_assert_geq(reclaimed, 1);
}

Test(data, a_call_that_has_some_does_not_wait_for_more, .init = setup)
{
	begin(0);
	for (unsigned i = 1; i < AT_FIRST; i++)
		cr_assert_geq(shim_entry_extra(s, 0), 0);
	cr_assert_lt(shim_entry_extra(s, 0), 0);
	cr_assert_eq(waited, 0);
	cr_assert_neq(slots[0].extra, 0, "and keeps what it has");
}

static void *give_back(void *unused)
{
	nanosleep(&(struct timespec){ .tv_nsec = 100000000 }, NULL);
	shim_extra_free(s, 0);
	return unused;
}

Test(data, a_new_call_waits_for_one_that_ends, .init = setup)
{
	pthread_t thread;

	begin(0);
	for (unsigned i = 1; i < AT_FIRST; i++)
		cr_assert_geq(shim_entry_extra(s, 0), 0);
	pthread_create(&thread, NULL, give_back, NULL);
	cr_assert_geq(begin(1), 0);
	cr_assert_gt(waited, 0);
	pthread_join(thread, NULL);
}

Test(data, and_gives_up_after_a_second, .init = setup)
{
	uint64_t start = shim_now_ns();

	begin(0);
	for (unsigned i = 1; i < AT_FIRST; i++)
		cr_assert_geq(shim_entry_extra(s, 0), 0);
	cr_assert_lt(begin(1), 0);
	cr_assert_geq(shim_now_ns() - start, 900000000u);
	cr_assert_eq(slots[1].chunk, 0);
}

Test(data, a_segment_is_taken_whole_or_not, .init = setup)
{
	int chunk = begin(0);

	cr_assert_not(shim_chunks_take(s, 0, AT_FIRST));
	for (unsigned i = 0; i < AT_FIRST; i++)
		cr_assert_eq(s->chunk_owner[i], i == (unsigned)chunk ? 1 : 0, "chunk %u", i);
	cr_assert(shim_chunks_take(s, (uint32_t)chunk + 1, 2));
	cr_assert_geq(shim_entry_extra(s, 0), chunk + 3, "those are nobody's to have");
	shim_chunks_give(s, (uint32_t)chunk + 1, 2);
	cr_assert_eq(s->chunk_owner[chunk + 1], 0);
}

Test(data, it_shrinks_when_half_of_it_is_not_needed, .init = setup)
{
	most = 2 * AT_FIRST;
	cr_assert_eq(shim_grow(s), 0);
	for (int i = 0; i < 200 && !shrunk; i++)
		shim_data_nap(s);
	cr_assert_eq(shrunk, 1);
	for (int i = 0; i < 200; i++)
		shim_data_nap(s);
	cr_assert_eq(shrunk, 1, "there is no less");
}

Test(data, it_does_not_while_it_is_needed, .init = setup)
{
	most = 2 * AT_FIRST;
	begin(0);
	for (unsigned i = 0; i < 2 * AT_FIRST - 2; i++)
		cr_assert_geq(shim_entry_extra(s, 0), 0);
	shim_extra_free(s, 0);
	for (int i = 0; i < 33; i++)
		shim_data_nap(s);
	cr_assert_eq(shrunk, 0);
}

/* Each thread writes its own number into what it has been given. */
static char what[SHIM_CHUNKS];
static unsigned mixed;

static void *use(void *of)
{
	const int entry = (int)(intptr_t)of;

	for (int round = 0; round < 20000; round++) {
		int chunk[4];

		chunk[0] = begin(entry);
		for (int i = 1; i < 4; i++)
			chunk[i] = shim_entry_extra(s, entry);
		for (int i = 0; i < 4; i++)
			if (chunk[i] >= 0)
				fc_store(&what[chunk[i]], (char)(entry + 1));
		for (int i = 0; i < 4; i++)
			if (chunk[i] >= 0 && fc_load(&what[chunk[i]]) != entry + 1)
				fc_faa(&mixed, 1u);
		end(entry);
	}
	return NULL;
}

Test(data, no_chunk_is_two_calls, .init = setup)
{
	pthread_t thread[4];

	most = 16 * AT_FIRST;
	for (intptr_t i = 0; i < 4; i++)
		pthread_create(&thread[i], NULL, use, (void *)i);
	for (int i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
	cr_assert_eq(mixed, 0);
	for (unsigned i = 0, owned = 0; i < SHIM_CHUNKS; i++) {
		owned += s->chunk_owner[i] != 0;
		cr_assert_leq(owned, 4);
	}
}
