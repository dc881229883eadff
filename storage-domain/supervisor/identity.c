/* SPDX-License-Identifier: GPL-2.0-or-later */
/* identity.c - the domain's own user, see identity.h. */
#define _GNU_SOURCE
#include "storage-domain/supervisor/identity.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "storage-domain/caps.h"
#include "storage-domain/log.h"

/* Numbers for services that come and go: systemd's, for DynamicUser= (its docs/UIDS-GIDS) */
#define SPARE_FIRST 61184u
#define SPARE_COUNT 4336u

/* Differs between two domains that run at the same time, as far as may be. */
static int find_spare(struct fc_identity *id)
{
	for (unsigned i = 0; i < SPARE_COUNT; i++) {
		uid_t uid = SPARE_FIRST + ((unsigned)getpid() + i) % SPARE_COUNT;

		if (getpwuid(uid) || getgrgid(uid))
			continue;
		id->uid = id->gid = uid;
		return 0;
	}
	fc_log(FC_LOG_ERROR,
	       "no user for the domain: make one (useradd --system " FC_IDENTITY_USER "), or give --user");
	return -1;
}

static int take_entry(struct fc_identity *id, const struct passwd *entry)
{
	id->uid = entry->pw_uid;
	id->gid = entry->pw_gid;
	return 0;
}

static int take_number(struct fc_identity *id, const char *name)
{
	const struct passwd *entry;
	char *end;
	unsigned long number = strtoul(name, &end, 10);

	if (name[0] < '0' || name[0] > '9' || *end || number >= UINT32_MAX) {
		fc_log(FC_LOG_ERROR, "--user %s: there is no such user", name);
		return -1;
	}
	entry = getpwuid((uid_t)number);
	if (entry)
		return take_entry(id, entry);
	id->uid = id->gid = (uid_t)number;
	return 0;
}

static int find(struct fc_identity *id, const char *name)
{
	const struct passwd *entry = getpwnam(name ? name : FC_IDENTITY_USER);
	int r;

	id->own = true;
	if (entry)
		r = take_entry(id, entry);
	else
		r = name ? take_number(id, name) : find_spare(id);
	if (r == 0 && (!id->uid || !id->gid)) {
		fc_log(FC_LOG_ERROR, "--user %s: the domain must not run as root: give a user that nothing else uses",
		       name ? name : FC_IDENTITY_USER);
		r = -1;
	}
	return r;
}

/*
 * In a process of its own: the C library loads whatever the system asks about users, and that would be mapped in all processes of the
 * domain from then on, to be copied by each fork.
 */
int fc_identity_find(struct fc_identity *id, const char *name)
{
	int end[2] = { -1, -1 }, status = 0;
	pid_t pid = pipe2(end, O_CLOEXEC) ? -1 : fork();

	if (pid < 0) {
		fc_log(FC_LOG_ERROR, "cannot ask for the domain's user: %s", strerror(errno));
		close(end[0]);
		close(end[1]);
		return -1;
	}
	if (!pid)
		_exit(find(id, name) || write(end[1], id, sizeof *id) != sizeof *id);
	close(end[1]);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (status || read(end[0], id, sizeof *id) != sizeof *id)
		status = -1; /* it has said why */
	close(end[0]);
	return status ? -1 : 0;
}

static int change_ids(const struct fc_identity *id)
{
	return prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) || setgroups(0, NULL) || setresgid(id->gid, id->gid, id->gid) ||
	       setresuid(id->uid, id->uid, id->uid) || prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0);
}

int fc_identity_take(const struct fc_identity *id, uint64_t permitted)
{
	int death = 0;

	/* without CAP_SETPCAP the bounding set stays, which matters little: no_new_privs, and nothing here may exec */
	for (int cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		if (!(permitted >> cap & 1))
			prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0))
		return -errno;
	/* a change of ids resets what is sent when the parent dies, and what may be traced */
	if (prctl(PR_GET_PDEATHSIG, &death, 0, 0, 0) || (id->own && change_ids(id)) ||
	    prctl(PR_SET_PDEATHSIG, death, 0, 0, 0))
		return -errno;
	if (fc_caps_set(0, permitted & fc_caps_permitted()) || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) ||
	    setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 }))
		return -EPERM;
	return 0;
}
