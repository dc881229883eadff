/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * shim.h - what there is one of: the configuration, the process, how the shim is set.
 *
 * Rules for everything in this folder: no errno, no stdio, no malloc, no call into libc, no SIMD (the code runs at raw
 * system call sites whose callers expect every vector register back), async-signal-safe, re-entrant. Locks are taken
 * with all signals blocked, so that neither a handler nor a cancellation can run, or leave, while one is held.
 *
 * Layers, which include and call downwards only (tests/lint/layers has them as a rule):
 *   init.c trace.c    what begins and what watches
 *   process/          fork, exec and what processes share: fork.c exec.c kin.c
 *   calls/            dispatch.c: which handler gets a call; a file for each family; route.c: where a path leads; remote.c: one row as a
 *                     request
 *   session/          a domain's state, memory, buffers; process/process.c thread.c beyond.c: the descriptor table, the record of a thread
 *   transport/        how a domain is reached
 *   request/          one request: slots, submission, waiting
 *   hook/             how calls get here
 */
#ifndef FC_SHIM_SHIM_H
#define FC_SHIM_SHIM_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libc-shim/config.h"
#include "libc-shim/hook.h"
#include "libc-shim/process/process.h"

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

struct shim_globals {
	bool ready;
	struct fc_config config;
	uint64_t placeholder_dev, placeholder_ino;
	int hidden_base; /* our own descriptors are moved to this number or higher */
	bool strict, check, no_stream;
	bool io_uring; /* the program may have rings, of which we know nothing */
	/* iocbs of the program's may have contents of ours, and nobody is told that one is complete: calls/aio.c */
	struct shim_lock aio_lock;
	uint32_t ending; /* the process whose end has begun: no remote call of its returns any more; 0 = none */
	uint32_t
		crowded; /* there are, or have been, processes that share our memory and do not wait for one another: kin.h */
	uint32_t posting; /* a bit for each domain: what others can hear of waits for it (session/post.h) */
	uint32_t minor[FC_CONFIG_DOMAINS]; /* of the ABI that a domain speaks, once there is a session */
	int trace_fd;                      /* -1 = no trace */
	bool trace_paths;                  /* with the paths of descriptors */
	struct shim_process process;
};
extern struct shim_globals shim;

/* The calling thread's process: the real one, or in a vfork child its own copy once it has one. For looking only. */
struct shim_process *shim_process_sought(void); /* it may be another one than the first */
static inline struct shim_process *shim_process(void)
{
	return likely(!fc_vfork_depth && !fc_load(&shim.crowded)) ? &shim.process : shim_process_sought();
}

#endif
