/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * path.c - every call that names files: find out where its paths lead, run it there, and go on where the answer is
 * that a path leaves the domain again. Nothing here depends on which call it is.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/rawcall.h"
#include "farcall/wire.h"
#include "libc-shim/calls/handlers.h"
#include "libc-shim/native.h"
#include "libc-shim/calls/path.h"
#include "libc-shim/calls/path_call.h"
#include "libc-shim/calls/path_text.h"
#include "libc-shim/calls/procfs.h"
#include "libc-shim/calls/remote.h"
#include "libc-shim/calls/route.h"
#include "libc-shim/hook.h"
#include "libc-shim/process/beyond.h"
#include "libc-shim/process/process.h"
#include "libc-shim/process/thread.h"
#include "libc-shim/request/request.h"
#include "libc-shim/shim.h"
#include "libc-shim/text.h"
#include "libc-shim/trace.h"

#define HOPS_MAX 40

/* ---- legacy forms ---- */

enum { FROM_ARGUMENT = 1, CONSTANT };
struct legacy_arg {
	uint8_t kind;
	int32_t value;
};
struct legacy {
	uint16_t target;
	struct legacy_arg arg[6];
};

/* clang-format off */
#define A(i) { FROM_ARGUMENT, i }
#define K(n) { CONSTANT, n }
#define LEGACY(name, target_, ...) [SYS_##name] = { SYS_##target_, { __VA_ARGS__ } },
/* clang-format on */
static const struct legacy legacy_forms[FC_NUMBERS] = {
#include "farcall/syscalls.def"
};

const struct fc_row *shim_canonical(long nr, const long a[6], long out[6])
{
	if ((unsigned long)nr >= FC_NUMBERS)
		return NULL;
	const struct legacy *l = &legacy_forms[nr];

	for (int i = 0; i < 6; i++)
		out[i] = !l->target ? a[i] : l->arg[i].kind == FROM_ARGUMENT ? a[l->arg[i].value] : l->arg[i].value;
	return fc_row_by_nr(l->target ? l->target : (unsigned)nr);
}

/* ---- one call and its paths ---- */

static bool followed(const struct shim_path_call *pc)
{
	const struct fc_row *row = pc->row;
	long flags = row->follow_arg >= 0 ? pc->a[(int)row->follow_arg] : 0;

	switch (row->follow) {
	case FC_FOLLOW_ALWAYS:
		return true;
	case FC_FOLLOW_UNLESS:
		return !((uint32_t)flags & row->follow_flag);
	case FC_FOLLOW_IF:
		return (uint32_t)flags & row->follow_flag;
	case FC_FOLLOW_BY_OPEN:
		if (row->follow_arg < 0) {
			struct open_how how = { 0 };

			fc_copy_from_user(&how, (const void *)pc->a[2], sizeof how);
			flags = (long)how.flags;
		}
		return !(flags & O_NOFOLLOW) && (flags & (O_CREAT | O_EXCL)) != (O_CREAT | O_EXCL);
	default:
		return false;
	}
}

bool shim_path_is_named(const struct shim_path_call *pc, int k)
{
	return k == 1 || pc->row->follow == FC_FOLLOW_NAMES;
}

struct open_how shim_path_how(const struct shim_path_call *pc)
{
	struct open_how how = { 0 };

	if (pc->row->nr == SYS_openat)
		how.flags = (uint32_t)pc->a[2];
	else if (pc->row->nr == SYS_openat2)
		fc_copy_from_user(&how, (const void *)pc->a[2], sizeof how);
	return how;
}

char *shim_path_parent(const struct shim_path_call *pc, int k)
{
	char *copy = pc->scratch + 2 * FC_PATH_MAX;
	size_t n = (size_t)(shim_path_last(pc->path[k]) - pc->path[k]);

	memcpy(copy, pc->path[k], n);
	copy[n] = 0;
	return copy;
}

/* An absolute path that begins at its directory all the same. */
static bool in_root(const struct shim_path_call *pc)
{
	return pc->row->nr == SYS_openat2 && (shim_path_how(pc).resolve & RESOLVE_IN_ROOT);
}

static bool is_remote_text(const struct shim_path_call *pc, int k)
{
	struct shim_route r;

	shim_route_text(pc->p, pc->dirfd[k], pc->path[k], &r);
	return r.domain >= 0;
}

/* Copy the paths in. -errno if the call has failed; 1 if the local kernel should have the call as it is, whatever it is (a bad or endless path). */
static int take_paths(struct shim_path_call *pc)
{
	pc->paths = 0;
	for (int i = 0; i < 6; i++) {
		unsigned kind = pc->row->arg[i].kind;

		if (kind != FC_KIND_PATH && kind != FC_KIND_PATH_OPT)
			continue;
		int k = pc->paths++;
		pc->arg[k] = i;
		pc->dirfd[k] = i && pc->row->arg[i - 1].kind == FC_KIND_DIRFD ? (int)pc->a[i - 1] : AT_FDCWD;
		pc->follow[k] = k == 0 && followed(pc);
		pc->rewritten[k] = pc->descriptor[k] = false;
		pc->path[k] = NULL;
		if (kind == FC_KIND_PATH_OPT && !pc->a[i])
			continue;
		pc->path[k] = pc->scratch + k * FC_PATH_MAX;
		long n = fc_strncpy_from_user(pc->path[k], (const char *)pc->a[i], FC_PATH_MAX);
		if (n < 0)
			return k && is_remote_text(pc, 0) ? (int)n : 1;
	}
	return 0;
}

static void route_all(struct shim_path_call *pc)
{
	for (int k = 0; k < pc->paths; k++)
		if (!pc->descriptor[k] && pc->path[k] && pc->path[k][0] == '/' && in_root(pc))
			shim_route_text(pc->p, pc->dirfd[k], "", &pc->route[k]);
		else if (!pc->descriptor[k])
			shim_route_text(pc->p, pc->dirfd[k], pc->path[k], &pc->route[k]);
}

/* Walk the paths that are local so far. 1 if one has turned out to be remote, 0 if none, or -errno; or the call has been answered. */
static int64_t walk_all(struct shim_path_call *pc)
{
	int entered = 0;

	for (int k = 0; k < pc->paths && !pc->answered; k++) {
		if (pc->route[k].domain >= 0 || !pc->route[k].unsure)
			continue;
		int64_t r = shim_path_follow(pc, k);
		if (r < 0)
			return r;
		entered |= (int)r;
	}
	return entered;
}

static bool all_local(const struct shim_path_call *pc)
{
	return pc->route[0].domain < 0 && (pc->paths < 2 || pc->route[1].domain < 0);
}

static bool unsure(const struct shim_path_call *pc)
{
	return (pc->route[0].domain < 0 && pc->route[0].unsure) ||
	       (pc->paths > 1 && pc->route[1].domain < 0 && pc->route[1].unsure);
}

/* Might it make, beside a mount at whose prefix it sees nothing, a directory or file of that name? */
static bool makes_prefix(const struct shim_path_call *pc, int k)
{
	return (shim_path_is_named(pc, k) || pc->row->effect == FC_EFFECT_OPENS) &&
	       shim_route_ends_as_prefix(pc->path[k]);
}

/* Would the local kernel do harm, or answer from what a mount covers, or of a placeholder, if the path led into one? */
static bool must_walk_first(const struct shim_path_call *pc)
{
	if (shim.config.covers)
		return true;
	for (int k = 0; k < pc->paths; k++)
		if (pc->route[k].domain < 0 && pc->route[k].unsure &&
		    (shim_procfs_may(pc->path[k], pc->row->effect == FC_EFFECT_OPENS) || makes_prefix(pc, k)))
			return true;
	if (pc->row->nr == SYS_openat)
		return (pc->a[2] & O_CREAT) && pc->follow[0];
	if (pc->row->nr == SYS_openat2)
		return true;
	return shim_path_meets_placeholder(pc);
}

/* The local kernel has answered: may that be about a placeholder, or a path that enters a mount where it sees nothing? */
static bool is_doubtful(const struct shim_path_call *pc, long r)
{
	if (r < 0)
		return r == -ENOENT || (r == -EISDIR && pc->row->effect != FC_EFFECT_READS);
	return shim_path_shows_placeholder(pc, r);
}

static long run_local(struct shim_path_call *pc, long native_nr, const long native_a[6])
{
	long a[6];

	if (!pc->rewritten[0] && !(pc->paths > 1 && pc->rewritten[1]))
		return shim_native_fd(native_nr, native_a);
	for (int i = 0; i < 6; i++)
		a[i] = pc->a[i];
	for (int k = 0; k < pc->paths; k++) {
		if (!pc->rewritten[k])
			continue;
		a[pc->arg[k]] = (long)pc->path[k];
		if (pc->arg[k] && pc->row->arg[pc->arg[k] - 1].kind == FC_KIND_DIRFD)
			a[pc->arg[k] - 1] = AT_FDCWD;
	}
	return shim_native_fd(pc->row->nr, a);
}

/* The domain has answered that path k goes on at `to`. Put it there, if that can be. */
static int64_t take_continuation(struct shim_path_call *pc, int k, const char *to)
{
	uint64_t resolve = shim_path_how(pc).resolve;
	enum shim_last last = shim_path_is_named(pc, k) ? SHIM_LAST_NAMED
			      : pc->follow[k]           ? SHIM_LAST_FOLLOWED
							: SHIM_LAST_LOOKED_AT;
	char *copy = pc->scratch + 3 * FC_PATH_MAX; /* the domain can change its text at any time */

	memcpy(copy, to, FC_PATH_MAX);
	char end = copy[FC_PATH_MAX - 1];
	copy[FC_PATH_MAX - 1] = 0;
	if ((end && strlen(copy) == FC_PATH_MAX - 1) ||
	    (resolve & (RESOLVE_BENEATH | RESOLVE_IN_ROOT | RESOLVE_NO_XDEV)) ||
	    !shim_path_may_go_on(&shim.config, (unsigned)pc->route[k].domain, pc->path[k], copy, last,
				 !(resolve & RESOLVE_NO_SYMLINKS)))
		return SHIM_IMPOSSIBLE;
	memcpy(pc->path[k], copy, FC_PATH_MAX);
	pc->rewritten[k] = true;
	pc->descriptor[k] = false;
	pc->dirfd[k] = AT_FDCWD;
	return FC_CONTINUE;
}

static bool is_continuation(int64_t r)
{
	return r <= FC_CONTINUE && r >= FC_CONTINUE - 5;
}

/* A record of what has been opened or entered, as this call named it. */
static uint64_t new_file(const struct shim_path_call *pc, int64_t r, uint64_t flags, uint32_t forks)
{
	struct shim_process *p = pc->p;
	const struct shim_route *to = &pc->route[0];
	uint64_t held = to->w                      ? shim_file_hold(p, &p->fd[to->fd], to->w)
			: pc->dirfd[0] == AT_FDCWD ? shim_file_hold(p, &p->cwd_file, fc_load(&p->cwd_file))
						   : 0;
	struct shim_file is = {
		.domain = (uint8_t)to->domain, .descriptor = (int)r, .flags = (uint32_t)flags, .forks = forks
	};
	uint64_t bits = shim_file_new(p, &is, held, pc->descriptor[0] ? NULL : pc->path[0]);

	shim_file_drop(p, held);
	return bits;
}

/* A FIFO takes its placeholder's place: poll, signals and whoever inherits it are the kernel's business then. -EOPNOTSUPP: it stays remote. */
static int64_t take_pipe(struct shim_path_call *pc, int descriptor, int placeholder, uint64_t flags)
{
	unsigned domain = (unsigned)pc->route[0].domain;
	int handed = shim_hand(pc->p, domain, descriptor);
	struct stat st;
	long r = handed;

	if (handed == -EOPNOTSUPP)
		return handed;
	if (handed >= 0 && (fc_call(SYS_fstat, handed, &st) < 0 || !S_ISFIFO(st.st_mode))) {
		shim_session_fail(&pc->p->session[domain], "it handed over what is no pipe");
		shim_done_with(pc->p, handed);
		handed = -EIO;
		r = -EIO;
	}
	if (handed >= 0) {
		r = fc_call(SYS_fcntl, placeholder, F_GETFD); /* close_range may have changed it meanwhile */
		r = fc_call(SYS_dup3, handed, placeholder,
			    (r < 0 ? flags & O_CLOEXEC : r & FD_CLOEXEC) ? O_CLOEXEC : 0);
		shim_done_with(pc->p, handed);
	}
	shim_fd_give_back(pc->p, placeholder);
	shim_simple(pc->p, domain, SYS_close, descriptor, 0, 0);
	if (r < 0)
		fc_call(SYS_close, placeholder);
	return r;
}

/* An open for reading alone that cuts its file breaks no lease for reading, not even of ours: what we keep of it is of no use any more. */
static void forget_cut(struct shim_process *p, unsigned domain)
{
	struct shim_lock_state saved;

	shim_session_lock(&p->session[domain], &saved);
	shim_leases_end(p, domain);
	shim_unlock(&p->session[domain].lock, &saved);
}

/* What an open has come to: the application's descriptor, or -errno. */
static int64_t opened(struct shim_path_call *pc, int64_t r, int placeholder, uint64_t flags, uint32_t forks)
{
	if (unlikely(r >= 0 && (flags & (O_TRUNC | O_ACCMODE | O_PATH)) == O_TRUNC))
		forget_cut(pc->p, (unsigned)pc->route[0].domain);
	if (r >= 0 && r < 2ll * FC_OPENED_PIPE && (r & FC_OPENED_PIPE)) {
		r &= ~(int64_t)FC_OPENED_PIPE;
		int64_t taken = take_pipe(pc, (int)r, placeholder, flags);
		if (taken != -EOPNOTSUPP)
			return taken;
	}
	return shim_install(pc->p, (unsigned)pc->route[0].domain, r, placeholder,
			    (flags & O_DIRECT ? SHIM_FD_DIRECT : 0) | (r < 0 ? 0 : new_file(pc, r, flags, forks)));
}

/* The call uses the descriptors that have led to its paths. */
static int use_descriptors(const struct shim_path_call *pc, struct shim_call *c)
{
	for (int k = 0; k < pc->paths; k++)
		if (pc->route[k].w && unlikely(!shim_call_use(c, pc->route[k].fd, pc->route[k].w)))
			return SHIM_OTHER;
	return 0;
}

/* Noted in the frame before a signal can come by which the thread is cancelled, as one does at the end of a system call. */
static int make_placeholder(struct shim_path_call *pc, struct shim_frame *f, uint64_t flags)
{
	uint64_t all = ~0ull, was = 0;
	const bool masks = unlikely(fc_load(&fc_cancels_by_signal)) &&
			   fc_call(SYS_rt_sigprocmask, SIG_SETMASK, &all, &was, sizeof was) == 0;

	f->placeholder = flags & O_PATH ? shim_placeholder_path(pc->p, flags & O_CLOEXEC)
					: shim_placeholder(pc->p, flags & O_CLOEXEC, 0);
	if (masks)
		fc_call(SYS_rt_sigprocmask, SIG_SETMASK, &was, 0, sizeof was);
	return f->placeholder;
}

/* Run on the domain of route 0. FC_CONTINUE: one of the paths goes on elsewhere, and has been rewritten. SHIM_OTHER: a descriptor stands for something
 * else by now. */
static int64_t run_remote(struct shim_path_call *pc, struct shim_frame *f)
{
	struct shim_call c;
	unsigned domain = (unsigned)pc->route[0].domain;
	long a[6];
	int placeholder = -1;

	if (!(pc->p = shim_process_own()))
		return -ENOMEM;
	uint64_t flags = shim_path_how(pc).flags;
	uint32_t forks = fc_load(&pc->p->files.forks); /* a fork during the call: it is shared */
	if (pc->row->effect == FC_EFFECT_OPENS)
		placeholder = make_placeholder(pc, f, flags);
	if (pc->row->effect == FC_EFFECT_OPENS && placeholder < 0)
		return placeholder;
	if (placeholder >= 0)
		shim_fd_reserve(pc->p, placeholder, domain);
	for (int i = 0; i < 6; i++)
		a[i] = pc->a[i];
	for (int k = 0; k < pc->paths; k++)
		if (pc->arg[k] && pc->row->arg[pc->arg[k] - 1].kind == FC_KIND_DIRFD)
			a[pc->arg[k] - 1] = pc->route[k].dirfd;
	c.quiet = false;
	c.path[0] = pc->path[0];
	c.path[1] = pc->paths > 1 ? pc->path[1] : NULL;
	int64_t r = shim_call_begin(&c, pc->row, pc->p, domain, f);
	if (r == 0 && unlikely((r = use_descriptors(pc, &c)) < 0))
		shim_call_end(&c);
	if (r == 0) {
		c.shown = pc->a;
		c.number = placeholder;
		r = shim_call_row(&c, a);
		int64_t answer = r;
		for (int k = 0; k < pc->paths && is_continuation(answer); k++) {
			r = SHIM_IMPOSSIBLE;
			if (answer == FC_CONTINUE - pc->arg[k] && pc->path[k]) {
				r = take_continuation(pc, k, shim_call_at(&c, c.wire[pc->arg[k]]));
				break;
			}
		}
		if (placeholder >= 0) {
			shim_request_settled(&f->request);
			if (r < 0)
				f->placeholder = -1; /* closed next, and then it may be anybody's */
			r = opened(pc, r, placeholder, flags, forks);
			f->placeholder = -1;
		}
		if (pc->row->nr == SYS_chdir && r == 0)
			shim_file_enter(pc->p, new_file(pc, -1, 0, forks));
		shim_call_end(&c);
	} else if (placeholder >= 0) {
		f->placeholder = -1;
		shim_fd_give_back(pc->p, placeholder);
		fc_call(SYS_close, placeholder);
	}
	if (unlikely(shim.trace_fd >= 0) && c.quiet && r != SHIM_OTHER)
		shim_trace(pc->row, pc->a, c.path, r);
	return r;
}

/*
 * Does path k, which begins in a domain, lead out of it again? Then it has been rewritten. Asked by a stat, of its directory if
 * the name is the call's: a stat would follow a link before a slash, and `..`.
 */
static int64_t leaves(struct shim_path_call *pc, int k, struct shim_frame *f)
{
	bool named = shim_path_is_named(pc, k);
	struct shim_path_call q = *pc;
	struct stat st;
	size_t n;

	q.path[0] = named ? shim_path_parent(pc, k) : pc->path[k];
	if (pc->route[k].domain < 0 || !q.path[0][0])
		return 0;
	q.row = fc_row_by_nr(SYS_newfstatat);
	q.paths = 1;
	q.arg[0] = 1;
	q.descriptor[0] = pc->descriptor[k];
	q.route[0] = pc->route[k];
	q.follow[0] = named || pc->follow[k];
	q.a[0] = pc->dirfd[k];
	q.a[1] = (long)q.path[0];
	q.a[2] = (long)&st;
	q.a[3] = q.follow[0] ? 0 : AT_SYMLINK_NOFOLLOW;
	int64_t r = run_remote(&q, f);
	if (r != FC_CONTINUE)
		return r == SHIM_IMPOSSIBLE || r == SHIM_OTHER ? r : 0;
	if (named) {
		const char *name = shim_path_last(pc->path[k]);

		n = strlen(q.path[0]);
		if (n + 1 + strlen(name) >= FC_PATH_MAX)
			return -ENAMETOOLONG;
		q.path[0][n] = '/';
		memcpy(q.path[0] + n + 1, name, strlen(name) + 1);
		memcpy(pc->path[k], q.path[0], FC_PATH_MAX);
	}
	pc->rewritten[k] = true;
	pc->descriptor[k] = false;
	pc->dirfd[k] = AT_FDCWD;
	return r;
}

/*
 * What openat2 has been told not to do and the way to this domain has done already: go through a magic link (/proc/self/fd/N/...), or, from
 * a directory of this machine, into a mount.
 */
static long forbidden(const struct shim_path_call *pc)
{
	const uint64_t resolve = shim_path_how(pc).resolve;
	const bool link = pc->descriptor[0], through = link && pc->route[0].dirfd != AT_FDCWD;

	if (likely(!resolve))
		return 0;
	if (through && (resolve & RESOLVE_BENEATH))
		return -EXDEV;
	if (through && (resolve & (RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS)))
		return -ELOOP;
	return (through || (!link && pc->path[0][0] == '/' && !in_root(pc))) && (resolve & RESOLVE_NO_XDEV) ? -EXDEV
													    : 0;
}

/* What is wrong with the structure comes first: the kernel says it, of a path that is none. */
static long refuse_open(const struct shim_path_call *pc, long error)
{
	long r = fc_call(SYS_openat2, AT_FDCWD, "", pc->a[2], pc->a[3]);

	return r == -ENOENT ? error : r;
}

/* What the local kernel says; FC_CONTINUE: it is not its affair. */
static int64_t try_local(struct shim_path_call *pc, long native_nr, const long native_a[6])
{
	long r = run_local(pc, native_nr, native_a);
	int64_t walked;

	if (likely(!is_doubtful(pc, r)))
		return r;
	if (pc->row->nr == SYS_readlinkat && !pc->path[0][0])
		pc->route[0].unsure = true; /* the link that a descriptor is of */
	if (!unsure(pc))
		return r;
	walked = walk_all(pc);
	if (walked == 0 && !pc->answered)
		return r;
	if (r >= 0 && pc->row->effect == FC_EFFECT_OPENS)
		fc_call(SYS_close, r);
	return walked < 0 && !pc->answered ? (r < 0 ? r : walked) : FC_CONTINUE;
}

static long run(struct shim_path_call *pc, struct shim_frame *f, long native_nr, const long native_a[6], int *domain)
{
	for (int hop = 0; hop < HOPS_MAX; hop++) {
		int64_t r;

		route_all(pc);
		if (unsure(pc) && (!all_local(pc) || must_walk_first(pc)) && (r = walk_all(pc)) < 0)
			return (long)r;
		*domain = -1;
		if (all_local(pc) && !pc->answered) {
			r = try_local(pc, native_nr, native_a);
			if (r != FC_CONTINUE)
				return (long)r;
		}
		if (!pc->answered && pc->paths > 1 && unsure(pc) && walk_all(pc) < 0)
			return -ELOOP;
		*domain = pc->ran_in;
		if (pc->answered)
			return (long)pc->answer;
		if (pc->paths > 1 && pc->route[0].domain != pc->route[1].domain) {
			int k = 0;

			r = leaves(pc, 0, f);
			if (r == 0)
				r = leaves(pc, k = 1, f);
			if (r == 0)
				return shim_path_refuse_pair(pc);
			*domain = pc->route[k].domain;
		} else {
			*domain = pc->route[0].domain;
			if ((r = forbidden(pc)) < 0)
				return refuse_open(pc, r);
			r = shim_path_check_link(pc, run_remote(pc, f));
		}
		if (unlikely(r == SHIM_OTHER)) {
			shim_path_begin_anew(pc);
			hop--;
			continue;
		}
		if (r != FC_CONTINUE)
			return shim_result(&pc->p->session[*domain], r);
	}
	return -ELOOP;
}

/* Take the call apart, for finish to end it. As take_paths, and -EDEADLK. */
static long begin(struct shim_path_call *pc, const struct fc_row *row, const long a[6], bool alone)
{
	struct shim_frame *f = shim_frame_begin();

	*pc = (struct shim_path_call){ .row = row, .p = shim_process(), .frame = f, .alone = alone, .ran_in = -1 };
	if (!f)
		return -EDEADLK;
	for (int i = 0; i < 6; i++)
		pc->a[i] = a[i];
	pc->scratch = shim_scratch(f);
	return take_paths(pc);
}

static long finish(const struct shim_path_call *pc, long r)
{
	if (pc->frame) {
		shim_path_give_back(pc->frame);
		shim_frame_end(pc->frame);
	}
	return r;
}

long shim_path_run(const struct fc_row *row, const long a[6], long native_nr, const long native_a[6], int *domain)
{
	struct shim_path_call pc;
	int ran_in = -1;
	long r = begin(&pc, row, a, false);

	if (r == 0)
		r = run(&pc, pc.frame, native_nr, native_a, &ran_in);
	else if (r > 0)
		r = shim_native(native_nr, native_a);
	if (domain)
		*domain = ran_in;
	return finish(&pc, r);
}

/* Where it ends up, once it is in a domain and does not leave it again, or is here for good. */
static long settle(struct shim_path_call *pc, struct shim_frame *f)
{
	for (int hop = 0; hop < HOPS_MAX; hop++) {
		long r = 0;

		route_all(pc);
		if (pc->route[0].domain < 0 && pc->route[0].unsure)
			r = walk_all(pc);
		if (r < 0 || (r == 0 && all_local(pc)))
			return r;
		if (r == 0)
			r = (long)leaves(pc, 0, f);
		if (r == 0)
			return 0;
		if (unlikely(r == SHIM_OTHER))
			shim_path_begin_anew(pc);
		else if (r < 0 && r != FC_CONTINUE)
			return shim_result(&pc->p->session[pc->route[0].domain], r);
	}
	return -ELOOP;
}

long shim_path_settle(unsigned nr, const long a[6], char *path, size_t size, int *domain)
{
	struct shim_path_call pc;
	long r = begin(&pc, fc_row_by_nr(nr), a, true);

	if (r >= 0)
		r = r ? -EFAULT : settle(&pc, pc.frame);
	if (r == 0 && strlen(pc.path[0]) >= size)
		r = -ENAMETOOLONG;
	if (r == 0) {
		memcpy(path, pc.path[0], strlen(pc.path[0]) + 1);
		*domain = pc.route[0].domain;
	}
	return finish(&pc, r);
}

long shim_do_path(long nr, long a[6])
{
	long canonical[6];
	const struct fc_row *row = shim_canonical(nr, a, canonical);

	return shim_path_run(row, canonical, nr, a, NULL);
}

/* ---- calls with a little more to them ---- */

/* glibc's fstat is newfstatat(fd, "", st, AT_EMPTY_PATH): no path to look at */
long shim_do_fstatat(long nr, long a[6])
{
	long b[6] = { a[0], a[2] };
	char first;

	if (a[3] != AT_EMPTY_PATH || (int)a[0] == AT_FDCWD || fc_copy_from_user(&first, (const void *)a[1], 1) || first)
		return shim_do_path(nr, a);
	return shim_fd_get(shim_process(), a[0]) ? shim_do_fd(SYS_fstat, b) : shim_native(nr, a);
}
