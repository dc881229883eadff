/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuse.h - a FUSE file system of one file whose server can stop answering: from then on whoever closes a descriptor of
 * the file hangs, whatever signals come, until the server is ended. Only the process group of whoever said so is
 * spared.
 */
#ifndef FC_TESTS_FUSE_H
#define FC_TESTS_FUSE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

#define FUSE_FILE "file"
#define FUSE_TEXT "only for who mounted it\n"

struct fuse {
	pid_t server;
	char directory[128];   /* where it is mounted */
	_Atomic pid_t *spared; /* the process group that is still answered; 0: all are */
};

/* Mount it at an existing directory, in this process' mount namespace; for all users, or (as is usual) for this one
 * alone. Root only. The server ends with this process, and the mount with the server. */
void fuse_start(struct fuse *f, const char *directory, bool for_all);

/* From now on closing is not answered, but to this process' group. */
void fuse_silence(struct fuse *f);

/* End the server: all that hangs goes on. And unmount. May be called twice. */
void fuse_stop(struct fuse *f);

#endif
