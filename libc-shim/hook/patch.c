/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * patch.c - rewrites the system call sites of the C library in memory. It owns the checking of sites and the filling in of
 * trampolines; trampoline.S owns what a trampoline does, notes.c and glibc/tables.c know where the sites are.
 *
 * Order: every object's sites are known and their bytes compared; every trampoline is written and made executable; only
 * then is the first site rewritten, because from there on the process' own calls run through them. Everything from the
 * first comparison on uses raw system calls and calls no libc function.
 */
#define _GNU_SOURCE
#include "libc-shim/hook/patch.h"

#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "common/rawcall.h"
#include "libc-shim/hook/cancel.h"
#include "libc-shim/hook/line.h"
#include "libc-shim/hook/sites.h"
#include "libc-shim/hook/trampoline.h"
#include "libc-shim/hook.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14 */
#endif

#define PAGE 4096ul
#define REACH 0x7f000000ul /* of a 32-bit displacement, less the size of a library */
#define MISMATCHES_MAX 8   /* more than one site in this many: it is another library */

extern char fc_slots[], fc_slots_end[], fc_specials[], fc_stub[];
/* static.ld's */
extern char fc_text_start[] __attribute__((weak, visibility("hidden")));
extern char fc_text_end[] __attribute__((weak, visibility("hidden")));

struct fc_text fc_shim_text;

int fc_hook_fail(int err, const char *what, const char *why, const char *path)
{
	struct fc_line l = { 0 };

	fc_line_text(&l, "farcall: cannot hook ");
	fc_line_text(&l, what);
	fc_line_text(&l, ": ");
	fc_line_text(&l, why);
	if (path) {
		fc_line_text(&l, " ");
		fc_line_text(&l, path);
	}
	fc_line_text(&l, " (error ");
	fc_line_number(&l, (unsigned)-err, 10);
	fc_line_text(&l, ")");
	fc_line_end(&l);
	fc_call(SYS_write, 2, l.text, l.n);
	return err;
}

/* ---- the loaded objects ---- */

void fc_object_place(struct fc_object *o, const struct dl_phdr_info *info)
{
	o->base = info->dlpi_addr;
	for (unsigned i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];
		uintptr_t at = info->dlpi_addr + p->p_vaddr;

		if (p->p_type != PT_LOAD || !(p->p_flags & PF_X))
			continue;
		if (!o->text || at < o->text)
			o->text = at;
		if (at + p->p_memsz > o->text_end)
			o->text_end = at + p->p_memsz;
	}
}

struct dl_phdr_info fc_object_headers(uintptr_t base)
{
	const ElfW(Ehdr) *h = (const void *)base;

	return (struct dl_phdr_info){
		.dlpi_addr = base,
		.dlpi_phdr = (const void *)(base + h->e_phoff),
		.dlpi_phnum = h->e_phnum,
	};
}

static bool holds_us(const struct fc_object *o)
{
	return (uintptr_t)fc_stub >= o->text && (uintptr_t)fc_stub < o->text_end;
}

static int find_self(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct fc_object o = { 0 };

	(void)size;
	(void)arg;
	fc_object_place(&o, info);
	if (holds_us(&o))
		fc_shim_text = (struct fc_text){ o.text, o.text_end };
	return holds_us(&o);
}

/* ---- sites ---- */

static size_t site_size(const struct fc_site *s)
{
	return (size_t)s->before + FC_SITE_SYSCALL + s->after;
}

/* Does the loaded text hold what the table says, and is the table's entry sound in itself? */
static bool site_matches(const struct fc_object *o, const struct fc_site *s)
{
	const uint8_t *at = (const uint8_t *)(o->base + s->address);
	size_t size = site_size(s);

	if (s->before > FC_SITE_BEFORE_MAX || s->after > FC_SITE_AFTER_MAX || size < FC_SITE_JUMP ||
	    s->kind < FC_SITE_CALL || s->kind > FC_SITE_CANCELLABLE || (s->relative && s->relative + 4u > size) ||
	    (uintptr_t)at < o->text || (uintptr_t)at + size > o->text_end)
		return false;
	for (size_t i = 0; i < size; i++)
		if (at[i] != s->bytes[i])
			return false;
	return s->kind == FC_SITE_CANCELLABLE || (s->bytes[s->before] == 0x0f && s->bytes[s->before + 1] == 0x05);
}

static void report_mismatch(const struct fc_object *o, const struct fc_site *s)
{
	struct fc_line l = { 0 };

	fc_line_text(&l, "farcall: check: not hooked, unexpected code in ");
	fc_line_text(&l, o->what);
	fc_line_text(&l, " at ");
	fc_line_address(&l, s->address);
	fc_line_end(&l);
	fc_call(SYS_write, 2, l.text, l.n);
}

/* How many are not what the table says, or -errno if this cannot be the library it was made for. */
static int check_sites(const struct fc_object *o, bool verbose)
{
	unsigned bad = 0;

	for (unsigned i = 0; i < o->sites; i++) {
		if (site_matches(o, &o->site[i]))
			continue;
		bad++;
		if (verbose)
			report_mismatch(o, &o->site[i]);
	}
	if (bad * MISMATCHES_MAX > o->sites)
		return fc_hook_fail(-ESTALE, o->what, "its code is not what the site table was made from", NULL);
	return (int)bad;
}

/* ---- trampolines ---- */

static bool reaches(uintptr_t a, uintptr_t b)
{
	return (a > b ? a - b : b - a) < REACH;
}

/* Put a displacement to `to` where the 4 bytes at `at` are the end of an instruction. */
static void put_displacement(char *at, uintptr_t to)
{
	int32_t d = (int32_t)(to - ((uintptr_t)at + 4));

	memcpy(at, &d, 4);
}

static void put_jump(char *at, uintptr_t to)
{
	*at = (char)0xe9;
	put_displacement(at + 1, to);
}

/* Copy displaced instructions [from, to) of a site. */
static void move_code(char *at, const struct fc_object *o, const struct fc_site *s, unsigned from, unsigned to)
{
	memcpy(at, s->bytes + from, to - from);
	if (s->relative >= from && s->relative < to) { /* (0 is the offset of no displacement) */
		char *d = at + (s->relative - from);
		int32_t distance;

		if (!s->relative)
			return;
		memcpy(&distance, d, 4);
		distance += (int32_t)((o->base + s->address + from) - (uintptr_t)at);
		memcpy(d, &distance, 4);
	}
}

static void fill_slot(char *slot, unsigned after, const struct fc_object *o, const struct fc_site *s)
{
	uintptr_t resume = o->base + s->address + s->before + FC_SITE_SYSCALL;

	memcpy(slot, &resume, 8);
	move_code(slot + FC_SLOT_ENTRY - s->before, o, s, 0, s->before);
	move_code(slot + after, o, s, s->before + FC_SITE_SYSCALL, (unsigned)site_size(s));
	put_jump(slot + after + s->after, o->base + s->address + site_size(s));
}

/* A whole function is replaced; the rest of it, behind the site, is what it was. */
static void fill_cancellable(char *slot, const struct fc_object *o, const struct fc_site *s)
{
	static const char way[] = { (char)0xff, 0x25, 0, 0, 0, 0 }; /* jmp *(%rip), the address follows */
	uintptr_t resume = o->base + s->address + site_size(s), to = (uintptr_t)fc_cancellable;

	memcpy(slot, &resume, 8);
	memcpy(slot + FC_SLOT_ENTRY, way, sizeof(way));
	memcpy(slot + FC_SLOT_ENTRY + sizeof(way), &to, 8);
	fc_cancel_native = (fc_cancellable_call *)resume;
}

/* Room for one slot per site near an object that is out of our slots' reach: with `ld.so PROGRAM`, ld.so is loaded far from
 * the libraries. No unwind information covers these. Slot 0 holds the way to the stub. */
static int map_far(struct fc_object *o)
{
	size_t size = ((o->sites + 1ul) * FC_SLOT_SIZE + PAGE - 1) & ~(PAGE - 1);

	for (uintptr_t distance = 1ul << 20; distance < REACH; distance += 1ul << 20) {
		uintptr_t hint = (o->text & ~(PAGE - 1)) - distance;
		long p;

		if (distance > o->text)
			break;
		p = fc_call(SYS_mmap, hint, size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
		if (p < 0)
			continue;
		if ((uintptr_t)p == hint) {
			static const char way[] = { (char)0xff, 0x25, 2, 0, 0, 0, 0, 0 }; /* jmp *8(%rip is at 6) */
			uintptr_t stub = (uintptr_t)fc_stub;

			o->far = (char *)p;
			memcpy(o->far, way, sizeof(way));
			memcpy(o->far + 8, &stub, 8);
			return 0;
		}
		fc_call(SYS_munmap, p, size);
	}
	return fc_hook_fail(-ENOMEM, o->what, "no memory within reach of it", NULL);
}

static void fill_far_slot(char *slot, const struct fc_object *o, const struct fc_site *s)
{
	memcpy(slot, fc_slots, FC_SLOT_SIZE);
	put_displacement(slot + FC_SLOT_AFTER - 4, (uintptr_t)o->far);
	fill_slot(slot, FC_SLOT_AFTER, o, s);
}

struct slots {
	unsigned used, specials;
};

/* those of the dynamic linker, if it came before the library */
static struct slots linkers;
static bool linker_is_hooked;

/* The site's trampoline, or null if there is none for it. */
static char *claim_slot(struct slots *slots, struct fc_object *o, const struct fc_site *s, unsigned *far_used)
{
	if (s->kind == FC_SITE_SPECIAL)
		return o->far || slots->specials == FC_SPECIALS ? NULL
								: fc_specials + FC_SPECIAL_SIZE * slots->specials++;
	if (o->far)
		return o->far + FC_SLOT_SIZE * ++*far_used;
	return slots->used == FC_SLOTS ? NULL : fc_slots + (size_t)FC_SLOT_SIZE * slots->used++;
}

/* Either fills in the trampolines of an object, or puts the jumps to them into its text: the same walk, so the same slots. */
static int walk_sites(struct slots *slots, struct fc_object *o, bool jumps)
{
	unsigned far_used = 0;
	int done = 0;

	for (unsigned i = 0; i < o->sites; i++) {
		const struct fc_site *s = &o->site[i];
		char *at = (char *)(o->base + s->address);
		char *slot;

		if (!o->link && !site_matches(o, s)) /* else all of them do */
			continue;
		slot = claim_slot(slots, o, s, &far_used);
		if (!slot && o->link)
			fc_ready_forget(o); /* the file has a jump there */
		if (!slot)
			continue;
		done++;
		if (o->link && jumps)
			continue;
		if (o->link)
			o->link[i] = (uintptr_t)slot + FC_SLOT_ENTRY - s->before;
		if (jumps) {
			put_jump(at, (uintptr_t)slot + FC_SLOT_ENTRY - s->before);
			for (size_t j = FC_SITE_JUMP; j < site_size(s); j++)
				at[j] = (char)0xcc;
		} else if (s->kind == FC_SITE_CANCELLABLE) {
			fill_cancellable(slot, o, s);
		} else if (o->far) {
			fill_far_slot(slot, o, s);
		} else {
			fill_slot(slot, s->kind == FC_SITE_SPECIAL ? FC_SPECIAL_AFTER : FC_SLOT_AFTER, o, s);
		}
	}
	return done;
}

static int protect(uintptr_t from, uintptr_t to, int protection)
{
	from &= ~(PAGE - 1);
	return (int)fc_call(SYS_mprotect, from, ((to + PAGE - 1) & ~(PAGE - 1)) - from, protection);
}

/* Other threads do not exist yet, or are not in libc; but where the system allows it, their code stays executable. In a static
 * program this code is among it, so it must. */
static int make_writable(uintptr_t from, uintptr_t to, bool holds_this)
{
	int err = protect(from, to, PROT_READ | PROT_WRITE | PROT_EXEC);

	return err && !holds_this ? protect(from, to, PROT_READ | PROT_WRITE) : err;
}

static int fill_slots(struct fc_object *o, unsigned n)
{
	struct slots slots = linkers;
	size_t sites = 0;
	int err = make_writable((uintptr_t)fc_slots, (uintptr_t)fc_slots_end, false);

	if (err)
		return fc_hook_fail(err, "the C library", "its trampolines cannot be written", NULL);
	for (unsigned i = 0; i < n; i++)
		sites += o[i].sites;
	/* all pages at once, where the system can: else each is copied when it is first written to */
	fc_call(SYS_madvise, fc_slots, (sites * FC_SLOT_SIZE + PAGE - 1) & ~(PAGE - 1), MADV_POPULATE_WRITE);
	for (unsigned i = 0; i < n; i++) {
		walk_sites(&slots, &o[i], false);
		if (o[i].far && !err)
			err = protect((uintptr_t)o[i].far, (uintptr_t)o[i].far + (o[i].sites + 1) * FC_SLOT_SIZE,
				      PROT_READ | PROT_EXEC);
	}
	if (!err)
		err = protect((uintptr_t)fc_slots, (uintptr_t)fc_slots_end, PROT_READ | PROT_EXEC);
	return err ? fc_hook_fail(err, "the C library", "its trampolines cannot be made executable", NULL) : 0;
}

/* The number of sites rewritten. If one object cannot be made writable nothing is rewritten; what was rewritten works. */
static int put_jumps(struct fc_object *o, unsigned n, struct slots *used)
{
	struct slots slots = linkers;
	int done = 0, err = 0;

	for (unsigned i = 0; i < n && !err; i++)
		if (!o[i].link)
			err = make_writable(o[i].text, o[i].text_end, holds_us(&o[i]));
	for (unsigned i = 0; i < n && !err; i++)
		done += walk_sites(&slots, &o[i], true);
	for (unsigned i = 0; i < n; i++) {
		int e = o[i].link ? err : protect(o[i].text, o[i].text_end, PROT_READ | PROT_EXEC);

		if (o[i].link && !err)
			e = fc_ready_map(&o[i]);

		if (e && !err)
			err = e;
	}
	*used = slots;
	return err ? fc_hook_fail(err, "the C library", "its text cannot be changed", NULL) : done;
}

/* Where the C library's sites are: it brings them along, or it is a stock glibc. */
static int find_sites(struct fc_object *o, const char *sites_dir)
{
	int n = fc_notes_load(o);

	return n ? n : fc_tables_load(o, sites_dir);
}

static int check_object(struct fc_object *o, bool verbose)
{
	int bad = o->link ? 0 : check_sites(o, verbose); /* what is mapped is what its sites are of */
	bool far = !reaches(o->text, (uintptr_t)fc_slots_end) || !reaches(o->text_end, (uintptr_t)fc_slots);

	if (bad || far)
		fc_ready_forget(o);
	return bad < 0 ? bad : far ? map_far(o) : 0;
}

/* Hook these, whose sites have been found (n, or -errno). */
static int install(struct fc_object *o, int n, bool verbose, struct slots *used)
{
	uint64_t all = ~0ull, mask;
	int err = n < 0 ? n : 0;

	fc_call(SYS_rt_sigprocmask, SIG_SETMASK, &all, &mask, sizeof(mask));
	for (int i = 0; i < n && !err; i++)
		err = check_object(&o[i], verbose);
	if (!err)
		err = fill_slots(o, (unsigned)n);
	if (!err)
		err = put_jumps(o, (unsigned)n, used);
	for (int i = 0; i < FC_OBJECTS; i++)
		if (o[i].memory)
			fc_call(SYS_munmap, o[i].memory, o[i].memory_size);
	fc_call(SYS_rt_sigprocmask, SIG_SETMASK, &mask, 0, sizeof(mask));
	return err;
}

int fc_hook_install(const char *sites_dir, bool verbose)
{
	struct fc_object o[FC_OBJECTS] = { 0 };
	struct slots used;

	if (linker_is_hooked)
		return install(o, fc_tables_load_libc(o, sites_dir), verbose, &used);
	if (fc_text_end) /* in a static program our object is everybody's */
		fc_shim_text = (struct fc_text){ (uintptr_t)fc_text_start, (uintptr_t)fc_text_end };
	else
		dl_iterate_phdr(find_self, NULL);
	return install(o, find_sites(o, sites_dir), verbose, &used);
}

int fc_hook_install_linker(const char *sites_dir, bool verbose, uintptr_t linker, uintptr_t base)
{
	struct fc_object o[FC_OBJECTS] = { 0 };
	struct dl_phdr_info us = fc_object_headers(base);
	struct slots used = { 0 };
	int err;

	find_self(&us, sizeof(us), NULL);
	err = fc_notes_load_linker(o, linker);
	err = install(o, err ? err : fc_tables_load_linker(o, sites_dir, linker), verbose, &used);
	linkers = used;
	linker_is_hooked = err >= 0;
	return err;
}

int fc_hook_remove_linker(uintptr_t linker)
{
	struct fc_object o = { 0 };
	int err = fc_notes_load_linker(&o, linker);

	if (err <= 0)
		return err;
	err = make_writable(o.text, o.text_end, false);
	for (unsigned i = 0; i < o.sites && !err; i++)
		memcpy((char *)(o.base + o.site[i].address), o.site[i].bytes, site_size(&o.site[i]));
	if (!err)
		err = protect(o.text, o.text_end, PROT_READ | PROT_EXEC);
	fc_call(SYS_munmap, o.memory, o.memory_size);
	linkers = (struct slots){ 0 };
	linker_is_hooked = false;
	return err;
}
