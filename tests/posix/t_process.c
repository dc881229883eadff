/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * t_process.c - what processes and threads share: descriptors, offsets, working directories, umask; fork, vfork, clone with and without
 * CLONE_FILES and CLONE_FS, unshare, orphans, many processes that append, a thread's own directory.
 */
#include "posix.h"

#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>

static int fd;
static char stack[65536] __attribute__((aligned(16)));

static int child(void *arg)
{
	char text[8] = { 0 };
	int *made = arg;

	read(fd, text, 2);
	say("child reads %s", text);
	*made = open("made", O_CREAT | O_RDWR, 0600);
	umask(0);
	mkdir("moved", 0777);
	chdir("moved");
	close(fd);
	return 3;
}

static void cloned(const char *how, int flags)
{
	int *made = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0), status = 0;
	char text[8] = { 0 };
	pid_t pid;

	part(how);
	fd = make("f", "0123456789");
	pid = clone(child, stack + sizeof stack, flags | SIGCHLD, made);
	SAY(waitpid(pid, &status, 0) == pid);
	say("%d", WEXITSTATUS(status));
	SAY(read(fd, text, 2));
	say("%s", text);
	SAY(fcntl(*made, F_GETFD));
	say("%o", umask(022));
	SAY(access("moved", F_OK));
	if (access("moved", F_OK))
		chdir("..");
	SAY(rmdir("moved"));
	SAY(unlink("made"));
	close(fd);
	close(*made);
	munmap(made, 4096);
}

static void *thread(void *arg)
{
	(void)arg;
	SAY(syscall(SYS_unshare, CLONE_FS));
	SAY(chdir("own"));
	close((int)TRY(open("by_thread", O_CREAT | O_RDWR, 0600)));
	SAY(syscall(SYS_unshare, CLONE_FILES));
	SAY(close(fd));
	return NULL;
}

static void *appender(void *arg)
{
	int own = open("appended", O_WRONLY | O_APPEND);
	char line[32];

	memset(line, 'A' + (int)(long)arg, 31);
	line[31] = '\n';
	for (int i = 0; i < 200; i++)
		write(i % 2 ? own : fd, line, 32);
	close(own);
	return NULL;
}

static void threads(void)
{
	pthread_t t[4];
	char line[33];
	int broken = 0, n = 0;
	FILE *in;

	part("threads");
	fd = make("f", "text");
	SAY(mkdir("own", 0755));
	pthread_create(t, NULL, thread, NULL);
	pthread_join(*t, NULL);
	SAY(access("own/by_thread", F_OK));
	SAY(fcntl(fd, F_GETFD));
	close(fd);
	part("many append");
	fd = open("appended", O_CREAT | O_WRONLY | O_APPEND, 0644);
	for (int i = 0; i < 3; i++)
		if (!fork()) {
			for (long j = 0; j < 4; j++)
				pthread_create(&t[j], NULL, appender, (void *)(i * 4 + j));
			for (int j = 0; j < 4; j++)
				pthread_join(t[j], NULL);
			_exit(0);
		}
	while (wait(NULL) > 0)
		;
	in = fopen("appended", "r");
	while (fread(line, 32, 1, in) == 1) {
		n++;
		for (int i = 0; i < 31; i++)
			broken += line[i] != line[0];
	}
	say("%d lines, %d broken", n, broken);
	fclose(in);
	unlink("appended");
	close(fd);
}

/* One offset, moved by all who have it: nothing is written over */
static void shared_offset(void)
{
	struct stat st;

	part("a shared offset");
	fd = open("shared", O_CREAT | O_RDWR, 0644);
	for (int i = 0; i < 4; i++)
		if (!fork()) {
			for (int j = 0; j < 100; j++)
				write(fd, "0123456789", 10);
			_exit(0);
		}
	while (wait(NULL) > 0)
		;
	fstat(fd, &st);
	say("%ld %ld", (long)st.st_size, (long)lseek(fd, 0, SEEK_CUR));
	close(fd);
}

static void orphans(void)
{
	int p[2];
	char c;

	part("orphans");
	pipe(p);
	fd = make("o", "");
	CHILD(if (!fork()) {
		if (!fork()) {
			sleep_ms(100);
			setsid();
			write(fd, "by an orphan", 12);
			close(p[0]);
			write(p[1], "x", 1);
			_exit(0);
		}
		_exit(0);
	} wait(NULL));
	close(p[1]);
	SAY(read(p[0], &c, 1));
	SAY(read(p[0], &c, 1));
	contents("o");
	/* killed in a write */
	CHILD(for (;;) {
		static char big[1 << 20];

		alarm(0);
		if (!fork()) {
			sleep_ms(50);
			kill(getppid(), SIGKILL);
			_exit(0);
		}
		for (;;)
			pwrite(fd, big, sizeof big, 0);
	});
	SAY(ftruncate(fd, 3));
	contents("o");
	pid_t pid = vfork();
	if (pid == 0) {
		write(fd, "v", 1);
		fcntl(fd, F_SETFD, FD_CLOEXEC);
		_exit(4);
	}
	ended(pid);
	say("%ld %d", (long)lseek(fd, 0, SEEK_CUR), fcntl(fd, F_GETFD));
	close(fd);
}

int main(int argc, char **argv)
{
	posix_begin(argc, argv);
	cloned("fork", 0);
	cloned("CLONE_FILES", CLONE_FILES);
	cloned("CLONE_FS", CLONE_FS);
	cloned("CLONE_FILES and CLONE_FS", CLONE_FILES | CLONE_FS);
	cloned("CLONE_VM and both", CLONE_VM | CLONE_FILES | CLONE_FS);
	threads();
	shared_offset();
	orphans();
	return 0;
}
