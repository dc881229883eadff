/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * t_unix.c - Unix sockets with paths: how they are spelt, what takes their place, who is left when one ends, and what goes over them. t_socket has the
 * rest.
 */
#include "posix.h"
#include "unix.h"

#include <dirent.h>
#include <stddef.h>
#include <sys/socket.h>

/* Without a NUL: as the kernel counts. */
static socklen_t at(const char *path)
{
	return address(path, 0);
}

static void peer(int s)
{
	char name[sizeof un + 1] = { 0 };
	socklen_t n = sizeof name;

	getpeername(s, (void *)name, &n);
	say("peer %u \"%s\"", n, name + 2);
}

static int stream(void)
{
	return socket(AF_UNIX, SOCK_STREAM, 0);
}

/* One that listens there */
static int listener(const char *path)
{
	int s = stream();

	SAY(bind_(s, path));
	SAY(listen(s, 5));
	return s;
}

/* Is it this one that is reached there? */
static bool reached(int s, const char *path)
{
	int c = stream(), a;
	char text[8] = { 0 };

	fcntl(s, F_SETFL, O_NONBLOCK);
	if (connect_(c, path))
		return false;
	a = accept(s, NULL, NULL);
	send(c, "hello", 5, MSG_NOSIGNAL);
	if (a >= 0)
		recv(a, text, sizeof text, 0);
	close(a);
	close(c);
	return !strcmp(text, "hello");
}

static void spelt(const char *path, const char *plain)
{
	int s = stream(), c = stream();

	say("\"%s\"", path);
	SAY(bind_(s, path));
	what(plain);
	listen(s, 1);
	SAY(connect_(c, plain));
	if (strncmp(path, "/proc/", 6)) /* of which, where a domain binds, the whole path is seen */
		peer(c);
	close(c);
	close(s);
	SAY(unlink(plain));
}

static void spelling(const char *top)
{
	char path[300], longest[109] = { 0 };
	int fd;

	part("spelling");
	mkdir("sub", 0755);
	mkdir("sub/deep", 0755);
	symlink("sub/deep", "short");
	spelt("./a", "a");
	spelt("sub//a", "sub/a");
	spelt("sub/../b", "b");
	spelt("sub/deep/../../c", "c");
	spelt("short/d", "sub/deep/d");
	spelt("short/../e", "sub/e");
	spelt("..name", "..name");
	spelt("a..", "a..");
	mkdir("......................................................................", 0755);
	chdir("sub");
	spelt("../f", "../f");
	spelt("../....................................................................../../sub/../v", "../v");
	spelt("../sub/deep/../../sub/./g", "g");
	chdir("..");
	snprintf(path, sizeof path, "%s/h", top);
	spelt(path, "h");
	snprintf(path, sizeof path, "/%s//sub/../sub/i", top);
	spelt(path, "sub/i");
	fd = open("sub", O_PATH | O_DIRECTORY);
	snprintf(path, sizeof path, "/proc/self/fd/%d/j", fd);
	spelt(path, "sub/j");
	close(fd);
	memset(longest, 'l', 108); /* and no NUL */
	spelt(longest, longest);
	fd = stream();
	SAY(bind_(fd, "a/"));
	SAY(bind_(fd, "sub/"));
	SAY(bind_(fd, "."));
	SAY(bind_(fd, "sub/.."));
	SAY(bind_(fd, "none/../k"));
	SAY(bind(fd, (void *)&un, sizeof un + 1));
	SAY(bind(-1, (void *)&un, at("k")));
	SAY(bind(1, (void *)&un, at("k")));
	SAY(bind(fd, (void *)&un, at("k") + 1));
	SAY(bind(fd, (void *)&un, at("k2")));
	what("k2");
	close(fd);
}

static void places(void)
{
	int s = listener("r"), t, c = stream(), d;
	struct dirent *e;
	DIR *list;

	part("what takes their place");
	SAY(connect_(c, "r"));
	d = accept(s, NULL, NULL);
	SAY(unlink("r"));
	SAY(reached(s, "r"));
	SAY(write(c, "still", 5)); /* who is connected stays it */
	SAY(read(d, (char[8]){ 0 }, 8));
	t = listener("r");
	SAY(reached(t, "r"));
	SAY(unlink("r"));
	SAY(mknod("r", S_IFSOCK | 0777, 0));
	SAY(connect_(stream(), "r"));
	close(s);
	close(t);
	for (int i = 0; i < 20; i++) { /* of the same number, as file systems go */
		s = stream();
		if (unlink("r") || bind_(s, "r") || listen(s, 1) || !reached(s, "r"))
			say("the %d. time: %s", i, strerrorname_np(errno));
		close(s);
	}
	s = listener("m");
	t = listener("n");
	SAY(rename("m", "n"));
	SAY(reached(s, "n"));
	SAY(reached(t, "n"));
	SAY(link("n", "n2"));
	SAY(unlink("n"));
	SAY(reached(s, "n2"));
	what("n2");
	SAY(chmod("n2", 0600));
	if (!getuid())
		SAY(chown("n2", 1500, 1500));
	what("n2");
	SAY(reached(s, "n2"));
	list = opendir(".");
	while ((e = readdir(list)))
		if (!strcmp(e->d_name, "n2"))
			say("type %d", e->d_type);
	closedir(list);
	SAY(open("n2", O_RDWR));
	SAY(truncate("n2", 0));
}

static void ends(void)
{
	int s = listener("e"), t = dup(s), c;
	pid_t pid;

	part("ends");
	close(s);
	SAY(reached(t, "e"));
	pid = fork();
	if (!pid) {
		pause();
		_exit(0);
	}
	close(t);
	c = stream();
	SAY(connect_(c, "e")); /* the child has it */
	kill(pid, SIGKILL);
	ended(pid);
	SAY(read(c, (char[1]){ 0 }, 1));
	SAY(connect_(stream(), "e"));
	SAY(bind_(stream(), "e"));
	what("e");
	SAY(unlink("e"));
	pid = fork(); /* a child binds, others connect */
	if (!pid) {
		s = socket(AF_UNIX, SOCK_DGRAM, 0);
		_exit(bind_(s, "child") || recv(s, (char[4]){ 0 }, 4, 0) != 4);
	}
	s = socket(AF_UNIX, SOCK_DGRAM, 0);
	for (int i = 0; i < 500 && connect_(s, "child"); i++)
		usleep(10000);
	SAY(send(s, "word", 4, 0));
	ended(pid);
	SAY(send(s, "word", 4, 0));
	SAY(connect_(s, "child"));
}

static void messages(void)
{
	int a = socket(AF_UNIX, SOCK_DGRAM, 0), b = socket(AF_UNIX, SOCK_DGRAM, 0), pair[2], got;
	char text[8] = { 0 };
	struct iovec one = { "msg", 3 };
	struct sockaddr_un to = { .sun_family = AF_UNIX, .sun_path = "to" };
	struct msghdr m = { .msg_name = &to, .msg_namelen = sizeof to, .msg_iov = &one, .msg_iovlen = 1 };
	struct mmsghdr many[2] = { { .msg_hdr = m }, { .msg_hdr = m } };
	struct ucred cred;
	socklen_t n = sizeof un;

	part("messages");
	SAY(bind_(a, "to"));
	SAY(bind_(b, "sub/from"));
	SAY(sendmsg(b, &m, 0));
	memset(&un, 0, sizeof un);
	SAY(recvfrom(a, text, sizeof text, 0, (void *)&un, &n));
	say("\"%s\" from %u \"%s\"", text, n, un.sun_path);
	SAY(sendto(a, "back", 4, 0, (void *)&un, n));
	SAY(recv(b, text, sizeof text, 0));
	SAY(sendmmsg(b, many, 2, 0));
	SAY(recv(a, text, sizeof text, 0));
	SAY(recv(a, text, sizeof text, MSG_DONTWAIT));
	SAY(recv(a, text, sizeof text, MSG_DONTWAIT));
	pipe(pair);
	SAY(connect_(b, "to"));
	SAY(send_file(b, pair[1]));
	got = receive_file(a);
	SAY(write(got, "through", 7));
	SAY(read(pair[0], text, 7));
	n = sizeof cred;
	SAY(setsockopt(a, SOL_SOCKET, SO_PASSCRED, &(int){ 1 }, sizeof(int)));
	SAY(chmod("to", 0));
	if (!getuid())
		CHILD(setuid(1500); b = socket(AF_UNIX, SOCK_DGRAM, 0); SAY(sendmsg(b, &m, 0));
		      SAY(connect_(b, "to")););
	SAY(sendmsg(b, &m, MSG_DONTWAIT));
}

int main(int argc, char **argv)
{
	posix_begin(argc, argv);
	spelling(argv[1]);
	places();
	ends();
	messages();
	return 0;
}
