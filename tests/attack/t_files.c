/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * t_files.c - open files without bound: a process that may have 64 open files has no more in a session, by whatever
 * call they are made; and one that may have many does not take those that others need.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/attack/attack.h"

#define FILES 64
#define ATTEMPTS 20000
#define SESSIONS 8
#define FILE_NAME "/data/file"
#define LOCK 8192 /* where a struct flock is in the data area */

static bool right_error(int64_t r)
{
	return r == -EMFILE || r == -ENFILE || r == ATTACK_LOST;
}

static int64_t make(struct session *s, unsigned kind, int64_t first)
{
	if (kind % 3 == 2)
		return ATTEMPT(s, SYS_dup, first);
	return attack_open_file(s, FILE_NAME, kind % 3 ? O_PATH : O_RDONLY, 0);
}

/* How many descriptors the session gets before it is refused. */
static unsigned fill(struct session *s, unsigned most)
{
	int64_t first = attack_open_file(s, FILE_NAME, O_RDONLY, 0), r;
	unsigned n;

	if (first < 0)
		return 0;
	for (n = 1; n < most; n++) {
		r = make(s, n, first);
		if (r >= 0)
			continue;
		EXPECT(right_error(r), "descriptor %u: %s", n, strerror((int)-r));
		break;
	}
	return n;
}

/* A file that the session has locked. Returns its descriptor. */
static int64_t lock_kept(struct session *s)
{
	const struct flock l = { .l_type = F_WRLCK };
	int64_t fd = attack_open_file(s, "/data/kept", O_RDWR, 0);

	memcpy(s->data + LOCK, &l, sizeof l);
	EXPECT(ATTEMPT(s, SYS_fcntl, fd, F_SETLK, LOCK) == 0, "the file cannot be locked");
	return fd;
}

/* Refused for its number, a call has done nothing: natively the number is found first. */
static void keeps(struct session *s, int64_t locked)
{
	const int64_t opened = attack_open_file(s, "/data/kept", O_WRONLY | O_TRUNC, 0),
		      again = ATTEMPT(s, SYS_dup, locked);
	const int fd = open(attack_file("kept"), O_RDWR);
	struct flock l = { .l_type = F_WRLCK };
	struct stat st;

	EXPECT(right_error(opened), "one more: %s", opened < 0 ? strerror((int)-opened) : "opened");
	EXPECT(right_error(again), "one more: %s", again < 0 ? strerror((int)-again) : "duplicated");
	EXPECT(!fstat(fd, &st) && st.st_size == 4, "an open that was refused has emptied its file");
	EXPECT(!fcntl(fd, F_GETLK, &l) && l.l_type != F_UNLCK, "a call that was refused has taken a lock away");
	close(fd);
}

static void natively(void)
{
	unsigned n = 0;

	CHECK(!setrlimit(RLIMIT_NOFILE, &(struct rlimit){ FILES, FILES }));
	while (n < ATTEMPTS && open("/", O_PATH) >= 0)
		n++;
	EXPECT(n < FILES && errno == EMFILE, "a process has %u more open files than its limit", n);
}

static void limited(void)
{
	struct session s[SESSIONS];
	unsigned n, files;
	int64_t locked;

	CHECK(!setrlimit(RLIMIT_NOFILE, &(struct rlimit){ FILES, FILES }));
	for (n = 0; n < SESSIONS && attack_open(&s[n]) == 0; n++) {
		locked = lock_kept(&s[n]);
		files = 1 + fill(&s[n], ATTEMPTS);
		printf("# session %u: %u descriptors\n", n, files);
		EXPECT(files <= FILES, "a process that may have %d open files has %u in a session", FILES, files);
		keeps(&s[n], locked);
		EXPECT(!ATTEMPT(&s[n], SYS_close, locked), "the locked file cannot be closed");
	}
	EXPECT(n, "a process with RLIMIT_NOFILE %d cannot attach", FILES);
	while (n)
		session_close(&s[--n]);
}

/* A child's session has what its parent's has, and no more on top. */
static void forked(void)
{
	struct session s, child;
	unsigned before, files;

	CHECK(!setrlimit(RLIMIT_NOFILE, &(struct rlimit){ FILES, FILES }));
	CHECK_IS(attack_open(&s), 0);
	before = fill(&s, FILES / 2);
	if (attack_fork(&s, &child) == 0 && session_areas(&child) == 0) {
		files = before + fill(&child, ATTEMPTS);
		printf("# a child's session: %u descriptors\n", files);
		EXPECT(files <= FILES + 1, "a child's session has %u open files", files);
		session_close(&child);
	}
	session_close(&s);
}

static void unlimited(void)
{
	struct session s[SESSIONS];
	unsigned n, files = 0;

	for (n = 0; n < SESSIONS && attack_open(&s[n]) == 0; n++)
		files += fill(&s[n], ATTEMPTS / SESSIONS);
	printf("# %u sessions, %u descriptors\n", n, files);
	EXPECT(files >= 256, "one user gets no more than %u open files", files);
	while (n)
		session_close(&s[--n]);
}

int main(void)
{
	static const struct attack_setup setup = { .greedy = true };

	attack_begin(&setup);
	attack_make_file("file", "text", 0, 0644);
	attack_make_file("kept", "text", 0, 0666);
	attack_natively(ATTACKER, "open files of a process with RLIMIT_NOFILE 64", natively);
	attack_by(ATTACKER, "open files of a process with RLIMIT_NOFILE 64", limited);
	attack_by(ATTACKER, "open files of a child's session", forked);
	attack_by(ATTACKER, "open files of one without", unlimited);
	return attack_end();
}
