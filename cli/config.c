/* SPDX-License-Identifier: GPL-2.0-or-later */
/* config.c - writes the shim's configuration (cli/config.h). Paths have been checked for newlines by who made them. */
#define _GNU_SOURCE
#include "cli/config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "libc-shim/config.h"

static bool covers_something(const struct fc_domain *domains, unsigned ndomains)
{
	struct stat st;

	for (unsigned d = 0; d < ndomains; d++)
		for (unsigned e = 0; e < domains[d].nexports; e++)
			if (!lstat(domains[d].export[e].prefix, &st))
				return true;
	return false;
}

int fc_config_write(const struct fc_runtime *rt, const struct fc_domain *domains, unsigned ndomains, const char *sites)
{
	int fd = openat(rt->dir, FC_CONFIG_FILE, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	FILE *f;

	if (fd < 0)
		return -errno;
	f = fdopen(fd, "w");
	if (!f)
		return -errno;
	fprintf(f, FC_CONFIG_FIRST_LINE "\n");
	for (unsigned d = 0; d < ndomains; d++) {
		fprintf(f, "domain %s\n", domains[d].socket);
		for (unsigned e = 0; e < domains[d].nexports; e++)
			fprintf(f, "mount %u %s %s\n", d, domains[d].export[e].read_only ? "ro" : "rw",
				domains[d].export[e].prefix);
	}
	fprintf(f, "sites %s\n", sites);
	if (covers_something(domains, ndomains))
		fprintf(f, "covers local files\n");
	fchmod(fd, 0644); /* whatever the umask: the command may change its user id */
	if (ferror(f)) {
		fclose(f);
		return -EIO;
	}
	return fclose(f) ? -errno : 0;
}
