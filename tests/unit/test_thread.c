/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_thread.c - libc-shim/process/thread.c without a domain: the frames of a thread's calls, what becomes of them when a jump leaves them
 * behind or the thread ends, scratch memory, and what a fork's child keeps. What calls hold is counted here.
 */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/atomic.h"
#include "libc-shim/hook.h"
#include "libc-shim/process/fork.h"
#include "libc-shim/process/kin.h"
#include "libc-shim/process/thread.h"
#include "libc-shim/request/request.h"
#include "libc-shim/shim.h"

TestSuite(thread, .timeout = 30);

/* ---- what thread.c needs of others ---- */

struct shim_globals shim;
__thread unsigned fc_vfork_depth;
__thread int fc_vfork_caller;
__thread struct fc_cancellable_state fc_cancellable_now;

static struct shim_requests requests;
static unsigned finished, abandoned, swept, interrupted, licences_put, moments;
static int last_slot = -1, last_closed = -1;
static int left = -1; /* to the next call that ends */

bool fc_in_vfork_child(void)
{
	return false;
}

void shim_request_finish(const struct shim_request *r)
{
	finished++;
	last_slot = r->slot;
}

void shim_request_abandon(const struct shim_request *r, shim_owner owner)
{
	cr_assert_eq(owner, (shim_owner)shim_self()->tid);
	abandoned++;
	last_slot = r->slot;
}

void shim_requests_abandon(struct shim_requests *q, shim_owner owner)
{
	(void)q, (void)owner;
	swept++;
}

bool shim_request_interrupt(const struct shim_request *r, shim_owner owner)
{
	(void)owner;
	interrupted++;
	last_slot = r->slot;
	return true;
}

bool shim_requests_apart(const struct shim_requests *q)
{
	(void)q;
	return false;
}

void shim_licence_put(shim_owner owner)
{
	(void)owner;
	licences_put++;
}

void shim_licences_reset(void)
{
}

void shim_request_let_go(const struct shim_request *r, int has_left[SHIM_USES])
{
	(void)r;
	has_left[0] = -1;
	has_left[1] = left;
	left = -1;
}

void shim_close_left(const struct shim_requests *of, int descriptor)
{
	(void)of;
	last_closed = descriptor;
}

void shim_close_untold(int fd)
{
	last_closed = fd;
}

void shim_wait_a_moment(void)
{
	fc_faa(&moments, 1u);
	usleep(1000);
}

bool shim_ending(void)
{
	return false;
}

void shim_vfork_cleanup(struct shim_thread *t)
{
	t->exec_memory = NULL;
}

struct shim_thread *shim_kin_self(int tid)
{
	(void)tid;
	return NULL;
}

struct shim_process *shim_kin_view(int pid)
{
	(void)pid;
	return NULL;
}

static void setup(void)
{
	shim.config.ndomains = 1;
}

/* ---- frames ---- */

Test(thread, a_call_holds_and_lets_go, .init = setup)
{
	struct shim_frame *f = shim_frame_begin();

	cr_assert_not_null(f);
	cr_assert_eq(shim_self()->depth, 1);
	cr_assert(f->request.slot == -1 && f->placeholder == -1 && f->scratch == -1 && !f->asleep);
	f->request = (struct shim_request){ &requests, 3 };
	shim_frame_end(f);
	cr_assert_eq(shim_self()->depth, 0);
	cr_assert(finished == 1 && last_slot == 3 && !abandoned);
}

Test(thread, handlers_nest_sixteen_deep, .init = setup)
{
	struct shim_frame *f[SHIM_DEPTH_MAX];

	for (int i = 0; i < SHIM_DEPTH_MAX; i++)
		cr_assert_not_null(f[i] = shim_frame_begin());
	cr_assert_null(shim_frame_begin());
	for (int i = SHIM_DEPTH_MAX; i--;)
		shim_frame_end(f[i]);
	cr_assert_not_null(shim_frame_begin());
}

static jmp_buf out;

static void jumps_out(int depth);
static void (*volatile deeper)(int) = jumps_out;

static void jumps_out(int depth)
{
	struct shim_frame *f = shim_frame_begin();

	f->request = (struct shim_request){ &requests, 10 + depth };
	f->placeholder = 50 + depth;
	shim_scratch(f);
	if (!depth)
		longjmp(out, 1);
	deeper(depth - 1);
	f->asleep =
		false; /* so that the call before is not the last thing here: it would take this one's place on the stack */
}

Test(thread, what_a_jump_leaves_behind_is_taken_back, .init = setup)
{
	if (!setjmp(out))
		deeper(2);
	cr_assert_eq(shim_self()->depth, 3);
	shim_frames_check();
	cr_assert_eq(shim_self()->depth, 0);
	cr_assert_eq(abandoned, 3);
	cr_assert_eq(last_slot, 12, "the innermost first");
	cr_assert_eq(last_closed, 52, "a descriptor that nobody was told of");
	cr_assert_eq(finished, 0);
	cr_assert(swept == 1 && licences_put == 1, "once nothing is in progress, all that bears its name");
	shim_frames_check();
	cr_assert_eq(swept, 1);
}

Test(thread, what_is_left_to_a_call_is_closed_when_it_ends, .init = setup)
{
	struct shim_frame *f = shim_frame_begin();

	f->request = (struct shim_request){ &requests, 4 };
	left = 60;
	shim_frame_end(f);
	cr_assert_eq(last_closed, 60);
	left = 61;
	if (!setjmp(out))
		deeper(0);
	shim_frames_check();
	cr_assert_eq(left, -1, "what a jump leaves behind has an end, too");
}

static __attribute__((noinline)) void calls_and_checks(void)
{
	volatile char room[256];

	room[0] = 0;
	shim_frames_check(); /* as the dispatch of a handler's call, further down the stack */
	room[1] = room[0];
}

Test(thread, what_goes_on_is_left_alone, .init = setup)
{
	struct shim_frame *f = shim_frame_begin();

	f->request = (struct shim_request){ &requests, 4 };
	calls_and_checks();
	cr_assert(shim_self()->depth == 1 && !abandoned);
	shim_frame_end(f);
	cr_assert_eq(finished, 1);
}

Test(thread, the_end_of_a_thread_leaves_nothing, .init = setup)
{
	struct shim_frame *f = shim_frame_begin();

	shim_thread_end();
	cr_assert(shim_self()->depth == 0 && swept == 1);
	f = shim_frame_begin();
	f->request = (struct shim_request){ &requests, 5 };
	shim_frame_begin();
	shim_thread_end();
	cr_assert(shim_self()->depth == 0 && abandoned == 1 && last_slot == 5);
	shim_thread_end();
	cr_assert_eq(swept, 2, "there is nothing to do for one that is in no call");
}

Test(thread, only_what_sleeps_is_interrupted, .init = setup)
{
	struct shim_frame *f = shim_frame_begin();

	f->request = (struct shim_request){ &requests, 6 };
	shim_frame_interrupt();
	cr_assert_eq(interrupted, 0);
	shim_asleep(true);
	shim_frame_interrupt();
	shim_frame_interrupt();
	cr_assert(interrupted == 1 && last_slot == 6, "once");
	shim_asleep(false);
	shim_frame_interrupt();
	cr_assert_eq(interrupted, 1);
	shim_frame_end(f);
}

/* ---- scratch memory ---- */

Test(thread, scratch_is_a_frames_own, .init = setup)
{
	struct shim_frame *a = shim_frame_begin(), *b = shim_frame_begin();
	char *of_a = shim_scratch(a), *of_b = shim_scratch(b);

	cr_assert_neq(of_a, of_b);
	cr_assert_eq(shim_scratch(a), of_a, "the same for the whole call");
	cr_assert(of_a + SHIM_SCRATCH_SIZE <= of_b || of_b + SHIM_SCRATCH_SIZE <= of_a);
	shim_frame_end(b);
	shim_frame_end(a);
}

#define MANY 160 /* more than there is */

static unsigned busy, mixed;
static char *in_use[MANY];

static void *uses_scratch(void *of)
{
	const intptr_t me = (intptr_t)of;

	for (int round = 0; round < 50; round++) {
		struct shim_frame *f = shim_frame_begin();
		char *mine = shim_scratch(f);

		fc_store(&in_use[me], mine);
		fc_faa(&busy, 1u);
		fc_store((uint32_t *)(void *)mine, (uint32_t)me);
		sched_yield();
		if (fc_load((uint32_t *)(void *)mine) != (uint32_t)me)
			fc_faa(&mixed, 1u);
		fc_faa(&busy, -1u);
		shim_frame_end(f);
	}
	return NULL;
}

Test(thread, more_threads_than_scratch_take_turns, .init = setup)
{
	pthread_t thread[MANY];

	for (intptr_t i = 0; i < MANY; i++)
		cr_assert_eq(pthread_create(&thread[i], NULL, uses_scratch, (void *)i), 0);
	for (int i = 0; i < MANY; i++)
		pthread_join(thread[i], NULL);
	cr_assert_eq(mixed, 0);
}

static void *dies_with_scratch(void *unused)
{
	shim_scratch(shim_frame_begin());
	return unused; /* without a word: no destructor of ours has run */
}

Test(thread, the_dead_do_not_keep_scratch, .init = setup)
{
	pthread_t thread;

	for (int i = 0; i < MANY; i++) {
		cr_assert_eq(pthread_create(&thread, NULL, dies_with_scratch, NULL), 0);
		pthread_join(thread, NULL);
	}
	struct shim_frame *f = shim_frame_begin();
	cr_assert_not_null(shim_scratch(f));
	shim_frame_end(f);
}

/* ---- names ---- */

static void *tells_its_name(void *name)
{
	*(shim_owner *)name = shim_owner_self();
	return NULL;
}

Test(thread, owners_live_and_die, .init = setup)
{
	shim_owner other = 0;
	pthread_t thread;

	cr_assert_eq(shim_owner_self(), (shim_owner)syscall(SYS_gettid));
	cr_assert(shim_owner_alive(shim_owner_self()));
	pthread_create(&thread, NULL, tells_its_name, &other);
	pthread_join(thread, NULL);
	cr_assert_neq(other, 0);
	cr_assert_neq(other, shim_owner_self());
	for (int i = 0; i < 1000 && shim_owner_alive(other); i++)
		usleep(1000);
	cr_assert_not(shim_owner_alive(other));
}

Test(thread, a_forks_child_keeps_its_own, .init = setup)
{
	struct shim_frame *f = shim_frame_begin();
	char *mine = shim_scratch(f);
	int status;
	pid_t pid = fork();

	if (!pid) {
		struct shim_thread *t = shim_self();

		shim_thread_reset_after_fork(t);
		_exit(t->tid != (int)syscall(SYS_gettid) ? 1 : t->depth != 1 ? 2 : shim_scratch(f) != mine ? 3 : 0);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert_eq(status, 0, "%x", status);
	shim_frame_end(f);
}
