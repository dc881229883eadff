/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vdso.c - see vdso.h. Finds two functions by name in the shared object that the kernel maps into every process. */
#define _GNU_SOURCE
#include "common/rawcall.h"
#include "libc-shim/vdso.h"

#include <elf.h>
#include <link.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/syscall.h>

static int (*vdso_clock)(clockid_t clock, struct timespec *now);
static long (*vdso_cpu)(unsigned *cpu, unsigned *node, void *unused);

struct object {
	const char *base;
	const char *names;
	const ElfW(Sym) * symbol;
	uint32_t symbols;
};

static bool same(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return *a == *b;
}

static const void *find(const struct object *o, const char *name)
{
	for (uint32_t i = 0; i < o->symbols; i++)
		if (o->symbol[i].st_shndx && same(o->names + o->symbol[i].st_name, name))
			return o->base + o->symbol[i].st_value;
	return NULL;
}

/* The number of symbols stands in the section headers: a vDSO has them mapped, for it is one piece. */
static bool read_sections(const ElfW(Ehdr) * e, struct object *o)
{
	const ElfW(Shdr) *s = (const ElfW(Shdr) *)((const char *)e + e->e_shoff);

	for (int i = 0; i < e->e_shnum; i++) {
		if (s[i].sh_type != SHT_DYNSYM || s[i].sh_link >= e->e_shnum)
			continue;
		o->symbol = (const ElfW(Sym) *)((const char *)e + s[i].sh_offset);
		o->symbols = (uint32_t)(s[i].sh_size / sizeof *o->symbol);
		o->names = (const char *)e + s[s[i].sh_link].sh_offset;
		return true;
	}
	return false;
}

void shim_vdso_init(unsigned long base)
{
	const ElfW(Ehdr) *e = (const ElfW(Ehdr) *)base;
	struct object o = { .base = (const char *)e };

	if (!e || !read_sections(e, &o))
		return;
	*(const void **)&vdso_clock = find(&o, "__vdso_clock_gettime");
	*(const void **)&vdso_cpu = find(&o, "__vdso_getcpu");
}

void shim_vdso_clock(struct timespec *now)
{
#ifdef FC_SHIM
	if (__builtin_expect(fc_guard != 0, 0) && fc_guard->clock(now))
		return; /* the function of the vDSO reads the time stamp counter, which may be forbidden */
#endif
	if (!vdso_clock || vdso_clock(CLOCK_MONOTONIC, now))
		fc_call(SYS_clock_gettime, CLOCK_MONOTONIC, now);
}

uint64_t shim_vdso_tick(void)
{
	struct timespec now;

	if (!vdso_clock || vdso_clock(CLOCK_REALTIME_COARSE, &now))
		fc_call(SYS_clock_gettime, CLOCK_REALTIME_COARSE, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint32_t shim_vdso_cpu(void)
{
	unsigned cpu = 0;

	if (!vdso_cpu || vdso_cpu(&cpu, NULL, NULL))
		fc_call(SYS_getcpu, &cpu, 0, 0);
	return cpu;
}
