/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * explore.c - the search of explore.h. Owns the fibers, the store buffers, the futex, and the set of states met.
 *
 * A state is all of `world` plus the live part of every fiber's stack: exact, so that meeting it again means that nothing new
 * can follow. A move runs one fiber from one shared access to the next; undoing it restores `world` and that one stack.
 */
#include "tests/model/explore.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define STACK_BYTES 16384
#define STACK_LIVE_MAX 2048
#define BUFFER_MAX 8
#define DEPTH_MAX 1000 /* about 5 KiB of the explorer's own stack each */
#define TRACE_SHOWN 400

enum kind { START, LOAD, STORE, RMW, CAS, FENCE, AWAIT, JOIN, NAP, SLEEP, WAKE, RETURN, FLUSH, STOP, INTERRUPT };
static const char *const kind_name[] = { "start",
					 "load",
					 "store (to its buffer)",
					 "read-modify-write",
					 "compare-and-swap",
					 "fence",
					 "await",
					 "await an end",
					 "nap",
					 "sleep",
					 "wake",
					 "wakes up",
					 "store reaches memory",
					 "STOPS FOR EVER",
					 "interrupted" };

enum state { READY, ASLEEP, ENDED, STOPPED };

struct store {
	void *p;
	uint64_t v;
	uint64_t size;
};

struct thread {
	void *sp;
	uint8_t state;
	uint8_t kind; /* of the access it stands before */
	uint8_t size;
	uint8_t op;
	int8_t calling; /* FIFO operation whose call is recorded with the next access: 0 none, 1 dequeue, 2 + i */
	uint8_t buffered;
	uint8_t napped; /* since others have done something */
	uint8_t pad;
	void *p;
	uint64_t a, b;
	uint64_t result;
	struct store buffer[BUFFER_MAX];
};

static struct world {
	struct model_shared shared;
	struct thread thread[MODEL_THREADS];
	struct budget {
		int16_t stops, interrupts, preemptions;
		int16_t last; /* who moved last, where preemptions count */
	} budget;
	struct fifo fifo; /* last: only part of it is in use */
} world;

struct key {
	uint64_t a, b;
};

struct model_shared *const shared = &world.shared;

static _Alignas(64) unsigned char stack[MODEL_THREADS][STACK_BYTES];
static void *explorer_sp;
static int running = -1; /* the fiber that runs, -1: the explorer */
static const struct scenario *scenario;
static struct key stack_hash[MODEL_THREADS]; /* .a 0: not known */

static struct {
	uint8_t thread, kind;
	void *p;
	uint64_t result;
} trace[DEPTH_MAX];
static int depth;

static uint64_t states, moves, ends;

/* ---- failing ---- */

static void where(const void *p, char *to, size_t size)
{
	size_t at = (size_t)((const unsigned char *)p - (const unsigned char *)shared);
	const size_t queue = offsetof(struct model_shared, area.queue), slots = queue + offsetof(struct fc_queue, slot);
	const size_t entries = offsetof(struct model_shared, area.entry);
	const size_t streams = offsetof(struct model_shared, area.stream), words = offsetof(struct model_shared, word);

	if (at >= sizeof(*shared))
		snprintf(to, size, "-");
	else if (at < queue)
		snprintf(to, size, "header+%zu", at);
	else if (at < slots)
		snprintf(to, size, "%s", at - queue < 64 ? "tail" : at - queue < 128 ? "head" : "threshold");
	else if (at < entries)
		snprintf(to, size, "slot %zu", (at - slots) / 8);
	else if (at < streams)
		snprintf(to, size, "entry+%zu", at - entries);
	else if (at < words)
		snprintf(to, size, "stream+%zu", at - streams);
	else if (at < offsetof(struct model_shared, own))
		snprintf(to, size, "word %zu", (at - words) / 4);
	else
		snprintf(to, size, "own+%zu", at - offsetof(struct model_shared, own));
}

static void fail(const char *what)
{
	printf("FAILED %s: %s\n", scenario->name, what);
	for (int i = 0; i < depth && i < TRACE_SHOWN; i++) {
		char at[32];

		where(trace[i].p, at, sizeof(at));
		printf("  thread %d %-22s %-12s %#llx\n", trace[i].thread, kind_name[trace[i].kind], at,
		       (unsigned long long)trace[i].result);
	}
	fflush(stdout);
	_Exit(1);
}

void model_check(bool ok, const char *what)
{
	if (!ok)
		fail(what);
}

/* ---- fibers ---- */

void fiber_switch(void **save, void *to);
__asm__(".text\n"
	".globl fiber_switch\n"
	".type fiber_switch, @function\n"
	"fiber_switch:\n"
	"	push %rbp; push %rbx; push %r12; push %r13; push %r14; push %r15\n"
	"	mov %rsp, (%rdi)\n"
	"	mov %rsi, %rsp\n"
	"	pop %r15; pop %r14; pop %r13; pop %r12; pop %rbx; pop %rbp\n"
	"	ret\n"
	".size fiber_switch, . - fiber_switch\n");

/* It will not run again: forget what it was about to do, but not its store buffer. */
static void leave(struct thread *th, enum state state)
{
	th->state = (uint8_t)state;
	th->kind = START;
	th->size = th->op = 0;
	th->p = NULL;
	th->a = th->b = 0;
}

static void fiber_main(void)
{
	struct thread *me = &world.thread[running];

	scenario->body[running]();
	leave(me, ENDED);
	for (;;)
		fiber_switch(&me->sp, explorer_sp);
}

static void *stack_top(int t)
{
	return stack[t] + STACK_BYTES;
}

static void run_fiber(int t)
{
	running = t;
	fiber_switch(&explorer_sp, world.thread[t].sp);
	running = -1;
	stack_hash[t].a = 0;
	if ((unsigned char *)stack_top(t) - (unsigned char *)world.thread[t].sp > STACK_LIVE_MAX)
		fail("STACK_LIVE_MAX is too small");
}

static void create_fiber(int t)
{
	void **sp = stack_top(t);

	memset(stack[t], 0, STACK_BYTES);
	sp--; /* the alignment that a call leaves */
	*--sp = (void *)fiber_main;
	sp -= 6;
	world.thread[t].sp = sp;
	run_fiber(t);
}

/* ---- memory ---- */

static uint64_t mem_get(const void *p, unsigned size)
{
	return size == 4 ? *(const uint32_t *)p : *(const uint64_t *)p;
}

static void mem_set(void *p, unsigned size, uint64_t v)
{
	if (size == 4)
		*(uint32_t *)p = (uint32_t)v;
	else
		*(uint64_t *)p = v;
}

static uint64_t mem_rmw(void *p, unsigned size, unsigned op, uint64_t v)
{
	uint64_t old = mem_get(p, size);

	mem_set(p, size, op == MODEL_ADD ? old + v : op == MODEL_OR ? old | v : op == MODEL_AND ? old & v : v);
	return old;
}

static void flush_one(struct thread *th)
{
	mem_set(th->buffer[0].p, (unsigned)th->buffer[0].size, th->buffer[0].v);
	th->buffered--;
	memmove(th->buffer, th->buffer + 1, th->buffered * sizeof(struct store));
	memset(&th->buffer[th->buffered], 0, sizeof(struct store));
}

static void drain(struct thread *th)
{
	while (th->buffered)
		flush_one(th);
}

/* what the thread sees at p: its own latest store, else memory */
static uint64_t view(const struct thread *th, const void *p, unsigned size)
{
	for (int i = th->buffered - 1; i >= 0; i--)
		if (th->buffer[i].p == p)
			return th->buffer[i].v;
	return mem_get(p, size);
}

/* Stand before an access until the explorer has made it. */
static uint64_t access(enum kind kind, const volatile void *p, unsigned size, unsigned op, uint64_t a, uint64_t b)
{
	struct thread *me = &world.thread[running];
	uint64_t result;

	me->kind = (uint8_t)kind;
	me->p = (void *)(uintptr_t)p;
	me->size = (uint8_t)size;
	me->op = (uint8_t)op;
	me->a = a;
	me->b = b;
	fiber_switch(&me->sp, explorer_sp);
	result = me->result;
	me->result = 0; /* what the thread does not remember is no difference between states */
	return result;
}

uint64_t model_load(const volatile void *p, unsigned size)
{
	return running < 0 ? mem_get((void *)(uintptr_t)p, size) : access(LOAD, p, size, 0, 0, 0);
}

void model_store(volatile void *p, unsigned size, uint64_t v)
{
	if (running < 0)
		mem_set((void *)(uintptr_t)p, size, v);
	else
		access(STORE, p, size, 0, v, 0);
}

uint64_t model_rmw(volatile void *p, unsigned size, enum model_rmw op, uint64_t v)
{
	return running < 0 ? mem_rmw((void *)(uintptr_t)p, size, op, v) : access(RMW, p, size, op, v, 0);
}

static bool mem_cas(void *p, unsigned size, uint64_t expect, uint64_t v)
{
	if (mem_get(p, size) != expect)
		return false;
	mem_set(p, size, v);
	return true;
}

bool model_cas(volatile void *p, unsigned size, uint64_t expect, uint64_t v)
{
	return running < 0 ? mem_cas((void *)(uintptr_t)p, size, expect, v) : access(CAS, p, size, 0, expect, v);
}

void model_fence(void)
{
	if (running >= 0)
		access(FENCE, NULL, 0, 0, 0, 0);
}

uint64_t model_now(void)
{
	return 1 + shared->word[MODEL_NOW]; /* no step: a clock is never late */
}

void model_await(const uint32_t *word, uint32_t value)
{
	access(AWAIT, word, 4, 0, value, 0);
}

void model_await_not(const uint32_t *word, uint32_t value)
{
	access(AWAIT, word, 4, 0, value, 1);
}

void model_await_end(int thread)
{
	access(JOIN, NULL, 0, 0, (uint64_t)thread, 0);
}

void model_nap(void)
{
	access(NAP, NULL, 0, 0, 0, 0);
}

/* ---- the futex: in place of common/futex.c ---- */

int fc_futex_wait(const uint32_t *word, uint32_t seen, uint64_t deadline_ns)
{
	(void)deadline_ns; /* never comes: a wakeup that is lost is to be seen */
	return (int)(int64_t)access(SLEEP, word, 4, 0, seen, 0);
}

void fc_futex_wake(uint32_t *word, int n)
{
	access(WAKE, word, 4, 0, (uint64_t)n, 0);
}

static int futex_wait(const struct fc_bell *b, const uint32_t *word, uint32_t seen, uint64_t deadline_ns)
{
	(void)b;
	return fc_futex_wait(word, seen, deadline_ns);
}

static void futex_wake(const struct fc_bell *b, uint32_t *word, int n)
{
	(void)b;
	fc_futex_wake(word, n);
}

static const struct fc_bell_ops ops = { .wait = futex_wait, .wake_peer = futex_wake, .wake_worker = futex_wake };
const struct fc_bell fc_bell_local = { &ops };

static int sleepers(const void *word)
{
	int n = 0;

	for (int t = 0; t < scenario->threads; t++)
		n += world.thread[t].state == ASLEEP && world.thread[t].p == word;
	return n;
}

static void end_sleep(struct thread *th, int64_t result)
{
	th->state = READY;
	th->kind = RETURN;
	th->a = (uint64_t)result;
}

/* wake n on the word, beginning with the `choice`-th */
static void wake(const void *word, uint64_t n, int choice)
{
	int all = sleepers(word);

	for (int k = 0; k < all && (uint64_t)k < n; k++) {
		int skip = k ? 0 : choice;

		for (int t = 0; t < scenario->threads; t++)
			if (world.thread[t].state == ASLEEP && world.thread[t].p == word && !skip--) {
				end_sleep(&world.thread[t], 0);
				break;
			}
	}
}

/* ---- moves ---- */

static bool gone(const struct thread *th)
{
	return (th->state == ENDED || th->state == STOPPED) && !th->buffered;
}

static bool can_go(const struct thread *th)
{
	if (th->state != READY)
		return false;
	switch (th->kind) {
	case AWAIT:
		return (view(th, th->p, 4) == th->a) != th->b;
	case JOIN:
		return gone(&world.thread[th->a]);
	case NAP:
		return !th->napped;
	default:
		return true;
	}
}

/* Somebody else does something: a nap is worth while again. */
static void end_naps(int but)
{
	for (int t = 0; t < scenario->threads; t++)
		if (t != but)
			world.thread[t].napped = false;
}

static void perform(int t, int choice)
{
	struct thread *th = &world.thread[t];

	if (th->calling) {
		fifo_call(&world.fifo, t, th->calling == 1 ? FIFO_DEQUEUE : th->calling - 2);
		th->calling = 0;
	}
	if (th->kind != LOAD && th->kind != STORE && th->kind != AWAIT && th->kind != RETURN)
		drain(th);
	switch (th->kind) {
	case LOAD:
		th->result = view(th, th->p, th->size);
		break;
	case STORE:
		if (th->buffered == BUFFER_MAX)
			fail("BUFFER_MAX is too small");
		th->buffer[th->buffered++] = (struct store){ th->p, th->a, th->size };
		break;
	case RMW:
		th->result = mem_rmw(th->p, th->size, th->op, th->a);
		break;
	case CAS:
		th->result = mem_cas(th->p, th->size, th->a, th->b);
		break;
	case SLEEP:
		if (mem_get(th->p, 4) == (uint32_t)th->a) {
			th->state = ASLEEP;
			return;
		}
		th->result = 0;
		break;
	case WAKE:
		wake(th->p, th->a, choice);
		break;
	case RETURN:
		th->result = th->a;
		break;
	case NAP:
		th->napped = true;
		break;
	default:
		break;
	}
	run_fiber(t);
}

static void note(int t, enum kind kind, void *p)
{
	trace[depth].thread = (uint8_t)t;
	trace[depth].kind = (uint8_t)kind;
	trace[depth].p = p;
	trace[depth].result = 0;
}

void model_advance(int t, int n)
{
	while (n--) {
		model_check(can_go(&world.thread[t]), "setup: that thread cannot go on");
		perform(t, 0);
	}
}

void model_advance_all(void)
{
	for (int t = 0; t < scenario->threads; t++)
		if (world.thread[t].kind == AWAIT && can_go(&world.thread[t]))
			perform(t, 0);
}

/* ---- states met ---- */

struct met {
	struct key key;
	double paths; /* ways to go on from here to an end without going in circles */
};

static struct met *met;
static size_t met_room, met_count;

/* sizes are multiples of 8 */
static struct key mix(struct key h, const void *data, size_t size)
{
	const uint64_t *p = data;

	for (size /= 8; size; size--, p++) {
		h.a = (h.a ^ *p) * 0x9e3779b97f4a7c15u;
		h.b = (h.b + *p) * 0xbf58476d1ce4e5b9u;
		h.a ^= h.a >> 29;
		h.b ^= h.b >> 31;
	}
	return h;
}

static struct key stack_key(int t)
{
	unsigned char *sp = world.thread[t].sp;

	return mix((struct key){ 1, 2 }, sp, (size_t)((unsigned char *)stack_top(t) - sp));
}

static struct key world_key(void)
{
	const struct fc_queue *q = &shared->area.queue;
	uint64_t counters[3] = { q->head, q->tail, (uint64_t)q->threshold };
	struct key h = mix((struct key){ 3, 4 }, counters, sizeof(counters));

	h = mix(h, q->slot, sizeof(q->slot));
	if (scenario->bells)
		h = mix(mix(h, model_header(), sizeof(*model_header())), shared->area.entry,
			sizeof(shared->area.entry) + sizeof(shared->area.stream));
	h = mix(h, shared->word, sizeof(shared->word));
	if (scenario->bells)
		h = mix(h, shared->own, sizeof(shared->own));
	for (int t = 0; t < scenario->threads; t++) {
		const struct thread *th = &world.thread[t];

		h = mix(h, th, offsetof(struct thread, buffer) + th->buffered * sizeof(struct store));
		if (th->state != ENDED && th->state != STOPPED) {
			if (!stack_hash[t].a)
				stack_hash[t] = stack_key(t);
			h = mix(h, &stack_hash[t], sizeof(struct key));
		}
	}
	h = mix(h, &world.budget, sizeof(world.budget));
	h = mix(h, &world.fifo, offsetof(struct fifo, history) + world.fifo.count * sizeof(uint64_t));
	h.a |= 1;
	return h;
}

static struct met *met_slot(struct key key)
{
	size_t i = (key.a ^ key.a >> 32) & (met_room - 1);

	while (met[i].key.a && (met[i].key.a != key.a || met[i].key.b != key.b))
		i = (i + 1) & (met_room - 1);
	return &met[i];
}

static void met_grow(void)
{
	struct met *old = met;
	size_t room = met_room;

	met_room = room ? room * 2 : 1 << 16;
	met = calloc(met_room, sizeof(*met));
	if (!met)
		abort();
	for (size_t i = 0; i < room; i++)
		if (old[i].key.a)
			*met_slot(old[i].key) = old[i];
	free(old);
}

/* ---- the search ---- */

static double explore(void);

struct saved {
	struct key hash[MODEL_THREADS];
	struct world world;
};

static size_t world_size(void)
{
	return offsetof(struct world, fifo.history) + world.fifo.count * sizeof(uint64_t);
}

static void save(struct saved *to)
{
	memcpy(to->hash, stack_hash, sizeof(stack_hash));
	memcpy(&to->world, &world, world_size());
}

static void restore(const struct saved *from)
{
	memcpy(stack_hash, from->hash, sizeof(stack_hash));
	memcpy(&world, &from->world, offsetof(struct world, fifo.history) + from->world.fifo.count * sizeof(uint64_t));
}

/* One move of thread t, everything that can follow, and back. */
static double try(const struct saved *before, int t, enum kind kind, int choice)
{
	struct thread *th = &world.thread[t];
	unsigned char *sp = th->sp;
	size_t live = (size_t)((unsigned char *)stack_top(t) - sp);
	unsigned char copy[STACK_LIVE_MAX];
	double paths;

	if (depth == DEPTH_MAX)
		fail("an execution without end");
	memcpy(copy, sp, live);
	note(t, kind, kind == FLUSH ? th->buffer[0].p : th->p);
	depth++;
	moves++;
	if (scenario->preemptions && kind != FLUSH && kind != STOP && kind != INTERRUPT) {
		int last = world.budget.last;

		if (last >= 0 && last != t && can_go(&world.thread[last]))
			world.budget.preemptions--;
		world.budget.last = (int16_t)t;
	}
	end_naps(t);
	if (kind == FLUSH) {
		flush_one(th);
	} else if (kind == STOP) {
		leave(th, STOPPED);
		world.budget.stops--;
	} else if (kind == INTERRUPT) {
		end_sleep(th, -EINTR);
		world.budget.interrupts--;
	} else {
		perform(t, choice);
		trace[depth - 1].result = th->result;
	}
	paths = explore();
	depth--;
	restore(before);
	memcpy(sp, copy, live);
	return paths;
}

static bool stoppable(int t)
{
	return world.budget.stops && scenario->stoppable & 1u << t &&
	       (world.thread[t].state == READY || world.thread[t].state == ASLEEP);
}

/* A step that nobody else can notice and that nothing can forestall need not be tried in every order. */
static bool private(int t)
{
	const struct thread *th = &world.thread[t];

	return th->state == READY && !th->calling && !stoppable(t) &&
	       (th->kind == STORE || th->kind == RETURN || (th->kind == AWAIT && can_go(th)) ||
		(th->kind == FENCE && !th->buffered));
}

static void finish(void)
{
	for (int t = 0; t < scenario->threads; t++) {
		struct thread *th = &world.thread[t];

		drain(th);
		if (th->state != ENDED && th->state != STOPPED && !scenario->may_hang)
			fail(th->state == ASLEEP ? "a lost wakeup: asleep for ever" : "waits for ever");
	}
	ends++;
	if (scenario->finish)
		scenario->finish();
}

static bool too_many_preemptions(int t)
{
	int last = world.budget.last;

	return scenario->preemptions && !world.budget.preemptions && last >= 0 && last != t &&
	       can_go(&world.thread[last]);
}

static double explore_moves(const struct saved *before)
{
	double paths = 0;
	bool any = false;

	for (int t = 0; t < scenario->threads; t++)
		if (private(t) && !too_many_preemptions(t))
			return try(before, t, world.thread[t].kind, 0);
	for (int t = 0; t < scenario->threads; t++) {
		struct thread *th = &world.thread[t];

		if (can_go(th) && !too_many_preemptions(t)) {
			int choices = th->kind == WAKE && th->a == 1 ? sleepers(th->p) : 1;

			any = true;
			for (int c = 0; c < (choices ? choices : 1); c++)
				paths += try(before, t, th->kind, c);
		}
		if (th->buffered) {
			any = true;
			paths += try(before, t, FLUSH, 0);
		}
		if (stoppable(t))
			paths += try(before, t, STOP, 0);
		if (th->state == ASLEEP && world.budget.interrupts)
			paths += try(before, t, INTERRUPT, 0);
	}
	if (!any) {
		finish();
		paths += 1;
	}
	return paths;
}

static double explore(void)
{
	struct key key = world_key();
	struct saved before;
	struct met *m;
	double paths;

	if (met_count * 2 >= met_room)
		met_grow();
	m = met_slot(key);
	if (m->key.a)
		return m->paths;
	m->key = key;
	met_count++;
	states++;
	save(&before);
	paths = explore_moves(&before);
	met_slot(key)->paths = paths;
	return paths;
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static double run(const struct scenario *s)
{
	double from = now(), paths;

	scenario = s;
	free(met);
	met = NULL;
	met_room = met_count = 0;
	states = moves = ends = 0;
	depth = 0;
	memset(&world, 0, sizeof(world));
	memset(stack_hash, 0, sizeof(stack_hash));
	world.budget = (struct budget){ (int16_t)s->stops, (int16_t)s->interrupts, (int16_t)s->preemptions, -1 };
	fifo_init(&world.fifo);
	fc_queue_init(&shared->area.queue);
	for (int t = 0; t < s->threads; t++)
		create_fiber(t);
	if (s->setup)
		s->setup();
	paths = explore();
	printf("ok %-58s %9llu states %10llu steps %.2e executions %5.1f s\n", s->name, (unsigned long long)states,
	       (unsigned long long)moves, paths, now() - from);
	fflush(stdout);
	return paths;
}

int model_main(int argc, char **argv, const struct scenario *list, int count)
{
	const char *only = NULL;
	double from = now(), paths = 0;
	uint64_t all_states = 0;
	bool deep = false;

	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--deep")) {
			deep = true;
		} else if (!strcmp(argv[i], "--only") && i + 1 < argc) {
			only = argv[++i];
		} else {
			fprintf(stderr, "usage: %s [--deep] [--only PART-OF-A-NAME]\n", argv[0]);
			return 2;
		}
	}
	for (int i = 0; i < count; i++) {
		if ((list[i].deep && !deep) || (only && !strstr(list[i].name, only)))
			continue;
		paths += run(&list[i]);
		all_states += states;
	}
	printf("explored %.2e executions through %llu states in %.1f s: all correct\n", paths,
	       (unsigned long long)all_states, now() - from);
	return 0;
}

/* ---- the FIFO's operations ---- */

static int fifo_caller(void)
{
	return running < 0 ? MODEL_THREADS : running;
}

__attribute__((noinline)) void model_forget(void)
{
	volatile unsigned char below[768];

	for (unsigned i = 0; i < sizeof(below); i++)
		below[i] = 0;
}

static void fifo_begin(int what)
{
	model_forget();
	if (running < 0)
		fifo_call(&world.fifo, MODEL_THREADS, what);
	else
		world.thread[running].calling = (int8_t)(what == FIFO_DEQUEUE ? 1 : what + 2);
}

void model_enqueue(uint32_t idx)
{
	fifo_begin((int)idx);
	model_check(fc_queue_enqueue(&shared->area.queue, idx) == 0, "enqueue gave up");
	model_check(fifo_return(&world.fifo, fifo_caller(), 0), "not a FIFO: an enqueue");
}

int model_dequeue(void)
{
	int r;

	fifo_begin(FIFO_DEQUEUE);
	r = fc_queue_dequeue(&shared->area.queue);
	model_check(r != FC_QUEUE_BROKEN, "dequeue calls the queue broken");
	model_check(fifo_return(&world.fifo, fifo_caller(), r),
		    "not a FIFO: lost, duplicated, out of order or not there");
	return r;
}

void model_drain(void)
{
	int looks = 0;

	while (fc_queue_peek(&shared->area.queue)) {
		model_check(looks++ < 1000, "peek stays true for nothing");
		model_dequeue();
	}
	model_check(model_dequeue() == FC_QUEUE_EMPTY, "peek was false, but there was an element");
}
