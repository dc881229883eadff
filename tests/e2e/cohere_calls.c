/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cohere_calls.c - see cohere_calls.h. */
#define _GNU_SOURCE
#include "cohere_calls.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SAMPLE 16 /* blocks of a read that are noted */
#define HOT 8     /* blocks that are used most, the first */
#define TAIL 8    /* records that are read at a time */

const struct role who[DRIVER + 1] = {
	[NATIVE] = { true, -1 },    [NATIVE_2] = { true, -1 },    [CLIENT] = { false, -1 },
	[CLIENT_2] = { false, -1 }, [PARENT] = { false, -1 },     [CHILD] = { false, PARENT },
	[READER] = { false, -1 },   [CUTTER] = { false, READER }, [DRIVER] = { true, DRIVER }
};
const int hears[HEARS] = { NATIVE, NATIVE_2, CLIENT, CLIENT_2, PARENT, LISTENER };

struct round *r;
char path[FILES + 1][4096];
__thread struct self me;

void die(const char *format, ...)
{
	va_list v;
	int e = errno;

	printf("h_cohere: %d: ", me.id);
	va_start(v, format);
	vprintf(format, v);
	va_end(v);
	printf(" (%s)\n", strerror(e));
	fflush(stdout);
	_exit(1);
}

uint32_t dice(uint32_t n)
{
	me.dice ^= me.dice << 13;
	me.dice ^= me.dice >> 7;
	me.dice ^= me.dice << 17;
	return (uint32_t)(me.dice >> 33) % n;
}

uint64_t plain_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t now_ns(void)
{
	uint64_t t;

	__builtin_ia32_mfence();
	t = plain_ns();
	__builtin_ia32_lfence();
	return t;
}

bool over(void)
{
	return __atomic_load_n(&r->over, __ATOMIC_RELAXED) || me.s->n > ENTRIES - BLOCKS - 100;
}

void pause_ns(uint64_t ns)
{
	const uint64_t end = plain_ns() + ns;

	while (plain_ns() < end && !over())
		__builtin_ia32_pause();
}

struct entry *note(enum what what, int file, uint64_t value, uint32_t first, uint32_t count)
{
	struct entry *e = &me.s->e[me.s->n];

	*e = (struct entry){
		.value = value, .first = first, .count = (uint16_t)count, .what = (uint8_t)what, .file = (uint8_t)file
	};
	__atomic_store_n(&me.s->n, me.s->n + 1, __ATOMIC_RELEASE);
	e->start = now_ns();
	return e;
}

void done(struct entry *e)
{
	e->end = now_ns();
}

void noted(enum what what, int file, uint64_t value, uint32_t first, uint32_t count, uint64_t start, uint64_t end)
{
	struct entry *e = note(what, file, value, first, count);

	e->start = start;
	e->end = end;
}

uint64_t fresh(uint32_t n)
{
	me.serial += n;
	return (uint64_t)(me.id + 1) << 32 | (me.serial - n);
}

/* ---- blocks ---- */

static void some_blocks(uint32_t *first, uint32_t *count)
{
	static const uint8_t counts[] = { 1, 1, 1, 2, 8, 1, 2, 1, 1, 1, 1, 2, 8, 1, 2, BLOCKS };

	*count = counts[dice(16)];
	*first = *count == BLOCKS ? 0 : dice(8) ? dice(HOT + 1 - *count) : dice(BLOCKS + 1 - *count);
}

void write_blocks(int fd, int file, bool front)
{
	uint32_t first, count;
	struct entry *e;

	some_blocks(&first, &count);
	if (front) { /* those that others look at most, and more, so that it takes a while */
		first = 0;
		count = HOT + dice(64 - HOT);
	} else if (count == BLOCKS && dice(3)) {
		count = 1 + dice(BLOCKS);
	}
	uint64_t value = fresh(1);

	for (uint32_t i = 0; i < count * (BLOCK / 8); i++)
		me.body[i] = value;
	e = note(WROTE, file, value, first, count);
	if (pwrite(fd, me.body, count * BLOCK, first * BLOCK) != (ssize_t)count * BLOCK)
		die("pwrite of %u blocks", count);
	done(e);
}

/* Of many blocks some, and what is nobody's value. */
static void note_blocks(int file, uint32_t first, uint32_t count, uint64_t start, uint64_t end)
{
	const uint32_t from = count > SAMPLE && me.id != DRIVER ? dice(count) : 0,
		       to = me.id != DRIVER ? from + SAMPLE : count;
	const uint64_t *b = me.body;
	uint32_t n;

	for (uint32_t i = 0; i < count; i += n) {
		for (n = 1; i + n < count && b[(i + n) * 8] == b[i * 8]; n++)
			;
		if ((i < to && i + n > from) || !b[i * 8] || b[i * 8] >> 32 > SLOTS)
			noted(READ, file, b[i * 8], first + i, n, start, end);
	}
	for (uint32_t i = 0; i < count; i++)
		for (uint32_t k = 1; k < BLOCK / 8 && me.s->n < ENTRIES - 50; k++)
			if (b[i * 8 + k] != b[i * 8 + k - 1])
				noted(TORN, file, b[i * 8 + k], first + i, 1, start, end);
}

void read_some(int fd, int file, uint32_t first, uint32_t count)
{
	uint64_t start = now_ns(), end;
	ssize_t got = pread(fd, me.body, count * BLOCK, first * BLOCK);

	end = now_ns();
	if (got != (ssize_t)count * BLOCK)
		die("pread of %u blocks at %u of file %d: %zd", count, first, file, got);
	note_blocks(file, first, count, start, end);
}

static bool is_strange(uint64_t value)
{
	return !(value >> 32) || value >> 32 > SLOTS;
}

void read_strange(int fd, int file)
{
	uint64_t start = now_ns(), end;
	ssize_t got = pread(fd, me.body, BODY, 0);

	end = now_ns();
	if (got != BODY)
		die("pread of file %d: %zd", file, got);
	for (uint32_t i = 0; i < BLOCKS; i++)
		if (is_strange(me.body[i * 8]) && !over())
			noted(READ, file, me.body[i * 8], i, 1, start, end);
}

void read_blocks(int fd, int file)
{
	uint32_t first, count;

	some_blocks(&first, &count);
	read_some(fd, file, first, count);
}

/* ---- the end ---- */

void look_at_end(int fd, int file, bool reads)
{
	struct entry *e = note(LENGTH, file, 0, BLOCKS, 1);
	struct stat st;
	int64_t n;

	switch (dice(reads ? 4 : 2)) {
	case 0:
		n = fstat(fd, &st) ? -1 : st.st_size - BODY;
		break;
	case 1:
		n = lseek(fd, 0, SEEK_END) - BODY;
		break;
	default:
		n = pread(fd, me.body, 2 * LENGTHS, BODY);
	}
	e->value = (uint64_t)n;
	done(e);
}

void cut(int fd, int file, bool by_name)
{
	uint32_t nth = __atomic_fetch_add(&r->lengths[file], 1, __ATOMIC_RELAXED);
	struct entry *e;

	if (nth >= LENGTHS)
		return;
	e = note(CUT, file, length_of(nth), BLOCKS, 1);
	if (by_name ? truncate(path[file], BODY + (off_t)length_of(nth)) : ftruncate(fd, BODY + (off_t)length_of(nth)))
		die("truncate");
	done(e);
}

/* ---- the log ---- */

void append(int fd)
{
	uint32_t count = dice(4) ? 1 : 1 + dice(dice(4) ? 4 : 100);
	uint64_t value = fresh(count);
	struct entry *e;

	for (uint32_t i = 0; i < count * (RECORD / 8); i++)
		me.body[i] = value + i / (RECORD / 8);
	e = note(APPENDED, LOG, value, 0, count);
	if (write(fd, me.body, count * RECORD) != (ssize_t)count * RECORD)
		die("append");
	done(e);
}

void reached(int fd, bool by_stat)
{
	struct entry *e = note(REACHED, LOG, 0, 0, 1);
	struct stat st;

	e->value = by_stat ? (fstat(fd, &st) ? 0 : (uint64_t)st.st_size) : (uint64_t)lseek(fd, 0, SEEK_END);
	done(e);
}

void read_log(int fd, uint32_t *at)
{
	uint64_t start = now_ns(), end;
	ssize_t got = pread(fd, me.body, TAIL * RECORD, *at * (off_t)RECORD);

	end = now_ns();
	if (got < 0)
		die("pread of the log");
	for (ssize_t i = 0; i < got / RECORD; i++)
		for (int k = 1; k < RECORD / 8; k++)
			if (me.body[i * 8 + k] != me.body[i * 8])
				die("record %zu is %llx and %llx", *at + i, me.body[i * 8], me.body[i * 8 + k]);
	if (got / RECORD)
		noted(RECORDED, LOG, me.body[(got / RECORD - 1) * 8], *at + (uint32_t)(got / RECORD) - 1, 1, start,
		      end);
	if (got < TAIL * RECORD)
		noted(REACHED, LOG, *at * (uint64_t)RECORD + (uint64_t)got, 0, 1, start, end);
	else
		*at += TAIL / 2;
}

void look_by_name(void)
{
	struct entry *e = note(SEEN, LOG, 0, 0, 1);
	struct stat st;

	e->value = stat(path[LOG], &st) ? 0 : (uint64_t)st.st_size;
	done(e);
}

int opened(int file, int how)
{
	struct entry *e = note(ASKED, file, 0, 0, 1);
	int fd = open(path[file], how | O_CLOEXEC);

	if (fd < 0)
		die("open %s", path[file]);
	done(e);
	return fd;
}

void closed(int fd)
{
	struct entry *e = note(ASKED, 0, 0, 0, 1);

	if (close(fd))
		die("close");
	done(e);
}

void begin(int id, uint64_t seed)
{
	me.id = id;
	me.s = &r->slot[id];
	me.dice = (seed + 1) * 0x9e3779b97f4a7c15u + (uint64_t)id * 0xbf58476d1ce4e5b9u;
	me.serial = me.s->serial;
	me.s->used = true;
}
