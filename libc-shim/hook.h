/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hook.h - the seam between the hook into a libc (hook/; glibc/, musl/ and uclibc-ng/ say how each gets its own) and the
 * shim's core.
 *
 * The hook gets every storage system call of the process to fc_dispatch, and offers the core what depends on how it is
 * embedded: user-memory access with fault recovery, and the virtual SIGSEGV/SIGBUS disposition that needs. Everything
 * here is compiled with -mgeneral-regs-only, uses no errno, no stdio and no malloc, and is async-signal-safe.
 */
#ifndef FC_SHIM_HOOK_H
#define FC_SHIM_HOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- offered by the core ---- */

/* One system call as the application made it: kernel numbers, kernel argument order. Returns what the kernel would:
 * a value or -errno. Re-entrant from signal handlers. */
long fc_dispatch(long nr, long a[6]);

/* The same for a call at which the thread may be cancelled. */
long fc_dispatch_cancellable(long nr, long a[6], const volatile int *cancelled);

/* The calling thread is about to end without a dispatch that would say so. */
void fc_thread_ends(void);

/*
 * A clone or clone3 that must be made in place, with these flags and that stack pointer for the child (0: the caller's own), is about to
 * be made. 1: tell fc_clone_done its result, in both processes; until then signals are blocked. 0: make it, as a thread. -errno: do not;
 * fc_dispatch, asked for it, returns that.
 */
int fc_clone_prepare(uint64_t flags, uint64_t stack);
void fc_clone_done(long r);

/* A thread is about to be made, whose thread pointer this is: what is in its storage by now, it begins with. */
void fc_thread_storage(char *tls);

/* The shim, mapped at `base`, is to start before the dynamic linker is through with it (glibc/early.c); from then on until `settle` has been
 * called, which is the constructor's to do, there is one thread, no libc, and no name of another object. `relinked`: the linker is one that
 * brings its sites along. */
void fc_start_early(char **envp, uintptr_t base, void (*settle)(void), bool relinked);
/* Such a linker is about to move thread-local storage: until the constructor runs no call is hooked. */
void fc_pause_early(void);
/* What the object's entry is called with. */
enum fc_early_phase { FC_EARLY_GLIBC, FC_EARLY_RELINKED, FC_EARLY_PAUSE };

/* For FARCALL_CHECK: does this (kernel) descriptor stand for a remote one; does this path text lead into a mount? */
bool fc_fd_is_remote(int fd);
bool fc_path_is_remote(int dirfd, const char *path);

/* ---- offered by the hook ---- */

/* Rewrite the C library's system call sites: those it has notes of, else glibc's, with the tables in `sites_dir`. Returns their
 * number, or -errno
 * after one line on stderr. With `verbose` (FARCALL_CHECK) a line for every site that is left alone because its bytes are not
 * those of the table. Called once, from the constructor, before the process has threads; works before libc's own
 * constructors have run. */
int fc_hook_install(const char *sites_dir, bool verbose);

/* The same before there is a C library: the sites of the dynamic linker, which is loaded at `linker`; the shim is at `base`. What
 * fc_hook_install is then left to do is the library. */
int fc_hook_install_linker(const char *sites_dir, bool verbose, uintptr_t linker, uintptr_t base);
/* Undo that, if the linker has brought its sites along: fc_hook_install has all of it to do. 0 or -errno. */
int fc_hook_remove_linker(uintptr_t linker);

/* Does the C library bring its sites along, as one does that was built for farcall? */
bool fc_hook_is_relinked(void);

/* FARCALL_CHECK=1: arm Syscall User Dispatch in the calling thread, reporting on stderr every un-hooked system call that
 * touches a remote path or a placeholder. 0 or -errno. Threads that are made later arm themselves; a child of fork does not,
 * the core must call this there. */
int fc_check_arm(void);

/* The calling thread, if it is watched: again after a call that could not be; no more, because its stack goes. */
void fc_check_again(void);
void fc_check_no_more(void);

/* Copy n bytes between the application's memory and the shim's. Return the number of bytes NOT copied (0 = all), never
 * fault. Copies as much as is accessible, as the kernel's copy_{from,to}_user do. */
size_t fc_copy_from_user(void *dst, const void *user, size_t n);
size_t fc_copy_to_user(void *user, const void *src, size_t n);

/* Copy a NUL-terminated string of at most max bytes with its NUL. Returns its length without NUL, -EFAULT, or
 * -ENAMETOOLONG if there is no NUL among the first max bytes. */
long fc_strncpy_from_user(char *dst, const char *user, size_t max);

/* Take SIGSEGV and SIGBUS over, once per process; what they are now becomes what the application believes. The copies above do
 * so themselves when first used, but not in a vfork child; they work without it, at the price of a system call per page.
 * 0, -EAGAIN (another thread is doing it) or -errno. */
int fc_signal_init(void);

/* rt_sigaction and rt_sigprocmask as the application sees them: its SIGSEGV and SIGBUS dispositions and mask bits are kept
 * apart from the shim's handler, which must stay installed and unblocked. Kernel arguments, kernel results. In a
 * vfork child (fc_vfork_depth) the tables, which are the parent's, are not touched. */
long fc_sys_rt_sigaction(long a[6]);
long fc_sys_rt_sigprocmask(long a[6]);

/* The C library has a handler for the signal by which it cancels threads (32). */
extern bool fc_cancels_by_signal;

/* Before clone makes a thread: it inherits the mask that the caller believes to have. */
void fc_signal_before_thread(void);

/* The calling thread is a new one. glibc and musl begin theirs with an rt_sigprocmask, which says it too. */
void fc_thread_begins(void);

/* Before execve: make the kernel's dispositions and mask what the application believes they are (SIG_IGN and blocked
 * signals survive an exec); after a failed execve: back again. */
void fc_signal_before_exec(void);
void fc_signal_after_failed_exec(void);

/* Nonzero while this thread is between a vfork (or clone(CLONE_VM|CLONE_VFORK)) and the child's exec or exit - that is,
 * in the child, which shares our memory but has a descriptor table of its own. Set by the hook's vfork trampolines, which
 * also clear it when the parent goes on. */
extern __thread unsigned fc_vfork_depth __attribute__((tls_model("initial-exec")));

/* While fc_vfork_depth is nonzero: the thread that called vfork, and whether we are its child. A handler of a signal that came
 * while the parent slept runs in the parent, before the count is down again. */
extern __thread int fc_vfork_caller __attribute__((tls_model("initial-exec")));
bool fc_in_vfork_child(void);

/* Flags and child's stack pointer of a clone, clone3 (or fork: 0). False: the arguments are no good. */
bool fc_clone_arguments(long nr, const long a[6], uint64_t *flags, uint64_t *stack);

/* The call that the calling thread is dispatching, if it may be cancelled at it (hook/cancel.h); else null. Every dispatch says
 * so for itself and puts back what it found, so that a handler's calls are calls of their own, and what a jump has left
 * behind is believed by nobody. */
struct fc_cancellable_state {
	const long *a; /* null = none */
	/* has the thread been told to end? Then the call returns -EINTR as soon as it can. Valid if `a` is, now or once. */
	const volatile int *cancelled;
};
extern __thread struct fc_cancellable_state fc_cancellable_now __attribute__((tls_model("initial-exec")));

static inline bool fc_is_cancellable(const long a[6])
{
	return a == fc_cancellable_now.a;
}

static inline bool fc_cancel_pending(void)
{
	return fc_cancellable_now.a && *fc_cancellable_now.cancelled;
}

/* Make it locally, so that it can be cancelled. */
long fc_call_cancellable(long nr, const long a[6]);

#endif
