/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cgroup.c - control groups around the domain of a test, see cgroup.h. */
#define _GNU_SOURCE
#include "tests/attack/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <mntent.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/attack/attack.h"

#define PATH_ROOM 512

/* A group that this process has made, and the one it was in before. With version 2 there is one for both limits. */
struct group {
	char path[PATH_ROOM], before[PATH_ROOM];
};

static struct group group[2];
static unsigned groups;

static bool write_text(const char *directory, const char *file, const char *text)
{
	char path[PATH_ROOM + 64];
	bool written;
	int fd;

	snprintf(path, sizeof path, "%s/%s", directory, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	written = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	close(fd);
	return written;
}

static void move(const char *directory, pid_t pid)
{
	char text[32];

	snprintf(text, sizeof text, "%d", pid);
	if (!write_text(directory, "cgroup.procs", text)) {
		fprintf(stderr, "cannot move a process to %s: %s\n", directory, strerror(errno));
		exit(1);
	}
}

/* Where a hierarchy is mounted: of version 1 with this controller, or (null) of version 2. */
static bool find_mount(const char *controller, char *directory)
{
	FILE *f = setmntent("/proc/self/mounts", "re");
	struct mntent *m;
	bool found = false;

	CHECK(f);
	while (!found && (m = getmntent(f))) {
		if (controller ? !strcmp(m->mnt_type, "cgroup") && hasmntopt(m, controller)
			       : !strcmp(m->mnt_type, "cgroup2")) {
			snprintf(directory, PATH_ROOM, "%s", m->mnt_dir);
			found = true;
		}
	}
	endmntent(f);
	return found;
}

/* This process' group below the mount point: the line of /proc/self/cgroup that names the controller, or has none. */
static void find_own(const char *controller, const char *mount, char *directory)
{
	char line[PATH_ROOM], *names, *path;
	FILE *f = fopen("/proc/self/cgroup", "re");

	CHECK(f);
	snprintf(directory, PATH_ROOM, "%s", mount);
	while (fgets(line, sizeof line, f)) {
		names = strchr(line, ':');
		path = names ? strchr(names + 1, ':') : NULL;
		if (!path)
			continue;
		*path++ = 0;
		path[strcspn(path, "\n")] = 0;
		if (controller ? strcmp(names + 1, controller) : names[1] != 0)
			continue;
		if (snprintf(directory, PATH_ROOM, "%s%s", mount, path) >= PATH_ROOM || access(directory, W_OK))
			snprintf(directory, PATH_ROOM, "%s", mount); /* a container, which sees another root */
	}
	fclose(f);
}

static struct group *make(const char *parent, const char *before)
{
	struct group *g = &group[groups++];

	snprintf(g->before, sizeof g->before, "%s", before);
	if (snprintf(g->path, sizeof g->path, "%.400s/farcall-attack-%d", parent, getpid()) >= PATH_ROOM ||
	    (mkdir(g->path, 0755) && errno != EEXIST)) {
		fprintf(stderr, "cannot make a control group in %s: %s\n", parent, strerror(errno));
		exit(1);
	}
	return g;
}

static void limit(const struct group *g, const char *file, unsigned long long value)
{
	char text[32];

	snprintf(text, sizeof text, "%llu", value);
	if (!write_text(g->path, file, text)) {
		fprintf(stderr, "cannot limit %s/%s: %s\n", g->path, file, strerror(errno));
		exit(1);
	}
}

/* ---- version 1: a hierarchy per controller ---- */

static void enter_one(const char *mount, const char *controller, const char *file, unsigned long long value)
{
	char own[PATH_ROOM];
	struct group *g;

	find_own(controller, mount, own);
	g = make(mount, own);
	limit(g, file, value);
	move(g->path, getpid());
}

/* ---- version 2: controllers have to be handed down ---- */

/* A group with processes of its own hands nothing down (but for the true root): they move into a group beside ours. */
static void evacuate(const char *root)
{
	char path[PATH_ROOM + 64], refuge[PATH_ROOM];
	FILE *f;
	int pid;

	snprintf(refuge, sizeof refuge, "%.400s/farcall-rest", root);
	mkdir(refuge, 0755);
	snprintf(path, sizeof path, "%s/cgroup.procs", root);
	f = fopen(path, "re");
	CHECK(f);
	while (fscanf(f, "%d", &pid) == 1) {
		char text[32];

		snprintf(text, sizeof text, "%d", pid);
		write_text(refuge, "cgroup.procs", text); /* kernel threads stay */
	}
	fclose(f);
}

static void hand_down(const char *root, const char *what)
{
	if (write_text(root, "cgroup.subtree_control", what))
		return;
	evacuate(root);
	if (!write_text(root, "cgroup.subtree_control", what)) {
		fprintf(stderr, "%s does not hand down %s: %s\n", root, what, strerror(errno));
		exit(1);
	}
}

static void enter_two(unsigned pids, unsigned memory_mb)
{
	char root[PATH_ROOM], own[PATH_ROOM];
	struct group *g;

	CHECK(find_mount(NULL, root));
	if (pids)
		hand_down(root, "+pids");
	if (memory_mb)
		hand_down(root, "+memory");
	find_own(NULL, root, own);
	g = make(root, own);
	if (pids)
		limit(g, "pids.max", pids);
	if (memory_mb)
		limit(g, "memory.max", (unsigned long long)memory_mb << 20);
	if (memory_mb)
		write_text(g->path, "memory.swap.max", "0"); /* without swap there is no such file */
	move(g->path, getpid());
}

/* ---- both ---- */

void cgroup_enter(unsigned pids, unsigned memory_mb)
{
	char pids_mount[PATH_ROOM], memory_mount[PATH_ROOM];
	bool one = (!pids || find_mount("pids", pids_mount)) && (!memory_mb || find_mount("memory", memory_mount));

	if (!one) {
		enter_two(pids, memory_mb);
		return;
	}
	if (pids)
		enter_one(pids_mount, "pids", "pids.max", pids);
	if (memory_mb)
		enter_one(memory_mount, "memory", "memory.limit_in_bytes", (unsigned long long)memory_mb << 20);
}

void cgroup_leave(void)
{
	for (unsigned i = 0; i < groups; i++)
		move(group[i].before, getpid());
}

void cgroup_remove(void)
{
	for (unsigned i = 0; i < groups; i++)
		for (int tries = 0; rmdir(group[i].path) && errno == EBUSY && tries < 100; tries++)
			attack_sleep_ms(20);
	groups = 0;
}
