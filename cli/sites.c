/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sites.c - the cache of site tables (sites.h). */
#define _GNU_SOURCE
#include "cli/sites.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cache.h"
#include "cli/decode.h"
#include "cli/ready.h"
#include "libc-shim/hook/list.h"

#define IMAGE_MAX (256l << 20) /* no C library is this large */

/* A descriptor of the directory, made if missing, or -errno. */
static int open_cache(const char *path)
{
	mode_t mode = geteuid() ? 0700 : 0755;
	bool made = !mkdir(path, mode);
	struct stat st;
	int dir;

	if (!made && errno != EEXIST)
		return -errno;
	dir = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return -errno;
	if (fstat(dir, &st) || !fc_cache_trusted(&st)) {
		close(dir);
		return -EPERM;
	}
	if (made && (st.st_mode & 07777) != mode) /* the umask has cut it */
		fchmod(dir, mode);
	return dir;
}

static int map_image(const char *path, struct fc_image *image)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	void *p;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st)) {
		int err = -errno;

		close(fd);
		return err;
	}
	if (!S_ISREG(st.st_mode) || st.st_size <= 0 || st.st_size > IMAGE_MAX) {
		close(fd);
		return -EINVAL;
	}
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	if (p == MAP_FAILED)
		return -errno;
	image->bytes = p;
	image->size = (size_t)st.st_size;
	return 0;
}

/* The number of sites in the table if it is whole, current and ours, else -errno. */
static int check_table(int dir, const char *name, const uint8_t *id, unsigned id_size)
{
	int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	struct fc_sites_header h;
	struct stat st;
	bool good;

	if (fd < 0)
		return -errno;
	good = !fstat(fd, &st) && S_ISREG(st.st_mode) && fc_cache_trusted(&st) &&
	       read(fd, &h, sizeof(h)) == sizeof(h) && h.magic == FC_SITES_MAGIC && h.version == FC_SITES_VERSION &&
	       h.list == fc_list_hash() && h.build_id_size == id_size && !memcmp(h.build_id, id, id_size) &&
	       h.count <= FC_SITES_MAX && (uint64_t)st.st_size == sizeof(h) + h.count * sizeof(struct fc_site);
	close(fd);
	return good ? (int)h.count : -ESTALE;
}

static int write_table(int dir, const char *name, const struct fc_decoded *d)
{
	const struct iovec part[] = {
		{ (void *)&d->header, sizeof(d->header) },
		{ d->site, d->header.count * sizeof(*d->site) },
	};

	return fc_cache_write(dir, name, part, 2, false);
}

static int make_table(int dir, const char *name, const struct fc_image *image)
{
	struct fc_decoded d;
	int n = fc_decode(image, &d);

	if (n)
		return n;
	n = write_table(dir, name, &d);
	if (!n)
		n = (int)d.header.count;
	fc_decode_free(&d);
	return n;
}

int fc_sites_ensure(const char *elf_path, const char *cache_dir, char *out, size_t size)
{
	char name[FC_LIST_NAME];
	uint8_t id[FC_BUILD_ID_MAX];
	struct fc_image image;
	int dir, n = map_image(elf_path, &image);

	if (n)
		return n;
	n = fc_decode_build_id(&image, id);
	if (n < 0)
		goto unmap;
	fc_list_name(name, id, (unsigned)n, FC_SITES_SUFFIX);
	if (out && snprintf(out, size, "%s/%s", cache_dir, name) >= (int)size) {
		n = -ENAMETOOLONG;
		goto unmap;
	}
	dir = open_cache(cache_dir);
	if (dir < 0) {
		n = dir;
		goto unmap;
	}
	n = check_table(dir, name, id, (unsigned)n);
	if (n < 0)
		n = make_table(dir, name, &image);
	if (n > 0)
		fc_ready_ensure(dir, name, &image);
	close(dir);
unmap:
	munmap((void *)image.bytes, image.size);
	return n;
}
