/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * client.c - a client's shared memory, see client.h.
 *
 * Every load and every copy that the shipped code makes is announced before it happens (-fsanitize-coverage=trace-loads, seam.syms). In
 * that moment the client may change what has been read before: whoever reads something twice gets two values. Segments stand
 * apart from each other, so that nothing runs from one into the next unnoticed.
 */
#define _GNU_SOURCE
#include "tests/fuzz/client.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "common/region.h"
#include "farcall/wire.h"
#include "tests/fuzz/fuzz.h"

#define GUARD (1u << 16)
#define FLIP 1u  /* whatever has been read becomes something else */
#define RAIDS 2u /* now and then, what the input says */

bool client_scribbled, client_raided;
static char *memory; /* guard, request area, guard, segment, guard, segment ... */
static struct fc_shadow *shadow;
static char *segment[CLIENT_SEGMENTS], *area;
static size_t total;
static uint64_t bound; /* of what the running request may use, even if the area has become shorter since */
static unsigned policy, countdown;
static bool armed;
static struct {
	char *at;
	size_t n;
	bool copied; /* all of it: it is the worker's now, and what it says here is of no account */
} last;              /* what the worker has read last */

static size_t round_up(size_t n)
{
	return (n + FC_PAGE_SIZE - 1) & ~(size_t)(FC_PAGE_SIZE - 1);
}

static char *place(char **at, size_t size)
{
	char *p = *at;

	if (mprotect(p, round_up(size), PROT_READ | PROT_WRITE))
		abort();
	*at += round_up(size) + GUARD;
	return p;
}

static void make(void)
{
	char *at;

	total = GUARD + round_up(sizeof(struct fc_request_area)) + (FC_DATA_MIN << (CLIENT_SEGMENTS - 1)) +
		(CLIENT_SEGMENTS + 1) * GUARD;
	memory = mmap(NULL, total, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (memory == MAP_FAILED)
		abort();
	at = memory + GUARD;
	area = place(&at, sizeof(struct fc_request_area));
	for (unsigned i = 0; i < CLIENT_SEGMENTS; i++)
		segment[i] = place(&at, fc_segment_end(i) - fc_segment_start(i));
}

void client_begin(struct fc_shadow *s, unsigned how)
{
	if (!memory)
		make();
	else
		madvise(memory, total, MADV_DONTNEED);
	shadow = s;
	s->area = (void *)area;
	memset(s->segment, 0, sizeof s->segment);
	memcpy(s->segment, segment, sizeof segment);
	policy = how;
	countdown = 0;
	armed = false;
	last.n = 0;
	client_scribbled = client_raided = false;
}

void client_length(uint64_t bytes)
{
	shadow->data_length = bytes;
}

void client_request(void)
{
	bound = shadow->data_length;
}

char *client_at(uint64_t offset)
{
	unsigned i = fc_segment_of(offset);

	return i < CLIENT_SEGMENTS ? segment[i] + (offset - fc_segment_start(i)) : NULL;
}

enum client_memory client_owns(const void *at, size_t n)
{
	const char *p = at;

	if (p + n <= memory || p >= memory + total)
		return CLIENT_NONE;
	if (p >= area && fc_region_ok(sizeof(struct fc_request_area), p - area, n))
		return CLIENT_AREA;
	for (unsigned i = 0; i < CLIENT_SEGMENTS && fc_segment_start(i) < bound; i++)
		if (p >= segment[i] && fc_region_ok(fc_segment_end(i) - fc_segment_start(i), p - segment[i], n))
			return CLIENT_DATA;
	fuzz_fail("%zu bytes at %p are outside the areas, or run out of a segment", n, at);
}

size_t client_room(const void *at)
{
	for (unsigned i = 0; i < CLIENT_SEGMENTS; i++) {
		uint64_t size = fc_segment_end(i) - fc_segment_start(i);

		if ((char *)at >= segment[i] && (char *)at < segment[i] + size)
			return segment[i] + size - (char *)at;
	}
	return 0;
}

/* ---- the client's moves ---- */

static uint64_t any_word(uint64_t was)
{
	static const uint64_t likely[] = { 0,       1,    FC_NULL, 40,   FC_DATA_MIN, FC_DATA_MIN - 1,
					   1 << 20, 4096, 1024,    1025, 20 };
	unsigned b = fuzz_back(1);

	if (b < sizeof likely / sizeof *likely)
		return likely[b];
	return b < 64 ? was + b : b < 128 ? was - b + 64 : b < 192 ? was ^ 1ull << (b & 63) : fuzz_back(8);
}

static void change(char *at, size_t n)
{
	uint64_t w = 0;

	client_raided = true;
	if (n > sizeof w)
		n = sizeof w;
	memcpy(&w, at, n);
	w = any_word(w);
	memcpy(at, &w, n);
}

void client_strike(void)
{
	unsigned b = fuzz_back(1);
	uint64_t at;

	if (last.n && b < 128) {
		at = b < 32 ? 0 : fuzz_back(2) % last.n & ~3u;
		client_scribbled |= !last.copied && client_owns(last.at, last.n) == CLIENT_AREA;
		change(last.at + at, last.n - at < 8 ? last.n - at : b & 1 ? 4 : 8);
	} else if (b < 224) {
		at = fuzz_back(3) % (FC_DATA_MIN - 8);
		change(segment[0] + at, 8);
	} else {
		at = fuzz_back(2) % (sizeof(struct fc_request_area) - 8) & ~7ull;
		client_scribbled = true;
		change(area + at, 8);
	}
}

/* The worker is about to read. */
static void before_read(const void *at, size_t n, bool copied)
{
	if (policy & FLIP && last.n) {
		client_scribbled |= !last.copied && client_owns(last.at, last.n) == CLIENT_AREA;
		for (size_t i = 0; i < last.n && i < 64; i += 8)
			change(last.at + i, last.n - i);
	} else if (policy & RAIDS && !countdown--) {
		client_strike();
		countdown = fuzz_back(1);
	}
	last.at = (char *)at;
	last.n = n;
	last.copied = copied;
}

static inline void read_by_worker(const void *at, size_t n, bool copied)
{
	if (!armed || (char *)at < memory || (char *)at >= memory + total)
		return;
	/* single words of the request area belong to both sides: whoever reads them expects them to change */
	if (client_owns(at, n) == CLIENT_DATA || copied || policy & RAIDS)
		before_read(at, n, copied);
}

void client_armed(bool now)
{
	armed = now;
	last.n = 0;
}

/* ---- the announcements ---- */

#define LOAD(n)                                 \
	void __sanitizer_cov_load##n(void *at); \
	void __sanitizer_cov_load##n(void *at)  \
	{                                       \
		read_by_worker(at, n, false);   \
	}
LOAD(1)
LOAD(2)
LOAD(4)
LOAD(8)
LOAD(16)

void *fuzz_memcpy(void *to, const void *from, size_t n);
void *fuzz_memcpy(void *to, const void *from, size_t n)
{
	if (n) {
		read_by_worker(from, n, true);
		client_owns(to, n);
	}
	return memcpy(to, from, n);
}

void *fuzz_memccpy(void *to, const void *from, int c, size_t n);
void *fuzz_memccpy(void *to, const void *from, int c, size_t n)
{
	const char *found;

	/* as the C library's: first find, then copy */
	read_by_worker(from, n, true);
	found = memchr(from, c, n);
	if (found)
		n = found + 1 - (const char *)from;
	if (armed && fuzz_back(1) & 1)
		read_by_worker(from, n, true);
	memcpy(to, from, n);
	return found ? (char *)to + n : NULL;
}
