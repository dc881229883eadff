/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * t_socket.c - Unix sockets with paths: datagrams, packets, names relative and absolute, who may connect, what a removed or replaced path means,
 * credentials, pairs. tests/e2e/h_sockets.c has streams.
 */
#include "posix.h"
#include "unix.h"

#include <stddef.h>
#include <sys/socket.h>

/* With its NUL, as programs do. */
static socklen_t at(const char *path)
{
	return address(path, 1);
}

static void name(int s)
{
	socklen_t n = sizeof un;

	memset(&un, 0, sizeof un);
	getsockname(s, (void *)&un, &n);
	say("name %u \"%s\"", n, n > 2 ? un.sun_path : "");
	n = sizeof un;
	memset(&un, 0, sizeof un);
	if (getpeername(s, (void *)&un, &n))
		say("no peer: %s", strerrorname_np(errno));
	else
		say("peer %u \"%s\"", n, n > 2 ? un.sun_path : "");
}

static void binding(void)
{
	int s = socket(AF_UNIX, SOCK_STREAM, 0), t = socket(AF_UNIX, SOCK_STREAM, 0);
	char longest[109];

	part("binding");
	SAY(connect_(s, "none"));
	SAY(bind_(s, "s"));
	what("s");
	name(s);
	SAY(bind_(s, "s2"));
	SAY(bind_(t, "s"));
	SAY(bind_(t, "none/s"));
	SAY(connect_(t, "s"));
	SAY(listen(s, 1));
	SAY(connect_(t, "s"));
	name(t);
	SAY(connect_(t, "s"));
	close(t);
	close(s);
	what("s");
	t = socket(AF_UNIX, SOCK_STREAM, 0);
	SAY(connect_(t, "s"));
	SAY(bind_(t, "s"));
	close(make("file", ""));
	SAY(connect_(t, "file"));
	SAY(connect_(t, "file/x"));
	SAY(connect_(t, "."));
	SAY(bind_(t, "file"));
	SAY(symlink("target", "link"));
	SAY(bind_(t, "link"));
	what("target");
	memset(longest, 'l', 107);
	longest[107] = 0;
	SAY(bind_(t, longest));
	name(t);
	SAY(unlink("s"));
	SAY(bind_(t, ""));
	close(t);
	t = socket(AF_UNIX, SOCK_STREAM, 0);
	SAY(bind(t, (void *)&un, 2)); /* a name of the kernel's choice */
	close(t);
	umask(0777);
	t = socket(AF_UNIX, SOCK_STREAM, 0);
	SAY(bind_(t, "umask"));
	umask(022);
	what("umask");
	SAY(fchmod(t, 0600));
	what("umask");
	close(t);
}

static void datagrams(void)
{
	int a = socket(AF_UNIX, SOCK_DGRAM, 0), b = socket(AF_UNIX, SOCK_DGRAM, 0), c = socket(AF_UNIX, SOCK_DGRAM, 0);
	char text[32] = { 0 };
	socklen_t n;

	part("datagrams");
	SAY(bind_(a, "da"));
	SAY(bind_(b, "db"));
	n = at("da");
	SAY(sendto(b, "hello", 5, 0, (void *)&un, n));
	n = sizeof un;
	memset(&un, 0, sizeof un);
	SAY(recvfrom(a, text, 32, 0, (void *)&un, &n));
	say("%s from %u \"%s\"", text, n, un.sun_path);
	SAY(sendto(a, "answer", 6, 0, (void *)&un, n));
	SAY(recv(b, text, 32, 0));
	n = at("none");
	SAY(sendto(b, "x", 1, 0, (void *)&un, n));
	n = at("da");
	SAY(sendto(c, "nameless", 8, 0, (void *)&un, n));
	n = sizeof un;
	SAY(recvfrom(a, text, 3, MSG_TRUNC, (void *)&un, &n));
	SAY(connect_(c, "da"));
	name(c);
	SAY(send(c, "x", 1, 0));
	SAY(connect_(a, "db"));
	SAY(send(c, "x", 1, 0));
	SAY(rename("da", "dc"));
	n = at("da");
	SAY(sendto(b, "x", 1, MSG_DONTWAIT, (void *)&un, n));
	n = at("dc");
	SAY(sendto(b, "x", 1, MSG_DONTWAIT, (void *)&un, n));
	name(a);
	SAY(unlink("dc"));
	SAY(send(c, "x", 1, MSG_DONTWAIT));
	close(a);
	SAY(send(c, "x", 1, MSG_DONTWAIT));
	close(b);
	close(c);
}

static void packets(const char *top)
{
	int s = socket(AF_UNIX, SOCK_SEQPACKET, 0), t = socket(AF_UNIX, SOCK_STREAM, 0), a, fd;
	struct ucred cred;
	socklen_t n = sizeof cred;
	char path[200], text[32] = { 0 };
	pid_t pid;

	part("packets, and other processes");
	snprintf(path, sizeof path, "%s/p", top);
	SAY(bind_(s, path));
	SAY(listen(s, 5));
	SAY(connect_(t, "p")); /* another type */
	pid = fork();
	if (pid == 0) {
		close(t);
		t = socket(AF_UNIX, SOCK_SEQPACKET, 0);
		if (getuid() == 0)
			setuid(0);
		if (connect_(t, "p"))
			_exit(1);
		send(t, "one", 3, 0);
		send(t, "two", 3, 0);
		recv(t, text, 32, 0);
		_exit(strcmp(text, "three") != 0);
	}
	a = accept4(s, NULL, NULL, SOCK_CLOEXEC);
	SAY(recv(a, text, 32, 0));
	SAY(recv(a, text, 32, 0));
	SAY(send(a, "three", 5, 0));
	SAY(getsockopt(a, SOL_SOCKET, SO_PEERCRED, &cred, &n));
	say("%d %u %u", cred.pid == pid, cred.uid, cred.gid);
	ended(pid);
	SAY(recv(a, text, 32, 0));
	SAY(send(a, "x", 1, MSG_NOSIGNAL));
	close(a);
	/* who may: the mode of the socket says */
	if (getuid() == 0) {
		chmod(top, 0755);
		SAY(chmod("p", 0600));
		CHILD(setuid(1500); t = socket(AF_UNIX, SOCK_SEQPACKET, 0); SAY(connect_(t, "p")); SAY(bind_(t, "q")));
		SAY(chmod("p", 0666));
		CHILD(setuid(1500); t = socket(AF_UNIX, SOCK_SEQPACKET, 0); SAY(connect_(t, "p")));
	}
	/* from another directory, through a descriptor's path, by a link */
	SAY(mkdir("sub", 0755));
	CHILD(chdir("sub"); t = socket(AF_UNIX, SOCK_SEQPACKET, 0); SAY(connect_(t, "../p")));
	SAY(symlink("p", "pl"));
	CHILD(t = socket(AF_UNIX, SOCK_SEQPACKET, 0); SAY(connect_(t, "pl")));
	fd = open(".", O_PATH | O_DIRECTORY);
	snprintf(path, sizeof path, "/proc/self/fd/%d/p", fd);
	CHILD(t = socket(AF_UNIX, SOCK_SEQPACKET, 0); SAY(connect_(t, path)));
	/* and by a program that does not know */
	close(s);
	s = socket(AF_UNIX, SOCK_STREAM, 0);
	SAY(bind_(s, "web"));
	SAY(listen(s, 5));
	pid = fork();
	if (pid == 0)
		execlp("python3", "python3", "-c",
		       "import socket; s = socket.socket(socket.AF_UNIX); s.connect('web'); s.send(b'py')", NULL);
	a = accept(s, NULL, NULL);
	SAY(recv(a, text, 32, MSG_WAITALL));
	ended(pid);
	SAY(read(s, text, 1));
	SAY(lseek(s, 0, SEEK_SET));
}

int main(int argc, char **argv)
{
	posix_begin(argc, argv);
	binding();
	datagrams();
	packets(argv[1]);
	return 0;
}
