/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ready.h - the file with a library whose sites are rewritten already. Rewriting them in each process costs it a private copy of every page
 * that has one, at its start and at each of its forks; mapping this file instead of the library's text costs neither. The
 * `farcall` command writes it beside the site table it was made from (cli/ready.c), the shim maps it (hook/ready.c).
 *
 * File name: that of the table, with FC_READY_SUFFIX. Contents: the library's file, the same at the same offsets but for the sites, so that
 * debuggers and profilers find its symbols; from the next page on the links, a page or more; the sites, as in the table; then a page
 * that begins with the struct. Native byte order; the file never leaves the machine.
 *
 * It is made for a library with many sites: for a few it is cheaper to rewrite them.
 *
 * Where the shim's slots are from the library differs from process to process, so no jump in a shared page can lead to them. Each leads to
 * a link, FC_READY_BELOW under the library, and that through a table of addresses in front of the links, the process' own.
 */
#ifndef FC_SHIM_HOOK_READY_H
#define FC_SHIM_HOOK_READY_H

#include <stddef.h>
#include <stdint.h>

#include "libc-shim/hook/sites.h"

#define FC_READY_MAGIC 0x3259444145524346ull /* "FCREADY2", read as bytes; another layout, another number */
#define FC_READY_SUFFIX ".ready"
#define FC_READY_PAGE 4096ul
#define FC_READY_LEAST 64           /* sites */
#define FC_READY_BELOW 0x20000000ul /* from where the first link is to the library's load base */
#define FC_READY_LINK 8             /* bytes of a link, and of its address in the table */

struct fc_ready {
	uint64_t magic;
	uint32_t version, list, count; /* of the sites: as in the table's header */
	uint8_t pad[3];
	uint8_t build_id_size;
	uint8_t build_id[FC_BUILD_ID_MAX];
	uint64_t text, text_size,
		text_offset;               /* the executable segment, whole pages: address less the base, in the file */
	uint64_t links_offset, links_size; /* the links, whole pages; the table of addresses has the same size */
	uint64_t sites_offset;             /* of struct fc_site, from a page on */
};

/* Whole pages for so many bytes. */
static inline uint64_t fc_ready_pages(uint64_t size)
{
	return (size + FC_READY_PAGE - 1) & ~(FC_READY_PAGE - 1);
}

#endif
