/* SPDX-License-Identifier: GPL-2.0-or-later */
/* t_watch.c - inotify on files and directories: events in their order, cookies, masks, who is watched after a rename, removal, limits of the read. */
#include "posix.h"

#include <dirent.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>

static int in;
static uint32_t cookie;

static void events(const char *after)
{
	char buffer[8192] __attribute__((aligned(8)));
	struct pollfd p = { in, POLLIN, 0 };
	ssize_t n = 0;

	sleep_ms(20);
	say("after %s:", after);
	while (poll(&p, 1, 0) == 1 && (n = read(in, buffer, sizeof buffer)) > 0)
		for (char *at = buffer; at < buffer + n;) {
			struct inotify_event *e = (void *)at;

			say("    %d %x %s%s", e->wd, e->mask, e->len ? e->name : "",
			    !e->cookie            ? ""
			    : e->cookie == cookie ? " same"
						  : " cookie");
			if (e->cookie)
				cookie = e->cookie;
			at += sizeof *e + e->len;
		}
}

int main(int argc, char **argv)
{
	char text[16];
	int fd, w, pending = 0;

	posix_begin(argc, argv);
	in = (int)TRY(inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
	SAY(mkdir("d", 0755));
	close(make("d/old", "old"));
	SAY(inotify_add_watch(in, "d", IN_ALL_EVENTS));
	SAY(inotify_add_watch(in, "none", IN_ALL_EVENTS));
	SAY(inotify_add_watch(in, "d/old", IN_ALL_EVENTS | IN_ONLYDIR));
	SAY(inotify_add_watch(in, "d", 0));
	SAY(inotify_add_watch(in, "d", IN_ALL_EVENTS | IN_MASK_CREATE));
	SAY(inotify_add_watch(fd = open("d", O_RDONLY), "d", IN_ALL_EVENTS));
	close(fd);
	events("opening");
	fd = open("d/new", O_CREAT | O_RDWR, 0644);
	events("create");
	write(fd, "x", 1);
	events("write");
	pread(fd, text, 1, 0);
	events("read");
	fchmod(fd, 0600);
	events("chmod");
	ftruncate(fd, 0);
	events("truncate");
	close(fd);
	events("close");
	close(open("d/old", O_RDONLY));
	events("a look");
	rename("d/new", "d/newer");
	events("rename");
	rename("d/newer", "out");
	events("moving out");
	rename("out", "d/in");
	events("moving in");
	rename("d/in", "d/old");
	events("replacing");
	link("d/old", "d/hard");
	events("link");
	symlink("old", "d/soft");
	events("symlink");
	mkdir("d/sub", 0755);
	close(make("d/sub/x", ""));
	events("mkdir");
	unlink("d/hard");
	events("unlink");
	utimensat(AT_FDCWD, "d/old", NULL, 0);
	events("times");
	closedir(opendir("d"));
	events("opendir");
	CHILD(execlp("sh", "sh", "-c", "echo by another >d/shell; rm d/shell", NULL));
	events("another process");
	w = (int)SAY(inotify_add_watch(in, "d/old", IN_MODIFY | IN_DELETE_SELF | IN_MOVE_SELF | IN_ATTRIB));
	fd = open("d/old", O_WRONLY | O_TRUNC);
	write(fd, "abc", 3);
	events("two watches");
	SAY(ioctl(in, FIONREAD, &pending));
	say("%d", pending);
	rename("d/old", "elsewhere");
	events("moved away");
	write(fd, "abc", 3);
	events("still watched");
	unlink("elsewhere");
	events("unlinked but open");
	close(fd);
	events("gone");
	SAY(inotify_rm_watch(in, w));
	SAY(inotify_rm_watch(in, 77));
	SAY(inotify_add_watch(in, "d/soft", IN_OPEN));
	SAY(inotify_add_watch(in, "d/soft", IN_OPEN | IN_DONT_FOLLOW));
	SAY(inotify_add_watch(in, "d/sub", IN_CREATE | IN_ONESHOT));
	close(make("d/sub/y", ""));
	close(make("d/sub/z", ""));
	events("one shot");
	unlink("d/soft");
	events("a link");
	for (int i = 0; i < 30; i++) {
		snprintf(text, sizeof text, "d/%d", i);
		close(make(text, "x"));
	}
	SAY(read(in, text, 4)); /* no room for one */
	events("many");
	SAY(inotify_rm_watch(in, 1));
	events("no watch");
	SAY(inotify_add_watch(in, "d/sub", IN_ALL_EVENTS | IN_EXCL_UNLINK));
	fd = open("d/sub/x", O_RDWR);
	unlink("d/sub/x");
	write(fd, "x", 1);
	close(fd);
	events("excluded");
	CHILD(execlp("rm", "rm", "-r", "d/sub", NULL));
	events("the directory");
	SAY(read(in, text, sizeof text));
	return 0;
}
