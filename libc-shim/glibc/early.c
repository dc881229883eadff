/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * early.c - where libfarcall.so is entered when it starts before the dynamic linker has looked for the program's libraries (audit.c,
 * libc-shim/musl/early.c). It is
 * mapped then, but not relocated, and has no thread-local storage: this does the one and stands in for the other until the linker has come to
 * it, which writes the same addresses again and gives it storage of its own. Names of other objects stay null until then.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <link.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "libc-shim/hook.h"

#define STORAGE_MAX 4096

extern const ElfW(Ehdr) __ehdr_start __attribute__((visibility("hidden")));

static char storage[STORAGE_MAX] __attribute__((aligned(64)));

/* one relocation of a thread-local variable's, by which the final storage is found */
static struct {
	const uintptr_t *at;
	uintptr_t offset;
	size_t size;
} local;

static uintptr_t thread_pointer(void)
{
	uintptr_t p;

	__asm__("mov %%fs:0, %0" : "=r"(p));
	return p;
}

static const ElfW(Phdr) * segment(uintptr_t base, unsigned type)
{
	const ElfW(Phdr) *p = (const void *)(base + __ehdr_start.e_phoff);

	for (unsigned i = 0; i < __ehdr_start.e_phnum; i++)
		if (p[i].p_type == type)
			return &p[i];
	return NULL;
}

/* Begin the storage as the linker would. False: it does not fit. */
static bool fill_storage(uintptr_t base)
{
	const ElfW(Phdr) *p = segment(base, PT_TLS);

	if (p && (p->p_memsz > sizeof(storage) || p->p_align > 64))
		return false;
	if (p) {
		memcpy(storage, (const void *)(base + p->p_vaddr), p->p_filesz);
		local.size = p->p_memsz;
	}
	return true;
}

static void relocate(uintptr_t base)
{
	const ElfW(Rela) *r = NULL;
	size_t size = 0;

	for (const ElfW(Dyn) *d = (const void *)(base + segment(base, PT_DYNAMIC)->p_vaddr); d->d_tag != DT_NULL; d++) {
		if (d->d_tag == DT_RELA) /* the linker may have added the address already */
			r = (const void *)(d->d_un.d_ptr < base ? base + d->d_un.d_ptr : d->d_un.d_ptr);
		else if (d->d_tag == DT_RELASZ)
			size = d->d_un.d_val;
	}
	for (size_t i = 0; i < size / sizeof(*r); i++) {
		uintptr_t *to = (uintptr_t *)(base + r[i].r_offset), addend = (uintptr_t)r[i].r_addend;

		if (ELF64_R_TYPE(r[i].r_info) == R_X86_64_RELATIVE) {
			*to = base + addend;
		} else if (ELF64_R_TYPE(r[i].r_info) == R_X86_64_TPOFF64) {
			*to = (uintptr_t)storage + addend - thread_pointer();
			local.at = to;
			local.offset = addend;
		}
	}
}

/* The linker is through: what has been stored goes where it is looked for now. */
static void settle(void)
{
	if (local.at)
		memcpy((char *)(thread_pointer() + *local.at - local.offset), storage, local.size);
}

void fc_early(char **envp, enum fc_early_phase phase); /* the object's entry */
void fc_early(char **envp, enum fc_early_phase phase)
{
	const uintptr_t base = (uintptr_t)&__ehdr_start;

	if (phase == FC_EARLY_PAUSE) {
		fc_pause_early();
		return;
	}
	if (!fill_storage(base))
		return;
	relocate(base);
	fc_start_early(envp, base, settle, phase == FC_EARLY_RELINKED);
}
