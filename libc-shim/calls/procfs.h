/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* procfs.h - links in /proc that lead to what a process has open. */
#ifndef FC_SHIM_PROCFS_H
#define FC_SHIM_PROCFS_H

#include <stdbool.h>

struct shim_process;

enum shim_link_kind {
	SHIM_LINK_NONE,
	SHIM_LINK_FD,   /* /proc/PID/fd/N */
	SHIM_LINK_CWD,  /* /proc/PID/cwd */
	SHIM_LINK_INFO, /* /proc/PID/fdinfo/N, which is no link */
	SHIM_LINK_MAP, /* /proc/PID/map_files/X-Y: what is mapped is the kernel's own, and it knows where that leads; its text need not lead there */
};

struct shim_link {
	enum shim_link_kind kind;
	bool own;
	bool whole; /* nothing follows it in the path */
	int pid;    /* of others, as /proc counts */
	int number;
};

/* Is the physical path `at` (absolute, no links before its last component) a link to something remote, or about it? Of a descriptor that
 * stands for nothing, too: it leads nowhere. */
bool shim_procfs_link(const char *at, struct shim_link *link);
/* The same for "/proc/self/fd/N" by its text, whether there is a /proc or not; *rest is what follows. */
bool shim_procfs_own(const struct shim_process *p, const char *path, struct shim_link *link, const char **rest);
/* This process, as /proc counts; -1: there is no /proc. */
int shim_procfs_self(void);
/* By its text, could a path lead through one? With `numbers`, also one that is nothing but a number, in a directory of them. */
bool shim_procfs_may(const char *path, bool numbers);
/* Is that text, n bytes that readlink has put into a buffer of `room`, a placeholder's path, or the beginning of one? */
bool shim_procfs_is_text(const char *text, long n, long room);

/* Is that descriptor of this process, not one of its remote ones, a placeholder of this run or of another? */
bool shim_procfs_is_placeholder(int fd);
/* Is that a pidfd of this process? */
bool shim_procfs_is_own(int pidfd);

/* Open /proc/PID/fdinfo/N, of which the local kernel would say what is so of the placeholder: `fd` is the descriptor it is about, here
 * (a copy, of another process'), `at` its position and `flags` those of its open, -1 = as `fd` has them. */
long shim_procfs_open_info(const struct shim_link *link, int fd, long at, long flags, long open_flags);

/* Is it the directory of this process' descriptors, fd or fdinfo? `dir`: one that is open. */
bool shim_procfs_lists_own(int dir);

#endif
