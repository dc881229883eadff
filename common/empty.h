/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* empty.h - directories of ours are removed with what is in them. */
#ifndef FC_COMMON_EMPTY_H
#define FC_COMMON_EMPTY_H

/* Unlink everything in the directory `dir`, which is closed; also what is in directories in it, so many levels deep. Links are not followed. */
void fc_empty_directory(int dir, int depth);

#endif
