/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * t_fuse.c - a FUSE file system in an export that root has mounted for itself alone: the kernel lets in who has the
 * mounter's real, effective and saved ids, and no others, with root's capabilities or without. Through the domain it is
 * the same. And one that is mounted for all while the domain runs.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/attack/attack.h"
#include "tests/attack/fuse.h"

static struct fuse fuse;

static void prepare(void)
{
	char directory[96];

	CHECK(!unshare(CLONE_NEWNS) && !mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	snprintf(directory, sizeof directory, "%s/fuse", attack_domain.export);
	CHECK(!mkdir(directory, 0755));
	fuse_start(&fuse, directory, false);
}

static void natively(void)
{
	struct stat st;

	EXPECT(stat(attack_file("fuse/" FUSE_FILE), &st) < 0 && errno == EACCES, "stat of root's file: %m");
	EXPECT(open(attack_file("fuse/" FUSE_FILE), O_RDONLY) < 0 && errno == EACCES, "open of root's file: %m");
	EXPECT(open(attack_file("fuse"), O_RDONLY) < 0 && errno == EACCES, "open of root's directory: %m");
}

static void reads_natively(void)
{
	char text[64] = "";
	int fd = open(attack_file("fuse/" FUSE_FILE), O_RDONLY);

	CHECK(fd >= 0 && read(fd, text, sizeof text - 1) > 0);
	EXPECT(!strcmp(text, FUSE_TEXT), "it is read as something else");
}

static void remotely(void)
{
	struct session s;
	int64_t r;

	CHECK_IS(attack_open(&s), 0);
	session_put(&s, 8192, "/data/fuse/" FUSE_FILE);
	r = ATTEMPT(&s, SYS_newfstatat, (uint64_t)AT_FDCWD, 8192, 16384, 0);
	EXPECT(r == -EACCES, "stat of root's file: %lld", (long long)r);
	r = attack_open_file(&s, "/data/fuse", O_RDONLY, 0);
	EXPECT(r == -EACCES, "open of root's directory: %lld", (long long)r);
	r = attack_open_file(&s, "/data/fuse/" FUSE_FILE, O_RDONLY, 0);
	EXPECT(r == -EACCES, "open of root's file: %lld", (long long)r);
	if (r >= 0 && ATTEMPT(&s, SYS_read, r, 32768, 100) > 0)
		attack_wrong("its content: %.100s", s.data + 32768);
	r = attack_open_file(&s, "/data/fuse/../fuse/./" FUSE_FILE, O_WRONLY, 0);
	EXPECT(r == -EACCES, "open of root's file by another way: %lld", (long long)r);
	EXPECT(!attack_lost(&s), "the session is over");
	session_close(&s);
}

/* One that is mounted while the domain runs, for everybody. */
static void later_remotely(void)
{
	struct session s;
	int64_t r = -1;

	CHECK_IS(attack_open(&s), 0);
	for (int i = 0; i < 250 && r < 0; i++) {
		usleep(20000); /* the one before is unmounted in the domain, and this one mounted, within a moment */
		r = attack_open_file(&s, "/data/fuse/" FUSE_FILE, O_RDONLY, 0);
	}
	EXPECT(r >= 0, "open of a file of a later mount: %lld", (long long)r);
	r = ATTEMPT(&s, SYS_read, (uint64_t)r, 32768, 100);
	EXPECT(r == (int64_t)strlen(FUSE_TEXT) && !memcmp(s.data + 32768, FUSE_TEXT, strlen(FUSE_TEXT)),
	       "read of a later mount's file: %lld", (long long)r);
	session_close(&s);
}

int main(void)
{
	static const struct attack_setup setup = { .prepare = prepare };
	int status;

	attack_begin(&setup);
	attack_natively(0, "root's FUSE file, by root", reads_natively);
	attack_natively(ATTACKER, "root's FUSE file, by another", natively);
	attack_by(ATTACKER, "root's FUSE file", remotely);
	fuse_stop(&fuse);
	fuse_start(&fuse, attack_file("fuse"), true);
	attack_natively(ATTACKER, "a later FUSE file, by another", reads_natively);
	attack_by(ATTACKER, "a later FUSE file", later_remotely);
	status = attack_end();
	fuse_stop(&fuse);
	return status;
}
