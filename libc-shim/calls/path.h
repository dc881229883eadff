/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* path.h - calls that have paths. */
#ifndef FC_SHIM_PATH_H
#define FC_SHIM_PATH_H

#include <stddef.h>

#include "farcall/wire.h"

/* Run a row that has paths, wherever they lead. a: the row's own (canonical) arguments; native_nr and native_a: what to do
 * if it is local after all. *domain (may be null): where it ran, -1 = locally. */
long shim_path_run(const struct fc_row *row, const long a[6], long native_nr, const long native_a[6], int *domain);
/* Where the path of a row that has one leads in the end: the text to use (from the current directory), and the domain or -1. 0 or -errno. */
long shim_path_settle(unsigned nr, const long a[6], char *path, size_t size, int *domain);
/* The canonical row of a call, legacy forms rewritten: null if it has none. */
const struct fc_row *shim_canonical(long nr, const long a[6], long out[6]);

#endif
