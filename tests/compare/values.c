/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * values.c - the values that an argument of each kind takes in the comparison: valid ones and every sort of wrong one.
 * It owns the lists only; call.c turns a value into a number and memory.
 */
#define _GNU_SOURCE
#include "compare.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <utime.h>

#include "farcall/wire.h"

struct list fd_values, place_values;
static struct list dirfd_values, val_values, hex_values, oct_values, open_values, str_values, in_values, out_values,
	iov_in_values, iov_out_values, second_places, mode_values;

static struct choice *put(struct list *l, const char *label, enum how how, long v)
{
	struct choice *c;

	if (l->n % 64 == 0) {
		l->at = realloc(l->at, (l->n + 64) * sizeof *l->at);
		if (!l->at)
			exit(2);
	}
	c = &l->at[l->n++];
	memset(c, 0, sizeof *c);
	snprintf(c->label, sizeof c->label, "%s", label);
	c->how = how;
	c->v = v;
	return c;
}

static void put_number(struct list *l, long v)
{
	char label[40];

	snprintf(label, sizeof label, v > -70000 && v < 400000 ? "%ld" : "0x%lx", v);
	put(l, label, H_IMM, v);
}

static void put_fd(struct list *l, const char *label, const char *path, int flags)
{
	put(l, label, H_FD, flags)->s = path;
}

static void make_fds(void)
{
	struct list *l = &fd_values;

	put_fd(l, "rw", "%M/f", O_RDWR);
	put_fd(l, "dir", "%M/d", O_RDONLY | O_DIRECTORY);
	put_fd(l, "ro", "%M/f", O_RDONLY);
	put_fd(l, "wo", "%M/f", O_WRONLY);
	put_fd(l, "append", "%M/f", O_RDWR | O_APPEND);
	put_fd(l, "opath", "%M/f", O_PATH);
	put_fd(l, "big", "%M/big", O_RDWR);
	put_fd(l, "empty", "%M/empty", O_RDWR);
	put_fd(l, "direct", "%M/big", O_RDWR | O_DIRECT);
	put_fd(l, "dpath", "%M/d", O_PATH | O_DIRECTORY);
	put_fd(l, "lnk", "%M/sf", O_PATH | O_NOFOLLOW);
	put_fd(l, "fifo", "%M/fifo", O_RDWR | O_NONBLOCK);
	put_fd(l, "top", "%M", O_RDONLY | O_DIRECTORY);
	put_fd(l, "tmpfile", "%M/d", O_RDWR | O_TMPFILE);
	put_fd(l, "local", "%L/lf", O_RDWR);
	put_fd(l, "localdir", "%L/ld", O_RDONLY | O_DIRECTORY);
	put_fd(l, "null", "/dev/null", O_RDWR);
	put_fd(l, "rw+high", "%M/f", O_RDWR);
	l->at[l->n - 1].v2 = 5L << 32;
	put(l, "-1", H_IMM, -1);
	put(l, "closed", H_IMM, 77);
	put(l, "INT_MAX", H_IMM, INT_MAX);
	put(l, "AT_FDCWD", H_IMM, AT_FDCWD);
	put(l, "INT_MIN", H_IMM, INT_MIN);

	put(&dirfd_values, "AT_FDCWD", H_IMM, AT_FDCWD);
	for (size_t i = 0; i < l->n; i++)
		if (strcmp(l->at[i].label, "AT_FDCWD") != 0)
			*put(&dirfd_values, "", H_IMM, 0) = l->at[i];
	put_fd(&dirfd_values, "localtop", "%L", O_RDONLY | O_DIRECTORY);
}

static void make_numbers(void)
{
	static const long vals[] = { 0, 1, 2, 3, 4, 5, 7, 8, 10, 16, 23, 24, 25, 100, 512, 1024, 1025, 4095, 4096, 4097, 9990, 10000, 65536, 150000,
		-1, -2, -100, -4096, INT_MAX, INT_MIN, UINT_MAX, 1L << 32, (1L << 32) + 5, 1L << 40, LONG_MAX, LONG_MAX - 100,
		LONG_MIN };
	static const long octs[] = { 0, 0644, 0755, 01777, 04755, 02711, 07777, 0177777, S_IFREG | 0600, S_IFIFO | 0640,
		S_IFSOCK | 0600, S_IFCHR | 0600, S_IFBLK | 0600, S_IFDIR | 0700, S_IFLNK | 0777, -1, 1 << 20 };
	static const long opens[] = { O_RDONLY, O_RDWR, O_WRONLY, O_RDWR | O_CREAT, O_WRONLY | O_CREAT | O_EXCL,
		O_WRONLY | O_TRUNC, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, O_PATH, O_PATH | O_NOFOLLOW, O_DIRECTORY,
		O_NOFOLLOW, O_RDWR | O_NOFOLLOW | O_CREAT, O_TMPFILE | O_RDWR, O_TMPFILE | O_RDONLY, O_DIRECTORY | O_CREAT,
		O_RDWR | O_APPEND, O_ACCMODE, O_CREAT | O_DIRECTORY | O_RDWR, O_TMPFILE | O_WRONLY | O_EXCL, -1 };
	char label[40];

	for (size_t i = 0; i < sizeof vals / sizeof vals[0]; i++)
		put_number(&val_values, vals[i]);
	for (size_t i = 0; i < sizeof octs / sizeof octs[0]; i++) {
		snprintf(label, sizeof label, "0%lo", octs[i]);
		put(&oct_values, label, H_IMM, octs[i]);
	}
	put(&hex_values, "0", H_IMM, 0);
	for (size_t i = 0; i < sizeof opens / sizeof opens[0]; i++) {
		snprintf(label, sizeof label, "0%lo", opens[i]);
		put(&open_values, label, H_IMM, opens[i] | O_NONBLOCK);
	}
	for (int i = 0; i < 33; i++) {
		snprintf(label, sizeof label, "bit%d", i);
		put(&hex_values, label, H_IMM, 1L << i);
		put(&open_values, label, H_IMM, 1L << i | O_NONBLOCK);
		if (i < 17)
			put(&oct_values, label, H_IMM, 1L << i);
	}
	put_number(&hex_values, -1);
	put_number(&hex_values, 3);
	put_number(&hex_values, 0x7ff);
	put_number(&hex_values, LONG_MIN);
	for (long i = 0; i < 9; i++)
		put_number(&mode_values, i);
	put_number(&mode_values, -1);
	put_number(&mode_values, INT_MAX);
}

static void put_bad_pointers(struct list *l)
{
	put(l, "NULL", H_NULL, 0);
	put(l, "low", H_LOW, 0);
	put(l, "inaccessible", H_NONE, 0);
	put(l, "kernel", H_KERNEL, 0);
	put(l, "wild", H_WILD, 0);
}

static void make_memory(void)
{
	static const long ends[] = { 100, 50, 1, 4096, 65 };
	char label[40];

	put(&in_values, "good", H_GOOD, 0);
	put(&out_values, "good", H_GOOD, 0);
	put(&in_values, "good+3", H_GOOD, 3);
	put(&out_values, "good+3", H_GOOD, 3);
	for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
		snprintf(label, sizeof label, "end-%ld", ends[i]);
		put(&in_values, label, H_END, ends[i]);
		put(&out_values, label, H_END, ends[i]);
	}
	put(&in_values, "readonly", H_RO, 0);
	put(&in_values, "zeros", H_ZEROS, 0);
	put(&out_values, "readonly", H_RO, 0);
	put_bad_pointers(&in_values);
	put_bad_pointers(&out_values);
	for (long i = 0; i < 9; i++) {
		static const char *const names[] = { "three", "badbase", "badfirst", "negative", "overflow", "big", "arraycut",
			"readonly", "zeros" };
		put(&iov_in_values, names[i], H_IOV, i);
		put(&iov_out_values, names[i], H_IOV, i);
	}
	put_bad_pointers(&iov_in_values);
	put_bad_pointers(&iov_out_values);
}

static void make_strings(void)
{
	static const char *const names[] = { "user.a", "user.new", "f", "", "trusted.x", "bogus.x", "user.", "user",
		"security.x", "system.posix_acl_access", "../lf", "security.capability" };
	static const long more[] = { 250, 251, 300, 4000, 4091, 4092, 5000 };
	char label[40];

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		put(&str_values, names[i][0] ? names[i] : "''", H_TEXT, 0)->s = names[i];
	for (size_t i = 0; i < sizeof more / sizeof more[0]; i++) {
		snprintf(label, sizeof label, "user+%ld", more[i]);
		put(&str_values, label, H_TEXT, more[i])->s = "user";
	}
	put(&str_values, "unterminated", H_END, 20);
	put_bad_pointers(&str_values);
}

static const char *const targets[] = {
	"f", "new", "d", "d/g", "d/new", "nowhere/x", "f/x", "d/", "f/", "new/", "e", "closed/x", "none", "own", "ro", "sock",
	"sf", "sd", "sd/", "sd/g", "sdg", "sf/", "sdang", "sdang/", "loop1", "loop1/x", "self", "sdslash", "sdslash/g", "sdot/f",
	"d/up", "d/upup", "out_abs", "out_absd", "out_absd/lg", "out", "out/", "outd", "outd/", "outd/lg", "outd/new",
	"out_slash", "out_slash/lg", "out_dang", "out_dang/", "back", "back_abs", "backd", "backd/g", "parent", "parent/lf",
	"parent/m/f", "root", "root/dev/null", "dots/etc/passwd", "mid", "xloop", "zig", "prefix", "prefix/f", "prefix/../lf",
	"out_into", "..", "../", "../lf", "../lf/", "../m", "../m/", "../m/f", "../ld/lg", "../newlocal", "../ld/new", "d/..",
	"d/../f", "d/../../lf", "d/../../m/f", "d/../..", "sd/../f", "outd/..", "outd/../lf", "outd/../m/f", "f/..", "f/../f",
	"nowhere/../f", "nowhere/..", "out/..", ".", "./f", "d/.", "f/.", "new/.", "new/..", "d//g", "//f", "d/s/../../f",
	"d/s/../../../lf", "ch/c38", "ch/c39", "ch/c40", "ch/xc38", "ch/xc40", "ch/xc42", "../into", "../into/f", "../into_f",
	"../into_d/g", "../into_dang", "../into_slash/f", "../into_out", "../into_sf", "../two/f", "../ll", "../ld/in",
	"../xloop", "../zag", "../ch/xc39", "../ch/xc41", "../into/../lf", "../into_d/../f", "../into_d/../../lf", "../into/", "../into/new", "d/../../newlocal", "d/s/new", "big", "",
	"../into_abs/f",
};

/* whole paths, not taken relative to the mount */
static const char *const wholes[] = { "", "/", "/..", "%M", "%M/", "%M/.", "%M/..", "%M/../m", "%L/m/../into/f", "%L//m///f",
	"%L/./m/./d/../f", "/dev/null/x", "/proc/self/root%M/f", "/proc/self/cwd/m/f", "nowhere", "." };

static const struct choice *dir_top, *dir_local;

static void put_place(const char *label, const char *s, const struct choice *dir, int cwd, long fill)
{
	struct choice *c = put(&place_values, label, H_PATH, fill);

	c->s = s;
	c->dirfd = dir;
	c->cwd = cwd;
}

static char *join(const char *a, const char *b)
{
	char *s = malloc(strlen(a) + strlen(b) + 1);

	if (!s)
		exit(2);
	strcpy(s, a);
	return strcat(s, b);
}

static void make_places(void)
{
	static const struct {
		const char *name, *s;
		long fill;
	} longs[] = { { "%M/", "n255", 255 }, { "%M/", "n256", 256 }, { "%M/d/", "n4000", 4000 }, { "", "n255", 255 },
		{ "m/", "n256", 256 } };
	char label[120];

	dir_top = value_named(&dirfd_values, "top");
	dir_local = value_named(&dirfd_values, "localtop");
	for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++) {
		const char *t = targets[i];

		snprintf(label, sizeof label, "%s@abs", t);
		put_place(label, join("%M/", t), NULL, 0, 0);
		snprintf(label, sizeof label, "%s@l", t);
		put_place(label, join("m/", t), NULL, 0, 0);
		snprintf(label, sizeof label, "%s@d", t);
		put_place(label, join("../", t), NULL, 1, 0);
		snprintf(label, sizeof label, "%s@fd", t);
		put_place(label, t, dir_top, 0, 0);
		snprintf(label, sizeof label, "%s@lfd", t);
		put_place(label, join("m/", t), dir_local, 1, 0);
	}
	for (size_t i = 0; i < sizeof wholes / sizeof wholes[0]; i++) {
		snprintf(label, sizeof label, "'%s'", wholes[i]);
		put_place(label, wholes[i], NULL, 0, 0);
		snprintf(label, sizeof label, "'%s'@d", wholes[i]);
		put_place(label, wholes[i], NULL, 1, 0);
	}
	for (size_t i = 0; i < sizeof longs / sizeof longs[0]; i++) {
		snprintf(label, sizeof label, "%s%s", longs[i].name, longs[i].s);
		put_place(label, longs[i].name, NULL, 0, longs[i].fill);
	}
	/* negative fill: that many times "./" before the name, so that the whole stays below or goes beyond PATH_MAX */
	put_place("./*2000 f", "m/f", NULL, 0, -2000);
	put_place("./*2046 f", "m/f", NULL, 0, -2046);
	put_place("./*2100 f", "m/f", NULL, 0, -2100);
	put_place("./*2000 ../f", "../f", NULL, 1, -2000);
	put_place("./*2046 g", "g", NULL, 1, -2046);
	put_bad_pointers(&place_values);
	put(&place_values, "unterminated", H_END, 20);
}

static void make_second_places(void)
{
	static const char *const wanted[] = { "new@abs", "f@abs", "d@abs", "../newlocal@abs", "../lf@abs", "new@l", "new@d",
		"new@fd", "new@lfd", "d/new@abs", "out_dang@abs", "outd/new@abs", "../into_dang@abs", "../into/new@abs", "e@abs",
		"sdang@abs", "out@abs", "back@abs", "d/../../newlocal@abs", "new/@abs", "f/@abs", ".@abs", "..@abs", "../m@abs",
		"nowhere/x@abs", "f/x@abs", "d/s/new@abs", "big@abs", "sf@abs", "''", "%M/n256", "NULL", "kernel" };

	for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
		*put(&second_places, "", H_IMM, 0) = *value_named(&place_values, wanted[i]);
}

/* ---- objects ---- */

struct timeval2 {
	struct timeval at[2];
};

static const struct timespec specs[][2] = {
	{ { 1500000000, 123456789 }, { 1400000000, 1 } }, { { 0, UTIME_NOW }, { 0, UTIME_NOW } },
	{ { 0, UTIME_OMIT }, { 0, UTIME_OMIT } }, { { 0, UTIME_OMIT }, { 1400000000, 999999999 } },
	{ { 0, UTIME_NOW }, { 0, UTIME_OMIT } }, { { 0, 1000000000 }, { 0, 0 } }, { { 0, -1 }, { 0, 0 } }, { { -5, 5 }, { -7, 0 } },
	{ { LONG_MAX, 0 }, { LONG_MIN, 0 } }, { { 0, UTIME_OMIT }, { 5, -5 } },
};
static const struct timeval2 vals2[] = {
	{ { { 1500000000, 123456 }, { 1400000000, 1 } } }, { { { 0, 1000000 }, { 0, 0 } } }, { { { 0, -1 }, { 0, 0 } } },
	{ { { -5, 5 }, { -7, 0 } } }, { { { 0, 0 }, { LONG_MAX, 999999 } } },
};
static const struct utimbuf utimbufs[] = { { 1500000000, 1400000000 }, { -1, -1 }, { LONG_MAX, LONG_MIN } };
static const int64_t offsets[] = { 0, 10, 5000, 9999, 20000, -1, 1L << 40, LONG_MAX, LONG_MIN };
static const struct open_how hows[] = {
	{ O_RDWR | O_NONBLOCK, 0, 0 }, { O_CREAT | O_RDWR | O_NONBLOCK, 0644, 0 }, { O_RDONLY | O_NONBLOCK, 0, RESOLVE_BENEATH },
	{ O_RDONLY | O_NONBLOCK, 0, RESOLVE_IN_ROOT }, { O_RDONLY | O_NONBLOCK, 0, RESOLVE_NO_SYMLINKS },
	{ O_RDONLY | O_NONBLOCK, 0, RESOLVE_NO_MAGICLINKS }, { O_RDONLY | O_NONBLOCK, 0, RESOLVE_NO_XDEV }, { O_PATH, 0, 0 },
	{ O_RDONLY, 0644, 0 }, { O_CREAT | O_RDWR, 0200000, 0 }, { 1UL << 40, 0, 0 }, { O_RDONLY, 0, 1UL << 20 },
	{ O_RDONLY, 0, RESOLVE_BENEATH | RESOLVE_IN_ROOT }, { O_TMPFILE | O_RDWR, 0600, 0 }, { O_PATH | O_NOFOLLOW, 0, 0 },
	{ O_RDONLY | O_NONBLOCK | O_DIRECTORY, 0, RESOLVE_BENEATH }, { O_PATH | O_RDWR, 0, 0 },
	{ O_CREAT | O_RDWR | O_NONBLOCK, 0644, RESOLVE_BENEATH },
};

static const struct flock flocks[] = {
	{ .l_type = F_WRLCK }, { .l_type = F_RDLCK }, { .l_type = F_UNLCK }, { .l_type = 99 }, { .l_type = F_WRLCK, .l_whence = 9 },
	{ .l_type = F_WRLCK, .l_start = -5 }, { .l_type = F_WRLCK, .l_whence = SEEK_END, .l_start = -10, .l_len = 5 },
	{ .l_type = F_WRLCK, .l_start = 100, .l_len = -50 }, { .l_type = F_WRLCK, .l_start = LONG_MAX, .l_len = 2 },
	{ .l_type = F_WRLCK, .l_pid = 7 }, { .l_type = F_RDLCK, .l_whence = SEEK_CUR, .l_len = 10 },
};
static const struct file_clone_range clone_ranges[] = { { 3, 0, 0, 0 }, { -1, 0, 0, 0 }, { 60, 0, 0, 4096 }, { 3, 1, 1, 1 } };
static const struct {
	struct fiemap map;
	struct fiemap_extent room[5];
} fiemaps[] = {
	{ .map = { .fm_length = ~0ull, .fm_flags = FIEMAP_FLAG_SYNC, .fm_extent_count = 5 } },
	{ .map = { .fm_length = ~0ull } }, { .map = { .fm_length = 0, .fm_extent_count = 5 } },
	{ .map = { .fm_length = ~0ull, .fm_flags = 0x80000000, .fm_extent_count = 5 } },
	{ .map = { .fm_length = ~0ull, .fm_extent_count = ~0u } },
	{ .map = { .fm_start = 1ull << 62, .fm_length = ~0ull, .fm_extent_count = 1 } },
};
static const struct fsxattr fsxattrs[] = { { .fsx_xflags = 0 }, { .fsx_xflags = FS_XFLAG_NOATIME },
	{ .fsx_xflags = FS_XFLAG_APPEND }, { .fsx_xflags = FS_XFLAG_IMMUTABLE }, { .fsx_xflags = 1u << 30 },
	{ .fsx_projid = 5 }, { .fsx_extsize = 4096 } };
/* for FS_IOC_SETFLAGS: with FS_EXTENT_FL, without which ext4 converts the file, or not, as its blocks happen to lie */
#define E 0x80000
static const int bits[] = { E, E | 1, E | 2, E | 4, E | 8, E | 0x10, E | 0x20, E | 0x40, E | 0x80, E | 0x100, E | 0x400,
	E | 0x800, E | 0x4000, E | 0x10000, E | 0x20000, E | 0x100000, E | 0x1000000, E | 0x20000000, E | 0x40000000, -1 };
#undef E
static char value_room[300];
#define ROOM (uintptr_t)value_room
static const struct fc_xattr_args xattr_args[] = {
	{ ROOM, 100, 0 }, { ROOM, 2, 0 }, { ROOM, 0, 0 }, { 0, 0, 0 }, { 0, 100, 0 }, { 8, 10, 0 }, { ROOM, 65537, 0 },
	{ ROOM, 1 << 31, 0 }, { ROOM, 100, 1 }, { ROOM, 100, 2 }, { ROOM, 100, 3 }, { ROOM, 100, 4 },
};
#undef ROOM
static const struct fc_cachestat_range cache_ranges[] = { { 0, 0 }, { 1, 4096 }, { 1 << 20, 5 }, { ~0ull, ~0ull } };
static const struct fc_space spaces[] = { { 0, SEEK_SET, 0, 4096, 0, 0, { 0 } }, { 0, SEEK_CUR, 10, 5000, 0, 0, { 0 } },
	{ 0, SEEK_END, -5, 10, 0, 0, { 0 } }, { 0, 9, 0, 10, 0, 0, { 0 } }, { 0, SEEK_SET, -9, 10, 0, 0, { 0 } },
	{ 0, SEEK_SET, 0, 0, 0, 0, { 0 } }, { 0, SEEK_SET, 0, -5, 0, 0, { 0 } } };
static const struct {
	struct file_dedupe_range range;
	struct file_dedupe_range_info info[2];
} dedupes[] = {
	{ .range = { .dest_count = 0 } }, { .range = { .src_length = 4096, .dest_count = 1 }, .info = { { .dest_fd = -1 } } },
	{ .range = { .src_length = 4096, .dest_count = 2 }, .info = { { .dest_fd = 60 }, { .dest_fd = 3 } } },
	{ .range = { .dest_count = 1, .reserved1 = 1 } }, { .range = { .dest_count = 200 } },
};
static const uint64_t hints[] = { 0, 1, 2, 3, 4, 5, 6, 1ull << 32, ~0ull };

static void put_objects(struct list *l, const void *data, size_t size, size_t count)
{
	char label[40];

	for (size_t i = 0; i < count; i++) {
		struct choice *c;

		snprintf(label, sizeof label, "object%zu", i);
		c = put(l, label, H_DATA, 0);
		c->data = (const char *)data + i * size;
		c->v2 = (long)size;
		if (i)
			continue;
		c = put(l, "object-cut", H_DATA_END, (long)size - 1);
		c->data = data;
		c->v2 = (long)size;
		c = put(l, "object-readonly", H_DATA_RO, 0);
		c->data = data;
		c->v2 = (long)size;
	}
	put_bad_pointers(l);
}

static const struct {
	const char *type;
	const void *data;
	size_t size, count;
} typed[] = {
	{ "struct fc_timespec2", specs, sizeof specs[0], sizeof specs / sizeof specs[0] },
	{ "struct timeval2", vals2, sizeof vals2[0], sizeof vals2 / sizeof vals2[0] },
	{ "struct utimbuf", utimbufs, sizeof utimbufs[0], sizeof utimbufs / sizeof utimbufs[0] },
	{ "int64_t", offsets, sizeof offsets[0], sizeof offsets / sizeof offsets[0] },
	{ "struct flock", flocks, sizeof flocks[0], sizeof flocks / sizeof flocks[0] },
	{ "struct file_clone_range", clone_ranges, sizeof clone_ranges[0], sizeof clone_ranges / sizeof clone_ranges[0] },
	{ "struct fiemap", fiemaps, sizeof fiemaps[0], sizeof fiemaps / sizeof fiemaps[0] },
	{ "struct fsxattr", fsxattrs, sizeof fsxattrs[0], sizeof fsxattrs / sizeof fsxattrs[0] },
	{ "int", bits, sizeof bits[0], sizeof bits / sizeof bits[0] },
	{ "uint64_t", hints, sizeof hints[0], sizeof hints / sizeof hints[0] },
	{ "struct fc_xattr_args", xattr_args, sizeof xattr_args[0], sizeof xattr_args / sizeof xattr_args[0] },
	{ "struct fc_cachestat_range", cache_ranges, sizeof cache_ranges[0], sizeof cache_ranges / sizeof cache_ranges[0] },
	{ "struct fc_space", spaces, sizeof spaces[0], sizeof spaces / sizeof spaces[0] },
	{ "struct file_dedupe_range", dedupes, sizeof dedupes[0], sizeof dedupes / sizeof dedupes[0] },
	{ "openat2", hows, sizeof hows[0], sizeof hows / sizeof hows[0] },
};

/* An object type that nobody has described here still gets bytes, cut-off pages and bad pointers. */
static const struct list *objects_for(const char *type, int size)
{
	static const char bytes[4096];
	static struct list lists[32];
	static char types[32][40];
	static int n;
	int i = 0;
	size_t t;

	while (i < n && strcmp(types[i], type) != 0)
		i++;
	if (i < n)
		return &lists[i];
	if (n == 32)
		exit(2);
	snprintf(types[n], sizeof types[0], "%s", type);
	for (t = 0; t < sizeof typed / sizeof typed[0]; t++)
		if (!strcmp(typed[t].type, type))
			put_objects(&lists[n], typed[t].data, typed[t].size, typed[t].count);
	if (!lists[n].n)
		put_objects(&lists[n], bytes, (size_t)size, 1);
	return &lists[n++];
}

const struct choice *value_named(const struct list *l, const char *label)
{
	for (size_t i = 0; i < l->n; i++)
		if (!strcmp(l->at[i].label, label))
			return &l->at[i];
	fprintf(stderr, "compare: no value %s\n", label);
	exit(2);
}

const struct list *second_place_values(void)
{
	return &second_places;
}

void values_init(void)
{
	make_fds();
	make_numbers();
	make_memory();
	make_strings();
	make_places();
	make_second_places();
}

const struct list *values_for(const struct row *row, int i)
{
	const struct arg *a = &row->arg[i];
	bool opens = !strcmp(row->name, "open") || !strcmp(row->name, "openat");

	switch (a->kind) {
	case K_VAL:
		return !strcmp(row->name, "access") ? &mode_values : &val_values;
	case K_HEX:
		return opens ? &open_values : &hex_values;
	case K_OCT:
		return &oct_values;
	case K_FD:
		return &fd_values;
	case K_DIRFD:
		return &dirfd_values;
	case K_PATH:
		return &place_values;
	case K_STR:
		return &str_values;
	case K_IN:
		return !strcmp(row->name, "openat2") ? objects_for("openat2", 0) : &in_values;
	case K_OUT:
		return &out_values;
	case K_IN_OBJ:
	case K_OUT_OBJ:
	case K_INOUT_OBJ:
		return objects_for(a->type, a->extra);
	case K_IOV_IN:
		return &iov_in_values;
	case K_IOV_OUT:
		return &iov_out_values;
	default:
		return &val_values;
	}
}
