/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * show.c - results as text that is equal on both sides when the results mean the same: inode numbers become names,
 * times that were just taken become "now", free space is left out.
 */
#define _GNU_SOURCE
#include "compare.h"

#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/stat.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "farcall/wire.h"

#include "tree.h"

static const struct inomap *inomap;

void add(char *out, size_t max, const char *format, ...)
{
	size_t n = strlen(out);
	va_list ap;

	va_start(ap, format);
	if (n + 1 < max)
		vsnprintf(out + n, max - n, format, ap);
	va_end(ap);
}

void show_init(const char *w)
{
	char path[600];
	int fd;

	snprintf(path, sizeof path, "%s/inomap", w);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	inomap = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof *inomap, PROT_READ, MAP_SHARED, fd, 0);
	if (inomap == MAP_FAILED) {
		perror(path);
		exit(2);
	}
	close(fd);
}

static const char *ino_name(uint64_t ino)
{
	for (uint32_t i = 0; i < inomap->count; i++)
		if (inomap->at[i].ino == ino)
			return inomap->at[i].name;
	return "?";
}

static void add_time(char *out, size_t max, const char *name, int64_t s, int64_t ns)
{
	int64_t now = time(NULL);

	if (s >= now - 600 && s <= now + 2)
		add(out, max, " %s=now", name);
	else
		add(out, max, " %s=%lld.%09lld", name, (long long)s, (long long)ns);
}

static void show_stat(char *out, size_t max, const struct stat *st)
{
	const char *name = ino_name(st->st_ino);

	/* objects outside the trees may differ between two runs in anything but what they are */
	add(out, max, " {%s %o", name, st->st_mode);
	if (name[0] != '?' || !S_ISDIR(st->st_mode)) {
		add(out, max, " %u:%u", st->st_uid, st->st_gid);
		if (!S_ISDIR(st->st_mode))
			add(out, max, " n%lu %ld", (unsigned long)st->st_nlink, (long)st->st_size);
		add(out, max, " rdev=%lx bs=%ld", (unsigned long)st->st_rdev, (long)st->st_blksize);
		if (name[0] != '?')
			add_time(out, max, "m", st->st_mtim.tv_sec, st->st_mtim.tv_nsec);
	}
	add(out, max, "}");
}

static void show_statx(char *out, size_t max, const struct statx *st)
{
	const char *name = ino_name(st->stx_ino);

	add(out, max, " {mask=%x %s %o", st->stx_mask, name, st->stx_mode);
	if (name[0] != '?') {
		add(out, max, " %u:%u bs=%u attr=%llx/%llx", st->stx_uid, st->stx_gid, st->stx_blksize,
		    (unsigned long long)(st->stx_attributes & ~0x2000ull), (unsigned long long)st->stx_attributes_mask);
		if (!S_ISDIR(st->stx_mode))
			add(out, max, " n%u %llu", st->stx_nlink, (unsigned long long)st->stx_size);
		add_time(out, max, "m", st->stx_mtime.tv_sec, st->stx_mtime.tv_nsec);
	}
	add(out, max, "}");
}

static void show_statfs(char *out, size_t max, const struct statfs *st)
{
	add(out, max, " {type=%lx bsize=%ld namelen=%ld frsize=%ld flags=%lx}", (long)st->f_type, (long)st->f_bsize,
	    (long)st->f_namelen, (long)st->f_frsize, (long)st->f_flags);
}

static void show_flock(char *out, size_t max, const struct flock *l)
{
	add(out, max, " {type=%d whence=%d %ld+%ld pid=%s%d}", l->l_type, l->l_whence, (long)l->l_start, (long)l->l_len,
	    l->l_pid == getpid() ? "own" : "", l->l_pid == getpid() ? 0 : l->l_pid);
}

/* What has come into the buffer of the structure, which is empty again after it. */
static void show_value(char *out, size_t max, const struct fc_xattr_args *args)
{
	char *value = (char *)(uintptr_t)args->value;

	if (args->value > 4096 && args->size && args->size <= 100) {
		add(out, max, " {%.20s}", value);
		memset(value, 0, args->size);
	}
}

void show_object(char *out, size_t max, const char *type, const void *p, size_t n)
{
	const struct fiemap *map = p;

	if (!strcmp(type, "struct stat"))
		show_stat(out, max, p);
	else if (!strcmp(type, "struct statx"))
		show_statx(out, max, p);
	else if (!strcmp(type, "struct statfs"))
		show_statfs(out, max, p);
	else if (!strcmp(type, "struct flock"))
		show_flock(out, max, p);
	else if (!strcmp(type, "struct fc_xattr_args"))
		show_value(out, max, p);
	else if (!strcmp(type, "struct fc_cachestat")) /* what is cached depends on what others do */
		add(out, max, " {%d}", ((const struct fc_cachestat *)p)->cached < 1 << 20);
	else if (!strcmp(type, "int64_t") || !strcmp(type, "uint64_t"))
		add(out, max, " {%lld}", *(const long long *)p);
	else if (!strcmp(type, "int"))
		add(out, max, " {%x}", *(const int *)p);
	else if (!strcmp(type, "struct fiemap")) /* where the blocks are differs from tree to tree */
		add(out, max, " {flags=%x mapped=%u}", map->fm_flags, map->fm_mapped_extents);
	else
		add(out, max, " {%zu:%08x}", n, tree_hash(1, p, n));
}

void show_dents(char *out, size_t max, const void *p, size_t n, bool old)
{
	struct {
		uint64_t ino;
		int64_t off;
		uint16_t reclen;
		uint8_t type;
		char name[];
	} const *d;

	for (size_t at = 0; at + 19 < n; at += d->reclen) {
		d = (const void *)((const char *)p + at);
		if (d->reclen < 19)
			break;
		const char *name = old ? d->name - 1 : d->name;
		add(out, max, " %s/%u/%s", name, old ? ((const uint8_t *)d)[d->reclen - 1] : d->type,
		    strcmp(name, "..") ? ino_name(d->ino) : "");
	}
}
