/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * confine.c - the file tree the domain lives in: a read-only tmpfs with the exports mounted at their prefixes, and nothing
 * else. The kernel, not a comparison of strings, keeps clients inside.
 */
#define _GNU_SOURCE
#include "storage-domain/supervisor/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "storage-domain/caps.h"
#include "storage-domain/fds.h"
#include "storage-domain/log.h"
#include "storage-domain/supervisor/mountinfo.h"
#include "storage-domain/supervisor/mounts.h"

#define FC_HIDE_ROUNDS 16
#define FC_CLONE_ROUNDS 100

static int fail(const char *what)
{
	fc_log(FC_LOG_ERROR, "cannot confine the domain: %s: %s", what, strerror(errno));
	return -1;
}

/* Root of a user namespace with one user in it (unshare -r) has all capabilities, and nobody to become. */
static bool others_exist(void)
{
	char word[8] = "";
	int fd = open("/proc/self/setgroups", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return true;
	if (read(fd, word, sizeof word - 1) < 0)
		word[0] = '\0';
	close(fd);
	return strncmp(word, "deny", 4) != 0;
}

bool fc_confine_privileged(void)
{
	uint64_t need = FC_CAP(SYS_ADMIN) | FC_CAP(SETUID) | FC_CAP(SETGID);

	return geteuid() == 0 && (fc_caps_permitted() & need) == need && others_exist();
}

/* ---- namespaces ---- */

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -1;
	n = write(fd, text, strlen(text));
	close(fd);
	return n == (ssize_t)strlen(text) ? 0 : -1;
}

/*
 * An ordinary user's mount namespace to begin with: what the host mounts later comes here, where this user may deal with it (mounts.h). Root
 * can do so in the host's.
 */
static int enter_user_namespace(void)
{
	char uids[40], gids[40];

	snprintf(uids, sizeof uids, "%u %u 1", geteuid(), geteuid());
	snprintf(gids, sizeof gids, "%u %u 1", getegid(), getegid());
	if (unshare(CLONE_NEWNS | CLONE_NEWUSER)) {
		fc_log(FC_LOG_ERROR,
		       "this host does not let you make a user namespace (%s): run the domain as root, or have "
		       "user.max_user_namespaces and any AppArmor or container restriction on them lifted",
		       strerror(errno));
		return -1;
	}
	if (write_file("/proc/self/setgroups", "deny") || write_file("/proc/self/uid_map", uids) ||
	    write_file("/proc/self/gid_map", gids))
		return fail("user namespace");
	if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL))
		return fail("make mounts follow the host's");
	return 0;
}

static int enter_own_namespace(void)
{
	if (unshare(CLONE_NEWNS))
		return fail("unshare");
	/* nothing mounted here reaches the host, nothing the host mounts later reaches in */
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return fail("make mounts private");
	return 0;
}

/* ---- the tree ---- */

/* What is mounted elsewhere reaches nothing of the domain's, and the other way round. */
static int set_attr(int mount_fd, uint64_t attributes, int flags)
{
	struct mount_attr attr = { .attr_set = attributes, .propagation = MS_PRIVATE };

	return mount_setattr(mount_fd, "", AT_EMPTY_PATH | flags, &attr, sizeof attr);
}

/* The directory to export, with what is mounted below it, as a tree not mounted anywhere yet. */
static int clone_export(const struct fc_export_spec *spec)
{
	uint64_t attributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | (spec->read_only ? MOUNT_ATTR_RDONLY : 0);
	int tree = open_tree(AT_FDCWD, spec->dir, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);

	if (tree < 0) {
		fc_log(FC_LOG_ERROR, "cannot export %s: %s", spec->dir, strerror(errno));
		return -1;
	}
	if (set_attr(tree, attributes, AT_RECURSIVE)) {
		fc_log(FC_LOG_ERROR, "cannot export %s: mount_setattr: %s", spec->dir, strerror(errno));
		close(tree);
		return -1;
	}
	return tree;
}

static int make_skeleton(void)
{
	int fs = fsopen("tmpfs", FSOPEN_CLOEXEC), mount_fd = -1;

	if (fs < 0)
		return -1;
	if (!fsconfig(fs, FSCONFIG_SET_STRING, "mode", "0755", 0) &&
	    !fsconfig(fs, FSCONFIG_SET_STRING, "size", "1m", 0) && !fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
		mount_fd = fsmount(fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	close(fs);
	return mount_fd;
}

/* mkdir -p of an absolute path, below the directory `root`. */
static int make_path(int root, const char *path)
{
	char part[FC_PREFIX_MAX + 1];
	const char *slash = path;

	do {
		slash = strchrnul(slash + 1, '/');
		snprintf(part, sizeof part, "%.*s", (int)(slash - path - 1), path + 1);
		if (mkdirat(root, part, 0755) && errno != EEXIST)
			return -1;
	} while (*slash);
	return 0;
}

/*
 * A procfs that shows processes and nothing else, read-only, mounted nowhere: uid 0 needs no capability to write the host's
 * /proc/sys. With `own`, no processes but those that may be traced: the reader itself. In a user namespace the kernel lets nobody
 * make one; there it is the host's, read-only.
 */
static int open_proc(bool own)
{
	const uint64_t attributes = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
	int fs = fsopen("proc", FSOPEN_CLOEXEC), proc = -1;

	if (fs >= 0) {
		if (!fsconfig(fs, FSCONFIG_SET_STRING, "subset", "pid", 0) &&
		    (!own || !fsconfig(fs, FSCONFIG_SET_STRING, "hidepid", "ptraceable", 0)) &&
		    !fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
			proc = fsmount(fs, FSMOUNT_CLOEXEC, attributes);
		close(fs);
	}
	if (proc >= 0)
		return proc;
	proc = open_tree(AT_FDCWD, "/proc", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
	if (proc >= 0 && set_attr(proc, attributes, AT_RECURSIVE)) {
		close(proc);
		return -1;
	}
	return proc;
}

static int place_proc(int number, bool own)
{
	int proc = open_proc(own), r;

	if (proc < 0)
		return -1;
	r = dup3(proc, number, O_CLOEXEC);
	close(proc);
	return r;
}

/* If what is to be seen at `path` is a procfs, remove or cover it. Returns 1 if that was done, 0 if there was none to be
 * seen, -1 on failure. */
static int hide_proc_at(const char *path)
{
	struct statfs st;

	if (statfs(path, &st))
		return errno == ENOENT || errno == ENOTDIR ? 0 : -1; /* below another mount, out of reach */
	if (st.f_type != PROC_SUPER_MAGIC)
		return 0;
	if (umount2(path, MNT_DETACH) && mount("none", path, "tmpfs", MS_RDONLY | MS_NOSUID | MS_NODEV, "size=4k"))
		return -1;
	return 1;
}

/* One look at all mounts. Returns how many have been hidden, or -1. */
static int hide_proc_once(void)
{
	struct fc_mountinfo info;
	int fd = openat(FC_FD_PROC, "self/mountinfo", O_RDONLY | O_CLOEXEC), hidden = 0;
	int r = fd < 0 ? -1 : fc_mountinfo_read(fd, &info);

	if (fd >= 0)
		close(fd);
	if (r)
		return -1;
	for (size_t i = 0; i < info.count && r >= 0; i++) {
		if (strcmp(info.mount[i].type, "proc"))
			continue;
		r = hide_proc_at(info.mount[i].path);
		hidden += r;
	}
	fc_mountinfo_free(&info);
	return r < 0 ? -1 : hidden;
}

/*
 * A procfs that came along with an export would show the workers' own descriptors and memory: out with it, and where the
 * kernel does not let us (user namespace), something empty over it. There may be another one underneath, and the list
 * changes while it is read: look again until there is nothing left to do.
 */
static int hide_proc(void)
{
	for (int i = 0; i < FC_HIDE_ROUNDS; i++) {
		int hidden = hide_proc_once();

		if (hidden <= 0)
			return hidden;
	}
	errno = ELOOP;
	return -1;
}

/* Links in an export may be anybody's, and lead anywhere. */
static int open_place(int root, const char *path)
{
	const struct open_how how = { .flags = O_PATH | O_DIRECTORY | O_CLOEXEC, .resolve = RESOLVE_NO_SYMLINKS };

	return (int)syscall(SYS_openat2, root, path, &how, sizeof how);
}

static int open_root(struct fc_export *e, unsigned i)
{
	int fd = open_place(AT_FDCWD, e->prefix);
	struct statx sx;
	struct stat st;

	if (fd < 0 || dup3(fd, FC_FD_EXPORT + i, O_CLOEXEC) < 0)
		return -1;
	close(fd);
	e->root_fd = FC_FD_EXPORT + i;
	if (fstat(e->root_fd, &st) || statx(e->root_fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &sx))
		return -1;
	e->mount_id = sx.stx_mnt_id;
	e->dev = st.st_dev;
	e->ino = st.st_ino;
	return 0;
}

/* Is there an export above this one? Then the place for it is in that. */
static bool is_below(const struct fc_export_spec *spec, unsigned count, unsigned i)
{
	bool below = false;

	for (unsigned k = 0; k < count; k++)
		below |= k != i && fc_prefix_overlap(spec[k].prefix, spec[i].prefix) &&
			 strlen(spec[k].prefix) < strlen(spec[i].prefix);
	return below;
}

static int mount_export(const char *prefix, bool below, int tree, int skeleton)
{
	int place, r;

	if (!below && make_path(skeleton, prefix))
		return fail(prefix);
	place = open_place(skeleton, prefix + 1);
	if (place < 0 && below) {
		fc_log(FC_LOG_ERROR, "cannot export at %s: there is no such directory in the export above it: %s",
		       prefix, strerror(errno));
		return -1;
	}
	r = place < 0 ? -1 : move_mount(tree, "", place, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
	if (place >= 0)
		close(place);
	return r ? fail(prefix) : 0;
}

/* Those above before those below: by the length of their prefixes. */
static int mount_exports(const struct fc_export_spec *spec, unsigned count, const int *tree, int skeleton)
{
	for (size_t length = 1; length <= FC_PREFIX_MAX; length++)
		for (unsigned i = 0; i < count; i++)
			if (strlen(spec[i].prefix) == length &&
			    mount_export(spec[i].prefix, is_below(spec, count, i), tree[i], skeleton))
				return -1;
	return 0;
}

/* Mount the trees at their prefixes in the skeleton, which becomes the root. */
static int build(const struct fc_export_spec *spec, unsigned count, const int *tree, int skeleton)
{
	if (move_mount(skeleton, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH))
		return fail("mount the root");
	if (mount_exports(spec, count, tree, skeleton))
		return -1;
	/* the old root ends up on top of the new one, and is taken off */
	if (fchdir(skeleton) || syscall(SYS_pivot_root, ".", ".") || umount2(".", MNT_DETACH) || chdir("/"))
		return fail("pivot_root");
	if (hide_proc())
		return fail("hide /proc inside an export");
	if (set_attr(skeleton, MOUNT_ATTR_RDONLY, 0))
		return fail("make the root read-only");
	return 0;
}

static int describe(const struct fc_export_spec *spec, unsigned count, struct fc_exports *exports)
{
	struct stat st;

	if (stat("/", &st))
		return -1;
	exports->skeleton_dev = st.st_dev;
	exports->count = count;
	for (unsigned i = 0; i < count; i++) {
		exports->export[i].prefix = strdup(spec[i].prefix);
		exports->export[i].read_only = spec[i].read_only;
		exports->export[i].nomap = spec[i].nomap;
		exports->export[i].nocache = spec[i].nocache;
		exports->export[i].sync = spec[i].sync;
		if (!exports->export[i].prefix || open_root(&exports->export[i], i))
			return -1;
	}
	return 0;
}

static void close_trees(int *tree, unsigned count)
{
	while (count--)
		close(tree[count]);
}

/* The directories to export, with what is mounted below them at one moment. */
static int clone_exports(const struct fc_export_spec *spec, unsigned count, int *tree)
{
	for (int round = 0; round < FC_CLONE_ROUNDS; round++) {
		bool noted = !fc_mounts_note(spec, count);

		for (unsigned i = 0; i < count; i++) {
			tree[i] = clone_export(&spec[i]);
			if (tree[i] < 0) {
				close_trees(tree, i);
				return -1;
			}
		}
		if (noted && fc_mounts_stand())
			return 0;
		close_trees(tree, count);
		if (!noted)
			return fail("look at what is mounted");
	}
	errno = EBUSY;
	return fail("look at what is mounted");
}

int fc_confine_tree(const struct fc_export_spec *spec, unsigned count, bool privileged, struct fc_exports *exports)
{
	int tree[FC_EXPORTS_MAX], skeleton, r = -1;

	if (!privileged && enter_user_namespace())
		return -1;
	if (clone_exports(spec, count, tree))
		return -1;
	if (enter_own_namespace())
		goto close_trees;
	if (place_proc(FC_FD_PROC, false) < 0 || place_proc(FC_FD_PROC_OWN, true) < 0) {
		fail("/proc");
		goto close_trees;
	}
	skeleton = make_skeleton();
	if (skeleton < 0)
		fail("tmpfs");
	else if (!build(spec, count, tree, skeleton))
		r = describe(spec, count, exports) ? fail("look at the exports") : 0;
	if (skeleton >= 0)
		close(skeleton);
close_trees:
	close_trees(tree, count);
	return r;
}
