/* SPDX-License-Identifier: GPL-2.0-or-later */
/* usage.c - what a daemon and all its descendants hold, see usage.h. */
#define _GNU_SOURCE
#include "tests/domain/usage.h"

#include <dirent.h>
#include <stdio.h>

static int entries(const char *format, pid_t pid)
{
	char path[64];
	struct dirent *d;
	DIR *dir;
	int n = 0;

	snprintf(path, sizeof path, format, pid);
	dir = opendir(path);
	while (dir && (d = readdir(dir)))
		n += d->d_name[0] != '.';
	if (dir)
		closedir(dir);
	return n;
}

int usage_descriptors(pid_t pid)
{
	return entries("/proc/%d/fd", pid);
}

static void add_process(pid_t pid, struct usage *u)
{
	char path[64], line[200];
	long kb;
	FILE *f;

	u->processes++;
	u->descriptors += usage_descriptors(pid);
	u->threads += entries("/proc/%d/task", pid);
	snprintf(path, sizeof path, "/proc/%d/status", pid);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof line, f))
		if (sscanf(line, "RssAnon: %ld", &kb) == 1)
			u->memory_kb += kb;
	if (f)
		fclose(f);
}

/* the daemon and all its descendants */
static void measure(pid_t pid, struct usage *u)
{
	char path[64];
	FILE *f;
	int child;

	add_process(pid, u);
	snprintf(path, sizeof path, "/proc/%d/task/%d/children", pid, pid);
	f = fopen(path, "r");
	while (f && fscanf(f, "%d", &child) == 1)
		measure(child, u);
	if (f)
		fclose(f);
}

struct usage usage_of(pid_t pid)
{
	struct usage u = { 0, 0, 0, 0 };

	measure(pid, &u);
	return u;
}
