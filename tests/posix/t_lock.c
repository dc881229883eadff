/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * t_lock.c - record locks and flock: how ranges split and merge, what ends a lock and what does not - mapping, exec, duplicates, another file -
 * who waits for whom. tests/e2e/h_locks.c has exclusion and death.
 */
#include "posix.h"

#include <sys/file.h>
#include <sys/mman.h>
#include <sys/uio.h>

static int lock(int fd, int type, off_t start, off_t length)
{
	struct flock l = { .l_type = (short)type, .l_whence = SEEK_SET, .l_start = start, .l_len = length };

	return fcntl(fd, F_SETLK, &l);
}

/* What another process finds locked, from byte to byte */
static void seen(const char *path)
{
	pid_t pid = fork();

	if (pid == 0) {
		struct flock l;
		off_t at = 0;
		int fd = open(path, O_RDWR);
		char line[300] = "";
		size_t n = 0;

		while (n < 250) {
			l = (struct flock){ .l_type = F_WRLCK, .l_start = at };
			if (fcntl(fd, F_GETLK, &l) || l.l_type == F_UNLCK)
				break;
			n += (size_t)snprintf(line + n, sizeof line - n, " %s%ld+%ld%s",
					      l.l_type == F_RDLCK ? "r" : "w", (long)l.l_start, (long)l.l_len,
					      l.l_pid == getppid() ? "" : "?");
			if (l.l_len == 0)
				break;
			at = l.l_start + l.l_len;
		}
		say("locked:%s", line);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
}

static void ranges(void)
{
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_END, .l_start = -4, .l_len = 4 };
	int fd = make("r", "0123456789");

	part("ranges");
	SAY(lock(fd, F_WRLCK, 0, 100));
	seen("r");
	SAY(lock(fd, F_UNLCK, 40, 10));
	seen("r");
	SAY(lock(fd, F_RDLCK, 60, 10));
	seen("r");
	SAY(lock(fd, F_WRLCK, 40, 30));
	seen("r");
	SAY(lock(fd, F_RDLCK, 200, 0));
	seen("r");
	SAY(lock(fd, F_UNLCK, 0, 0));
	seen("r");
	SAY(fcntl(fd, F_SETLK, &l));
	seen("r");
	l = (struct flock){ .l_type = F_WRLCK, .l_whence = SEEK_CUR, .l_start = 3, .l_len = -2 };
	SAY(fcntl(fd, F_SETLK, &l));
	seen("r");
	SAY(lock(fd, F_WRLCK, -1, 1));
	SAY(lock(fd, 99, 0, 1));
	l = (struct flock){ .l_type = F_WRLCK, .l_whence = 9 };
	SAY(fcntl(fd, F_SETLK, &l));
	SAY(fcntl(fd, F_GETLK, NULL));
	close(fd);
	fd = open("r", O_RDONLY);
	SAY(lock(fd, F_WRLCK, 0, 1));
	SAY(lock(fd, F_RDLCK, 0, 1));
	close(fd);
	fd = open("r", O_WRONLY);
	SAY(lock(fd, F_RDLCK, 0, 1));
	close(fd);
	seen("r");
}

static void what_ends_them(char *self)
{
	int fd = make("e", "0123456789"), a, other, out;
	char *map, text[8];
	struct flock l = { .l_type = F_WRLCK, .l_len = 3 };

	part("what ends them");
	SAY(lock(fd, F_WRLCK, 0, 10));
	seen("e");
	/* none of these */
	map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	SAY(map == MAP_FAILED);
	seen("e");
	if (map != MAP_FAILED)
		munmap(map, 4096);
	seen("e");
	map = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
	munmap(map, 4096);
	seen("e");
	SAY(pread(fd, text, 4, 0));
	SAY(ftruncate(fd, 5));
	SAY(rename("e", "f"));
	SAY(link("f", "e"));
	SAY(chmod("e", 0640));
	seen("e");
	out = make("out", "");
	SAY(copy_file_range(fd, NULL, out, NULL, 3, 0));
	close(out);
	seen("e");
	SAY(access("e", R_OK));
	SAY(truncate("e", 3));
	seen("e");
	CHILD(close(fd));
	seen("e");
	CHILD(execl(self, self, ".", "exec", NULL));
	seen("e");
	/* a stat through O_PATH does not, for nothing was opened */
	close(open("e", O_PATH));
	seen("e");
	/* these do */
	a = dup(fd);
	close(a);
	seen("e");
	SAY(lock(fd, F_WRLCK, 0, 10));
	other = open("e", O_RDONLY);
	seen("e");
	close(other);
	seen("e");
	SAY(lock(fd, F_WRLCK, 0, 10));
	other = open("f", O_RDONLY); /* its other name */
	SAY(dup2(1, other) == other);
	seen("e");
	close(other);
	/* those of an open file description stay as long as that is open */
	SAY(fcntl(fd, F_OFD_SETLK, &l));
	a = dup(fd);
	close(fd);
	other = open("e", O_RDWR);
	SAY(fcntl(other, F_OFD_SETLK, &l));
	SAY(fcntl(other, F_SETLK, &l));
	map = mmap(NULL, 4096, PROT_READ, MAP_SHARED, a, 0);
	SAY(fcntl(other, F_OFD_SETLK, &l));
	munmap(map, 4096);
	SAY(fcntl(other, F_OFD_SETLK, &l));
	close(a);
	SAY(fcntl(other, F_OFD_SETLK, &l));
	l.l_pid = 1;
	SAY(fcntl(other, F_OFD_SETLK, &l));
	close(other);
}

/* Kept over exec, by the same process */
static void over_exec(char *self)
{
	char number[16];
	pid_t pid;

	part("over exec");
	pid = fork();
	if (pid == 0) {
		int fd = make("x", "x");

		lock(fd, F_WRLCK, 0, 10);
		flock(fd, LOCK_EX);
		snprintf(number, sizeof number, "%d", fd);
		execl(self, self, ".", "locked", number, NULL);
	}
	ended(pid);
}

static volatile sig_atomic_t alarms;

static void on_signal(int sig)
{
	(void)sig;
	alarms++;
}

static void waiting(void)
{
	struct sigaction sa = { .sa_handler = on_signal };
	struct flock l = { .l_type = F_WRLCK };
	int fd = make("w", "w"), p[2], other;
	pid_t pid;
	char c;

	part("waiting");
	SAY(pipe(p));
	pid = fork();
	if (pid == 0) {
		fd = open("w", O_RDWR);
		lock(fd, F_WRLCK, 0, 0);
		flock(fd, LOCK_EX);
		c = 'x';
		if (write(p[1], &c, 1) != 1)
			_exit(1);
		sleep_ms(500);
		_exit(0);
	}
	SAY(read(p[0], &c, 1));
	sigaction(SIGUSR1, &sa, NULL);
	other = fork();
	if (other == 0) {
		sleep_ms(150);
		kill(getppid(), SIGUSR1);
		_exit(0);
	}
	SAY(fcntl(fd, F_SETLKW, &l));
	say("%d", (int)alarms);
	ended(other);
	SAY(flock(fd, LOCK_EX | LOCK_NB));
	SAY(flock(fd, LOCK_SH | LOCK_NB));
	SAY(lock(fd, F_RDLCK, 5, 1));
	SAY(fcntl(fd, F_SETLKW, &l));
	SAY(flock(fd, LOCK_EX));
	ended(pid);
	/* shared, upgraded, unlocked by a duplicate */
	other = open("w", O_RDONLY);
	SAY(flock(fd, LOCK_SH));
	SAY(flock(other, LOCK_SH));
	SAY(flock(fd, LOCK_EX | LOCK_NB));
	SAY(flock(other, LOCK_UN));
	SAY(flock(fd, LOCK_EX | LOCK_NB));
	SAY(flock(other, LOCK_SH | LOCK_NB));
	p[0] = dup(fd);
	SAY(flock(p[0], LOCK_UN));
	SAY(flock(other, LOCK_SH | LOCK_NB));
	SAY(flock(other, 99));
	SAY(lockf(fd, F_TEST, 0));
	SAY(lockf(fd, F_TLOCK, 10));
	seen("w");
	SAY(lockf(fd, F_ULOCK, 0));
	seen("w");
}

int main(int argc, char **argv)
{
	char self[PATH_MAX];

	if (argc > 2) { /* what exec made of it */
		if (!strcmp(argv[2], "locked")) {
			seen("x");
			SAY(flock(open("x", O_RDONLY), LOCK_SH | LOCK_NB));
			SAY(close(atoi(argv[3])));
			seen("x");
			SAY(flock(open("x", O_RDONLY), LOCK_SH | LOCK_NB));
		}
		return 0;
	}
	posix_begin(argc, argv);
	self[readlink("/proc/self/exe", self, sizeof self - 1)] = 0;
	ranges();
	what_ends_them(self);
	over_exec(self);
	waiting();
	return 0;
}
