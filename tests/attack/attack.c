/* SPDX-License-Identifier: GPL-2.0-or-later */
/* attack.c - the frame of the tests in which a client attacks a domain, see attack.h. */
#define _GNU_SOURCE
#include "tests/attack/attack.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/attack/cgroup.h"
#include "tests/attack/honest.h"

#define TOLD_MAX 40      /* failures to be told of */
#define STEP_SECONDS 120 /* after which an attack has hung */
#define LEAST_MS 1000    /* for as long the honest programs are watched, however short an attack */
#define QUIET_MS 500
#define TIMES 5         /* that an attack must have delayed others before it counts: the machine is not ours alone */
#define SETTLE_MS 15000 /* how long what an attack has left may take to go */
#define END_MS 6000     /* how long the daemon may take to end */

struct daemon attack_domain = { .uid = (uid_t)-1 };

static struct attack_setup setup;
int attack_attach_ms = ATTACK_ATTACH_MS;
static pid_t main_process;
static _Atomic unsigned *wrongs;
static struct honest *good[2];
static struct honest_speed quiet; /* the slower one's */
static const char *program = "attack";

/* ---- verdicts ---- */

void attack_wrong(const char *format, ...)
{
	char line[1024];
	va_list list;

	va_start(list, format);
	vsnprintf(line, sizeof line, format, list);
	va_end(list);
	if (atomic_fetch_add(wrongs, 1) < TOLD_MAX)
		printf("FAIL: %s\n", line);
}

double attack_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

void attack_sleep_ms(int ms)
{
	struct timespec left = { ms / 1000, ms % 1000 * 1000000 };

	while (nanosleep(&left, &left) && errno == EINTR)
		;
}

/* ---- files ---- */

const char *attack_file(const char *name)
{
	static char path[8][512];
	static unsigned next;
	char *p = path[next++ % 8];

	snprintf(p, sizeof path[0], "%s/%s", attack_domain.export, name);
	return p;
}

void attack_make_file(const char *name, const char *text, uid_t owner, mode_t mode)
{
	int fd = open(attack_file(name), O_CREAT | O_RDWR | O_TRUNC, 0600);

	CHECK(fd >= 0);
	CHECK_IS(write(fd, text, strlen(text)), strlen(text));
	CHECK(!fchown(fd, owner, owner) && !fchmod(fd, mode));
	close(fd);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path) && 0;
}

/* ---- what there is of the domain ---- */

struct figures {
	unsigned processes, threads;
	int descriptors;
	long kb;
};

struct task {
	pid_t pid, parent;
	unsigned threads;
};

static bool read_task(pid_t pid, struct task *t)
{
	char path[64], text[1024], *p;
	int fd;
	ssize_t n;

	snprintf(path, sizeof path, "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, text, sizeof text - 1);
	close(fd);
	if (n <= 0)
		return false;
	text[n] = 0;
	p = strrchr(text, ')');
	t->pid = pid;
	return p && sscanf(p + 1, " %*c %d %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %u", &t->parent,
			   &t->threads) == 2;
}

static unsigned read_tasks(struct task *list, unsigned room)
{
	DIR *proc = opendir("/proc");
	struct dirent *d;
	unsigned n = 0;

	CHECK(proc);
	while (n < room && (d = readdir(proc)))
		if (d->d_name[0] >= '1' && d->d_name[0] <= '9' && read_task(atoi(d->d_name), &list[n]))
			n++;
	closedir(proc);
	return n;
}

unsigned attack_processes(pid_t *list, unsigned room, unsigned *threads)
{
	static struct task task[32768];
	unsigned tasks = read_tasks(task, 32768), n = 0, sum = 0;

	list[n++] = attack_domain.pid;
	for (unsigned at = 0; at < n; at++)
		for (unsigned i = 0; i < tasks; i++) {
			if (task[i].pid == list[at])
				sum += task[i].threads;
			if (task[i].parent == list[at] && n < room)
				list[n++] = task[i].pid;
		}
	if (threads)
		*threads = sum;
	return n;
}

static int descriptors(pid_t pid)
{
	char path[64];
	int n = 0;
	DIR *d;

	snprintf(path, sizeof path, "/proc/%d/fd", pid);
	d = opendir(path);
	while (d && readdir(d))
		n++;
	if (d)
		closedir(d);
	return n;
}

/* What of a process' memory is nobody else's. */
static long own_kb(pid_t pid)
{
	char path[64], line[256];
	long kb = 0;
	FILE *f;

	snprintf(path, sizeof path, "/proc/%d/status", pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof line, f))
		if (sscanf(line, "RssAnon: %ld", &kb) == 1)
			break;
	if (f)
		fclose(f);
	return kb;
}

static struct figures look(void)
{
	static pid_t list[8192];
	struct figures f = { 0 };

	f.processes = attack_processes(list, 8192, &f.threads);
	f.descriptors = descriptors(attack_domain.pid);
	for (unsigned i = 0; i < f.processes; i++)
		f.kb += own_kb(list[i]);
	return f;
}

static bool more_than(const struct figures *a, const struct figures *b)
{
	return a->processes > b->processes || a->threads > b->threads || a->descriptors > b->descriptors ||
	       a->kb > b->kb + 2048;
}

/* What the domain has at rest: shadows that it could not make just now are none that are left later. */
static struct figures at_rest;

static struct figures larger(struct figures a, struct figures b)
{
	a.processes = a.processes > b.processes ? a.processes : b.processes;
	a.threads = a.threads > b.threads ? a.threads : b.threads;
	a.descriptors = a.descriptors > b.descriptors ? a.descriptors : b.descriptors;
	a.kb = a.kb > b.kb ? a.kb : b.kb;
	return a;
}

/* The figures once they do not change any more. */
static struct figures settled(void)
{
	struct figures f = look(), before;

	for (int i = 0; i < 50; i++) {
		before = f;
		attack_sleep_ms(60);
		f = look();
		if (!more_than(&f, &before) && !more_than(&before, &f))
			break;
	}
	return at_rest = larger(f, at_rest);
}

static bool alive(void)
{
	int status;

	if (attack_domain.pid <= 0)
		return false;
	if (waitpid(attack_domain.pid, &status, WNOHANG) == 0)
		return true;
	attack_wrong("the domain has ended, status %x", status);
	attack_domain.pid = 0;
	return false;
}

static void see_what_is_left(const char *name, const struct figures *before)
{
	double end = attack_now() + SETTLE_MS / 1000.0;
	struct figures after = look();

	while (more_than(&after, before) && attack_now() < end) {
		attack_sleep_ms(100);
		after = look();
	}
	printf("# %s: processes %u -> %u, threads %u -> %u, descriptors %d -> %d, memory %ld -> %ld kB\n", name,
	       before->processes, after.processes, before->threads, after.threads, before->descriptors,
	       after.descriptors, before->kb, after.kb);
	EXPECT(!more_than(&after, before), "%s: something is left", name);
}

/* ---- the honest ones ---- */

static void honest_go(void)
{
	for (int i = 0; i < 2; i++)
		EXPECT(honest_start(good[i]), "user %u's honest program does not start", good[i]->uid);
}

static void honest_rest(void)
{
	for (int i = 0; i < 2; i++)
		EXPECT(honest_stop(good[i]), "user %u's honest program does not stop", good[i]->uid);
}

static double limit(double quiet_ms, int at_least)
{
	return quiet_ms * ATTACK_SLOWER > at_least ? quiet_ms * ATTACK_SLOWER : at_least;
}

/* What they take without an attack, right now: the machine has others to serve. */
static void measure(void)
{
	honest_go();
	attack_sleep_ms(QUIET_MS);
	honest_rest();
	for (int i = 0; i < 2; i++) {
		struct honest_speed s = honest_speed(good[i]);

		EXPECT(!good[i]->errors && s.attaches && s.calls, "user %u's honest program fails without an attack",
		       good[i]->uid);
		quiet.attach_ms = s.attach_ms > quiet.attach_ms ? s.attach_ms : quiet.attach_ms;
		quiet.call_ms = s.call_ms > quiet.call_ms ? s.call_ms : quiet.call_ms;
	}
}

static bool in_time(const struct honest_speed *s)
{
	return s->attach_ms <= limit(quiet.attach_ms, attack_attach_ms) &&
	       s->call_ms <= limit(quiet.call_ms, ATTACK_CALL_MS);
}

/* What they saw during an attack. */
static void judge(const char *name, struct honest_speed speed[2])
{
	for (int i = 0; i < 2; i++) {
		struct honest_speed s = speed[i] = honest_speed(good[i]);
		/* whose every attach has been refused, rightly */
		bool none = setup.greedy && good[i]->uid == ATTACKER && good[i]->refused;

		printf("# %s: user %u beside it: attach %.1f ms (%u), calls %.2f ms (%u), refused %u; quiet %.1f and "
		       "%.2f ms\n",
		       name, good[i]->uid, s.attach_ms, s.attaches, s.call_ms, s.calls, good[i]->refused,
		       quiet.attach_ms, quiet.call_ms);
		EXPECT(!good[i]->errors, "%s: user %u's honest program saw %u errors", name, good[i]->uid,
		       good[i]->errors);
		EXPECT(s.attaches || none, "%s: user %u's honest program could not attach", name, good[i]->uid);
		EXPECT(s.calls, "%s: user %u's honest program could not call", name, good[i]->uid);
	}
}

/* ---- start and end ---- */

static void clean_up(void)
{
	if (getpid() != main_process)
		return;
	for (int i = 0; i < 2; i++)
		if (good[i])
			honest_end(good[i]);
	if (attack_domain.pid > 0)
		kill(attack_domain.pid, SIGKILL);
	/* not for ever: it may hang in what a server keeps from it that ends only with us */
	for (int i = 0; attack_domain.pid > 0 && i < 100 && !waitpid(attack_domain.pid, NULL, WNOHANG); i++)
		attack_sleep_ms(20);
	if (*attack_domain.directory)
		nftw(attack_domain.directory, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
	cgroup_remove();
}

/* Told to end, by whoever has lost patience: nothing stays behind. */
static void ended(int signal)
{
	(void)signal;
	exit(1);
}

static const char *daemon_path(char *room, size_t size)
{
	const char *given = getenv("FARCALL_STORAGED"), *build = getenv("FC_BUILD");

	if (given)
		return given;
	snprintf(room, size, "%s/farcall-storaged", build ? build : ".");
	return room;
}

static void make_directory(void)
{
	struct daemon *d = &attack_domain;

	strcpy(d->directory, "/tmp/farcall-attack-XXXXXX");
	CHECK(mkdtemp(d->directory) && !chmod(d->directory, 0755));
	snprintf(d->export, sizeof d->export, "%s/export", d->directory);
	snprintf(d->socket, sizeof d->socket, "%s/socket", d->directory);
	CHECK(!mkdir(d->export, 0777) && !chmod(d->export, 01777));
}

static void start_daemon(void)
{
	const char *options[12] = { "--mode", "0666", "--log-level", "error", "--die-with-parent" };
	char path[512], helper[512];
	const char *daemon = daemon_path(path, sizeof path), *build = getenv("FC_BUILD");
	int n = 5;

	if (access(daemon, X_OK)) {
		printf("SKIP: no %s\n", daemon);
		exit(77);
	}
	for (const char *const *o = setup.options; o && *o; o++)
		options[n++] = *o;
	options[n] = NULL;
	if (setup.under) {
		setenv("FARCALL_STORAGED", daemon, 1);
		snprintf(helper, sizeof helper, "%s/tests/attack/%s", build ? build : ".", setup.under);
		daemon = helper;
	}
	if (setup.pids || setup.memory_mb)
		cgroup_enter(setup.pids, setup.memory_mb);
	daemon_again(&attack_domain, daemon, options);
	if (setup.pids || setup.memory_mb)
		cgroup_leave();
}

void attack_begin(const struct attack_setup *s)
{
	struct rlimit files;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (geteuid() != 0) {
		printf("SKIP: attacks on a domain run by root need root\n");
		exit(77);
	}
	program = program_invocation_short_name;
	if (s)
		setup = *s;
	if (!getrlimit(RLIMIT_NOFILE, &files)) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	wrongs = mmap(NULL, sizeof *wrongs, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(wrongs != MAP_FAILED);
	main_process = getpid();
	make_directory();
	atexit(clean_up);
	signal(SIGTERM, ended);
	signal(SIGINT, ended);
	if (setup.prepare)
		setup.prepare();
	start_daemon();
	settled();
	good[0] = honest_begin(ATTACKER, setup.greedy);
	good[1] = honest_begin(NEIGHBOUR, false);
}

/* Until the process has ended by itself, or has hung. */
static void await(pid_t pid, const char *name)
{
	double end = attack_now() + STEP_SECONDS;
	siginfo_t info = { 0 };

	while (!waitid(P_PID, pid, &info, WEXITED | WNOWAIT | WNOHANG) && !info.si_pid) {
		if (attack_now() > end) {
			attack_wrong("%s: not over after %d s", name, STEP_SECONDS);
			break;
		}
		attack_sleep_ms(5);
	}
	/* also what it has left running: it leads a process group */
	kill(-pid, SIGKILL);
	CHECK(waitpid(pid, NULL, 0) == pid);
	EXPECT(info.si_pid != pid || (info.si_code == CLD_EXITED && info.si_status == 0),
	       "%s: ended with code %d, status %d", name, info.si_code, info.si_status);
}

static void run(uid_t uid, const char *name, void (*what)(void))
{
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (!pid) {
		setpgid(0, 0);
		become(uid);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		what();
		exit(0);
	}
	setpgid(pid, pid);
	await(pid, name);
}

void attack_natively(uid_t uid, const char *name, void (*what)(void))
{
	printf("# natively: %s\n", name);
	run(uid, name, what);
}

/* Once. False: the honest programs had to wait. */
static bool attack_once(uid_t uid, const char *name, void (*what)(void))
{
	struct figures before = settled();
	struct honest_speed speed[2];
	double end;

	quiet = (struct honest_speed){ 0 };
	measure();
	honest_go();
	end = attack_now() + LEAST_MS / 1000.0;
	run(uid, name, what);
	while (attack_now() < end)
		attack_sleep_ms(10);
	honest_rest();
	judge(name, speed);
	if (setup.after)
		setup.after();
	if (!alive())
		return true;
	see_what_is_left(name, &before);
	if (in_time(&speed[0]) && in_time(&speed[1]))
		return true;
	measure(); /* perhaps the machine has become slower meanwhile */
	return in_time(&speed[0]) && in_time(&speed[1]);
}

void attack_by(uid_t uid, const char *name, void (*what)(void))
{
	const char *only = getenv("FC_ATTACK");

	if ((only && !strstr(name, only)) || !alive())
		return;
	printf("# user %u: %s\n", uid, name);
	for (int i = 0; i < TIMES; i++)
		if (attack_once(uid, name, what))
			return;
	attack_wrong("%s: honest programs have to wait, each of %d times", name, TIMES);
}

static void end_daemon(void)
{
	double end = attack_now() + END_MS / 1000.0;
	int status = 0;
	pid_t pid;

	if (!alive())
		return;
	kill(attack_domain.pid, SIGTERM);
	while ((pid = waitpid(attack_domain.pid, &status, WNOHANG)) == 0 && attack_now() < end)
		attack_sleep_ms(10);
	EXPECT(pid, "SIGTERM has not ended the domain within %d ms", END_MS);
	EXPECT(!pid || (WIFEXITED(status) && !WEXITSTATUS(status)), "the domain ended with status %x", status);
	if (pid)
		attack_domain.pid = 0;
}

int attack_end(void)
{
	end_daemon();
	if (*wrongs)
		printf("%s: failed, %u times\n", program, *wrongs);
	else
		printf("%s: passed\n", program);
	return *wrongs ? 1 : 0;
}
