/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mountinfo.h - the kernel's list of a namespace's mounts, as in /proc/PID/mountinfo. */
#ifndef FC_SUPERVISOR_MOUNTINFO_H
#define FC_SUPERVISOR_MOUNTINFO_H

#include <stddef.h>

struct fc_mount {
	int id, parent;
	unsigned major, minor; /* of what is mounted */
	const char *path, *type;
};

struct fc_mountinfo {
	struct fc_mount *mount;
	size_t count;
	char *text; /* what the names are in */
};

/* Read all of an open mountinfo, from its beginning. Lines that cannot be understood are left out. Returns 0, or -1 with errno and nothing to
 * free. */
int fc_mountinfo_read(int fd, struct fc_mountinfo *info);
void fc_mountinfo_free(struct fc_mountinfo *info);

#endif
