/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* config.c - reader of the runtime directory's `config` (config.h has the format). It writes nothing. */
#define _GNU_SOURCE
#include "common/rawcall.h"
#include "farcall/abi.h"
#include "farcall/ioctl.h"
#include "libc-shim/config.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/syscall.h>

#define CONFIG_BYTES_MAX (16 * 1024)
#define CACHE_UNSAID UINT64_MAX

/* A line being taken apart: [at, end), no newline. */
struct line {
	const char *at, *end;
};

/* If the line goes on with `word` and then a space (or ends there), step behind both. */
static bool line_word(struct line *l, const char *word)
{
	const char *p = l->at;

	for (; *word; word++, p++)
		if (p == l->end || *p != *word)
			return false;
	if (p != l->end && *p != ' ')
		return false;
	l->at = p == l->end ? p : p + 1;
	return true;
}

/* A decimal number below `limit`. */
static bool line_index(struct line *l, unsigned limit, unsigned *value)
{
	unsigned n = 0;
	const char *p = l->at;

	if (p == l->end || *p < '0' || *p > '9')
		return false;
	for (; p != l->end && *p >= '0' && *p <= '9' && n < limit; p++)
		n = n * 10 + (unsigned)(*p - '0');
	if (n >= limit)
		return false;
	*value = n;
	l->at = p;
	return true;
}

/* A decimal number, of bytes, that is all the rest of the line. */
static bool line_bytes(struct line *l, uint64_t most, uint64_t *value)
{
	uint64_t n = 0;

	if (l->at == l->end)
		return false;
	for (; l->at != l->end; l->at++) {
		if (*l->at < '0' || *l->at > '9' || n > most)
			return false;
		n = n * 10 + (uint64_t)(*l->at - '0');
	}
	*value = n;
	return n <= most;
}

/* The rest of the line, 1 to size - 1 bytes. Returns its length or -errno. */
static int line_text(const struct line *l, char *path, size_t size)
{
	size_t length = (size_t)(l->end - l->at);

	if (!length)
		return -EINVAL;
	if (length >= size)
		return -ENAMETOOLONG;
	for (size_t i = 0; i < length; i++) {
		if (!l->at[i])
			return -EINVAL;
		path[i] = l->at[i];
	}
	path[length] = '\0';
	return (int)length;
}

static int line_path(const struct line *l, char *path, size_t size)
{
	return l->at != l->end && *l->at == '/' ? line_text(l, path, size) : -EINVAL;
}

static int config_domain(struct fc_config *c, const struct line *l, bool xen)
{
	int length;

	if (c->ndomains == FC_CONFIG_DOMAINS)
		return -EINVAL;
	c->domain[c->ndomains].xen = xen;
	c->domain[c->ndomains].trusted = false;
	length = xen ? line_text(l, c->domain[c->ndomains].address, FC_IOC_NAME_MAX)
		     : line_path(l, c->domain[c->ndomains].address, sizeof(c->domain[0].address));
	if (length > 0)
		c->ndomains++;
	return length < 0 ? length : 0;
}

static int config_trust(struct fc_config *c, struct line *l)
{
	unsigned domain;

	if (!line_index(l, c->ndomains, &domain) || l->at != l->end || c->domain[domain].xen ||
	    c->domain[domain].trusted)
		return -EINVAL;
	c->domain[domain].trusted = true;
	return 0;
}

static int config_mount(struct fc_config *c, struct line *l)
{
	int length;

	if (c->nmounts == FC_CONFIG_MOUNTS)
		return -EINVAL;
	if (!line_index(l, c->ndomains, &c->mount[c->nmounts].domain) || !line_word(l, ""))
		return -EINVAL;
	if (line_word(l, "ro"))
		c->mount[c->nmounts].read_only = true;
	else if (!line_word(l, "rw"))
		return -EINVAL;
	length = line_path(l, c->mount[c->nmounts].prefix, sizeof(c->mount[0].prefix));
	if (length < 0)
		return length;
	if (length == 1)
		return -EINVAL; /* "/" */
	c->mount[c->nmounts++].length = (unsigned)length;
	return 0;
}

static int config_cache(struct fc_config *c, struct line *l)
{
	if (c->cache != CACHE_UNSAID || !line_bytes(l, FC_CONFIG_CACHE_MAX, &c->cache))
		return -EINVAL;
	return 0;
}

static int config_line(struct fc_config *c, struct line *l)
{
	int length;

	if (l->at == l->end)
		return 0;
	if (line_word(l, "domain"))
		return config_domain(c, l, false);
	if (line_word(l, "xen"))
		return config_domain(c, l, true);
	if (line_word(l, "trust"))
		return config_trust(c, l);
	if (line_word(l, "mount"))
		return config_mount(c, l);
	if (line_word(l, "cache"))
		return config_cache(c, l);
	if (line_word(l, "covers")) {
		c->covers = true;
		return 0;
	}
	if (line_word(l, "sites")) {
		if (c->sites[0])
			return -EINVAL;
		length = line_path(l, c->sites, sizeof(c->sites));
		return length < 0 ? length : 0;
	}
	if (line_word(l, "preload")) {
		if (c->preload[0])
			return -EINVAL;
		length = line_path(l, c->preload, sizeof(c->preload));
		return length < 0 ? length : 0;
	}
	return -EINVAL;
}

static int config_parse(struct fc_config *c, const char *text, size_t size)
{
	const char *end = text + size;
	bool first = true;

	c->ndomains = 0;
	c->nmounts = 0;
	c->covers = false;
	c->cache = CACHE_UNSAID;
	c->sites[0] = '\0';
	c->preload[0] = '\0';
	for (unsigned i = 0; i < FC_CONFIG_MOUNTS; i++)
		c->mount[i].read_only = false;
	while (text < end) {
		struct line l = { text, text };
		int err;

		while (l.end < end && *l.end != '\n')
			l.end++;
		text = l.end + 1;
		if (first) {
			if (!line_word(&l, "farcall-config") || !line_word(&l, "1") || l.at != l.end)
				return -EPROTONOSUPPORT;
			first = false;
			continue;
		}
		err = config_line(c, &l);
		if (err)
			return err;
	}
	if (c->cache == CACHE_UNSAID)
		c->cache = FC_CONFIG_CACHE;
	return first || !c->sites[0] ? -EINVAL : 0;
}

/* Up to `size` bytes of the file; -EINVAL if it is longer. */
static long config_read(const char *path, char *text, size_t size)
{
	size_t have = 0;
	long got, fd;

	fd = fc_call(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return fd;
	do {
		got = fc_call(SYS_read, fd, text + have, size - have);
		if (got > 0)
			have += (size_t)got;
	} while (got == -EINTR || (got > 0 && have < size));
	fc_call(SYS_close, fd);
	if (got < 0)
		return got;
	return have == size ? -EINVAL : (long)have;
}

int fc_config_load(struct fc_config *c, const char *dir)
{
	static const char name[] = "/" FC_CONFIG_FILE;
	char path[FC_PATH_MAX], text[CONFIG_BYTES_MAX];
	size_t length = 0;
	long size;

	if (dir[0] != '/')
		return -EINVAL;
	for (; dir[length]; length++) {
		if (length + sizeof(name) >= sizeof(path))
			return -ENAMETOOLONG;
		path[length] = c->dir[length] = dir[length];
	}
	c->dir[length] = '\0';
	for (size_t i = 0; i < sizeof(name); i++)
		path[length + i] = name[i];
	size = config_read(path, text, sizeof(text));
	if (size < 0)
		return (int)size;
	return config_parse(c, text, (size_t)size);
}

int fc_config_system(const char *path, char *dir, size_t size)
{
	char text[CONFIG_BYTES_MAX];
	const char *at = text, *end;
	long got = config_read(path, text, sizeof(text));

	if (got < 0)
		return (int)got;
	for (end = text + got; at < end; at++) {
		struct line l = { at, at };

		while (l.end < end && *l.end != '\n')
			l.end++;
		if (l.at != l.end && *l.at != '#')
			return line_path(&l, dir, size);
		at = l.end;
	}
	return 0;
}
