/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * check.c - FARCALL_CHECK=1: Syscall User Dispatch traps every system call instruction outside the shim's own text; what is
 * done to a remote path or a placeholder there is reported, one line each on stderr. It changes no result.
 *
 * A trapped call is not made in the signal handler: there it would see another signal mask and stack. The handler points the
 * context at a replay slot (trampoline.S) that holds `syscall` and a jump back to this very place, so that clone, vfork,
 * rt_sigreturn and calls that a signal interrupts do what they always do. Slots are never given back; a table in memory
 * says where each returns to.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>

#include "common/atomic.h"
#include "common/rawcall.h"
#include "farcall/abi.h"
#include "farcall/wire.h"
#include "libc-shim/hook/cancel.h"
#include "libc-shim/hook/line.h"
#include "libc-shim/hook/patch.h"
#include "libc-shim/hook/signal.h"
#include "libc-shim/hook/trampoline.h"
#include "libc-shim/hook.h"

#ifndef PR_SET_SYSCALL_USER_DISPATCH
#define PR_SET_SYSCALL_USER_DISPATCH 59
#define PR_SYS_DISPATCH_ON 1
#endif
#ifndef SYS_USER_DISPATCH
#define SYS_USER_DISPATCH 2 /* si_code */
#endif
#define WATCHED 1           /* SYSCALL_DISPATCH_FILTER_BLOCK: the value of the thread's selector */
#define CANCELLABLE_SIZE 64 /* of musl's function, at most */

static bool armed;
static __thread unsigned char selector __attribute__((tls_model("initial-exec")));

#define ARGS 6
#define NUMBERS FC_NUMBERS
#define CLOSE_RANGE_MAX 4096 /* descriptors of one close_range that are looked at */

extern char fc_replays[] __attribute__((visibility("hidden")));
uint64_t fc_replay_resume[FC_REPLAYS] __attribute__((visibility("hidden")));

/* ---- what the arguments of a call are ---- */

/* older forms: what each argument of the row they stand for is */
struct legacy {
	char name[FC_NAME_MAX];
	uint16_t target;
	struct {
		int8_t from; /* the caller's argument, or -1 */
		int32_t constant;
	} arg[ARGS];
};

/* clang-format off */
#define A(i) { i, 0 }
#define K(n) { -1, n }
/* clang-format on */
#define LEGACY(name_, target_, ...) [SYS_##name_] = { #name_, SYS_##target_, { __VA_ARGS__ } },
static const struct legacy legacies[NUMBERS] = {
#include "farcall/syscalls.def"
};
#undef A
#undef K

struct trapped {
	long nr;
	long a[ARGS];
	uint64_t rip; /* behind the instruction */
};

static bool path_remote(int dirfd, long user_path)
{
	char path[FC_PATH_MAX];

	if (!user_path)
		return fc_fd_is_remote(dirfd);
	return fc_strncpy_from_user(path, (const char *)user_path, sizeof(path)) >= 0 && fc_path_is_remote(dirfd, path);
}

static bool arguments_remote(const uint8_t kind[ARGS], const long a[ARGS])
{
	int dirfd = AT_FDCWD;

	for (int i = 0; i < ARGS; i++) {
		switch (kind[i]) {
		case FC_KIND_FD:
			if (fc_fd_is_remote((int)a[i]))
				return true;
			break;
		case FC_KIND_DIRFD:
			dirfd = (int)a[i];
			break;
		case FC_KIND_PATH:
		case FC_KIND_PATH_OPT:
		case FC_KIND_SOURCE:
			if (path_remote(dirfd, a[i]))
				return true;
			dirfd = AT_FDCWD;
			break;
		default:
			break;
		}
	}
	return false;
}

static bool row_remote(const struct fc_row *row, const long a[ARGS])
{
	uint8_t kind[ARGS];

	for (int i = 0; i < ARGS; i++)
		kind[i] = row->arg[i].kind;
	return arguments_remote(kind, a);
}

/* The call's name if it touches something remote, else null. */
static const char *remote_call(const struct trapped *t)
{
	const struct fc_row *row = fc_row_by_nr((unsigned)t->nr);
	const struct fc_local *local;
	const struct legacy *l;

	if ((unsigned long)t->nr >= NUMBERS)
		return NULL;
	if (row)
		return row_remote(row, t->a) ? row->name : NULL;
	l = &legacies[t->nr];
	if (l->name[0]) {
		long a[ARGS];

		for (int i = 0; i < ARGS; i++)
			a[i] = l->arg[i].from < 0 ? l->arg[i].constant : t->a[l->arg[i].from];
		return row_remote(fc_row_by_nr(l->target), a) ? l->name : NULL;
	}
	if (t->nr == SYS_close_range) {
		uint32_t first = (uint32_t)t->a[0], last = (uint32_t)t->a[1];

		for (uint32_t n = 0; n < CLOSE_RANGE_MAX && first + n <= last && first + n >= first; n++)
			if (fc_fd_is_remote((int)(first + n)))
				return "close_range";
		return NULL;
	}
	local = fc_local_by_nr((unsigned)t->nr);
	return local && arguments_remote(local->kind, t->a) ? local->name : NULL;
}

/* ---- the report ---- */

static const char *hex(const char *s, uint64_t *v)
{
	for (*v = 0;; s++) {
		if (*s >= '0' && *s <= '9')
			*v = *v * 16 + (uint64_t)(*s - '0');
		else if (*s >= 'a' && *s <= 'f')
			*v = *v * 16 + (uint64_t)(*s - 'a' + 10);
		else
			return s;
	}
}

/* One line of /proc/self/maps, NUL-terminated: if it holds `at`, appends "FILE+OFFSET" and says true. */
static bool line_holds(struct fc_line *out, const char *line, uint64_t at)
{
	uint64_t start, end, offset;
	const char *name;

	line = hex(line, &start);
	if (*line++ != '-')
		return false;
	line = hex(line, &end);
	if (at < start || at >= end)
		return false;
	while (*line == ' ')
		line++;
	while (*line && *line != ' ') /* permissions */
		line++;
	while (*line == ' ')
		line++;
	hex(line, &offset);
	for (name = line; *name && *name != '/' && *name != '['; name++)
		;
	fc_line_text(out, *name ? name : "anonymous memory");
	fc_line_char(out, '+');
	fc_line_address(out, at - start + offset);
	return true;
}

/* dl_iterate_phdr would take a lock that the interrupted code may hold. */
static void append_place(struct fc_line *out, uint64_t at)
{
	char line[FC_LINE_MAX], buffer[1024];
	unsigned n = 0;
	long fd = fc_call(SYS_openat, AT_FDCWD, "/proc/self/maps", O_RDONLY | O_CLOEXEC, 0), got;

	while (fd >= 0 && (got = fc_call(SYS_read, fd, buffer, sizeof(buffer))) > 0) {
		for (long i = 0; i < got; i++) {
			if (buffer[i] != '\n') {
				if (n < sizeof(line) - 1)
					line[n++] = buffer[i];
				continue;
			}
			line[n] = '\0';
			n = 0;
			if (line_holds(out, line, at)) {
				fc_call(SYS_close, fd);
				return;
			}
		}
	}
	if (fd >= 0)
		fc_call(SYS_close, fd);
	fc_line_address(out, at);
}

static void say(struct fc_line *l)
{
	long a[ARGS] = { 2, (long)l->text, 0 };

	fc_line_end(l);
	a[2] = (long)l->n;
	if (fc_fd_is_remote(2))
		fc_dispatch(SYS_write, a);
	else
		fc_call(SYS_write, 2, l->text, l->n);
}

static void report(const struct trapped *t, const char *name)
{
	struct fc_line l = { 0 };

	fc_line_text(&l, "farcall: check: un-hooked ");
	fc_line_text(&l, name);
	fc_line_text(&l, "(...) at ");
	append_place(&l, t->rip - 2);
	say(&l);
}

/* ---- the trap ---- */

/* The replay slot that returns to `rip`, or null if all are in use. */
static char *replay_slot(uint64_t rip)
{
	uint32_t start = (uint32_t)((rip * 0x9e3779b97f4a7c15ull) >> 32);

	for (uint32_t n = 0; n < FC_REPLAYS; n++) {
		uint32_t i = (start + n) % FC_REPLAYS;
		uint64_t seen = fc_load(&fc_replay_resume[i]);

		if (!seen && fc_cas(&fc_replay_resume[i], 0ull, rip))
			seen = rip;
		else if (!seen)
			seen = fc_load(&fc_replay_resume[i]);
		if (seen == rip)
			return fc_replays + (size_t)i * FC_REPLAY_SIZE;
	}
	return NULL;
}

static void on_sigsys(int sig, siginfo_t *info, void *context)
{
	greg_t *r = ((ucontext_t *)context)->uc_mcontext.gregs;
	struct trapped t;
	const char *name;
	char *slot;

	if (info->si_code != SYS_USER_DISPATCH) {
		fc_signal_deliver(sig, info, context);
		return;
	}
	t = (struct trapped){ r[REG_RAX],
			      { r[REG_RDI], r[REG_RSI], r[REG_RDX], r[REG_R10], r[REG_R8], r[REG_R9] },
			      (uint64_t)r[REG_RIP] };
	name = remote_call(&t);
	if (name)
		report(&t, name);
	/* what musl can end by its program counter must be made where it is: cancel.c watches again */
	if (fc_cancel_native && t.rip - (uint64_t)fc_cancel_native < CANCELLABLE_SIZE) {
		selector = !WATCHED;
		r[REG_RIP] -= 2;
		return;
	}
	slot = replay_slot(t.rip);
	if (slot) {
		r[REG_RIP] = (greg_t)slot;
	} else {
		struct fc_line l = { 0 };

		fc_line_text(
			&l, "farcall: check: too many places with system calls, this thread is not watched any longer");
		say(&l);
		fc_call(SYS_prctl, PR_SET_SYSCALL_USER_DISPATCH, 0, 0, 0, 0);
		r[REG_RIP] -= 2;
	}
}

static int arm(void)
{
	selector = WATCHED;
	/* the kernel compares the address behind the instruction */
	return (int)fc_call(SYS_prctl, PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_ON, fc_shim_text.start,
			    fc_shim_text.end + 1 - fc_shim_text.start, &selector);
}

void fc_check_again(void)
{
	selector = WATCHED;
}

void fc_check_no_more(void)
{
	if (armed) /* the selector goes with the stack */
		fc_call(SYS_prctl, PR_SET_SYSCALL_USER_DISPATCH, 0, 0, 0, 0);
}

static void arm_thread(void)
{
	arm();
}

int fc_check_arm(void)
{
	int err = fc_signal_take_sigsys(on_sigsys, arm_thread);

	armed = true;
	return err ? err : arm();
}
