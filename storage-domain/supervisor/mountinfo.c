/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mountinfo.c - see mountinfo.h. */
#include "storage-domain/supervisor/mountinfo.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FIRST_ROOM 16384

/* Undo the \ooo escapes, in place. */
static void unescape(char *text)
{
	char *to = text;

	for (const char *from = text; *from; to++) {
		unsigned c;

		if (*from == '\\' && sscanf(from + 1, "%3o", &c) == 1) {
			*to = (char)c;
			from += 4;
		} else {
			*to = *from++;
		}
	}
	*to = '\0';
}

static int read_all(int fd, char **text)
{
	size_t room = FIRST_ROOM, length = 0;
	char *at = malloc(room), *more;
	ssize_t n = -1;

	while (at && (n = pread(fd, at + length, room - length - 1, (off_t)length)) > 0) {
		length += (size_t)n;
		if (room - length > 1)
			continue;
		more = realloc(at, room *= 2);
		if (!more)
			break;
		at = more;
	}
	if (n) {
		free(at);
		return -1;
	}
	at[length] = '\0';
	*text = at;
	return 0;
}

/* "36 35 98:0 /root /path options [tags...] - type source options" */
static int take_line(struct fc_mount *m, char *line)
{
	char *dash = strstr(line, " - "), *field[5], *save = NULL, *type;

	if (!dash)
		return -1;
	*dash = '\0';
	for (int i = 0; i < 5; i++)
		if (!(field[i] = strtok_r(i ? NULL : line, " ", &save)))
			return -1;
	type = strtok_r(dash + 3, " ", &save);
	if (!type)
		return -1;
	unescape(field[4]);
	*m = (struct fc_mount){ .id = atoi(field[0]), .parent = atoi(field[1]), .path = field[4], .type = type };
	return sscanf(field[2], "%u:%u", &m->major, &m->minor) == 2 ? 0 : -1;
}

int fc_mountinfo_read(int fd, struct fc_mountinfo *info)
{
	size_t lines = 1;
	char *save = NULL;

	*info = (struct fc_mountinfo){ 0 };
	if (read_all(fd, &info->text))
		return -1;
	for (const char *p = info->text; (p = strchr(p, '\n')); p++)
		lines++;
	info->mount = calloc(lines, sizeof *info->mount);
	if (!info->mount) {
		fc_mountinfo_free(info);
		errno = ENOMEM;
		return -1;
	}
	for (char *line = strtok_r(info->text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		if (!take_line(&info->mount[info->count], line))
			info->count++;
	return 0;
}

void fc_mountinfo_free(struct fc_mountinfo *info)
{
	free(info->mount);
	free(info->text);
	*info = (struct fc_mountinfo){ 0 };
}
