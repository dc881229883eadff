/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_cache.c - libc-shim/session/cache.c: what is found is what was put there, whoever puts something else there meanwhile; a fork has none of it; and memory
 * that cannot be written to.
 */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/atomic.h"
#include "libc-shim/hook.h"
#include "libc-shim/session/cache.h"
#include "libc-shim/shim.h"

TestSuite(cache, .timeout = 60);

struct shim_globals shim;

/* of hook/usercopy.c, which is not here */
static char *forbidden;
/* What is copied may be changing: whoever has copied looks whether it was. The thread sanitizer is not told, as it is not in the shim, where this is assembler. */
__attribute__((no_sanitize("thread"))) size_t fc_copy_to_user(void *user, const void *src, size_t n)
{
	volatile char *to = user;
	const volatile char *from = src;

	if (user == forbidden)
		return n;
	for (size_t i = 0; i < n; i++)
		to[i] = from[i];
	return 0;
}

static uint32_t wrong, found, over;

/* Every word says what it is. */
static void fill(uint64_t *to, uint64_t key, uint64_t block)
{
	for (uint64_t i = 0; i < SHIM_BLOCK / 8; i++)
		to[i] = key << 40 | block << 16 | i;
}

static void put(uint64_t key, uint64_t block, uint32_t bytes)
{
	static const uint32_t writes;
	uint64_t text[SHIM_BLOCK / 8];

	fill(text, key, block);
	shim_cache_put(&(struct shim_cache_fill){ .key = key, .writes = writes }, block, (char *)text, bytes, false);
}

static bool get(uint64_t key, uint64_t at, uint64_t n, char *to)
{
	const struct iovec iov[3] = { { to, n / 3 }, { to, 0 }, { to + n / 3, n - n / 3 } };

	return shim_cache_read(key, iov, 3, n, at);
}

Test(cache, none)
{
	shim.config.cache = SHIM_BLOCK;
	cr_expect_not(shim_cache_allowed());
	cr_expect_eq(shim_cache_begin(), 0);
	cr_expect_not(get(1, 0, 10, (char[10]){ 0 }));
}

Test(cache, one)
{
	char text[3 * SHIM_BLOCK];
	uint64_t is[2 * SHIM_BLOCK / 8], key;

	shim.config.cache = 1 << 20;
	key = shim_cache_begin();
	cr_assert_neq(key, 0);
	put(key, 7, SHIM_BLOCK);
	put(key, 8, 100);
	fill(is, key, 7);
	fill(is + SHIM_BLOCK / 8, key, 8);
	cr_expect(get(key, 7 * SHIM_BLOCK, SHIM_BLOCK, text) && !memcmp(text, is, SHIM_BLOCK));
	cr_expect(get(key, 8 * SHIM_BLOCK - 50, 150, text) && !memcmp(text, (char *)is + SHIM_BLOCK - 50, 150));
	cr_expect_not(get(key, 8 * SHIM_BLOCK - 50, 151, text), "more than is known");
	cr_expect_not(get(key, 7 * SHIM_BLOCK - 1, 2, text), "the block before is not there");
	cr_expect_not(get(key + 1, 7 * SHIM_BLOCK, 10, text), "another's");
	forbidden = text;
	cr_expect_not(get(key, 7 * SHIM_BLOCK, 10, text), "memory that is not there");
	forbidden = NULL;
	cr_expect(shim_cache_has(key, 7) && !shim_cache_has(key, 6));
	if (!fork())
		_exit(shim_cache_has(key, 7) || get(key, 7 * SHIM_BLOCK, 10, text));
	int status = 1;
	wait(&status);
	cr_expect_eq(status, 0, "a child has it");
	shim_cache_end();
	cr_expect_not(shim_cache_has(key, 7), "it is given back");
	shim_cache_end(); /* of a delegation that began before a fork */
	key = shim_cache_begin();
	put(key, 7, SHIM_BLOCK);
	cr_expect(shim_cache_has(key, 7));
}

/* All of a file that fits in stays there, and of one that does not, what is used. */
Test(cache, size)
{
	char text[10];
	uint64_t key, there = 0, lost = 0;

	shim.config.cache = 64 * SHIM_BLOCK;
	key = shim_cache_begin();
	for (uint64_t i = 0; i < 64; i++)
		put(key, i, SHIM_BLOCK);
	for (uint64_t i = 0; i < 64; i++)
		there += get(key, i * SHIM_BLOCK, 10, text);
	cr_expect_eq(there, 64);
	for (uint64_t i = 0; i < 1000; i++) {
		put(key, 1000 + i, SHIM_BLOCK);
		if (!get(key, 3 * SHIM_BLOCK, 10, text)) {
			lost++;
			put(key, 3, SHIM_BLOCK);
		}
	}
	cr_expect_leq(lost, 1, "what is used is thrown out (all had been, at first)");
}

/* Who reads everything once has nothing kept; who reads it again has. */
Test(cache, worth)
{
	char text[10];
	uint64_t key, pays = 0;

	shim.config.cache = 64 * SHIM_BLOCK;
	key = shim_cache_begin();
	for (uint64_t i = 0; i < 1000; i++) {
		put(key, i, SHIM_BLOCK);
		get(key, i * SHIM_BLOCK, 10, text);
		pays += shim_cache_pays();
	}
	cr_expect(pays < 200, "%lu", (unsigned long)pays);
	for (uint64_t i = 0; i < 1000; i++) {
		put(key, i, SHIM_BLOCK);
		for (int k = 0; k < 3; k++)
			get(key, i * SHIM_BLOCK, 10, text);
	}
	cr_expect(shim_cache_pays());
}

Test(cache, writes)
{
	struct shim_cache_fill fill = { .file = &fill }, early;
	char text[SHIM_BLOCK] = { 0 };

	shim.config.cache = 1 << 20;
	fill.key = shim_cache_begin();
	cr_assert(shim_cache_fill_begin(&fill));
	early = fill;
	shim_cache_put(&fill, 1, text, SHIM_BLOCK, false);
	shim_cache_put(&fill, 2, text, SHIM_BLOCK, false);
	shim_cache_put(&fill, 3, text, SHIM_BLOCK, false);
	const uint32_t begun = shim_cache_write_begin(fill.file);
	shim_cache_drop(fill.key, 2 * SHIM_BLOCK - 1, 2);
	cr_expect(!shim_cache_has(fill.key, 1) && !shim_cache_has(fill.key, 2) && shim_cache_has(fill.key, 3));
	cr_expect_not(shim_cache_fill_begin(&fill), "it is being written to");
	shim_cache_put(&early, 1, text, SHIM_BLOCK, false);
	cr_expect_not(shim_cache_has(fill.key, 1), "asked for before it was written to");
	shim_cache_write_end(fill.file, begun);
	shim_cache_put(&early, 1, text, SHIM_BLOCK, false);
	cr_expect_not(shim_cache_has(fill.key, 1), "asked for before it was written to");
	cr_expect(shim_cache_fill_begin(&fill));
	shim_cache_put(&fill, 1, text, SHIM_BLOCK, false);
	cr_expect(shim_cache_has(fill.key, 1));
	cr_expect_neq(shim_cache_renew(), fill.key);

	/* a handler on top of a write has forked, and in the child the write goes on */
	const uint32_t before = shim_cache_write_begin(fill.file);
	shim_cache_forked();
	shim_cache_write_end(fill.file, before);
	const uint32_t after = shim_cache_write_begin(fill.file);
	cr_expect_not(shim_cache_fill_begin(&fill), "it is being written to");
	shim_cache_write_end(fill.file, after);
	cr_expect(shim_cache_fill_begin(&fill));
}

#define VERSIONS 16                                   /* blocks of one file: */
static uint64_t version[VERSIONS], written[VERSIONS]; /* which is there, and of which it has been said that it is */
static uint64_t file_key;

static void *writer(void *arg)
{
	for (unsigned i = 0; !fc_load(&over); i++) {
		const unsigned block = i * 7 % VERSIONS;

		const uint32_t begun = shim_cache_write_begin(arg);

		shim_cache_drop(file_key, block * SHIM_BLOCK + 5, 1);
		fc_faa(&version[block], 1ull);
		shim_cache_write_end(arg, begun);
		fc_faa(&written[block], 1ull);
		if (i % 64 == 0)
			usleep(1);
	}
	return NULL;
}

static void bring(const void *file, unsigned block)
{
	struct shim_cache_fill f = { .key = file_key, .file = file };
	uint64_t text[SHIM_BLOCK / 8] = { 0 };

	if (!shim_cache_fill_begin(&f))
		return;
	text[0] = fc_load(&version[block]);
	shim_cache_put(&f, block, (char *)text, SHIM_BLOCK, false);
}

static void *follower(void *arg)
{
	uint64_t text, before;

	for (unsigned i = 0; !fc_load(&over); i++) {
		const unsigned block = i % VERSIONS;

		before = fc_load_acquire(&written[block]);
		if (!get(file_key, block * SHIM_BLOCK, 8, (char *)&text)) {
			bring(arg, block);
			continue;
		}
		fc_faa(&found, 1u);
		if (text < before)
			fc_faa(&wrong, 1u);
	}
	return NULL;
}

/* Nobody reads what was there before a write that is over. */
Test(cache, stale)
{
	pthread_t t[3];

	shim.config.cache = 1 << 20;
	file_key = shim_cache_begin();
	for (int i = 0; i < 3; i++)
		pthread_create(&t[i], NULL, i ? follower : writer, version);
	sleep(2);
	fc_store(&over, 1u);
	for (int i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
	cr_expect_eq(wrong, 0);
	cr_expect_gt(found, 100);
}

#define KEYS 3
#define BLOCKS 200
static uint64_t first;

static void *reader(void *arg)
{
	uint64_t is[SHIM_BLOCK / 8], text[SHIM_BLOCK / 8];
	unsigned dice = (unsigned)(uintptr_t)arg;

	while (!fc_load(&over)) {
		dice = dice * 1103515245 + 12345;
		uint64_t key = first + dice / 7 % KEYS * 2, block = dice / 64 % BLOCKS;

		if (!get(key, block * SHIM_BLOCK, SHIM_BLOCK, (char *)text)) {
			put(key, block, SHIM_BLOCK);
			continue;
		}
		fill(is, key, block);
		fc_faa(&found, 1u);
		if (memcmp(is, text, sizeof is))
			fc_faa(&wrong, 1u);
	}
	return NULL;
}

/* Much more than there is room for, by four threads at once. */
Test(cache, crowd)
{
	pthread_t t[4];

	shim.config.cache = 64 * SHIM_BLOCK;
	first = shim_cache_begin();
	for (int i = 1; i < KEYS; i++)
		shim_cache_begin();
	for (uintptr_t i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, reader, (void *)(i + 1));
	sleep(2);
	fc_store(&over, 1u);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	cr_expect_eq(wrong, 0);
	cr_expect_gt(found, 100);
}
