/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * h_compare.c - every row of syscalls.def, native against remote.
 *
 *   h_compare [--native] [--every N | --full] [--rows A,B*] [--keep] [--verbose] FARCALL DIR
 *   h_compare --side LOG [--every N | --full] [--rows A,B*] DIR
 *   h_compare --verdict NATIVE-LOG REMOTE-LOG
 *
 * Builds the same trees twice at the same path DIR/w, one after the other, and runs the same vectors on both: natively
 * with DIR/w/e bind-mounted on DIR/w/l/m, and through `FARCALL run -v DIR/w/e:DIR/w/l/m`. What each vector returned,
 * wrote and changed must be equal but for known.def. --native makes both sides native (the test's own test); --every N runs one
 * vector of N (3), --full more than all. Exit status: 0 equal, 1 different, 2 trouble, 77 not possible here.
 *
 * --side runs one side only, with what is at DIR/w/l/m already: a file system that is mounted there, or the prefix of a storage domain
 * on another machine, when the whole comparison runs under the shim. --verdict compares what two such runs have left.
 *
 * As root the whole run happens in a mount namespace where everything but DIR and farcall's own places is read-only, for
 * the vectors name "/" and /etc/passwd too.
 *
 * This file owns the two runs and the verdict. Around the program under test stays a native process that describes and
 * restores the trees after each vector (tree.c), and starts it again behind a vector that killed it.
 */
#define _GNU_SOURCE
#include "compare.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <linux/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tree.h"

#define REPLY_FD 60
#define REQUEST_FD 61
#define LOG_FD 62
#define TEXT (1 << 17)

static const char *only_rows;
static char farcall[4096];
static char self[600], dir[400], w[420];
static unsigned every = 3;
static bool verbose, keep, one_side;

/* ---- the program under test ---- */

static unsigned from, current;
static volatile int alarms;

static void on_alarm(int sig)
{
	(void)sig;
	if (++alarms > 15)
		_exit(99);
}

/* Names or patterns, with commas between them. */
static bool row_wanted(const char *name)
{
	char list[600], *rest = list, *pattern;

	if (!only_rows || !*only_rows)
		return true;
	snprintf(list, sizeof list, "%s", only_rows);
	while ((pattern = strsep(&rest, ",")))
		if (!fnmatch(pattern, name, 0))
			return true;
	return false;
}

static void read_all(int fd, void *p, size_t n)
{
	for (size_t at = 0; at < n;) {
		ssize_t r = read(fd, (char *)p + at, n - at);

		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			_exit(98);
		at += (size_t)r;
	}
}

static void run_vector(struct vec *v)
{
	static char out[TEXT], line[TEXT + 1000], reply[TEXT];
	uint32_t n;
	int len;

	if (++current < from || !row_wanted(v->row->name))
		return;
	alarms = 0;
	call_run(v, out, sizeof out);
	if (write(REQUEST_FD, &current, sizeof current) != sizeof current)
		_exit(98);
	read_all(REPLY_FD, &n, sizeof n);
	if (n >= sizeof reply)
		_exit(98);
	read_all(REPLY_FD, reply, n);
	reply[n] = 0;
	len = snprintf(line, sizeof line, "%s%s\t%s%s%s\n", v->key, v->wrapper ? " (libc)" : "", out,
		       *reply ? " tree: " : "", reply);
	if (write(LOG_FD, line, (size_t)len) != len)
		_exit(98);
}

static int run_side(int argc, char **argv)
{
	const struct sigaction sa = { .sa_handler = on_alarm }; /* no SA_RESTART: what blocks fails with EINTR */
	const struct rlimit limit = { 1 << 30, 1 << 30 };

	if (argc != 6)
		return 2;
	from = (unsigned)atoi(argv[3]);
	every = (unsigned)atoi(argv[4]);
	only_rows = argv[5];
	signal(SIGXFSZ, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	sigaction(SIGALRM, &sa, NULL);
	setrlimit(RLIMIT_FSIZE, &limit);
	umask(022);
	values_init();
	show_init(argv[2]);
	call_init(argv[2]);
	vectors_generate(every, run_vector);
	return 0;
}

/* ---- around it ---- */

static void fail(const char *what)
{
	fprintf(stderr, "compare: %s: %s\n", what, strerror(errno));
	_exit(2);
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		fail(path);
	close(fd);
}

/* A mount namespace of our own: as root with nothing writable but DIR and what farcall needs; otherwise (native side
 * only) in a user namespace that maps nobody but ourselves. */
static void enter_namespace(bool native)
{
	static const char *const writable[] = { "/run", "/var/cache", "/var/tmp", "/root", "/dev/shm" };
	struct mount_attr ro = { .attr_set = MOUNT_ATTR_RDONLY }, rw = { .attr_clr = MOUNT_ATTR_RDONLY };
	bool root = geteuid() == 0;
	uid_t uid = geteuid();
	gid_t gid = getegid();
	char text[64];

	if (!root && (!native || one_side))
		return;
	if (unshare(CLONE_NEWNS | (root ? 0 : CLONE_NEWUSER)))
		fail("unshare");
	if (!root) {
		write_file("/proc/self/setgroups", "deny");
		snprintf(text, sizeof text, "%u %u 1", uid, uid);
		write_file("/proc/self/uid_map", text);
		snprintf(text, sizeof text, "%u %u 1", gid, gid);
		write_file("/proc/self/gid_map", text);
	}
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		fail("make mounts private");
	if (!root)
		return;
	for (size_t i = 0; i < sizeof writable / sizeof writable[0]; i++)
		mount(writable[i], writable[i], NULL, MS_BIND | MS_REC, NULL);
	if (mount(dir, dir, NULL, MS_BIND | MS_REC, NULL))
		fail("bind");
	if (syscall(SYS_mount_setattr, AT_FDCWD, "/", AT_RECURSIVE, &ro, sizeof ro))
		fail("make the rest read-only");
	for (size_t i = 0; i < sizeof writable / sizeof writable[0]; i++)
		syscall(SYS_mount_setattr, AT_FDCWD, writable[i], 0, &rw, sizeof rw);
	if (syscall(SYS_mount_setattr, AT_FDCWD, dir, one_side ? AT_RECURSIVE : 0, &rw, sizeof rw))
		fail("make DIR writable");
}

static void mount_native(void)
{
	/* what an export is: nosuid and nodev */
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV };
	char e[500], m[500];

	snprintf(e, sizeof e, "%s/e", w);
	snprintf(m, sizeof m, "%s/l/m", w);
	if (mount(e, m, NULL, MS_BIND, NULL) || syscall(SYS_mount_setattr, AT_FDCWD, m, 0, &attr, sizeof attr))
		fail("bind the export");
}

static pid_t start_side(bool native, const char *log, unsigned start, int *request, int *reply)
{
	char number[16], mode[16], mapping[1000];
	int in[2], out[2], fd;
	pid_t pid;

	if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC))
		fail("pipe");
	pid = fork();
	if (pid < 0)
		fail("fork");
	if (pid > 0) {
		close(in[1]);
		close(out[0]);
		*request = in[0];
		*reply = out[1];
		return pid;
	}
	fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
	if (fd < 0 || dup2(out[0], REPLY_FD) < 0 || dup2(in[1], REQUEST_FD) < 0 || dup2(fd, LOG_FD) < 0)
		fail(log);
	close(fd);
	enter_namespace(native);
	if (native && !one_side)
		mount_native();
	if (chdir("/"))
		fail("/");
	snprintf(number, sizeof number, "%u", start);
	snprintf(mode, sizeof mode, "%u", every);
	snprintf(mapping, sizeof mapping, "%s/e:%s/l/m", w, w);
	if (native)
		execl(self, self, "--run", w, number, mode, only_rows ? only_rows : "", NULL);
	else
		execl(farcall, farcall, "run", "-v", mapping, "--", self, "--run", w, number, mode,
		      only_rows ? only_rows : "", NULL);
	fail(native ? self : farcall);
	return -1;
}

/* Serves one run of the program under test; returns the last vector it got through, and its status. */
static unsigned serve(int request, int reply, unsigned last, pid_t pid, int *status)
{
	unsigned number;

	while (read(request, &number, sizeof number) == sizeof number) {
		const char *text = tree_changes();
		uint32_t n = (uint32_t)strlen(text);

		last = number;
		if (write(reply, &n, sizeof n) != sizeof n || (n && write(reply, text, n) != (ssize_t)n))
			break;
	}
	close(request);
	close(reply);
	if (waitpid(pid, status, 0) != pid)
		fail("waitpid");
	return last;
}

static void run(bool native, const char *log, char **end)
{
	unsigned last = 0, restarts = 0;
	int request, reply, status;

	unlink(log);
	tree_build(w, one_side);
	for (;;) {
		unsigned before = last;
		pid_t pid = start_side(native, log, last + 1, &request, &reply);
		FILE *f;

		last = serve(request, reply, last, pid, &status);
		if (status == 0)
			break;
		if (WIFEXITED(status) && WEXITSTATUS(status) == 2)
			exit(2); /* it has said why */
		if (last == before && restarts > 3 && before == 0) {
			fprintf(stderr, "compare: the %s side does not start (status %x)\n",
				native ? "native" : "remote", status);
			exit(2);
		}
		if (++restarts > 40) {
			fprintf(stderr, "compare: the %s side died 40 times; the last time in vector %u\n",
				native ? "native" : "remote", last + 1);
			exit(1);
		}
		f = fopen(log, "a");
		fprintf(f, "%05u DIED status=%x%s\t\n", ++last, status,
			WEXITSTATUS(status) == 99   ? " (hung)"
			: WEXITSTATUS(status) == 97 ? " (domain lost before)"
						    : "");
		fclose(f);
		tree_changes();
	}
	*end = tree_describe_all();
	if (!keep && !one_side)
		tree_remove();
}

/* ---- the verdict ---- */

static const struct {
	bool rootless;
	const char *vector, *native, *remote, *reason;
} known[] = {
	{ false, "", "", "", "" },
#define KNOWN(v, n, r, why) { false, v, n, r, why },
#define KNOWN_ROOTLESS(v, n, r, why) { true, v, n, r, why },
#include "known.def"
};

static const char *known_reason(const char *key, const char *native, const char *remote)
{
	for (size_t i = 1; i < sizeof known / sizeof known[0]; i++)
		if ((!known[i].rootless || geteuid() != 0) && !fnmatch(known[i].vector, key, 0) &&
		    !fnmatch(known[i].native, native, 0) && !fnmatch(known[i].remote, remote, 0))
			return known[i].reason;
	return NULL;
}

/* One line of a log, split at the tab into key and observation. False at the end. */
static bool next_line(FILE *f, char *line, char **observed)
{
	if (!fgets(line, TEXT + 1000, f))
		return false;
	line[strcspn(line, "\n")] = 0;
	*observed = strchr(line, '\t');
	if (!*observed)
		*observed = line + strlen(line);
	else
		*(*observed)++ = 0;
	return true;
}

static int verdict(const char *native_log, const char *remote_log)
{
	static char a[TEXT + 1000], b[TEXT + 1000];
	unsigned vectors = 0, different = 0, excused = 0;
	FILE *fa = fopen(native_log, "r"), *fb = fopen(remote_log, "r");
	char *oa, *ob;

	if (!fa || !fb)
		fail("logs");
	while (next_line(fa, a, &oa)) {
		const char *reason;

		vectors += strncmp(a, "99999", 5) != 0; /* else a line of what the tree is at the end */
		if (!next_line(fb, b, &ob)) {
			b[0] = 0;
			ob = b;
		}
		if (!strcmp(a, b) && !strcmp(oa, ob))
			continue;
		reason = known_reason(a + 6, oa, ob);
		if (reason) {
			excused++;
			if (verbose)
				printf("known: %s\n  native: %s\n  remote: %s\n  because %s\n", a, oa, ob, reason);
			continue;
		}
		if (++different > 400 && !verbose)
			continue;
		printf("%s%s%s\n  native: %s\n  remote: %s\n", a, strcmp(a, b) ? " | " : "", strcmp(a, b) ? b : "", oa,
		       ob);
	}
	fclose(fa);
	fclose(fb);
	printf("compare: %u vectors over %d rows, %u different, %u known differences\n", vectors, row_count, different,
	       excused);
	return different || !vectors ? 1 : 0;
}

/* One side, as it is: its log ends with the tree. */
static int run_one_side(const char *path)
{
	char *end;
	FILE *f;

	run(true, path, &end);
	f = fopen(path, "a");
	if (!f)
		fail(path);
	for (char *line = strtok(end, "\n"); line; line = strtok(NULL, "\n"))
		fprintf(f, "99999 at the end\t%s\n", line);
	return fclose(f) ? 2 : 0;
}

int main(int argc, char **argv)
{
	bool native = false;
	const char *side_log = NULL;
	char log[2][500], *end[2];
	int i, r;

	rows_init();
	if (argc > 1 && !strcmp(argv[1], "--run"))
		return run_side(argc, argv);
	if (argc == 4 && !strcmp(argv[1], "--verdict"))
		return verdict(argv[2], argv[3]);
	for (i = 1; i < argc && argv[i][0] == '-'; i++) {
		if (!strcmp(argv[i], "--native"))
			native = true;
		else if (!strcmp(argv[i], "--full"))
			every = 0;
		else if (!strcmp(argv[i], "--every") && i + 1 < argc)
			every = (unsigned)atoi(argv[++i]);
		else if (!strcmp(argv[i], "--side") && i + 1 < argc)
			side_log = argv[++i];
		else if (!strcmp(argv[i], "--keep"))
			keep = true;
		else if (!strcmp(argv[i], "--verbose"))
			verbose = true;
		else if (!strcmp(argv[i], "--rows") && i + 1 < argc)
			only_rows = argv[++i];
	}
	one_side = side_log != NULL;
	if (argc - i != (one_side ? 1 : 2)) {
		fprintf(stderr, "usage: h_compare [--native] [--every N | --full] [--rows A,B*] [--keep] [--verbose] "
				"FARCALL DIR\n"
				"       h_compare --side LOG [--every N | --full] [--rows A,B*] DIR\n"
				"       h_compare --verdict NATIVE-LOG REMOTE-LOG\n");
		return 2;
	}
	if (!native && !one_side && !realpath(argv[i++], farcall))
		fail(argv[i - 1]);
	r = (int)readlink("/proc/self/exe", self, sizeof self - 1);
	if (r < 0 || !realpath(argv[argc - 1], dir))
		fail(argv[argc - 1]);
	snprintf(w, sizeof w, "%s/w", dir);
	signal(SIGPIPE, SIG_IGN);
	if (one_side)
		return run_one_side(side_log);
	for (i = 0; i < 2; i++) {
		snprintf(log[i], sizeof log[i], "%s/log.%s", dir, i ? "remote" : "native");
		run(i == 0 || native, log[i], &end[i]);
	}
	r = verdict(log[0], log[1]);
	if (strcmp(end[0], end[1]) != 0) {
		printf("compare: the trees differ at the end\n");
		r = 1;
	}
	return r;
}
