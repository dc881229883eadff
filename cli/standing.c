/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * standing.c - finds and makes the runtime directory of runs that have no domain of their own (standing.h). Its name is a hash of what it depends
 * on; its file `key` has all of that, and is written last.
 */
#define _GNU_SOURCE
#include "cli/standing.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cache.h"
#include "cli/cli.h"
#include "cli/config.h"
#include "cli/libc.h"
#include "libc-shim/config.h"

#define KEY "key"
#define CONFIG_MAX (16 * 1024)

static bool append(struct fc_standing *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
static bool append(struct fc_standing *s, const char *format, ...)
{
	size_t used = strlen(s->key);
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(s->key + used, sizeof(s->key) - used, format, ap);
	va_end(ap);
	return n >= 0 && (size_t)n < sizeof(s->key) - used;
}

/* A file as it is now: if another comes to be in its place, or this one changes, the line is another. */
static bool append_file(struct fc_standing *s, const char *what, const char *path)
{
	struct stat st;

	return !stat(path, &st) &&
	       append(s, "%s %s %llx %llx %lld.%09ld\n", what, path, (unsigned long long)st.st_dev,
		      (unsigned long long)st.st_ino, (long long)st.st_ctim.tv_sec, st.st_ctim.tv_nsec);
}

/* FNV-1a, twice. Two keys with one name do no harm: the file with the key tells them apart. */
static void name_of(const char *key, char name[33])
{
	uint64_t h[2] = { 0xcbf29ce484222325ull, 0x84222325cbf29ce4ull };

	for (; *key; key++)
		for (int i = 0; i < 2; i++)
			h[i] = (h[i] ^ (uint8_t)*key) * 0x100000001b3ull;
	snprintf(name, 33, "%016llx%016llx", (unsigned long long)h[0], (unsigned long long)h[1]);
}

bool fc_standing_init(struct fc_standing *s, const struct fc_domain *domains, unsigned ndomains, const char *sites,
		      const char *shim, const char *cache)
{
	const char *libc, *linker;
	bool good = append(s, "farcall " PACKAGE_VERSION "\ncache %s\n", cache);

	s->runtime.dir = s->runtime.lock = -1;
	for (unsigned d = 0; d < ndomains && good;
	     d++) /* one that starts again makes its socket anew, and may serve something else */
		good = !domains[d].xen && append_file(s, domains[d].trusted ? "trusted" : "domain", domains[d].address);
	return good && fc_libc_paths(&libc, &linker) && append_file(s, "libc", libc) &&
	       append_file(s, "linker", linker) && append_file(s, "sites", sites) && append_file(s, "preload", shim);
}

/* The file's text, ended by NUL, or false. */
static bool read_text(int dir, const char *name, char *text, size_t size)
{
	int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return false;
	n = read(fd, text, size);
	close(fd);
	if (n < 0 || (size_t)n >= size)
		return false;
	text[n] = '\0';
	return true;
}

/* A line of the configuration: "mount DOMAIN rw|ro PREFIX". */
static bool read_mount(struct fc_domain *domains, unsigned ndomains, const char *line, size_t length)
{
	struct fc_domain *domain;
	unsigned d;
	char mode[3];
	int at = 0;

	if (sscanf(line, "mount %u %2[rwo] %n", &d, mode, &at) != 2 || !at || d >= ndomains || (size_t)at >= length)
		return false;
	domain = &domains[d];
	if (domain->nexports == FC_EXPORTS_MAX || length - (size_t)at > FC_PREFIX_MAX)
		return false;
	domain->export[domain->nexports].read_only = mode[1] == 'o';
	snprintf(domain->export[domain->nexports].prefix, FC_PREFIX_MAX + 1, "%.*s", (int)(length - (size_t)at),
		 line + at);
	domain->nexports++;
	return true;
}

/* What the domains serve, out of the configuration. False if that is not what it must be by now. */
static bool read_config(int dir, struct fc_domain *domains, unsigned ndomains)
{
	char text[CONFIG_MAX];
	bool covers = false;

	if (!read_text(dir, FC_CONFIG_FILE, text, sizeof(text)))
		return false;
	for (unsigned d = 0; d < ndomains; d++)
		domains[d].nexports = 0;
	for (char *line = text, *end; (end = strchr(line, '\n')); line = end + 1) {
		if (!strncmp(line, "mount ", 6) && !read_mount(domains, ndomains, line, (size_t)(end - line)))
			return false;
		covers |= !strncmp(line, "covers ", 7);
	}
	return covers == fc_config_covers(domains, ndomains);
}

bool fc_standing_find(struct fc_standing *s, struct fc_domain *domains, unsigned ndomains)
{
	char name[33], key[sizeof(s->key)];
	bool found;

	name_of(s->key, name);
	found = !fc_runtime_open_standing(&s->runtime, name) && read_text(s->runtime.dir, KEY, key, sizeof(key)) &&
		!strcmp(key, s->key) && read_config(s->runtime.dir, domains, ndomains);
	for (unsigned d = 0; d < ndomains && found; d++)
		found = fc_domain_is_there(&domains[d]);
	return found;
}

bool fc_standing_make(struct fc_standing *s, const struct fc_domain *domains, unsigned ndomains, const char *sites,
		      const char *shim, const char *cache)
{
	const struct iovec key = { s->key, strlen(s->key) };
	char name[33], old[sizeof(s->key)];

	name_of(s->key, name);
	if (fc_runtime_make_standing(&s->runtime, name))
		return false;
	if (read_text(s->runtime.dir, KEY, old, sizeof(old)) && strcmp(old, s->key))
		return false; /* another's, of the same name */
	return !fc_config_write(&s->runtime, domains, ndomains, sites, shim, cache) &&
	       !fc_cache_write(s->runtime.dir, KEY, &key, 1, false);
}
