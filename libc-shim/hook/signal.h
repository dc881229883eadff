/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* signal.h - what signal.c and check.c share: the virtual signals. */
#ifndef FC_SHIM_HOOK_SIGNAL_H
#define FC_SHIM_HOOK_SIGNAL_H

#include <signal.h>
#include <stdint.h>

/* the kernel's struct sigaction */
struct fc_action {
	void (*handler)(int, siginfo_t *, void *);
	uint64_t flags;
	void *restorer;
	uint64_t mask;
};

/* where a signal context keeps the mask: the kernel's is 64 bits, glibc's structure has room for more */
static inline uint64_t *fc_context_mask(void *context)
{
	return (uint64_t *)(void *)&((ucontext_t *)context)->uc_sigmask;
}

/* Make SIGSYS virtual too, with this handler in front, if it is not yet. From then on every other thread calls `begin` at its
 * first hooked call, which in glibc is before the application's first instruction there. 0 or -errno. */
int fc_signal_take_sigsys(void (*handler)(int, siginfo_t *, void *), void (*begin)(void));

/* Do with a virtual signal what the application's own disposition says. Called in the shim's handler. */
void fc_signal_deliver(int sig, siginfo_t *info, void *context);

#endif
