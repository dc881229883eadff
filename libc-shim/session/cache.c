/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* cache.c - see cache.h. */
#define _GNU_SOURCE
#include "libc-shim/session/cache.h"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "common/atomic.h"
#include "common/rawcall.h"
#include "farcall/abi.h"
#include "libc-shim/hook.h"
#include "libc-shim/native.h"
#include "libc-shim/shim.h"
#include "libc-shim/text.h"

#define WAYS 8u /* places for a block */
#define AGAIN 2u
#define WORTH_MAX 64
#define TRY 64u /* misses to one that is filled all the same */
#define SPREAD 0x9e3779b97f4a7c15ull

/* What is known of a place. All zero: nothing is there. */
struct place {
	uint32_t turn;  /* odd: somebody fills it */
	uint32_t bytes; /* of the block that are the file's */
	uint64_t key, block;
	uint32_t read; /* since a place was last looked for here */
	uint32_t uses; /* up to AGAIN: then it was worth it */
};

/* At the beginning of the memory, which is all zeros in a child. */
struct state {
	uint32_t live; /* delegations */
	uint32_t
		filling; /* how many fill a place. Whom a handler jumps away from does so for ever, and nothing is given back any more. */
	uint32_t clearing;
	int32_t worth;   /* blocks that were used again, less those that were not */
	uint32_t misses; /* while that is below 0 */
	char pad[FC_PAGE_SIZE - 5 * sizeof(uint32_t)];
	struct place place[];
};

static struct state *state; /* null: there is none yet */
static uint64_t serial;

/* Writes to files. Whom a handler jumps away from writes for ever, and of these files nothing is put there any more. */
#define STRIPES 64
static struct stripe {
	uint32_t begun, ended;
	char pad[FC_CACHE_LINE - 2 * sizeof(uint32_t)];
} stripes[STRIPES];

/* ---- memory ---- */

static uint32_t sets(void)
{
	const uint64_t blocks = shim.config.cache / SHIM_BLOCK / WAYS;

	return blocks ? 1u << (63 - __builtin_clzll(blocks)) : 0;
}

static size_t head_size(void)
{
	return (sizeof(struct state) + sets() * WAYS * sizeof(struct place) + FC_PAGE_SIZE - 1) &
	       ~(size_t)(FC_PAGE_SIZE - 1);
}

static size_t size(void)
{
	return head_size() + (size_t)sets() * WAYS * SHIM_BLOCK;
}

bool shim_cache_allowed(void)
{
	return sets() > 0;
}

static struct state *memory(void)
{
	struct state *s = fc_load_acquire(&state);
	long at;

	if (s || !shim_cache_allowed())
		return s;
	at = fc_call(SYS_mmap, 0, size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (shim_is_error(at))
		return NULL;
	if (fc_call(SYS_madvise, at, size(), MADV_WIPEONFORK) < 0 ||
	    !fc_cas(&state, (struct state *)NULL, (struct state *)at))
		fc_call(SYS_munmap, at, size());
	else
		(void)(fc_call(SYS_madvise, at, size(), MADV_DONTDUMP) +
		       fc_call(SYS_madvise, at, size(), MADV_NOHUGEPAGE));
	return fc_load_acquire(&state);
}

uint64_t shim_cache_begin(void)
{
	struct state *s = memory();

	if (!s)
		return 0;
	fc_faa(&s->live, 1u);
	return shim_cache_renew();
}

uint64_t shim_cache_renew(void)
{
	return 2 * fc_faa(&serial, 1ull) + 3;
}

/* If that was the last one: nothing that is there can be found any more, and nobody fills a place: who begins to sees that this is under way. */
void shim_cache_end(void)
{
	struct state *s = fc_load(&state);

	if (!fc_load(&s->live) || fc_faa(&s->live, -1u) != 1 || !fc_cas(&s->clearing, 0u, 1u))
		return;
	if (!fc_load(&s->filling) && !fc_load(&s->live))
		fc_call(SYS_madvise, s->place, size() - sizeof *s, MADV_DONTNEED);
	fc_store_release(&s->clearing, 0u);
}

/* ---- places ---- */

/* Neighbours are in neighbouring places: a file that fits in does not get in its own way. */
static struct place *places(struct state *s, uint64_t key, uint64_t block)
{
	return &s->place[((((key * SPREAD) >> 32) + block) & (sets() - 1)) * WAYS];
}

static char *content(struct state *s, const struct place *p)
{
	const size_t i = (size_t)(p - s->place);

	return (char *)s + head_size() + (i % WAYS * sets() + i / WAYS) * SHIM_BLOCK;
}

/* Whose number is *turn then; null: it is not there. */
static struct place *find(struct state *s, uint64_t key, uint64_t block, uint32_t *turn)
{
	struct place *p = places(s, key, block);

	for (unsigned i = 0; i < WAYS; i++, p++) {
		*turn = fc_load_acquire(&p->turn);
		if (!(*turn & 1) && fc_load(&p->key) == key && fc_load(&p->block) == block)
			return p;
	}
	return NULL;
}

bool shim_cache_has(uint64_t key, uint64_t block)
{
	struct state *s = fc_load_acquire(&state);
	uint32_t turn;

	return s && find(s, key, block, &turn);
}

/* One that has not been read for a round, and nobody fills. */
static struct place *victim(struct state *s, uint64_t key, uint64_t block)
{
	struct place *p = places(s, key, block);
	const unsigned from = (unsigned)fc_load(&serial) + (unsigned)(block / sets());

	for (unsigned i = 0; i < 2 * WAYS; i++) {
		struct place *v = &p[(from + i) % WAYS];

		if (fc_load(&v->turn) & 1)
			continue;
		if (!fc_load(&v->read) || i >= WAYS)
			return v;
		fc_store(&v->read, 0u);
	}
	return NULL;
}

static void count(struct state *s, int32_t by)
{
	const int32_t worth = fc_load(&s->worth) + by;

	if (worth >= -WORTH_MAX && worth <= WORTH_MAX)
		fc_store(&s->worth, worth);
}

bool shim_cache_pays(void)
{
	struct state *s = fc_load_acquire(&state);

	return s && (fc_load(&s->worth) >= 0 || fc_faa(&s->misses, 1u) % TRY == 0);
}

static struct stripe *stripe_of(const void *file)
{
	return &stripes[((uintptr_t)file * SPREAD >> 32) % STRIPES];
}

static uint32_t forks; /* of this process' ancestors: what was begun before one is not ended after it */

/* A handler that forks in between leaves the child a write that never ends, and not an end too many. */
uint32_t shim_cache_write_begin(const void *file)
{
	const uint32_t before = fc_load(&forks);

	if (shim_cache_allowed())
		fc_faa(&stripe_of(file)->begun, 1u);
	return before;
}

void shim_cache_write_end(const void *file, uint32_t begun)
{
	if (shim_cache_allowed() && begun == fc_load(&forks))
		fc_faa(&stripe_of(file)->ended, 1u);
}

bool shim_cache_fill_begin(struct shim_cache_fill *fill)
{
	const struct stripe *s = stripe_of(fill->file);
	const uint32_t ended = fc_load_acquire(&s->ended);

	fill->writes = fc_load_acquire(&s->begun);
	return fill->writes == ended;
}

void shim_cache_forked(void)
{
	memset(stripes, 0, sizeof stripes);
	fc_store(&forks, forks + 1);
}

/* Either whoever writes sees the key, or this sees the write. */
static void publish(struct place *p, const struct shim_cache_fill *f, uint32_t turn)
{
	fc_store(&p->key, f->key);
	fc_fence();
	if (fc_load(&stripe_of(f->file)->begun) != f->writes)
		fc_store(&p->key, 0ull);
	fc_store_release(&p->turn, turn + 2);
}

static void fill(struct state *s, struct place *p, const struct shim_cache_fill *f, uint64_t block, const char *from,
		 uint32_t bytes, bool ahead)
{
	const uint32_t turn = fc_load(&p->turn);

	if (turn & 1 || !fc_cas(&p->turn, turn, turn + 1))
		return;
	if (fc_load(&p->key) && fc_load(&p->uses) < AGAIN)
		count(s, -1);
	fc_store(&p->key, 0ull);
	fc_store(&p->block, block);
	fc_store(&p->bytes, bytes);
	fc_store(&p->read, 0u);
	fc_store(&p->uses, ahead ? 1u : 0u);
	memcpy(content(s, p), from, bytes);
	publish(p, f, turn);
}

static void drop_block(struct state *s, uint64_t key, uint64_t block)
{
	struct place *p = places(s, key, block);

	for (unsigned i = 0; i < WAYS; i++, p++)
		if (fc_load(&p->key) == key && fc_load(&p->block) == block)
			fc_cas(&p->key, key, 0ull);
}

void shim_cache_drop(uint64_t key, uint64_t at, uint64_t n)
{
	struct state *s = fc_load_acquire(&state);

	for (uint64_t block = at / SHIM_BLOCK; s && n && block <= (at + n - 1) / SHIM_BLOCK; block++)
		drop_block(s, key, block);
}

void shim_cache_put(const struct shim_cache_fill *f, uint64_t block, const char *from, uint32_t bytes, bool ahead)
{
	struct state *s = fc_load_acquire(&state);
	struct place *p;
	uint32_t turn;

	if (!s || find(s, f->key, block, &turn))
		return;
	fc_faa(&s->filling, 1u);
	p = fc_load(&s->clearing) ? NULL : victim(s, f->key, block);
	if (p)
		fill(s, p, f, block, from, bytes, ahead);
	fc_faa(&s->filling, -1u);
}

/* ---- reading ---- */

struct cursor {
	const struct iovec *iov;
	size_t iovcnt, at;
};

static bool scatter(struct cursor *c, const char *from, size_t n)
{
	while (n && c->iovcnt) {
		const size_t left = c->iov->iov_len - c->at, piece = left < n ? left : n;

		if (piece && fc_copy_to_user((char *)c->iov->iov_base + c->at, from, piece))
			return false;
		from += piece;
		n -= piece;
		c->at += piece;
		if (c->at == c->iov->iov_len) {
			c->iov++;
			c->iovcnt--;
			c->at = 0;
		}
	}
	return !n;
}

/* It is written to twice at most, or readers would be in each other's way. */
static void use(struct state *s, struct place *p)
{
	const uint32_t uses = fc_load(&p->uses);

	if (!fc_load(&p->read))
		fc_store(&p->read, 1u);
	if (likely(uses >= AGAIN))
		return;
	fc_store(&p->uses, uses + 1);
	if (uses + 1 == AGAIN)
		count(s, 1);
}

/* Bytes copied, from within one block; 0: it is not there, or not any more. */
static size_t read_block(struct state *s, uint64_t key, struct cursor *c, uint64_t at, uint64_t total)
{
	const size_t within = (size_t)(at % SHIM_BLOCK);
	size_t n = SHIM_BLOCK - within;
	uint32_t turn;
	struct place *p = find(s, key, at / SHIM_BLOCK, &turn);

	if (n > total)
		n = (size_t)total;
	if (!p || within + n > fc_load(&p->bytes))
		return 0;
	if (!scatter(c, content(s, p) + within, n))
		return 0;
	fc_load_fence();
	if (fc_load(&p->turn) != turn)
		return 0;
	use(s, p);
	return n;
}

bool shim_cache_read(uint64_t key, const struct iovec *iov, size_t iovcnt, uint64_t total, uint64_t at)
{
	struct state *s = fc_load_acquire(&state);
	struct cursor c = { iov, iovcnt, 0 };
	size_t n;

	for (; total; at += n, total -= n) {
		n = s ? read_block(s, key, &c, at, total) : 0;
		if (!n)
			return false;
	}
	return true;
}
