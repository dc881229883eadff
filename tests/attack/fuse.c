/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuse.c - a FUSE file system of one file whose server can stop answering, see fuse.h. */
#define _GNU_SOURCE
#include "tests/attack/fuse.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/attack/attack.h"

#define FILE_NODE 2
#define BUFFER (128 * 1024 + 4096)

/* ---- the server ---- */

static void answer(int dev, const struct fuse_in_header *in, int error, const void *body, size_t size)
{
	struct fuse_out_header out = { .len = (uint32_t)(sizeof out + size), .error = error, .unique = in->unique };
	struct iovec iov[2] = { { &out, sizeof out }, { (void *)body, size } };

	if (writev(dev, iov, size ? 2 : 1) < 0 && errno != ENOENT) /* given up meanwhile */
		_exit(0);
}

static struct fuse_attr attributes(uint64_t node)
{
	return (struct fuse_attr){
		.ino = node,
		.mode = node == FUSE_ROOT_ID ? S_IFDIR | 0755 : S_IFREG | 0666,
		.nlink = 1,
		.size = node == FUSE_ROOT_ID ? 0 : strlen(FUSE_TEXT),
		.blksize = 4096,
	};
}

static void lookup(int dev, const struct fuse_in_header *in, const char *name)
{
	struct fuse_entry_out e = {
		.nodeid = FILE_NODE, .entry_valid = 1000, .attr_valid = 1000, .attr = attributes(FILE_NODE)
	};

	if (strcmp(name, FUSE_FILE))
		answer(dev, in, -ENOENT, NULL, 0);
	else
		answer(dev, in, 0, &e, sizeof e);
}

static bool silent_to(pid_t pid, const _Atomic pid_t *spared)
{
	pid_t group = atomic_load(spared);

	return group && getpgid(pid) != group;
}

static void serve_one(int dev, const struct fuse_in_header *in, const void *arg, const _Atomic pid_t *spared)
{
	struct fuse_init_out init = { .major = FUSE_KERNEL_VERSION,
				      .minor = FUSE_KERNEL_MINOR_VERSION,
				      .max_readahead = 65536,
				      .max_background = 16,
				      .max_write = 65536 };
	struct fuse_attr_out attr = { .attr_valid = 1000, .attr = attributes(in->nodeid) };
	struct fuse_open_out open = { .open_flags = FOPEN_DIRECT_IO };
	const struct fuse_read_in *read = arg;

	switch (in->opcode) {
	case FUSE_INIT:
		answer(dev, in, 0, &init, sizeof init);
		break;
	case FUSE_LOOKUP:
		lookup(dev, in, arg);
		break;
	case FUSE_GETATTR:
		answer(dev, in, 0, &attr, sizeof attr);
		break;
	case FUSE_OPEN:
	case FUSE_OPENDIR:
		answer(dev, in, 0, &open, sizeof open);
		break;
	case FUSE_READ:
		answer(dev, in, 0, FUSE_TEXT, read->offset ? 0 : strlen(FUSE_TEXT));
		break;
	case FUSE_FLUSH:
	case FUSE_RELEASE:
		if (!silent_to((pid_t)in->pid, spared))
			answer(dev, in, 0, NULL, 0);
		break;
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
	case FUSE_INTERRUPT:
		break; /* have no answer */
	default:
		answer(dev, in, -ENOSYS, NULL, 0);
	}
}

static void serve(int dev, const _Atomic pid_t *spared)
{
	static char buffer[BUFFER] __attribute__((aligned(8)));

	for (;;) {
		ssize_t n = read(dev, buffer, sizeof buffer);

		if (n < 0 && (errno == EINTR || errno == EAGAIN || errno == ENOENT))
			continue;
		if (n < (ssize_t)sizeof(struct fuse_in_header))
			_exit(0);
		serve_one(dev, (void *)buffer, buffer + sizeof(struct fuse_in_header), spared);
	}
}

/* ---- seen from outside ---- */

static struct fuse *running; /* the one of this process */
static pid_t starter;

/* Before anything else is cleaned up, which might hang in it. */
static void stop_at_exit(void)
{
	if (running && getpid() == starter)
		fuse_stop(running);
}

void fuse_start(struct fuse *f, const char *directory, bool for_all)
{
	int dev = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	char options[128];

	CHECK(dev >= 0);
	if (!starter)
		atexit(stop_at_exit);
	starter = getpid();
	running = f;
	snprintf(f->directory, sizeof f->directory, "%s", directory);
	snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=0,group_id=0%s", dev,
		 for_all ? ",allow_other" : "");
	CHECK(!mount("attack", directory, "fuse", MS_NOSUID | MS_NODEV, options));
	f->spared = mmap(NULL, sizeof *f->spared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(f->spared != MAP_FAILED);
	f->server = fork();
	CHECK(f->server >= 0);
	if (!f->server) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		serve(dev, f->spared);
	}
	close(dev);
}

void fuse_silence(struct fuse *f)
{
	atomic_store(f->spared, getpgrp());
}

void fuse_stop(struct fuse *f)
{
	if (f->server <= 0)
		return;
	kill(f->server, SIGKILL);
	waitpid(f->server, NULL, 0);
	f->server = 0;
	running = NULL;
	umount2(f->directory, MNT_DETACH);
}
