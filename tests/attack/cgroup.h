/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cgroup.h - control groups around the domain of a test, of version 1 or 2, whichever is there. One set per process;
 * root only. Ends the program if there is no way.
 */
#ifndef FC_TESTS_CGROUP_H
#define FC_TESTS_CGROUP_H

/* Make fresh groups with at most `pids` tasks and `memory_mb` (0: no limit of that kind) and move this process into
 * them. */
void cgroup_enter(unsigned pids, unsigned memory_mb);

/* Back to where this process was. Others stay. */
void cgroup_leave(void);

/* Remove the groups once nobody is in them; waits a little. Does nothing without groups. */
void cgroup_remove(void);

#endif
