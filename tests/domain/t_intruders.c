/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * t_intruders.c - a real farcall-storaged and those who do not keep to the protocol, or are not whom they would like to be: each
 * is cut off, alone, or refused. Also what its command line refuses. Arguments: see suite.h.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/domain/suite.h"

/* ---- nonsense ---- */

/* True if the kernel would not have it: descriptors for somebody who takes none (Linux 6.16). */
static bool send_raw(int sock, const void *bytes, size_t size, const int *fds, int nfds)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(64 * sizeof(int))];
	} control;
	struct iovec iov = { (void *)bytes, size };
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (nfds) {
		h.msg_control = &control;
		h.msg_controllen = CMSG_SPACE(nfds * sizeof(int));
		control.align = (struct cmsghdr){ .cmsg_len = CMSG_LEN(nfds * sizeof(int)),
						  .cmsg_level = SOL_SOCKET,
						  .cmsg_type = SCM_RIGHTS };
		memcpy(CMSG_DATA(&control.align), fds, nfds * sizeof(int));
	}
	return sendmsg(sock, &h, MSG_NOSIGNAL) < 0 && errno == EPERM;
}

/* Send bytes on a fresh connection, and on a session: each must be hung up on. */
static void refuse(const void *bytes, size_t size, const int *fds, int nfds)
{
	struct session s;
	int sock = peer_connect(&suite_domain);

	CHECK(send_raw(sock, bytes, size, fds, nfds) || peer_hangs_up(sock, 1000));
	close(sock);
	session_open(&s, &suite_domain);
	send_raw(s.sock, bytes, size, fds, nfds);
	CHECK(peer_hangs_up(s.sock, 1000));
	if (size)
		CHECK_IS(s.area->header.poisoned, 1);
	session_close(&s);
}

static void nonsense(void)
{
	struct fc_msg m = { .magic = FC_MSG_MAGIC, .type = FC_MSG_RLIMIT };
	char big[sizeof m + 3 * FC_MSG_TEXT];
	int fds[64], i;

	for (i = 0; i < 64; i++)
		fds[i] = 0;
	memset(big, 'x', sizeof big);
	refuse("", 0, NULL, 0);
	refuse("", 0, fds, 3);
	refuse("x", 1, NULL, 0);
	refuse(big, sizeof m, NULL, 0);
	refuse(big, sizeof big, fds, 64);
	m.type = 99;
	refuse(&m, sizeof m, NULL, 0);
	m.type = 257; /* what is said between supervisor and shadow */
	refuse(&m, sizeof m, fds, 1);
	m.type = FC_MSG_GONE;
	refuse(&m, sizeof m, fds, 1);
	refuse(&m, sizeof m, fds, 5);
	m.size = 10;
	refuse(&m, sizeof m, NULL, 0);
	memcpy(big, &m, sizeof m);
	refuse(big, sizeof m + 10, NULL, 0);
}

/* ---- areas that are none ---- */

static int header_of(int fd)
{
	struct fc_area_header h = { .magic = FC_ABI_MAGIC,
				    .major = FC_ABI_MAJOR,
				    .entries = FC_ENTRIES,
				    .size = sizeof(struct fc_request_area) };

	CHECK(pwrite(fd, &h, sizeof h, 0) == sizeof h);
	return fd;
}

static void refuse_areas(int area, int data, uint64_t size)
{
	int sock = peer_connect(&suite_domain), fds[2] = { area, data };

	CHECK_IS(peer_ask(sock, FC_MSG_ATTACH, 022, -1ull, NULL), 0);
	CHECK_IS(peer_ask_fds(sock, FC_MSG_AREAS, size, fds, 2, NULL), -EPIPE);
	close(sock);
	close(area);
	close(data);
}

/* What brings a descriptor before there are areas. */
static void refuse_before_areas(unsigned type)
{
	int sock = peer_connect(&suite_domain), fd = open("/dev/null", O_RDWR);

	CHECK_IS(peer_ask(sock, FC_MSG_ATTACH, 022, -1ull, NULL), 0);
	CHECK_IS(peer_ask_fds(sock, type, 64, &fd, 1, NULL), -EPIPE);
	close(sock);
	close(fd);
}

static int odd_memfd(uint64_t size, unsigned flags, int seals)
{
	int fd = memfd_create("odd", MFD_CLOEXEC | MFD_ALLOW_SEALING | flags);

	if (fd >= 0 && (ftruncate(fd, size) || (seals && fcntl(fd, F_ADD_SEALS, seals))))
		CHECK(!"odd memfd");
	return fd;
}

static void refuse_growth(int fd, uint64_t size)
{
	struct session s;

	session_open(&s, &suite_domain);
	CHECK_IS(peer_ask_fds(s.sock, FC_MSG_GROW, size, &fd, 1, NULL), -EPIPE);
	CHECK_IS(s.area->header.poisoned, 1);
	session_close(&s);
	close(fd);
}

static void bad_areas(void)
{
	const uint64_t area = sizeof(struct fc_request_area), data = FC_DATA_MIN;
	const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
	struct session s;
	char path[32];
	int fd;

	refuse_areas(peer_memfd(area), peer_memfd(data), data); /* no header */
	refuse_areas(header_of(odd_memfd(area, 0, 0)), peer_memfd(data), data);
	refuse_areas(header_of(odd_memfd(area, 0, F_SEAL_SHRINK | F_SEAL_SEAL)), peer_memfd(data), data);
	refuse_areas(header_of(peer_memfd(area)), odd_memfd(data, 0, F_SEAL_GROW | F_SEAL_SEAL), data);
	refuse_areas(header_of(peer_memfd(area)), odd_memfd(data, 0, seals | F_SEAL_WRITE), data);
	refuse_areas(header_of(peer_memfd(area)), peer_memfd(data - 1), data);
	refuse_areas(header_of(peer_memfd(area)), peer_memfd(0), data);
	refuse_areas(header_of(peer_memfd(area)), peer_memfd(2 * data), 2 * data);
	refuse_areas(header_of(peer_memfd(area - FC_PAGE_SIZE)), peer_memfd(data), data);
	refuse_areas(header_of(peer_memfd(area)), open("/dev/zero", O_RDWR), data);
	refuse_areas(header_of(peer_memfd(area)), open("/tmp", O_RDWR | O_TMPFILE, 0600), data);
	refuse_areas(header_of(peer_memfd(area)), socket(AF_UNIX, SOCK_STREAM, 0), data);
	fd = peer_memfd(data);
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	refuse_areas(header_of(peer_memfd(area)), open(path, O_RDONLY), data);
	close(fd);
	fd = odd_memfd(2 << 20, MFD_HUGETLB, seals);
	if (fd >= 0)
		refuse_areas(header_of(peer_memfd(area)), fd, 2 << 20);

	refuse_before_areas(FC_MSG_WATCH);
	refuse_before_areas(FC_MSG_BIND);
	refuse_before_areas(FC_MSG_CLAIM);
	refuse_before_areas(FC_MSG_GROW);
	refuse_before_areas(FC_MSG_MAP);
	refuse_growth(peer_memfd(4096), 4096);
	refuse_growth(odd_memfd(data, 0, F_SEAL_SHRINK | F_SEAL_GROW), data); /* nobody has touched its pages */
	fd = peer_memfd(data);
	CHECK(!fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, data - FC_PAGE_SIZE, FC_PAGE_SIZE));
	refuse_growth(fd, data); /* all but one */
	fd = peer_memfd(data);
	CHECK(!fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL));
	refuse_growth(fd, data); /* it could not be sealed */
	session_open(&s, &suite_domain);
	peer_tell(s.sock, FC_MSG_SHRINK, 12345, 0);
	CHECK(peer_hangs_up(s.sock, 1000));
	session_close(&s);
}

/* ---- too many, too slow ---- */

static void too_many(void)
{
	int sock[70];

	for (int i = 0; i < 70; i++)
		sock[i] = peer_connect(&suite_domain);
	CHECK(peer_hangs_up(sock[0], 1000)); /* it has waited longest without a word */
	CHECK_IS(peer_ask(sock[69], FC_MSG_HELLO, FC_ABI_MAJOR, 0, NULL), 0);
	for (int i = 0; i < 70; i++)
		close(sock[i]);
}

/* Whoever connects and says nothing is hung up on; talking does not help. */
static void silent(void)
{
	int sock = peer_connect(&suite_domain), talker = peer_connect(&suite_domain);

	for (int i = 0; i < 4; i++) {
		suite_sleep_ms(1000);
		CHECK_IS(peer_ask(talker, FC_MSG_HELLO, FC_ABI_MAJOR, 0, NULL), 0);
	}
	CHECK(peer_hangs_up(sock, 2000) && peer_hangs_up(talker, 1000));
}

/* ---- identities (root only) ---- */

static void stranger(void)
{
	struct session s;
	int64_t fd;
	pid_t shadow;
	struct stat st;
	char name[128];

	session_open(&s, &suite_domain);
	CHECK_IS(suite_open(&s, "/data/secret", O_RDONLY), -EACCES);
	fd = suite_open(&s, "/data/of-user", O_CREAT | O_RDWR);
	CHECK_IS(fd, FC_DOMAIN_FD_FIRST);
	snprintf(name, sizeof name, "%s/of-user", suite_domain.export);
	CHECK(!stat(name, &st) && st.st_uid == SUITE_USER && st.st_gid == SUITE_USER);
	CHECK_IS(CALL(&s, SYS_fchown, fd, 0, 0), -EPERM);
	shadow = suite_shadow(s.id);
	CHECK(shadow > 0);
	CHECK(kill(shadow, 0) < 0 && errno == EPERM);
	CHECK(kill(suite_domain.pid, 0) < 0 && errno == EPERM);
	CHECK(setpriority(PRIO_PROCESS, shadow, 5) < 0);
	CHECK(ptrace(PTRACE_ATTACH, shadow, NULL, NULL) < 0 && errno == EPERM);
	CHECK_IS(peer_ask(peer_connect(&suite_domain), FC_MSG_STOP, 0, 0, NULL), -EPERM);
	session_close(&s);
}

static int ask_cred(const uint64_t token[2], uint64_t fsuid, uint64_t fsgid)
{
	struct fc_msg m = { .type = FC_MSG_CRED, .arg = { token[0], token[1], fsuid, fsgid } };
	int sock = peer_connect(&suite_domain), r;
	struct fc_packet p;

	r = fc_control_ask(sock, &m, NULL, NULL, 0, &p);
	close(sock);
	return r;
}

static void change(void)
{
	uint64_t wrong[2] = { 1, 2 };
	struct session s;

	session_open(&s, &suite_domain);
	CHECK(suite_open(&s, "/data/secret", O_RDONLY) >= 0);
	CHECK_IS(ask_cred(wrong, -1, -1), -ESRCH);
	CHECK_IS(ask_cred(s.token, SUITE_USER, -1), 0);
	CHECK(suite_open(&s, "/data/secret", O_RDONLY) >= 0); /* our capabilities are what they were */
	CHECK(!setresgid(SUITE_USER, SUITE_USER, SUITE_USER) && !setgroups(0, NULL) &&
	      !setresuid(SUITE_USER, SUITE_USER, 0));
	CHECK_IS(ask_cred(s.token, -1, -1), 0);
	CHECK_IS(suite_open(&s, "/data/secret", O_RDONLY), -EACCES);
	CHECK(!setresuid(SUITE_USER, 0, 0));
	CHECK_IS(ask_cred(s.token, -1, -1), 0);
	CHECK(suite_open(&s, "/data/secret", O_RDONLY) >= 0);
	CHECK(!setresuid(SUITE_USER, SUITE_USER, SUITE_USER));
	CHECK_IS(ask_cred(s.token, -1, -1), 0);
	CHECK_IS(suite_open(&s, "/data/secret", O_RDONLY), -EACCES);
	CHECK_IS(ask_cred(s.token, 0, -1), -EPERM);
	CHECK_IS(ask_cred(s.token, -1, 0), -EPERM);
	session_close(&s);
}

/* One thread ahead of the others, as in the middle of a setuid(3): its connection counts, its process' status does not. */
static void *ahead(void *token)
{
	CHECK(!syscall(SYS_setresuid, SUITE_USER, SUITE_USER, SUITE_USER));
	CHECK_IS(ask_cred(token, -1, -1), 0);
	return NULL;
}

static void threads(void)
{
	struct session s;
	pthread_t t;

	session_open(&s, &suite_domain);
	CHECK(suite_open(&s, "/data/secret", O_RDONLY) >= 0);
	CHECK(!pthread_create(&t, NULL, ahead, s.token) && !pthread_join(t, NULL));
	CHECK_IS(suite_open(&s, "/data/secret", O_RDONLY), -EACCES);
	CHECK_IS(ask_cred(s.token, -1, -1), 0);
	CHECK(suite_open(&s, "/data/secret", O_RDONLY) >= 0);
	session_close(&s);
}

static struct session stolen;

static void thief(void)
{
	CHECK_IS(ask_cred(stolen.token, -1, -1), -EPERM);
}

static void not_admitted(void)
{
	int sock = peer_connect(&suite_domain);

	CHECK_IS(peer_ask(sock, FC_MSG_ATTACH, 022, -1ull, NULL), -EPERM);
}

static void identities(void)
{
	char name[128];
	int fd;

	snprintf(name, sizeof name, "%s/secret", suite_domain.export);
	fd = open(name, O_CREAT | O_RDWR, 0600);
	CHECK(fd >= 0);
	close(fd);
	suite_as(SUITE_USER, stranger);
	suite_as(-1, change);
	suite_as(-1, threads);
	session_open(&stolen, &suite_domain);
	suite_as(SUITE_USER, thief);
	CHECK(suite_open(&stolen, "/data/secret", O_RDONLY) >= 0);
	session_close(&stolen);
}

/* ---- the daemon ---- */

static void command_line(void)
{
	char said[2048], volume[128], missing[128];
	const char *usage[] = { suite_daemon, "--socket", "x", NULL };
	const char *none[] = { suite_daemon, "--socket", "/tmp/farcall-test-none", "-v", missing, NULL };
	const char *taken[] = { suite_daemon, "--socket", suite_domain.socket, "-v", volume, NULL };
	const char *twice[] = { suite_daemon, "--socket", "/tmp/farcall-test-none", "-v", "/tmp:/a", "-v",
				"/tmp:/a/",   NULL };
	const char *plain[] = { suite_daemon, "--socket", "/dev/null", "-v", volume, NULL };

	snprintf(volume, sizeof volume, "%s:/data", suite_domain.export);
	snprintf(missing, sizeof missing, "%s/missing:/data", suite_domain.directory);
	CHECK_IS(daemon_run(usage, said, sizeof said), 2);
	CHECK_IS(daemon_run(twice, said, sizeof said), 2);
	CHECK(strstr(said, "/a"));
	CHECK_IS(daemon_run(none, said, sizeof said), 1);
	CHECK(strstr(said, "missing") && access("/tmp/farcall-test-none", F_OK) < 0);
	CHECK_IS(daemon_run(taken, said, sizeof said), 1);
	CHECK(strstr(said, "listening") && strchr(said, '\n') == said + strlen(said) - 1);
	CHECK_IS(daemon_run(plain, said, sizeof said), 1);
}

int main(int argc, char **argv)
{
	static const struct suite_test test[] = {
		{ nonsense, "nonsense" }, { bad_areas, "bad_areas" },       { too_many, "too_many" },
		{ silent, "silent" },     { command_line, "command_line" }, { NULL, NULL },
	};
	static const struct suite suite = { .test = test, .by_root = identities, .by_others = not_admitted };

	return suite_main(&suite, argc, argv);
}
