/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fence.h - what a system call filter does about calls that it does not list. */
#ifndef FC_DOMAIN_FENCE_H
#define FC_DOMAIN_FENCE_H

#include <seccomp.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define FC_FENCE_SANITIZED /* the sanitizers' runtime makes calls of its own */
#define FC_FENCE_OTHERS SCMP_ACT_ERRNO(EPERM)
#else
#define FC_FENCE_OTHERS SCMP_ACT_KILL_PROCESS
#endif

#endif
