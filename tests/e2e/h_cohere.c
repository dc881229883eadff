/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * h_cohere.c - many processes work on few small files, clients of one domain and such that know nothing of it, and tell each other what they have done.
 * Each call is noted with its times; after each round cohere_check.c says whether it can have happened so.
 *   h_cohere drive DIR MS SEED [MINE COMMAND...]   rounds for MS milliseconds, on files in DIR. With COMMAND (farcall run ... --) some of them are run by it,
 *                                                  and find the files in MINE.
 *   h_cohere work DIR SLOT SEED                    one of them
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cohere_calls.h"

#define ROUND_MS 900
#define PATIENCE_MS 20000 /* a round that takes longer has hung */
#define STATE_FD 40

static void name_files(const char *dir)
{
	for (int i = 0; i <= FILES; i++)
		if (snprintf(path[i], sizeof path[i], "%s/%s%d", dir, i == LOG ? "log" : "blocks", i) >=
		    (int)sizeof path[i])
			die("a long name");
}

static void map_round(void)
{
	r = mmap(NULL, sizeof *r, PROT_READ | PROT_WRITE, MAP_SHARED, STATE_FD, 0);
	if (r == MAP_FAILED)
		die("mmap");
}

static void make_channel(int id)
{
	int fd[2];

	if (id % 2 ? socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, fd) : pipe2(fd, O_NONBLOCK))
		die("a channel");
	if (dup2(fd[1], POST_FD + id) < 0 || dup2(fd[0], POST_FD + SLOTS + id) < 0)
		die("dup2");
	close(fd[0]);
	close(fd[1]);
}

/* What is there before the round is the driver's: one value in all blocks of a file, and an end within the page that is there. */
static void make_files(void)
{
	for (int i = 0; i < FILES; i++) {
		uint64_t value = fresh(1);
		int fd = open(path[i], O_RDWR | O_CREAT | O_TRUNC, 0644);

		memset(me.body, 0, sizeof me.body);
		for (uint32_t k = 0; k < BODY / 8; k++)
			me.body[k] = value;
		if (fd < 0 || pwrite(fd, me.body, BODY + LENGTHS, 0) != BODY + LENGTHS)
			die("%s", path[i]);
		noted(WROTE, i, value, 0, BLOCKS, r->begin, r->begin);
		cut(fd, i, false);
		close(fd);
	}
	close(open(path[LOG], O_RDWR | O_CREAT | O_TRUNC, 0644));
}

/* What nobody has read in the round before. */
static void empty_channels(void)
{
	uint64_t message;

	for (int i = 0; i < HEARS; i++)
		while (read(POST_FD + SLOTS + hears[i], &message, sizeof message) > 0)
			;
}

static void begin_round(uint64_t seed)
{
	empty_channels();
	memset(r, 0, offsetof(struct round, slot));
	for (int i = 0; i < SLOTS; i++) {
		memset(&r->slot[i], 0, offsetof(struct slot, e));
		r->slot[i].native = i > DRIVER || who[i].native;
	}
	begin(DRIVER, seed);
	r->begin = now_ns();
	make_files();
}

static pid_t start(int id, const char *dir, const char *mine, char **command, uint64_t seed)
{
	char self[4096] = { 0 }, slot[16], seeds[32], *argv[64];
	const bool runs = *command && !who[id].native;
	int n = 0;
	pid_t pid;

	snprintf(slot, sizeof slot, "%d", id);
	snprintf(seeds, sizeof seeds, "%llu", (unsigned long long)seed);
	if (readlink("/proc/self/exe", self, sizeof self - 1) < 0)
		die("my name");
	for (; runs && command[n] && n < 50; n++)
		argv[n] = command[n];
	argv[n++] = self;
	argv[n++] = (char *)"work";
	argv[n++] = (char *)(runs ? mine : dir);
	argv[n++] = slot;
	argv[n++] = seeds;
	argv[n] = NULL;
	fflush(stdout);
	pid = fork();
	if (!pid) {
		execvp(argv[0], argv);
		die("%s", argv[0]);
	}
	return pid;
}

static unsigned failed;

/* What somebody has posted who was killed is there before anybody else's open goes on; its length by name may be late for a native parent (farcall(7)). */
static void open_all(void)
{
	for (int i = 0; i <= FILES; i++)
		close(open(path[i], O_RDONLY | O_CLOEXEC));
}

/* He has ended: has he been killed by us, or found something? */
static void ended(int id, int status, bool killed)
{
	if (killed)
		open_all();
	r->slot[id].dead = now_ns();
	__atomic_store_n(&r->slot[id].pid, 0, __ATOMIC_RELEASE);
	for (int i = 0; i < DRIVER; i++)
		if (who[i].part_of == id)
			r->slot[i].dead = r->slot[id].dead;
	if (status && !killed) {
		printf("%d has ended with %x\n", id, status);
		failed++;
	}
}

static bool wait_for_all(pid_t *pid, uint64_t until, int victim)
{
	int status, left = 0;

	for (int i = 0; i < DRIVER; i++) {
		if (pid[i] <= 0)
			continue;
		if (waitpid(pid[i], &status, plain_ns() < until ? WNOHANG : 0) == pid[i]) {
			pid[i] = 0;
			ended(i, status, i == victim);
		} else {
			left++;
		}
	}
	return left == 0;
}

static void hung(const pid_t *pid)
{
	for (int i = 0; i < DRIVER; i++) {
		const struct slot *s = &r->slot[i];

		if (pid[i] <= 0)
			continue;
		printf("%d hangs, after %u calls, in a call of kind %d since %.0f ms\n", i, s->n,
		       s->n ? s->e[s->n - 1].what : -1, s->n ? (double)(now_ns() - s->e[s->n - 1].start) / 1e6 : 0.0);
		if (s->pid > 0)
			kill(s->pid, SIGKILL);
	}
	failed++;
}

static bool all_are_there(void)
{
	for (int i = 0; i < DRIVER; i++)
		if (who[i].part_of < 0 && !__atomic_load_n(&r->slot[i].used, __ATOMIC_ACQUIRE))
			return false;
	return true;
}

static void run_workers(const char *dir, const char *mine, char **command, uint64_t seed)
{
	const uint64_t patience = plain_ns() + PATIENCE_MS * 1000000ull,
		       lived = (ROUND_MS / 2 + dice(ROUND_MS / 2)) * 1000000ull;
	uint64_t end = 0;
	int victim = *command && dice(2) ? CLIENT : -1;
	pid_t pid[DRIVER] = { 0 };
	bool killed = false;

	for (int i = 0; i < DRIVER; i++)
		if (who[i].part_of < 0)
			pid[i] = start(i, dir, mine, command, seed);
	while (!wait_for_all(pid, UINT64_MAX, killed ? victim : -1)) {
		if (!end && all_are_there())
			end = plain_ns() + ROUND_MS * 1000000ull;
		if (plain_ns() > patience) {
			hung(pid);
			wait_for_all(pid, 0, -1);
			return;
		}
		if ((end && plain_ns() > end) || plain_ns() > patience - PATIENCE_MS * 500000ull)
			__atomic_store_n(&r->over, 1, __ATOMIC_RELAXED);
		if (victim >= 0 && !killed && end && plain_ns() > end - ROUND_MS * 1000000ull + lived &&
		    __atomic_load_n(&r->slot[victim].pid, __ATOMIC_ACQUIRE)) {
			kill(r->slot[victim].pid, SIGKILL);
			killed = true;
		}
		usleep(500);
	}
}

/* The log as it is now, and the last reads of all. Returns the number of records. */
static size_t look_at_all(uint64_t **log)
{
	size_t n;
	struct stat st;
	int fd;

	for (int i = 0; i < FILES; i++) {
		fd = opened(i, O_RDONLY);
		read_some(fd, i, 0, BLOCKS);
		look_at_end(fd, i, true);
		closed(fd);
	}
	fd = opened(LOG, O_RDONLY);
	if (fstat(fd, &st))
		die("the log");
	noted(REACHED, LOG, (uint64_t)st.st_size, 0, 1, now_ns(), now_ns());
	n = (size_t)st.st_size / RECORD;
	*log = calloc(n + 1, sizeof **log);
	for (size_t i = 0; i < n; i++) {
		uint64_t record[RECORD / 8];

		if (pread(fd, record, RECORD, (off_t)(i * RECORD)) != RECORD)
			die("the log");
		(*log)[i] = record[0];
	}
	closed(fd);
	return n;
}

static int drive(const char *dir, long ms, uint64_t seed, const char *mine, char **command)
{
	const uint64_t end = plain_ns() + (uint64_t)ms * 1000000u;
	uint64_t calls = 0, torn = 0, *log;
	unsigned rounds = 0;
	size_t n;

	for (; plain_ns() < end && !failed; rounds++) {
		begin_round(seed + rounds);
		run_workers(dir, mine, command, seed + rounds);
		if (failed)
			break;
		n = look_at_all(&log);
		failed += check_round(r, log, n, &calls, &torn);
		free(log);
	}
	printf("%u rounds from seed %llu, %llu calls, %llu parts of blocks: %u wrong\n", rounds,
	       (unsigned long long)seed, (unsigned long long)calls, (unsigned long long)torn, failed);
	return failed != 0;
}

int main(int argc, char **argv)
{
	if (argc == 5 && !strcmp(argv[1], "work")) {
		me.id = atoi(argv[3]);
		map_round();
		name_files(argv[2]);
		work_as(me.id, strtoull(argv[4], NULL, 10));
		return 0;
	}
	if (argc < 5 || strcmp(argv[1], "drive") != 0)
		return 2;
	me.id = DRIVER;
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (dup2(memfd_create("round", 0), STATE_FD) < 0 || ftruncate(STATE_FD, sizeof *r))
		die("memory");
	map_round();
	for (int i = 0; i < HEARS; i++)
		make_channel(hears[i]);
	name_files(argv[2]);
	return drive(argv[2], atol(argv[3]), strtoull(argv[4], NULL, 10), argc > 5 ? argv[5] : argv[2],
		     argc > 6 ? argv + 6 : argv + argc);
}
