/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tree.c - see tree.h. The list of objects is at the top; everything below is generic. */
#define _GNU_SOURCE
#include "tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

struct object {
	const char *name; /* relative to W */
	unsigned mode;    /* with its type */
	long size;
	const char *link; /* %L and %M stand for the local directory and the mount point */
};

#define REG(n, m, s) { n, S_IFREG | (m), s, NULL }
#define DIR_(n, m) { n, S_IFDIR | (m), 0, NULL }
#define LNK(n, to) { n, S_IFLNK | 0777, 0, to }

static const struct object objects[] = {
	/* exported */
	REG("e/f", 0644, 10000), REG("e/empty", 0644, 0), REG("e/big", 0666, 300000), REG("e/x", 0755, 100),
	REG("e/ro", 0444, 100), REG("e/none", 0, 100), REG("e/own", 0640, 100), DIR_("e/d", 0755), REG("e/d/g", 0600, 500),
	DIR_("e/d/s", 0750), REG("e/d/s/h", 0644, 10), DIR_("e/e", 0755), DIR_("e/closed", 0),
	{ "e/fifo", S_IFIFO | 0644, 0, NULL }, { "e/sock", S_IFSOCK | 0644, 0, NULL },
	/* symbolic links inside */
	LNK("e/sf", "f"), LNK("e/sd", "d"), LNK("e/sdg", "d/g"), LNK("e/sdang", "nowhere"), LNK("e/loop1", "loop2"),
	LNK("e/loop2", "loop1"), LNK("e/self", "self"), LNK("e/sdslash", "d/"), LNK("e/sdot", "."), LNK("e/d/up", "../f"),
	/* out, and back in */
	LNK("e/out_abs", "%L/lf"), LNK("e/out_absd", "%L/ld"), LNK("e/out", "../lf"), LNK("e/outd", "../ld"),
	LNK("e/out_slash", "../ld/"), LNK("e/out_dang", "../newlocal"), LNK("e/back", "../m/f"),
	LNK("e/back_abs", "%M/f"), LNK("e/backd", "../m/d"), LNK("e/parent", ".."), LNK("e/root", "/"),
	LNK("e/dots", "../../../../../../../../../.."), LNK("e/mid", "d/../../lf"), LNK("e/d/upup", "../../lf"),
	LNK("e/xloop", "../xloop"), LNK("e/zig", "../zag"), LNK("e/prefix", "%M"), LNK("e/out_into", "../into_f"),
	/* local, and in */
	REG("l/lf", 0644, 1000), DIR_("l/ld", 0755), REG("l/ld/lg", 0644, 50), LNK("l/ll", "lf"), LNK("l/into", "m"),
	LNK("l/into_abs", "%M"), LNK("l/into_f", "m/f"), LNK("l/into_d", "m/d"), LNK("l/into_slash", "m/"),
	LNK("l/into_out", "m/d/../../lf"), LNK("l/into_dang", "m/newremote"), LNK("l/into_sf", "m/sf"),
	LNK("l/xloop", "m/xloop"), LNK("l/zag", "m/sdg"), LNK("l/ld/in", "../m/f"), LNK("l/two", "into"),
};

#define OBJECTS (sizeof objects / sizeof objects[0])
#define CHAIN 44 /* ch/c39 takes 40 links, the most a walk may; xc the same, with every link crossing the mount */

static bool mounted; /* what is exported is at the mount point already, and only there */
static char work[512], text[1 << 18], baseline[1 << 18], changes[1 << 16];
static size_t text_length;
static struct inomap *inomap;
static int fifo = -1;
static time_t started;

static void die(const char *what)
{
	fprintf(stderr, "compare: %s: %s\n", what, strerror(errno));
	exit(2);
}

static void expand(char *out, size_t max, const char *link)
{
	if (!strncmp(link, "%L", 2))
		snprintf(out, max, "%s/l%s", work, link + 2);
	else if (!strncmp(link, "%M", 2))
		snprintf(out, max, "%s/l/m%s", work, link + 2);
	else
		snprintf(out, max, "%s", link);
}

/* Where the object of that name is, relative to W. */
static const char *place(const char *name)
{
	static char path[400];

	if (!mounted || name[0] != 'e' || (name[1] && name[1] != '/'))
		return name;
	snprintf(path, sizeof path, "l/m%.390s", name + 1);
	return path;
}

static void make_file(const char *path, const struct object *o)
{
	char *data = malloc((size_t)o->size + 1);
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);

	if (fd < 0 || !data)
		die(path);
	for (long i = 0; i < o->size; i++)
		data[i] = (char)tree_byte((size_t)i);
	if (write(fd, data, (size_t)o->size) != o->size || fchmod(fd, o->mode & 07777))
		die(path);
	if (!strcmp(o->name, "e/f") && fsetxattr(fd, "user.a", "value", 5, 0) && errno != ENOTSUP)
		die("xattr");
	free(data);
	close(fd);
}

static void set_ino(size_t i, uint64_t ino, const char *name)
{
	if (i >= INOMAP_MAX)
		die("too many objects");
	inomap->at[i].ino = ino;
	snprintf(inomap->at[i].name, sizeof inomap->at[0].name, "%s", name);
	if (inomap->count <= i)
		inomap->count = (uint32_t)i + 1;
}

static void make(const struct object *o)
{
	const struct timespec at[2] = { { .tv_sec = TREE_TIME }, { .tv_sec = TREE_TIME } };
	char path[1024], link[1024];
	struct stat st;
	int r = 0;

	snprintf(path, sizeof path, "%s/%s", work, place(o->name));
	if (S_ISREG(o->mode)) {
		make_file(path, o);
	} else if (S_ISLNK(o->mode)) {
		expand(link, sizeof link, o->link);
		r = symlink(link, path);
	} else if (S_ISDIR(o->mode)) {
		r = mkdir(path, 0700);
	} else {
		r = mknod(path, o->mode, 0);
	}
	if (r)
		die(path);
	if (!S_ISLNK(o->mode) && !S_ISDIR(o->mode))
		chmod(path, o->mode & 07777);
	if (!strcmp(o->name, "e/own") && geteuid() == 0)
		r |= lchown(path, 1234, 5678);
	if (r || utimensat(AT_FDCWD, path, at, AT_SYMLINK_NOFOLLOW) || lstat(path, &st))
		die(path);
	set_ino((size_t)(o - objects), st.st_ino, o->name);
}

/* Of the directory that is mounted upon, whether something is or not. */
static uint64_t mount_point_ino(void)
{
	char path[1024];
	struct dirent *d;
	uint64_t ino = 0;
	DIR *l;

	snprintf(path, sizeof path, "%s/l", work);
	l = opendir(path);
	while (l && !ino && (d = readdir(l)))
		if (!strcmp(d->d_name, "m"))
			ino = d->d_ino;
	if (!ino)
		die(path);
	closedir(l);
	return ino;
}

/* directory modes and times last: making what is in them changes both */
static void finish_directories(void)
{
	static const char *const tops[] = { "e", "l", "l/m" };
	const struct timespec at[2] = { { .tv_sec = TREE_TIME }, { .tv_sec = TREE_TIME } };
	char path[1024];
	struct stat st;

	for (size_t i = OBJECTS; i-- > 0;) {
		if (!S_ISDIR(objects[i].mode))
			continue;
		snprintf(path, sizeof path, "%s/%s", work, place(objects[i].name));
		chmod(path, objects[i].mode & 07777);
		utimensat(AT_FDCWD, path, at, 0);
	}
	for (size_t i = 0; i < 3; i++) {
		snprintf(path, sizeof path, "%s/%s", work, place(tops[i]));
		chmod(path, 0755);
		if (chown(path, geteuid(), getegid()))
			die(path);
		utimensat(AT_FDCWD, path, at, 0);
		if (stat(path, &st))
			die(path);
		set_ino(OBJECTS + i, i < 2 ? st.st_ino : mount_point_ino(), tops[i]);
	}
}

static void open_fifo(void)
{
	char path[1024];

	if (fifo >= 0)
		close(fifo);
	snprintf(path, sizeof path, "%s/%s", work, place("e/fifo"));
	fifo = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fifo < 0)
		die(path);
}

static void make_all(void)
{
	inomap->count = 0;
	for (size_t i = 0; i < OBJECTS; i++)
		make(&objects[i]);
	finish_directories();
	open_fifo();
}

static void make_chains(void)
{
	char path[1024], link[64];

	for (int i = 0; i < CHAIN; i++) {
		snprintf(path, sizeof path, "%s/%s/c%d", work, place("e/ch"), i);
		snprintf(link, sizeof link, i ? "c%d" : "../f", i - 1);
		if (symlink(link, path))
			die(path);
		snprintf(path, sizeof path, "%s/%s/xc%d", work, place(i % 2 ? "l/ch" : "e/ch"), i);
		snprintf(link, sizeof link, i == 0 ? "../f" : i % 2 ? "../m/ch/xc%d" : "../../ch/xc%d", i - 1);
		if (symlink(link, path))
			die(path);
	}
}

static void append(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	if (text_length < sizeof text - 2048)
		text_length += (size_t)vsnprintf(text + text_length, sizeof text - text_length, format, ap);
	va_end(ap);
}

/* What describe_content found in objects that nobody has touched since; only of such as had been at rest for a while, for
 * the change time is not exact. */
static struct {
	ino_t ino;
	struct timespec changed;
	char text[256];
} remembered[256];

static bool recall_content(const struct stat *st)
{
	size_t i = st->st_ino % 256;

	if (remembered[i].ino != st->st_ino || remembered[i].changed.tv_sec != st->st_ctim.tv_sec ||
	    remembered[i].changed.tv_nsec != st->st_ctim.tv_nsec)
		return false;
	append("%s", remembered[i].text);
	return true;
}

static void remember_content(const struct stat *st, const char *found)
{
	size_t i = st->st_ino % 256;
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	if ((now.tv_sec - st->st_ctim.tv_sec) * 1000 + (now.tv_nsec - st->st_ctim.tv_nsec) / 1000000 < 50 ||
	    strlen(found) >= sizeof remembered[i].text)
		return;
	remembered[i].ino = st->st_ino;
	remembered[i].changed = st->st_ctim;
	strcpy(remembered[i].text, found);
}

static void describe_content(int dir, const char *name, const struct stat *st)
{
	static char buf[65536];
	size_t began = text_length;
	uint32_t h = 2166136261u;
	int fd, flags = 0;
	ssize_t n;

	if (recall_content(st))
		return;
	fd = openat(dir, name, O_RDONLY | O_NOATIME | O_NOFOLLOW);
	if (fd < 0) {
		append(" unreadable");
		return;
	}
	n = pread(fd, buf, sizeof buf, 0);
	h = tree_hash(h, buf, n > 0 ? (size_t)n : 0);
	n = pread(fd, buf, 4096, st->st_size > 4096 ? st->st_size - 4096 : 0);
	h = tree_hash(h, buf, n > 0 ? (size_t)n : 0);
	if (!ioctl(fd, FS_IOC_GETFLAGS, &flags))
		flags &= ~FS_EXTENT_FL & ~FS_INDEX_FL;
	append(" %08x", h);
	if (flags)
		append(" flags=%x", flags);
	n = flistxattr(fd, buf, 4096);
	for (char *p = buf; n > 0 && p < buf + n; p += strlen(p) + 1) {
		char value[256];
		ssize_t m = fgetxattr(fd, p, value, sizeof value);

		append(" %.20s=%zd:%08x", p, m, m > 0 ? tree_hash(1, value, (size_t)m) : 0);
	}
	close(fd);
	remember_content(st, text + began);
}

static void append_time(const char *name, const struct timespec *t)
{
	if (t->tv_sec == TREE_TIME && !t->tv_nsec)
		return;
	if (t->tv_sec >= started - 2 && t->tv_sec <= time(NULL) + 2)
		append(" %s=now", name);
	else
		append(" %s=%ld.%09ld", name, (long)t->tv_sec, t->tv_nsec);
}

static int not_dots(const struct dirent *d)
{
	return strcmp(d->d_name, ".") && strcmp(d->d_name, "..");
}

static void describe(int dir, const char *name, const char *shown, int chains)
{
	struct stat st;
	struct dirent **list;
	char link[4200], path[1024];
	ssize_t len;
	int fd, n;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW)) {
		append("%s errno %d\n", shown, errno);
		return;
	}
	append("%s %o %u:%u", shown, st.st_mode, st.st_uid, st.st_gid);
	if (!S_ISDIR(st.st_mode))
		append(" n%lu %ld", (unsigned long)st.st_nlink, (long)st.st_size);
	if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode))
		append(" dev=%lx", (unsigned long)st.st_rdev);
	if (!S_ISFIFO(st.st_mode)) /* it is filled again after every vector */
		append_time("m", &st.st_mtim);
	if (st.st_atim.tv_sec < started - 100) /* set by somebody; reading moves it on both sides, but not reliably */
		append_time("a", &st.st_atim);
	if (S_ISLNK(st.st_mode)) {
		len = readlinkat(dir, name, link, sizeof link - 1);
		append(" -> %zd:%08x", len, len > 0 ? tree_hash(1, link, (size_t)len) : 0);
	}
	if (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode))
		describe_content(dir, name, &st);
	append("\n");
	if (!S_ISDIR(st.st_mode) || !strcmp(shown, "l/m") || (!chains && !strcmp(name, "ch")))
		return;
	fd = openat(dir, name, O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		return;
	n = scandirat(fd, ".", &list, not_dots, alphasort);
	for (int i = 0; i < n; i++) {
		snprintf(path, sizeof path, "%s/%.200s", shown, list[i]->d_name);
		describe(fd, list[i]->d_name, path, chains);
		free(list[i]);
	}
	if (n >= 0)
		free(list);
	close(fd);
}

static void describe_both(int chains)
{
	int fd = open(work, O_RDONLY | O_DIRECTORY);

	text_length = 0;
	text[0] = 0;
	describe(fd, place("e"), "e", chains);
	describe(fd, "l", "l", chains);
	close(fd);
}

/* what chattr and setfattr can do to a directory, which stays when everything in it is made anew */
static void clear_flags(int dir, const char *name)
{
	char names[4096];
	ssize_t n;
	int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK), none = 0;
	struct fsxattr x;

	if (fd < 0)
		return;
	ioctl(fd, FS_IOC_SETFLAGS, &none);
	if (!ioctl(fd, FS_IOC_FSGETXATTR, &x) && (x.fsx_xflags & (FS_XFLAG_IMMUTABLE | FS_XFLAG_APPEND))) {
		x.fsx_xflags = 0;
		ioctl(fd, FS_IOC_FSSETXATTR, &x);
	}
	n = flistxattr(fd, names, sizeof names);
	for (char *p = names; n > 0 && p < names + n; p += strlen(p) + 1)
		fremovexattr(fd, p);
	close(fd);
}

static void remove_in(int dir, const char *name, int keep_chains)
{
	struct dirent **list;
	int fd, n;

	fchmodat(dir, name, 0700, 0);
	clear_flags(dir, name);
	fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
	if (fd < 0)
		return;
	n = scandirat(fd, ".", &list, not_dots, alphasort);
	for (int i = 0; i < n; i++) {
		const char *child = list[i]->d_name;

		if (!keep_chains || (strcmp(child, "ch") && strcmp(child, "m"))) {
			if (unlinkat(fd, child, 0) && (errno == EPERM || errno == EACCES)) {
				clear_flags(fd, child);
				unlinkat(fd, child, 0);
			}
			if (!faccessat(fd, child, F_OK, AT_SYMLINK_NOFOLLOW)) {
				remove_in(fd, child, 0);
				unlinkat(fd, child, AT_REMOVEDIR);
			}
		}
		free(list[i]);
	}
	if (n >= 0)
		free(list);
	close(fd);
}

static void fill_fifo(void)
{
	char drain[4096];

	while (read(fifo, drain, sizeof drain) > 0)
		;
	if (write(fifo, "0123456789", 10) != 10)
		die("fifo");
}

static void add_line(size_t *n, char sign, const char *line, size_t len)
{
	if (*n + len + 2 < sizeof changes) {
		changes[(*n)++] = sign;
		memcpy(changes + *n, line, len);
		*n += len;
		changes[(*n)++] = ';';
		changes[*n] = 0;
	}
}

/* Lines of the two texts that the other has not; both are in the same order, and a name is in each at most once. */
static void compare_texts(const char *old, const char *now)
{
	size_t n = 0;

	changes[0] = 0;
	while (*old || *now) {
		size_t lo = strcspn(old, "\n"), ln = strcspn(now, "\n");

		if (lo == ln && !memcmp(old, now, lo)) {
			old += lo + !!*old;
			now += ln + !!*now;
			continue;
		}
		size_t name_o = strcspn(old, " \n"), name_n = strcspn(now, " \n");
		char find[600];

		snprintf(find, sizeof find, "\n%.*s ", (int)(name_n < 500 ? name_n : 500), now);
		if (*old && (name_o != name_n || memcmp(old, now, name_o)) && *now && !strstr(baseline, find)) {
			add_line(&n, '+', now, ln); /* new */
			now += ln + 1;
		} else if (*old && name_o == name_n && !memcmp(old, now, name_o)) {
			add_line(&n, '=', now, ln); /* changed */
			old += lo + 1;
			now += ln + 1;
		} else if (*old) {
			add_line(&n, '-', old, name_o); /* gone */
			old += lo + 1;
		} else {
			add_line(&n, '+', now, ln);
			now += ln + 1;
		}
	}
}

static void remove_object(int dir, const char *name)
{
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW))
		return;
	if (!S_ISDIR(st.st_mode)) {
		if (unlinkat(dir, name, 0)) {
			clear_flags(dir, name);
			unlinkat(dir, name, 0);
		}
		return;
	}
	remove_in(dir, name, 0);
	unlinkat(dir, name, AT_REMOVEDIR);
}

/* Put back what `changes` names: removes what is new or changed, makes again what is then missing. */
static void repair(int dir)
{
	char name[1024], path[1600];
	struct stat st;

	for (const char *p = changes; *p; p += strcspn(p, ";") + 1) {
		size_t n = strcspn(p + 1, " ;");

		if (n >= sizeof name)
			return;
		memcpy(name, p + 1, n);
		name[n] = 0;
		if (!strcmp(name, "e") || !strcmp(name, "l") || !strcmp(name, "l/m")) {
			fchmodat(dir, place(name), 0755, 0);
			clear_flags(dir, place(name));
			continue;
		}
		if (*p == '=' && !fstatat(dir, place(name), &st, AT_SYMLINK_NOFOLLOW) && S_ISDIR(st.st_mode)) {
			fchmodat(dir, place(name), 0700, 0);
			clear_flags(dir, place(name));
			if (!fchownat(dir, place(name), geteuid(), getegid(), 0))
				continue;
		}
		if (strcmp(name, "e/ch") && strcmp(name, "l/ch"))
			remove_object(dir, place(name));
	}
	for (size_t i = 0; i < OBJECTS; i++) {
		snprintf(path, sizeof path, "%s/%s", work, place(objects[i].name));
		if (!lstat(path, &st))
			continue;
		make(&objects[i]);
		if (S_ISFIFO(objects[i].mode))
			open_fifo();
	}
	finish_directories();
}

const char *tree_changes(void)
{
	static char seen[sizeof changes];
	int fd;

	describe_both(0);
	seen[0] = 0;
	if (strcmp(text, baseline)) {
		compare_texts(baseline, text);
		strcpy(seen, changes);
		fd = open(work, O_RDONLY | O_DIRECTORY);
		repair(fd);
		close(fd);
		describe_both(0);
	}
	if (strcmp(text, baseline)) {
		fd = open(work, O_RDONLY | O_DIRECTORY);
		remove_in(fd, place("e"), 1);
		remove_in(fd, "l", 1);
		close(fd);
		make_all();
		describe_both(0);
		if (strcmp(text, baseline)) {
			compare_texts(baseline, text);
			fprintf(stderr, "compare: cannot restore the tree: %s\n", changes);
			exit(2);
		}
	}
	fill_fifo();
	return seen;
}

char *tree_describe_all(void)
{
	describe_both(1);
	return strdup(text);
}

void tree_remove(void)
{
	char path[1024];
	int fd = open(work, O_RDONLY | O_DIRECTORY);

	if (fd < 0)
		return;
	remove_in(fd, place("e"), 0);
	remove_in(fd, "l", 0);
	close(fd);
	snprintf(path, sizeof path, "%s/inomap", work);
	unlink(path);
	snprintf(path, sizeof path, "%s/e", work);
	rmdir(path);
	snprintf(path, sizeof path, "%s/l", work);
	rmdir(path);
	rmdir(work);
}

void tree_build(const char *w, bool is_mounted)
{
	static const char *const dirs[] = { "", "e", "l", "l/m", "e/ch", "l/ch" };
	char path[1024];
	int fd;

	snprintf(work, sizeof work, "%s", w);
	mounted = is_mounted;
	started = time(NULL);
	umask(022);
	tree_remove();
	for (size_t i = 0; i < sizeof dirs / sizeof dirs[0]; i++) {
		if (mounted && !strcmp(dirs[i], "e"))
			continue;
		snprintf(path, sizeof path, "%s/%s", w, place(dirs[i]));
		if (mkdir(path, 0755) && !(mounted && errno == EEXIST))
			die(path);
	}
	snprintf(path, sizeof path, "%s/inomap", w);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, sizeof *inomap))
		die(path);
	inomap = mmap(NULL, sizeof *inomap, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (inomap == MAP_FAILED)
		die(path);
	close(fd);
	make_chains();
	make_all();
	describe_both(0);
	snprintf(baseline, sizeof baseline, "%s", text);
	fill_fifo();
}
