/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fault_calls.c - the Nth system call fails, of the shim and of the daemon, for all N that a program comes by which attaches, opens,
 * grows, forks, spawns, executes itself and moves a lot (h_steps.c). Whatever fails, the program gets an errno that says so and
 * nothing wrong, nobody hangs, nothing stays behind, and the next client of the domain is served as if nothing had been.
 *
 *   fault_calls [client|daemon [TASK N NR ERRNO]]      default: both; with four numbers that one case, and what the program said
 *
 * With FC_TEST_LONG every call with every errno that fits it, else an even share in half a minute. FC_VERBOSE says what each came to.
 *
 * The calls are made to fail from outside, by a tracer (nth.h): so it is the shipped library and the shipped daemon that are tested, their
 * hot path has nothing in it for this, and the instruction pointer tells the shim's calls from those of the program's own C library.
 * A call that fails has not happened; but for close, which on Linux has happened whatever it says.
 *
 * Not made to fail: what cannot (nth_errors.c says why). Of the daemon, calls of workers: these are the client's own, and their errnos its
 * results, which is what all other tests are about.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/domain/peer.h"
#include "tests/domain/usage.h"
#include "tests/fault/h_steps.h"
#include "tests/fault/nth.h"

#define LIMIT_MS 8000 /* for what takes a tenth of a second: longer is a hang */
#define SETTLE_MS 3000
#define SHARE_S 16 /* for each walk */
#define TASKS 32

static const char *farcall, *storaged;
static char steps_path[512];
static struct daemon domain = { .uid = (uid_t)-1 };
static struct usage before;
static bool verbose, whole_walk, daemon_walk;
static struct nth_rules rules;
static int output; /* the program's */

/* How many descriptors each process of a program that met no trouble had at its end; and now. */
static int descriptors_well[TASKS], descriptors_now[TASKS];
static bool measuring;

static unsigned failures;
static struct {
	unsigned runs, well, recovered, refused, missed;
} count;

/* ---- a program, and what it came to ---- */

struct outcome {
	bool hung, failed; /* failed: the call has */
	int status;
	char said[4096];
};

static void take_output(char *to, size_t size)
{
	ssize_t n = pread(output, to, size - 1, 0);

	to[n < 0 ? 0 : n] = 0;
	CHECK(!ftruncate(output, 0) && !lseek(output, 0, SEEK_SET));
}

static struct outcome run(const char *part, bool traced)
{
	char *argv[] = { (char *)farcall, "run",   "--domain",   domain.socket, "--",
			 steps_path,      "/data", (char *)part, NULL };
	struct outcome o = { 0 };
	pid_t pid = nth_spawn(argv, output, traced);

	o.hung = !nth_wait(pid, traced, LIMIT_MS, &o.status);
	if (o.hung) {
		kill(pid, SIGKILL);
		if (traced)
			nth_kill();
		else
			nth_wait(pid, false, LIMIT_MS, &o.status);
	}
	take_output(o.said, sizeof o.said);
	return o;
}

/* One that gives up leaves what it has to the kernel. */
static void program_ends(unsigned task, pid_t pid, int status)
{
	int n = usage_descriptors(pid);

	if (task >= TASKS || status)
		return;
	if (measuring)
		descriptors_well[task] = n;
	else
		descriptors_now[task] = n;
}

/* Null, or that a process had more than it would have. After an errno there are other processes, so only the most of any tells something. */
static const char *grown(bool said)
{
	static char text[100];
	int most = 0;

	for (unsigned i = 0; i < TASKS; i++)
		most = descriptors_well[i] > most ? descriptors_well[i] : most;
	for (unsigned i = 0; i < TASKS; i++) {
		int well = said || !descriptors_well[i] ? most : descriptors_well[i];

		if (descriptors_now[i] <= well)
			continue;
		snprintf(text, sizeof text, "process %u has %d descriptors, not %d, at its end", i, descriptors_now[i],
			 well);
		return text;
	}
	return NULL;
}

/* ---- judging ---- */

/* An errno that a call may have because the host had nothing to give, or because the domain is lost. */
static bool plain(int error, int injected)
{
	static const int those[] = { EIO,     ENOMEM, EAGAIN, EMFILE,   ENFILE,
				     ENOBUFS, EINTR,  ENOSPC, EREMOTEIO /* h_steps.c */ };

	for (size_t i = 0; i < sizeof those / sizeof those[0]; i++)
		if (error == those[i])
			return true;
	return error == injected;
}

/* Null, or what is wrong with what the program has said. */
static const char *bad_line(const char *said, int injected)
{
	static char text[160];

	for (const char *line = said; *line; line += strcspn(line, "\n"), line += *line == '\n') {
		const char *colon = strstr(line, ": ");
		int error;
		char rest;

		if (!strncmp(line, "farcall: ", 9) || !colon || sscanf(colon, ": %d%c", &error, &rest) != 2 ||
		    rest != '\n')
			continue; /* the shim's word, or a message of the C library's */
		if (plain(error, injected))
			continue;
		snprintf(text, sizeof text, "%.*s is no plain errno (%s)", (int)strcspn(line, "\n"), line,
			 strerror(error));
		return text;
	}
	return NULL;
}

static bool file_is(const char *file, size_t size)
{
	char path[300], *bytes = malloc(size + 1);
	bool same = false;
	FILE *f;

	snprintf(path, sizeof path, "%s/%s", domain.export, file);
	f = fopen(path, "r");
	if (f && bytes && fread(bytes, 1, size + 1, f) == size) {
		same = true;
		for (size_t i = 0; i < size && same; i++)
			same = bytes[i] == pattern(i);
	}
	if (f)
		fclose(f);
	free(bytes);
	return same;
}

static void remove_files(void)
{
	char path[300];

	snprintf(path, sizeof path, "%s/whole", domain.export);
	unlink(path);
	snprintf(path, sizeof path, "%s/child", domain.export);
	unlink(path);
}

/* In the daemon any call may be the one without which a session cannot go on. In the shim only the connection's end is. */
static bool may_lose(int injected)
{
	return daemon_walk || injected == EPIPE || injected == ECONNRESET || injected == ECONNREFUSED;
}

/* Null, or what is wrong. */
static const char *judge(const struct outcome *o, int injected)
{
	static char text[64];
	const char *bad;

	if (o->hung)
		return "it hangs";
	if (WIFSIGNALED(o->status) || WEXITSTATUS(o->status) > 128) {
		snprintf(text, sizeof text, "killed, status %#x", (unsigned)o->status);
		return text;
	}
	bad = bad_line(o->said, injected);
	if (bad)
		return bad;
	if (!may_lose(injected) && strstr(o->said, "storage domain lost") && !strstr(o->said, "limit of file sizes"))
		return "the session is over, and only something was short";
	switch (WEXITSTATUS(o->status)) {
	case 0:
		if (!file_is("whole", WHOLE) || !file_is("child", CHILD))
			return "it says that all is done, and the files are not";
		return grown(o->said[0]);
	case 20:
	case 125: /* refused before it began */
	case 126:
		return o->said[0] ? NULL : "it fails without a word";
	case 99:
		return "wrong data";
	default:
		snprintf(text, sizeof text, "status %d", WEXITSTATUS(o->status));
		return text;
	}
}

/* The domain has no more than it had: looked at until it has not. (A pool that could not be filled is filled when there is something to do,
 * a second later.) Null, or what is left. */
static const char *left_behind(void)
{
	static char text[120];
	struct usage u;

	for (int ms = 0;; ms += 20) {
		u = usage_of(domain.pid);
		if (u.processes <= before.processes && u.descriptors <= before.descriptors)
			return NULL;
		if (ms >= SETTLE_MS)
			break;
		nth_pump(20);
	}
	snprintf(text, sizeof text, "the domain has %d processes and %d descriptors, not %d and %d", u.processes,
		 u.descriptors, before.processes, before.descriptors);
	return text;
}

static bool domain_lives(void)
{
	char path[40], state = 'X';
	FILE *f;

	snprintf(path, sizeof path, "/proc/%d/stat", domain.pid);
	f = fopen(path, "r");
	if (f) {
		if (fscanf(f, "%*d (%*[^)]) %c", &state) != 1)
			state = 'X';
		fclose(f);
	}
	return state != 'X' && state != 'Z';
}

static const char *afterwards(void)
{
	static char text[300];
	struct outcome next;

	if (!domain_lives())
		return "the domain has ended";
	next = run("short", false);
	if (!next.hung && next.status == 0 && !next.said[0])
		return left_behind();
	snprintf(text, sizeof text, "the next client: %s status %#x: %.200s", next.hung ? "hangs" : "ends with",
		 (unsigned)next.status, next.said);
	return text;
}

/* ---- one case ---- */

/* False: it cannot be traced. */
static bool domain_new(bool traced)
{
	struct outcome o;
	int r = 0;

	daemon_start(&domain, storaged, NULL);
	if (traced) {
		rules.apart = domain.pid; /* which of its shadows serves whom is chance */
		r = nth_adopt(domain.pid);
	}
	if (r < 0) {
		printf("# the daemon cannot be traced: %s\n", strerror(-r));
		return false;
	}
	/* warm: the first brings what stays */
	o = run("", false);
	if (o.hung || o.status) {
		printf("a program that nothing fails for: status %#x: %s\n", (unsigned)o.status, o.said);
		exit(1);
	}
	o = run("short", false);
	nth_pump(500);
	before = usage_of(domain.pid);
	remove_files();
	return true;
}

/* Returns its status. */
static int domain_end(void)
{
	int status = -1;

	kill(domain.pid, SIGTERM);
	if (!nth_wait(domain.pid, false, LIMIT_MS, &status)) {
		kill(domain.pid, SIGKILL);
		nth_wait(domain.pid, false, LIMIT_MS, &status);
	}
	nth_kill();
	daemon_remove(&domain);
	return status;
}

static void tell(const struct nth_place *p, int error, const struct outcome *o, const char *what)
{
	printf("%s: %s fails with %s (%u %u %ld %d): %s\n",
	       what        ? "FAIL"
	       : o->failed ? "ok"
			   : "ok, not met",
	       nth_name(p->nr), strerrorname_np(error), p->task, p->n, p->nr, error, what ? what : "");
	if (o->said[0])
		printf("\t%s%s", o->said, o->said[strlen(o->said) - 1] == '\n' ? "" : "\n");
}

static void tally(const struct outcome *o)
{
	count.runs++;
	if (!o->failed)
		count.missed++;
	else if (WEXITSTATUS(o->status))
		count.refused++;
	else if (o->said[0])
		count.recovered++;
	else
		count.well++;
}

static void one(const struct nth_place *p, int error, bool daemon)
{
	struct outcome o;
	const char *what, *after;

	memset(descriptors_now, 0, sizeof descriptors_now);
	nth_arm(p, error);
	o = run("", !daemon);
	o.failed = nth_disarm();
	what = judge(&o, error);
	after = afterwards();
	what = what ? what : after;
	tally(&o);
	if (what || verbose)
		tell(p, error, &o, what);
	remove_files();
	if (!what)
		return;
	failures++;
	if (after) {
		domain_end();
		CHECK(domain_new(daemon));
	}
}

/* ---- the walks ---- */

/* The shim's own calls, and those of the application that it passes on: it makes both. */
static bool shim_counts(pid_t tid, long nr, uint64_t ip, const uint64_t module[2])
{
	(void)tid, (void)nr;
	return ip >= module[0] && ip < module[1];
}

static bool is_main_thread(pid_t tid)
{
	char path[40];

	snprintf(path, sizeof path, "/proc/%d/task/%d", tid, tid);
	if (access(path, F_OK))
		return false;
	snprintf(path, sizeof path, "/proc/%d/status", tid);
	FILE *f = fopen(path, "r");
	char line[200];
	int tgid = 0;

	while (f && fgets(line, sizeof line, f))
		if (sscanf(line, "Tgid: %d", &tgid) == 1)
			break;
	if (f)
		fclose(f);
	return tgid == tid;
}

/* Of other threads than the first only what receives a client's descriptors (receive.c), and no worker does. */
static bool daemon_counts(pid_t tid, long nr, uint64_t ip, const uint64_t module[2])
{
	(void)ip, (void)module;
	return nr == SYS_close_range || nr == SYS_recvmsg || is_main_thread(tid);
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static struct nth_place *learn(bool daemon, size_t *n)
{
	const struct nth_place *seen;
	struct nth_place *places;
	struct outcome o;

	measuring = !daemon;
	for (int i = 0; i < 2; i++) {
		nth_arm(NULL, 0);
		o = run("", !daemon);
		nth_disarm();
		CHECK(!o.hung && o.status == 0 && !o.said[0] && file_is("whole", WHOLE) && file_is("child", CHILD));
		remove_files();
	}
	measuring = false;
	seen = nth_seen(n);
	places = calloc(*n, sizeof *places);
	CHECK(places && *n > 50);
	memcpy(places, seen, *n * sizeof *places);
	return places;
}

/* Steps that come by all of `n` places in the end, and have been everywhere before that: those of the golden section. */
static size_t stride(size_t n)
{
	size_t step = n * 618 / 1000;

	for (; step > 1; step--) {
		size_t a = n, b = step;

		while (b) { /* no divisor in common */
			size_t c = a % b;

			a = b;
			b = c;
		}
		if (a == 1)
			break;
	}
	return step;
}

static void walk(bool daemon)
{
	size_t n, done = 0;
	struct nth_place *place = learn(daemon, &n);
	size_t step = whole_walk ? 1 : stride(n);
	double start = now();

	printf("# %s: %zu calls\n", daemon ? "daemon" : "client", n);
	memset(&count, 0, sizeof count);
	for (size_t i = 0; i < n; i++) {
		const struct nth_place *p = &place[i * step % n];
		const int *errors = nth_errors(p->nr, p->socket);
		unsigned kinds = 0;

		while (errors[kinds])
			kinds++;
		for (unsigned e = 0; e < (whole_walk ? kinds : 1); e++)
			one(p, errors[whole_walk ? e : i % kinds], daemon);
		done++;
		if (!whole_walk && now() - start > SHARE_S)
			break;
	}
	printf("# %s: %zu of %zu places, %u runs: %u went on as if nothing had been, %u after an errno, %u refused, %u "
	       "did not come by\n",
	       daemon ? "daemon" : "client", done, n, count.runs, count.well, count.recovered, count.refused,
	       count.missed);
	CHECK(count.missed < count.runs * 3 / 4);
	free(place);
}

static void rules_for(bool daemon)
{
	rules = daemon ? (struct nth_rules){ .counts = daemon_counts }
		       : (struct nth_rules){ shim_counts, "/libfarcall.so", .by_birth = true, .ends = program_ends };
	nth_init(&rules);
}

static void program(const char *variable, const char *name, char *room, size_t size, const char **to)
{
	const char *build = getenv("FC_BUILD"), *given = getenv(variable);

	snprintf(room, size, "%s/%s", build ? build : ".", name);
	*to = given ? given : room;
}

static void walk_with(bool daemon, char **numbers)
{
	struct nth_place p;
	int status;

	daemon_walk = daemon;
	rules_for(daemon);
	if (!domain_new(daemon)) {
		domain_end();
		return;
	}
	if (numbers) {
		size_t n;
		struct nth_place *seen = learn(daemon, &n);

		p = (struct nth_place){ (unsigned)atoi(numbers[0]), (unsigned)atoi(numbers[1]), atol(numbers[2]),
					false };
		for (size_t i = 0; i < n; i++)
			if (seen[i].task == p.task && seen[i].n == p.n && seen[i].nr == p.nr)
				p.socket = seen[i].socket;
		free(seen);
		one(&p, atoi(numbers[3]), daemon);
	} else {
		walk(daemon);
	}
	if (usage_of(domain.pid).memory_kb > before.memory_kb + 2048) {
		printf("FAIL: the domain has %ld kB, not %ld\n", usage_of(domain.pid).memory_kb, before.memory_kb);
		failures++;
	}
	status = domain_end();
	if (status) {
		printf("FAIL: the domain ends with status %#x\n", (unsigned)status);
		failures++;
	}
}

int main(int argc, char **argv)
{
	char farcall_path[512], storaged_path[512], *slash;
	const char *what = argc > 1 ? argv[1] : "";
	ssize_t n;

	setvbuf(stdout, NULL, _IOLBF, 0);
	close_range(3, ~0u, 0); /* what whoever runs us has left open is not the program's */
	program("FARCALL_STORAGED", "farcall-storaged", storaged_path, sizeof storaged_path, &storaged);
	program("FARCALL", "farcall", farcall_path, sizeof farcall_path, &farcall);
	n = readlink("/proc/self/exe", steps_path, sizeof steps_path - 20);
	CHECK(n > 0);
	steps_path[n] = 0;
	slash = strrchr(steps_path, '/');
	CHECK(slash);
	strcpy(slash + 1, "h_steps");
	if (access(storaged, X_OK) || access(farcall, X_OK) || access(steps_path, X_OK)) {
		printf("SKIP: no %s, %s or %s\n", storaged, farcall, steps_path);
		return 77;
	}
	verbose = getenv("FC_VERBOSE") || argc == 6;
	whole_walk = getenv("FC_TEST_LONG") || getenv("FC_STRESS_SECONDS");
	output = memfd_create("output", MFD_CLOEXEC);
	CHECK(output >= 0);
	/* a leak checker cannot look at a process that is looked at by somebody else */
	setenv("ASAN_OPTIONS", "detect_leaks=0", 0);
	if (strcmp(what, "daemon"))
		walk_with(false, argc == 6 ? argv + 2 : NULL);
	if (strcmp(what, "client"))
		walk_with(true, argc == 6 ? argv + 2 : NULL);
	printf("fault_calls: %s\n", failures ? "failed" : "passed");
	return failures != 0;
}
