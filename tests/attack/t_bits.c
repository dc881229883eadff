/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * t_bits.c - what a write and a change of owner take from a file, what directories with set-id and sticky bits do,
 * devices, and attributes in security.*: for a user without capabilities the domain does what the kernel does natively.
 * Everything here runs twice, natively and in a session, with the same expectation.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "farcall/wire.h"
#include "tests/attack/attack.h"

#define OTHER_GROUP 1234u /* nobody's here */

/* ---- one call, on either side ---- */

static struct session *remote; /* null: natively */
static const char *side;       /* also the first letter of the files' names, so that each side has its own */

struct argument {
	const char *text; /* a string, or null; a path in the export if it begins with @ */
	uint64_t value;
};
#define T(string)              \
	{                      \
		.text = string \
	}
#define V(number)                           \
	{                                   \
		.value = (uint64_t)(number) \
	}

static const char *path_of(const char *name)
{
	static char path[4][512];
	static unsigned next;
	char *p = path[next++ % 4];

	snprintf(p, sizeof path[0], "%s/%s", remote ? "/data" : attack_domain.export, name);
	return p;
}

static int64_t act(unsigned nr, const struct argument a[6])
{
	uint64_t arg[6];
	long r;

	for (unsigned i = 0; i < 6; i++) {
		const char *text = a[i].text && *a[i].text == '@' ? path_of(a[i].text + 1) : a[i].text;

		if (!text)
			arg[i] = a[i].value;
		else
			arg[i] = remote ? session_put(remote, i * FC_PATH_MAX, text) : (uint64_t)text;
	}
	if (remote)
		return attack_call(remote, nr, arg);
	r = syscall(nr, arg[0], arg[1], arg[2], arg[3], arg[4], arg[5]);
	return r < 0 ? -errno : r;
}

#define ACT(nr, ...) act(nr, (const struct argument[6]){ __VA_ARGS__ })
#define HERE V(AT_FDCWD)

static void expect(int64_t r, int64_t want, const char *what)
{
	EXPECT(r == want, "%s: %s: %lld, not %lld", side, what, (long long)r, (long long)want);
}

static int64_t open_file(const char *name, int flags, int mode)
{
	return ACT(SYS_openat, HERE, T(name), V(flags), V(mode));
}

static unsigned mode_of(const char *name)
{
	struct stat st;

	CHECK(!lstat(attack_file(name), &st));
	return st.st_mode & 07777;
}

/* ---- set-id bits and file capabilities are gone after a write ---- */

static void change_write(int64_t fd)
{
	expect(ACT(SYS_pwrite64, V(fd), T("x"), V(1), V(0)), 1, "pwrite");
}

static void change_length(int64_t fd)
{
	expect(ACT(SYS_ftruncate, V(fd), V(2)), 0, "ftruncate");
}

static void change_space(int64_t fd)
{
	expect(ACT(SYS_fallocate, V(fd), V(0), V(0), V(4096)), 0, "fallocate");
}

static void change_copy(int64_t fd)
{
	int64_t from = open_file("@source", O_RDONLY, 0);

	EXPECT(from >= 0 && ACT(SYS_copy_file_range, V(from), V(remote ? FC_NULL : 0), V(fd), V(remote ? FC_NULL : 0),
				V(3), V(0)) == 3,
	       "%s: copy_file_range", side);
}

static void change_send(int64_t fd)
{
	int64_t from = open_file("@source", O_RDONLY, 0);

	EXPECT(from >= 0 && ACT(SYS_sendfile, V(fd), V(from), V(remote ? FC_NULL : 0), V(3)) == 3, "%s: sendfile",
	       side);
}

static const struct {
	const char *name;
	void (*change)(int64_t fd); /* null: opening is enough */
	int flags;
} change[] = {
	{ "pwrite", change_write, 0 },         { "ftruncate", change_length, 0 }, { "fallocate", change_space, 0 },
	{ "copy_file_range", change_copy, 0 }, { "sendfile", change_send, 0 },    { "O_TRUNC", NULL, O_TRUNC },
};
#define CHANGES (sizeof change / sizeof change[0])

static const struct vfs_cap_data some_caps = { .magic_etc = VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE,
					       .data = { { .permitted = 1 << CAP_NET_RAW } } };

static void name_of(char name[64], const char *kind, unsigned i)
{
	snprintf(name, 64, "@%c.%s.%s", *side, kind, change[i].name);
}

static void stripped(void)
{
	char name[64], value[64];

	for (unsigned i = 0; i < CHANGES; i++)
		for (unsigned capable = 0; capable < 2; capable++) {
			int64_t fd;

			name_of(name, capable ? "capable" : "set-id", i);
			fd = open_file(name, O_RDWR | change[i].flags, 0);
			EXPECT(fd >= 0, "%s: open %s: %lld", side, name, (long long)fd);
			if (change[i].change)
				change[i].change(fd);
			EXPECT(!(mode_of(name + 1) & (S_ISUID | S_ISGID)), "%s: %s keeps mode %o", side, name,
			       mode_of(name + 1));
			EXPECT(getxattr(attack_file(name + 1), "security.capability", value, sizeof value) < 0,
			       "%s: %s keeps its capabilities", side, name);
		}
}

static void make_set_id(void)
{
	char name[64];

	for (const char *const *s = (const char *const[]){ "natively", "remotely", NULL }; *s; s++) {
		side = *s;
		for (unsigned i = 0; i < CHANGES; i++) {
			name_of(name, "set-id", i);
			attack_make_file(name + 1, "text", 0, 06777);
			name_of(name, "capable", i);
			attack_make_file(name + 1, "text", 0, 0777);
			CHECK(!setxattr(attack_file(name + 1), "security.capability", &some_caps, XATTR_CAPS_SZ_2, 0));
		}
	}
}

/* ---- directories ---- */

/* In a directory of another group: what is made there has that group, and no set-gid bit that its maker could not
 * set. */
static void sgid(void)
{
	char name[64];
	struct stat st;

	snprintf(name, sizeof name, "@sgid/%c.file", *side);
	EXPECT(open_file(name, O_CREAT | O_RDWR, 02775) >= 0, "%s: open %s", side, name);
	CHECK(!stat(attack_file(name + 1), &st));
	EXPECT(st.st_gid == OTHER_GROUP && !(st.st_mode & S_ISGID), "%s: %s has group %u, mode %o", side, name,
	       st.st_gid, st.st_mode);
	ACT(SYS_fchmodat, HERE, T(name), V(02755));
	EXPECT(!(mode_of(name + 1) & S_ISGID), "%s: %s has set-gid after chmod", side, name);
	snprintf(name, sizeof name, "@sgid/%c.directory", *side);
	expect(ACT(SYS_mkdirat, HERE, T(name), V(0755)), 0, "mkdir");
	CHECK(!stat(attack_file(name + 1), &st));
	EXPECT(st.st_gid == OTHER_GROUP && st.st_mode & S_ISGID, "%s: %s has group %u, mode %o", side, name, st.st_gid,
	       st.st_mode);
}

static void sticky(void)
{
	expect(ACT(SYS_unlinkat, HERE, T("@sticky/theirs"), V(0)), -EPERM, "unlink of another's file");
	expect(ACT(SYS_renameat2, HERE, T("@sticky/theirs"), HERE, T("@sticky/mine"), V(0)), -EPERM,
	       "rename of another's file");
	expect(ACT(SYS_unlinkat, HERE, T("@sticky/directory"), V(AT_REMOVEDIR)), -EPERM,
	       "rmdir of another's directory");
	expect(open_file("@sticky/theirs", O_WRONLY, 0), -EACCES, "open of another's file");
}

/* ---- owners ---- */

static void owners(void)
{
	expect(ACT(SYS_fchownat, HERE, T("@mine"), V(0), V(-1u), V(0)), -EPERM, "chown to root");
	expect(ACT(SYS_fchownat, HERE, T("@mine"), V(-1u), V(OTHER_GROUP), V(0)), -EPERM, "chgrp to another group");
	expect(ACT(SYS_fchmodat, HERE, T("@theirs"), V(0777)), -EPERM, "chmod of another's file");
	expect(ACT(SYS_utimensat, HERE, T("@theirs"), V(remote ? FC_NULL : 0), V(0)), -EACCES,
	       "utimes of another's file");
	expect(ACT(SYS_truncate, T("@theirs"), V(0)), -EACCES, "truncate of another's file");
	expect(open_file("@theirs", O_RDONLY | O_NOATIME, 0), -EPERM, "O_NOATIME of another's file");
}

/* ---- devices ---- */

static void devices(void)
{
	char name[64];

	snprintf(name, sizeof name, "@%c.node", *side);
	expect(ACT(SYS_mknodat, HERE, T(name), V(S_IFCHR | 0666), V(makedev(1, 3))), -EPERM,
	       "mknod of a character device");
	expect(ACT(SYS_mknodat, HERE, T(name), V(S_IFBLK | 0666), V(makedev(1, 1))), -EPERM, "mknod of a block device");
	expect(ACT(SYS_mknodat, HERE, T(name), V(S_IFIFO | 0666), V(0)), 0, "mknod of a FIFO");
	expect(ACT(SYS_unlinkat, HERE, T(name), V(0)), 0, "unlink of it");
	/* root's own node, there for all: natively a device, in the domain nothing that can be opened */
	if (remote)
		expect(open_file("@null", O_RDWR, 0), -EACCES, "open of a device");
}

/* ---- attributes ---- */

static int64_t set_attribute(int64_t fd, const char *name)
{
	return ACT(SYS_fsetxattr, V(fd), T(name), T("attribute"), V(9), V(0));
}

static void attributes(void)
{
	int64_t fd = open_file("@mine", O_RDWR, 0), user;

	EXPECT(fd >= 0, "%s: open of one's own file: %lld", side, (long long)fd);
	expect(set_attribute(fd, "security.farcall"), -EPERM, "security.*");
	EXPECT(set_attribute(fd, "security.capability") < 0, "%s: security.capability", side);
	expect(set_attribute(fd, "trusted.farcall"), -EPERM, "trusted.*");
	user = set_attribute(fd, "user.farcall");
	EXPECT(user == 0 || user == -EOPNOTSUPP, "%s: user.*: %lld", side, (long long)user);
}

/* ---- all of it ---- */

static void all(void)
{
	stripped();
	sgid();
	sticky();
	owners();
	devices();
	attributes();
}

static void natively(void)
{
	side = "natively";
	umask(0);
	all();
}

static void remotely(void)
{
	struct session s;

	side = "remotely";
	CHECK_IS(attack_open(&s), 0);
	remote = &s;
	ACT(SYS_umask, V(0));
	all();
	EXPECT(!attack_lost(&s), "the session is over");
	session_close(&s);
}

static void make_directories(void)
{
	CHECK(!mkdir(attack_file("sgid"), 0755) && !chown(attack_file("sgid"), 0, OTHER_GROUP) &&
	      !chmod(attack_file("sgid"), 02777));
	CHECK(!mkdir(attack_file("sticky"), 0755) && !chmod(attack_file("sticky"), 01777));
	CHECK(!mkdir(attack_file("sticky/directory"), 0755));
	attack_make_file("sticky/theirs", "text", NEIGHBOUR, 0644);
	attack_make_file("sticky/mine", "text", ATTACKER, 0644);
	attack_make_file("mine", "text", ATTACKER, 0644);
	attack_make_file("theirs", "text", NEIGHBOUR, 0644);
	attack_make_file("source", "text", 0, 0644);
	CHECK(!mknod(attack_file("null"), S_IFCHR | 0666, makedev(1, 3)) && !chmod(attack_file("null"), 0666));
}

int main(void)
{
	attack_begin(NULL);
	make_set_id();
	make_directories();
	attack_natively(ATTACKER, "set-id bits, capabilities, directories, devices, attributes", natively);
	attack_by(ATTACKER, "set-id bits, capabilities, directories, devices, attributes", remotely);
	return attack_end();
}
