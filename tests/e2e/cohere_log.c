/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cohere_log.c - the file that only grows: its records say in the end in which order it did. What its name says of its length may be late by what has been
 * posted and nobody been told of yet (farcall(7)): until its writer's next request, his next message or its receipt.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cohere_check.h"

struct append {
	uint64_t value, start, end, seen; /* `seen`: its name says so from then on */
	uint32_t count, at;
	uint8_t slot;
};

struct look {
	uint64_t start, end, bytes;
	uint8_t slot, what;
};

/* A message that has been received had been sent. */
static void receive(struct round *r)
{
	for (unsigned s = 0; s < SLOTS; s++)
		for (uint32_t i = 0; i < r->slot[s].n; i++) {
			const struct entry *e = &r->slot[s].e[i];
			const uint32_t from = (uint32_t)(e->value >> 32), which = (uint32_t)e->value;
			struct entry *sent = &r->slot[from % SLOTS].e[which % ENTRIES];

			if (e->what == RECEIVED && e->end && (!sent->end || e->end < sent->end))
				sent->end = e->end;
		}
}

/* After these the domain has done what was posted before. */
static bool tells(const struct entry *e)
{
	return e->what == SENT || e->what == ASKED || e->what == CUT || e->what == SEEN;
}

static size_t collect_appends(struct round *r, struct append *to)
{
	size_t n = 0;

	for (unsigned s = 0; s < SLOTS; s++) {
		uint64_t told = r->slot[s].dead ? r->slot[s].dead : NEVER;

		for (uint32_t i = r->slot[s].n; i-- > 0;) {
			const struct entry *e = &r->slot[s].e[i];

			if (tells(e) && end_of(e) < told)
				told = end_of(e);
			if (e->what == APPENDED && to)
				to[n] = (struct append){ .value = e->value,
							 .start = e->start,
							 .end = end_of(e),
							 .seen = r->slot[s].native ? end_of(e) : told,
							 .count = e->count,
							 .slot = (uint8_t)s };
			n += e->what == APPENDED;
		}
	}
	return n;
}

static int append_by_value(const void *a, const void *b)
{
	const struct append *x = a, *y = b;

	return x->value == y->value ? 0 : x->value < y->value ? -1 : 1;
}

static int append_by_place(const void *a, const void *b)
{
	const struct append *x = a, *y = b;

	return x->at == y->at ? 0 : x->at < y->at ? -1 : 1;
}

static int look_by_start(const void *a, const void *b)
{
	const struct look *x = a, *y = b;

	return x->start == y->start ? 0 : x->start < y->start ? -1 : 1;
}

static int look_by_end(const void *a, const void *b)
{
	const struct look *x = a, *y = b;

	return x->end == y->end ? 0 : x->end < y->end ? -1 : 1;
}

static void lost(const char *what, const struct append *a)
{
	if (say(what))
		printf("   %10.4f to %10.4f ms: %s %u appended %llx:%llu and %u more\n", ms(a->start), ms(a->end),
		       now->slot[a->slot].native ? "native" : "client", a->slot, (unsigned long long)(a->value >> 32),
		       (unsigned long long)(a->value & UINT32_MAX), a->count - 1);
}

static struct append *find(struct append *a, size_t n, uint64_t value)
{
	size_t low = 0, high = n;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (a[mid].value + a[mid].count <= value)
			low = mid + 1;
		else
			high = mid;
	}
	return low < n && a[low].value <= value ? &a[low] : NULL;
}

/* Where each is, in one piece. Returns how many are there, which come first. */
static size_t place(struct append *a, size_t n, const uint64_t *log, size_t records)
{
	size_t there = 0, at = 0;

	qsort(a, n, sizeof *a, append_by_value);
	for (size_t i = 0; i < n; i++)
		a[i].at = UINT32_MAX;
	while (at < records) {
		struct append *x = find(a, n, log[at]);
		uint32_t k = 0;

		if (!x || x->value != log[at] || x->at != UINT32_MAX) {
			if (say("the log has what nobody has appended, or twice"))
				printf("   record %zu: %llx:%llu\n", at, (unsigned long long)(log[at] >> 32),
				       (unsigned long long)(log[at] & UINT32_MAX));
			at++;
			continue;
		}
		x->at = (uint32_t)at;
		for (; k < x->count && at < records && log[at] == x->value + k; k++)
			at++;
		if (k < x->count && x->end != NEVER)
			lost("it is not there in one piece", x);
		there++;
	}
	qsort(a, n, sizeof *a, append_by_place);
	for (size_t i = there; i < n; i++)
		if (a[i].end != NEVER)
			lost("it is not there", &a[i]);
	return there;
}

/* Who has ended before another began is before him. */
static void check_order(const struct append *a, size_t n)
{
	const struct append *least = NULL; /* of those behind it, which has ended first */

	for (size_t i = n; i-- > 0;) {
		if (least && a[i].start > least->end) {
			lost("it is before what had been appended before", &a[i]);
			lost("...namely", least);
		}
		if (!least || a[i].end < least->end)
			least = &a[i];
	}
}

static size_t collect_looks(struct round *r, struct look *to)
{
	size_t n = 0;

	for (unsigned s = 0; s < SLOTS; s++)
		for (uint32_t i = 0; i < r->slot[s].n; i++) {
			const struct entry *e = &r->slot[s].e[i];
			bool is = (e->what == REACHED || e->what == SEEN || e->what == RECORDED) && e->end;

			if (is && to)
				to[n] = (struct look){ e->start, e->end,
						       e->what == RECORDED ? (e->first + 1ull) * RECORD : e->value,
						       (uint8_t)s, e->what };
			n += is;
		}
	return n;
}

static void misled(const char *what, const struct look *l, const struct append *a)
{
	if (!say(what))
		return;
	printf("   %10.4f to %10.4f ms: %s %u %s %llu, record %llu\n", ms(l->start), ms(l->end),
	       now->slot[l->slot].native ? "native" : "client", l->slot, names[l->what], (unsigned long long)l->bytes,
	       (unsigned long long)l->bytes / RECORD);
	if (a)
		printf("   %10.4f to %10.4f (told %.4f) ms: %s %u appended records %u and %u more\n", ms(a->start),
		       ms(a->end), ms(a->seen), now->slot[a->slot].native ? "native" : "client", a->slot, a->at,
		       a->count - 1);
}

/* Not more than had been begun: those before that record all had. */
static void check_most(const struct look *l, size_t looks, const struct append *a, size_t n)
{
	const struct append **late = room_for(n, sizeof *late); /* of those up to each, which began last */

	for (size_t i = 0; i < n; i++)
		late[i] = i && late[i - 1]->start > a[i].start ? late[i - 1] : &a[i];
	for (size_t i = 0; i < looks; i++) {
		size_t low = 0, high = n;

		while (low < high) { /* how many begin before that length */
			size_t mid = (low + high) / 2;

			if (a[mid].at * (uint64_t)RECORD < l[i].bytes)
				low = mid + 1;
			else
				high = mid;
		}
		if (low && late[low - 1]->start > l[i].end)
			misled("the log was longer than it can have been", &l[i], late[low - 1]);
	}
	free(late);
}

struct done {
	uint64_t at, bytes;
	const struct append *by;
};

static int done_by_time(const void *a, const void *b)
{
	const struct done *x = a, *y = b;

	return x->at == y->at ? 0 : x->at < y->at ? -1 : 1;
}

/* Not less than was there: `l` by their start. */
static void check_least(const struct look *l, size_t looks, const struct append *a, size_t n, uint8_t what)
{
	struct done *d = room_for(n, sizeof *d);
	const struct done *most = NULL;
	size_t next = 0;

	for (size_t i = 0; i < n; i++)
		d[i] = (struct done){ what == SEEN ? a[i].seen : a[i].end, (a[i].at + (uint64_t)a[i].count) * RECORD,
				      &a[i] };
	qsort(d, n, sizeof *d, done_by_time);
	for (size_t i = 0; i < looks; i++) {
		for (; next < n && d[next].at < l[i].start; next++)
			if (!most || d[next].bytes > most->bytes)
				most = &d[next];
		if (l[i].what == what && most && l[i].bytes < most->bytes)
			misled("the log was shorter than it must have been", &l[i], most->by);
	}
	free(d);
}

/* It does not shrink. */
static void check_monotonic(const struct look *by_start, size_t n)
{
	struct look *l = room_for(n, sizeof *l);
	const struct look *most = NULL;
	size_t next = 0;

	memcpy(l, by_start, n * sizeof *l);
	qsort(l, n, sizeof *l, look_by_end);
	for (size_t i = 0; i < n; i++) {
		for (; next < n && l[next].end < by_start[i].start; next++)
			if (!most || l[next].bytes > most->bytes)
				most = &l[next];
		if (by_start[i].what != RECORDED && most && by_start[i].bytes < most->bytes) {
			misled("the log was shorter", &by_start[i], NULL);
			misled("...than somebody had found it before", most, NULL);
		}
	}
	free(l);
}

static void check_records(const struct round *r, const uint64_t *log, size_t n)
{
	for (unsigned s = 0; s < SLOTS; s++)
		for (uint32_t i = 0; i < r->slot[s].n; i++) {
			const struct entry *e = &r->slot[s].e[i];

			if (e->what == RECORDED && (e->first >= n || log[e->first] != e->value))
				misled("a record was another one later",
				       &(struct look){ e->start, e->end, e->first * (uint64_t)RECORD, (uint8_t)s,
						       RECORDED },
				       NULL);
		}
}

void check_log(struct round *r, const uint64_t *log, size_t records, uint64_t *calls)
{
	size_t n = collect_appends(r, NULL), looks = collect_looks(r, NULL), there;
	struct append *a = room_for(n, sizeof *a);
	struct look *l = room_for(looks, sizeof *l);

	receive(r);
	collect_appends(r, a);
	collect_looks(r, l);
	qsort(l, looks, sizeof *l, look_by_start);
	there = place(a, n, log, records);
	check_order(a, there);
	check_records(r, log, records);
	check_most(l, looks, a, there);
	check_least(l, looks, a, there, REACHED);
	check_least(l, looks, a, there, SEEN);
	check_monotonic(l, looks);
	*calls += n + looks;
	free(a);
	free(l);
}
