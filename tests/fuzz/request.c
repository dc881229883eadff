/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * request.c - fuzz target: a worker of the storage domain, from the request queue to the system call and back, with a client that
 * writes what it likes where it likes and a kernel that looks closely (kernel.c). One thread: while the worker would sleep, and
 * between any two of its reads, it is the client's turn.
 *
 * An input: a byte of options; the client's moves, see move(); at the end, read backwards, the kernel's answers and the changes that the
 * client makes while the worker runs.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>

#include "common/queue.h"
#include "common/region.h"
#include "storage-domain/crew/workers.h"
#include "storage-domain/exec/clerk.h"
#include "storage-domain/exec/post.h"
#include "storage-domain/fds.h"
#include "storage-domain/lease_watch.h"
#include "storage-domain/roster.h"
#include "tests/fuzz/client.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/kernel.h"

#define OPTION_POLICY 3u
#define OPTION_NESTED 4u /* one export below another */
#define OPTION_REAL_IDS 8u
#define OTHER_TID 7777
#define NAPS_MAX 40    /* before what waits is interrupted */
#define EMPTY_MAX 9000 /* dequeues without a find; more than one hostile setting of head and tail can explain */

enum {
	MOVE_ENTRY,
	MOVE_DATA,
	MOVE_AREA,
	MOVE_REST,
	MOVE_CRED,
	MOVE_OTHER,
	MOVE_STREAM,
	MOVE_LENGTH,
	MOVE_CUT_OFF,
	MOVES
};

static struct fc_shadow shadow;
static struct fc_domain_shared roster;
static struct fc_workers pool;
static struct fc_worker *worker;
static unsigned naps, empty, queued, completed;
static bool in_request, cut_short, in_use[FC_ENTRIES];

static struct fc_exports plain = {
	.count = 2,
	.skeleton_dev = KERNEL_SKELETON,
	.export = { { .prefix = "/data", .root_fd = FC_FD_EXPORT, .mount_id = 100, .dev = 0x801, .ino = 2 },
		    { .prefix = "/mnt/other", .root_fd = FC_FD_EXPORT + 1, .mount_id = 101, .dev = 0x801, .ino = 2 } },
};
static struct fc_exports nested = {
	.count = 2,
	.skeleton_dev = KERNEL_SKELETON,
	.export = { { .prefix = "/data", .root_fd = FC_FD_EXPORT, .mount_id = 100, .dev = 0x801, .ino = 2 },
		    { .prefix = "/data/deep",
		      .read_only = true,
		      .root_fd = FC_FD_EXPORT + 1,
		      .mount_id = 101,
		      .dev = 0x801,
		      .ino = 2 } },
};

/* ---- the client's moves ---- */

static void move_entry(void)
{
	unsigned index = fuzz_front(1) % FC_ENTRIES, flags = fuzz_front(1);
	struct fc_entry *e = &shadow.area->entry[index];
	bool again = in_use[index];

	e->state = flags & 1 ? FC_ASLEEP : FC_QUEUED;
	e->nr = fuzz_front(2);
	e->nonce = fuzz_front(2);
	for (int i = 0; i < 6; i++)
		e->arg[i] = fuzz_front(8);
	in_use[index] = true;
	if (again || flags & 0x80) {
		client_scribbled = true; /* no honest client queues an entry twice */
		e->state = flags;
	}
	if (!fc_queue_enqueue(&shadow.area->queue, index))
		queued++;
	else if (!client_scribbled)
		fuzz_fail("an honest client cannot queue a request");
}

static void move_data(void)
{
	uint64_t at = fuzz_front(3);
	size_t n = fuzz_front(2);
	unsigned i = fc_segment_of(at);

	if (i >= CLIENT_SEGMENTS)
		return;
	if (n > fc_segment_end(i) - at)
		n = fc_segment_end(i) - at;
	fuzz_take(client_at(at), n);
}

static void move_area(void)
{
	size_t at = fuzz_front(2) % sizeof(struct fc_request_area), n = fuzz_front(1);

	client_scribbled = true;
	if (n > sizeof(struct fc_request_area) - at)
		n = sizeof(struct fc_request_area) - at;
	fuzz_take((char *)shadow.area + at, n);
}

static void move_cred(void)
{
	struct fc_cred *c = &shadow.cred;

	c->fsuid = fuzz_front(1);
	c->ruid = fuzz_front(1);
	c->caps = fuzz_front(1);
	c->ngroups = (int)fuzz_front(1) - 1;
	shadow.cred_generation++;
}

/* Some other worker runs the call in that entry. */
static void move_other(void)
{
	unsigned index = fuzz_front(1) % FC_ENTRIES;

	pool.crew.run[index].key = fuzz_front(2) << 32 | OTHER_TID;
	shadow.area->entry[index].state = FC_QUEUED;
}

static void move_stream(void)
{
	struct fc_progress *p = &shadow.area->stream[fuzz_front(1) % FC_ENTRIES].client;

	p->chunks = fuzz_front(4);
	p->end = fuzz_front(8);
	p->asleep = fuzz_front(1);
}

/* False: the worker goes on. */
static bool move(void)
{
	switch (fuzz_front(1) % MOVES) {
	case MOVE_ENTRY:
		move_entry();
		return true;
	case MOVE_DATA:
		move_data();
		return true;
	case MOVE_AREA:
		move_area();
		return true;
	case MOVE_CRED:
		move_cred();
		return true;
	case MOVE_OTHER:
		move_other();
		return true;
	case MOVE_STREAM:
		move_stream();
		return true;
	case MOVE_CUT_OFF: /* by the control thread */
		shadow.cut_off = true;
		return true;
	case MOVE_LENGTH:
		client_length(FC_DATA_MIN << fuzz_front(1) % CLIENT_SEGMENTS);
		return true;
	default:
		return false;
	}
}

static void turn(void)
{
	client_armed(false);
	while (fuzz_left() && move())
		;
	client_armed(true);
}

/* ---- what the worker's surroundings do ---- */

/* In the middle of a call. There is an end to it. */
static void nap(void)
{
	client_strike();
	if (fuzz_left() && ++naps < NAPS_MAX)
		return;
	pool.crew.stop = true;
	cut_short = true;
}

/* A sleep on the bell, or in the middle of a stream. */
static int bell_wait(const struct fc_bell *b, const uint32_t *word, uint32_t seen, uint64_t deadline_ns)
{
	(void)b;
	(void)seen;
	(void)deadline_ns;
	if (client_owns(word, sizeof *word) != CLIENT_AREA)
		fuzz_fail("a worker sleeps on a word outside the request area");
	if (word == &shadow.area->header.bell)
		pool.crew.stop = !fuzz_left();
	else
		nap();
	turn();
	return 0;
}

static void bell_wake(const struct fc_bell *b, uint32_t *word, int n)
{
	(void)b;
	(void)n;
	if (client_owns(word, sizeof *word) != CLIENT_AREA)
		fuzz_fail("a worker wakes a word outside the request area");
}

static const struct fc_bell_ops bell_ops = { bell_wait, bell_wake, bell_wake };
static const struct fc_bell bell = { &bell_ops };

int fuzz_nanosleep(const struct timespec *ts, struct timespec *left);
int fuzz_nanosleep(const struct timespec *ts, struct timespec *left)
{
	(void)ts;
	(void)left;
	if (shadow.cut_off)
		fuzz_end(); /* it stands still until the process ends */
	nap();
	if (fuzz_back(1) & 1)
		for (unsigned i = 0; i < FC_ENTRIES; i++)
			if ((uint32_t)pool.crew.run[i].key == OTHER_TID)
				pool.crew.run[i].key = 0;
	return 0;
}

long fuzz_syscall(long nr, long a, long b, long c);
long fuzz_syscall(long nr, long a, long b, long c)
{
	(void)a;
	if (nr == SYS_gettid)
		return 4242;
	if (nr != SYS_tgkill || (b != OTHER_TID && b != 4242) || c != FC_WORKER_SIGNAL)
		fuzz_fail("syscall(%ld, .., %ld, %ld)", nr, b, c);
	return 0;
}

void fc_shadow_poison(struct fc_shadow *s, const char *why)
{
	/* what is in a ring of posted writes is what the input's other requests put there */
	if (!in_request && !client_scribbled && !s->posts.at)
		fuzz_fail("an honest client is cut off: %s", why);
	fuzz_end();
}

/* The crew: this worker and nobody else. */
bool fc_crew_sleep(struct fc_crew *c, struct fc_member *m)
{
	(void)m;
	return !c->stop;
}

void fc_crew_wake(struct fc_crew *c, struct fc_member *m)
{
	(void)c, (void)m;
}

void fc_crew_unstick(struct fc_crew *c, struct fc_member *m)
{
	(void)c, (void)m;
}

void fc_crew_leave(struct fc_crew *c, struct fc_member *m)
{
	(void)c, (void)m;
}

void fc_crew_set_eager(struct fc_crew *c, bool eager)
{
	(void)c, (void)eager;
}

bool fc_crew_has(struct fc_crew *c, const struct fc_member *but, uint64_t call)
{
	(void)c, (void)but, (void)call;
	return fuzz_back(1) & 1;
}

void fc_block_begin(struct fc_worker *w)
{
	(void)w;
}

/* A domain that knows all ids has no clerk. */
int64_t fc_clerk_correct(struct fc_exec *x, const struct fc_row *row, const long a[6], bool follow, int64_t result)
{
	(void)x, (void)row, (void)a, (void)follow;
	return result;
}

void fc_worker_move_apart(struct fc_worker *w)
{
	(void)w;
}

/* ---- mappings: this client has never offered memory for one, so it has none, whatever it asks for (see tests/domain/t_scribble.c) ---- */

int fc_lease_watch_begin(struct fc_lease_watch *w)
{
	(void)w;
	fuzz_fail("leases are watched");
}

void fc_lease_watch_nudge(const struct fc_lease_watch *w)
{
	(void)w;
	fuzz_fail("a watch is woken that is not there");
}

int fc_lease_take(const struct fc_lease_watch *w, int fd, int type)
{
	(void)w;
	fuzz_fail("a lease of type %d on %d", type, fd);
}

int fc_lease_give(int fd)
{
	fuzz_fail("a lease on %d is given back", fd);
}

bool fc_lease_stands(int fd, int type)
{
	(void)type;
	fuzz_fail("is there a lease on %d?", fd);
}

/* Nobody sleeps. */
int fc_futex_wait(const uint32_t *word, uint32_t seen, uint64_t deadline)
{
	(void)word, (void)seen, (void)deadline;
	fuzz_fail("waits for who looks for posted writes, and no file is delegated");
}

void fc_futex_wake(uint32_t *word, int n)
{
	(void)n;
	fc_load(word);
}

void fc_leases_void(struct fc_shadow *s)
{
	(void)s;
	fuzz_fail("delegations are ended");
}

void fc_memory_unmap(struct fc_shadow *s, void *at, uint64_t size)
{
	(void)s;
	fuzz_fail("%zu bytes of a mapping at %p are let go of", (size_t)size, at);
}

int fc_memory_again(struct fc_shadow *s, void **at)
{
	(void)s, (void)at;
	return 0;
}

int fc_beside(void (*run)(void *), void *arg, unsigned long flags)
{
	(void)run, (void)arg, (void)flags;
	fuzz_fail("a process is made");
}

int fuzz_munmap(void *at, size_t size);
int fuzz_munmap(void *at, size_t size)
{
	fuzz_fail("a worker unmaps %zu bytes at %p", size, at);
}

/* ---- around the shipped functions (--wrap) ---- */

int64_t __real_fc_execute(struct fc_exec *x);
int64_t __wrap_fc_execute(struct fc_exec *x);
int64_t __wrap_fc_execute(struct fc_exec *x)
{
	int64_t r;

	if (shadow.cut_off)
		fuzz_fail("a request runs for a session that is cut off");
	kernel_request();
	in_request = true;
	r = __real_fc_execute(x);
	in_request = false;
	kernel_result(r);
	return r;
}

bool __real_fc_entry_publish(struct fc_entry *e, int64_t result);
bool __wrap_fc_entry_publish(struct fc_entry *e, int64_t result);
bool __wrap_fc_entry_publish(struct fc_entry *e, int64_t result)
{
	completed++;
	if (client_owns(e, sizeof *e) != CLIENT_AREA)
		fuzz_fail("an entry outside the request area");
	in_use[e - shadow.area->entry] = false;
	return __real_fc_entry_publish(e, result);
}

int __real_fc_queue_dequeue(struct fc_queue *q);
int __wrap_fc_queue_dequeue(struct fc_queue *q);
int __wrap_fc_queue_dequeue(struct fc_queue *q)
{
	int r = __real_fc_queue_dequeue(q);

	empty = r == FC_QUEUE_EMPTY ? empty + 1 : 0;
	if (empty > EMPTY_MAX)
		fuzz_fail("a worker finds nothing in the queue again and again");
	return r;
}

/* ---- */

static void set_up(unsigned options)
{
	if (!worker) {
		worker = malloc(sizeof *worker);
		fc_tsc_per_us = UINT32_MAX; /* no call takes long */
		fc_spin_policy = FC_SPIN_NEVER;
		fc_interrupt_init();
	}
	memset(&pool, 0, sizeof pool);
	memset(worker, 0, sizeof *worker);
	worker->pool = &pool;
	worker->run = &pool.crew.run[0];
	pool.crew.member[0] = &worker->member;
	pool.s = &shadow;
	shadow.bell = &bell;
	shadow.cost = &fc_spin_local;
	shadow.exports = options & OPTION_NESTED ? &nested : &plain;
	shadow.shared = &roster;
	fc_posts_init(&shadow);
	memset(&roster.slot[0], 0, sizeof roster.slot[0]);
	roster.used = 1;
	for (int i = 0; i < FC_GOODS; i++)
		roster.capacity.of[i] = 4 * FC_FILES_STEP; /* two steps for one user */
	shadow.slot = &roster.slot[0];
	shadow.slot->descriptors_max = FC_DOMAIN_FD_MAX + 1;
	shadow.slot->tasks_max = UINT32_MAX;
	shadow.descriptors_end = shadow.descriptors_top = FC_DOMAIN_FD_FIRST;
	shadow.cut_off = false;
	shadow.workers = &pool;
	shadow.cred = (struct fc_cred){
		.fsuid = 1000, .fsgid = 1000, .ruid = options & OPTION_REAL_IDS ? 1001 : 1000, .rgid = 1000
	};
	shadow.cred_generation = 1;
	client_begin(&shadow, options & OPTION_POLICY);
	client_length(FC_DATA_MIN << (options >> 4) % CLIENT_SEGMENTS);
	pool.crew.area = shadow.area;
	pool.crew.bell = &bell;
	fc_queue_init(&shadow.area->queue);
	kernel_begin(worker);
	memset(in_use, 0, sizeof in_use);
	naps = empty = queued = completed = 0;
	in_request = cut_short = false;
	fc_signal_taken();
}

int fuzz_clock_gettime(clockid_t clock, struct timespec *ts);
int fuzz_clock_gettime(clockid_t clock, struct timespec *ts)
{
	(void)clock;
	*ts = (struct timespec){ .tv_sec = 1 };
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_input(data, size);
	set_up(fuzz_front(1));
	if (!setjmp(fuzz_over)) {
		turn();
		fc_worker_main(worker);
		client_armed(false);
		if (!client_scribbled && !cut_short && !shadow.cut_off && completed != queued)
			fuzz_fail("%u requests queued, %u completed", queued, completed);
	}
	client_armed(false);
	return 0;
}
