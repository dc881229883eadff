/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * path.h - where a path leads: into an export, or out of this domain and back to the client.
 *
 * The domain's root is a read-only skeleton of directories with the exports mounted at their prefixes, so the client's
 * absolute paths can be given to the kernel as they are. What the kernel then cannot know is that the client's own root
 * looks different outside the exports. So
 *   opens run below the export's root with RESOLVE_NO_XDEV, and nothing is opened on the way out;
 *   other calls run directly; where the result may come from outside an export (any error, a success on the skeleton),
 *   the path is probed with RESOLVE_NO_XDEV: almost always it stays inside, and the result stands;
 *   only if the kernel says EXDEV (left the export, absolute link, mount below) is it walked step by step.
 * This file owns that decision. It runs no call for the client, and reads no shared memory.
 */
#ifndef FC_DOMAIN_PATH_H
#define FC_DOMAIN_PATH_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "farcall/abi.h"

struct fc_exports;

#define FC_LINKS_MAX 40 /* symbolic links in one path, as in the kernel */

/* What fc_walk and fc_path_judge found, other than -errno */
#define FC_PATH_HERE 0 /* the path stays in this domain */
#define FC_PATH_LEFT 1 /* it goes on outside: walk->text is the client's absolute path to go on at */

/* How the last component counts */
#define FC_WALK_FOLLOW 1u /* a symbolic link there is followed */
/* the call makes, removes or renames it: never followed, not even before a slash; ".." names nothing, wherever it leads
 *  */
#define FC_WALK_PARENT 2u
#define FC_WALK_NOLINKS 4u /* RESOLVE_NO_SYMLINKS: any link is ELOOP */

struct fc_walk {
	/* of FC_PATH_HERE from fc_walk: run the call on `name` in directory `dir`; fc_walk_end afterwards */
	int dir;
	bool owned;              /* `dir` was opened by the walk */
	char name[NAME_MAX + 2]; /* one component (may be "." or ".."), with a slash if one followed */
	char text[2 * FC_PATH_MAX];
	char scratch[2 * FC_PATH_MAX];
};

/* Where a path begins: for an absolute one the root of the export with the longest matching prefix, *rest pointing
 * behind the prefix (never empty: "." if nothing follows); else dirfd and the path itself. -ENOENT: absolute, in no
 * export. */
int fc_path_start(const struct fc_exports *exports, int dirfd, const char *path, int *start, const char **rest);

/* Walk `rest` from directory `start` component by component. Returns FC_PATH_HERE, FC_PATH_LEFT or what the kernel
 * would say (-ENOENT, -EACCES, -ENOTDIR, -ELOOP, -ENAMETOOLONG) about a component before the last. */
int fc_walk(struct fc_walk *w, const struct fc_exports *exports, int start, const char *rest, unsigned flags);
void fc_walk_end(struct fc_walk *w);

/* Whether a path that has just been used with a dubious result stays in this domain. Returns FC_PATH_HERE, FC_PATH_LEFT
 * or the error that looking it up (its parent, with FC_WALK_PARENT) gives. Opens nothing that outlasts it. */
int fc_path_judge(struct fc_walk *w, const struct fc_exports *exports, int dirfd, const char *path, unsigned flags);

/* Whether `path` names the root of an export: its entry is not in the export but outside. */
bool fc_path_is_root(const struct fc_exports *exports, const char *path);

#endif
