/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* path_call.h - a call that has paths, in the making: path.c has it, path_link.c what leads through /proc. */
#ifndef FC_SHIM_PATH_CALL_H
#define FC_SHIM_PATH_CALL_H

#include <fcntl.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdint.h>

#include "farcall/wire.h"
#include "libc-shim/calls/route.h"
#include "libc-shim/process/process.h"
#include "libc-shim/process/thread.h"

struct shim_path_call {
	const struct fc_row *row;
	long a[6]; /* canonical */
	struct shim_process *p;
	char *scratch; /* pages 0 and 1: the paths; 2 to 4: for the walk */
	int paths;
	int arg[2]; /* where the paths stand in a */
	char *path[2];
	int dirfd[2];
	bool follow[2];
	bool descriptor[2]; /* it names a remote descriptor (/proc/self/fd/N): its route is known */
	bool rewritten[2];  /* no longer what the caller passed: an absolute path of ours */
	struct shim_route route[2];
	struct shim_frame *frame;
	bool alone;    /* what becomes of the path has to do without its directory */
	bool answered; /* by other calls: */
	int64_t answer;
	int ran_in;
};

struct open_how shim_path_how(const struct shim_path_call *pc);
/* Is the last component of path k what the call makes, removes or renames? */
bool shim_path_is_named(const struct shim_path_call *pc, int k);
/* The directory of path k, in scratch memory; "" if the path is a name alone. */
char *shim_path_parent(const struct shim_path_call *pc, int k);

/* ---- path_pair.c ---- */

/* The error of a call with one path here and one there. */
long shim_path_refuse_pair(const struct shim_path_call *pc);

/* ---- path_link.c ---- */

/* Follow links of the local file system in path k, which is local by its text. 1: it is remote; 0: it is not, or the call has been
 * answered; -errno. */
int64_t shim_path_follow(struct shim_path_call *pc, int k);
/* Would the local kernel's answer be about a placeholder, or something in one, and not say so? */
bool shim_path_meets_placeholder(const struct shim_path_call *pc);
/* It has answered: does that say that it was about one? */
bool shim_path_shows_placeholder(const struct shim_path_call *pc, long r);
/* A descriptor that has led somewhere stands for something else by now (SHIM_OTHER): as if the call had not looked at it yet. */
void shim_path_begin_anew(struct shim_path_call *pc);
/* The domain has answered what a descriptor refers to: that, or -errno. */
int64_t shim_path_check_link(const struct shim_path_call *pc, int64_t r);
/* Is it a path in one of that domain's mounts that stands at `user`, n bytes, as the kernel would write it? Programs make paths of it. */
bool shim_path_is_of(struct shim_process *p, int domain, const char *user, long n);
/* Close what has been opened for the time of the call. */
void shim_path_give_back(struct shim_frame *f);

#endif
