/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * h_exec.c - remote descriptors through fork, vfork, posix_spawn and exec. Besides DIRECTORY native|remote it has modes of its
 * own, which the images it executes itself as run in: `after ...`.
 */
#include "e2e.h"

#include <spawn.h>

extern char **environ;
static char self[600];

/* in the new image: "after cloexec": 20 is the file at offset 7, 21 has gone, 22 is local */
static int after_exec(void)
{
	char buf[10];
	struct stat st;

	EQUAL(lseek(20, 0, SEEK_CUR), 7);
	EQUAL(read(20, buf, 3), 3);
	CHECK(!memcmp(buf, "789", 3));
	EQUAL(fcntl(20, F_GETFL) & O_ACCMODE, O_RDWR);
	FAILS(read(21, buf, 1), EBADF);
	FAILS(fcntl(21, F_GETFD), EBADF);
	EQUAL(fstat(22, &st), 0);
	CHECK(S_ISCHR(st.st_mode));
	EQUAL(write(20, "X", 1), 1);
	EQUAL(flock(20, LOCK_EX | LOCK_NB), 0); /* the open file description is the same: it had the lock already */
	return e2e_status();
}

/* in the new image: still in the directory the old one was in, with its umask */
static int after_directory(void)
{
	char cwd[1024];
	struct stat st;
	int fd = open("relative", O_WRONLY | O_CREAT, 0666);

	CHECK(fd >= 0);
	EQUAL(write(fd, "r", 1), 1);
	EQUAL(fstat(fd, &st), 0);
	EQUAL(st.st_mode & 0777, 0640);
	CHECK(getcwd(cwd, sizeof cwd) && !strcmp(cwd + strlen(cwd) - 4, "/sub"));
	EQUAL(access("../file", R_OK), 0);
	return e2e_status();
}

static int run(pid_t pid)
{
	CHECK(pid > 0);
	return wait_status(pid);
}

static void exec_inherits(void)
{
	int fd = open(in_dir("file"), O_RDWR), other, status;
	pid_t pid;

	EQUAL(lseek(fd, 7, SEEK_SET), 7);
	EQUAL(flock(fd, LOCK_EX), 0);
	pid = fork();
	if (pid == 0) {
		CHECK(dup2(fd, 20) == 20);
		CHECK(dup3(fd, 21, O_CLOEXEC) == 21);
		other = open("/dev/null", O_RDONLY);
		CHECK(dup2(other, 22) == 22);
		execl(self, self, "after", "exec", NULL);
		_exit(99);
	}
	EQUAL(run(pid), 0);
	EQUAL(lseek(fd, 0, SEEK_CUR), 11);
	/* an exec that fails leaves everything as it was */
	pid = fork();
	if (pid == 0) {
		char c;

		dup3(fd, 21, O_CLOEXEC);
		CHECK(execl("/nonexistent/program", "x", NULL) == -1 && errno == ENOENT);
		CHECK(execl(in_dir("file"), "x", NULL) == -1 && errno == EACCES);
		EQUAL(pread(21, &c, 1, 0), 1);
		EQUAL(c, '0');
		_exit(e2e_status());
	}
	EQUAL(run(pid), 0);
	/* the directory goes along, and the umask */
	EQUAL(mkdir(in_dir("sub"), 0755), 0);
	pid = fork();
	if (pid == 0) {
		CHECK(!chdir(in_dir("sub")));
		umask(026);
		execl(self, self, "after", "directory", NULL);
		_exit(99);
	}
	status = run(pid);
	EQUAL(status, 0);
	EQUAL(flock(fd, LOCK_UN), 0);
	EQUAL(close(fd), 0);
}

static void fork_shares(void)
{
	int fd = open(in_dir("file"), O_RDWR), fd2;
	char buf[4];
	pid_t pid;

	EQUAL(read(fd, buf, 3), 3);
	pid = fork();
	if (pid == 0) {
		CHECK(read(fd, buf, 2) == 2 && !memcmp(buf, "34", 2));
		EQUAL(close(fd), 0);
		fd2 = open(in_dir("file"), O_RDONLY); /* the child's own: our number, another file position */
		EQUAL(fd2, fd);
		CHECK(read(fd2, buf, 1) == 1 && buf[0] == '0');
		_exit(e2e_status());
	}
	EQUAL(run(pid), 0);
	CHECK(read(fd, buf, 1) == 1 && buf[0] == '5');
	/* grandchildren, several at once */
	pid = fork();
	if (pid == 0) {
		pid_t more[4];

		for (int i = 0; i < 4; i++) {
			more[i] = fork();
			if (more[i] == 0)
				_exit(read(fd, buf, 1) != 1);
		}
		for (int i = 0; i < 4; i++)
			EQUAL(wait_status(more[i]), 0);
		_exit(e2e_status());
	}
	EQUAL(run(pid), 0);
	EQUAL(lseek(fd, 0, SEEK_CUR), 10);
	EQUAL(close(fd), 0);
}

/* The child of a vfork closes, duplicates and opens: none of it is the parent's business. */
static void vfork_keeps(void)
{
	int fd = open(in_dir("file"), O_RDWR), out = open(in_dir("out"), O_RDWR | O_CREAT | O_TRUNC, 0600);
	char buf[20];
	pid_t pid;

	for (int i = 0; i < 3; i++) {
		pid = vfork();
		if (pid == 0) {
			close(fd);
			dup2(out, 1);
			close(out);
			if (open(in_dir("file"), O_RDONLY) != fd)
				_exit(98);
			execlp("sh", "sh", "-c", "echo line", NULL);
			_exit(99);
		}
		EQUAL(run(pid), 0);
		EQUAL(pread(fd, buf, 3, 0), 3);
		CHECK(!memcmp(buf, "012", 3));
	}
	EQUAL(pread(out, buf, sizeof buf, 0), 15);
	CHECK(!memcmp(buf, "line\nline\nline\n", 15));
	EQUAL(lseek(out, 0, SEEK_CUR), 15);
	pid = vfork(); /* one that does not get to exec */
	if (pid == 0) {
		close(fd);
		_exit(5);
	}
	CHECK(run(pid) == 5 << 8);
	EQUAL(pread(fd, buf, 1, 0), 1);
	EQUAL(close(fd), 0);
	EQUAL(close(out), 0);
}

static void spawn_acts(void)
{
	posix_spawn_file_actions_t a;
	char *const args[] = { "sh", "-c", "cat; echo more; cat <&5 | wc -c; pwd | tail -c 5", NULL };
	char buf[100] = "";
	pid_t pid;
	int fd = open(in_dir("file"), O_RDONLY), n;

	posix_spawn_file_actions_init(&a);
	posix_spawn_file_actions_addopen(&a, 0, in_dir("file"), O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&a, 1, in_dir("spawned"), O_WRONLY | O_CREAT | O_TRUNC, 0644);
	posix_spawn_file_actions_adddup2(&a, fd, 5);
	posix_spawn_file_actions_addclose(&a, fd);
#ifdef FC_NO_ADDCHDIR
	int here = open(".", O_RDONLY);

	EQUAL(chdir(in_dir("sub")), 0);
#else
	posix_spawn_file_actions_addchdir_np(&a, in_dir("sub"));
#endif
	EQUAL(posix_spawnp(&pid, "sh", &a, NULL, args, environ), 0);
#ifdef FC_NO_ADDCHDIR
	EQUAL(fchdir(here), 0);
	EQUAL(close(here), 0);
#endif
	EQUAL(run(pid), 0);
	posix_spawn_file_actions_destroy(&a);
	EQUAL(lseek(fd, 0, SEEK_CUR), 20); /* shared with the child's 5 */
	EQUAL(close(fd), 0);
	fd = open(in_dir("spawned"), O_RDONLY);
	n = (int)read(fd, buf, sizeof buf - 1);
	CHECK(n > 0 && !strcmp(buf, "0123456X8901234567XXmore\n20\n/sub\n"));
	if (e2e_failures)
		fprintf(stderr, "spawned: %s\n", buf);
	EQUAL(close(fd), 0);
}

static void popen_system(void)
{
	char command[2200], line[100];
	FILE *p;

	snprintf(command, sizeof command, "cat %s | tr 0 z > %s && grep -q bz %s", in_dir("plain"), in_dir("piped"),
		 in_dir("piped"));
	EQUAL(system(command), 0);
	snprintf(command, sizeof command, "sort -r %s", in_dir("plain"));
	p = popen(command, "r");
	CHECK(p && fgets(line, sizeof line, p) && !strcmp(line, "b0\n"));
	EQUAL(pclose(p), 0);
	snprintf(command, sizeof command, "cat > %s", in_dir("popened"));
	p = popen(command, "w");
	CHECK(p && fputs("through\n", p) >= 0);
	EQUAL(pclose(p), 0);
	p = fopen(in_dir("popened"), "r");
	CHECK(p && fgets(line, sizeof line, p) && !strcmp(line, "through\n"));
	if (p)
		fclose(p);
}

int main(int argc, char **argv)
{
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);

	self[n < 0 ? 0 : n] = 0;
	if (argc == 3 && !strcmp(argv[1], "after"))
		return strcmp(argv[2], "exec") ? after_directory() : after_exec();
	e2e_init(argc, argv);
	make_file("file", "0123456789012345678901234567890", 20);
	make_file("plain", "a0\nb0\n", 6);
	fork_shares();
	exec_inherits();
	vfork_keeps();
	make_file("file", "0123456X8901234567XX", 20);
	spawn_acts();
	popen_system();
	return e2e_status();
}
