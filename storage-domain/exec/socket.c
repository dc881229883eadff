/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * socket.c - the key of a Unix socket's inode: the name that its socket goes by on the machine of clients to whom the inode cannot be handed over
 * (abi.h, FC_NR_SOCKET_KEY). Who may connect learns it, and nobody else: it is made of what the inode is, with the domain's secret, so that nothing
 * has to be kept of any socket, and what takes a removed inode's place has another one.
 */
#define _GNU_SOURCE
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/rawcall.h"
#include "storage-domain/exec/execute.h"
#include "storage-domain/roster.h"

/* ---- SipHash-2-4 (Aumasson, Bernstein) of whole words ---- */

static uint64_t turn(uint64_t v, int bits)
{
	return v << bits | v >> (64 - bits);
}

static void stir(uint64_t v[4], int rounds)
{
	while (rounds--) {
		v[0] += v[1];
		v[2] += v[3];
		v[1] = turn(v[1], 13) ^ v[0];
		v[3] = turn(v[3], 16) ^ v[2];
		v[0] = turn(v[0], 32);
		v[2] += v[1];
		v[0] += v[3];
		v[1] = turn(v[1], 17) ^ v[2];
		v[3] = turn(v[3], 21) ^ v[0];
		v[2] = turn(v[2], 32);
	}
}

static void absorb(uint64_t v[4], uint64_t word)
{
	v[3] ^= word;
	stir(v, 2);
	v[0] ^= word;
}

uint64_t fc_hash_words(const uint64_t secret[2], const uint64_t *word, unsigned words)
{
	uint64_t v[4] = { secret[0] ^ 0x736f6d6570736575, secret[1] ^ 0x646f72616e646f6d,
			  secret[0] ^ 0x6c7967656e657261, secret[1] ^ 0x7465646279746573 };

	for (unsigned i = 0; i < words; i++)
		absorb(v, word[i]);
	absorb(v, (uint64_t)(words * 8) << 56);
	v[2] ^= 0xff;
	stir(v, 4);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* ---- an inode ---- */

#define HANDLE_MAX 128 /* MAX_HANDLE_SZ */

union inode {
	struct {
		uint64_t dev, ino, born_sec, born_nsec;
		struct { /* struct file_handle: its type and bytes tell an inode from earlier ones of its number */
			uint32_t bytes;
			int32_t type;
			unsigned char data[HANDLE_MAX];
		} handle;
	} is;
	uint64_t word[4 + (8 + HANDLE_MAX) / 8];
};

/* Not every file system has handles. */
static int64_t take_handle(int fd, union inode *i)
{
	int mount;

	i->is.handle.bytes = HANDLE_MAX;
	int64_t r = fc_call(SYS_name_to_handle_at, fd, "", &i->is.handle, &mount, AT_EMPTY_PATH);
	if (r == 0)
		return 0;
	memset(&i->is.handle, 0, sizeof i->is.handle);
	return r == -EOPNOTSUPP || r == -EOVERFLOW || r == -ENOSYS ? 0 : r;
}

static bool is_owner(const struct fc_exec *x, const struct statx *st)
{
	return x->e.arg[1] && st->stx_uid == x->cred.fsuid;
}

int64_t fc_exec_socket_key(struct fc_exec *x)
{
	const int fd = fc_exec_fd(x->e.arg[0]);
	union inode i = { 0 };
	struct statx st;
	int64_t r;

	r = fc_call(SYS_statx, fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC,
		    STATX_TYPE | STATX_UID | STATX_INO | STATX_BTIME, &st);
	if (r < 0)
		return r;
	r = fc_call(SYS_faccessat2, fd, "", W_OK, AT_EACCESS | AT_EMPTY_PATH);
	if (r < 0 && !is_owner(x, &st))
		return r;
	if (!S_ISSOCK(st.stx_mode))
		return -ECONNREFUSED;
	i.is.dev = (uint64_t)st.stx_dev_major << 32 | st.stx_dev_minor;
	i.is.ino = st.stx_ino;
	if (st.stx_mask & STATX_BTIME) {
		i.is.born_sec = (uint64_t)st.stx_btime.tv_sec;
		i.is.born_nsec = st.stx_btime.tv_nsec;
	}
	r = take_handle(fd, &i);
	return r < 0 ? r : (int64_t)(fc_hash_words(x->s->shared->secret, i.word, sizeof i.word / 8) & INT64_MAX);
}
