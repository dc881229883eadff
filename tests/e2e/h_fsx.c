/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * h_fsx.c - calls of all kinds on one file, by chance, each compared with what a model of the file says: its bytes and length, and the offsets and flags
 * of what is open. Children that are forked do a part of it, on the same open files. The model is in memory that they share, which tells no kernel anything.
 *   h_fsx FILE BESIDE CALLS SEED    BESIDE: the same file by a way that is not farcall's
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define MOST (300 << 10) /* bytes of the file */
#define LARGE (70 << 10) /* of one call */
#define FDS 5
#define LOG 40
#define PAGE 4096L

static struct model {
	char byte[MOST];
	long length;
	struct {
		long offset;
		int flags;
	} open[FDS];          /* open files */
	int fd[FDS], of[FDS]; /* descriptors, -1: closed; of which open file */
	uint64_t seed;
	unsigned long calls, log_at;
	char log[LOG][100];
	bool renamed, shared; /* there is a child, which has the same descriptors */
} * m;

static const char *path, *beside;
static char other_path[4096], other_beside[4096];
static char buffer[MOST];
static char *map; /* shared, of map_length bytes, or null */
static long map_length;

/* ---- saying ---- */

static void noted(const char *format, ...)
{
	va_list list;

	va_start(list, format);
	vsnprintf(m->log[m->log_at++ % LOG], sizeof m->log[0], format, list);
	va_end(list);
}

static void wrong(const char *what, long is, long should)
{
	int error = errno;

	for (unsigned long i = m->log_at < LOG ? 0 : m->log_at - LOG; i < m->log_at; i++)
		fprintf(stderr, "  %s\n", m->log[i % LOG]);
	fprintf(stderr, "h_fsx: %s: %ld instead of %ld after %lu calls (%s)\n", what, is, should, m->calls,
		strerror(error));
	exit(1);
}

static void expect(const char *what, long is, long should)
{
	if (is != should)
		wrong(what, is, should);
}

static void same(const char *what, const char *is, long at, long n)
{
	for (long i = 0; i < n; i++)
		if (is[i] != m->byte[at + i]) {
			fprintf(stderr, "byte %ld is %02x instead of %02x\n", at + i, is[i] & 255,
				m->byte[at + i] & 255);
			wrong(what, at, at + n);
		}
}

/* ---- chance ---- */

static long dice(long n)
{
	m->seed = m->seed * 6364136223846793005u + 1442695040888963407u;
	return (long)((m->seed >> 33) % (uint64_t)n);
}

static long size(void)
{
	return 1 + dice(dice(3) ? dice(2) ? 100 : 5000 : LARGE);
}

static void fill(long n)
{
	uint64_t x = (uint64_t)dice(1l << 30) << 20 | 1;

	for (long i = 0; i < n; i++) {
		x = x * 6364136223846793005u + 1442695040888963407u;
		buffer[i] = (char)(x >> 56 | 1);
	}
}

/* A descriptor that may be read, or written; -1 */
static int some(int not )
{
	const int from = (int)dice(FDS);

	for (int i = 0; i < FDS; i++) {
		const int d = (from + i) % FDS;

		if (m->fd[d] >= 0 && (m->open[m->of[d]].flags & O_ACCMODE) != not )
			return d;
	}
	return -1;
}

static long *offset_of(int d)
{
	return &m->open[m->of[d]].offset;
}

static const char *name(void)
{
	return m->renamed ? other_path : path;
}

static const char *name_beside(void)
{
	return m->renamed ? other_beside : beside;
}

/* ---- the model ---- */

static void becomes(long length)
{
	if (length > m->length)
		memset(m->byte + m->length, 0, (size_t)(length - m->length));
	m->length = length;
}

static void written(long at, const char *from, long n)
{
	if (n && at + n > m->length)
		becomes(at + n);
	memmove(m->byte + at, from, (size_t)n);
}

static long clipped(long at, long n)
{
	return at >= m->length ? 0 : at + n > m->length ? m->length - at : n;
}

/* ---- reading and writing ---- */

static void pieces(struct iovec iov[3], long n)
{
	long a = dice(n + 1), b = dice(n - a + 1);

	iov[0] = (struct iovec){ buffer, (size_t)a };
	iov[1] = (struct iovec){ buffer + a, (size_t)b };
	iov[2] = (struct iovec){ buffer + a + b, (size_t)(n - a - b) };
}

static void read_it(int d, int how, long n)
{
	long at = how & 1 ? dice(dice(8) ? m->length + 1 : MOST) : *offset_of(d), r;
	struct iovec iov[3];
	const int fd = m->fd[d];

	pieces(iov, n);
	memset(buffer, '!', (size_t)n);
	noted("%s(%d, %ld) at %ld", how & 1 ? "pread" : "read", fd, n, at);
	if (how & 1)
		r = how & 2 ? preadv(fd, iov, 3, at) : pread(fd, buffer, (size_t)n, at);
	else
		r = how & 2 ? readv(fd, iov, 3) : read(fd, buffer, (size_t)n);
	expect("read", r, clipped(at, n));
	same("what was read", buffer, at, r);
	if (!(how & 1))
		*offset_of(d) += r;
}

static void write_it(int d, int how, long n)
{
	const bool appends = m->open[m->of[d]].flags & O_APPEND;
	long at = how & 1 ? dice(m->length + (dice(10) ? 1 : 9000)) : *offset_of(d), r;
	struct iovec iov[3];
	const int fd = m->fd[d];

	if (appends)
		at = m->length;
	if (at + n > MOST)
		return;
	fill(n);
	pieces(iov, n);
	noted("%s(%d, %ld) at %ld%s", how & 1 ? "pwrite" : "write", fd, n, at, appends ? ", appended" : "");
	if (how & 1)
		r = how & 2 ? pwritev(fd, iov, 3, at) : pwrite(fd, buffer, (size_t)n, at);
	else
		r = how & 2 ? writev(fd, iov, 3) : write(fd, buffer, (size_t)n);
	expect("write", r, n);
	written(at, buffer, n);
	if (!(how & 1))
		*offset_of(d) = at + n;
}

static void reads(void)
{
	const int d = some(O_WRONLY);

	if (d >= 0)
		read_it(d, (int)dice(4), size());
}

static void writes(void)
{
	const int d = some(O_RDONLY);

	if (d >= 0)
		write_it(d, (int)dice(4), size());
}

/* One kind for a while, as programs do: what is delegated is for them. */
static void many_of(long times)
{
	const bool write = dice(2);
	const int d = some(write ? O_RDONLY : O_WRONLY), how = (int)dice(4);
	const long n = 1 + dice(dice(4) ? 200 : 5000);

	for (; times && d >= 0; times--, m->calls++) {
		if (write)
			write_it(d, how, 1 + dice(n));
		else
			read_it(d, how, 1 + dice(n));
	}
}

static void many(void)
{
	many_of(20 + dice(80));
}

/* Both on one descriptor, in turn. */
static void mixed(void)
{
	const int d = some(O_WRONLY);

	if (d < 0 || (m->open[m->of[d]].flags & O_ACCMODE) != O_RDWR)
		return;
	for (long i = 20 + dice(40); i; i--, m->calls++) {
		write_it(d, (int)dice(4), 1 + dice(900));
		if (dice(2))
			read_it(d, (int)dice(4), 1 + dice(900));
	}
}

static void seeks(void)
{
	static const int from[] = { SEEK_SET, SEEK_CUR, SEEK_END };
	const int d = some(-1), whence = (int)dice(3);
	long to = dice(m->length + 2000), base;

	if (d < 0)
		return;
	base = whence == 0 ? 0 : whence == 1 ? *offset_of(d) : m->length;
	noted("lseek(%d) to %ld from %d", m->fd[d], to, whence);
	expect("lseek", lseek(m->fd[d], to - base, from[whence]), to);
	*offset_of(d) = to;
}

/* ---- the file ---- */

static void cuts(void)
{
	const long to = dice(4) ? dice(m->length + 1) : dice(MOST);
	const int d = some(O_RDONLY);

	noted("truncate to %ld", to);
	if (d >= 0 && dice(2))
		expect("ftruncate", ftruncate(m->fd[d], to), 0);
	else
		expect("truncate", truncate(name(), to), 0);
	becomes(to);
}

static void looks(void)
{
	const int d = some(-1);
	struct stat st;
	struct statx stx;

	noted("stat");
	expect("stat beside", stat(name_beside(), &st), 0); /* first: what it is told nobody has asked the domain for */
	expect("its size", st.st_size, m->length);
	if (d >= 0) {
		expect("fstat", fstat(m->fd[d], &st), 0);
		expect("its size", st.st_size, m->length);
		expect("its end", lseek(m->fd[d], 0, SEEK_END), m->length);
		*offset_of(d) = m->length;
	}
	expect("statx", statx(AT_FDCWD, name(), 0, STATX_SIZE, &stx), 0);
	expect("size by name", (long)stx.stx_size, m->length);
}

static void copies(void)
{
	const int in = some(O_WRONLY), out = some(O_RDONLY);
	const long n = clipped(0, size()), from = dice(m->length - n + 1);
	off_t a = from, b = dice(m->length + 1);
	long r;

	if (in < 0 || out < 0 || !n || b + n > MOST || (m->open[m->of[out]].flags & O_APPEND) || labs(a - b) < n)
		return;
	noted("copy of %ld bytes at %ld to %ld", n, (long)a, (long)b);
	memcpy(buffer, m->byte + from, (size_t)n);
	if (dice(2)) {
		r = copy_file_range(m->fd[in], &a, m->fd[out], &b, (size_t)n, 0);
		expect("copy_file_range", r, n);
		written(b - n, buffer, n);
		return;
	}
	expect("lseek", lseek(m->fd[out], b, SEEK_SET), b);
	r = sendfile(m->fd[out], m->fd[in], &a, (size_t)n);
	expect("sendfile", r, n);
	written(b, buffer, n);
	*offset_of(out) = b + n;
}

static void punches(void)
{
	const int d = some(O_RDONLY);
	const long n = size(), at = dice(m->length + 1);

	if (d < 0 || at + n > MOST)
		return;
	if (dice(2)) {
		noted("fallocate of %ld bytes at %ld", n, at);
		expect("fallocate", fallocate(m->fd[d], 0, at, n), 0);
		if (at + n > m->length)
			becomes(at + n);
		return;
	}
	noted("a hole of %ld bytes at %ld", n, at);
	if (fallocate(m->fd[d], FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at, n) && errno != EOPNOTSUPP)
		wrong("fallocate", -1, 0);
	memset(m->byte + at, 0, (size_t)clipped(at, n));
}

static void flushes(void)
{
	const int d = some(-1);

	if (d < 0)
		return;
	noted("fsync and advice to %d", m->fd[d]);
	switch (dice(4)) {
	case 0:
		expect("fsync", fsync(m->fd[d]), 0);
		break;
	case 1:
		expect("fdatasync", fdatasync(m->fd[d]), 0);
		break;
	case 2:
		expect("sync_file_range", sync_file_range(m->fd[d], 0, 0, SYNC_FILE_RANGE_WRITE), 0);
		break;
	default:
		expect("posix_fadvise", posix_fadvise(m->fd[d], 0, 0, (int)dice(6)), 0);
	}
}

static void renames(void)
{
	noted("rename");
	if (dice(2)) {
		expect("rename", rename(name(), m->renamed ? path : other_path), 0);
	} else {
		expect("link", link(name(), m->renamed ? path : other_path), 0);
		expect("unlink", unlink(name()), 0);
	}
	m->renamed = !m->renamed;
}

/* ---- mappings ---- */

static void maps(void)
{
	const int d = some(O_WRONLY);

	if (map) {
		expect("munmap", munmap(map, (size_t)map_length), 0);
		map = NULL;
	} else if (d >= 0 && m->length) {
		map_length = m->length;
		noted("mmap of %ld bytes of %d", map_length, m->fd[d]);
		map = mmap(NULL, (size_t)map_length,
			   PROT_READ | ((m->open[m->of[d]].flags & O_ACCMODE) == O_RDWR ? PROT_WRITE : 0), MAP_SHARED,
			   m->fd[d], 0);
		if (map == MAP_FAILED) {
			map = NULL;
			wrong("mmap", -1, 0);
		}
	}
}

static bool map_writes(void)
{
	char line[300], range[64], rights[8];
	FILE *f = fopen("/proc/self/maps", "r");
	bool yes = false;

	snprintf(range, sizeof range, "%lx-", (long)map);
	while (f && fgets(line, sizeof line, f))
		if (!strncmp(line, range, strlen(range)) && sscanf(line, "%*s %7s", rights) == 1)
			yes = rights[1] == 'w';
	if (f)
		fclose(f);
	return yes;
}

static void uses_map(void)
{
	const long there = map && map_length < m->length ? map_length : m->length;
	long at, n;

	if (!map || !there)
		return;
	at = dice(there);
	n = 1 + dice(there - at < 9000 ? there - at : 9000);
	noted("%ld bytes at %ld in memory", n, at);
	same("what is mapped", map + at, at, n);
	if (dice(4) || !map_writes())
		return;
	fill(n);
	memcpy(map + at, buffer, (size_t)n);
	written(at, buffer, n);
}

/* From and to the mapping of the same file. */
static void writes_map(void)
{
	const int out = some(O_RDONLY);
	const long there = map && map_length < m->length ? map_length : m->length;
	long n = size(), from, at;

	if (!map || out < 0 || n >= there || (m->open[m->of[out]].flags & O_APPEND))
		return;
	from = dice(there - n);
	at = dice(m->length);
	if (at + n > MOST || labs(at - from) < n + PAGE)
		return;
	noted("pwrite of %ld mapped bytes at %ld to %ld", n, from, at);
	expect("pwrite", pwrite(m->fd[out], map + from, (size_t)n, at), n);
	written(at, m->byte + from, n);
}

/* ---- descriptors ---- */

static bool is_used(int open)
{
	for (int d = 0; d < FDS; d++)
		if (m->fd[d] >= 0 && m->of[d] == open)
			return true;
	return false;
}

static void opens(void)
{
	static const int how[] = {
		O_RDONLY, O_RDONLY, O_RDWR, O_RDWR, O_WRONLY, O_RDWR | O_APPEND, O_WRONLY | O_APPEND, O_RDWR | O_DSYNC
	};
	int d = 0, open_file = 0;

	while (d < FDS && m->fd[d] >= 0)
		d++;
	while (open_file < FDS && is_used(open_file))
		open_file++;
	if (d == FDS || open_file == FDS)
		return;
	m->open[open_file].flags = how[dice(8)];
	m->open[open_file].offset = 0;
	m->of[d] = open_file;
	m->fd[d] = open(name(), m->open[open_file].flags);
	noted("open %d, %o", m->fd[d], m->open[open_file].flags);
	if (m->fd[d] < 0)
		wrong("open", -1, 0);
}

static void copies_descriptor(void)
{
	const int from = some(-1);
	int d = 0;

	while (d < FDS && m->fd[d] >= 0)
		d++;
	if (from < 0 || d == FDS)
		return;
	m->fd[d] = dup(m->fd[from]);
	m->of[d] = m->of[from];
	noted("dup %d to %d", m->fd[from], m->fd[d]);
}

static void close_one(int d)
{
	noted("close %d", m->fd[d]);
	expect("close", close(m->fd[d]), 0);
	m->fd[d] = -1;
}

static void closes(void)
{
	const bool all = dice(3);

	for (int d = 0; d < FDS; d++)
		if (m->fd[d] >= 0 && (all || !dice(2)))
			close_one(d);
	opens();
}

static void flags(void)
{
	const int d = some(-1);
	int *flags;

	if (d < 0)
		return;
	flags = &m->open[m->of[d]].flags;
	noted("fcntl %d", m->fd[d]);
	*flags ^= O_APPEND;
	expect("F_SETFL", fcntl(m->fd[d], F_SETFL, *flags & O_APPEND), 0);
	expect("F_GETFL", fcntl(m->fd[d], F_GETFL) & (O_APPEND | O_ACCMODE), *flags & (O_APPEND | O_ACCMODE));
}

/* ---- others ---- */

/* Whoever knows nothing of farcall, be it this very process. */
static void others(void)
{
	int fd;
	long at, n = size();

	noted("somebody beside");
	fd = open(name_beside(), O_RDWR);
	if (fd < 0)
		wrong("open beside", -1, 0);
	expect("read beside", pread(fd, buffer, MOST, 0), m->length);
	same("what is read beside", buffer, 0, m->length);
	at = dice(m->length + 1);
	if (dice(2) && at + n <= MOST) {
		fill(n);
		noted("%ld bytes are written beside at %ld", n, at);
		expect("write beside", pwrite(fd, buffer, (size_t)n, at), n);
		written(at, buffer, n);
	} else if (dice(2)) {
		noted("it is cut beside to %ld", at);
		expect("cut beside", ftruncate(fd, at), 0);
		becomes(at);
	}
	close(fd);
}

static void one(void);

/* A child does a part, then this process goes on while the child has all open, then the child again. */
static void forks(void)
{
	int to[2], from[2], status;
	const long parts[3] = { dice(30), dice(30), dice(30) };
	char c = 0;
	pid_t pid;

	if (pipe(to) || pipe(from))
		wrong("pipe", -1, 0);
	noted("fork");
	m->shared = true;
	pid = fork();
	for (long i = 0; !pid && i < parts[0]; i++)
		one();
	if (!pid && (write(from[1], &c, 1) != 1 || read(to[0], &c, 1) != 1))
		_exit(2);
	for (long i = 0; !pid && i < parts[2]; i++)
		one();
	if (!pid)
		_exit(0);
	close(from[1]);
	if (read(from[0], &c, 1) == 1) {
		noted("the parent, while there is a child");
		for (long i = 0; i < parts[1]; i++)
			one();
		noted("the child again");
		if (write(to[1], &c, 1) != 1)
			wrong("write to a pipe", -1, 1);
	}
	if (waitpid(pid, &status, 0) != pid || status)
		wrong("a child", status, 0);
	noted("the child has ended");
	m->shared = false;
	for (int i = 0; i < 2; i++) {
		close(to[i]);
		if (!i)
			close(from[i]);
	}
}

static void spawns(void)
{
	char *argv[] = { "cat", (char *)name(), NULL };
	posix_spawn_file_actions_t actions;
	extern char **environ;
	int p[2], status;
	long n = 0, r;
	pid_t pid;

	if (pipe(p))
		wrong("pipe", -1, 0);
	noted("cat");
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, p[1], 1);
	posix_spawn_file_actions_addclose(&actions, p[0]);
	expect("posix_spawn", posix_spawn(&pid, "/bin/cat", &actions, NULL, argv, environ), 0);
	posix_spawn_file_actions_destroy(&actions);
	close(p[1]);
	while ((r = read(p[0], buffer + n, (size_t)(MOST - n) + 1)) > 0)
		n += r;
	close(p[0]);
	expect("what cat has", n, m->length);
	same("what cat says", buffer, 0, n);
	if (waitpid(pid, &status, 0) != pid || status)
		wrong("cat", status, 0);
}

/* ---- all of it ---- */

/* One open file that nobody has besides, and much to do: so it is delegated. In between comes what must see what has been posted. */
static void delegated(void)
{
	static void (*const between[])(void) = { reads, writes,  seeks, cuts,    looks,  copies, punches,
						 flags, renames, mixed, flushes, others, spawns, forks };

	if (map)
		maps();
	for (int d = 0; d < FDS; d++)
		if (m->fd[d] >= 0)
			close_one(d);
	opens();
	for (long i = 4 + dice(12); i; i--) {
		many_of(20 + dice(dice(3) ? 100 : 600));
		between[dice(dice(4) ? 10 : 14)]();
	}
}

static const struct {
	void (*call)(void);
	int often;
	bool alone; /* not while there is a child: what it changes is its process' own */
} calls[] = {
	{ reads, 40, false },   { writes, 40, false },    { many, 12, false },   { mixed, 4, false },
	{ seeks, 15, false },   { cuts, 6, false },       { looks, 10, false },  { copies, 6, false },
	{ punches, 4, false },  { flushes, 3, false },    { renames, 2, false }, { maps, 4, true },
	{ uses_map, 8, false }, { writes_map, 4, false }, { opens, 6, true },    { copies_descriptor, 4, true },
	{ closes, 12, true },   { flags, 2, false },      { others, 4, false },  { forks, 1, true },
	{ spawns, 1, true },    { delegated, 4, true },
};

static void one(void)
{
	const int n = sizeof calls / sizeof calls[0];
	int all = 0, i = 0;
	long which;

	for (i = 0; i < n; i++)
		all += calls[i].often;
	which = dice(all);
	for (i = 0; which >= calls[i].often; i++)
		which -= calls[i].often;
	if (m->shared && calls[i].alone)
		return;
	m->calls++;
	calls[i].call();
}

int main(int argc, char **argv)
{
	unsigned long most;

	if (argc != 5)
		return 2;
	m = mmap(NULL, sizeof *m, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (m == MAP_FAILED)
		return 2;
	path = argv[1];
	beside = argv[2];
	most = strtoul(argv[3], NULL, 0);
	m->seed = strtoul(argv[4], NULL, 0);
	snprintf(other_path, sizeof other_path, "%s.other", path);
	snprintf(other_beside, sizeof other_beside, "%s.other", beside);
	for (int d = 0; d < FDS; d++)
		m->fd[d] = -1;
	unlink(other_path); /* of a run that has failed */
	m->fd[0] = open(path, O_RDWR | O_CREAT | O_TRUNC, 0644);
	if (m->fd[0] < 0)
		wrong(path, -1, 0);
	m->open[0].flags = O_RDWR;
	while (m->calls < most)
		one();
	others();
	unlink(name());
	return 0;
}
