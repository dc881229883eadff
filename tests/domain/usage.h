/* SPDX-License-Identifier: GPL-2.0-or-later */
/* usage.h - what a daemon and all its descendants hold, as /proc has it. Not a test itself. */
#ifndef FC_TESTS_USAGE_H
#define FC_TESTS_USAGE_H

#include <sys/types.h>

struct usage {
	int processes, descriptors, threads;
	long memory_kb;
};

struct usage usage_of(pid_t pid);

/* How many descriptors this one process has. */
int usage_descriptors(pid_t pid);

#endif
