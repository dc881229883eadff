/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* root.h - a process whose root directory is another than the one it began with. */
#ifndef FC_SHIM_ROOT_H
#define FC_SHIM_ROOT_H

struct shim_process;

/* getcwd(2) of a directory in a domain, where no path leads to it from the root: the kernel says so in front of it. */
long shim_root_unreachable_cwd(struct shim_process *p, char *buffer, unsigned long size);

#endif
