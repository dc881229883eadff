/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * merge.c - makes a client's memory and a file the same. What the client has changed in it is found by comparing it with a copy of what it was when
 * file and memory were last the same; so it can be written back without the client, and whatever others have written meanwhile comes in where
 * the client has changed nothing. The client changes its memory at any time: what is written is copied first.
 *
 * A mapping never makes a file longer, whatever limits and flags the client's open file has.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "common/beside.h"
#include "common/rawcall.h"
#include "storage-domain/exec/execute.h"
#include "storage-domain/exec/map.h"

#ifndef RWF_NOAPPEND
#define RWF_NOAPPEND 0x20
#endif
#define RUNS_MAX 4096 /* of changes in a mapping, that are written one by one */

static char buffer[FC_CHUNK];

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Bytes of the mapping that lie before `size`. */
static uint64_t within(const struct fc_map *m, int64_t size)
{
	return (uint64_t)size <= m->offset ? 0 : least(m->length, (uint64_t)size - m->offset);
}

/* ---- reading and writing ---- */

/* Before Linux 6.9. With the flag it would go to the end of the file; without it, what the client writes just then would not. */
static int64_t write_without_flag(const struct fc_map *m, char *from, uint64_t n, uint64_t at)
{
	const int fd = m->file->fd;
	int64_t r, flags = fc_call(SYS_fcntl, fd, F_GETFL);

	if (flags < 0)
		return flags;
	if (!(flags & O_APPEND))
		return fc_call(SYS_pwrite64, fd, from, n, at);
	if (m->file->common->calls)
		return -EAGAIN;
	fc_call(SYS_fcntl, fd, F_SETFL, flags & ~O_APPEND);
	r = fc_call(SYS_pwrite64, fd, from, n, at);
	fc_call(SYS_fcntl, fd, F_SETFL, flags);
	return r;
}

static int64_t write_at(const struct fc_map *m, char *from, uint64_t n, uint64_t at)
{
	struct iovec v = { from, n };
	int64_t r = fc_call(SYS_pwritev2, m->file->fd, &v, 1, at, 0, RWF_NOAPPEND);

	return r == -EOPNOTSUPP ? write_without_flag(m, from, n, at) : r;
}

static int64_t transfer_once(const struct fc_map *m, bool out, char *bytes, uint64_t n, uint64_t at)
{
	return out ? write_at(m, bytes, n, at) : fc_call(SYS_pread64, m->file->fd, bytes, n, at);
}

/* A file that is open with O_DIRECT does not transfer any number of bytes; to the client's own calls it makes little difference. */
static int64_t transfer(const struct fc_map *m, bool out, char *bytes, uint64_t n, uint64_t at)
{
	const int fd = m->file->fd;
	int64_t r, flags;

	do
		r = transfer_once(m, out, bytes, n, m->offset + at);
	while (r == -EINTR);
	if (r != -EINVAL || (flags = fc_call(SYS_fcntl, fd, F_GETFL)) < 0 || !(flags & O_DIRECT))
		return r;
	fc_call(SYS_fcntl, fd, F_SETFL, flags & ~O_DIRECT);
	r = transfer_once(m, out, bytes, n, m->offset + at);
	fc_call(SYS_fcntl, fd, F_SETFL, flags);
	return r;
}

/* The file's bytes from `at` of the mapping on; what it has not is zero. */
static int fetch(const struct fc_map *m, char *to, uint64_t at, uint64_t n)
{
	for (uint64_t done = 0; done < n;) {
		int64_t got = transfer(m, false, to + done, n - done, at + done);

		if (got < 0)
			return (int)got;
		if (got == 0)
			memset(to + done, 0, n - done);
		done = got ? done + (uint64_t)got : n;
	}
	return 0;
}

/* Those of [at, end) that are still in the file: it may have been cut, and must not become longer. 0 or -errno; up to where they are stored. */
static int store(const struct fc_map *m, char *from, uint64_t at, uint64_t end, uint64_t *stored)
{
	struct stat st;
	int64_t r = fc_call(SYS_fstat, m->file->fd, &st);

	*stored = at;
	end = r < 0 ? at : least(end, within(m, st.st_size));
	while (r >= 0 && *stored < end) {
		r = transfer(m, true, from + (*stored - at), end - *stored, *stored);
		if (r > 0)
			*stored += (uint64_t)r;
		else if (r == 0)
			r = -EIO;
	}
	return r < 0 ? (int)r : 0;
}

/* ---- from memory to file ---- */

/* One run of changes, within a page. */
static int push_run(struct fc_map *m, uint64_t at, uint64_t end)
{
	char copy[FC_PAGE_SIZE];
	uint64_t stored;
	int r;

	fc_exec_fetch(copy, m->memory + at, end - at);
	r = store(m, copy, at, end, &stored);
	memcpy(m->base + at, copy, stored - at);
	return r;
}

/* As one run, with what is in the file between the changes: who writes there at this very moment loses. */
static int push_mixed(struct fc_map *m, uint64_t at, uint64_t end)
{
	char now[FC_PAGE_SIZE], mixed[FC_PAGE_SIZE];
	int r = fetch(m, mixed, at, end - at);
	uint64_t stored;

	if (r < 0)
		return r;
	fc_exec_fetch(now, m->memory + at, end - at);
	for (uint64_t i = 0; i < end - at; i++)
		if (now[i] != m->base[at + i])
			mixed[i] = now[i];
	r = store(m, mixed, at, end, &stored);
	for (uint64_t i = 0; i < stored - at; i++)
		if (now[i] != m->base[at + i])
			m->base[at + i] = now[i];
	return r;
}

/* Others' bytes beside what the client has changed stay as they are; but who waits for the file must not wait for any number of calls. */
static int push_runs(struct fc_map *m, uint64_t at, uint64_t end, int *runs)
{
	const volatile char *now = m->memory;
	int r = 0;

	while (at < end && r == 0) {
		while (at < end && now[at] == m->base[at])
			at++;
		if (at < end && --*runs < 0)
			return push_mixed(m, at, end);
		uint64_t from = at;
		while (at < end && now[at] != m->base[at])
			at++;
		if (from < at)
			r = push_run(m, from, at);
	}
	return r;
}

struct push {
	struct fc_map *m;
	uint64_t end;
	int runs; /* that may be written one by one */
	bool alone, unlimited;
	int r;
};

static int push_page(struct push *p, uint64_t at, uint64_t end)
{
	if (!memcmp(p->m->memory + at, p->m->base + at, end - at))
		return 0;
	return p->alone ? push_run(p->m, at, end) : push_runs(p->m, at, end, &p->runs);
}

static void push(void *arg)
{
	struct push *p = arg;
	struct fc_map *m = p->m;
	struct rlimit64 limit;

	if (p->unlimited && fc_call(SYS_prlimit64, 0, RLIMIT_FSIZE, 0, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		fc_call(SYS_prlimit64, 0, RLIMIT_FSIZE, &limit, 0);
	}
	p->r = 0;
	for (uint64_t at = 0; m->file->writable && at < p->end; at += FC_PAGE_SIZE) {
		int one = push_page(p, at, least(at + FC_PAGE_SIZE, p->end));

		if (one < 0)
			p->r = one;
	}
}

/* What the client has changed goes into the file, up to `end` of the mapping. A limit of the client's on the size of files is none on what is stored in them. */
static int push_all(struct fc_map *m, uint64_t end, bool alone)
{
	struct push p = { .m = m, .end = end, .alone = alone, .runs = RUNS_MAX };

	push(&p);
	if (p.r != -EFBIG)
		return p.r;
	p.unlimited = true;
	return fc_beside(push, &p, CLONE_FILES) < 0 ? -EFBIG : p.r;
}

/* ---- from file to memory ---- */

/* What others have changed comes into the memory, but where the client has changed it itself. */
static int pull(struct fc_map *m, uint64_t end)
{
	for (uint64_t at = 0; at < end; at += sizeof buffer) {
		uint64_t n = least(sizeof buffer, end - at);
		int r = fetch(m, buffer, at, n);

		if (r < 0)
			return r;
		if (!memcmp(buffer, m->base + at, n))
			continue;
		for (uint64_t i = 0; i < n; i++) {
			volatile char *now = &m->memory[at + i];

			if (buffer[i] == m->base[at + i])
				continue;
			if (*now == m->base[at + i])
				*now = buffer[i];
			m->base[at + i] = buffer[i];
		}
	}
	return 0;
}

/* What is in the file now, and was not before, or the other way round. */
static int load(struct fc_map *m, uint64_t from, uint64_t to)
{
	for (uint64_t at = from; at < to;) {
		uint64_t n = least(sizeof buffer, to - at);
		int r = fetch(m, buffer, at, n);

		if (r < 0)
			return r;
		memcpy(m->base + at, buffer, n);
		memcpy(m->memory + at, buffer, n);
		at += n;
	}
	return 0;
}

int fc_map_merge(struct fc_map *m, bool pulls, bool alone, int64_t size)
{
	const uint64_t before = within(m, m->file->common->size), now = within(m, size), both = least(before, now);
	int r = push_all(m, both, alone), p = pulls || before != now ? pull(m, both) : 0, l = 0;

	if (before != now)
		l = load(m, both, before < now ? now : before);
	return r < 0 ? r : p < 0 ? p : l;
}

int fc_map_fill(struct fc_map *m)
{
	return load(m, 0, within(m, m->file->common->size));
}
