/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lease_watch.h - leases of the kernel's on files that a shadow has open (fcntl(2), F_SETLEASE), and threads that are told when somebody else waits
 * for the file. What is to be done before a lease is given up is their owners': delegations (shadow/lease.c), mappings (exec/map.c). A descriptor is one of
 * a table, and the two have theirs in different ones: so a watch's thread has the table of the thread that begins it.
 */
#ifndef FC_DOMAIN_LEASE_WATCH_H
#define FC_DOMAIN_LEASE_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#define FC_LOOK_WHEN_TOLD UINT64_MAX

struct fc_lease_watch {
	/* Give up the leases that end. Returns after how many nanoseconds it wants to look again, told or not. */
	uint64_t (*look)(void *arg);
	void *arg;
	uint32_t thread; /* 0: it has not begun */
};

/* 0 or -errno. In the child of a fork, which has none of its threads: set `thread` to 0 before. */
int fc_lease_watch_begin(struct fc_lease_watch *w);

/* It is to look now. */
void fc_lease_watch_nudge(const struct fc_lease_watch *w);

/* A lease of `type` on what is open as `fd`, if the kernel gives one: of which the watch is told, whatever signals the open file had before. The thread may
 * give it back that has the right to it, or the domain the capability. 0 or -errno. */
int fc_lease_take(const struct fc_lease_watch *w, int fd, int type);
int fc_lease_give(int fd);

/* Has another watch taken the lease over? The open file may be mapped, too (exec/map.c), and has one lease, which is the last taker's. */
bool fc_lease_is_others(const struct fc_lease_watch *w, int fd);

/* Is it still what was taken? Else somebody waits. */
bool fc_lease_stands(int fd, int type);

#endif
