/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * record_requests.c - linked into tests/domain/t_execute (--wrap): writes each request that it makes, with the memory that its arguments
 * name and what came of it, as inputs of the `request` target to stdout, each behind "FZRC" and its length. By hand: record.sh.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "farcall/wire.h"
#include "tests/domain/play.h"

#define TOGETHER 3 /* requests in one input */
#define ROOM 3500
#define OPTIONS 0x20 /* 1 MiB of data */
#define USUAL 16     /* answers after those that are known: everything goes as usual */

enum { MOVE_ENTRY, MOVE_DATA, MOVE_AREA, MOVE_REST, MOVE_CRED, MOVE_OTHER, MOVE_STREAM, MOVE_LENGTH };

static unsigned char front[4096], back[64];
static unsigned length, answers, requests;
static pid_t writer;

static void put(uint64_t v, unsigned bytes)
{
	for (; bytes--; v >>= 8)
		if (length < sizeof front)
			front[length++] = (unsigned char)v;
}

static void put_data(uint64_t offset, uint64_t n)
{
	if (offset >= 1 << 20)
		return;
	if (n > 128)
		n = 128;
	put(MOVE_DATA, 1);
	put(offset, 3);
	put(n, 2);
	for (uint64_t i = 0; i < n; i++)
		put((unsigned char)*play_at(offset + i), 1);
}

static void put_iovec(uint64_t offset, uint64_t count)
{
	put_data(offset, (count < 8 ? count : 8) * sizeof(struct fc_iovec));
}

static void put_arg(const struct fc_arg *arg, uint64_t v, const uint64_t all[6])
{
	if (v == FC_NULL || v >= 1 << 20)
		return;
	switch (arg->kind) {
	case FC_KIND_PATH:
	case FC_KIND_PATH_OPT:
	case FC_KIND_STR:
		put_data(v, strnlen(play_at(v), 120) + 1);
		break;
	case FC_KIND_IN:
		put_data(v, all[arg->extra]);
		break;
	case FC_KIND_IN_OBJ:
	case FC_KIND_INOUT_OBJ:
	case FC_KIND_IN_OBJ_OPT:
	case FC_KIND_INOUT_OBJ_OPT:
	case FC_KIND_CLONE_RANGE:
	case FC_KIND_FIEMAP_ARG:
		put_data(v, arg->extra);
		break;
	case FC_KIND_DEDUPE_ARG:
		put_data(v, 2 * sizeof(struct file_dedupe_range));
		break;
	case FC_KIND_XATTR_IN:
	case FC_KIND_XATTR_OUT:
		put_data(v, sizeof(struct fc_xattr_args));
		break;
	case FC_KIND_IOV_IN:
	case FC_KIND_IOV_OUT:
		put_iovec(v, all[arg->extra]);
		break;
	}
}

static void put_memory(unsigned nr, const uint64_t arg[6])
{
	const struct fc_row *row = fc_row_by_nr(nr);
	struct fc_arg third;

	for (int i = 0; row && i < 6; i++)
		put_arg(&row->arg[i], arg[i], arg);
	if ((nr == SYS_fcntl && !fc_fcntl_arg((unsigned)arg[1], &third)) ||
	    (nr == SYS_ioctl && !fc_ioctl_arg((unsigned)arg[1], &third)))
		put_arg(&third, arg[2], arg);
	if (nr == FC_NR_STREAM_READ || nr == FC_NR_STREAM_WRITE)
		put_data(arg[3], arg[4] * 8);
}

static void request(unsigned entry, unsigned nr, const uint64_t arg[6])
{
	put_memory(nr, arg);
	put(MOVE_ENTRY, 1);
	put(entry, 1);
	put(0, 1);
	put(nr, 2);
	put(1, 2);
	for (int i = 0; i < 6; i++)
		put(arg[i], 8);
	if (nr == FC_NR_STREAM_READ || nr == FC_NR_STREAM_WRITE) {
		put(MOVE_STREAM, 1);
		put(entry, 1);
		put(nr == FC_NR_STREAM_WRITE ? 1000 : 0, 4);
		put(arg[1], 8);
		put(0, 1);
	}
}

/* The kernel said so; or it said that the path leaves its export. Read backwards by weather(). */
static void result(int64_t r)
{
	if (answers + 4 > sizeof back)
		return;
	if (r <= FC_CONTINUE) {
		back[answers++] = 3;
	} else if (r < 0) {
		back[answers++] = 1;
		back[answers++] = 255;
		back[answers++] = (unsigned char)((-r - 1) >> 8);
		back[answers++] = (unsigned char)(-r - 1);
	} else {
		back[answers++] = 0;
	}
}

static void flush(void)
{
	unsigned char out[8 + 1 + sizeof front + USUAL + sizeof back] = "FZRC";
	uint32_t n = 1 + length + USUAL + answers;

	memcpy(out + 4, &n, 4);
	out[8] = OPTIONS;
	memcpy(out + 9, front, length);
	for (unsigned i = 0; i < answers; i++)
		out[9 + length + USUAL + i] = back[answers - 1 - i];
	if (write(1, out, 8 + n) < 0)
		_exit(1);
	length = answers = requests = 0;
}

static void finish(int64_t r)
{
	result(r);
	put(MOVE_REST, 1);
	if (++requests >= TOGETHER || length > ROOM)
		flush();
}

static void own(void)
{
	if (writer == getpid())
		return;
	writer = getpid();
	length = answers = requests = 0;
}

int64_t __real_play_call(unsigned nr, const uint64_t arg[6]);
int64_t __wrap_play_call(unsigned nr, const uint64_t arg[6]);
int64_t __wrap_play_call(unsigned nr, const uint64_t arg[6])
{
	int64_t r;

	own();
	request(requests, nr, arg);
	r = __real_play_call(nr, arg);
	finish(r);
	return r;
}

unsigned __real_play_submit(unsigned nr, const uint64_t arg[6]);
unsigned __wrap_play_submit(unsigned nr, const uint64_t arg[6]);
unsigned __wrap_play_submit(unsigned nr, const uint64_t arg[6])
{
	own();
	request(requests, nr, arg);
	finish(0);
	return __real_play_submit(nr, arg);
}
