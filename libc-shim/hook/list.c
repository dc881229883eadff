/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* list.c - see list.h. Pure functions. */
#define _GNU_SOURCE
#include "libc-shim/hook/list.h"

#include <sys/syscall.h>

#include "farcall/numbers.h"

#define HASH_BASIS 2166136261u /* FNV-1a */
#define HASH_PRIME 16777619u

static const uint8_t kind[] = {
#define SYSCALL(name, ...) [SYS_##name] = FC_SITE_CALL,
#define LEGACY(name, ...) [SYS_##name] = FC_SITE_CALL,
#define TRANSLATED(name, ...) [SYS_##name] = FC_SITE_CALL,
#include "farcall/syscalls.def"
#define HOOKED FC_SITE_CALL
#define SPECIAL FC_SITE_SPECIAL
#define LEFT 0
#define LOCAL(nr, name, site, ...) [nr] = site,
#include "farcall/local.def"
#undef HOOKED
#undef SPECIAL
#undef LEFT
};

unsigned fc_list_kind(unsigned nr)
{
	if (nr == FC_SITE_UNKNOWN)
		return FC_SITE_SPECIAL;
	return nr < sizeof(kind) ? kind[nr] : 0;
}

uint32_t fc_list_hash(void)
{
	uint32_t h = HASH_BASIS;

	for (unsigned nr = 0; nr < sizeof(kind); nr++)
		h = (h ^ kind[nr]) * HASH_PRIME;
	return h;
}

static char *put_byte(char *p, unsigned byte)
{
	*p++ = "0123456789abcdef"[byte >> 4 & 15];
	*p++ = "0123456789abcdef"[byte & 15];
	return p;
}

void fc_list_name(char to[FC_LIST_NAME], const uint8_t *id, unsigned id_size, const char *suffix)
{
	const uint32_t hash = fc_list_hash();

	for (unsigned i = 0; i < id_size; i++)
		to = put_byte(to, id[i]);
	*to++ = '-';
	for (int shift = 24; shift >= 0; shift -= 8)
		to = put_byte(to, hash >> shift);
	do
		*to++ = *suffix;
	while (*suffix++);
}
