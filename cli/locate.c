/* SPDX-License-Identifier: GPL-2.0-or-later */
/* locate.c - finds the daemon, the preload object and the cache directory (locate.h). It starts and loads nothing. */
#define _GNU_SOURCE
#include "cli/locate.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"

/* FC_LIBEXEC_DIR and FC_SHIM_DIR come from the Makefile. */

/* The directory of the running executable, without a slash at the end. */
static bool own_directory(char *dir, size_t size)
{
	ssize_t length = readlink("/proc/self/exe", dir, size - 1);
	char *slash;

	if (length < 0)
		return false;
	dir[length] = '\0';
	slash = strrchr(dir, '/');
	if (!slash)
		return false;
	*slash = '\0';
	return true;
}

static const char *locate(char found[PATH_MAX], const char *variable, const char *installed, const char *name, int mode)
{
	const char *named = getenv(variable);
	char dir[PATH_MAX];

	if (named && *named) {
		if (!realpath(named, found) || access(found, mode))
			fc_die(FC_EXIT_OWN, "%s=%s: %s", variable, named, strerror(errno));
		return found;
	}
	if (own_directory(dir, sizeof(dir)) && snprintf(found, PATH_MAX, "%s/%s", dir, name) < PATH_MAX &&
	    !access(found, mode))
		return found;
	snprintf(found, PATH_MAX, "%s/%s", installed, name);
	if (access(found, mode))
		fc_die(FC_EXIT_OWN, "%s: %s; run `make install`, or set %s to where it is", found, strerror(errno),
		       variable);
	return found;
}

const char *fc_locate_daemon(void)
{
	static char found[PATH_MAX];

	return locate(found, "FARCALL_STORAGED", FC_LIBEXEC_DIR, "farcall-storaged", X_OK);
}

const char *fc_locate_shim(void)
{
	static char found[PATH_MAX];

	return locate(found, "FARCALL_SHIM", FC_SHIM_DIR, "libfarcall.so", R_OK);
}

/* Make the directory if need be (its parent too, as ~/.cache may be missing); ours, and nobody else's to write. */
static bool usable_directory(const char *parent, const char *path, mode_t mode)
{
	struct stat st;

	if (mkdir(parent, 0700) && errno != EEXIST)
		return false;
	if (mkdir(path, mode) && errno != EEXIST)
		return false;
	return !lstat(path, &st) && S_ISDIR(st.st_mode) && st.st_uid == geteuid() && !(st.st_mode & 022) &&
	       !access(path, W_OK | X_OK);
}

const char *fc_locate_cache(void)
{
	static char found[PATH_MAX];
	const char *home = getenv("HOME"), *xdg = getenv("XDG_CACHE_HOME");
	char parent[PATH_MAX - 16];
	mode_t mode = 0700;

	if (!geteuid()) {
		/* for everybody to read: a command may change its user id and then execute another program */
		snprintf(parent, sizeof(parent), "/var/cache");
		mode = 0755;
	} else if (xdg && xdg[0] == '/') {
		snprintf(parent, sizeof(parent), "%s", xdg);
	} else if (home && home[0] == '/') {
		snprintf(parent, sizeof(parent), "%s/.cache", home);
	} else {
		return NULL;
	}
	snprintf(found, sizeof(found), "%s/farcall", parent);
	if (strchr(found, '\n') || !usable_directory(parent, found, mode))
		return NULL;
	return found;
}
