/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nth.c - makes one chosen system call of other processes fail, see nth.h. */
#define _GNU_SOURCE
#include "tests/fault/nth.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/ptrace.h>

#include "tests/domain/peer.h"

#define TICK_US 20000 /* how often a wait is looked up from */
#define TASKS_MAX 256
#define SEEN_MAX 16384
#define CALLS 512 /* numbers of calls */
#define OPTIONS                                                                                                        \
	(PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC | \
	 PTRACE_O_EXITKILL)

struct task {
	pid_t tid;
	int number;              /* -1: none yet */
	unsigned made[CALLS][2]; /* [1]: with a socket */
	bool looked;             /* `module` is right, as long as it maps and executes nothing else */
	uint64_t module[2];
	int result;   /* what its call returns in place of what it would; 0: it returns what it does */
	bool instead; /* another has been made, of which the first argument was not `first` */
	uint64_t first;
};

static struct {
	const struct nth_rules *rules;
	struct task task[TASKS_MAX];
	unsigned numbers;
	unsigned made[CALLS][2]; /* by all that count as one */
	bool armed, failing, failed;
	struct nth_place fail;
	int error;
	struct nth_place seen[SEEN_MAX];
	size_t nseen;
	/* ends of children that somebody may yet ask for */
	struct {
		pid_t pid;
		int status;
	} ended[TASKS_MAX];
	unsigned nended;
} t;

static void tick(int signo)
{
	(void)signo;
}

void nth_init(const struct nth_rules *rules)
{
	struct itimerval every = { { 0, TICK_US }, { 0, TICK_US } };
	struct sigaction action = { .sa_handler = tick };

	t.rules = rules;
	CHECK(!sigaction(SIGALRM, &action, NULL) && !setitimer(ITIMER_REAL, &every, NULL));
}

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* ---- the traced ---- */

static struct task *task_of(pid_t tid, bool make)
{
	struct task *free = NULL;

	for (unsigned i = 0; i < TASKS_MAX; i++) {
		if (t.task[i].tid == tid)
			return &t.task[i];
		if (!free && !t.task[i].tid)
			free = &t.task[i];
	}
	if (!make)
		return NULL;
	CHECK(free);
	*free = (struct task){ .tid = tid, .number = -1 };
	if (t.armed && t.rules->by_birth)
		free->number = (int)t.numbers++;
	return free;
}

static unsigned tasks(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < TASKS_MAX; i++)
		n += t.task[i].tid != 0;
	return n;
}

/* Where the object's code is. */
static void look(struct task *k)
{
	char path[40], line[400];
	FILE *f;

	k->looked = true;
	k->module[0] = k->module[1] = 0;
	if (!t.rules->object)
		return;
	snprintf(path, sizeof path, "/proc/%d/maps", k->tid);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof line, f)) {
		unsigned long from, to;
		char mode[8];

		if (!strstr(line, t.rules->object) || sscanf(line, "%lx-%lx %7s", &from, &to, mode) != 3 ||
		    mode[2] != 'x')
			continue;
		k->module[0] = k->module[0] ? k->module[0] : from;
		k->module[1] = to;
	}
	if (f)
		fclose(f);
}

static void set_register(const struct task *k, size_t which, uint64_t value)
{
	ptrace(PTRACE_POKEUSER, k->tid, which, value);
}

static bool is_socket(pid_t tid, int fd)
{
	char path[48], text[16] = "";

	snprintf(path, sizeof path, "/proc/%d/fd/%d", tid, fd);
	return readlink(path, text, sizeof text - 1) > 0 && !strncmp(text, "socket:", 7);
}

static struct nth_place count(struct task *k, long nr, bool socket)
{
	unsigned *made = k->made[nr];

	if (t.rules->apart) {
		k->number = k->tid != t.rules->apart;
		made = k->number ? t.made[nr] : made;
	} else if (k->number < 0) {
		k->number = (int)t.numbers++;
	}
	return (struct nth_place){ (unsigned)k->number, made[socket]++, nr, socket };
}

static void entry(struct task *k, const struct ptrace_syscall_info *info)
{
	long nr = (long)info->entry.nr;
	struct nth_place here;

	if (!t.armed)
		return;
	if (t.rules->object && !k->looked)
		look(k);
	if (nr == SYS_mmap)
		k->looked = false;
	if (t.rules->ends && nr == SYS_exit_group && k->number >= 0)
		t.rules->ends((unsigned)k->number, k->tid, (int)info->entry.args[0]);
	if (nr < 0 || nr >= CALLS || !nth_fails(nr, (const uint64_t *)info->entry.args) ||
	    !t.rules->counts(k->tid, nr, info->instruction_pointer, k->module))
		return;
	here = count(k, nr, (nr == SYS_read || nr == SYS_write) && is_socket(k->tid, (int)info->entry.args[0]));
	if (t.nseen < SEEN_MAX)
		t.seen[t.nseen++] = here;
	if (!t.failing || t.failed || here.task != t.fail.task || here.n != t.fail.n || nr != t.fail.nr ||
	    here.socket != t.fail.socket)
		return;
	t.failed = true;
	k->result = -t.error;
	k->instead = nr != SYS_close;
	k->first = info->entry.args[0];
	if (!k->instead)
		return;
	/* not none at all: a filter is asked about that too, and kills for it, and every process here may close */
	set_register(k, offsetof(struct user_regs_struct, orig_rax), SYS_close);
	set_register(k, offsetof(struct user_regs_struct, rdi), (uint64_t)-1);
}

static void leave(struct task *k)
{
	if (!k->result)
		return;
	set_register(k, offsetof(struct user_regs_struct, rax), (uint64_t)(int64_t)k->result);
	if (k->instead)
		set_register(k, offsetof(struct user_regs_struct, rdi), k->first);
	k->result = 0;
}

static void syscall_stop(struct task *k)
{
	struct ptrace_syscall_info info;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, k->tid, sizeof info, &info) <= 0)
		return;
	if (info.op == PTRACE_SYSCALL_INFO_ENTRY)
		entry(k, &info);
	else if (info.op == PTRACE_SYSCALL_INFO_EXIT)
		leave(k);
}

/* A thread has stopped: see why, and let it go on. */
static void stopped(pid_t tid, int status)
{
	struct task *k = task_of(tid, true);
	int signo = WSTOPSIG(status), event = status >> 16;
	long deliver = 0;

	if (signo == (SIGTRAP | 0x80))
		syscall_stop(k);
	else if (event == PTRACE_EVENT_EXEC)
		k->looked = false;
	else if (!event)
		deliver = signo;
	ptrace(PTRACE_SYSCALL, tid, 0, deliver);
}

static void ended(pid_t tid, int status)
{
	struct task *k = task_of(tid, false);

	if (k)
		k->tid = 0;
	if (t.nended == TASKS_MAX) /* nobody will ask for the oldest */
		memmove(&t.ended[0], &t.ended[1], --t.nended * sizeof t.ended[0]);
	t.ended[t.nended].pid = tid;
	t.ended[t.nended++].status = status;
}

/* One thing that has happened, or a tick. */
static void step(void)
{
	int status;
	pid_t tid = waitpid(-1, &status, __WALL);

	if (tid > 0 && WIFSTOPPED(status))
		stopped(tid, status);
	else if (tid > 0)
		ended(tid, status);
	else if (errno == ECHILD)
		usleep(TICK_US);
}

/* ---- beginning ---- */

static int seize(pid_t tid)
{
	if (ptrace(PTRACE_SEIZE, tid, 0, OPTIONS))
		return -errno;
	task_of(tid, true);
	ptrace(PTRACE_INTERRUPT, tid, 0, 0);
	return 0;
}

pid_t nth_spawn(char *const *argv, int out, bool traced)
{
	int go[2];
	pid_t pid;
	char byte;

	CHECK(!pipe(go));
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		close(go[1]);
		if (read(go[0], &byte, 1) != 1)
			_exit(127);
		close(go[0]);
		dup2(out, 1);
		dup2(out, 2);
		close(out);
		execv(argv[0], argv);
		_exit(127);
	}
	close(go[0]);
	if (traced)
		CHECK_IS(seize(pid), 0);
	CHECK(write(go[1], "x", 1) == 1);
	close(go[1]);
	return pid;
}

static int adopt_threads(pid_t pid)
{
	char path[40];
	struct dirent *d;
	int r = 0;
	DIR *dir;

	snprintf(path, sizeof path, "/proc/%d/task", pid);
	dir = opendir(path);
	while (dir && r == 0 && (d = readdir(dir)))
		if (d->d_name[0] != '.')
			r = seize(atoi(d->d_name));
	if (dir)
		closedir(dir);
	return r;
}

int nth_adopt(pid_t pid)
{
	int r = adopt_threads(pid), child;
	char path[64];
	FILE *f;

	snprintf(path, sizeof path, "/proc/%d/task/%d/children", pid, pid);
	f = fopen(path, "r");
	while (f && r == 0 && fscanf(f, "%d", &child) == 1)
		r = nth_adopt(child);
	if (f)
		fclose(f);
	return r;
}

/* ---- counting ---- */

void nth_arm(const struct nth_place *fail, int error)
{
	for (unsigned i = 0; i < TASKS_MAX; i++) {
		t.task[i].number = -1;
		memset(t.task[i].made, 0, sizeof t.task[i].made);
	}
	memset(t.made, 0, sizeof t.made);
	t.numbers = 0;
	t.nseen = 0;
	t.failing = fail != NULL;
	t.failed = false;
	if (fail)
		t.fail = *fail;
	t.error = error;
	t.armed = true;
}

bool nth_disarm(void)
{
	t.armed = false;
	return t.failed;
}

const struct nth_place *nth_seen(size_t *count)
{
	*count = t.nseen;
	return t.seen;
}

/* ---- waiting ---- */

void nth_pump(int ms)
{
	uint64_t end = now_ms() + (uint64_t)ms;

	do
		step();
	while (now_ms() < end);
}

static bool reap(pid_t pid, int *status)
{
	for (unsigned i = 0; i < t.nended; i++) {
		if (t.ended[i].pid != pid)
			continue;
		*status = t.ended[i].status;
		t.ended[i] = t.ended[--t.nended];
		return true;
	}
	return false;
}

bool nth_wait(pid_t pid, bool all, int ms, int *status)
{
	uint64_t end = now_ms() + (uint64_t)ms;
	bool got = false;

	for (;;) {
		got = got || reap(pid, status);
		if (got && (!all || !tasks()))
			return true;
		if (now_ms() > end)
			return false;
		step();
	}
}

void nth_kill(void)
{
	uint64_t end = now_ms() + 5000;

	for (unsigned i = 0; i < TASKS_MAX; i++)
		if (t.task[i].tid)
			kill(t.task[i].tid, SIGKILL);
	while (tasks() && now_ms() < end)
		step();
	t.nended = 0;
}
