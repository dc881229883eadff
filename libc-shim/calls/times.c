/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* times.c - utime, utimes and futimesat: utimensat with older ways to write a time. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <utime.h>

#include "farcall/wire.h"
#include "libc-shim/calls/handlers.h"
#include "libc-shim/calls/path.h"
#include "libc-shim/hook.h"

long shim_do_times(long nr, long a[6])
{
	struct fc_timespec2 ts;
	long path = nr == SYS_futimesat ? a[1] : a[0], times = nr == SYS_futimesat ? a[2] : a[1];
	long c[6] = { nr == SYS_futimesat ? a[0] : AT_FDCWD, path, 0, 0 };

	if (nr == SYS_utime && times) {
		struct utimbuf t;

		if (fc_copy_from_user(&t, (void *)times, sizeof t))
			return -EFAULT;
		ts.at[0] = (struct timespec){ t.actime, 0 };
		ts.at[1] = (struct timespec){ t.modtime, 0 };
	} else if (times) {
		struct timeval t[2];

		if (fc_copy_from_user(t, (void *)times, sizeof t))
			return -EFAULT;
		for (int i = 0; i < 2; i++) {
			if (t[i].tv_usec < 0 || t[i].tv_usec >= 1000000)
				return -EINVAL;
			ts.at[i] = (struct timespec){ t[i].tv_sec, t[i].tv_usec * 1000 };
		}
	}
	if (times)
		c[2] = (long)&ts;
	return shim_path_run(fc_row_by_nr(SYS_utimensat), c, nr, a, NULL);
}
