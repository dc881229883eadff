/* SPDX-License-Identifier: GPL-2.0-or-later */
/* h_sockets.c - Unix sockets with a path: bind, connect, sendto, names, credentials, what is at the path; inherited and passed on. */
#include "e2e.h"

#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

static socklen_t address(struct sockaddr_un *un, const char *path)
{
	memset(un, 0, sizeof *un);
	un->sun_family = AF_UNIX;
	strcpy(un->sun_path, path);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path) + 1);
}

static int bind_to(int sock, const char *path)
{
	struct sockaddr_un un;

	return bind(sock, (struct sockaddr *)&un, address(&un, path));
}

static int connect_to(int sock, const char *path)
{
	struct sockaddr_un un;

	return connect(sock, (struct sockaddr *)&un, address(&un, path));
}

/* As sendto and sendmsg, which must agree. */
static long send_to(int sock, const char *path)
{
	struct sockaddr_un un;
	struct iovec iov = { "x", 1 };
	socklen_t length = address(&un, path);
	struct msghdr m = { .msg_name = &un, .msg_namelen = length, .msg_iov = &iov, .msg_iovlen = 1 };
	long r = sendmsg(sock, &m, 0);
	int error = errno;

	EQUAL(sendto(sock, "x", 1, 0, (struct sockaddr *)&un, length), r);
	EQUAL(errno, error);
	return r;
}

static int stream(void)
{
	return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static void names(int sock, const char *path)
{
	struct sockaddr_un un = { 0 };
	socklen_t size = sizeof un;

	EQUAL(getsockname(sock, (struct sockaddr *)&un, &size), 0);
	EQUAL(size, offsetof(struct sockaddr_un, sun_path) + strlen(path) + 1);
	CHECK(!strcmp(un.sun_path, path));
}

static void streams(void)
{
	int listener = stream(), caller = stream(), accepted, other = stream();
	struct ucred cred;
	socklen_t size = sizeof cred;
	struct stat st;
	char text[8] = { 0 };

	umask(027);
	EQUAL(bind_to(listener, in_dir("sock")), 0);
	umask(022);
	EQUAL(stat(in_dir("sock"), &st), 0);
	EQUAL(st.st_mode, S_IFSOCK | 0750);
	EQUAL(st.st_uid, geteuid());
	names(listener, in_dir("sock"));
	FAILS(bind_to(other, in_dir("sock")), EADDRINUSE);
	FAILS(bind_to(listener, in_dir("sock2")), EINVAL);
	FAILS(connect_to(caller, in_dir("sock")), ECONNREFUSED);
	EQUAL(listen(listener, 3), 0);
	EQUAL(connect_to(caller, in_dir("sock")), 0);
	accepted = accept(listener, NULL, NULL);
	EQUAL(getsockopt(accepted, SOL_SOCKET, SO_PEERCRED, &cred, &size), 0);
	EQUAL(cred.pid, getpid());
	EQUAL(getsockopt(caller, SOL_SOCKET, SO_PEERCRED, &cred, &size), 0);
	EQUAL(cred.pid, getpid());
	EQUAL(write(caller, "hello", 5), 5);
	EQUAL(read(accepted, text, 8), 5);
	FAILS(connect_to(caller, in_dir("sock")), EISCONN);
	FAILS(send_to(caller, in_dir("none")), EISCONN);
	FAILS(send_to(listener, in_dir("none")), EOPNOTSUPP);
	FAILS(open(in_dir("sock"), O_RDWR), ENXIO);
	EQUAL(chmod(in_dir("sock"), 0600), 0);
	EQUAL(rename(in_dir("sock"), in_dir("moved")), 0);
	EQUAL(connect_to(other, in_dir("moved")), 0);
	EQUAL(unlink(in_dir("moved")), 0);
	close(other);
	other = stream();
	FAILS(connect_to(other, in_dir("moved")), ENOENT);
	FAILS(connect_to(other, in_dir("file")), ECONNREFUSED);
	FAILS(connect_to(other, in_dir(".")), ECONNREFUSED);
	FAILS(connect_to(other, in_dir("file/x")), ENOTDIR);
	FAILS(bind_to(other, in_dir("file")), EADDRINUSE);
	FAILS(bind_to(other, in_dir("none/x")), ENOENT);
	FAILS(connect_to(open(in_dir("file"), O_RDONLY), in_dir("sock")), ENOTSOCK);
	FAILS(bind_to(open(in_dir("file"), O_RDONLY), in_dir("sock")), ENOTSOCK);
	FAILS(bind_to(777, in_dir("sock")), EBADF);
	close(accepted);
	close(caller);
	close(listener);
	close(other);
}

/* From the current directory, through links out and in, and what has been bound elsewhere. */
static void places(void)
{
	int listener = stream(), caller = stream(), local = stream();
	char path[200], outside[64];

	EQUAL(chdir(in_dir("d")), 0);
	EQUAL(bind_to(listener, "rel"), 0);
	EQUAL(listen(listener, 8), 0);
	names(listener, "rel");
	EQUAL(connect_to(caller, "../d/./rel"), 0);
	EQUAL(access(in_dir("d/rel"), F_OK), 0);
	close(caller);
	caller = stream();
	EQUAL(symlink("rel", "link"), 0);
	EQUAL(connect_to(caller, in_dir("d/link")), 0);
	FAILS(bind_to(caller, in_dir("d/link")), EADDRINUSE);
	FAILS(bind_to(local, "link"), EADDRINUSE);
	close(caller);

	snprintf(outside, sizeof outside, "/tmp/fc-socket.%d", getpid());
	EQUAL(mkdir(outside, 0700), 0);
	EQUAL(symlink(outside, "out"), 0);
	EQUAL(bind_to(local, "out/s"), 0);
	EQUAL(listen(local, 8), 0);
	snprintf(path, sizeof path, "%s/s", outside);
	EQUAL(access(path, F_OK), 0);
	caller = stream();
	EQUAL(connect_to(caller, path), 0);
	close(caller);
	caller = stream();
	EQUAL(connect_to(caller, in_dir("d/out/s")), 0);
	close(caller);
	EQUAL(unlink(path), 0);
	snprintf(path, sizeof path, "%s/in", outside);
	EQUAL(symlink(in_dir("d"), path), 0);
	strcat(path, "/rel");
	caller = stream();
	EQUAL(connect_to(caller, path), 0);
	close(caller);
	path[strlen(path) - 4] = 0;
	EQUAL(unlink(path), 0);
	EQUAL(rmdir(outside), 0);
	close(listener);
	close(local);
}

static void datagrams(void)
{
	int receiver = socket(AF_UNIX, SOCK_DGRAM, 0), sender = socket(AF_UNIX, SOCK_DGRAM, 0);
	struct sockaddr_un un, from;
	socklen_t size = sizeof from;
	char text[16] = { 0 };
	struct iovec iov = { "mm", 2 };
	struct mmsghdr two[2];

	EQUAL(bind_to(receiver, in_dir("dgram")), 0);
	EQUAL(bind_to(sender, in_dir("sender")), 0);
	socklen_t length = address(&un, in_dir("dgram"));
	EQUAL(sendto(sender, "one", 3, 0, (struct sockaddr *)&un, length), 3);
	EQUAL(recvfrom(receiver, text, sizeof text, 0, (struct sockaddr *)&from, &size), 3);
	CHECK(!strcmp(from.sun_path, in_dir("sender")));
	memset(two, 0, sizeof two);
	for (int i = 0; i < 2; i++)
		two[i].msg_hdr =
			(struct msghdr){ .msg_name = &un, .msg_namelen = length, .msg_iov = &iov, .msg_iovlen = 1 };
	EQUAL(sendmsg(sender, &two[0].msg_hdr, 0), 2);
	EQUAL(sendmmsg(sender, two, 2, 0), 2);
	EQUAL(two[1].msg_len, 2);
	for (int i = 0; i < 3; i++)
		EQUAL(recv(receiver, text, sizeof text, MSG_DONTWAIT), 2);
	EQUAL(connect_to(sender, in_dir("dgram")), 0);
	EQUAL(send(sender, "c", 1, 0), 1);
	length = address(&un, in_dir("nowhere"));
	FAILS(sendto(receiver, "one", 3, 0, (struct sockaddr *)&un, length), ENOENT);
	length = address(&un, in_dir("file"));
	FAILS(sendto(receiver, "one", 3, 0, (struct sockaddr *)&un, length), ECONNREFUSED);
	close(receiver);
	close(sender);
}

static void by_another(void)
{
	int listener = stream(), status;
	pid_t child;

	EQUAL(bind_to(listener, in_dir("listening")), 0);
	EQUAL(listen(listener, 8), 0);
	child = fork();
	if (!child)
		_exit(connect_to(stream(), in_dir("listening")) ? errno : 0);
	waitpid(child, &status, 0);
	EQUAL(status, 0);
	close(listener);
}

int main(int argc, char **argv)
{
	e2e_init(argc, argv);
	make_file("file", "text", 4);
	EQUAL(mkdir(in_dir("d"), 0755), 0);
	streams();
	places();
	datagrams();
	by_another();
	return e2e_status();
}
