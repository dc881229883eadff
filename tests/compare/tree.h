/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tree.h - the pair of directory trees that the comparison runs on: W/e, which is exported, and W/l, the local
 * surroundings, whose empty directory W/l/m is the mount point. It owns building, describing and restoring them,
 * from outside the mount.
 */
#ifndef FC_COMPARE_TREE_H
#define FC_COMPARE_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TREE_TIME 1000000000 /* every object's atime and mtime, s */
#define INOMAP_MAX 256

/* Inode numbers of the objects as built, by name: in the file W/inomap, mapped by the program under test, which prints
 * names where the two sides' numbers must differ. */
struct inomap {
	uint32_t count;
	uint32_t pad;
	struct {
		uint64_t ino;
		char name[24];
	} at[INOMAP_MAX];
};

/* Make W (which must be absent or an earlier tree) with everything in it; mounted: what else is in W/e goes to W/l/m, where the
 * file system that is exported can be reached already. Exits with a message on failure. */
void tree_build(const char *w, bool mounted);

/* What has changed since the build: lines of "+object" and "-object" in a static buffer, "" for nothing. Then puts
 * everything back. */
const char *tree_changes(void);

/* A description of everything, for the end. malloc'ed. */
char *tree_describe_all(void);

void tree_remove(void);

/* byte i of the file of this size */
static inline unsigned char tree_byte(size_t i)
{
	return (unsigned char)('a' + (i * 7 + i / 26 + i / 4096) % 26);
}

static inline uint32_t tree_hash(uint32_t h, const void *p, size_t n)
{
	const unsigned char *c = p;

	while (n--)
		h = (h ^ *c++) * 16777619u;
	return h;
}

#endif
