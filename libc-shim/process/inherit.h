/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * inherit.h - across execve a process keeps its sessions, the remote descriptors that are not close-on-exec with what is known of their
 * files (file.h), and the current directory. It is written to a memfd or a pipe, which FARCALL_EXEC names in the new environment, next to
 * the control connections themselves.
 */
#ifndef FC_SHIM_INHERIT_H
#define FC_SHIM_INHERIT_H

#include <stdbool.h>

struct shim_process;

/* Is there anything remote to hand on? */
bool shim_has_inheritance(const struct shim_process *p);

/* Write it down. Returns a descriptor, not close-on-exec, from which the next image reads it to its end; or -errno. */
int shim_inherit_save(struct shim_process *p);

/* Are connections and placeholder to outlive the execve that follows? */
void shim_inherit_pass(struct shim_process *p, bool yes);

/* In the new image: take over what the descriptor of this number says, if it is for us. `value`: of FARCALL_EXEC. Ends the process with 125
 * if there is something, and it cannot be had. */
void shim_inherit_restore(const char *value);

#endif
