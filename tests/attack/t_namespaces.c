/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * t_namespaces.c - clients in user namespaces of their own: one whose maps are those of the host, and one that a user
 * makes for himself. Capabilities that count there do not count here: no device, no attribute of the host's root, no
 * file of others.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/fs.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "tests/attack/attack.h"

/* ---- entering one ---- */

static bool write_map(pid_t pid, const char *name, const char *text)
{
	char path[64];
	bool written;
	int fd;

	snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
	fd = open(path, O_WRONLY);
	written = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	if (fd >= 0)
		close(fd);
	return written;
}

/* A child namespace with these maps, written by somebody outside with our own rights. False: it may not be. */
static bool enter(const char *uids, const char *gids, bool deny_groups)
{
	int ready[2], status;
	pid_t self = getpid(), pid;
	char byte;

	CHECK(!pipe(ready));
	pid = fork();
	CHECK(pid >= 0);
	if (!pid) {
		close(ready[1]);
		if (read(ready[0], &byte, 1) != 1)
			_exit(1);
		if (deny_groups && !write_map(self, "setgroups", "deny"))
			_exit(1);
		_exit(write_map(self, "uid_map", uids) && write_map(self, "gid_map", gids) ? 0 : 1);
	}
	close(ready[0]);
	if (!unshare(CLONE_NEWUSER))
		CHECK(write(ready[1], "", 1) == 1);
	close(ready[1]);
	CHECK(waitpid(pid, &status, 0) == pid);
	return !status;
}

static void enter_identity(void)
{
	CHECK(enter("0 0 4294967295", "0 0 4294967295", false));
	CHECK(geteuid() == 0);
}

static bool enter_own(void)
{
	char map[64];

	prctl(PR_SET_DUMPABLE, 1); /* or its files in /proc are root's, after the change of ids */
	snprintf(map, sizeof map, "0 %u 1", ATTACKER);
	if (!enter(map, map, true)) {
		printf("# users may make no user namespaces on this host\n");
		return false;
	}
	CHECK(!setresuid(0, 0, 0));
	return true;
}

/* ---- what only the host's root may ---- */

static const struct vfs_cap_data host_caps = { .magic_etc = VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE,
					       .data = { { .permitted = 0xffffffff } } };

static void natively(void)
{
	unsigned flags = FS_IMMUTABLE_FL;
	int fd;

	enter_identity();
	EXPECT(mknod(attack_file("native"), S_IFCHR | 0600, makedev(1, 3)) < 0 && errno == EPERM,
	       "mknod in a child namespace: %m");
	fd = open(attack_file("native"), O_CREAT | O_RDWR, 0600);
	CHECK(fd >= 0);
	EXPECT(ioctl(fd, FS_IOC_SETFLAGS, &flags) < 0, "an immutable file from a child namespace");
	EXPECT(fsetxattr(fd, "trusted.x", "x", 1, 0) < 0 && errno == EPERM, "trusted.* from a child namespace: %m");
}

static bool host_capability(const char *name)
{
	char value[64];
	struct vfs_cap_data *d = (void *)value;
	ssize_t n = getxattr(attack_file(name), "security.capability", value, sizeof value);

	return n >= (ssize_t)sizeof(uint32_t) && (d->magic_etc & VFS_CAP_REVISION_MASK) != VFS_CAP_REVISION_3;
}

static void root_calls(struct session *s, const char *name)
{
	char path[64];
	uint64_t at;
	int64_t r, fd;

	snprintf(path, sizeof path, "/data/%s.null", name);
	r = ATTEMPT(s, SYS_mknodat, (uint64_t)AT_FDCWD, session_put(s, 0, path), S_IFCHR | 0600, makedev(1, 3));
	EXPECT(r < 0, "%s: mknod of a device succeeds", name);
	snprintf(path, sizeof path, "/data/%s.file", name);
	fd = attack_open_file(s, path, O_CREAT | O_RDWR, 0600);
	EXPECT(fd >= 0 || fd == -EACCES, "%s: a file of its own: %s", name, strerror((int)-fd));
	*(unsigned *)(s->data + 8192) = FS_IMMUTABLE_FL;
	r = ATTEMPT(s, SYS_ioctl, fd, FS_IOC_SETFLAGS, 8192);
	EXPECT(r < 0, "%s: an immutable file", name);
	at = session_put(s, 8192, "trusted.x");
	r = ATTEMPT(s, SYS_fsetxattr, fd, at, session_put(s, 12288, "x"), 1, 0);
	EXPECT(r < 0, "%s: an attribute in trusted.*", name);
	at = session_put(s, 8192, "security.capability");
	memcpy(s->data + 12288, &host_caps, sizeof host_caps);
	ATTEMPT(s, SYS_fsetxattr, fd, at, 12288, sizeof host_caps, 0);
}

static void identity(void)
{
	struct session s;
	int r;

	enter_identity();
	r = attack_open(&s);
	EXPECT(r == 0 || r == -EPERM || r == -EACCES, "attach: %s", strerror(-r));
	if (r)
		return;
	root_calls(&s, "identity");
	session_close(&s);
}

static void own(void)
{
	struct session s;
	int64_t r;

	if (!enter_own())
		return;
	CHECK_IS(attack_open(&s), 0);
	root_calls(&s, "own");
	r = attack_open_file(&s, "/data/secret", O_RDONLY, 0);
	EXPECT(r == -EACCES, "root of a namespace of its own opens root's file: %lld", (long long)r);
	session_put(&s, 0, "/data/mine");
	r = ATTEMPT(&s, SYS_fchownat, (uint64_t)AT_FDCWD, 0, 0, 0, 0);
	EXPECT(r == -EPERM, "root of a namespace of its own gives a file to root: %lld", (long long)r);
	r = ATTEMPT(&s, SYS_fchownat, (uint64_t)AT_FDCWD, 0, NEIGHBOUR, NEIGHBOUR, 0);
	EXPECT(r == -EPERM, "root of a namespace of its own gives a file to another: %lld", (long long)r);
	EXPECT(attack_open_file(&s, "/data/mine", O_RDWR, 0) >= 0, "it cannot open its own file any more");
	session_close(&s);
}

/* Root as it should be: all of this is its right. */
static void root(void)
{
	struct session s;

	CHECK_IS(attack_open(&s), 0);
	EXPECT(ATTEMPT(&s, SYS_mknodat, (uint64_t)AT_FDCWD, session_put(&s, 0, "/data/null"), S_IFCHR | 0600,
		       makedev(1, 3)) == 0,
	       "root itself may make no device");
	EXPECT(attack_open_file(&s, "/data/mine", O_RDWR, 0) >= 0, "root may not open another's file");
	unlink(attack_file("null"));
	session_close(&s);
}

static void make_mutable(const char *name)
{
	int fd = open(attack_file(name), O_RDONLY);
	unsigned none = 0;

	if (fd >= 0)
		ioctl(fd, FS_IOC_SETFLAGS, &none);
	close(fd);
}

static void look(const char *name)
{
	char file[64];

	snprintf(file, sizeof file, "%s.file", name);
	make_mutable(file);
	EXPECT(!host_capability(file), "%s: a file has capabilities on the host", name);
	unlink(attack_file(file));
	snprintf(file, sizeof file, "%s.null", name);
	EXPECT(access(attack_file(file), F_OK), "%s: a device is there", name);
	unlink(attack_file(file));
}

int main(void)
{
	attack_begin(NULL);
	attack_make_file("secret", "secret", 0, 0600);
	attack_make_file("mine", "mine", ATTACKER, 0600);
	attack_natively(0, "root of a namespace mapped like the host", natively);
	attack_by(0, "root", root);
	attack_by(0, "root of a namespace mapped like the host", identity);
	look("identity");
	attack_by(ATTACKER, "root of a namespace of its own", own);
	look("own");
	return attack_end();
}
