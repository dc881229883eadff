/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * t_processes.c - the domain's processes and threads: those that serve a user are not his to signal, trace, slow down
 * or look into, while they wear his file-system ids and afterwards.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "tests/attack/attack.h"

#define ROUNDS 5

static bool refused(long r)
{
	return r == -1 && (errno == EPERM || errno == EACCES || errno == ESRCH || errno == ENOENT);
}

#define REFUSED(call, pid) EXPECT(refused((long)(call)), "%s at task %d of the domain is not refused: %m", #call, pid)

/* A thread's or a process' number. */
static void assault(pid_t pid)
{
	static const int signals[] = { 0, SIGTERM, SIGKILL, SIGSTOP, SIGSEGV, SIGUSR1 };
	struct iovec own = { &own, 1 }, there = { (void *)0x400000, 1 };
	cpu_set_t one;

	for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
		REFUSED(kill(pid, signals[i]), pid);
		REFUSED(syscall(SYS_tkill, pid, signals[i]), pid);
		REFUSED(syscall(SYS_rt_sigqueueinfo, pid, signals[i], &(siginfo_t){ .si_code = SI_QUEUE }), pid);
	}
	CPU_ZERO(&one);
	CPU_SET(0, &one);
	REFUSED(setpriority(PRIO_PROCESS, (id_t)pid, 19), pid);
	REFUSED(sched_setaffinity(pid, sizeof one, &one), pid);
	REFUSED(syscall(SYS_sched_setscheduler, pid, SCHED_BATCH, &(struct sched_param){ 0 }), pid);
	REFUSED(syscall(SYS_ioprio_set, 1, pid, 3 << 13), pid);
	REFUSED(prlimit(pid, RLIMIT_NOFILE, &(struct rlimit){ 3, 3 }, NULL), pid);
	REFUSED(prlimit(pid, RLIMIT_NOFILE, NULL, &(struct rlimit){ 0 }), pid);
	REFUSED(ptrace(PTRACE_ATTACH, pid, NULL, NULL), pid);
	REFUSED(ptrace(PTRACE_SEIZE, pid, NULL, NULL), pid);
	REFUSED(process_vm_readv(pid, &own, 1, &there, 1, 0), pid);
	REFUSED(process_vm_writev(pid, &own, 1, &there, 1, 0), pid);
}

static void look_into(pid_t process, pid_t thread)
{
	static const struct {
		const char *name;
		int flags;
	} file[] = {
		{ "mem", O_RDWR },      { "maps", O_RDONLY },          { "environ", O_RDONLY },
		{ "fd/4", O_RDONLY },   { "fd/16", O_RDONLY },         { "root/data", O_RDONLY },
		{ "cwd", O_RDONLY },    { "auxv", O_RDONLY },          { "stack", O_RDONLY },
		{ "ns/mnt", O_RDONLY }, { "exe", O_RDONLY },           { "map_files", O_RDONLY },
		{ "fdinfo", O_RDONLY }, { "oom_score_adj", O_WRONLY }, { "coredump_filter", O_WRONLY },
		{ "comm", O_WRONLY },
	};
	char path[96], byte;

	for (size_t i = 0; i < sizeof file / sizeof file[0]; i++) {
		int fd;

		snprintf(path, sizeof path, "/proc/%d/task/%d/%s", process, thread, file[i].name);
		fd = open(path, file[i].flags);
		if (fd < 0)
			continue;
		/* what can be opened tells nothing, or is refused when it is used */
		if (file[i].flags == O_WRONLY)
			EXPECT(write(fd, "0", 1) < 0, "%s is written", path);
		else
			EXPECT(read(fd, &byte, 1) <= 0, "%s is read", path);
		close(fd);
	}
}

static void assault_process(pid_t pid)
{
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	char path[64];
	struct dirent *d;
	DIR *tasks;

	if (pidfd >= 0) {
		REFUSED(syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0), pid);
		for (int fd = 0; fd < 40; fd++)
			REFUSED(syscall(SYS_pidfd_getfd, pidfd, fd, 0), pid);
		close(pidfd);
	}
	snprintf(path, sizeof path, "/proc/%d/task", pid);
	tasks = opendir(path);
	while (tasks && (d = readdir(tasks)))
		if (*d->d_name >= '1' && *d->d_name <= '9') {
			assault(atoi(d->d_name));
			look_into(pid, atoi(d->d_name));
		}
	if (tasks)
		closedir(tasks);
}

static void tasks(void)
{
	static pid_t list[4096];
	struct session s;
	unsigned n = 0;

	for (int round = 0; round < ROUNDS; round++) {
		CHECK_IS(attack_open(&s), 0);
		EXPECT(attack_open_file(&s, "/data/own", O_CREAT | O_RDWR, 0600) >= 0, "a file of one's own");
		n = attack_processes(list, 4096, NULL);
		CHECK(n >= 2);
		for (unsigned i = 0; i < n; i++)
			assault_process(list[i]);
		EXPECT(!attack_lost(&s), "the session is over");
		session_close(&s);
	}
	printf("# %u processes\n", n);
}

int main(void)
{
	attack_begin(NULL);
	attack_by(ATTACKER, "the domain's processes", tasks);
	return attack_end();
}
