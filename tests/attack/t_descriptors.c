/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * t_descriptors.c - poisoned descriptors: a client sends descriptors and at the same time floods the workers with
 * requests that use them, by the numbers that they would get. What the client may not do with such a descriptor itself
 * (write a sysctl that it can name only, be somebody else in a message) no worker does for it; nor does one ever see a
 * descriptor that is all right.
 *
 *   t_descriptors [TRIES]        default: FC_ATTACK_TRIES, or 2500
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/doorbell.h"
#include "common/queue.h"
#include "tests/attack/attack.h"

/* opened for writing, never written */
#define SYSCTL_DIRECTORY "/proc/sys/kernel"
#define SYSCTL_NAME "printk_ratelimit_burst"
#define NUMBERS 4 /* the first descriptors of a session, which a message's would be */
#define FLOOD FC_ENTRIES

static unsigned tries;

enum { SYSCTL, DIRECTORY, SOCKET, PASSED };
static int passed[PASSED];
static int witness; /* the other end of the socket: it hears whose the messages are */

/* ---- the flood ---- */

struct flood {
	struct session *s;
	_Atomic bool stop;
	_Atomic unsigned hits;
};

static const struct attempt {
	unsigned nr;
	const char *what;
} attempt[] = {
	{ SYS_openat, "open of /proc/self/fd/N" },
	{ SYS_openat, "open below a directory" },
	{ SYS_write, "write" },
	{ SYS_fstat, "fstat" },
};
#define ATTEMPTS (sizeof attempt / sizeof attempt[0])

static void put_paths(struct session *s)
{
	char path[64];

	for (unsigned i = 0; i < NUMBERS; i++) {
		snprintf(path, sizeof path, "/proc/self/fd/%u", FC_DOMAIN_FD_FIRST + i);
		session_put(s, i * FC_PATH_MAX, path);
	}
	session_put(s, NUMBERS * FC_PATH_MAX, SYSCTL_NAME);
}

static void ask_again(struct session *s, unsigned entry)
{
	unsigned kind = entry % ATTEMPTS;
	uint64_t n = entry / ATTEMPTS % NUMBERS, fd = FC_DOMAIN_FD_FIRST + n;
	uint64_t arg[ATTEMPTS][6] = {
		{ (uint64_t)AT_FDCWD, n * FC_PATH_MAX, O_WRONLY },
		{ fd, NUMBERS * FC_PATH_MAX, O_WRONLY },
		{ fd, NUMBERS * FC_PATH_MAX, 4 },
		{ fd, 128 * 1024 + entry * sizeof(struct stat) },
	};

	attack_post(s, entry, attempt[kind].nr, arg[kind]);
}

static void look_at(struct flood *f, unsigned entry)
{
	int64_t r = f->s->area->entry[entry].result;

	if (r >= 0 && atomic_fetch_add(&f->hits, 1) < 3)
		attack_wrong("%s with a descriptor that was being passed: %lld", attempt[entry % ATTEMPTS].what,
			     (long long)r);
}

/* Every entry in use all the time, until the session is over. */
static void *flood(void *arg)
{
	struct flood *f = arg;

	while (!atomic_load(&f->stop) && !__atomic_load_n(&f->s->area->header.poisoned, __ATOMIC_RELAXED))
		for (unsigned i = 0; i < FLOOD; i++) {
			if (__atomic_load_n(&f->s->area->entry[i].state, __ATOMIC_ACQUIRE) != FC_DONE)
				continue;
			look_at(f, i);
			ask_again(f->s, i);
		}
	return NULL;
}

static void flood_start(struct flood *f, struct session *s, pthread_t *thread)
{
	*f = (struct flood){ .s = s };
	put_paths(s);
	for (unsigned i = 0; i < FLOOD; i++)
		ask_again(s, i);
	CHECK(!pthread_create(thread, NULL, flood, f));
}

static unsigned flood_stop(struct flood *f, pthread_t thread)
{
	atomic_store(&f->stop, true);
	pthread_join(thread, NULL);
	for (unsigned i = 0; i < FLOOD; i++)
		if (__atomic_load_n(&f->s->area->entry[i].state, __ATOMIC_ACQUIRE) == FC_DONE)
			look_at(f, i);
	return f->hits;
}

/* Whoever writes to the socket does so with a descriptor that is ours. */
static unsigned heard(void)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(struct ucred))];
	} control;
	char text[8];
	struct iovec iov = { text, sizeof text };
	struct ucred who = { 0 };
	unsigned n = 0;

	for (;;) {
		struct msghdr h = {
			.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control
		};

		if (recvmsg(witness, &h, MSG_DONTWAIT) < 0)
			return n;
		if (h.msg_controllen && control.align.cmsg_type == SCM_CREDENTIALS)
			memcpy(&who, CMSG_DATA(&control.align), sizeof who);
		if (!n++)
			attack_wrong("a worker has written to our socket: a message of process %d of user %u", who.pid,
				     who.uid);
	}
}

/* ---- descriptors that are not what they must be ---- */

/* One message in several shapes: those that are refused at sight, and those that are looked at first. */
static void send_poison(int sock, unsigned round)
{
	int fds[4];

	for (unsigned i = 0; i < 4; i++)
		fds[i] = passed[(round + i) % PASSED];
	switch (round % 4) {
	case 0:
		attack_tell(sock, FC_MSG_GROW, FC_DATA_MIN, 0, fds, 1);
		break;
	case 1:
		attack_tell(sock, FC_MSG_AREAS, FC_DATA_MIN, 0, fds, 2);
		break;
	case 2:
		attack_tell(sock, FC_MSG_GROW, FC_DATA_MIN, 0, fds, 4);
		break;
	default:
		attack_send(sock, "nonsense", 8, fds, 4);
	}
}

static unsigned poison_once(unsigned round)
{
	struct session s;
	struct flood f;
	pthread_t thread;
	unsigned hits;
	int r = attack_open(&s);

	if (r == -EAGAIN) { /* those before are still ending */
		attack_sleep_ms(5);
		return 0;
	}
	if (r < 0) {
		attack_wrong("attach: %s", strerror(-r));
		return 1;
	}
	flood_start(&f, &s, &thread);
	send_poison(s.sock, round);
	peer_hangs_up(s.sock, 1000);
	hits = flood_stop(&f, thread) + heard();
	session_close(&s);
	return hits;
}

static void poison(void)
{
	double began = attack_now();
	unsigned hits = 0, n;
	int pair[2], on = 1;

	passed[SYSCTL] = open(SYSCTL_DIRECTORY "/" SYSCTL_NAME, O_PATH);
	passed[DIRECTORY] = open(SYSCTL_DIRECTORY, O_PATH);
	CHECK(passed[SYSCTL] >= 0 && passed[DIRECTORY] >= 0);
	CHECK(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair));
	passed[SOCKET] = pair[0];
	witness = pair[1];
	CHECK(!setsockopt(witness, SOL_SOCKET, SO_PASSCRED, &on, sizeof on));
	for (n = 0; n < tries && hits < 3; n++)
		hits += poison_once(n);
	printf("# %u tries in %.1f s, %u hits\n", n, attack_now() - began, hits);
}

/* ---- descriptors that are: many more tries in one session, which lives on ---- */

static bool grow_and_shrink(struct session *s)
{
	int r = session_grow(s);

	if (r < 0) {
		attack_wrong("a data segment that is what it must be: %s", strerror(-r));
		return false;
	}
	attack_tell(s->sock, FC_MSG_SHRINK, FC_DATA_MIN, 0, NULL, 0);
	s->length = FC_DATA_MIN;
	return true;
}

static void grow(void)
{
	double began = attack_now();
	struct session s;
	struct flood f;
	pthread_t thread;
	unsigned n;

	CHECK_IS(attack_open(&s), 0);
	flood_start(&f, &s, &thread);
	for (n = 0; n < tries && !f.hits && grow_and_shrink(&s); n++)
		;
	flood_stop(&f, thread);
	EXPECT(!attack_lost(&s), "the session is over");
	printf("# %u segments in %.1f s, %u hits\n", n, attack_now() - began, f.hits);
	session_close(&s);
}

/* ---- what is normal ---- */

static void natively(void)
{
	int fd = open(SYSCTL_DIRECTORY "/" SYSCTL_NAME, O_PATH);
	char path[64];

	CHECK(fd >= 0);
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	EXPECT(open(path, O_WRONLY) < 0 && errno == EACCES, "a sysctl is writable by user %u", geteuid());
}

int main(int argc, char **argv)
{
	const char *given = argc > 1 ? argv[1] : getenv("FC_ATTACK_TRIES");

	tries = given ? (unsigned)atoi(given) : 2500;
	attack_begin(NULL);
	attack_natively(ATTACKER, "a descriptor that only names a sysctl", natively);
	attack_by(ATTACKER, "poisoned descriptors", poison);
	attack_by(ATTACKER, "descriptors that are all right", grow);
	return attack_end();
}
