/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cred.c - gives a thread a client's identity: file-system ids, groups, effective capabilities. Real, effective and saved
 * ids stay the daemon's, or a client could signal, renice or trace the worker that serves it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "common/rawcall.h"
#include "storage-domain/caps.h"
#include "storage-domain/shadow/shadow.h"

int fc_caps_set(uint64_t effective, uint64_t permitted)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[2] = {
		{ .effective = (uint32_t)effective, .permitted = (uint32_t)permitted },
		{ .effective = effective >> 32, .permitted = permitted >> 32 },
	};

	return fc_call(SYS_capset, &h, d);
}

static void caps_get(struct __user_cap_data_struct d[2])
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };

	memset(d, 0, 2 * sizeof *d);
	fc_call(SYS_capget, &h, d);
}

uint64_t fc_caps_permitted(void)
{
	struct __user_cap_data_struct d[2];

	caps_get(d);
	return d[0].permitted | (uint64_t)d[1].permitted << 32;
}

uint64_t fc_caps_effective(void)
{
	struct __user_cap_data_struct d[2];

	caps_get(d);
	return d[0].effective | (uint64_t)d[1].effective << 32;
}

/* setfsuid and setfsgid have no error return: they tell the id that was in force before. */
static int set_fs_id(long nr, uint32_t id)
{
	fc_call(nr, id);
	return (uint32_t)fc_call(nr, -1) == id ? 0 : -EPERM;
}

/* Raw calls throughout: glibc's wrappers would change all threads of the process. */
int fc_cred_apply(const struct fc_cred *cred)
{
	uint64_t permitted = fc_caps_permitted();
	int r = fc_caps_set(permitted & FC_CAPS_IDENTITY, permitted);

	if (r == 0 && cred->ngroups >= 0)
		r = fc_call(SYS_setgroups, cred->ngroups, cred->group);
	if (r == 0)
		r = set_fs_id(SYS_setfsgid, cred->fsgid);
	if (r == 0)
		r = set_fs_id(SYS_setfsuid, cred->fsuid);
	/* last: a change of fsuid moves the file capabilities in and out of the effective set by itself */
	if (r == 0)
		r = fc_caps_set(cred->caps & FC_CAPS_FILES & permitted, permitted);
	/* a change of ids resets this to the host's fs.suid_dumpable, which may allow tracing */
	if (r == 0)
		r = fc_call(SYS_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0);
	return r;
}
