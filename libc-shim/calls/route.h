/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* route.h - where a path leads: to a domain, or nowhere but here. */
#ifndef FC_SHIM_ROUTE_H
#define FC_SHIM_ROUTE_H

#include <stdbool.h>
#include <stdint.h>

#include "libc-shim/calls/procfs.h"

struct shim_process;

struct shim_route {
	int domain;            /* -1 = local */
	int dirfd;             /* wire value: domain descriptor or AT_FDCWD */
	int fd;                /* the application's that has led there, */
	uint64_t w;            /* and its word; 0 = none has */
	bool unsure;           /* local by its text; a local symbolic link might still lead into a mount */
	struct shim_link link; /* local by its text, and leads through this */
};
/* By the text alone. `path` is a private copy, or null. dirfd as the application gave it. */
void shim_route_text(const struct shim_process *p, int dirfd, const char *path, struct shim_route *r);
/* Is the last name that of a mount, which a local call could make where the mount is? */
bool shim_route_ends_as_prefix(const char *path);
/* Follow local symbolic links. If the walk enters a mount, `path` (room FC_PATH_MAX) is replaced by the absolute path and r
 * by its route. If it comes to a link in /proc that leads to something remote, r->link is that, and `path` what follows it, if anything
 * does. `scratch` is three pages. 0 or -errno (-ELOOP, -ENAMETOOLONG). */
int shim_route_walk(int dirfd, char *path, bool follow, char *scratch, struct shim_route *r);

#endif
