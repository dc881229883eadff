/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * t_control.c - every control message against a real farcall-storaged, from well-behaved and other clients: once with our own
 * domain, and if we are root once with an ordinary user's, in a user namespace. Arguments: the daemon; the tests to run, if not all.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "farcall/farcall.h"
#include "tests/domain/peer.h"

#define USER 12345 /* somebody without a name or rights */

static struct daemon domain;
static const char *daemon_path;
static char **chosen; /* names of tests, null-terminated */

static void sleep_ms(int ms)
{
	nanosleep(&(struct timespec){ ms / 1000, ms % 1000 * 1000000 }, NULL);
}

/* Run `what` in a child with other ids (or our own, -1) and pass its failure on. */
static void as_user(uid_t uid, void (*what)(void))
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

/* ---- HELLO ---- */

static void hello(void)
{
	int sock = peer_connect(&domain);
	struct fc_domain_page *page;
	struct fc_packet p;

	CHECK_IS(peer_ask(sock, FC_MSG_HELLO, FC_ABI_MAJOR, FC_ABI_MINOR, &p), 0);
	CHECK_IS(p.head.arg[0], FC_ABI_MAJOR);
	CHECK_IS(p.head.arg[3], 1);
	CHECK_IS(p.head.size, sizeof "rw /data");
	CHECK(!strcmp(p.text, "rw /data"));
	CHECK_IS(p.nfds, 1);
	CHECK(mmap(NULL, FC_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, p.fd[0], 0) == MAP_FAILED);
	CHECK(pwrite(p.fd[0], "x", 1, 0) < 0 && ftruncate(p.fd[0], 0) < 0);
	CHECK(fallocate(p.fd[0], FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, FC_PAGE_SIZE) < 0);
	page = mmap(NULL, FC_PAGE_SIZE, PROT_READ, MAP_SHARED, p.fd[0], 0);
	CHECK(page != MAP_FAILED);
	CHECK(page->magic == FC_ABI_MAGIC && page->state == FC_DOMAIN_UP && page->generation == p.head.arg[2]);
	munmap(page, FC_PAGE_SIZE);
	fc_packet_drop(&p);
	CHECK_IS(peer_ask(sock, FC_MSG_HELLO, FC_ABI_MAJOR + 1, 0, NULL), -EPROTONOSUPPORT);
	close(sock);
}

/* ---- a session and its memory ---- */

static int64_t open_file(struct session *s, const char *path, int flags)
{
	return CALL(s, SYS_openat, (uint64_t)AT_FDCWD, session_put(s, 0, path), flags, 0666);
}

static void session(void)
{
	struct session s;
	int64_t fd;
	struct stat st;
	char name[128];

	session_open(&s, &domain);
	CHECK_IS(CALL(&s, FC_NR_NOP, 0), 0);
	CHECK_IS(CALL(&s, SYS_umask, 022), 022);
	fd = open_file(&s, "/data/file", O_CREAT | O_RDWR);
	CHECK_IS(fd, FC_DOMAIN_FD_FIRST);
	CHECK_IS(CALL(&s, SYS_write, fd, session_put(&s, 8192, "hello"), 5), 5);
	CHECK_IS(open_file(&s, "/data/file", O_RDONLY), FC_DOMAIN_FD_FIRST + 1);
	for (int reserved = -5; reserved < FC_DOMAIN_FD_FIRST; reserved++)
		CHECK_IS(CALL(&s, SYS_write, (uint64_t)reserved, 8192, 5), -EBADF);
	snprintf(name, sizeof name, "%s/file", domain.export);
	CHECK(!stat(name, &st) && st.st_size == 5 && st.st_uid == geteuid() && (st.st_mode & 07777) == 0644);
	/* nothing but the export is there */
	CHECK(open_file(&s, "/proc", O_RDONLY) < 0);
	CHECK(open_file(&s, "/etc/passwd", O_RDONLY) < 0);
	CHECK(CALL(&s, SYS_mkdirat, (uint64_t)AT_FDCWD, session_put(&s, 0, "/new"), 0777) < 0);
	/* a second time: the old areas are replaced, the descriptors stay */
	munmap(s.area, sizeof *s.area);
	munmap(s.data, FC_DATA_MAX);
	CHECK_IS(session_areas(&s), 0);
	CHECK_IS(CALL(&s, SYS_write, fd, session_put(&s, 8192, "again"), 5), 5);
	session_close(&s);
}

static void memory(void)
{
	struct session s;

	session_open(&s, &domain);
	for (int i = 1; i < FC_SEGMENTS_MAX; i++) {
		CHECK_IS(session_grow(&s), 0);
		CHECK_IS(CALL(&s, SYS_mkdirat, (uint64_t)AT_FDCWD, session_put(&s, s.length - FC_PATH_MAX, "/data"), 0),
			 -EEXIST);
	}
	CHECK_IS(s.length, FC_DATA_MAX);
	peer_tell(s.sock, FC_MSG_SHRINK, 2 * FC_DATA_MIN, 0);
	CHECK_IS(peer_ask(s.sock, FC_MSG_RLIMIT, 3, -1ull, NULL), 0);
	s.length = 2 * FC_DATA_MIN;
	CHECK_IS(session_grow(&s), 0);
	CHECK_IS(CALL(&s, SYS_mkdirat, (uint64_t)AT_FDCWD, session_put(&s, s.length - FC_PATH_MAX, "/data"), 0),
		 -EEXIST);

	int64_t fd = open_file(&s, "/data/limited", O_CREAT | O_RDWR);
	CHECK_IS(CALL(&s, SYS_write, fd, session_put(&s, 8192, "hello"), 5), 3);
	CHECK_IS(CALL(&s, SYS_write, fd, 8192, 5), -EFBIG);
	CHECK_IS(peer_ask(s.sock, FC_MSG_RLIMIT, -1ull, -1ull, NULL), 0);
	CHECK_IS(CALL(&s, SYS_write, fd, 8192, 5), 5);
	session_close(&s);
}

/* ---- fork ---- */

static void family(void)
{
	struct session parent, child = { 0 };
	struct fc_packet p;
	int64_t fd, lock;
	int hold[2], go[2];
	pid_t pid;
	char byte;

	CHECK(!pipe(hold) && !pipe(go));
	session_open(&parent, &domain);
	fd = open_file(&parent, "/data/shared", O_CREAT | O_RDWR | O_TRUNC);
	CHECK_IS(CALL(&parent, SYS_write, fd, session_put(&parent, 8192, "one"), 3), 3);
	CHECK_IS(peer_ask(parent.sock, FC_MSG_FORK, 0, 0, &p), 0);
	CHECK_IS(p.nfds, 1);
	child.sock = p.fd[0];
	child.id = p.head.arg[2];
	CHECK(child.id != parent.id && p.head.arg[0] != parent.token[0]);
	pid = fork();
	if (!pid) {
		CHECK_IS(session_areas(&child), 0);
		/* one offset, as with fork(2) */
		CHECK_IS(CALL(&child, SYS_lseek, fd, 0, SEEK_CUR), 3);
		CHECK_IS(CALL(&child, SYS_write, fd, session_put(&child, 8192, "two"), 3), 3);
		lock = open_file(&child, "/data/locked", O_CREAT | O_RDWR);
		CHECK_IS(CALL(&child, SYS_flock, lock, LOCK_EX), 0);
		CHECK(write(hold[1], "", 1) == 1);
		CHECK(read(go[0], &byte, 1) == 1);
		_exit(0);
	}
	peer_tell(parent.sock, FC_MSG_FORKED, child.id, pid);
	close(child.sock);
	CHECK(read(hold[0], &byte, 1) == 1);
	CHECK_IS(CALL(&parent, SYS_lseek, fd, 0, SEEK_CUR), 6);
	CHECK_IS(CALL(&parent, SYS_close, fd), 0);
	lock = open_file(&parent, "/data/locked", O_RDWR);
	CHECK_IS(CALL(&parent, SYS_flock, lock, LOCK_EX | LOCK_NB), -EAGAIN);
	CHECK_IS(peer_ask(parent.sock, FC_MSG_GONE, pid, 0, NULL), -EBUSY);
	if (geteuid() == 0 || getpid() % 2)
		CHECK(!kill(pid, SIGKILL));
	else
		CHECK(write(go[1], "", 1) == 1);
	CHECK(waitpid(pid, NULL, 0) == pid);
	CHECK_IS(peer_ask(parent.sock, FC_MSG_GONE, pid, 0, NULL), 0);
	CHECK_IS(CALL(&parent, SYS_flock, lock, LOCK_EX | LOCK_NB), 0);
	CHECK_IS(peer_ask(parent.sock, FC_MSG_GONE, 0, 0, NULL), -EINVAL);
	session_close(&parent);
	for (int i = 0; i < 2; i++) {
		close(hold[i]);
		close(go[i]);
	}
}

/* A chain of forks, each from the one before, all alive at once; and one that never shows up. */
static void chain(void)
{
	struct session s[20] = { 0 };
	struct fc_packet p;

	session_open(&s[0], &domain);
	for (int i = 1; i < 20; i++) {
		CHECK_IS(peer_ask(s[i - 1].sock, FC_MSG_FORK, 0, 0, &p), 0);
		s[i].sock = p.fd[0];
		if (i % 2)
			CHECK_IS(session_areas(&s[i]), 0);
	}
	CHECK_IS(CALL(&s[19], FC_NR_NOP, 0), 0);
	for (int i = 0; i < 20; i++)
		session_close(&s[i]);
}

/* ---- the end ---- */

static void bye(void)
{
	struct session one, two;
	int64_t a, b;

	session_open(&one, &domain);
	session_open(&two, &domain);
	a = open_file(&one, "/data/bye", O_CREAT | O_RDWR);
	b = open_file(&two, "/data/bye", O_CREAT | O_RDWR);
	CHECK_IS(CALL(&one, SYS_flock, a, LOCK_EX), 0);
	CHECK_IS(CALL(&two, SYS_flock, b, LOCK_EX | LOCK_NB), -EAGAIN);
	CHECK_IS(peer_ask(one.sock, FC_MSG_BYE, 0, 0, NULL), 0);
	CHECK_IS(CALL(&two, SYS_flock, b, LOCK_EX | LOCK_NB), 0);
	CHECK(peer_hangs_up(one.sock, 1000));
	session_close(&one);
	session_close(&two);
}

static struct fc_packet stat_packet;

static const struct fc_stat_domain *stat_get(void)
{
	int sock = peer_connect(&domain);
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

static void stat_put(const struct fc_stat_domain *d)
{
	munmap((void *)d, stat_packet.head.arg[0]);
}

/* The session's figures, or null. */
static const struct fc_stat_session *stat_find(const struct fc_stat_domain *d, uint32_t id)
{
	const struct fc_stat_session *s = (const void *)(d + 1);

	for (uint32_t i = 0; i < d->sessions; i++)
		if (s[i].id == id)
			return &s[i];
	return NULL;
}

static pid_t shadow_of(uint32_t id)
{
	const struct fc_stat_domain *d = stat_get();
	const struct fc_stat_session *s = stat_find(d, id);
	pid_t pid = s ? (pid_t)s->shadow_pid : 0;

	stat_put(d);
	return pid;
}

static void figures(void)
{
	const struct fc_stat_domain *d;
	const struct fc_stat_session *f;
	struct session s;
	uint64_t calls;

	session_open(&s, &domain);
	for (int i = 0; i < 10; i++)
		CHECK_IS(CALL(&s, FC_NR_NOP, 0), 0);
	d = stat_get();
	CHECK_IS(d->pid, domain.pid);
	f = stat_find(d, s.id);
	CHECK(f && f->client_pid == (uint32_t)getpid() && f->uid == geteuid() && f->data_bytes == FC_DATA_MIN);
	CHECK(f->workers && !strncmp(f->comm, "t_control", 9) && f->queue_depth == 0);
	/* workers publish their counts when they find time */
	for (int i = 0; i < 200 && f->count.calls < 10; i++) {
		stat_put(d);
		sleep_ms(10);
		d = stat_get();
		f = stat_find(d, s.id);
		CHECK(f);
	}
	CHECK(f->count.calls == 10 && d->total.calls >= 10);
	calls = d->total.calls;
	stat_put(d);
	CHECK_IS(peer_ask(s.sock, FC_MSG_BYE, 0, 0, NULL), 0);
	for (int i = 0; i < 100 && shadow_of(s.id); i++)
		sleep_ms(10);
	d = stat_get();
	CHECK(!stat_find(d, s.id) && d->total.calls >= calls);
	stat_put(d);
	session_close(&s);
}

/* ---- deaths ---- */

static void deaths(void)
{
	struct session s;
	pid_t shadow, client;
	int64_t fd;
	int hold[2];
	char byte;

	/* of a shadow (whose processes only its own user can kill) */
	session_open(&s, &domain);
	shadow = shadow_of(s.id);
	CHECK(shadow > 0 && !kill(shadow, SIGKILL));
	CHECK(peer_hangs_up(s.sock, 1000));
	session_close(&s);

	/* of a client */
	CHECK(!pipe(hold));
	client = fork();
	if (!client) {
		struct session mine;

		session_open(&mine, &domain);
		fd = open_file(&mine, "/data/deaths", O_CREAT | O_RDWR);
		CHECK_IS(CALL(&mine, SYS_flock, fd, LOCK_EX), 0);
		if (fork() == 0) { /* holds the connection open, and must not hold the session */
			sleep_ms(3000);
			_exit(0);
		}
		CHECK(write(hold[1], "", 1) == 1);
		for (;;)
			pause();
	}
	CHECK(read(hold[0], &byte, 1) == 1);
	session_open(&s, &domain);
	fd = open_file(&s, "/data/deaths", O_CREAT | O_RDWR);
	CHECK_IS(CALL(&s, SYS_flock, fd, LOCK_EX | LOCK_NB), -EAGAIN);
	kill(client, SIGKILL);
	CHECK(waitpid(client, NULL, 0) == client);
	int sock = peer_connect(&domain);
	CHECK_IS(peer_ask(sock, FC_MSG_GONE, client, 0, NULL), 0);
	CHECK_IS(CALL(&s, SYS_flock, fd, LOCK_EX | LOCK_NB), 0);
	close(sock);
	session_close(&s);
	close(hold[0]);
	close(hold[1]);
}

/* What a client may be in the middle of when it is killed. Never returns. */
static void busy_client(void)
{
	struct session s, child = { 0 };
	struct fc_packet p;

	for (int round = 0;; round++) {
		session_open(&s, &domain);
		int64_t fd = open_file(&s, "/data/storm", O_CREAT | O_RDWR);
		CALL(&s, SYS_flock, fd, LOCK_EX);
		if (peer_ask(s.sock, FC_MSG_FORK, 0, 0, &p) == 0) {
			child.sock = p.fd[0];
			session_areas(&child);
			open_file(&child, "/data/storm", O_RDWR);
			session_close(&child);
		}
		session_grow(&s);
		CALL(&s, SYS_flock, fd, LOCK_UN);
		if (round % 2)
			peer_ask(s.sock, FC_MSG_BYE, 0, 0, NULL);
		session_close(&s);
	}
}

/* Clients killed at any moment leave nothing: no session, no lock. */
static void storm(void)
{
	const struct fc_stat_domain *d;
	uint32_t left = 1;
	struct session s;
	int64_t fd;

	srand(1);
	for (int round = 0; round < 50; round++) {
		pid_t pid[4];

		for (int i = 0; i < 4; i++) {
			pid[i] = fork();
			if (!pid[i])
				busy_client();
		}
		sleep_ms(rand() % 40);
		for (int i = 0; i < 4; i++) {
			kill(pid[i], SIGKILL);
			CHECK(waitpid(pid[i], NULL, 0) == pid[i]);
		}
	}
	for (int i = 0; i < 300 && left; i++) {
		d = stat_get();
		left = d->sessions;
		stat_put(d);
		sleep_ms(10);
	}
	CHECK_IS(left, 0);
	session_open(&s, &domain);
	fd = open_file(&s, "/data/storm", O_CREAT | O_RDWR);
	CHECK_IS(CALL(&s, SYS_flock, fd, LOCK_EX | LOCK_NB), 0);
	session_close(&s);
}

/* ---- nonsense ---- */

static void send_raw(int sock, const void *bytes, size_t size, const int *fds, int nfds)
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
		control.align = (struct cmsghdr){ CMSG_LEN(nfds * sizeof(int)), SOL_SOCKET, SCM_RIGHTS };
		memcpy(CMSG_DATA(&control.align), fds, nfds * sizeof(int));
	}
	sendmsg(sock, &h, MSG_NOSIGNAL);
}

/* Send bytes on a fresh connection, and on a session: each must be hung up on. */
static void refuse(const void *bytes, size_t size, const int *fds, int nfds)
{
	struct session s;
	int sock = peer_connect(&domain);

	send_raw(sock, bytes, size, fds, nfds);
	CHECK(peer_hangs_up(sock, 1000));
	close(sock);
	session_open(&s, &domain);
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
	int sock = peer_connect(&domain), fds[2] = { area, data };

	CHECK_IS(peer_ask(sock, FC_MSG_ATTACH, 022, -1ull, NULL), 0);
	CHECK_IS(peer_ask_fds(sock, FC_MSG_AREAS, size, fds, 2, NULL), -EPIPE);
	close(sock);
	close(area);
	close(data);
}

static int odd_memfd(uint64_t size, unsigned flags, int seals)
{
	int fd = memfd_create("odd", MFD_CLOEXEC | MFD_ALLOW_SEALING | flags);

	if (fd >= 0 && (ftruncate(fd, size) || (seals && fcntl(fd, F_ADD_SEALS, seals))))
		CHECK(!"odd memfd");
	return fd;
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
	refuse_areas(header_of(odd_memfd(area, 0, F_SEAL_SHRINK | F_SEAL_GROW)), peer_memfd(data), data);
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

	session_open(&s, &domain);
	fd = peer_memfd(4096);
	CHECK_IS(peer_ask_fds(s.sock, FC_MSG_GROW, 4096, &fd, 1, NULL), -EPIPE);
	CHECK_IS(s.area->header.poisoned, 1);
	session_close(&s);
	close(fd);
	session_open(&s, &domain);
	peer_tell(s.sock, FC_MSG_SHRINK, 12345, 0);
	CHECK(peer_hangs_up(s.sock, 1000));
	session_close(&s);
}

/* ---- identities (root only) ---- */

static void stranger(void)
{
	struct session s;
	int64_t fd;
	pid_t shadow;
	struct stat st;
	char name[128];

	session_open(&s, &domain);
	CHECK_IS(open_file(&s, "/data/secret", O_RDONLY), -EACCES);
	fd = open_file(&s, "/data/of-user", O_CREAT | O_RDWR);
	CHECK_IS(fd, FC_DOMAIN_FD_FIRST);
	snprintf(name, sizeof name, "%s/of-user", domain.export);
	CHECK(!stat(name, &st) && st.st_uid == USER && st.st_gid == USER);
	CHECK_IS(CALL(&s, SYS_fchown, fd, 0, 0), -EPERM);
	shadow = shadow_of(s.id);
	CHECK(shadow > 0);
	CHECK(kill(shadow, 0) < 0 && errno == EPERM);
	CHECK(kill(domain.pid, 0) < 0 && errno == EPERM);
	CHECK(setpriority(PRIO_PROCESS, shadow, 5) < 0);
	CHECK(ptrace(PTRACE_ATTACH, shadow, NULL, NULL) < 0 && errno == EPERM);
	CHECK_IS(peer_ask(peer_connect(&domain), FC_MSG_STOP, 0, 0, NULL), -EPERM);
	session_close(&s);
}

static int ask_cred(const uint64_t token[2], uint64_t fsuid, uint64_t fsgid)
{
	struct fc_msg m = { .type = FC_MSG_CRED, .arg = { token[0], token[1], fsuid, fsgid } };
	int sock = peer_connect(&domain), r;
	struct fc_packet p;

	r = fc_control_ask(sock, &m, NULL, NULL, 0, &p);
	close(sock);
	return r;
}

static void change(void)
{
	uint64_t wrong[2] = { 1, 2 };
	struct session s;

	session_open(&s, &domain);
	CHECK(open_file(&s, "/data/secret", O_RDONLY) >= 0);
	CHECK_IS(ask_cred(wrong, -1, -1), -ESRCH);
	CHECK_IS(ask_cred(s.token, USER, -1), 0);
	CHECK(open_file(&s, "/data/secret", O_RDONLY) >= 0); /* our capabilities are what they were */
	CHECK(!setresgid(USER, USER, USER) && !setgroups(0, NULL) && !setresuid(USER, USER, 0));
	CHECK_IS(ask_cred(s.token, -1, -1), 0);
	CHECK_IS(open_file(&s, "/data/secret", O_RDONLY), -EACCES);
	CHECK(!setresuid(USER, 0, 0));
	CHECK_IS(ask_cred(s.token, -1, -1), 0);
	CHECK(open_file(&s, "/data/secret", O_RDONLY) >= 0);
	CHECK(!setresuid(USER, USER, USER));
	CHECK_IS(ask_cred(s.token, -1, -1), 0);
	CHECK_IS(open_file(&s, "/data/secret", O_RDONLY), -EACCES);
	CHECK_IS(ask_cred(s.token, 0, -1), -EPERM);
	CHECK_IS(ask_cred(s.token, -1, 0), -EPERM);
	session_close(&s);
}

static struct session stolen;

static void thief(void)
{
	CHECK_IS(ask_cred(stolen.token, -1, -1), -EPERM);
}

static void not_admitted(void)
{
	int sock = peer_connect(&domain);

	CHECK_IS(peer_ask(sock, FC_MSG_ATTACH, 022, -1ull, NULL), -EPERM);
}

static void identities(void)
{
	char name[128];
	int fd;

	snprintf(name, sizeof name, "%s/secret", domain.export);
	fd = open(name, O_CREAT | O_RDWR, 0600);
	CHECK(fd >= 0);
	close(fd);
	as_user(USER, stranger);
	as_user(-1, change);
	session_open(&stolen, &domain);
	as_user(USER, thief);
	CHECK(open_file(&stolen, "/data/secret", O_RDONLY) >= 0);
	session_close(&stolen);
}

/* ---- the daemon ---- */

static void command_line(void)
{
	char said[2048], volume[128], missing[128];
	const char *usage[] = { daemon_path, "--socket", "x", NULL };
	const char *none[] = { daemon_path, "--socket", "/tmp/farcall-test-none", "-v", missing, NULL };
	const char *taken[] = { daemon_path, "--socket", domain.socket, "-v", volume, NULL };
	const char *nested[] = { daemon_path, "--socket", "/tmp/farcall-test-none", "-v", "/tmp:/a", "-v",
				 "/tmp:/a/b", NULL };
	const char *plain[] = { daemon_path, "--socket", "/dev/null", "-v", volume, NULL };

	snprintf(volume, sizeof volume, "%s:/data", domain.export);
	snprintf(missing, sizeof missing, "%s/missing:/data", domain.directory);
	CHECK_IS(daemon_run(usage, said, sizeof said), 2);
	CHECK_IS(daemon_run(nested, said, sizeof said), 2);
	CHECK(strstr(said, "/a/b"));
	CHECK_IS(daemon_run(none, said, sizeof said), 1);
	CHECK(strstr(said, "missing") && access("/tmp/farcall-test-none", F_OK) < 0);
	CHECK_IS(daemon_run(taken, said, sizeof said), 1);
	CHECK(strstr(said, "listening") && strchr(said, '\n') == said + strlen(said) - 1);
	CHECK_IS(daemon_run(plain, said, sizeof said), 1);
}

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

static void too_many(void)
{
	int sock[70];

	for (int i = 0; i < 70; i++)
		sock[i] = peer_connect(&domain);
	CHECK(peer_hangs_up(sock[69], 1000));
	CHECK_IS(peer_ask(sock[0], FC_MSG_HELLO, FC_ABI_MAJOR, 0, NULL), 0);
	for (int i = 0; i < 70; i++)
		close(sock[i]);
}

static const struct {
	void (*run)(void);
	const char *name;
} test[] = {
	{ hello, "hello" },
	{ session, "session" },
	{ memory, "memory" },
	{ family, "family" },
	{ chain, "chain" },
	{ bye, "bye" },
	{ figures, "figures" },
	{ deaths, "deaths" },
	{ storm, "storm" },
	{ nonsense, "nonsense" },
	{ bad_areas, "bad_areas" },
	{ too_many, "too_many" },
	{ command_line, "command_line" },
};

static bool is_chosen(const char *name)
{
	for (char **c = chosen; *c; c++)
		if (!strcmp(*c, name))
			return true;
	return !*chosen;
}

/* A dead domain's processes end with it, and its socket does not keep the next one from starting. */
static void lives(void)
{
	const char *extra[] = { "--log-level", "error", NULL };
	struct session last;
	pid_t pid;

	session_open(&last, &domain);
	pid = shadow_of(last.id);
	CHECK(pid > 0 && !kill(domain.pid, SIGKILL) && waitpid(domain.pid, NULL, 0) == domain.pid);
	CHECK(peer_hangs_up(last.sock, 1000));
	CHECK(waitpid(pid, NULL, 0) == pid); /* inherited, see run_all */
	session_close(&last);
	daemon_again(&domain, daemon_path, extra);
	session_open(&last, &domain);
	CHECK_IS(daemon_stop(&domain), 0);
	CHECK(peer_hangs_up(last.sock, 1000));
	CHECK(access(domain.socket, F_OK) < 0);
	session_close(&last);
}

/* All tests with a domain run by `uid` and clients of the same (-1: ourselves). */
static void run_all(uid_t uid)
{
	/* open to all, so that it is the domain and not the socket that refuses */
	const char *extra[] = { "--log-level", "error", "--mode", "0666", NULL };
	int silent, before;

	domain.uid = uid;
	daemon_start(&domain, daemon_path, extra);
	sleep_ms(100);
	before = descriptors(domain.pid);
	silent = peer_connect(&domain);
	for (size_t i = 0; i < sizeof test / sizeof test[0]; i++) {
		if (!is_chosen(test[i].name))
			continue;
		printf("%s: %s\n", uid == (uid_t)-1 ? "ourselves" : "user", test[i].name);
		fflush(stdout);
		as_user(uid, test[i].run);
	}
	if (uid != (uid_t)-1) {
		as_user(uid + 1, not_admitted);
		as_user(-1, not_admitted);
	} else if (geteuid() == 0) {
		identities();
	}
	CHECK(!is_chosen("silent") || peer_hangs_up(silent, 6000));
	close(silent);
	for (int i = 0; i < 100 && descriptors(domain.pid) != before; i++)
		sleep_ms(10);
	CHECK_IS(descriptors(domain.pid), before);
	CHECK(!prctl(PR_SET_CHILD_SUBREAPER, 1));
	become(uid);
	domain.uid = -1;
	lives();
}

static void run_as_ourselves(void)
{
	run_all(-1);
}

static void run_as_user(void)
{
	run_all(USER);
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		fprintf(stderr, "usage: t_control DAEMON [TEST...]\n");
		return 2;
	}
	daemon_path = argv[1];
	chosen = argv + 2;
	as_user(-1, run_as_ourselves);
	if (geteuid() == 0)
		as_user(-1, run_as_user);
	return 0;
}
