/* SPDX-License-Identifier: GPL-2.0-or-later */
/* config.c - writes the shim's configuration (cli/config.h). Paths have been checked for newlines by who made them. */
#define _GNU_SOURCE
#include "cli/config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libc-shim/config.h"

/* Is there something where a prefix is? Asked of its parent's directory, so that a trace of the command's system calls shows
 * none on a mount. */
static bool covers(const char *prefix)
{
	const char *last = strrchr(prefix, '/');
	char parent[FC_PREFIX_MAX + 1];
	struct stat st;
	int dir, r;

	snprintf(parent, sizeof parent, "%.*s/", (int)(last - prefix), prefix);
	dir = open(parent, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return false;
	r = fstatat(dir, last + 1, &st, AT_SYMLINK_NOFOLLOW);
	close(dir);
	return r == 0;
}

bool fc_config_covers(const struct fc_domain *domains, unsigned ndomains)
{
	for (unsigned d = 0; d < ndomains; d++)
		for (unsigned e = 0; e < domains[d].nexports; e++)
			if (covers(domains[d].export[e].prefix))
				return true;
	return false;
}

/* Writes to `fd` and closes it. */
static int write_config(int fd, const struct fc_domain *domains, unsigned ndomains, const char *sites,
			const char *preload, const char *cache)
{
	FILE *f = fdopen(fd, "w");

	if (!f) {
		int err = -errno;

		close(fd);
		return err;
	}
	fprintf(f, FC_CONFIG_FIRST_LINE "\n");
	for (unsigned d = 0; d < ndomains; d++) {
		fprintf(f, "%s %s\n", domains[d].xen ? "xen" : "domain", domains[d].address);
		if (domains[d].trusted && !domains[d].xen)
			fprintf(f, "trust %u\n", d);
		for (unsigned e = 0; e < domains[d].nexports; e++)
			fprintf(f, "mount %u %s %s\n", d, domains[d].export[e].read_only ? "ro" : "rw",
				domains[d].export[e].prefix);
	}
	fprintf(f, "sites %s\npreload %s\n", sites, preload);
	if (fc_config_covers(domains, ndomains))
		fprintf(f, "covers local files\n");
	if (*cache)
		fprintf(f, "cache %s\n", cache);
	fchmod(fd, 0644); /* whatever the umask: the command may change its user id */
	if (ferror(f)) {
		fclose(f);
		return -EIO;
	}
	return fclose(f) ? -errno : 0;
}

int fc_config_write(const struct fc_runtime *rt, const struct fc_domain *domains, unsigned ndomains, const char *sites,
		    const char *preload, const char *cache)
{
	char draft[sizeof(FC_CONFIG_FILE) + 16];
	int fd, err;

	snprintf(draft, sizeof(draft), FC_CONFIG_FILE ".%d", (int)getpid());
	unlinkat(rt->dir, draft, 0); /* of somebody who was killed */
	fd = openat(rt->dir, draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	err = write_config(fd, domains, ndomains, sites, preload, cache);
	if (!err && renameat(rt->dir, draft, rt->dir, FC_CONFIG_FILE))
		err = -errno;
	if (err)
		unlinkat(rt->dir, draft, 0);
	return err;
}
