/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* export_spec.c - the text of an export, taken apart (export_spec.h). It does not touch the file system. */
#include "common/export_spec.h"

#include <string.h>

const char *fc_prefix_normalize(char *prefix)
{
	const char *from = prefix;
	char *to = prefix;

	if (*prefix != '/')
		return "PREFIX must be an absolute path";
	while (*from) {
		size_t length;

		while (*from == '/')
			from++;
		length = strcspn(from, "/");
		if (!length)
			break;
		if ((length == 1 && from[0] == '.') || (length == 2 && from[0] == '.' && from[1] == '.'))
			return "PREFIX must not contain . or ..";
		*to++ = '/';
		memmove(to, from, length);
		to += length;
		from += length;
	}
	if (to == prefix)
		return "PREFIX must not be / (a program's own libraries stay local)";
	*to = '\0';
	if (to - prefix > FC_PREFIX_MAX)
		return "PREFIX is longer than 250 bytes";
	return NULL;
}

/* The ':' before the last ":/" of text[0..length), or null. */
static const char *last_split(const char *text, size_t length)
{
	for (size_t i = length; i-- > 0;)
		if (text[i] == ':' && i + 1 < length && text[i + 1] == '/')
			return text + i;
	return NULL;
}

static bool ends_with(const char *text, size_t length, const char *end)
{
	size_t n = strlen(end);

	return length > n && !memcmp(text + length - n, end, n);
}

/* Shorten the text by its last option, if it ends in one. */
static bool take_option(struct fc_export_spec *spec, const char *text, size_t *length)
{
	if (ends_with(text, *length, ":nomap")) {
		spec->nomap = true;
		*length -= 6;
		return true;
	}
	if (ends_with(text, *length, ":nocache")) {
		spec->nocache = true;
		*length -= 8;
		return true;
	}
	if (ends_with(text, *length, ":sync")) {
		spec->sync = true;
		*length -= 5;
		return true;
	}
	if (!ends_with(text, *length, ":ro") && !ends_with(text, *length, ":rw"))
		return false;
	spec->read_only = text[*length - 1] == 'o';
	*length -= 3;
	return true;
}

const char *fc_export_parse(struct fc_export_spec *spec, const char *text)
{
	size_t length = strlen(text), dir_length;
	char prefix[sizeof(spec->dir)];
	const char *split, *wrong;

	spec->read_only = spec->nomap = spec->nocache = spec->sync = false;
	if (strchr(text, '\n'))
		return "a newline in a path is not supported";
	while (take_option(spec, text, &length))
		;
	split = last_split(text, length);
	if (!split)
		return "expected DIR:PREFIX[:ro][:nomap][:nocache][:sync], PREFIX being an absolute path";
	dir_length = (size_t)(split - text);
	if (!dir_length)
		return "DIR is empty";
	if (dir_length >= sizeof(spec->dir) || length - dir_length > sizeof(prefix))
		return "a path is too long";
	memcpy(spec->dir, text, dir_length);
	spec->dir[dir_length] = '\0';
	length -= dir_length + 1;
	memcpy(prefix, split + 1, length);
	prefix[length] = '\0';
	wrong = fc_prefix_normalize(prefix);
	if (!wrong)
		memcpy(spec->prefix, prefix, strlen(prefix) + 1);
	return wrong;
}

bool fc_prefix_overlap(const char *a, const char *b)
{
	size_t la = strlen(a), lb = strlen(b), shorter = la < lb ? la : lb;

	if (memcmp(a, b, shorter))
		return false;
	return la == lb || (la < lb ? b[shorter] : a[shorter]) == '/';
}
