/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * export_spec.h - the argument of -v, DIR:PREFIX[:ro|:rw][:nomap][:nocache][:sync], in any order, and what makes a prefix valid. It looks at text only: whether DIR
 * exists is the daemon's to find out.
 */
#ifndef FC_COMMON_EXPORT_SPEC_H
#define FC_COMMON_EXPORT_SPEC_H

#include <stdbool.h>
#include <stddef.h>

/* Longest prefix in bytes, without NUL: FC_EXPORTS_MAX of them fit into the text of one HELLO answer. */
#define FC_PREFIX_MAX 250

struct fc_export_spec {
	char dir[4096];
	char prefix[FC_PREFIX_MAX + 1]; /* normal form: one slash between names, none at the end */
	bool read_only;
	bool nomap;
	bool nocache;
	bool sync;
};

/* Take `text` apart. The split is at the last ":/" (so DIR may hold colons, PREFIX may not hold ":/"), after all
 * ":ro", ":rw", ":nomap", ":nocache" and ":sync" at the end have been taken off. Returns null, or what is wrong with it as a phrase to put behind the text. */
const char *fc_export_parse(struct fc_export_spec *spec, const char *text);

/* Bring an absolute path into the form of a prefix, in place. Returns null, or what is wrong with it as a phrase. */
const char *fc_prefix_normalize(char *prefix);

/* Is one of the two prefixes the other one, or an ancestor of it? */
bool fc_prefix_overlap(const char *a, const char *b);

#endif
