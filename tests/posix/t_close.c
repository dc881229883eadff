/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * t_close.c - what others, and the process itself, can tell of a close of a file that was only read: it has happened when they look. What is over within a
 * microsecond is seldom seen: t_slow_close.sh runs this with a domain that takes its time for each close.
 */
#include "posix.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <sys/time.h>
#include <sys/wait.h>

#define LARGE (8 << 20)
#define ROUNDS 6

static int asked[2], answered[2]; /* pipes between the process and who looks */

static bool tell(int fd)
{
	char c = 'x';

	return write(fd, &c, 1) == 1;
}

static bool hear(int fd)
{
	char c;

	return read(fd, &c, 1) == 1;
}

/* A child that looks each time it is told to. */
static pid_t looker(bool (*look)(void))
{
	pid_t child;

	if (pipe(asked) || pipe(answered))
		_exit(9);
	fflush(stdout);
	child = fork();
	if (child)
		return close(asked[0]), close(answered[1]), child;
	close(asked[1]);
	close(answered[0]);
	while (hear(asked[0])) {
		char c = look() ? 'y' : 'n';

		if (write(answered[1], &c, 1) != 1)
			break;
	}
	_exit(0);
}

static bool looks_right(void)
{
	char c = 'n';

	return tell(asked[1]) && read(answered[0], &c, 1) == 1 && c == 'y';
}

static void looker_ends(pid_t child)
{
	close(asked[1]);
	close(answered[0]);
	waitpid(child, NULL, 0);
}

static bool can_lease(void)
{
	int fd = open("file", O_RDWR);
	bool can = fcntl(fd, F_SETLEASE, F_WRLCK) == 0;

	close(fd);
	return can;
}

static bool can_lock_by(int command)
{
	int fd = open("file", O_RDWR);
	struct flock l = { .l_type = F_WRLCK };
	bool can = fcntl(fd, command, &l) == 0;

	close(fd);
	return can;
}

static bool can_lock(void)
{
	return can_lock_by(F_SETLK);
}

static bool can_lock_open_file(void)
{
	return can_lock_by(F_OFD_SETLK);
}

/* Without waiting for what keeps its length as it is: a lease, which goes with the close. */
static bool can_write(void)
{
	int fd = open("read", O_WRONLY | O_NONBLOCK);

	return fd >= 0 && close(fd) == 0;
}

static bool can_flock(void)
{
	int fd = open("file", O_RDWR);
	bool can = flock(fd, LOCK_EX | LOCK_NB) == 0;

	close(fd);
	return can;
}

static void told(void)
{
	pid_t child = looker(can_lease);
	int right = 0, fd, in, locked;
	char text[8];

	part("others who are told");
	for (int i = 0; i < ROUNDS; i++) {
		fd = open("file", O_RDONLY);
		right += read(fd, text, sizeof text) == 4 && close(fd) == 0 && looks_right();
	}
	say("a lease to be had: %d", right);
	looker_ends(child);

	child = looker(can_lock);
	for (int i = right = 0; i < ROUNDS; i++) {
		struct flock l = { .l_type = F_WRLCK };

		locked = open("file", O_RDWR);
		in = open("file", O_RDONLY);
		right += fcntl(locked, F_SETLK, &l) == 0 && !looks_right();
		close(in);
		right += looks_right();
		close(locked);
	}
	say("a lock of the process to be had: %d", right);
	looker_ends(child);

	child = looker(can_flock);
	for (int i = right = 0; i < ROUNDS; i++) {
		in = open("file", O_RDONLY);
		right += flock(in, LOCK_SH) == 0 && !looks_right();
		close(in);
		right += looks_right();
	}
	say("a lock of the file to be had: %d", right);
	looker_ends(child);

	child = looker(can_lock_open_file);
	for (int i = right = 0; i < ROUNDS; i++) {
		struct flock l = { .l_type = F_RDLCK };

		in = open("file", O_RDONLY);
		right += fcntl(in, F_OFD_SETLK, &l) == 0 && !looks_right();
		close(in);
		right += looks_right();
	}
	say("a lock of the open file to be had: %d", right);
	looker_ends(child);
}

/* ---- told by memory, which no call waits for: that of a lock is not posted ---- */

static volatile int *turn, *answer; /* shared */

static pid_t looker_at_memory(bool (*look)(void))
{
	pid_t child;

	turn = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	answer = turn + 1;
	child = fork();
	while (!child) {
		while (*turn != 1)
			sched_yield();
		*answer = look();
		__sync_synchronize();
		*turn = 2;
	}
	return child;
}

static bool looks_at_once(void)
{
	__sync_synchronize();
	*turn = 1;
	while (*turn != 2)
		__builtin_ia32_pause();
	*turn = 0;
	return *answer;
}

static void looker_at_memory_ends(pid_t child)
{
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

static bool locks_told_by_memory(void)
{
	pid_t child = looker_at_memory(can_lock);
	int right = 0, in, locked;

	for (int i = 0; i < ROUNDS; i++) {
		struct flock l = { .l_type = F_WRLCK };

		locked = open("file", O_RDWR);
		in = open("file", O_RDONLY);
		right += fcntl(locked, F_SETLK, &l) == 0 && !looks_at_once();
		close(in);
		right += looks_at_once();
		close(locked);
	}
	looker_at_memory_ends(child);
	return right == 2 * ROUNDS;
}

static bool flocks_told_by_memory(void)
{
	pid_t child = looker_at_memory(can_flock);
	int right = 0, in;

	for (int i = 0; i < ROUNDS; i++) {
		in = open("file", O_RDONLY);
		right += flock(in, LOCK_SH) == 0 && !looks_at_once();
		close(in);
		right += looks_at_once();
	}
	looker_at_memory_ends(child);
	return right == 2 * ROUNDS;
}

static bool leases_told_by_memory(void)
{
	pid_t child = looker_at_memory(can_write);
	int right = 0, in;

	signal(SIGIO, SIG_IGN);
	for (int i = 0; i < ROUNDS; i++) {
		in = open("read", O_RDONLY);
		right += fcntl(in, F_SETLEASE, F_RDLCK) == 0 && !looks_at_once();
		close(in);
		right += looks_at_once();
	}
	looker_at_memory_ends(child);
	return right == 2 * ROUNDS;
}

/* A lock that a child has taken. */
static bool a_childs_told_by_memory(void)
{
	pid_t child = looker_at_memory(can_flock), locker;
	int right = 0, in, status;

	for (int i = 0; i < ROUNDS; i++) {
		in = open("file", O_RDONLY);
		locker = fork();
		if (!locker)
			_exit(flock(in, LOCK_SH));
		waitpid(locker, &status, 0);
		right += !status && !looks_at_once();
		close(in);
		right += looks_at_once();
	}
	looker_at_memory_ends(child);
	return right == 2 * ROUNDS;
}

/* By a process that has had no lock and no lease. */
static bool told_of_many(void)
{
	pid_t child = looker(can_lease);
	int right = 0, fd[40];

	for (int i = 0; i < 3; i++) {
		for (int k = 0; k < 40; k++)
			fd[k] = open("file", O_RDONLY);
		for (int k = 0; k < 40; k++)
			close(fd[k]);
		right += looks_right();
	}
	looker_ends(child);
	return right == 3;
}

static bool told_of_a_delegated_one(void)
{
	pid_t child = looker(can_write);
	int right = 0;
	char text[8];

	for (int i = 0; i < 5; i++) {
		int fd = open("read", O_RDONLY);

		for (int k = 0; k < 400; k++)
			right += pread(fd, text, sizeof text, 0) == 4;
		close(fd);
		right += looks_right();
	}
	looker_ends(child);
	return right == 5 * 401;
}

/* ---- a deleted file ---- */

static long long room(void)
{
	struct statvfs st;

	return statvfs(".", &st) ? -1 : (long long)st.f_bavail * (long long)st.f_frsize;
}

/* It has no name, and takes up room. */
static int deleted(void)
{
	static char page[65536] = "x";
	int out = open("large", O_CREAT | O_TRUNC | O_RDWR, 0644), fd;

	for (int i = 0; i < LARGE / (int)sizeof page; i++)
		write(out, page, sizeof page);
	fd = open("large", O_RDONLY);
	close(out);
	unlink("large");
	return fd;
}

/* Others may take as much just then, but hardly each time. */
static void room_again(void)
{
	long long before;
	int tries = 10, fd;

	part("room of deleted files");
	do {
		fd = deleted();
		before = room();
		close(fd);
	} while (room() - before < LARGE / 2 && --tries);
	say("there when it is asked for: %d", tries > 0);
}

/* ---- processes that end, and begin ---- */

static char file[4096]; /* by its whole path: nothing of the domain's is open beside it */

static bool can_lease_far(void)
{
	int fd = open(file, O_RDWR);
	bool can = fcntl(fd, F_SETLEASE, F_WRLCK) == 0;

	close(fd);
	return can;
}

static void read_it(void)
{
	int fd = open(file, O_RDONLY);
	char text[8];

	if (read(fd, text, sizeof text) != 4)
		_exit(9);
	close(fd);
}

static bool its_child(void)
{
	int status;
	pid_t child;

	read_it();
	child = fork();
	if (!child)
		_exit(can_lease_far());
	return waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 1;
}

static bool its_only_file(void)
{
	return chdir("/") == 0 && its_child();
}

/* It knows nothing of what this process has open. */
static bool its_program(void)
{
	int status;
	pid_t child;

	if (chdir("/"))
		return false;
	read_it();
	child = vfork();
	if (!child) {
		execl("/proc/self/exe", "t_close", "lease", file, NULL);
		_exit(9);
	}
	return waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 1;
}

static bool its_image(void)
{
	if (chdir("/"))
		return false;
	read_it();
	execl("/proc/self/exe", "t_close", "lease", file, NULL);
	return false;
}

static bool after_it_ended(void (*ends)(void))
{
	pid_t child = fork();
	int status;

	if (!child) {
		read_it();
		ends();
	}
	return waitpid(child, &status, 0) == child && can_lease_far();
}

static void exits(void)
{
	_exit(0);
}

static void is_killed(void)
{
	kill(getpid(), SIGKILL);
}

static bool its_parent(void)
{
	return after_it_ended(exits) && after_it_ended(is_killed);
}

/* ---- the process itself ---- */

static bool its_own_lease(void)
{
	int in = open("file", O_RDONLY), out = open("file", O_RDWR);

	close(in);
	return fcntl(out, F_SETLEASE, F_WRLCK) == 0;
}

static bool its_own_watch(void)
{
	char buffer[512];
	int in = inotify_init1(IN_NONBLOCK), fd, before = open("file", O_RDONLY);

	if (inotify_add_watch(in, "file", IN_CLOSE_NOWRITE) < 0)
		return false;
	close(before);
	if (read(in, buffer, sizeof buffer) != sizeof(struct inotify_event))
		return false;
	for (int i = 0; i < 20; i++) {
		fd = open("file", O_RDONLY);
		close(fd);
		if (read(in, buffer, sizeof buffer) != sizeof(struct inotify_event))
			return false;
	}
	return true;
}

/* From some fork on its domain has a process ready for the next child. */
static bool its_childrens_watch(void)
{
	char buffer[512];
	int in = inotify_init1(IN_NONBLOCK), here = open(".", O_RDONLY | O_DIRECTORY), right = 0, status;

	if (inotify_add_watch(in, "file", IN_CLOSE_NOWRITE) < 0)
		return false;
	for (int i = 0; i < 8; i++) {
		pid_t child = fork();

		if (!child) {
			close(open("file", O_RDONLY));
			_exit(read(in, buffer, sizeof buffer) == sizeof(struct inotify_event));
		}
		waitpid(child, &status, 0);
		right += WIFEXITED(status) && WEXITSTATUS(status) == 1;
	}
	return close(here) == 0 && right == 8;
}

static bool few_descriptors(void)
{
	struct rlimit limit;
	int fd[64], n = 0;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = 64;
	setrlimit(RLIMIT_NOFILE, &limit);
	while (n < 64 && (fd[n] = open("file", O_RDONLY)) >= 0)
		n++;
	for (int i = 0; i < 80; i++) {
		const int k = i % n;

		if (close(fd[k]) || open("file", O_RDONLY) != fd[k])
			return false;
	}
	return true;
}

/* In a process of its own each time, which has not yet done anything like it. */
static int children(bool (*does)(void), int times)
{
	int right = 0, status;

	for (int i = 0; i < times; i++) {
		pid_t child = fork();

		if (!child)
			_exit(does());
		waitpid(child, &status, 0);
		right += WIFEXITED(status) && WEXITSTATUS(status) == 1;
	}
	return right;
}

static sigjmp_buf away;
static volatile sig_atomic_t jumps;

static void jump(int signal)
{
	(void)signal;
	siglongjmp(away, 1);
}

/* Closes that are jumped out of: each has happened or not, and what the process does next comes after. */
static bool jumped_out(void)
{
	struct itimerval soon = { .it_value.tv_usec = 150 };
	struct sigaction act = { .sa_handler = jump };
	volatile int fd = -1;

	sigaction(SIGALRM, &act, NULL);
	for (volatile int i = 0; i < 50; i++) {
		if (sigsetjmp(away, 1)) {
			jumps++;
			fcntl(fd, F_GETFD); /* it is open, or it is not */
			continue;
		}
		soon.it_value.tv_usec = 50 + i;
		setitimer(ITIMER_REAL, &soon, NULL);
		for (;;) {
			fd = open("file", O_RDONLY);
			close(fd);
		}
	}
	soon.it_value.tv_usec = 0;
	setitimer(ITIMER_REAL, &soon, NULL);
	fd = open("file", O_RDONLY);
	return close(fd) == 0 && close(fd) == -1 && errno == EBADF;
}

static void processes(void)
{
	part("processes");
	say("a lock, told by memory: %d", children(locks_told_by_memory, 1));
	say("a lock of a file, told by memory: %d", children(flocks_told_by_memory, 1));
	say("a lease, told by memory: %d", children(leases_told_by_memory, 1));
	say("a lock of a child's, told by memory: %d", children(a_childs_told_by_memory, 1));
	say("many closes: %d", children(told_of_many, 3));
	say("a delegated file: %d", children(told_of_a_delegated_one, 2));
	say("a child: %d", children(its_child, ROUNDS));
	say("a child that inherits nothing: %d", children(its_only_file, ROUNDS));
	say("a program: %d", children(its_program, ROUNDS));
	say("an image: %d", children(its_image, ROUNDS));
	say("who has ended: %d", children(its_parent, ROUNDS));
}

static void itself(void)
{
	int fd, twin;
	char text[8];

	part("the process itself");
	fd = open("file", O_RDONLY);
	twin = dup(fd);
	SAY(close(fd) + close(fd));
	SAY(read(twin, text, 4));
	SAY(close(twin));
	fd = open(".", O_RDONLY | O_DIRECTORY);
	SAY(close(fd));
	SAY(fchdir(fd));
	say("a lease: %d", children(its_own_lease, 10));
	say("a watch: %d", children(its_own_watch, 3));
	say("a watch that children inherit: %d", children(its_childrens_watch, 1));
	say("descriptors that are few: %d", children(few_descriptors, 1));
	say("jumps: %d", children(jumped_out, 1));
}

/* ---- threads ---- */

static void *reader(void *arg)
{
	char path[16], text[16], read_[16];
	long right = 0;

	snprintf(path, sizeof path, "file%ld", (long)arg);
	snprintf(text, sizeof text, "text %ld", (long)arg);
	close(make(path, text));
	for (int i = 0; i < 20; i++) {
		int fd = open(path, O_RDONLY), other = i % 7 ? -1 : open(path, O_RDONLY);

		right += read(fd, read_, sizeof read_) == (ssize_t)strlen(text) && !memcmp(text, read_, strlen(text));
		if (other >= 0)
			close(other);
		right += close(fd) == 0;
	}
	return (void *)right;
}

static void threads(void)
{
	pthread_t thread[8];
	void *right;
	long all = 0;

	part("threads");
	for (long i = 0; i < 8; i++)
		pthread_create(&thread[i], NULL, reader, (void *)i);
	for (int i = 0; i < 8; i++) {
		pthread_join(thread[i], &right);
		all += (long)right;
	}
	say("right: %ld", all);
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "lease")) {
		strncpy(file, argv[2], sizeof file - 1);
		return can_lease_far();
	}
	posix_begin(argc, argv);
	signal(SIGPIPE, SIG_IGN);
	close(make("file", "text"));
	close(make("read", "text"));
	if (!getcwd(file, sizeof file - 8))
		return 9;
	strcat(file, "/file");
	/* the first process must not have had a lock: its children's closes would be waited for, too */
	room_again();
	processes();
	itself();
	threads();
	told();
	return 0;
}
