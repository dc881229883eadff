/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fifo.c - linearizability as a FIFO, see fifo.h. */
#include "tests/model/fifo.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LENGTH_MAX 8
#define CONTENT_BITS (4 * LENGTH_MAX)
#define CONTENT (((uint64_t)1 << CONTENT_BITS) - 1)

static unsigned effect_shift(int caller)
{
	return 40 + 4 * (unsigned)caller;
}

static unsigned effect_of(uint64_t h, int caller)
{
	return h >> effect_shift(caller) & 15;
}

void fifo_init(struct fifo *f)
{
	memset(f, 0, sizeof(*f));
	f->count = 1;
}

void fifo_call(struct fifo *f, int caller, int what)
{
	f->calling[caller] = what == FIFO_DEQUEUE ? 1 : (int8_t)(what + 2);
}

static void add(struct fifo *f, uint64_t h)
{
	int at = f->count;

	for (int i = 0; i < f->count; i++)
		if (f->history[i] == h)
			return;
	if (f->count == FIFO_HISTORIES) {
		fprintf(stderr, "fifo: FIFO_HISTORIES is too small for this scenario\n");
		abort();
	}
	f->history[at] = h;
	f->count++;
}

/* h with caller's operation taking effect at the end */
static uint64_t with_effect(const struct fifo *f, uint64_t h, int caller)
{
	uint64_t effects = h & ~(uint64_t)0 << 40;
	unsigned length = h & 15;
	uint64_t content = h >> 4 & CONTENT;
	uint64_t effect;

	if (f->calling[caller] != 1) {
		if (length == LENGTH_MAX)
			abort();
		content |= (uint64_t)(f->calling[caller] - 2) << 4 * length++;
		effect = 1;
	} else if (length) {
		effect = 3 + (content & 15);
		content >>= 4;
		length--;
	} else {
		effect = 2;
	}
	return effects | effect << effect_shift(caller) | content << 4 | length;
}

/* Add every history in which more of the operations under way have taken effect. */
static void close_over(struct fifo *f)
{
	for (int i = 0; i < f->count; i++)
		for (int c = 0; c < FIFO_CALLERS; c++)
			if (f->calling[c] && !effect_of(f->history[i], c))
				add(f, with_effect(f, f->history[i], c));
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

bool fifo_return(struct fifo *f, int caller, int result)
{
	unsigned want = f->calling[caller] != 1 ? 1 : result == FIFO_EMPTY ? 2 : 3 + (unsigned)result;
	struct fifo all = *f;

	close_over(&all);
	f->calling[caller] = 0;
	f->count = 0;
	for (int i = 0; i < all.count; i++)
		if (effect_of(all.history[i], caller) == want)
			add(f, all.history[i] & ~((uint64_t)15 << effect_shift(caller)));
	/* in one order, so that equal sets are equal bytes */
	qsort(f->history, f->count, sizeof(uint64_t), by_value);
	return f->count > 0;
}
