/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cohere_check.c - can it have happened? Each block, and each file's end, is a register whose values are written once. A history of such a register is
 * linearizable if and only if (Gibbons and Korach) no value is read before it is written, and the zones of the values fit together: from the first end of a call
 * that writes or reads the value to the last start of one. If that is forwards the register certainly had the value all the time: no two such zones
 * may overlap, and no other value's calls may all lie within one.
 */
#include "cohere_check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define END BLOCKS /* the register of a file's end, behind those of its blocks */
#define SHOWN 5    /* of one round */

struct op {
	uint32_t reg;
	uint8_t what, slot;
	uint64_t value, start, end;
};

/* One value of a register. */
struct zone {
	const struct op *write, *first, *last; /* the first to end, the last to start */
	uint64_t low, high;
};

const char *const names[] = { "wrote",
			      "read",
			      "read a part of",
			      "cut to",
			      "found the length",
			      "appended",
			      "read record",
			      "found the log's length",
			      "saw the log's length",
			      "sent",
			      "received",
			      "asked" };
struct round *now;
static unsigned wrong;

void *room_for(size_t n, size_t size)
{
	void *p = calloc(n + 1, size);

	if (!p)
		exit(2);
	return p;
}

bool say(const char *what)
{
	if (wrong++ >= SHOWN)
		return false;
	printf("CANNOT BE: %s\n", what);
	return true;
}

double ms(uint64_t t)
{
	return t == NEVER ? 1e9 : ((double)t - (double)now->begin) / 1e6;
}

static void show(const struct op *o)
{
	const uint32_t at = o->reg % (BLOCKS + 1);

	printf("   %10.4f to %10.4f ms: %s %d %s %llx:%llu, file %u %s %u\n", ms(o->start), ms(o->end),
	       now->slot[o->slot].native ? "native" : "client", o->slot, names[o->what],
	       (unsigned long long)(o->value >> 32), (unsigned long long)(o->value & UINT32_MAX), o->reg / (BLOCKS + 1),
	       at == END ? "end" : "block", at);
}

static void cannot(const char *what, const struct op *a, const struct op *b, const struct op *c)
{
	if (!say(what))
		return;
	show(a);
	if (b)
		show(b);
	if (c)
		show(c);
}

/* ---- registers ---- */

uint64_t end_of(const struct entry *e)
{
	return e->end ? e->end : NEVER;
}

static bool is_register(const struct entry *e)
{
	return e->what == WROTE || e->what == TORN || e->what == CUT ||
	       ((e->what == READ || e->what == LENGTH) && e->end);
}

static size_t collect(struct round *r, struct op *to)
{
	size_t n = 0;

	for (unsigned s = 0; s < SLOTS; s++)
		for (uint32_t i = 0; i < r->slot[s].n; i++) {
			const struct entry *e = &r->slot[s].e[i];

			for (unsigned b = 0; is_register(e) && b < e->count; b++, n++)
				if (to)
					to[n] = (struct op){ .reg = e->file * (BLOCKS + 1u) + e->first + b,
							     .what = e->what,
							     .slot = (uint8_t)s,
							     .value = e->value,
							     .start = e->start,
							     .end = end_of(e) };
		}
	return n;
}

static int by_value(const void *a, const void *b)
{
	const struct op *x = a, *y = b;

	if (x->reg != y->reg)
		return x->reg < y->reg ? -1 : 1;
	if (x->value != y->value)
		return x->value < y->value ? -1 : 1;
	return (y->what == WROTE || y->what == CUT) - (x->what == WROTE || x->what == CUT);
}

static int by_low(const void *a, const void *b)
{
	const struct zone *x = a, *y = b;

	return x->low == y->low ? 0 : x->low < y->low ? -1 : 1;
}

static bool is_forward(const struct zone *z)
{
	return z->first->end < z->last->start;
}

/* The calls on one value of one register: the write, then the reads. */
static struct zone zone_of(const struct op *o, size_t n)
{
	struct zone z = { o, o, o, 0, 0 };

	for (size_t i = 1; i < n; i++) {
		if (o[i].end < o->start)
			cannot("it was read before it was written", &o[i], o, NULL);
		if (o[i].what == TORN)
			continue;
		if (o[i].end < z.first->end)
			z.first = &o[i];
		if (o[i].start > z.last->start)
			z.last = &o[i];
	}
	z.low = is_forward(&z) ? z.first->end : z.last->start;
	z.high = is_forward(&z) ? z.last->start : z.first->end;
	return z;
}

/* `z` is sorted by what is low; forward zones before the first that is wrong are disjoint. */
static void fit(const struct zone *z, size_t n)
{
	const struct zone *widest = NULL; /* of those forwards so far, that which ends last */

	for (size_t i = 0; i < n; i++) {
		if (widest && z[i].low < widest->high && z[i].low > widest->low &&
		    (is_forward(&z[i]) || z[i].high < widest->high))
			cannot("an old value was read, after another was there", widest->first,
			       is_forward(&z[i]) ? z[i].first : z[i].write, widest->last);
		if (is_forward(&z[i]) && (!widest || z[i].high > widest->high))
			widest = &z[i];
	}
}

/* A part of a block has a value that another write had certainly replaced before. */
static void check_torn(const struct op *o, const struct zone *z, size_t n)
{
	const struct op *w = NULL;

	for (size_t i = 0; i < n; i++)
		if (z[i].write->value == o->value)
			w = z[i].write;
	for (size_t i = 0; w && i < n; i++)
		if (w->end < z[i].write->start && z[i].write->end < o->start) {
			cannot("a part of a block was old", w, z[i].write, o);
			return;
		}
}

static size_t check_register(const struct op *o, size_t n, struct zone *z, uint64_t *torn)
{
	size_t zones = 0, group;

	for (size_t i = 0; i < n; i += group) {
		for (group = 1; i + group < n && o[i + group].value == o[i].value; group++)
			;
		if (o[i].what == WROTE || o[i].what == CUT)
			z[zones++] = zone_of(&o[i], group);
		else
			cannot("nobody has written that there", &o[i], NULL, NULL);
	}
	qsort(z, zones, sizeof *z, by_low);
	fit(z, zones);
	for (size_t i = 0; i < n; i++)
		if (o[i].what == TORN) {
			check_torn(&o[i], z, zones);
			++*torn;
		}
	return zones;
}

static void check_registers(struct round *r, uint64_t *calls, uint64_t *torn)
{
	size_t n = collect(r, NULL), length;
	struct op *o = room_for(n, sizeof *o);
	struct zone *z = room_for(n, sizeof *z);

	collect(r, o);
	qsort(o, n, sizeof *o, by_value);
	for (size_t i = 0; i < n; i += length) {
		for (length = 1; i + length < n && o[i + length].reg == o[i].reg; length++)
			;
		check_register(&o[i], length, z, torn);
	}
	*calls += n;
	free(o);
	free(z);
}

unsigned check_round(struct round *r, const uint64_t *log, size_t n, uint64_t *calls, uint64_t *torn)
{
	now = r;
	wrong = 0;
	check_registers(r, calls, torn);
	check_log(r, log, n, calls);
	return wrong;
}
