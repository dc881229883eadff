/* SPDX-License-Identifier: GPL-2.0-or-later */
/* h_owner.c - whom a file's signals go to: F_SETOWN, F_SETOWN_EX, F_SETSIG, for files and directories, dup'd and forked; leases and their breaks. */
#include "e2e.h"

#include <limits.h>
#include <poll.h>

static volatile sig_atomic_t broken, of, code;

static void on_break(int sig, siginfo_t *info, void *context)
{
	(void)sig, (void)context;
	of = info->si_fd;
	code = info->si_code;
	broken++;
}

static void owners(int fd, bool shared_by_fork)
{
	struct f_owner_ex o = { F_OWNER_TID, gettid() };
	int again = dup(fd), status;
	pid_t child;

	EQUAL(fcntl(fd, F_GETOWN_EX, &o), 0);
	CHECK(o.type == F_OWNER_TID && o.pid == 0);
	EQUAL(fcntl(fd, F_GETOWN), 0);
	EQUAL(fcntl(fd, F_SETOWN, getpid()), 0);
	EQUAL(fcntl(again, F_GETOWN), getpid());
	EQUAL(fcntl(fd, F_SETOWN, -getpgrp()), 0);
	EQUAL(fcntl(again, F_GETOWN_EX, &o), 0);
	CHECK(o.type == F_OWNER_PGRP && o.pid == getpgrp());
	o = (struct f_owner_ex){ F_OWNER_TID, gettid() };
	EQUAL(fcntl(again, F_SETOWN_EX, &o), 0);
	EQUAL(fcntl(fd, F_GETOWN), gettid());
	o.type = 7;
	FAILS(fcntl(fd, F_SETOWN_EX, &o), EINVAL);
	o = (struct f_owner_ex){ F_OWNER_PID, 0x3fffff };
	FAILS(fcntl(fd, F_SETOWN_EX, &o), ESRCH);
	FAILS(fcntl(fd, F_SETOWN, -0x3fffff), ESRCH);
	FAILS(fcntl(fd, F_SETOWN, INT_MIN), EINVAL);
	FAILS(fcntl(fd, F_SETOWN_EX, 8L), EFAULT);
	FAILS(fcntl(fd, F_GETOWN_EX, 8L), EFAULT);
	EQUAL(fcntl(fd, F_GETOWN), gettid());
	child = fork();
	if (!child) {
		EQUAL(fcntl(fd, F_GETOWN), getppid());
		EQUAL(fcntl(fd, F_SETOWN, getpid()), 0);
		EQUAL(fcntl(again, F_GETOWN), getpid());
		_exit(e2e_status());
	}
	status = wait_status(child);
	EQUAL(status, 0);
	if (shared_by_fork) /* and has died */
		EQUAL(fcntl(fd, F_GETOWN), 0);
	EQUAL(fcntl(fd, F_SETOWN, 0), 0);
	EQUAL(fcntl(again, F_GETOWN_EX, &o), 0);
	CHECK(o.type == F_OWNER_PID && o.pid == 0);
	EQUAL(fcntl(fd, F_SETSIG, SIGUSR2), 0);
	EQUAL(fcntl(again, F_GETSIG), SIGUSR2);
	EQUAL(fcntl(fd, F_SETSIG, 0), 0);
	close(again);
}

/* Another process opens it; how is its exit status. */
static pid_t opener(const char *name, int flags)
{
	pid_t child = fork();

	if (!child) {
		int fd = open(in_dir(name), flags);

		_exit(fd >= 0 ? 0 : errno);
	}
	return child;
}

static void wait_for_break(void)
{
	for (int i = 0; i < 200 && !broken; i++)
		sleep_ms(10);
}

static void leases(int fd)
{
	struct sigaction sa = { .sa_sigaction = on_break, .sa_flags = SA_SIGINFO | SA_RESTART };
	int again, writer, status;
	pid_t child;

	sigaction(SIGUSR1, &sa, NULL);
	sigaction(SIGIO, &sa, NULL);
	EQUAL(fcntl(fd, F_SETSIG, SIGUSR1), 0);
	EQUAL(fcntl(fd, F_GETLEASE), F_UNLCK);
	FAILS(fcntl(fd, F_SETLEASE, F_UNLCK), EAGAIN);
	FAILS(fcntl(fd, F_SETLEASE, 77), EINVAL);
	EQUAL(fcntl(fd, F_SETLEASE, F_RDLCK), 0);
	again = dup(fd);
	EQUAL(fcntl(again, F_GETLEASE), F_RDLCK);
	EQUAL(fcntl(fd, F_GETOWN), getpid());
	EQUAL(broken, 0);
	FAILS(open(in_dir("leased"), O_WRONLY | O_NONBLOCK), EAGAIN);
	wait_for_break();
	EQUAL(broken, 1);
	EQUAL(of, fd);
	EQUAL(code, POLL_MSG);
	EQUAL(fcntl(fd, F_SETLEASE, F_UNLCK), 0);
	EQUAL(fcntl(fd, F_GETLEASE), F_UNLCK);
	/* another process waits until it is given up */
	broken = 0;
	EQUAL(fcntl(fd, F_SETLEASE, F_RDLCK), 0);
	child = opener("leased", O_WRONLY);
	wait_for_break();
	EQUAL(broken, 1);
	EQUAL(waitpid(child, &status, WNOHANG), 0);
	EQUAL(fcntl(fd, F_SETLEASE, F_UNLCK), 0);
	EQUAL(wait_status(child), 0);
	/* of the open file: gone with its last descriptor, not before */
	broken = 0;
	EQUAL(fcntl(fd, F_SETLEASE, F_RDLCK), 0);
	close(fd);
	EQUAL(fcntl(again, F_GETLEASE), F_RDLCK);
	EQUAL(wait_status(opener("leased", O_WRONLY | O_NONBLOCK)), EAGAIN << 8);
	close(again);
	writer = open(in_dir("leased"), O_WRONLY | O_NONBLOCK);
	CHECK(writer >= 0);
	fd = open(in_dir("leased"), O_RDONLY);
	FAILS(fcntl(fd, F_SETLEASE, F_RDLCK), EAGAIN);
	close(writer);
	close(fd);
	/* exclusive, and without F_SETSIG */
	fd = open(in_dir("leased"), O_RDWR);
	broken = 0;
	EQUAL(fcntl(fd, F_SETLEASE, F_WRLCK), 0);
	EQUAL(fcntl(fd, F_GETLEASE), F_WRLCK);
	EQUAL(wait_status(opener("leased", O_RDONLY | O_NONBLOCK)), EAGAIN << 8);
	wait_for_break();
	EQUAL(broken, 1);
	EQUAL(fcntl(fd, F_SETLEASE, F_UNLCK), 0);
	close(fd);
	if (geteuid() != 0) { /* somebody else's */
		fd = open("/etc/passwd", O_RDONLY);
		FAILS(fcntl(fd, F_SETLEASE, F_RDLCK), EACCES);
		close(fd);
	}
}

int main(int argc, char **argv)
{
	int file, directory, path;
	const bool handed = argc > 2 && (!strcmp(argv[2], "native") || !getenv("FC_NOMAP"));

	e2e_init(argc, argv);
	make_file("leased", "text", 4);
	file = open(in_dir("leased"), O_RDONLY);
	directory = open(in_dir("."), O_RDONLY);
	path = open(in_dir("leased"), O_PATH);
	owners(file, handed);
	owners(directory, !e2e_remote);
	FAILS(fcntl(path, F_SETOWN, getpid()), EBADF);
	FAILS(fcntl(path, F_GETOWN), EBADF);
	FAILS(fcntl(path, F_SETLEASE, F_RDLCK), EBADF);
	FAILS(fcntl(directory, F_SETLEASE, F_RDLCK), EINVAL);
	if (handed)
		leases(file);
	else
		FAILS(fcntl(file, F_SETLEASE, F_RDLCK), EINVAL);
	return e2e_status();
}
