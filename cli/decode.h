/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * decode.h - finds the system call instructions of an ELF file and decides how each can be rewritten. It owns the rules
 * of what may be moved; the format of the table is libc-shim/hook/sites.h; files and caching are sites.h.
 */
#ifndef FC_CLI_DECODE_H
#define FC_CLI_DECODE_H

#include <stddef.h>
#include <stdint.h>

#include "libc-shim/hook/sites.h"

/* An ELF file (x86-64, dynamic) in memory. The caller owns `bytes`. */
struct fc_image {
	const uint8_t *bytes;
	size_t size;
};

/* a wanted `syscall` without enough movable instructions around it */
struct fc_refusal {
	uint64_t address; /* of the `syscall` instruction */
	unsigned nr;
};

struct fc_decoded {
	struct fc_sites_header header;
	struct fc_site *site;       /* header.count, ascending */
	struct fc_refusal *refusal; /* header.refused */
};

/* Decode. On 0 *out is filled and fc_decode_free() gives it back; -EINVAL: not such a file; -ENODATA: it has no build-id;
 * -ENOMEM. Logs nothing. */
int fc_decode(const struct fc_image *image, struct fc_decoded *out);
void fc_decode_free(struct fc_decoded *d);

/* The build-id alone: its length (1..FC_BUILD_ID_MAX), -EINVAL, -ENODATA. */
int fc_decode_build_id(const struct fc_image *image, uint8_t id[FC_BUILD_ID_MAX]);

#endif
