/* SPDX-License-Identifier: GPL-2.0-or-later */
/* oom.h - in which order the kernel kills the domain's processes when memory runs out: shadows first, the largest of them; the
 * supervisor last, for without it nobody is served. It allocates nothing. */
#ifndef FC_DOMAIN_OOM_H
#define FC_DOMAIN_OOM_H

/* Put this process, the supervisor, last as far as it may be. Before it gives up its rights, while /proc is the host's. What cannot be
 * done is left alone. */
void fc_oom_open(void);

/* Around a fork: the child is to be among the first. */
void fc_oom_before_fork(void);
void fc_oom_after_fork(void); /* in the parent */

#endif
