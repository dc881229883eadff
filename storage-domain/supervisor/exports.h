/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exports.h - the domain's exports as its clients are told of them, whatever the transport. */
#ifndef FC_DOMAIN_EXPORTS_H
#define FC_DOMAIN_EXPORTS_H

#include <stddef.h>

#include "storage-domain/shadow/shadow.h"

/* For each its flags ("rw" or "ro"), a space, its prefix, NUL. Returns the bytes; those that have no room are left out. */
size_t fc_exports_text(const struct fc_exports *exports, char *text, size_t room);

#endif
