/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * path_text.c - what a path says by its text alone: its components, whether it begins with a prefix, and whether a domain may
 * say that it goes on elsewhere. It asks no kernel.
 */
#include "libc-shim/calls/path_text.h"
#include "libc-shim/text.h"

const char *shim_path_next(const char *p)
{
	for (;;) {
		while (*p == '/')
			p++;
		if (p[0] == '.' && (p[1] == '/' || !p[1]))
			p++;
		else
			return p;
	}
}

size_t shim_path_component(const char *p)
{
	size_t n = 0;

	while (p[n] && p[n] != '/')
		n++;
	return n;
}

static bool same(const char *a, const char *b, size_t n)
{
	while (n--)
		if (*a++ != *b++)
			return false;
	return true;
}

static bool equal(const char *a, const char *b)
{
	size_t n = strlen(a);

	return strlen(b) == n && same(a, b, n);
}

const char *shim_path_behind(const char *path, const char *prefix)
{
	for (;;) {
		path = shim_path_next(path);
		prefix = shim_path_next(prefix);
		if (!*prefix)
			return path;
		size_t n = shim_path_component(prefix);
		if (shim_path_component(path) != n || !same(path, prefix, n))
			return NULL;
		path += n;
		prefix += n;
	}
}

static bool is_up(const char *component, size_t n)
{
	return n == 2 && component[0] == '.' && component[1] == '.';
}

bool shim_path_goes_up(const char *path)
{
	for (path = shim_path_next(path); *path; path = shim_path_next(path)) {
		size_t n = shim_path_component(path);

		if (is_up(path, n))
			return true;
		path += n;
	}
	return false;
}

static const char *behind_slashes(const char *p)
{
	while (*p == '/')
		p++;
	return p;
}

const char *shim_path_last(const char *path)
{
	const char *last = behind_slashes(path), *next = last;

	for (; *next; next = behind_slashes(next + shim_path_component(next)))
		last = next;
	return last;
}

/* ---- where a domain may send us ---- */

/* Is there a component in front of `end` that could be a symbolic link? */
static bool has_name(const char *p, const char *end)
{
	for (p = shim_path_next(p); *p && p < end; p = shim_path_next(p)) {
		size_t n = shim_path_component(p);

		if (!is_up(p, n))
			return true;
		p += n;
	}
	return false;
}

/* Is `to` the directory that `prefix` is in, and `rest` behind it? */
static bool is_in_parent(const char *to, const char *prefix, const char *rest)
{
	size_t n = strlen(prefix);

	while (prefix[--n] != '/')
		;
	if (!same(to, prefix, n))
		return false;
	to += n;
	if (*to && *to != '/')
		return false;
	return equal(behind_slashes(to), behind_slashes(rest));
}

/* Is `to` what is left of `from` behind a `..` that leads out of one of the domain's exports? */
static bool led_up(const struct fc_config *c, unsigned domain, const char *from, const char *to, enum shim_last last)
{
	for (const char *p = shim_path_next(from); *p; p = shim_path_next(p)) {
		size_t n = shim_path_component(p);
		const char *rest = p + n;

		if (is_up(p, n) && !(last == SHIM_LAST_NAMED && p == shim_path_last(from)))
			for (unsigned i = 0; i < c->nmounts; i++)
				if (c->mount[i].domain == domain && is_in_parent(to, c->mount[i].prefix, rest))
					return true;
		p = rest;
	}
	return false;
}

static const char *inside(const struct fc_config *c, unsigned domain, const char *path)
{
	const char *rest = path[0] == '/' ? NULL : path;

	for (unsigned i = 0; i < c->nmounts && !rest; i++)
		if (c->mount[i].domain == domain)
			rest = shim_path_behind(path, c->mount[i].prefix);
	return rest;
}

bool shim_path_may_go_on(const struct fc_config *c, unsigned domain, const char *from, const char *to,
			 enum shim_last last, bool links)
{
	const char *end;

	from = inside(c, domain, from);
	if (!from || to[0] != '/')
		return false;
	if (led_up(c, domain, from, to, last))
		return true;
	end = shim_path_last(from);
	if (last == SHIM_LAST_LOOKED_AT && end[shim_path_component(end)] == '/')
		last = SHIM_LAST_FOLLOWED; /* as the kernel does before a slash */
	if (last == SHIM_LAST_FOLLOWED)
		return links && has_name(from, end + strlen(end));
	return links && has_name(from, end) && equal(shim_path_last(to), end);
}
