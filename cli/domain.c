/* SPDX-License-Identifier: GPL-2.0-or-later */
/* domain.c - starts and ends private domains, and asks domains what they serve (domain.h). */
#define _GNU_SOURCE
#include "cli/domain.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/time.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/device.h"
#include "cli/locate.h"
#include "common/control.h"
#include "farcall/farcall.h"

#define STOP_MS 3000

/* ---- a daemon of our own ---- */

/* An export as it was given, its directory absolute. */
static char *absolute_export(char *text)
{
	char *cwd, *all;

	if (text[0] == '/')
		return text;
	cwd = getcwd(NULL, 0);
	if (!cwd || asprintf(&all, "%s/%s", cwd, text) < 0) {
		fc_say("-v %s: cannot make it an absolute path: %s", text, strerror(errno));
		_exit(FC_EXIT_OWN);
	}
	free(cwd);
	return all;
}

/* The domain of a root is open to everybody who knows where its socket is: the name must show neither among the
 * daemon's arguments nor in /proc/net/unix. So the daemon binds it from within its directory. */
static const char *enter_directory(const char *socket)
{
	char *directory = strdup(socket), *slash = directory ? strrchr(directory, '/') : NULL;

	if (slash)
		*slash = '\0';
	if (!slash || chdir(directory)) {
		fc_say("cannot go to the directory of %s: %s", socket, strerror(errno));
		_exit(FC_EXIT_OWN);
	}
	free(directory);
	return strrchr(socket, '/') + 1;
}

/*
 * The terminal's signals are not for the daemon, nor is the terminal. Not a session of its own: that would be a scheduling group of its own (sched(7), autogroup), and who
 * gives the CPU away for the other, as client and domain do, gives it to his own group.
 */
static void leave_terminal(void)
{
	const int terminal = open("/dev/tty", O_RDONLY | O_NOCTTY | O_CLOEXEC);

	setpgid(0, 0);
	if (terminal < 0)
		return;
	ioctl(terminal, TIOCNOTTY);
	close(terminal);
}

static void exec_daemon(const char *daemon, char *const *exports, const char *socket, bool any_root, int ready,
			const struct fc_forward *forward)
{
	char *argv[2 * FC_EXPORTS_MAX + 11];
	char number[16];
	int n = 0, null = open("/dev/null", O_RDWR);

	if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || fcntl(ready, F_SETFD, 0))
		_exit(FC_EXIT_OWN);
	if (null > 2)
		close(null);
	leave_terminal();
	snprintf(number, sizeof(number), "%d", ready);
	argv[n++] = (char *)"farcall-storaged";
	argv[n++] = (char *)"--die-with-parent";
	argv[n++] = (char *)"--ready-fd";
	argv[n++] = number;
	argv[n++] = (char *)"--mode";
	argv[n++] = (char *)"0666";
	if (any_root)
		argv[n++] = (char *)"--any-root";
	for (; *exports; exports++) {
		argv[n++] = (char *)"-v";
		argv[n++] = absolute_export(*exports);
	}
	argv[n++] = (char *)"--socket";
	argv[n++] = (char *)enter_directory(socket);
	argv[n] = NULL;
	fc_forward_undo(forward);
	execv(daemon, argv);
	fc_say("cannot start %s: %s", daemon, strerror(errno));
	_exit(FC_EXIT_OWN);
}

/* Until the daemon has written to `ready`, closed it, or a fatal signal is there. Returns 1, 0 or the negated signal. */
static int wait_ready(int ready, struct fc_forward *forward)
{
	struct pollfd p[2] = { { .fd = ready, .events = POLLIN }, { .fd = forward->signals, .events = POLLIN } };

	while (1) {
		char byte;

		if (poll(p, 2, -1) < 0)
			continue;
		if (p[1].revents) {
			int signo = fc_forward_next(forward, 0);

			if (fc_forward_is_fatal(signo))
				return -signo;
		}
		if (p[0].revents)
			return read(ready, &byte, 1) == 1;
	}
}

pid_t fc_domain_start(char *const *exports, const char *socket, bool any_root, struct fc_forward *forward)
{
	const char *daemon = fc_locate_daemon();
	int ready[2], state;
	pid_t pid;

	if (pipe2(ready, O_CLOEXEC))
		fc_die(FC_EXIT_OWN, "pipe: %s", strerror(errno));
	pid = fork();
	if (pid < 0)
		fc_die(FC_EXIT_OWN, "fork: %s", strerror(errno));
	if (!pid)
		exec_daemon(daemon, exports, socket, any_root, ready[1], forward);
	close(ready[1]);
	state = wait_ready(ready[0], forward);
	close(ready[0]);
	if (state == 1)
		return pid;
	fc_domain_stop(pid);
	return state;
}

void fc_domain_stop(pid_t pid)
{
	int fd = pidfd_open(pid, 0);
	struct pollfd p = { .fd = fd, .events = POLLIN };

	kill(pid, SIGTERM);
	if (fd < 0 || poll(&p, 1, STOP_MS) != 1)
		kill(pid, SIGKILL);
	if (fd >= 0)
		close(fd);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

/* ---- any domain ---- */

/* Connected, and not for ever: a domain that hangs must not hang us. */
static int connect_to(const char *path)
{
	struct timeval limit = { .tv_sec = 10 };
	int sock = fc_control_connect(path);

	if (sock >= 0)
		setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	return sock;
}

static const char *connect_problem(const char *socket, int err)
{
	static char text[300];
	const char *what;

	if (err == -ENOENT)
		what = "no such socket; start a domain there with `farcall serve -v DIR:PREFIX --socket PATH`";
	else if (err == -ECONNREFUSED)
		what = "no domain is listening there any more; start it again with `farcall serve`";
	else if (err == -EACCES)
		what = "permission denied; `farcall serve --mode` sets who may connect";
	else
		what = strerror(-err);
	snprintf(text, sizeof(text), "%s: %s", socket, what);
	return text;
}

const char *fc_domain_address(struct fc_domain *domain, const char *text)
{
	static char wrong[300];
	char *path;

	domain->xen = !strncmp(text, "xen:", 4) || (!strchr(text, '/') && access(text, F_OK));
	if (domain->xen) {
		text += strncmp(text, "xen:", 4) ? 0 : 4;
		if (!fc_device_name_ok(text)) {
			snprintf(wrong, sizeof(wrong), "%s: neither a socket nor the name of a Xen domain", text);
			return wrong;
		}
		strcpy(domain->address, text);
		return NULL;
	}
	path = realpath(text, NULL); /* if it is not there, the error names what was given */
	if (snprintf(domain->address, sizeof(domain->address), "%s", path ? path : text) <
	    (int)sizeof(domain->address)) {
		free(path);
		return NULL;
	}
	free(path);
	snprintf(wrong, sizeof(wrong), "%s: a socket's path can have %zu bytes at most", text,
		 sizeof(domain->address) - 1);
	return wrong;
}

/* Take a HELLO's text apart: "rw PREFIX" NUL "ro PREFIX" NUL ..., with one more NUL behind it. False if it is anything
 * else. */
static bool read_exports(struct fc_domain *domain, const char *at, size_t size, uint64_t count)
{
	const char *end = at + size;

	domain->nexports = 0;
	while (at < end) {
		size_t length = strlen(at);
		char *prefix;

		if (domain->nexports == FC_EXPORTS_MAX || length < 5 || length - 3 > FC_PREFIX_MAX ||
		    (memcmp(at, "rw ", 3) && memcmp(at, "ro ", 3)))
			return false;
		prefix = domain->export[domain->nexports].prefix;
		domain->export[domain->nexports].read_only = at[1] == 'o';
		memcpy(prefix, at + 3, length - 2);
		if (fc_prefix_normalize(prefix) || strcmp(prefix, at + 3) || strchr(prefix, '\n'))
			return false;
		domain->nexports++;
		at += length + 1;
	}
	return domain->nexports == count && count;
}

static const char *trust_problem(const char *socket, unsigned uid)
{
	static char text[400];
	const struct passwd *user = getpwuid(uid);

	snprintf(text, sizeof(text),
		 "%s: this domain is run by user %u (%.64s), neither root nor you, who then has in hand what the "
		 "command does with "
		 "its files; if you trust that user, give --trust-domain",
		 socket, uid, user ? user->pw_name : "no name");
	return text;
}

static const char *ask_socket(struct fc_domain *domain)
{
	static char text[300];
	struct fc_packet answer = { .nfds = 0 };
	struct fc_msg hello = { .type = FC_MSG_HELLO, .arg = { FC_ABI_MAJOR, FC_ABI_MINOR } };
	int sock = connect_to(domain->address);
	unsigned uid;
	bool good;
	int err;

	if (sock < 0)
		return connect_problem(domain->address, sock);
	if (!domain->trusted && !fc_control_trusted(sock, &uid)) {
		close(sock);
		return trust_problem(domain->address, uid);
	}
	err = fc_control_ask(sock, &hello, NULL, NULL, 0, &answer);
	close(sock);
	good = !err && read_exports(domain, answer.text, answer.head.size, answer.head.arg[3]);
	fc_packet_drop(&answer);
	if (good)
		return NULL;
	if (err == -EPROTONOSUPPORT)
		snprintf(text, sizeof(text),
			 "%s: the domain speaks ABI %u.%u, this farcall %d.%d; run both from the same release",
			 domain->address, (unsigned)answer.head.arg[0], (unsigned)answer.head.arg[1], FC_ABI_MAJOR,
			 FC_ABI_MINOR);
	else
		snprintf(text, sizeof(text), "%s: not a farcall domain, or not of this release (%s)", domain->address,
			 err ? strerror(-err) : "its answer makes no sense");
	return text;
}

static const char *ask_device(struct fc_domain *domain)
{
	static char problem[300];
	char text[FC_IOC_TEXT_MAX + 1];
	struct fc_ioc_list entry;
	int r = fc_device_find(domain->address, &entry, text);

	if (r < 0)
		return fc_device_problem(domain->address, r);
	text[entry.text_size] = '\0';
	if (entry.state == FC_DOMAIN_UP && read_exports(domain, text, entry.text_size, entry.exports))
		return NULL;
	snprintf(problem, sizeof(problem), "%s: %s", domain->address,
		 entry.state == FC_DOMAIN_UP ? "what it says it serves makes no sense"
		 : entry.state == FC_DOMAIN_STARTING
			 ? "this Xen domain is not up yet"
			 : "this Xen domain is dead; `farcall domain restart` starts it again");
	return problem;
}

const char *fc_domain_ask(struct fc_domain *domain)
{
	return domain->xen ? ask_device(domain) : ask_socket(domain);
}

bool fc_domain_is_there(const struct fc_domain *domain)
{
	int sock = domain->xen ? -1 : connect_to(domain->address);
	unsigned uid;
	bool there = sock >= 0 && (domain->trusted || fc_control_trusted(sock, &uid));

	if (sock >= 0)
		close(sock);
	return there;
}

int fc_domain_sessions(const char *socket)
{
	struct fc_stat_domain stat;
	struct fc_packet answer = { .nfds = 0 };
	struct fc_msg ask = { .type = FC_MSG_STAT };
	int sock = connect_to(socket), err;

	if (sock < 0)
		return sock;
	err = fc_control_ask(sock, &ask, NULL, NULL, 0, &answer);
	close(sock);
	if (!err && (answer.nfds != 1 || pread(answer.fd[0], &stat, sizeof(stat), 0) != sizeof(stat)))
		err = -EPROTO;
	fc_packet_drop(&answer);
	return err ? err : (int)stat.sessions;
}
