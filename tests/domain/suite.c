/* SPDX-License-Identifier: GPL-2.0-or-later */
/* suite.c - the frame of the tests of a real farcall-storaged, see suite.h. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/domain/suite.h"

struct daemon suite_domain;
const char *suite_daemon;
static char **chosen; /* names of tests, null-terminated */

void suite_sleep_ms(int ms)
{
	nanosleep(&(struct timespec){ ms / 1000, ms % 1000 * 1000000 }, NULL);
}

void suite_as(uid_t uid, void (*what)(void))
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		become(uid);
		what();
		exit(0);
	}
	CHECK(waitpid(pid, &status, 0) == pid);
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		exit(1);
}

int64_t suite_open(struct session *s, const char *path, int flags)
{
	return CALL(s, SYS_openat, (uint64_t)AT_FDCWD, session_put(s, 0, path), flags, 0666);
}

/* ---- figures ---- */

static struct fc_packet stat_packet;

const struct fc_stat_domain *suite_stat(void)
{
	int sock = peer_connect(&suite_domain);
	const struct fc_stat_domain *d;

	CHECK_IS(peer_ask(sock, FC_MSG_STAT, 0, 0, &stat_packet), 0);
	CHECK_IS(stat_packet.nfds, 1);
	d = mmap(NULL, stat_packet.head.arg[0], PROT_READ, MAP_SHARED, stat_packet.fd[0], 0);
	CHECK(d != MAP_FAILED && d->magic == FC_STAT_MAGIC && d->size == sizeof *d);
	CHECK_IS(d->size + d->sessions * (uint64_t)d->session_size, stat_packet.head.arg[0]);
	CHECK(fcntl(stat_packet.fd[0], F_GET_SEALS) & F_SEAL_WRITE);
	fc_packet_drop(&stat_packet);
	close(sock);
	return d;
}

void suite_stat_free(const struct fc_stat_domain *d)
{
	munmap((void *)d, stat_packet.head.arg[0]);
}

const struct fc_stat_session *suite_stat_find(const struct fc_stat_domain *d, uint32_t id)
{
	const struct fc_stat_session *s = (const void *)(d + 1);

	for (uint32_t i = 0; i < d->sessions; i++)
		if (s[i].id == id)
			return &s[i];
	return NULL;
}

pid_t suite_shadow(uint32_t id)
{
	const struct fc_stat_domain *d = suite_stat();
	const struct fc_stat_session *s = suite_stat_find(d, id);
	pid_t pid = s ? (pid_t)s->shadow_pid : 0;

	suite_stat_free(d);
	return pid;
}

/* ---- rounds ---- */

static int descriptors(pid_t pid)
{
	char path[64];
	DIR *d;
	int n = 0;

	snprintf(path, sizeof path, "/proc/%d/fd", pid);
	d = opendir(path);
	if (!d)
		return -1; /* not root: it is not ours to see */
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static bool is_chosen(const char *name)
{
	for (char **c = chosen; *c; c++)
		if (!strcmp(*c, name))
			return true;
	return !*chosen;
}

static void run_tests(const struct suite *s, uid_t uid)
{
	for (const struct suite_test *t = s->test; t->name; t++) {
		if (!is_chosen(t->name))
			continue;
		printf("%s: %s\n", uid == (uid_t)-1 ? "ourselves" : "user", t->name);
		fflush(stdout);
		suite_as(uid, t->run);
	}
	if (uid == (uid_t)-1 && geteuid() == 0 && s->by_root)
		suite_as(-1, s->by_root);
	if (uid != (uid_t)-1 && s->by_others) {
		suite_as(-1, s->by_others);
		suite_as(uid + 1, s->by_others);
	}
}

/* A process of its own: it inherits the domain's orphans, and its ids are used up. */
static void round_of(const struct suite *s, uid_t uid)
{
	/* open to all, so that it is the domain and not the socket that refuses */
	const char *extra[] = { "--log-level", "error", "--mode", "0666", NULL };
	int before;

	suite_domain.uid = uid;
	daemon_start(&suite_domain, suite_daemon, extra);
	suite_sleep_ms(100);
	before = descriptors(suite_domain.pid);
	run_tests(s, uid);
	for (int i = 0; i < 100 && descriptors(suite_domain.pid) != before; i++)
		suite_sleep_ms(10);
	CHECK_IS(descriptors(suite_domain.pid), before);
	CHECK(!prctl(PR_SET_CHILD_SUBREAPER, 1));
	become(uid);
	suite_domain.uid = -1;
	if (s->last)
		s->last();
	else
		CHECK_IS(daemon_stop(&suite_domain), 0);
}

int suite_main(const struct suite *s, int argc, char **argv)
{
	const uid_t round[2] = { -1, SUITE_USER };

	if (argc < 2) {
		fprintf(stderr, "usage: %s DAEMON [TEST...]\n", argv[0]);
		return 2;
	}
	suite_daemon = argv[1];
	chosen = argv + 2;
	for (int i = 0; i < (geteuid() == 0 ? 2 : 1); i++) {
		int status;
		pid_t pid = fork();

		if (!pid) {
			round_of(s, round[i]);
			exit(0);
		}
		CHECK(waitpid(pid, &status, 0) == pid);
		if (!WIFEXITED(status) || WEXITSTATUS(status))
			return 1;
	}
	return 0;
}
