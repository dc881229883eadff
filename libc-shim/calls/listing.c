/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * listing.c - the names of mounts in the local directories that they are in. Where nothing local is at a mount's prefix its directory
 * does not have the name, but whoever climbs by `..` to where getcwd(2) gives up looks for it there, as do those who walk the tree
 * from above. So it is added to what getdents64 says of such a directory, behind its own entry, which comes once.
 *
 * That entry has the directory's number, too: most others cost no system call.
 *
 * And the names of the shim's own descriptors, which lead nowhere, are left out of what it says of /proc/self/fd and fdinfo.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "common/atomic.h"
#include "common/rawcall.h"
#include "libc-shim/calls/dirent.h"
#include "libc-shim/calls/handlers.h"
#include "libc-shim/calls/procfs.h"
#include "libc-shim/native.h"
#include "libc-shim/hook.h"
#include "libc-shim/process/process.h"
#include "libc-shim/shim.h"
#include "libc-shim/text.h"

#define DIRECTORY 4 /* DT_DIR */
#define REGULAR 8
#define LINK 10
#define NUMBER_ROOM 32 /* for a name in /proc/self/fd, and what fills it up */
#define FEW 16         /* entries that are looked at before a system call is cheaper */

static struct {
	uint64_t dev, ino; /* of the directory that mount i's name is in; 0: none */
} parent[FC_CONFIG_MOUNTS];
static bool known;

static const char *name_of(unsigned mount)
{
	const char *prefix = shim.config.mount[mount].prefix, *name = prefix + shim.config.mount[mount].length;

	while (name > prefix && name[-1] != '/')
		name--;
	return name;
}

static void look_at_parents(void)
{
	char path[FC_PREFIX_MAX + 1];
	struct stat st;

	for (unsigned i = 0; i < shim.config.nmounts; i++) {
		size_t n = (size_t)(name_of(i) - shim.config.mount[i].prefix);

		memcpy(path, shim.config.mount[i].prefix, n);
		path[n] = 0;
		if (fc_call(SYS_stat, path, &st) < 0)
			continue;
		parent[i].dev = st.st_dev;
		parent[i].ino = st.st_ino;
	}
	fc_store_release(&known, true);
}

static bool may_be_parent(uint64_t ino)
{
	for (unsigned i = 0; i < shim.config.nmounts; i++)
		if (parent[i].ino == ino)
			return true;
	return false;
}

/* Read the head of the entry at `at`, and two bytes of its name. False: there is none. */
static bool read_entry(const char *user, long at, long n, struct shim_dirent *e, char name[2])
{
	char head[SHIM_DIRENT_HEAD + 2];

	if (at + (long)sizeof head > n || fc_copy_from_user(head, user + at, sizeof head))
		return false;
	memcpy(e, head, SHIM_DIRENT_HEAD);
	memcpy(name, head + SHIM_DIRENT_HEAD, 2);
	return e->length >= sizeof head && at + e->length <= n;
}

/* Look for the directory's own entry among the first `most`. Returns whether it is there, its number in *ino. */
static bool find_own(const char *user, long n, unsigned most, uint64_t *ino)
{
	struct shim_dirent e;
	char name[2];

	for (long at = 0; most-- && read_entry(user, at, n, &e, name); at += e.length) {
		*ino = e.inode;
		if (name[0] == '.' && !name[1])
			return true;
	}
	return false;
}

/* Is it here that they are to be added? */
static bool is_place(int fd, const char *user, long n)
{
	struct stat st;
	uint64_t ino;

	if (find_own(user, n, FEW, &ino))
		return may_be_parent(ino);
	return fc_call(SYS_fstat, fd, &st) == 0 && may_be_parent(st.st_ino) && find_own(user, n, UINT32_MAX, &ino);
}

static size_t entry_length(unsigned mount)
{
	return (SHIM_DIRENT_HEAD + strlen(name_of(mount)) + 1 + 7) & ~(size_t)7;
}

/* Which mounts' names are missing in that directory, a bit each; *size: what they take. */
static uint32_t missing(int fd, size_t *size)
{
	struct stat dir, st;
	uint32_t which = 0;

	*size = 0;
	if (fc_call(SYS_fstat, fd, &dir) < 0)
		return 0;
	for (unsigned i = 0; i < shim.config.nmounts; i++) {
		if (parent[i].ino != dir.st_ino || parent[i].dev != dir.st_dev ||
		    fc_call(SYS_newfstatat, fd, name_of(i), &st, AT_SYMLINK_NOFOLLOW) != -ENOENT)
			continue;
		which |= 1u << i;
		*size += entry_length(i);
	}
	return which;
}

/* Leave out entries at the end, for all to fit into `room`. Returns how many bytes are left, and in *off where the directory goes on. */
static long cut(const char *user, long n, long room, int64_t *off)
{
	struct shim_dirent e;
	char name[2];
	long at = 0;

	while (read_entry(user, at, n, &e, name) && at + e.length <= room) {
		*off = e.offset;
		at += e.length;
	}
	return at;
}

/* Add the entries behind the `n` bytes there are. Returns how many bytes there are now. */
static long add(char *user, long n, uint32_t which, int64_t off)
{
	union {
		struct shim_dirent e;
		char bytes[SHIM_DIRENT_HEAD + FC_PREFIX_MAX + 8];
	} u;

	for (unsigned i = 0; i < shim.config.nmounts; i++) {
		if (!(which >> i & 1))
			continue;
		memset(&u, 0, sizeof u);
		u.e = (struct shim_dirent){ shim.placeholder_ino, off, (uint16_t)entry_length(i), DIRECTORY };
		memcpy(u.e.name, name_of(i), strlen(name_of(i)));
		if (fc_copy_to_user(user + n, &u, u.e.length))
			break;
		n += u.e.length;
	}
	return n;
}

static long with_mounts(const long a[6], long n)
{
	long room = (uint32_t)a[2], kept;
	int64_t off = 0;
	size_t size;
	uint32_t which = missing((int)a[0], &size);

	if (!which || (long)size >= room)
		return n;
	kept = cut((char *)a[1], n, room - (long)size, &off);
	if (!kept || (kept < n && fc_call(SYS_lseek, a[0], off, SEEK_SET) < 0))
		return n;
	return add((char *)a[1], kept, which, off);
}

/* Does it look like a list of descriptors? They come behind the directory itself and the one above. */
static bool has_numbers(const char *user, long n)
{
	struct shim_dirent e;
	char name[2];

	for (long at = 0; read_entry(user, at, n, &e, name); at += e.length)
		if (name[0] != '.')
			return name[0] >= '0' && name[0] <= '9' && (e.type == LINK || e.type == REGULAR);
	return false;
}

static bool is_ours(const char *name)
{
	long fd = 0;

	for (; *name >= '0' && *name <= '9' && fd < SHIM_FDS; name++)
		fd = fd * 10 + (*name - '0');
	return !*name && shim_fd_hidden(shim_process(), fd);
}

/* Returns how many bytes are left. */
static long without_ours(char *user, long n)
{
	union {
		struct shim_dirent e;
		char bytes[SHIM_DIRENT_HEAD + NUMBER_ROOM];
	} u;
	struct shim_dirent e;
	char name[2];
	long kept = 0;

	for (long at = 0; read_entry(user, at, n, &e, name); at += e.length) {
		if (e.length > sizeof u || fc_copy_from_user(&u, user + at, e.length))
			return n;
		u.bytes[e.length - 1] = 0;
		if (is_ours(u.e.name))
			continue;
		if (kept < at && fc_copy_to_user(user + kept, &u, e.length))
			return n;
		kept += e.length;
	}
	return kept;
}

/* Nothing left is not the end. */
static long descriptors(long nr, const long a[6], long n)
{
	long left = without_ours((char *)a[1], n);

	while (!left && (n = shim_native(nr, a)) > 0)
		left = without_ours((char *)a[1], n);
	return left ? left : n;
}

long shim_do_getdents64(long nr, long a[6])
{
	if (shim_fd_get(shim_process(), a[0]))
		return shim_do_fd(nr, a);
	long n = shim_native(nr, a);
	if (n <= 0)
		return n;
	if (unlikely(has_numbers((char *)a[1], n)) && shim_procfs_lists_own((int)a[0]))
		return descriptors(nr, a, n);
	if (unlikely(!fc_load_acquire(&known)))
		look_at_parents();
	return unlikely(is_place((int)a[0], (char *)a[1], n)) ? with_mounts(a, n) : n;
}
