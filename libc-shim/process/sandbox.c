/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sandbox.c - see sandbox.h. */
#define _GNU_SOURCE
#include "libc-shim/process/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>

#include "common/atomic.h"
#include "common/rawcall.h"
#include "common/spin.h"
#include "farcall/abi.h"
#include "libc-shim/calls/handlers.h"
#include "libc-shim/hook.h"
#include "libc-shim/native.h"
#include "libc-shim/process/bpf.h"
#include "libc-shim/process/thread.h"
#include "libc-shim/request/request.h"
#include "libc-shim/shim.h"
#include "libc-shim/text.h"

#define TALKS 1u
#define RINGS 2u
#define CLOCKS 4u /* may read the clock */

#define STOPPED_NS 4000 /* a clock that cannot be read goes on by this at every look */

/* One that was installed, with all that were before it. Never changed, never given back. */
struct shim_filter {
	const struct shim_filter *before;
	uint32_t lets; /* TALKS, RINGS, CLOCKS: with those before it */
	uint32_t length;
	struct sock_filter code[];
};

/* A thread's. A new thread begins with a copy (fc_thread_storage). */
struct sandbox {
	const struct shim_filter *last;
	uint32_t sync; /* the last time that all threads were given the same, as far as this one has noticed */
	int tid;       /* 0 = not known */
	bool strict;
};

static __thread struct sandbox own __attribute__((tls_model("initial-exec")));
/* A vfork child's, which has our storage. */
static __thread struct sandbox childs __attribute__((tls_model("initial-exec")));
static __thread bool childs_valid __attribute__((tls_model("initial-exec")));

static uint32_t sync_count;
static const struct shim_filter *sync_last; /* of that time */
static uint32_t nameless;                   /* threads so far */
static uint64_t stopped;                    /* looks at a clock that cannot be read */
static uint64_t started_ns, started_tsc;    /* the clock and the counter when the first filter was installed */
static bool crowd;                          /* a thread was made */

/* ---- whose ---- */

/* A child makes its mark when it installs something; its parent runs again when that is over. */
static struct sandbox *current(void)
{
	struct sandbox *s = &own;

	if (unlikely(childs_valid)) {
		if (fc_vfork_depth)
			return &childs;
		childs_valid = false;
	}
	if (unlikely(s->sync != fc_load_acquire(&sync_count))) {
		s->sync = fc_load_acquire(&sync_count);
		s->last = sync_last;
	}
	return s;
}

static struct sandbox *current_to_change(void)
{
	struct sandbox *s = current();

	if (!fc_vfork_depth || s == &childs)
		return s;
	childs = *s;
	childs_valid = true;
	return &childs;
}

void fc_thread_storage(char *tls)
{
	char *self;

	crowd = true;
	if (!fc_guard || !tls)
		return;
	__asm__("mov %%fs:0, %0" : "=r"(self));
	struct sandbox its = *current();
	its.tid = 0;
	fc_copy_to_user(tls + ((char *)&own - self), &its, sizeof its);
}

void shim_sandbox_forked(void)
{
	if (crowd)
		crowd = false;
	if (!childs_valid)
		return;
	own = childs; /* a vfork child's child */
	childs_valid = false;
}

bool shim_sandbox_threads(void)
{
	return crowd;
}

bool shim_sandbox_crowd(void)
{
	return crowd || fc_load(&shim.crowded) || shim.process.shared || fc_vfork_depth;
}

/* ---- judging ---- */

static bool lets_pass(const struct sandbox *s, long nr, const long a[6])
{
	struct seccomp_data call = { .nr = (int)nr, .arch = AUDIT_ARCH_X86_64 };
	uint32_t verdict = SECCOMP_RET_ALLOW;

	if (s->strict)
		return nr == SYS_read || nr == SYS_write || nr == SYS_exit || nr == SYS_rt_sigreturn;
	for (int i = 0; i < 6; i++)
		call.args[i] = (uint64_t)a[i];
	for (const struct shim_filter *f = s->last; f; f = f->before)
		verdict = shim_bpf_stricter(verdict, shim_bpf_run(f->code, f->length, &call));
	verdict &= SECCOMP_RET_ACTION_FULL;
	return verdict == SECCOMP_RET_ALLOW || verdict == SECCOMP_RET_LOG;
}

bool shim_sandbox_lets_pass(long nr, const long a[6])
{
	return lets_pass(current(), nr, a);
}

static bool lets(const struct sandbox *s, long nr, long a0, long a1, long a2, long a3)
{
	return lets_pass(s, nr, (const long[6]){ a0, a1, a2, a3, 0, 0 });
}

static bool have_xen(void)
{
	for (unsigned d = 0; d < shim.config.ndomains; d++)
		if (shim.config.domain[d].xen)
			return true;
	return false;
}

/* What is asked of each filter once. A session and its memory take all of these: half of them are no use. (Where a memfd cannot be made
 * the domain makes one.) */
static uint32_t find_lets(const struct sandbox *s)
{
	static const struct {
		long nr, a[4];
	} needed[] = {
		{ SYS_socket, { AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC } },
		{ SYS_connect, { 3 } },
		{ SYS_setsockopt, { 3, SOL_SOCKET, SO_RCVTIMEO } },
		{ SYS_sendmsg, { 3, 0, MSG_NOSIGNAL } },
		{ SYS_recvmsg, { 3, 0, MSG_DONTWAIT } },
		{ SYS_fcntl, { 3, F_ADD_SEALS } },
		{ SYS_fcntl, { 3, F_DUPFD_CLOEXEC, 1000 } },
		{ SYS_fstat, { 3 } },
		{ SYS_mmap, { 0, FC_DATA_MIN, PROT_READ | PROT_WRITE, MAP_SHARED } },
		{ SYS_close, { 3 } },
	};
	uint32_t can = TALKS;

	for (unsigned i = 0; i < sizeof needed / sizeof needed[0]; i++)
		if (!lets(s, needed[i].nr, needed[i].a[0], needed[i].a[1], needed[i].a[2], needed[i].a[3]))
			can = 0;
	if (lets(s, SYS_futex, 0, FUTEX_WAKE, 1, 0) && (!have_xen() || lets(s, SYS_ioctl, 3, 0, 0, 0)))
		can |= RINGS;
	if (!have_xen() || lets(s, SYS_clock_gettime, CLOCK_MONOTONIC, 0, 0, 0))
		can |= CLOCKS;
	return can;
}

static uint32_t can(void)
{
	const struct sandbox *s = current();

	return s->strict ? 0 : s->last ? s->last->lets : TALKS | RINGS | CLOCKS;
}

bool shim_sandbox_unknown(void)
{
	static uint32_t known; /* 1: there was none; 2: there is one */

	if (unlikely(!fc_load(&known)))
		fc_store(&known, fc_call(SYS_prctl, PR_GET_SECCOMP) == 0 ? 1u : 2u);
	return fc_load(&known) == 2;
}

bool shim_sandbox_talks(void)
{
	return likely(!fc_guard) || (can() & TALKS);
}

/* ---- the shim's own calls ---- */

/* futex_waitv(2) of one word, as futex.c makes it. */
static long wait_otherwise(const struct sandbox *s, const long a[6])
{
	const struct futex_waitv *w = (const struct futex_waitv *)a[0];
	const struct timespec *until = (const struct timespec *)a[3];
	const long b[6] = { (long)w->uaddr, FUTEX_WAIT_BITSET, (long)w->val, a[3], 0, FUTEX_BITSET_MATCH_ANY };

	if (lets_pass(s, SYS_futex, b))
		return fc_raw(SYS_futex, b[0], b[1], b[2], b[3], b[4], b[5]);
	return shim_wait_awake((const uint32_t *)w->uaddr, (uint32_t)w->val,
			       until ? (uint64_t)until->tv_sec * 1000000000u + (uint64_t)until->tv_nsec : 0);
}

static long own_tid(void)
{
	struct sandbox *s = current();

	if (!s->tid)
		s->tid = (int)SHIM_NAMELESS + (int)fc_faa(&nameless, 1u);
	return s->tid;
}

static long call(long nr, const long a[6])
{
	const struct sandbox *s = current();

	if (lets_pass(s, nr, a))
		return fc_raw(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
	switch (nr) {
	case SYS_futex_waitv:
		return wait_otherwise(s, a);
	case SYS_gettid:
		return own_tid();
	case SYS_getpid:
		return shim.process.pid;
	default:
		return -EPERM;
	}
}

/* In strict mode the kernel takes the counter away, too. */
static uint64_t tsc(void)
{
	if (unlikely(current()->strict))
		return fc_tsc_from_ns(fc_faa(&stopped, 1u) * STOPPED_NS);
	return __builtin_ia32_rdtsc();
}

/* In a Xen domain the function of the vDSO is a system call. What is missing then the time stamp counter tells. */
static bool read_clock(struct timespec *now)
{
	uint64_t ns;

	if (likely(can() & CLOCKS))
		return false;
	if (current()->strict)
		ns = fc_faa(&stopped, 1u) * STOPPED_NS;
	else
		ns = started_ns + fc_tsc_to_ns(__builtin_ia32_rdtsc() - started_tsc);
	now->tv_sec = (time_t)(ns / 1000000000);
	now->tv_nsec = (long)(ns % 1000000000);
	return true;
}

static const struct fc_guard guard = {
	.call = call, .allows = shim_sandbox_lets_pass, .tsc = tsc, .clock = read_clock
};

/* ---- installing ---- */

static struct shim_filter *make_filter(uint32_t length)
{
	long at = fc_call(SYS_mmap, 0, sizeof(struct shim_filter) + length * sizeof(struct sock_filter),
			  PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct shim_filter *f = (struct shim_filter *)at;

	if (shim_is_error(at))
		return NULL;
	f->length = length;
	return f;
}

/* The program that the application offers; null in *f: let the kernel say what is wrong with it. 0 or -errno. */
static int take_program(const void *user, struct shim_filter **f)
{
	struct sock_fprog prog;

	*f = NULL;
	if (fc_copy_from_user(&prog, user, sizeof prog) || !prog.len || prog.len > BPF_MAXINSNS)
		return 0;
	*f = make_filter(prog.len);
	if (!*f)
		return -ENOMEM;
	if (fc_copy_from_user((*f)->code, prog.filter, prog.len * sizeof(struct sock_filter))) {
		fc_call(SYS_munmap, *f, sizeof **f + prog.len * sizeof(struct sock_filter));
		*f = NULL;
	}
	return 0;
}

static void begin(struct sandbox *s)
{
	if (!s->tid)
		s->tid = (int)fc_call(SYS_gettid);
	shim_self();
	if (!started_tsc) { /* as long as it may be asked */
		started_ns = shim_now_ns();
		started_tsc = fc_tsc();
	}
	fc_guard = &guard;
}

static long install(long nr, const long a[6], const void *program, uint32_t flags)
{
	struct sandbox *s = current_to_change(), was = *s;
	struct shim_filter *f;
	long r = take_program(program, &f);

	if (r < 0)
		return r;
	if (!f)
		return shim_native(nr, a);
	f->before = s->last;
	struct sandbox will = { .last = f };
	f->lets = find_lets(&will);
	shim_shelter(f->lets & TALKS, f->lets & RINGS);
	begin(s);
	was = *s;
	s->last = f; /* a handler that comes in from here on does not do more than it may */
	fc_signal_fence();
	r = shim_native(nr, a);
	if (shim_is_error(r) || (r > 0 && !(flags & SECCOMP_FILTER_FLAG_NEW_LISTENER))) {
		*s = was;
		fc_signal_fence();
		fc_call(SYS_munmap, f, sizeof *f + f->length * sizeof(struct sock_filter));
		shim_shelter_undo();
	} else if (flags & SECCOMP_FILTER_FLAG_TSYNC) {
		fc_store_release(&sync_last, (const struct shim_filter *)f);
		s->sync = fc_faa(&sync_count, 1u) + 1;
	}
	return r;
}

static long be_strict(long nr, const long a[6])
{
	struct sandbox *s = current_to_change();

	if (s->last || s->strict)
		return shim_native(nr, a);
	shim_shelter(false, false);
	begin(s);
	s->strict = true;
	fc_signal_fence();
	long r = shim_native(nr, a);
	if (shim_is_error(r)) {
		s->strict = false;
		shim_shelter_undo();
	}
	return r;
}

long shim_do_prctl(long nr, long a[6])
{
	if (a[0] != PR_SET_SECCOMP)
		return shim_native(nr, a);
	if (a[1] == SECCOMP_MODE_STRICT)
		return be_strict(nr, a);
	return a[1] == SECCOMP_MODE_FILTER ? install(nr, a, (const void *)a[2], 0) : shim_native(nr, a);
}

long shim_do_seccomp(long nr, long a[6])
{
	if ((uint32_t)a[0] == SECCOMP_SET_MODE_STRICT && !a[1] && !a[2])
		return be_strict(nr, a);
	if ((uint32_t)a[0] != SECCOMP_SET_MODE_FILTER)
		return shim_native(nr, a);
	return install(nr, a, (const void *)a[2], (uint32_t)a[1]);
}

/* ---- the image after an exec ---- */

const struct shim_filter *shim_filter_next(const struct shim_filter *f)
{
	return f ? f->before : fc_guard ? current()->last : NULL;
}

const void *shim_filter_code(const struct shim_filter *f, size_t *bytes)
{
	*bytes = f->length * sizeof f->code[0];
	return f->code;
}

void *shim_filter_restore(size_t bytes)
{
	struct shim_filter *f = make_filter((uint32_t)(bytes / sizeof f->code[0]));

	if (!f)
		return NULL;
	f->before = own.last;
	own.last = f;
	return f->code;
}

void shim_filters_restored(void)
{
	struct shim_filter *f = (struct shim_filter *)own.last;

	if (!f)
		return;
	f->lets = find_lets(&own); /* nothing but the newest one's is ever asked for */
	fc_guard = &guard;
}
