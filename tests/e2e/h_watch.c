/* SPDX-License-Identifier: GPL-2.0-or-later */
/* h_watch.c - inotify: remote files and directories, local ones in the same instance, events of others, flags, errors. */
#include "e2e.h"

#include <poll.h>
#include <sys/inotify.h>

static int instance;

/* The next event: its watch and name; mask, or 0 if none comes. */
static uint32_t next(int *watch, char *name)
{
	static char buffer[4096];
	static ssize_t length, at;
	struct pollfd p = { .fd = instance, .events = POLLIN };
	const struct inotify_event *e;

	if (at == length) {
		at = length = 0;
		if (poll(&p, 1, 300) != 1 || (length = read(instance, buffer, sizeof buffer)) <= 0)
			return length = 0;
	}
	e = (const struct inotify_event *)(buffer + at);
	at += (ssize_t)(sizeof *e + e->len);
	*watch = e->wd;
	strcpy(name, e->len ? e->name : "");
	return e->mask;
}

#define EVENT(m, w, n)                            \
	do {                                      \
		char name_[256];                  \
		int watch_ = -2;                  \
		EQUAL(next(&watch_, name_), (m)); \
		EQUAL(watch_, (w));               \
		CHECK(!strcmp(name_, n));         \
	} while (0)

int main(int argc, char **argv)
{
	char local[] = "/tmp/fc-watch.XXXXXX";
	int directory, file, outside, fd, nobody, status;
	char name[256];
	pid_t child;

	e2e_init(argc, argv);
	make_file("file", "text", 4);
	EQUAL(symlink("file", in_dir("link")), 0);
	CHECK(mkdtemp(local));
	instance = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	directory = inotify_add_watch(instance, in_dir("."), IN_CREATE | IN_DELETE | IN_MOVE);
	file = inotify_add_watch(instance, in_dir("file"), IN_MODIFY | IN_ATTRIB);
	outside = inotify_add_watch(instance, local, IN_CREATE);
	CHECK(directory > 0 && file > 0 && outside > 0 && directory != file && file != outside);
	EQUAL(inotify_add_watch(instance, in_dir("file"), IN_MODIFY | IN_ATTRIB | IN_CLOSE_WRITE), file);
	EQUAL(inotify_add_watch(instance, in_dir("link"), IN_MODIFY | IN_ATTRIB | IN_CLOSE_WRITE), file);
	EQUAL(next(&nobody, name), 0);

	fd = open(in_dir("file"), O_WRONLY | O_APPEND);
	EQUAL(write(fd, "more", 4), 4);
	EVENT(IN_MODIFY, file, "");
	EQUAL(close(fd), 0);
	EVENT(IN_CLOSE_WRITE, file, "");
	close(open(in_dir("new"), O_CREAT | O_WRONLY, 0600));
	EVENT(IN_CREATE, directory, "new");
	child = fork();
	if (!child)
		_exit(rename(in_dir("new"), in_dir("renamed")));
	waitpid(child, &status, 0);
	EQUAL(status, 0);
	EVENT(IN_MOVED_FROM, directory, "new");
	EVENT(IN_MOVED_TO, directory, "renamed");
	strcat(local, "/x");
	EQUAL(mkdir(local, 0700), 0);
	EVENT(IN_CREATE | IN_ISDIR, outside, "x");
	EQUAL(rmdir(local), 0);
	local[strlen(local) - 2] = 0;
	EQUAL(rmdir(local), 0);
	EVENT(IN_IGNORED, outside, "");
	EQUAL(chmod(in_dir("file"), 0600), 0);
	EVENT(IN_ATTRIB, file, "");
	EQUAL(inotify_rm_watch(instance, file), 0);
	EVENT(IN_IGNORED, file, "");
	EQUAL(unlink(in_dir("renamed")), 0);
	EVENT(IN_DELETE, directory, "renamed");

	EQUAL(chdir(in_dir(".")), 0);
	CHECK(inotify_add_watch(instance, "link", IN_DONT_FOLLOW | IN_ATTRIB) > 0);
	FAILS(inotify_add_watch(instance, "none", IN_MODIFY), ENOENT);
	FAILS(inotify_add_watch(instance, "file", IN_MODIFY | IN_ONLYDIR), ENOTDIR);
	FAILS(inotify_add_watch(instance, "file", 0), EINVAL);
	FAILS(inotify_add_watch(0, in_dir("file"), IN_MODIFY), EINVAL);
	FAILS(inotify_add_watch(777, in_dir("file"), IN_MODIFY), EBADF);
	fd = open(in_dir("file"), O_RDONLY);
	FAILS(inotify_add_watch(fd, in_dir("file"), IN_MODIFY), EINVAL);
	return e2e_status();
}
