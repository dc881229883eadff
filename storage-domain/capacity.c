/* SPDX-License-Identifier: GPL-2.0-or-later */
/* capacity.c - what there is to be shared out by budget.c: read once, while the host's files can still be seen. */
#define _GNU_SOURCE
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>

#include "storage-domain/budget.h"

#define FILE_BYTES 10240u /* the kernel's own rule for fs.file-max: one open file for so much memory */

static void at_most(uint64_t *value, uint64_t limit)
{
	if (*value > limit)
		*value = limit;
}

/* A number in a file of its own. Returns false for "max", for no number and for no file. */
static bool read_number(const char *path, uint64_t *number)
{
	FILE *f = fopen(path, "re");
	bool read = f && fscanf(f, "%" SCNu64, number) == 1;

	if (f)
		fclose(f);
	return read;
}

/* `limit` in one control group's directory, less `used` if that is given. */
static void limit_by_group(uint64_t *value, const char *directory, const char *limit, const char *used)
{
	uint64_t most, now = 0;
	char path[4200];

	snprintf(path, sizeof path, "%s/%s", directory, limit);
	if (!read_number(path, &most))
		return;
	snprintf(path, sizeof path, "%s/%s", directory, used ? used : "");
	if (used && !read_number(path, &now))
		now = 0;
	at_most(value, most > now ? most - now : 0);
}

/* The same for a group and those above it, which limit it too. */
static void limit_by_groups(uint64_t *value, const char *mount, const char *group, const char *limit, const char *used)
{
	char directory[4096];
	size_t root = strlen(mount);

	snprintf(directory, sizeof directory, "%s%s", mount, group);
	for (;;) {
		char *slash;

		limit_by_group(value, directory, limit, used);
		slash = strrchr(directory, '/');
		if (!slash || (size_t)(slash - directory) < root)
			return;
		*slash = '\0';
	}
}

/* One line of /proc/self/cgroup: "N:controllers:group", without controllers for version 2. */
static void limit_by_line(struct fc_capacity *c, uint64_t *memory, char *line)
{
	char *controllers = strchr(line, ':'), *group = controllers ? strchr(controllers + 1, ':') : NULL;

	if (!group)
		return;
	*group++ = '\0';
	controllers++;
	group[strcspn(group, "\n")] = '\0';
	if (!strcmp(group, "/"))
		group = "";
	if (!strcmp(controllers, "pids"))
		limit_by_groups(&c->of[FC_TASKS], "/sys/fs/cgroup/pids", group, "pids.max", "pids.current");
	if (!strcmp(controllers, "memory"))
		limit_by_groups(memory, "/sys/fs/cgroup/memory", group, "memory.limit_in_bytes", NULL);
	if (*controllers)
		return;
	limit_by_groups(&c->of[FC_TASKS], "/sys/fs/cgroup", group, "pids.max", "pids.current");
	limit_by_groups(memory, "/sys/fs/cgroup", group, "memory.max", NULL);
}

static void limit_by_control_groups(struct fc_capacity *c, uint64_t *memory)
{
	FILE *f = fopen("/proc/self/cgroup", "re");
	char line[4096];

	while (f && fgets(line, sizeof line, f))
		limit_by_line(c, memory, line);
	if (f)
		fclose(f);
}

void fc_capacity_measure(struct fc_capacity *c)
{
	struct sysinfo info = { .mem_unit = 1 };
	uint64_t memory, number;
	struct rlimit limit;

	memory = sysinfo(&info) ? 1ull << 30 : (uint64_t)info.totalram * info.mem_unit;
	c->of[FC_TASKS] = 1u << 20;
	if (read_number("/proc/sys/kernel/threads-max", &number))
		at_most(&c->of[FC_TASKS], number / 2);
	if (read_number("/proc/sys/kernel/pid_max", &number))
		at_most(&c->of[FC_TASKS], number / 2);
	if (!getrlimit(RLIMIT_NPROC, &limit) && limit.rlim_cur != RLIM_INFINITY)
		at_most(&c->of[FC_TASKS], limit.rlim_cur);
	limit_by_control_groups(c, &memory);
	c->of[FC_FILES] = memory / FILE_BYTES;
	if (read_number("/proc/sys/fs/file-max", &number))
		at_most(&c->of[FC_FILES], number / 2);
	c->of[FC_BYTES] = memory / 2;
}
