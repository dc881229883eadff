/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * h_failed_exec.c - an execve that fails leaves nothing open: neither here, where the kernel is asked past the shim, nor in the domain, which
 * t_failed_exec.sh looks at while this waits for the end of its input. A third argument is a local program that FARCALL_STRICT
 * refuses.
 */
#include "e2e.h"

#include <sys/syscall.h>

#define NAME "failed-exec-" /* of all files: by this the script knows them */
#define LINKER "/lib64/ld-linux-x86-64.so.2"
#define MANY 3000 /* descriptors, which take more memory to write down than there is */
#define SLACK (160l << 10)

static int rounds = 2000;

/* ---- past the shim ---- */

static long past(long nr, long a, long b, long c)
{
	long r;

	__asm__ volatile("syscall" : "=a"(r) : "a"(nr), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
	return r;
}

static int open_descriptors(void)
{
	static char entries[1 << 16];
	static long fd = -1; /* once: there may be no number for it later */
	long got;
	int n = 0;

	if (fd < 0)
		fd = past(SYS_open, (long)"/proc/self/fd", O_RDONLY | O_DIRECTORY, 0);
	CHECK(fd >= 0);
	CHECK(past(SYS_lseek, fd, 0, SEEK_SET) == 0);
	while ((got = past(SYS_getdents64, fd, (long)entries, sizeof entries)) > 0)
		for (long at = 0; at < got; at += *(unsigned short *)(entries + at + 16))
			n++;
	return n;
}

/* ---- what fails ---- */

static char *big; /* an argument that is longer than any may be */

static void make(const char *name, const char *contents, mode_t mode)
{
	int fd = open(in_dir(name), O_WRONLY | O_CREAT | O_TRUNC, 0644);

	EQUAL(write(fd, contents, strlen(contents)), strlen(contents));
	EQUAL(fchmod(fd, mode), 0);
	close(fd);
}

static void copy(const char *from, const char *name)
{
	static char bytes[1 << 16];
	int in = open(from, O_RDONLY), out = open(in_dir(name), O_WRONLY | O_CREAT | O_TRUNC, 0755);
	ssize_t n;

	CHECK(in >= 0);
	while ((n = read(in, bytes, sizeof bytes)) > 0)
		EQUAL(write(out, bytes, (size_t)n), n);
	close(in);
	close(out);
}

static int execute(const char *path, const char *argument, const char *variable)
{
	const char *argv[] = { path, argument, argument ? big : NULL, NULL }, *envp[] = { variable, NULL };

	errno = 0;
	CHECK(execve(path, (char **)argv, (char **)envp) == -1);
	return errno;
}

/* The same many times: what is open is what was open after the first. */
static void repeat(const char *name, const char *argument, const char *variable, int error)
{
	char path[600];

	snprintf(path, sizeof path, "%s", *name == '/' ? name : in_dir(name));
	EQUAL(execute(path, argument, variable), error);
	int before = open_descriptors();
	for (int i = 0; i < rounds; i++)
		if (execute(path, argument, variable) != error)
			EQUAL(errno, error);
	int after = open_descriptors();
	if (after != before)
		fprintf(stderr, "%s, error %d: %d descriptors before, %d after\n", name, error, before, after);
	EQUAL(after, before);
}

static void scripts(void)
{
	char line[700];

	make(NAME "lost", "#!/nonexistent/interpreter\n", 0755);
	repeat(NAME "lost", NULL, NULL, ENOENT);
	snprintf(line, sizeof line, "#!%s\n", in_dir(NAME "missing"));
	make(NAME "astray", line, 0755);
	repeat(NAME "astray", NULL, NULL, ENOENT);
	snprintf(line, sizeof line, "#!%s x\n", in_dir(NAME "loop"));
	make(NAME "loop", line, 0755);
	repeat(NAME "loop", NULL, NULL, ELOOP);
	make(NAME "nameless", "#!\n", 0755);
	repeat(NAME "nameless", NULL, NULL, ENOEXEC);
}

static void programs(const char *self)
{
	char path[600], variable[700];

	make(NAME "plain", "text", 0644);
	repeat(NAME "plain", NULL, NULL, EACCES);
	make(NAME "text", "neither a script nor a program\n", 0755);
	repeat(NAME "text", NULL, NULL, ENOEXEC);
	make(NAME "empty", "", 0755);
	repeat(NAME "empty", NULL, NULL, ENOEXEC);
	CHECK(mkdir(in_dir(NAME "directory"), 0755) == 0);
	repeat(NAME "directory", NULL, NULL, EACCES);
	copy(self, NAME "program");
	repeat(NAME "program", "x", NULL, E2BIG);
	snprintf(variable, sizeof variable, "LD_LIBRARY_PATH=%s", in_dir("."));
	repeat(NAME "program", "x", variable, E2BIG);
	snprintf(path, sizeof path, "%s", in_dir(NAME "text"));
	repeat(LINKER, path, NULL, E2BIG);
	int fd = open(in_dir(NAME "program"), O_RDWR);
	repeat(NAME "program", NULL, NULL, ETXTBSY);
	close(fd);
}

static void descriptors(void)
{
	int fd = open(in_dir(NAME "text"), O_RDONLY), r = 0;
	char *argv[] = { (char *)"x", NULL };

	CHECK(fd >= 0);
	FAILS(execveat(fd, "", argv, NULL, AT_EMPTY_PATH), ENOEXEC);
	int before = open_descriptors();
	for (int i = 0; i < rounds; i++)
		r += execveat(fd, "", argv, NULL, AT_EMPTY_PATH);
	EQUAL(r, -rounds);
	EQUAL(open_descriptors(), before);
	close(fd);
}

/* What is to be inherited cannot be written down for want of memory. Natively nothing is, and the program would run. */
static void no_memory(void)
{
	struct rlimit limit = { 0, 0 }, old, files = { MANY + 200, MANY + 200 }, was;
	int fd[MANY], statm = open("/proc/self/statm", O_RDONLY);
	char text[100] = "";

	EQUAL(getrlimit(RLIMIT_NOFILE, &was), 0);
	files.rlim_max = was.rlim_max;
	if (was.rlim_max < files.rlim_cur || setrlimit(RLIMIT_NOFILE, &files) < 0) {
		close(statm);
		return;
	}
	for (int i = 0; i < MANY; i++)
		fd[i] = open(in_dir(NAME "program"), O_RDONLY);
	CHECK(fd[MANY - 1] >= 0);
	EQUAL(execute(in_dir(NAME "text"), NULL, NULL), ENOEXEC);
	CHECK(read(statm, text, sizeof text - 1) > 0);
	close(statm);
	EQUAL(getrlimit(RLIMIT_AS, &old), 0);
	limit.rlim_max = old.rlim_max;
	limit.rlim_cur = strtoul(text, NULL, 10) * 4096 + SLACK;
	EQUAL(setrlimit(RLIMIT_AS, &limit), 0);
	repeat(NAME "program", NULL, NULL, ENOMEM);
	repeat(LINKER, in_dir(NAME "text"), NULL, ENOMEM);
	EQUAL(setrlimit(RLIMIT_AS, &old), 0);
	for (int i = 0; i < MANY; i++)
		close(fd[i]);
	EQUAL(setrlimit(RLIMIT_NOFILE, &was), 0);
}

/* There is no number left for what the domain hands over, nor does raising the limit help: the session lives on. */
static void no_descriptors(void)
{
	struct rlimit limit, was;
	int fd[MANY / 10];
	char c;

	for (int i = 0; i < MANY / 10; i++)
		fd[i] = open(in_dir(NAME "program"), O_RDONLY);
	EQUAL(getrlimit(RLIMIT_NOFILE, &was), 0);
	limit = (struct rlimit){ 20, was.rlim_max };
	EQUAL(setrlimit(RLIMIT_NOFILE, &limit), 0);
	repeat(NAME "program", "x", NULL, EMFILE);
	int before = open_descriptors();
	for (int i = 0; i < 3; i++)
		CHECK(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd[0], 0) == MAP_FAILED && errno == EMFILE);
	EQUAL(open_descriptors(), before);
	EQUAL(setrlimit(RLIMIT_NOFILE, &was), 0);
	EQUAL(pread(fd[0], &c, 1, 0), 1);
	repeat(NAME "text", NULL, NULL, ENOEXEC);
	for (int i = 0; i < MANY / 10; i++)
		close(fd[i]);
}

int main(int argc, char **argv)
{
	char c;

	e2e_init(argc, argv);
	if (getenv("FC_ROUNDS"))
		rounds = atoi(getenv("FC_ROUNDS"));
	if (!(big = malloc(1 << 18)))
		return 1;
	memset(big, 'x', (1 << 18) - 1);
	big[(1 << 18) - 1] = 0;
	if (argc > 3) {
		EQUAL(symlink(argv[3], in_dir(NAME "static")), 0);
		repeat(NAME "static", NULL, NULL, EACCES);
	} else {
		scripts();
		programs(argv[0]);
		descriptors();
		if (e2e_remote) {
			no_memory();
			no_descriptors();
		}
	}
	puts("done");
	fflush(stdout);
	return read(0, &c, 1) == 0 ? e2e_status() : 1;
}
