/* SPDX-License-Identifier: GPL-2.0-or-later */
/* t_attr.c - modes, owners, umask, access, set-id bits that fall, times, extended attributes, statfs and pathconf; as root and as somebody else. */
#include "posix.h"

#include <grp.h>
#include <sys/fsuid.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <utime.h>

static void modes(void)
{
	int fd = make("m", "text");

	part("modes");
	for (int mode = 0; mode <= 07777; mode = mode * 2 + 1) {
		SAY(fchmod(fd, (mode_t)mode));
		what("m");
	}
	SAY(chmod("m", 0170000 | 0640));
	what("m");
	SAY(chmod("none", 0));
	SAY(chmod("m/", 0));
	SAY(symlink("m", "s"));
	SAY(chmod("s", 0600));
	what("s");
	what("m");
	SAY(fchmodat(AT_FDCWD, "s", 0644, AT_SYMLINK_NOFOLLOW));
	SAY(umask(0777));
	close((int)TRY(open("none_at_all", O_CREAT | O_WRONLY, 0777)));
	what("none_at_all");
	SAY(umask(022));
	SAY(mkdir("sgid", 0755));
	SAY(chmod("sgid", 02755));
	SAY(mkdir("sgid/in", 0755));
	what("sgid/in");
	close(fd);
}

static void owners(void)
{
	int fd = make("o", "text");

	part("owners");
	SAY(fchmod(fd, 06777));
	SAY(fchown(fd, (uid_t)-1, (gid_t)-1));
	what("o");
	SAY(chmod("o", 06777));
	SAY(pwrite(fd, "x", 1, 0));
	what("o");
	SAY(lchown("none", 1, 1));
	SAY(symlink("o", "os"));
	if (getuid() == 0) {
		SAY(chown("o", 1000, 1001));
		what("o");
		SAY(chmod("o", 06777));
		SAY(chown("o", (uid_t)-1, 1002));
		what("o");
		SAY(lchown("os", 5, 6));
		what("os");
		SAY(fchownat(fd, "", 7, 8, AT_EMPTY_PATH));
		what("o");
	} else {
		SAY(chown("o", 0, 0) == -1); /* natively in a user namespace without a 0 */
	}
	close(fd);
}

static void somebody(void)
{
	char text[4];
	int fd;

	SAY(setgid(1500));
	SAY(setuid(1500));
	SAY(access("m", R_OK));
	SAY(access("m", W_OK));
	SAY(access("private/x", F_OK));
	TRY(open("m", O_RDWR));
	fd = (int)TRY(open("m", O_RDONLY));
	SAY(read(fd, text, 4));
	SAY(fchmod(fd, 0));
	SAY(futimens(fd, NULL));
	SAY(utimensat(AT_FDCWD, "open", NULL, 0));
	SAY(utimensat(AT_FDCWD, "open", (struct timespec[]){ { 1, 0 }, { 2, 0 } }, 0));
	SAY(unlink("m"));
	TRY(open("new", O_CREAT | O_RDWR, 0644));
	TRY(open("public/new", O_CREAT | O_RDWR, 06755));
	what("public/new");
	SAY(chmod("public/new", 02755));
	SAY(chown("public/new", 1500, 0));
	SAY(chown("public/new", 1500, 1500));
	SAY(unlink("public/theirs"));
	SAY(rename("public/theirs", "public/mine"));
	SAY(rename("public/new", "public/theirs"));
	SAY(mkdir("sgid_public/in", 0755));
	what("sgid_public/in");
	TRY(open("write_only", O_RDONLY));
	close((int)TRY(open("write_only", O_WRONLY)));
	SAY(link("write_only", "public/hard"));
	SAY(setxattr("m", "user.a", "x", 1, 0));
	SAY(truncate("m", 0));
	SAY(chdir("private"));
	SAY(mknod("public/device", S_IFCHR | 0600, makedev(1, 3)));
}

static void others(void)
{
	part("somebody else");
	if (getuid())
		return;
	chmod(".", 0755);
	chmod("m", 0644);
	mkdir("private", 0700);
	close(make("private/x", ""));
	mkdir("public", 0777);
	chmod("public", 01777);
	mkdir("sgid_public", 0777);
	SAY(chown("sgid_public", 0, 77));
	SAY(chmod("sgid_public", 02777));
	close(make("public/theirs", ""));
	close(make("open", ""));
	chmod("open", 0666);
	close(make("write_only", ""));
	chmod("write_only", 0622);
	CHILD(somebody());
	what("m");
	/* the effective identity opens, the real one is what access asks about */
	CHILD(SAY(setresuid(0, 1500, 0)); SAY(access("private/x", F_OK));
	      SAY(faccessat(AT_FDCWD, "private/x", F_OK, AT_EACCESS)); TRY(open("private/x", O_RDONLY)));
	CHILD(SAY(setfsuid(1500)); TRY(open("private/x", O_RDONLY)); SAY(setfsuid(0));
	      TRY(open("private/x", O_RDONLY)));
	CHILD(SAY(setgroups(1, (gid_t[]){ 77 })); SAY(setgid(5)); SAY(setuid(1500)); SAY(access("sgid_public", W_OK)));
}

static void show_times(const char *path)
{
	struct stat st;

	if (!lstat(path, &st))
		say("%s: %ld.%09ld %ld.%09ld", path,
		    st.st_atim.tv_sec < 2000000000 && st.st_atim.tv_sec > 1600000000 ? -1 : st.st_atim.tv_sec,
		    st.st_atim.tv_sec > 1600000000 && st.st_atim.tv_sec < 2000000000 ? 0 : st.st_atim.tv_nsec,
		    st.st_mtim.tv_sec > 1600000000 && st.st_mtim.tv_sec < 2000000000 ? -1 : st.st_mtim.tv_sec,
		    st.st_mtim.tv_sec > 1600000000 && st.st_mtim.tv_sec < 2000000000 ? 0 : st.st_mtim.tv_nsec);
}

static void times(void)
{
	struct timespec t[2] = { { 1000, 123456789 }, { 2000, 987654321 } }, omit[2] = { { 0, UTIME_OMIT }, { 5, 5 } },
			now[2] = { { 7, 7 }, { 0, UTIME_NOW } }, bad[2] = { { 0, 1000000000 }, { 0, 0 } },
			old[2] = { { -1, 500 }, { -2, 0 } };
	struct stat before, after;
	int fd = make("t", "text");
	char c;

	part("times");
	SAY(futimens(fd, t));
	show_times("t");
	SAY(utimensat(AT_FDCWD, "t", omit, 0));
	show_times("t");
	SAY(utimensat(AT_FDCWD, "t", now, 0));
	show_times("t");
	SAY(utimensat(AT_FDCWD, "t", bad, 0));
	SAY(utimensat(AT_FDCWD, "t", old, 0));
	show_times("t");
	SAY(utime("t", &(struct utimbuf){ 11, 22 }));
	show_times("t");
	SAY(utimes("t", (struct timeval[]){ { 33, 44 }, { 55, 66 } }));
	show_times("t");
	SAY(utimes("t", (struct timeval[]){ { 33, 1000000 }, { 55, 66 } }));
	SAY(symlink("t", "ts"));
	SAY(utimensat(AT_FDCWD, "ts", t, AT_SYMLINK_NOFOLLOW));
	show_times("ts");
	show_times("t");
	SAY(utimensat(AT_FDCWD, "none", t, 0));
	SAY(utimensat(fd, NULL, t, 0));
	show_times("t");
	/* what changes which time */
	SAY(futimens(fd, t));
	fstat(fd, &before);
	sleep_ms(20);
	SAY(write(fd, "x", 1));
	fstat(fd, &after);
	say("written: m %d c %d a %d", after.st_mtim.tv_sec != before.st_mtim.tv_sec,
	    after.st_ctim.tv_nsec != before.st_ctim.tv_nsec, after.st_atim.tv_sec != before.st_atim.tv_sec);
	SAY(futimens(fd, t));
	fstat(fd, &before);
	sleep_ms(20);
	SAY(read(fd, &c, 1));
	SAY(fchmod(fd, 0600));
	fstat(fd, &after);
	say("read, chmod: m %d c %d", after.st_mtim.tv_sec != before.st_mtim.tv_sec,
	    after.st_ctim.tv_nsec != before.st_ctim.tv_nsec);
	close(fd);
}

static void extended(void)
{
	char text[300] = { 0 };
	static char big[70000];
	int fd = make("xa", "text");

	part("extended attributes");
	SAY(setxattr("xa", "user.one", "1", 1, XATTR_REPLACE));
	SAY(setxattr("xa", "user.one", "1", 1, XATTR_CREATE));
	SAY(setxattr("xa", "user.one", "1", 1, XATTR_CREATE));
	SAY(setxattr("xa", "user.one", "longer", 6, 0));
	SAY(setxattr("xa", "user.empty", "", 0, 0));
	SAY(getxattr("xa", "user.one", NULL, 0));
	SAY(getxattr("xa", "user.one", text, 3));
	SAY(getxattr("xa", "user.one", text, 300));
	say("%.6s", text);
	SAY(getxattr("xa", "user.empty", text, 300));
	SAY(getxattr("xa", "user.none", text, 300));
	SAY(getxattr("xa", "nonsense", text, 300));
	SAY(getxattr("xa", "", text, 300));
	SAY(setxattr("xa", "user.", "x", 1, 0));
	SAY(setxattr("xa", "user.one", big, sizeof big, 0));
	SAY(fsetxattr(fd, "user.two", "2", 1, 0));
	SAY(flistxattr(fd, NULL, 0));
	SAY(flistxattr(fd, text, 3));
	SAY(listxattr("xa", text, 300));
	SAY(fremovexattr(fd, "user.two"));
	SAY(removexattr("xa", "user.two"));
	SAY(symlink("xa", "xs"));
	SAY(lsetxattr("xs", "user.one", "x", 1, 0));
	SAY(lgetxattr("xs", "user.one", text, 300));
	SAY(getxattr("xs", "user.one", text, 300));
	SAY(llistxattr("xs", text, 300));
	SAY(setxattr("none", "user.one", "x", 1, 0));
	/* they go with the file */
	SAY(rename("xa", "xb"));
	SAY(getxattr("xb", "user.one", text, 300));
	SAY(fchmod(fd, 0400));
	SAY(fsetxattr(fd, "user.three", "3", 1, 0));
	close(fd);
}

static void systems(void)
{
	struct statfs a, b;
	struct statvfs v;
	int fd = open("m", O_RDONLY);

	part("file system");
	SAY(statfs(".", &a));
	SAY(fstatfs(fd, &b));
	say("%d %ld %ld", a.f_type == b.f_type, (long)a.f_bsize, (long)a.f_namelen);
	SAY(statvfs("m", &v));
	say("%lu %lu", v.f_bsize, v.f_namemax);
	SAY(statfs("none", &a));
	SAY(pathconf(".", _PC_NAME_MAX));
	SAY(pathconf(".", _PC_PATH_MAX));
	SAY(pathconf("m", _PC_LINK_MAX));
	SAY(fpathconf(fd, _PC_PIPE_BUF));
	SAY(pathconf("none", _PC_NAME_MAX));
	SAY(fpathconf(fd, _PC_2_SYMLINKS));
	SAY(syncfs(fd));
	close(fd);
}

int main(int argc, char **argv)
{
	posix_begin(argc, argv);
	modes();
	owners();
	others();
	times();
	extended();
	systems();
	return 0;
}
