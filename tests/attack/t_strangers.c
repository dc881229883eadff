/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * t_strangers.c - descriptors from strangers: whoever connects may send some, and closing one may take for ever: of a
 * file whose FUSE server is silent, of a TCP socket that lingers. The supervisor must never come to close one, on
 * kernels too that let a socket refuse descriptors no more than Linux 6.1 does: who attaches meanwhile is served at
 * once, and SIGTERM ends the domain.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/attack/attack.h"
#include "tests/attack/fuse.h"

#define HELD 8       /* connections at once: fewer than a user may have */
#define CROWD 80     /* more than that */
#define LINGER_S 100 /* longer than any test waits */

static struct fuse fuse;
static char mount_point[96];
static int (*make)(void); /* a descriptor that is hard to close */

/* ---- descriptors ---- */

static int fuse_file(void)
{
	char path[128];
	int fd;

	snprintf(path, sizeof path, "%s/" FUSE_FILE, mount_point);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	CHECK(fd >= 0);
	return fd;
}

/* A socket with more to send than the other end, which does not read, will take. */
static int lingering_socket(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t size = sizeof address;
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), small = 4096;
	struct linger linger = { 1, LINGER_S };
	static char bytes[65536];

	CHECK(listener >= 0 && fd >= 0);
	setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
	CHECK(!bind(listener, (struct sockaddr *)&address, size) && !listen(listener, 1));
	CHECK(!getsockname(listener, (struct sockaddr *)&address, &size));
	CHECK(!connect(fd, (struct sockaddr *)&address, size));
	CHECK(accept4(listener, NULL, NULL, SOCK_CLOEXEC) >= 0); /* open until we end */
	close(listener);
	while (send(fd, bytes, sizeof bytes, MSG_DONTWAIT) > 0)
		;
	CHECK(!setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger));
	return fd;
}

/* ---- ways of sending them ---- */

static int connect_anyhow(void)
{
	int sock = attack_connect();

	if (sock < 0)
		attack_wrong("connect: %s", strerror(-sock));
	return sock;
}

static void nothing(int signal)
{
	(void)signal;
}

/* Should we be the last to close after all, we do not linger. */
static void close_soon(int fd)
{
	struct itimerval often = { { 0, 50000 }, { 0, 50000 } }, never = { 0 };
	struct sigaction action = { .sa_handler = nothing };

	CHECK(!sigaction(SIGALRM, &action, NULL) && !setitimer(ITIMER_REAL, &often, NULL));
	close(fd);
	setitimer(ITIMER_REAL, &never, NULL);
}

/* `n` of the same, no longer ours: the receiver's are the last. */
static void give(int sock, const void *bytes, size_t size, int n)
{
	int fd = make(), fds[20];

	for (int i = 0; i < n; i++)
		fds[i] = fd;
	attack_send(sock, bytes, size, fds, n);
	close_soon(fd);
}

static const struct fc_msg hello = { .magic = FC_MSG_MAGIC, .type = FC_MSG_HELLO, .arg = { FC_ABI_MAJOR } };
static const struct fc_msg figures = { .magic = FC_MSG_MAGIC, .type = FC_MSG_STAT }; /* takes a while to answer */

/* With a request, the connection held open. */
static void held(void)
{
	int sock[HELD];

	for (int i = 0; i < HELD; i++) {
		sock[i] = connect_anyhow();
		give(sock[i], &hello, sizeof hello, 1 + i % 4);
	}
	attack_sleep_ms(700);
	for (int i = 0; i < HELD; i++)
		close_soon(sock[i]);
}

/* With a request, nonsense, or behind requests, and gone. */
static void closed(void)
{
	for (int i = 0; i < 24; i++) {
		int sock = connect_anyhow();

		for (int before = i % 4; before; before--)
			attack_send(sock, i % 8 < 4 ? &hello : &figures, sizeof hello, NULL, 0);
		for (int empty = i / 4 % 3; empty; empty--) /* which looks like the end, and is not */
			attack_send(sock, "", 0, NULL, 0);
		if (i % 3)
			give(sock, &hello, sizeof hello, 1);
		else
			give(sock, "nonsense", 8, i % 2 ? 1 : 20);
		if (i % 5 == 0)
			give(sock, &hello, sizeof hello, 2);
		if (i % 2)
			attack_sleep_ms(3);
		close_soon(sock);
	}
}

/* More connections than there may be: the last are turned away with what they have brought. */
static void crowd(void)
{
	int sock[CROWD];

	for (int i = 0; i < CROWD; i++) {
		sock[i] = connect_anyhow();
		give(sock[i], &hello, sizeof hello, 1);
	}
	attack_sleep_ms(300);
	for (int i = 0; i < CROWD; i++)
		close_soon(sock[i]);
}

static void send_all(void)
{
	static void (*const way[])(void) = { held, closed, crowd };

	for (unsigned i = 0; i < sizeof way / sizeof way[0]; i++) {
		if (make == fuse_file)
			fuse_silence(&fuse);
		way[i]();
		attack_sleep_ms(300);
	}
}

/* ---- the mount ---- */

static void mount_fuse(void)
{
	fuse_start(&fuse, mount_point, true);
}

static void prepare(void)
{
	/* the mount is nobody else's business */
	CHECK(!unshare(CLONE_NEWNS) && !mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	snprintf(mount_point, sizeof mount_point, "%s/fuse", attack_domain.directory);
	CHECK(!mkdir(mount_point, 0755));
	mount_fuse();
}

static void remount(void)
{
	fuse_stop(&fuse);
	mount_fuse();
}

/* ---- the end, in the middle of it ---- */

static pid_t hold_on(int (*kind)(void), unsigned connections)
{
	int pair[2];
	char byte;
	pid_t pid;

	CHECK(!pipe(pair));
	pid = fork();
	CHECK(pid >= 0);
	if (!pid) {
		setpgid(0, 0);
		become(ATTACKER);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		make = kind;
		if (kind == fuse_file)
			fuse_silence(&fuse);
		for (unsigned i = 0; i < connections; i++)
			give(attack_connect(), &hello, sizeof hello, 1);
		CHECK(write(pair[1], "", 1) == 1);
		for (;;)
			pause();
	}
	CHECK(read(pair[0], &byte, 1) == 1);
	close(pair[0]);
	close(pair[1]);
	return pid;
}

int main(void)
{
	static const struct attack_setup setup = {
		.under = "h_old_kernel", .prepare = prepare, .after = remount, .greedy = true
	};
	pid_t holder[4];
	int status;

	attack_begin(&setup);
	make = fuse_file;
	attack_by(ATTACKER, "descriptors of a FUSE file whose server is silent", send_all);
	make = lingering_socket;
	attack_by(ATTACKER, "descriptors of a socket that lingers", send_all);
	holder[0] = hold_on(fuse_file, 4);
	holder[1] = hold_on(lingering_socket, 4);
	attack_sleep_ms(300);
	/* and some that it has not even accepted when it is told to end */
	kill(attack_domain.pid, SIGSTOP);
	holder[2] = hold_on(fuse_file, 30);
	holder[3] = hold_on(lingering_socket, 30);
	kill(attack_domain.pid, SIGTERM);
	kill(attack_domain.pid, SIGCONT);
	status = attack_end();
	fuse_stop(&fuse);
	for (int i = 0; i < 4; i++) {
		kill(holder[i], SIGKILL);
		waitpid(holder[i], NULL, 0);
	}
	return status;
}
