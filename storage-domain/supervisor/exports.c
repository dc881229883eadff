/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exports.c - see exports.h. */
#include "storage-domain/supervisor/exports.h"

#include <stdio.h>

size_t fc_exports_text(const struct fc_exports *exports, char *text, size_t room)
{
	size_t length = 0;

	for (unsigned i = 0; i < exports->count; i++) {
		const struct fc_export *e = &exports->export[i];
		size_t n =
			(size_t)snprintf(text + length, room - length, "%s %s", e->read_only ? "ro" : "rw", e->prefix) +
			1;

		if (n > room - length)
			break;
		length += n;
	}
	return length;
}
