/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * patch.c - rewrites the system call sites of libc and ld.so in memory. It owns the reading and checking of site tables
 * and the filling in of trampolines; trampoline.S owns what a trampoline does.
 *
 * Order: every table is read and every site's bytes are compared; every trampoline is written and made executable; only
 * then is the first site rewritten, because from there on the process' own calls run through them. Everything from the
 * first comparison on uses raw system calls and calls no libc function.
 */
#define _GNU_SOURCE
#include "libc-shim/glibc/patch.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "common/rawcall.h"
#include "libc-shim/glibc/line.h"
#include "libc-shim/glibc/sites.h"
#include "libc-shim/glibc/trampoline.h"
#include "libc-shim/hook.h"

#define PAGE 4096ul
#define REACH 0x7f000000ul /* of a 32-bit displacement, less the size of a library */
#define MISMATCHES_MAX 8   /* more than one site in this many: it is another library */
#define DIR_MAX 4096
#define PATH_ROOM (DIR_MAX + 2 * FC_BUILD_ID_MAX + 16)

extern char fc_slots[], fc_slots_end[], fc_specials[], fc_stub[];
extern void *__tls_get_addr(void *); /* ld.so's */

struct object {
	const char *what;
	uintptr_t probe; /* an address in it */
	uintptr_t base;
	uintptr_t text, text_end;
	const uint8_t *id;
	unsigned id_size;
	const struct fc_sites_header *table;
	size_t table_size;
	const struct fc_site *site;
	char *far; /* slots near this object, if ours are out of reach */
};

struct fc_text fc_shim_text;

static int fail(int err, const char *what, const char *why, const char *path)
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

static void find_build_id(struct object *o, const char *at, size_t size)
{
	const char *end = at + size;

	while ((size_t)(end - at) >= sizeof(ElfW(Nhdr))) {
		const ElfW(Nhdr) *n = (const void *)at;
		const char *name = at + sizeof(*n);
		const char *description = name + ((n->n_namesz + 3ul) & ~3ul);

		at = description + ((n->n_descsz + 3ul) & ~3ul);
		if (at > end)
			return;
		if (n->n_type == NT_GNU_BUILD_ID && n->n_namesz == 4 && n->n_descsz && n->n_descsz <= FC_BUILD_ID_MAX) {
			o->id = (const void *)description;
			o->id_size = n->n_descsz;
			return;
		}
	}
}

static int find_object(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct object *o = arg;
	bool here = false;

	(void)size;
	for (unsigned i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];

		here |= p->p_type == PT_LOAD && o->probe - info->dlpi_addr - p->p_vaddr < p->p_memsz;
	}
	if (!here)
		return 0;
	o->base = info->dlpi_addr;
	for (unsigned i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];
		uintptr_t at = info->dlpi_addr + p->p_vaddr;

		if (p->p_type == PT_NOTE && !o->id)
			find_build_id(o, (const void *)at, p->p_memsz);
		if (p->p_type != PT_LOAD || !(p->p_flags & PF_X))
			continue;
		if (!o->text || at < o->text)
			o->text = at;
		if (at + p->p_memsz > o->text_end)
			o->text_end = at + p->p_memsz;
	}
	return 1;
}

/* ---- tables ---- */

static int table_path(char path[PATH_ROOM], const char *dir, const struct object *o)
{
	size_t n = 0;

	while (n < DIR_MAX && dir[n]) {
		path[n] = dir[n];
		n++;
	}
	if (n == DIR_MAX)
		return -ENAMETOOLONG;
	path[n++] = '/';
	for (unsigned i = 0; i < o->id_size; i++) {
		path[n++] = "0123456789abcdef"[o->id[i] >> 4];
		path[n++] = "0123456789abcdef"[o->id[i] & 15];
	}
	memcpy(path + n, FC_SITES_SUFFIX, sizeof(FC_SITES_SUFFIX));
	return 0;
}

/* The table is believed if only root or this user can have written it. The sites are checked one by one later. */
static int check_table(const struct object *o, const struct stat *st)
{
	const struct fc_sites_header *h = o->table;

	if (h->magic != FC_SITES_MAGIC || h->version != FC_SITES_VERSION || h->count > FC_SITES_MAX ||
	    (size_t)st->st_size != sizeof(*h) + h->count * sizeof(struct fc_site) || h->build_id_size != o->id_size)
		return -EINVAL;
	for (unsigned i = 0; i < o->id_size; i++)
		if (h->build_id[i] != o->id[i])
			return -EINVAL;
	return 0;
}

static int load_table(struct object *o, const char *dir)
{
	char path[PATH_ROOM];
	struct stat st;
	int err;
	long fd, p;

	if (!o->base || !o->id)
		return fail(-ENOENT, o->what, "it is not loaded or has no build-id", NULL);
	err = table_path(path, dir, o);
	if (err)
		return fail(err, o->what, "no site table: the directory's name is too long", NULL);
	fd = fc_call(SYS_openat, AT_FDCWD, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC, 0);
	if (fd < 0)
		return fail((int)fd, o->what, "no site table", path);
	err = (int)fc_call(SYS_fstat, fd, &st);
	if (!err &&
	    (!S_ISREG(st.st_mode) || (st.st_mode & 022) || (st.st_uid && st.st_uid != (uid_t)fc_call(SYS_geteuid))))
		err = -EPERM;
	if (!err && (size_t)st.st_size < sizeof(struct fc_sites_header))
		err = -EINVAL;
	p = err ? 0 : fc_call(SYS_mmap, 0, st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	fc_call(SYS_close, fd);
	if (err || p < 0)
		return fail(err ? err : (int)p, o->what, "will not use the site table", path);
	o->table = (const void *)p;
	o->table_size = (size_t)st.st_size;
	o->site = (const void *)(o->table + 1);
	err = check_table(o, &st);
	return err ? fail(err, o->what, "the site table is damaged or of another version:", path) : 0;
}

/* ---- sites ---- */

static size_t site_size(const struct fc_site *s)
{
	return (size_t)s->before + FC_SITE_SYSCALL + s->after;
}

/* Does the loaded text hold what the table says, and is the table's entry sound in itself? */
static bool site_matches(const struct object *o, const struct fc_site *s)
{
	const uint8_t *at = (const uint8_t *)(o->base + s->address);
	size_t size = site_size(s);

	if (s->before > FC_SITE_BEFORE_MAX || s->after > FC_SITE_AFTER_MAX || size < FC_SITE_JUMP ||
	    (s->kind != FC_SITE_CALL && s->kind != FC_SITE_SPECIAL) || (s->relative && s->relative + 4u > size) ||
	    (uintptr_t)at < o->text || (uintptr_t)at + size > o->text_end)
		return false;
	for (size_t i = 0; i < size; i++)
		if (at[i] != s->bytes[i])
			return false;
	return s->bytes[s->before] == 0x0f && s->bytes[s->before + 1] == 0x05;
}

static void report_mismatch(const struct object *o, const struct fc_site *s)
{
	struct fc_line l = { 0 };

	fc_line_text(&l, "farcall: check: not hooked, unexpected code in ");
	fc_line_text(&l, o->what);
	fc_line_text(&l, " at ");
	fc_line_address(&l, s->address);
	fc_line_end(&l);
	fc_call(SYS_write, 2, l.text, l.n);
}

/* -errno if this cannot be the library the table was made for */
static int check_sites(const struct object *o, bool verbose)
{
	unsigned bad = 0;

	for (unsigned i = 0; i < o->table->count; i++) {
		if (site_matches(o, &o->site[i]))
			continue;
		bad++;
		if (verbose)
			report_mismatch(o, &o->site[i]);
	}
	if (bad * MISMATCHES_MAX > o->table->count)
		return fail(-ESTALE, o->what, "its code is not what the site table was made from", NULL);
	return 0;
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
static void move_code(char *at, const struct object *o, const struct fc_site *s, unsigned from, unsigned to)
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

static void fill_slot(char *slot, unsigned after, const struct object *o, const struct fc_site *s)
{
	uintptr_t resume = o->base + s->address + s->before + FC_SITE_SYSCALL;

	memcpy(slot, &resume, 8);
	move_code(slot + FC_SLOT_ENTRY - s->before, o, s, 0, s->before);
	move_code(slot + after, o, s, s->before + FC_SITE_SYSCALL, (unsigned)site_size(s));
	put_jump(slot + after + s->after, o->base + s->address + site_size(s));
}

/* Room for one slot per site near an object that is out of our slots' reach: with `ld.so PROGRAM`, ld.so is loaded far from
 * the libraries. No unwind information covers these. Slot 0 holds the way to the stub. */
static int map_far(struct object *o)
{
	size_t size = ((o->table->count + 1ul) * FC_SLOT_SIZE + PAGE - 1) & ~(PAGE - 1);

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
	return fail(-ENOMEM, o->what, "no memory within reach of it", NULL);
}

static void fill_far_slot(char *slot, const struct object *o, const struct fc_site *s)
{
	memcpy(slot, fc_slots, FC_SLOT_SIZE);
	put_displacement(slot + FC_SLOT_AFTER - 8, (uintptr_t)o->far);
	fill_slot(slot, FC_SLOT_AFTER, o, s);
}

struct slots {
	unsigned used, specials;
};

/* The site's trampoline, or null if there is none for it. */
static char *claim_slot(struct slots *slots, struct object *o, const struct fc_site *s, unsigned *far_used)
{
	if (s->kind == FC_SITE_SPECIAL)
		return o->far || slots->specials == FC_SPECIALS ? NULL
								: fc_specials + FC_SPECIAL_SIZE * slots->specials++;
	if (o->far)
		return o->far + FC_SLOT_SIZE * ++*far_used;
	return slots->used == FC_SLOTS ? NULL : fc_slots + (size_t)FC_SLOT_SIZE * slots->used++;
}

/* Either fills in the trampolines of an object, or puts the jumps to them into its text: the same walk, so the same slots. */
static int walk_sites(struct slots *slots, struct object *o, bool jumps)
{
	unsigned far_used = 0;
	int done = 0;

	for (unsigned i = 0; i < o->table->count; i++) {
		const struct fc_site *s = &o->site[i];
		char *at = (char *)(o->base + s->address);
		char *slot;

		if (!site_matches(o, s))
			continue;
		slot = claim_slot(slots, o, s, &far_used);
		if (!slot)
			continue;
		done++;
		if (jumps) {
			put_jump(at, (uintptr_t)slot + FC_SLOT_ENTRY - s->before);
			for (size_t j = FC_SITE_JUMP; j < site_size(s); j++)
				at[j] = (char)0xcc;
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

/* Other threads do not exist yet, or are not in libc; but where the system allows it, their code stays executable. */
static int make_writable(uintptr_t from, uintptr_t to)
{
	int err = protect(from, to, PROT_READ | PROT_WRITE | PROT_EXEC);

	return err ? protect(from, to, PROT_READ | PROT_WRITE) : 0;
}

static int fill_slots(struct object *o, unsigned n)
{
	struct slots slots = { 0 };
	int err = make_writable((uintptr_t)fc_slots, (uintptr_t)fc_slots_end);

	if (err)
		return fail(err, "the C library", "its trampolines cannot be written", NULL);
	for (unsigned i = 0; i < n; i++) {
		walk_sites(&slots, &o[i], false);
		if (o[i].far && !err)
			err = protect((uintptr_t)o[i].far, (uintptr_t)o[i].far + (o[i].table->count + 1) * FC_SLOT_SIZE,
				      PROT_READ | PROT_EXEC);
	}
	if (!err)
		err = protect((uintptr_t)fc_slots, (uintptr_t)fc_slots_end, PROT_READ | PROT_EXEC);
	return err ? fail(err, "the C library", "its trampolines cannot be made executable", NULL) : 0;
}

/* The number of sites rewritten. If one object cannot be made writable nothing is rewritten; what was rewritten works. */
static int put_jumps(struct object *o, unsigned n)
{
	struct slots slots = { 0 };
	int done = 0, err = 0;

	for (unsigned i = 0; i < n && !err; i++)
		err = make_writable(o[i].text, o[i].text_end);
	for (unsigned i = 0; i < n && !err; i++)
		done += walk_sites(&slots, &o[i], true);
	for (unsigned i = 0; i < n; i++) {
		int e = protect(o[i].text, o[i].text_end, PROT_READ | PROT_EXEC);

		if (e && !err)
			err = e;
	}
	return err ? fail(err, "the C library", "its text cannot be changed", NULL) : done;
}

int fc_hook_install(const char *sites_dir, bool verbose)
{
	struct object self = { .probe = (uintptr_t)fc_slots };
	struct object o[2] = {
		{ .what = "libc", .probe = (uintptr_t)&dl_iterate_phdr },
		{ .what = "ld.so", .probe = (uintptr_t)&__tls_get_addr },
	};
	uint64_t all = ~0ull, mask;
	int err = 0;

	dl_iterate_phdr(find_object, &self);
	fc_shim_text = (struct fc_text){ self.text, self.text_end };
	for (int i = 0; i < 2; i++)
		dl_iterate_phdr(find_object, &o[i]);
	fc_call(SYS_rt_sigprocmask, SIG_SETMASK, &all, &mask, sizeof(mask));
	for (int i = 0; i < 2 && !err; i++) {
		err = load_table(&o[i], sites_dir);
		if (!err)
			err = check_sites(&o[i], verbose);
		if (!err &&
		    (!reaches(o[i].text, (uintptr_t)fc_slots_end) || !reaches(o[i].text_end, (uintptr_t)fc_slots)))
			err = map_far(&o[i]);
	}
	if (!err)
		err = fill_slots(o, 2);
	if (!err)
		err = put_jumps(o, 2);
	for (int i = 0; i < 2; i++)
		if (o[i].table)
			fc_call(SYS_munmap, o[i].table, o[i].table_size);
	fc_call(SYS_rt_sigprocmask, SIG_SETMASK, &mask, 0, sizeof(mask));
	return err;
}
