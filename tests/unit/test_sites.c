/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_sites.c - the decoder on the installed C library and dynamic loader, and the cache of its tables. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cli/decode.h"
#include "cli/sites.h"
#include "libc-shim/hook/list.h"

static char dir[] = "/tmp/farcall-test-XXXXXX";
static char cache[64];

static void make_directory(void)
{
	cr_assert(mkdtemp(dir));
	snprintf(cache, sizeof(cache), "%s/sites", dir);
}

static void remove_directory(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", dir);
	cr_assert(!system(command));
}

TestSuite(sites, .init = make_directory, .fini = remove_directory);

/* the file that a symbol of this process comes from: one that no sanitizer replaces */
static void file_of(const char *symbol, char path[PATH_MAX])
{
	Dl_info info;

	cr_assert(dladdr(dlsym(RTLD_DEFAULT, symbol), &info));
	cr_assert(realpath(info.dli_fname, path));
}

static struct fc_image map(const char *path)
{
	struct fc_image image;
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	cr_assert(fd >= 0 && !fstat(fd, &st));
	image.size = (size_t)st.st_size;
	image.bytes = mmap(NULL, image.size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	cr_assert(image.bytes != MAP_FAILED);
	close(fd);
	return image;
}

/* No branch into a site is checked here: a site's own bytes, shape and order are. Returns the wanted sites. */
static unsigned check(const struct fc_decoded *d)
{
	uint64_t last = 0;
	unsigned known = 0;

	for (unsigned i = 0; i < d->header.refused; i++)
		fprintf(stderr, "refused: %#llx, call %u\n", (unsigned long long)d->refusal[i].address,
			d->refusal[i].nr);
	cr_expect_eq(d->header.refused, 0);
	for (unsigned i = 0; i < d->header.count; i++) {
		const struct fc_site *s = &d->site[i];

		cr_expect(s->address >= last, "site %u overlaps the one before", i);
		last = s->address + s->before + FC_SITE_SYSCALL + s->after;
		cr_expect(s->before + FC_SITE_SYSCALL + s->after >= FC_SITE_JUMP);
		cr_expect(s->before <= FC_SITE_BEFORE_MAX && s->after <= FC_SITE_AFTER_MAX);
		cr_expect(s->bytes[s->before] == 0x0f && s->bytes[s->before + 1] == 0x05);
		cr_expect(fc_list_kind(s->nr));
		known += s->nr != FC_SITE_UNKNOWN;
	}
	return known;
}

static bool has(const struct fc_decoded *d, unsigned nr, unsigned kind)
{
	for (unsigned i = 0; i < d->header.count; i++)
		if (d->site[i].nr == nr && d->site[i].kind == kind)
			return true;
	return false;
}

Test(sites, libc_is_covered)
{
	static const unsigned ordinary[] = { SYS_read,   SYS_write,          SYS_close,        SYS_openat,
					     SYS_fstat,  SYS_newfstatat,     SYS_lseek,        SYS_mmap,
					     SYS_fsync,  SYS_rename,         SYS_getdents64,   SYS_fcntl,
					     SYS_ioctl,  SYS_dup2,           SYS_rt_sigaction, SYS_rt_sigprocmask,
					     SYS_execve, SYS_wait4,          SYS_readlink,     SYS_getcwd,
					     SYS_statx,  SYS_copy_file_range };
	char path[PATH_MAX];
	struct fc_image image;
	struct fc_decoded d;

	file_of("gnu_get_libc_version", path);
	image = map(path);
	cr_assert_eq(fc_decode(&image, &d), 0);
	cr_expect(check(&d) >= 150, "%u of %u", d.header.count, d.header.instructions);
	for (size_t i = 0; i < sizeof(ordinary) / sizeof(ordinary[0]); i++)
		cr_expect(has(&d, ordinary[i], FC_SITE_CALL), "no site for call %u", ordinary[i]);
	cr_expect(has(&d, SYS_vfork, FC_SITE_SPECIAL));
	cr_expect(has(&d, SYS_clone, FC_SITE_SPECIAL));
	cr_expect(has(&d, SYS_clone3, FC_SITE_SPECIAL));
	cr_expect(has(&d, FC_SITE_UNKNOWN, FC_SITE_SPECIAL)); /* syscall(2) */
	cr_expect(!has(&d, SYS_futex, FC_SITE_CALL) && !has(&d, SYS_rt_sigreturn, FC_SITE_CALL));
	fc_decode_free(&d);
}

Test(sites, loader_is_covered)
{
	char path[PATH_MAX];
	struct fc_image image;
	struct fc_decoded d;

	file_of("_dl_mcount", path);
	image = map(path);
	cr_assert_eq(fc_decode(&image, &d), 0);
	check(&d);
	cr_expect(has(&d, SYS_openat, FC_SITE_CALL) && has(&d, SYS_read, FC_SITE_CALL) &&
		  has(&d, SYS_mmap, FC_SITE_CALL) && has(&d, SYS_close, FC_SITE_CALL));
	fc_decode_free(&d);
}

/* a branch into the displaced bytes must make the decoder choose another shape */
Test(sites, branch_targets_are_kept)
{
	char path[PATH_MAX];
	struct fc_image image;
	struct fc_decoded d;
	unsigned forward = 0, backward = 0;

	file_of("gnu_get_libc_version", path);
	image = map(path);
	cr_assert_eq(fc_decode(&image, &d), 0);
	for (unsigned i = 0; i < d.header.count; i++) {
		forward += !d.site[i].before;
		backward += d.site[i].before > 0;
	}
	cr_expect(forward > 0 && backward > 0);
	fc_decode_free(&d);
}

Test(sites, damaged_files_are_refused)
{
	char path[PATH_MAX];
	struct fc_image image, cut;
	struct fc_decoded d;

	file_of("_dl_mcount", path);
	image = map(path);
	cut = image;
	for (cut.size = 0; cut.size < 4096; cut.size += 7)
		cr_expect_neq(fc_decode(&cut, &d), 0);
	/* any byte of the headers may be wrong: an error or a table, never a crash */
	for (size_t i = 0; i < 1024; i++) {
		uint8_t *byte = (uint8_t *)image.bytes + i, was = *byte;

		*byte ^= 0xff;
		if (!fc_decode(&image, &d))
			fc_decode_free(&d);
		*byte = was;
	}
}

Test(sites, tables_are_cached)
{
	char path[PATH_MAX], table[PATH_MAX];
	struct stat st, again;
	int n;

	file_of("gnu_get_libc_version", path);
	n = fc_sites_ensure(path, cache, table, sizeof(table));
	cr_assert(n >= 150, "%d", n);
	cr_assert(!stat(table, &st));
	cr_expect_eq((size_t)st.st_size, sizeof(struct fc_sites_header) + (size_t)n * sizeof(struct fc_site));
	cr_expect_eq(fc_sites_ensure(path, cache, table, sizeof(table)), n);
	cr_expect(!stat(table, &again) && again.st_ino == st.st_ino, "it was made again");
}

Test(sites, bad_tables_are_replaced)
{
	char path[PATH_MAX], table[PATH_MAX];
	struct stat st;
	int n, fd;

	file_of("_dl_mcount", path);
	n = fc_sites_ensure(path, cache, table, sizeof(table));
	cr_assert(n > 0);
	cr_assert(!truncate(table, 100));
	cr_expect_eq(fc_sites_ensure(path, cache, table, sizeof(table)), n);
	cr_assert(!chmod(table, 0666));
	cr_expect_eq(fc_sites_ensure(path, cache, table, sizeof(table)), n);
	cr_expect(!stat(table, &st) && !(st.st_mode & 022));
	fd = open(table, O_WRONLY);
	cr_assert(fd >= 0 && pwrite(fd, "\xff\xff", 2, offsetof(struct fc_sites_header, list)) == 2);
	close(fd);
	cr_expect_eq(fc_sites_ensure(path, cache, table, sizeof(table)), n);
	cr_assert(!unlink(table) && !symlink("/etc/passwd", table));
	cr_expect_eq(fc_sites_ensure(path, cache, table, sizeof(table)), n);
	cr_expect(!lstat(table, &st) && S_ISREG(st.st_mode));
}

Test(sites, open_directories_are_refused)
{
	char path[PATH_MAX];

	file_of("_dl_mcount", path);
	cr_assert(!mkdir(cache, 0700) && !chmod(cache, 0777));
	cr_expect_eq(fc_sites_ensure(path, cache, NULL, 0), -EPERM);
	cr_expect_eq(fc_sites_ensure("/etc/passwd", dir, NULL, 0), -EINVAL);
	cr_expect_eq(fc_sites_ensure("/nonexistent", dir, NULL, 0), -ENOENT);
}
