/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * t_others.c - what other processes have open: a client asks its domain for root's, for another user's, for its own user's that may not be
 * traced, for a directory that is none, in the name of somebody else, and again and again while they come and go. What it may look at it gets as a
 * descriptor that nothing can be done with, and that leads nowhere but where files are.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/doorbell.h"
#include "common/queue.h"
#include "tests/attack/attack.h"

#define NUMBER 7 /* what the victims call their file */
#define CWD UINT64_MAX

static struct session s; /* the attacker's */

static int64_t numbered(struct session *of, unsigned nr, uint64_t a, uint64_t b, uint64_t c, uint32_t number)
{
	const uint64_t arg[6] = { a, b, c, 0, 0, number };
	struct fc_entry *e = &of->area->entry[0];
	int64_t r;

	/* as attack_post, and the flag */
	e->nr = (uint16_t)nr;
	e->flags = FC_REQ_NUMBERED;
	e->nonce++;
	memcpy(e->arg, arg, sizeof e->arg);
	__atomic_store_n(&e->state, FC_QUEUED, __ATOMIC_RELEASE);
	CHECK(!fc_queue_enqueue(&of->area->queue, 0));
	fc_bell_ring(&fc_bell_local, &of->area->header);
	r = attack_result(of, 0, 5000);
	return r;
}

/* A process of `uid` with "secret" open for reading and writing, in the directory "d". */
static pid_t victim(uid_t uid, bool hides)
{
	int ready[2];
	char byte = 0;
	pid_t pid;

	CHECK(!pipe(ready));
	pid = fork();
	CHECK(pid >= 0);
	if (!pid) {
		struct session own;

		if (geteuid() != uid)
			become(uid);
		prctl(PR_SET_DUMPABLE, !hides); /* setuid has taken it away */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		CHECK_IS(attack_open(&own), 0);
		CHECK(numbered(&own, SYS_openat, (uint64_t)AT_FDCWD, session_put(&own, 0, "/data/secret"), O_RDWR,
			       NUMBER) >= 0);
		CHECK_IS(ATTEMPT(&own, SYS_chdir, session_put(&own, 0, "/data/d")), 0);
		CHECK(write(ready[1], &byte, 1) == 1);
		for (;;)
			pause();
	}
	close(ready[1]);
	CHECK(read(ready[0], &byte, 1) == 1);
	close(ready[0]);
	return pid;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static int ask_as(pid_t self, pid_t pid, uint64_t number, struct fc_packet *p)
{
	struct fc_msg m = { .type = FC_MSG_OTHER, .serial = 9, .arg = { (uint64_t)pid, number, (uint64_t)self } };

	return fc_control_ask(s.sock, &m, NULL, NULL, 0, p);
}

/* What the domain has given, or -errno. */
static int64_t ask(pid_t pid, uint64_t number)
{
	struct fc_packet p;
	int r = ask_as(getpid(), pid, number, &p);

	if (r < 0)
		return r;
	CHECK(p.nfds == 0);
	return (int64_t)p.head.arg[0];
}

static void begin(void)
{
	become(ATTACKER);
	prctl(PR_SET_DUMPABLE, 1);
	CHECK_IS(attack_open(&s), 0);
}

static pid_t theirs;

static void of_another(void)
{
	begin();
	EXPECT(ask(theirs, NUMBER) == -EACCES, "another user's descriptor");
	EXPECT(ask(theirs, CWD) == -EACCES, "another user's directory");
	EXPECT(!attack_lost(&s), "the session is lost");
}

static void of_its_own(void)
{
	char text[8] = "";
	int64_t fd, dir;
	pid_t pid, hidden;

	begin();
	pid = victim(ATTACKER, false);
	hidden = victim(ATTACKER, true);
	EXPECT(ask(hidden, NUMBER) == -EACCES && ask(hidden, CWD) == -EACCES, "a process that may not be traced");
	EXPECT(ask(pid, NUMBER + 1) == -ENOENT && ask(pid, UINT32_MAX) == -ENOENT &&
		       ask(pid, UINT64_MAX - 1) == -ENOENT,
	       "what is not open");
	EXPECT(ask(getpid(), NUMBER) == -ENOENT && ask(0, NUMBER) == -ENOENT && ask(-1, NUMBER) == -ENOENT &&
		       ask(1, NUMBER) == -ENOENT,
	       "of no other client");
	fd = ask(pid, NUMBER);
	EXPECT(fd >= FC_DOMAIN_FD_FIRST, "its own user's: %lld", (long long)fd);
	EXPECT(ATTEMPT(&s, SYS_pread64, fd, 0, sizeof text, 0) == -EBADF, "it can be read");
	EXPECT(ATTEMPT(&s, SYS_ftruncate, fd, 0) < 0, "it can be changed");
	dir = ask(pid, CWD);
	EXPECT(dir >= FC_DOMAIN_FD_FIRST, "its own user's directory: %lld", (long long)dir);
	EXPECT(ATTEMPT(&s, SYS_openat, dir, session_put(&s, 0, "../secret"), O_RDONLY, 0) >= 0, "what it leads to");
	EXPECT(ATTEMPT(&s, SYS_openat, dir, session_put(&s, 0, "../.."), O_RDONLY | O_DIRECTORY, 0) <= FC_CONTINUE,
	       "it leads out of the export");
	end(pid);
	EXPECT(ask(pid, NUMBER) == -ENOENT || ask(pid, NUMBER) == -EACCES, "of the dead");
	end(hidden);
	EXPECT(!attack_lost(&s), "the session is lost");
}

static void in_anothers_name(void)
{
	struct fc_packet p;
	pid_t pid;

	begin();
	pid = victim(ATTACKER, false);
	EXPECT(ask_as(getppid(), pid, NUMBER, &p) == -ENOENT, "as a process that it is not");
	EXPECT(ask_as(0, pid, NUMBER, &p) == -ENOENT, "as nobody");
	end(pid);
	EXPECT(!attack_lost(&s), "the session is lost");
}

/* Who has never changed its directory is where the domain's processes begin. */
static void of_the_domain(void)
{
	struct session own;
	int ready[2];
	char byte = 0;
	pid_t pid;

	begin();
	CHECK(!pipe(ready));
	pid = fork();
	CHECK(pid >= 0);
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		CHECK_IS(attack_open(&own), 0);
		CHECK(write(ready[1], &byte, 1) == 1);
		for (;;)
			pause();
	}
	CHECK(read(ready[0], &byte, 1) == 1);
	EXPECT(ask(pid, CWD) == -ENOENT, "the domain's own directory");
	for (int i = 0; i < FC_DOMAIN_FD_FIRST; i++)
		EXPECT(ask(pid, i) == -ENOENT, "the domain's own descriptor %d", i);
	end(pid);
}

/* Questions that nobody waits for the answers to, about those that come and go. */
static void in_haste(void)
{
	begin();
	for (int i = 0; i < 20; i++) {
		pid_t pid = victim(ATTACKER, false);

		for (int k = 0; k < 20; k++) {
			struct fc_msg m = { .magic = FC_MSG_MAGIC,
					    .type = FC_MSG_OTHER,
					    .serial = (uint32_t)k,
					    .arg = { (uint64_t)pid, k & 1 ? CWD : NUMBER, (uint64_t)getpid() } };

			if (attack_send(s.sock, &m, sizeof m, NULL, 0) < 0)
				break;
		}
		end(pid);
	}
}

static void prepare(void)
{
	attack_make_file("secret", "secret", 0, 0666);
	CHECK(!mkdir(attack_file("d"), 0755));
}

int main(void)
{
	static const struct attack_setup setup = { .prepare = prepare };

	attack_begin(&setup);
	theirs = victim(0, false);
	attack_by(0, "what root has open", of_another);
	end(theirs);
	theirs = victim(NEIGHBOUR, false);
	attack_by(0, "what another user has open", of_another);
	end(theirs);
	attack_by(0, "what others of the same user have open", of_its_own);
	attack_by(0, "as another process", in_anothers_name);
	attack_by(0, "what the domain has open", of_the_domain);
	attack_by(0, "questions without end", in_haste);
	return attack_end();
}
