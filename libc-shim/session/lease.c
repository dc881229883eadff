/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* lease.c - see lease.h. */
#define _GNU_SOURCE
#include "libc-shim/session/lease.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/vfs.h>

#include "common/atomic.h"
#include "common/rawcall.h"
#include "libc-shim/native.h"
#include "libc-shim/hook.h"
#include "libc-shim/process/beyond.h"
#include "libc-shim/process/process.h"
#include "libc-shim/process/sandbox.h"
#include "libc-shim/process/thread.h"
#include "libc-shim/session/cache.h"
#include "libc-shim/session/session.h"
#include "libc-shim/session/store.h"
#include "libc-shim/shim.h"
#include "libc-shim/transport/transport.h"

#define SINCE_MINOR 4
#define BARE_SINCE_MINOR 11
#define STORES_SINCE_MINOR 13
#define ASK_AFTER 32           /* reads, which take about as long as a question */
#define READ_BYTES (32u << 10) /* of one make it count once more */
#define NOT_FOR 2048           /* reads after a no */
#define DROP_MAX (1u << 20)    /* bytes of a write: after a larger one nothing is found any more */
#define NOT_AFTER 256          /* after one that was taken back */
#define NOT_TOLD UINT32_MAX    /* the cache, of a write */

/* ---- reading ---- */

/* Does the domain still say so? Between shim_look_begin and shim_look_end. */
static inline bool says(const struct shim_session *s, uint64_t word)
{
	const struct fc_request_area *area = fc_load(&s->requests.area);

	return word > SHIM_LEASE_ASKED && area && fc_load(&s->state) == SHIM_SESSION_READY &&
	       fc_load_acquire(&area->header.lease[shim_lease_index(word)]) == word;
}

static bool holds(const struct shim_session *s, uint64_t word)
{
	const uint32_t looks = shim_look_begin();
	const bool does = says(s, word);

	shim_look_end(looks);
	return does;
}

/* An open for reading that cuts it to nothing breaks no lease for reading, but then there is nothing mapped. */
int64_t shim_lease_length(const struct shim_process *p, const struct shim_file *f)
{
	const uint64_t word = fc_load_acquire(&f->lease.word), all = fc_load(&f->lease.bytes),
		       bytes = all & ~SHIM_LEASE_FLAGS;
	const char *base = fc_load(&f->lease.base);
	char last;

	if (!shim_file_reads(f) || shim_file_shared(p, f) || !bytes)
		return -1;
	if (!(all & SHIM_LEASE_CACHED) && fc_copy_from_user(&last, base + bytes - 1, 1))
		return -1;
	fc_load_fence();
	return holds(&p->session[f->domain], word) && fc_load(&f->lease.word) == word ? (int64_t)bytes : -1;
}

/* Copy to all buffers; false if that meets memory that is not there. */
static bool scatter(const char *from, const struct iovec *iov, size_t iovcnt, uint64_t n)
{
	for (size_t i = 0; i < iovcnt && n; i++) {
		size_t piece = iov[i].iov_len < n ? iov[i].iov_len : (size_t)n;

		if (fc_copy_to_user(iov[i].iov_base, from, piece))
			return false;
		from += piece;
		n -= piece;
	}
	return true;
}

/* What the record says a delegation is good for. */
static bool fetch(const struct shim_lease *l, const struct iovec *iov, size_t iovcnt, uint64_t total, uint64_t at)
{
	return fc_load(&l->bytes) & SHIM_LEASE_CACHED ? shim_cache_read(fc_load(&l->key), iov, iovcnt, total, at)
						      : scatter(fc_load(&l->base) + at, iov, iovcnt, total);
}

/* Whoever ends it unmaps the file, perhaps while this copies: then the word is another one, and nothing has been read. */
static int64_t read_looking(const struct shim_process *p, struct shim_file *f, const struct iovec *iov, size_t iovcnt,
			    uint64_t total, uint64_t at)
{
	const struct shim_session *s = &p->session[f->domain];
	const uint64_t word = fc_load_acquire(&f->lease.word), all = fc_load(&f->lease.bytes),
		       bytes = all & ~SHIM_LEASE_FLAGS;
	const uint64_t left = at < bytes ? bytes - at : 0;

	if (!bytes || shim_file_shared(p, f) || !says(s, word))
		return -1;
	if (!shim_file_reads(f) && !(all & SHIM_LEASE_CACHED) && shim_posts_pending(s) &&
	    shim_posts_touch(s, word, at, at + total))
		return -1; /* what has been written is not there yet */
	if (total > left) {
		if (!shim_file_reads(f) ||
		    at + total > INT64_MAX) /* it may have grown; or there is no such place in any file */
			return -1;
		total = left;
	}
	if (!fetch(&f->lease, iov, iovcnt, total, at))
		return -1; /* the kernel knows whose fault it is */
	fc_load_fence();
	return says(s, word) && fc_load(&f->lease.word) == word ? (int64_t)total : -1;
}

int64_t shim_lease_read(const struct shim_process *p, struct shim_file *f, const struct iovec *iov, size_t iovcnt,
			uint64_t total, int64_t pos)
{
	const uint32_t looks = shim_look_begin();
	const int64_t r = read_looking(p, f, iov, iovcnt, total, (uint64_t)pos);

	shim_look_end(looks);
	return r;
}

bool shim_lease_cached(const struct shim_process *p, struct shim_file *f, uint64_t *key, uint64_t *bytes)
{
	const uint64_t word = fc_load_acquire(&f->lease.word), all = fc_load(&f->lease.bytes);

	*key = fc_load(&f->lease.key);
	*bytes = all & ~SHIM_LEASE_FLAGS;
	fc_load_fence();
	return (all & SHIM_LEASE_CACHED) && !shim_file_shared(p, f) && holds(&p->session[f->domain], word) &&
	       fc_load(&f->lease.word) == word;
}

/* In place of `key` there may be an address by now, which is even. */
void shim_lease_away(struct shim_file *f)
{
	const uint64_t all = fc_load(&f->lease.bytes);

	if (all & SHIM_LEASE_CACHED)
		fc_cas(&f->lease.bytes, all, all | SHIM_LEASE_AWAY);
}

uint32_t shim_lease_write_begin(struct shim_file *f, int64_t pos, uint64_t total)
{
	uint32_t begun;
	uint64_t key;

	if (fc_load(&f->lease.bytes) & SHIM_LEASE_HANDED)
		return NOT_TOLD;
	begun = shim_cache_write_begin(f);
	if (!(fc_load(&f->lease.bytes) & SHIM_LEASE_CACHED))
		return begun;
	key = fc_load(&f->lease.key);
	if (pos >= 0 && total <= DROP_MAX)
		shim_cache_drop(key, (uint64_t)pos, total);
	else if (key & 1)
		fc_cas(&f->lease.key, key, shim_cache_renew());
	return begun;
}

void shim_lease_write_end(struct shim_file *f, uint32_t begun)
{
	if (begun != NOT_TOLD)
		shim_cache_write_end(f, begun);
}

bool shim_lease_posts(const struct shim_process *p, const struct shim_file *f, uint64_t word)
{
	return (fc_load(&f->lease.bytes) & SHIM_LEASE_POSTS) && !shim_file_shared(p, f) &&
	       holds(&p->session[f->domain], word) && fc_load(&f->lease.word) == word;
}

/* ---- having one ---- */

/* Whoever may be writing there must not come to write to what else is mapped there by then: it stays unused. */
static void unmap_file(struct shim_session *s, const char *base, uint64_t bytes, bool stores)
{
	if (stores && !(shim_posts_pass(s) && fc_load(&s->posts.ring)))
		fc_call(SYS_mmap, base, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1,
			0);
	else
		fc_call(SYS_munmap, base, bytes);
}

/* Is `word` ours to end? Then it is not mapped any more. */
static uint64_t unmap(struct shim_session *s, struct shim_file *f, uint64_t word)
{
	const char *base = f->lease.base;
	const uint64_t all = f->lease.bytes, bytes = all & ~SHIM_LEASE_FLAGS;

	if (word <= SHIM_LEASE_ASKED || !fc_cas(&f->lease.word, word, 0ull))
		return 0;
	if (all & SHIM_LEASE_CACHED)
		shim_cache_end();
	else if (bytes)
		unmap_file(s, base, bytes, all & SHIM_LEASE_STORES);
	return word;
}

static void give_back(struct shim_session *s, uint64_t word)
{
	if (word && holds(s, word))
		shim_transport(s)->give_back(s, word);
}

void shim_lease_end(struct shim_process *p, struct shim_file *f)
{
	struct shim_session *s = &p->session[f->domain];
	struct shim_lock_state saved;
	uint64_t word = fc_load_acquire(&f->lease.word);

	if (!word || (word != SHIM_LEASE_ASKED && !(word = unmap(s, f, word))))
		return;
	shim_session_lock(s, &saved);
	if (word ==
	    SHIM_LEASE_ASKED) /* by now there is one, or whoever asks will look at what has changed before he does */
		word = unmap(s, f, fc_load_acquire(&f->lease.word));
	give_back(s, word);
	shim_unlock(&s->lock, &saved);
}

/* Who asks looks at `bars` once more when it has one. */
void shim_lease_bar(struct shim_process *p, uint64_t w)
{
	struct shim_file *f = shim_file_of(p, w);

	if (f && !(fc_fetch_or(&f->bars, (uint8_t)1) & 1))
		shim_lease_end(p, f);
}

void shim_lease_cut(struct shim_process *p, uint64_t w)
{
	struct shim_file *f = shim_file_of(p, w);

	if (!f)
		return;
	fc_faa(&f->bars, (uint8_t)2);
	shim_lease_end(p, f);
}

void shim_leases_end(struct shim_process *p, unsigned domain)
{
	struct shim_session *s = &p->session[domain];
	bool any = false;

	for (uint32_t fd = 0; fd < fc_load(&p->fd_top); fd++) {
		uint64_t w = fc_load(&p->fd[fd]);
		struct shim_file *f = w && shim_fd_domain(w) == domain ? shim_file_of(p, w) : NULL;

		any = (f && unmap(s, f, fc_load_acquire(&f->lease.word))) || any;
	}
	if (any && s->state == SHIM_SESSION_READY)
		shim_transport(s)->give_back(s, SHIM_LEASE_ALL);
}

void shim_leases_forget(struct shim_process *p)
{
	if (p == &shim.process)
		shim_cache_forked();
	/* of all records: a call that this thread goes on with may hold one that no descriptor is about any more */
	for (uint32_t n = 1; n < p->files.records.top; n++) {
		struct shim_file *f = shim_file_of(p, shim_fd_file_bits(n));

		if (f && (f->lease.word || f->lease.bytes || f->lease.offset != SHIM_OFFSET_AWAY))
			f->lease = (struct shim_lease){ .offset = SHIM_OFFSET_AWAY };
	}
}

/* ---- asking ---- */

static bool may_ask(const struct shim_process *p, uint64_t w, const struct shim_file *f)
{
	const struct shim_session *s = &p->session[f->domain];

	return shim_transport(s)->lease && fc_load(&shim.minor[f->domain]) >= SINCE_MINOR && !(w & SHIM_FD_DIRECT) &&
	       !(fc_load(&f->bars) & 1) && !shim_file_shared(p, f) && shim_process_first(p) && shim_sandbox_talks();
}

/* Map what the domain hands over, `stores`: for writing, too. 0, or -errno. */
static int map(struct shim_lease *l, const struct shim_grant *g, bool stores)
{
	const int protection = PROT_READ | (stores ? PROT_WRITE : 0);
	long at = 0;

	if (g->bytes)
		at = fc_call(SYS_mmap, 0, g->bytes, protection, MAP_SHARED | MAP_NORESERVE, g->file, 0);
	if (shim_is_error(at))
		return stores ? map(l, g, false) : (int)at;
	if (g->bytes)
		fc_call(SYS_madvise, at, g->bytes, MADV_DONTFORK);
	l->base = (const char *)at;
	l->bytes = g->bytes | SHIM_LEASE_HANDED | (g->posts ? SHIM_LEASE_POSTS : 0) | (stores ? SHIM_LEASE_STORES : 0);
	return 0;
}

/* Where it hands nothing over, what is read is kept. */
static int keep(struct shim_lease *l, const struct shim_grant *g)
{
	const uint64_t handed = l->bytes & SHIM_LEASE_HANDED, posts = g->posts ? SHIM_LEASE_POSTS : 0;

	l->key = g->bytes && !handed ? shim_cache_begin() : 0;
	l->bytes = (l->key ? g->bytes | SHIM_LEASE_CACHED : 0) | posts | handed;
	return l->key || posts ? 0 : -ENOMEM;
}

/* Elsewhere a write that its server refuses would have been made. */
static bool may_store(const struct shim_session *s, const struct shim_file *f, const struct shim_grant *g)
{
	struct statfs fs;

	if (!g->posts || (fc_load(&f->flags) & O_ACCMODE) != O_RDWR ||
	    fc_load(&shim.minor[s->domain]) < STORES_SINCE_MINOR || fc_call(SYS_fstatfs, g->file, &fs) < 0)
		return false;
	return fs.f_type == TMPFS_MAGIC || fs.f_type == EXT4_SUPER_MAGIC || fs.f_type == XFS_SUPER_MAGIC ||
	       fs.f_type == BTRFS_SUPER_MAGIC;
}

/* 0; or -errno, and the domain has it back. */
static int make_use(struct shim_session *s, struct shim_file *f, const struct shim_grant *g)
{
	struct shim_lease *l = &f->lease;
	int r = g->bytes & SHIM_LEASE_FLAGS ? -EFBIG : 0;

	if (r == 0)
		r = g->file < 0 ? keep(l, g) : map(l, g, may_store(s, f, g));
	if (r < 0)
		shim_transport(s)->give_back(s, g->word);
	return r;
}

/* Of FC_LEASE_*. One without the file is good for posting and for the cache. */
static uint64_t wants(const struct shim_session *s, bool posts, bool reads)
{
	const bool bare = shim_cache_allowed() || (posts && !reads);

	return (posts ? FC_LEASE_POSTS : 0) |
	       (bare && fc_load(&shim.minor[s->domain]) >= BARE_SINCE_MINOR ? FC_LEASE_BARE : 0);
}

/* A write that would pass the limit is to fail at once, and with a signal. */
static bool is_limited(void)
{
	struct rlimit64 limit;

	return fc_call(SYS_prlimit64, 0, RLIMIT_FSIZE, 0, &limit) < 0 || limit.rlim_cur != RLIM64_INFINITY;
}

/* Since it was decided to ask. */
static bool has_changed(const struct shim_process *p, const struct shim_file *f, uint8_t bars)
{
	return shim_file_shared(p, f) || fc_load(&f->bars) != bars;
}

/* The record is held, and its word says that this thread asks. What is delegated may be another file, if fd does not stand for w any more. */
static int ask(struct shim_process *p, struct shim_file *f, int fd, uint64_t w)
{
	struct shim_session *s = &p->session[f->domain];
	struct shim_lock_state saved;
	const uint8_t bars = fc_load(&f->bars);
	struct shim_grant g = { .file = -1 };
	int r = -EIO;

	shim_session_lock(s, &saved); /* until it is known what it is: who ends it waits for that */
	if (s->state == SHIM_SESSION_READY && !has_changed(p, f, bars))
		r = shim_transport(s)->lease(s, shim_fd_number(w),
					     wants(s, s->posts.ring && !is_limited(), shim_file_reads(f)), &g);
	if (r == 0 && unlikely(fc_load_acquire(&p->fd[fd]) != w)) {
		shim_transport(s)->give_back(s, g.word);
		r = -EBADF;
	}
	if (r == 0)
		r = make_use(s, f, &g);
	if (r == 0)
		shim_store_begin(s, g.word);
	shim_done_with(p, g.file);
	fc_xchg(&f->lease.word, r < 0 ? 0ull : g.word);
	if (r == 0 && has_changed(p, f, bars))
		give_back(s, unmap(s, f, g.word));
	shim_unlock(&s->lock, &saved);
	return r;
}

bool shim_lease_due(const struct shim_file *f, int64_t bytes)
{
	return fc_load(&f->reads) + 1 + bytes / READ_BYTES >= ASK_AFTER;
}

/* It is delegated for reading, and written to as well. */
static bool would_post(const struct shim_session *s, const struct shim_file *f)
{
	return s->posts.ring && !shim_file_reads(f) && !(fc_load(&f->lease.bytes) & SHIM_LEASE_POSTS);
}

/* `word`: what there is until then, 0 = nothing. 0 or -errno. */
static int ask_anew(struct shim_process *p, int fd, uint64_t w, struct shim_file *f, uint64_t word)
{
	const uint64_t held = may_ask(p, w, f) ? shim_file_hold(p, &p->fd[fd], w) : 0;
	int r = -EBUSY;

	if (!held)
		return -EBADF;
	if (word)
		shim_lease_end(p, f);
	if (fc_cas(&f->lease.word, 0ull, (uint64_t)SHIM_LEASE_ASKED))
		r = ask(p, f, fd, w);
	shim_file_drop(p, held);
	return r;
}

void shim_lease_count(struct shim_process *p, int fd, uint64_t w, struct shim_file *f, int64_t bytes)
{
	struct shim_session *s = &p->session[f->domain];
	int64_t reads = fc_load(&f->reads) + 1 + bytes / READ_BYTES;
	const uint64_t word = fc_load(&f->lease.word);

	fc_store(&f->reads, (int16_t)(reads < ASK_AFTER ? reads : ASK_AFTER));
	if (likely(reads < ASK_AFTER) || word == SHIM_LEASE_ASKED)
		return;
	fc_store(&f->reads, (int16_t)-NOT_FOR);
	if (word && !holds(s, word)) { /* it was taken back, and whoever did so may come again */
		unmap(s, f, word);
		fc_store(&f->reads, (int16_t)-NOT_AFTER);
		return;
	}
	if ((!word || would_post(s, f)) && ask_anew(p, fd, w, f, word) == 0 && !would_post(s, f))
		fc_store(&f->reads, (int16_t)0);
}

void shim_lease_again(struct shim_process *p, int fd, uint64_t w, struct shim_file *f)
{
	struct shim_session *s = &p->session[f->domain];
	const uint64_t word = fc_load(&f->lease.word), was = fc_load(&f->lease.bytes) & ~SHIM_LEASE_FLAGS;

	if (word > SHIM_LEASE_ASKED && ask_anew(p, fd, w, f, word) == 0 &&
	    (fc_load(&f->lease.bytes) & ~SHIM_LEASE_FLAGS) <= was)
		shim_store_stay_behind(s, fc_load(&f->lease.word));
}
