/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * model_request.c - the life of a request (libc-shim/request/, with common/doorbell.c and common/queue.c under it) in every
 * interleaving: no slot has two owners, none is used again before the domain has let go of it, none is lost, nobody sleeps for
 * ever. Threads are interrupted, jump out of their calls, and die with requests in flight. The clients here never spin.
 *
 * Build: as model_doorbell.c, with libc-shim/request/request.c and wait.c besides
 * Run:   model_request [--deep] [--only PART-OF-A-SCENARIO-NAME]
 */
#include <errno.h>
#include <sys/syscall.h>
#include <time.h>

#include "common/atomic.h"
#include "common/spin.h"
#include "libc-shim/request/request.h"
#include "libc-shim/vdso.h"
#include "tests/model/worker.h"

enum { DEAD = MODEL_OWN_WORDS, CLOSED }; /* shared->word */
enum { ANSWER = 1000, NR_CALL = 7, NR_OPEN = 8 };

struct own {
	struct shim_slot slot[FC_ENTRIES];
	struct shim_requests requests;
};
_Static_assert(sizeof(struct own) <= OWN_ROOM, "MODEL_OWN");

#define requests() (&((struct own *)(void *)shared->own)->requests)

/* ---- what request.h needs of those above it ---- */

static struct fc_spin no_spin;
const struct fc_spin_cost fc_spin_local;

bool shim_owner_alive(shim_owner owner)
{
	return fc_load(&shared->word[DEAD]) != owner;
}

shim_owner shim_owner_self(void)
{
	return 9; /* the messengers' */
}

struct fc_spin *shim_spin_of(const struct shim_requests *q)
{
	(void)q;
	no_spin = (struct fc_spin){ .cost = &fc_spin_local };
	return &no_spin;
}

bool shim_requests_apart(const struct shim_requests *q)
{
	(void)q;
	return true;
}

bool shim_requests_open(const struct shim_requests *q)
{
	(void)q;
	return true;
}

bool shim_requests_alive(struct shim_requests *q)
{
	(void)q;
	return true;
}

void shim_requests_fail(struct shim_requests *q, const char *why)
{
	(void)q;
	model_check(false, why);
}

void shim_asleep(bool asleep)
{
	(void)asleep;
}

bool shim_told_to_end(void)
{
	return false;
}

void shim_buffers_free(struct shim_requests *q, int slot)
{
	q->slot[slot].extra = 0;
}

void shim_buffers_rest(struct shim_requests *q)
{
	(void)q;
}

void shim_vdso_clock(struct timespec *now)
{
	*now = (struct timespec){ 0 };
}

uint32_t shim_vdso_cpu(void)
{
	return 0;
}

void fc_spin_hit(struct fc_spin *sp)
{
	(void)sp;
}
void fc_spin_miss(struct fc_spin *sp)
{
	(void)sp;
}
void fc_spin_preempted(struct fc_spin *sp)
{
	(void)sp;
}
bool fc_spin_yield(struct fc_spin *sp)
{
	(void)sp;
	return false;
}
void fc_spin_came(struct fc_spin *sp, bool few)
{
	(void)sp, (void)few;
}
void fc_spin_in_vain(struct fc_spin *sp)
{
	(void)sp;
}
void fc_manner_waited(struct fc_manner *m, uint32_t sleeps, uint64_t ns, uint32_t threads)
{
	(void)m, (void)sleeps, (void)ns, (void)threads;
}
void fc_spin_slept(struct fc_spin *sp, uint64_t waited_ns)
{
	(void)sp, (void)waited_ns;
}

/* ---- the domain: one worker, eager, so that what is in flight counts ---- */

static int64_t execute(struct fc_member *m, const struct fc_entry *e)
{
	const struct fc_entry *about;

	(void)m;
	switch (e->nr) {
	case NR_CALL:
	case NR_OPEN:
		return (int64_t)e->arg[0] + ANSWER;
	case SYS_close:
		fc_faa(&shared->word[CLOSED], 1u);
		return 0;
	case FC_NR_INTERRUPT:
		about = &shared->area.entry[e->arg[0]];
		/* an earlier request that this only worker has not met is one that never came into the queue */
		return about->nonce == e->arg[1] &&
				       (fc_load(&about->state) == FC_QUEUED || fc_load(&about->state) == FC_ASLEEP)
			       ? -ENOENT
			       : 0;
	}
	model_check(false, "a request that nobody has made");
	return 0;
}

/* ---- clients ---- */

static struct shim_request begin(shim_owner owner, unsigned nr, uint64_t what)
{
	const uint64_t arg[6] = { what };
	uint16_t hint = 0;
	struct shim_request r = { requests(), -1 };

	model_await(&shared->word[READY], 1); /* bodies run up to their first step before the setup does */
	model_forget();
	r.slot = shim_request_take(requests(), owner, &hint);
	model_check(r.slot >= 0 && fc_load(&shim_slot_of(&r)->owner) == owner, "a slot, but not mine");
	model_check(!fc_load(&shim_slot_of(&r)->sent) && fc_load(&shim_entry_of(&r)->state) == FC_FREE,
		    "a slot that is still in use");
	shim_request_fill(&r, nr, arg, nr == NR_OPEN);
	return r;
}

static void call(shim_owner owner, uint64_t what)
{
	struct shim_request r = begin(owner, NR_CALL, what);
	int64_t result;

	shim_requests_submit(&r, 1);
	result = shim_request_wait(&r);
	model_check(result == (int64_t)what + ANSWER, "the answer to another question");
	model_check(fc_load(&shim_slot_of(&r)->owner) == owner, "the slot has gone to somebody else");
	shim_request_finish(&r);
}

/* Several at once: one look at the credit for all. */
static void calls_both(shim_owner owner)
{
	struct shim_request r[2] = { begin(owner, NR_CALL, 1), begin(owner, NR_CALL, 2) };

	shim_requests_submit(r, 2);
	for (int i = 0; i < 2; i++) {
		model_check(shim_request_wait(&r[i]) == 1 + i + ANSWER, "the answer to another question");
		shim_request_finish(&r[i]);
	}
}

enum jump { BEFORE_SUBMIT, BEFORE_QUEUE, WAITING };

static void jump_out(shim_owner owner, enum jump from, unsigned nr)
{
	struct shim_request r = begin(owner, nr, 5);

	if (from == BEFORE_QUEUE) { /* as far as shim_requests_submit comes before it is in the queue */
		fc_store(&shim_slot_of(&r)->sent, 1u);
		fc_store_release(&shim_entry_of(&r)->state, FC_QUEUED);
	} else if (from == WAITING) {
		shim_requests_submit(&r, 1);
	}
	shim_request_abandon(&r, owner);
}

static void dies(shim_owner owner, enum jump from)
{
	struct shim_request r = begin(owner, NR_CALL, 5);

	if (from == WAITING)
		shim_requests_submit(&r, 1);
	fc_store_release(&shared->word[DEAD], owner);
}

/* Interrupted calls leave messengers to whoever needs a slot next: two look for them at once. */
static void call_and_reclaim(shim_owner owner)
{
	call(owner, owner);
	shim_requests_reclaim(requests(), owner, true);
}

#define DOES(name, what)       \
	static void name(void) \
	{                      \
		what;          \
	}

DOES(one_call, call(1, 7); client_ends(1))
DOES(two_calls, call(1, 7); call(1, 8); client_ends(1))
DOES(call_1_of_2, call(1, 7); client_ends(2))
DOES(call_2_of_2, call(2, 9); client_ends(2))
DOES(both, calls_both(1); client_ends(1))
DOES(jumps_early, jump_out(1, BEFORE_SUBMIT, NR_CALL); call(1, 6); client_ends(1))
DOES(jumps_between, jump_out(1, BEFORE_QUEUE, NR_CALL); call(1, 6); call(1, 7); client_ends(1))
DOES(jumps_late, jump_out(1, WAITING, NR_CALL); call(1, 6); client_ends(1))
DOES(jumps_out_of_open, jump_out(1, WAITING, NR_OPEN); call(1, 6); client_ends(1))
DOES(jumps_beside_another, jump_out(1, WAITING, NR_CALL); client_ends(2))
DOES(reclaims_1, call_and_reclaim(1); client_ends(2))
DOES(reclaims_2, call_and_reclaim(2); client_ends(2))
DOES(dies_early, dies(1, BEFORE_SUBMIT); client_ends(2))
DOES(dies_late, dies(1, WAITING); client_ends(2))
DOES(calls_twice, call(2, 6); call(2, 7); client_ends(2))

static void one_awake(void)
{
	struct own *own = (struct own *)(void *)shared->own;

	own->requests = (struct shim_requests){ .area = &shared->area, .bell = fc_bell_local, .slot = own->slot };
	crew_begin(1, 0, 0, true);
}

/* Nothing is lost: when nobody has anything to do with them any more, all slots are free. */
static void all_free(void)
{
	struct shim_requests *q = requests();

	for (int i = 0; i < 3; i++) {
		shim_requests_reclaim(q, 9, true);
		the_crew()->stop = 0;
		serve(&model_crew()->member[0]); /* what was opened is closed */
	}
	for (int i = 0; i < (int)FC_ENTRIES; i++) {
		model_check(!q->slot[i].owner, "a slot is lost");
		model_check(!q->slot[i].sent, "a request counts for ever");
		model_check(shared->area.entry[i].state == FC_FREE, "an entry is lost");
	}
}

static void all_free_and_closed(void)
{
	all_free();
	model_check(shared->word[CLOSED] == 1, "a descriptor is lost, or closed twice");
}

#define REQUEST_(what, after, n, ...) \
	.name = what, .threads = n, .body = { __VA_ARGS__ }, .bells = true, .setup = one_awake, .finish = after
#define REQUEST(what, ...) REQUEST_(what, all_free, __VA_ARGS__)

static const struct scenario list[] = {
	{ REQUEST("one call", 2, one_call, worker) },
	{ REQUEST("two calls", 2, two_calls, worker) },
	{ REQUEST("two requests submitted at once", 2, both, worker), .preemptions = 5 },
	{ REQUEST("a call, interrupted", 2, one_call, worker), .interrupts = 1 },
	{ REQUEST("two callers", 3, call_1_of_2, call_2_of_2, worker), .preemptions = 3 },
	{ REQUEST("a jump before anything is sent", 2, jumps_early, worker) },
	{ REQUEST("a jump before it is in the queue", 2, jumps_between, worker), .preemptions = 5 },
	{ REQUEST("a jump out of a call", 2, jumps_late, worker), .preemptions = 5 },
	{ REQUEST_("a jump out of an open", all_free_and_closed, 2, jumps_out_of_open, worker), .preemptions = 3 },
	{ REQUEST("a jump beside another's call", 3, jumps_beside_another, call_2_of_2, worker), .preemptions = 2 },
	{ REQUEST("two callers, interrupted, who reclaim", 3, reclaims_1, reclaims_2, worker), .interrupts = 2,
	  .preemptions = 1 },
	{ REQUEST("a death before anything is sent", 3, dies_early, calls_twice, worker), .preemptions = 3 },
	{ REQUEST("a death with a request in flight", 3, dies_late, calls_twice, worker), .preemptions = 3 },
	{ REQUEST("a jump before it is in the queue, whatever comes between", 2, jumps_between, worker), .deep = true },
	{ REQUEST("a jump out of a call, whatever comes between", 2, jumps_late, worker), .deep = true },
	{ REQUEST_("a jump out of an open, whatever comes between", all_free_and_closed, 2, jumps_out_of_open, worker),
	  .deep = true },
	{ REQUEST("two callers, interrupted, who reclaim, more preemptions", 3, reclaims_1, reclaims_2, worker),
	  .interrupts = 2, .preemptions = 4, .deep = true },
	{ REQUEST("two callers, more preemptions", 3, call_1_of_2, call_2_of_2, worker), .preemptions = 5,
	  .deep = true },
	{ REQUEST("a death, more preemptions", 3, dies_late, calls_twice, worker), .preemptions = 5, .deep = true },
};

int main(int argc, char **argv)
{
	return model_main(argc, argv, list, sizeof(list) / sizeof(list[0]));
}
