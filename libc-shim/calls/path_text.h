/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* path_text.h - paths by their text alone. */
#ifndef FC_SHIM_PATH_TEXT_H
#define FC_SHIM_PATH_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "libc-shim/config.h"

const char *shim_path_next(const char *p);    /* behind slashes and "." components */
size_t shim_path_component(const char *p);    /* length of the one at p */
const char *shim_path_last(const char *path); /* the last one, "." too, and the slashes behind it */
bool shim_path_goes_up(const char *path);     /* has it a `..`? */
/* What follows the prefix in an absolute path that begins with it, component by component; else null. A `..` on the way means:
 * not by the text. */
const char *shim_path_behind(const char *path, const char *prefix);

/* What a call does with the last component of a path: follows a symbolic link there; takes it for what it is (lstat, O_NOFOLLOW), but
 * follows it before a slash; makes, removes or renames what is called so. */
enum shim_last { SHIM_LAST_FOLLOWED, SHIM_LAST_LOOKED_AT, SHIM_LAST_NAMED };

/* May the domain say that the path `from`, which is in one of its mounts or begins at one of its descriptors, goes on at `to`? A
 * hostile one chooses `to`, and whatever the call does is then done to files of this machine: so it gets no more than it could get
 * natively with a symbolic link (if the call goes through any: `links`) in the place of a component that the call would go through, or
 * with a `..` in the root of an export. */
bool shim_path_may_go_on(const struct fc_config *c, unsigned domain, const char *from, const char *to,
			 enum shim_last last, bool links);

#endif
