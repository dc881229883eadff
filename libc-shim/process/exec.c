/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * exec.c - execve: the new image keeps the sessions, the remote descriptors that are not close-on-exec, and the current
 * directory. They travel in a memfd named by FARCALL_EXEC, next to the control connections themselves. A program that lives
 * in a mount is copied into a memfd and run from there. A program the shim cannot get into is named on stderr.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/atomic.h"
#include "common/elfkind.h"
#include "common/rawcall.h"
#include "farcall/abi.h"
#include "libc-shim/calls/handlers.h"
#include "libc-shim/native.h"
#include "libc-shim/calls/remote.h"
#include "libc-shim/hook.h"
#include "libc-shim/process/beyond.h"
#include "libc-shim/process/fork.h"
#include "libc-shim/process/kin.h"
#include "libc-shim/process/process.h"
#include "libc-shim/process/thread.h"
#include "libc-shim/session/session.h"
#include "libc-shim/shim.h"
#include "libc-shim/text.h"

#define STATE_MAGIC 0x32636578656c6c61ull
#define ARGS_MAX (1u << 17) /* pointers in one argument or environment list */
#define SCRIPT_DEPTH 4

/* ---- what the next image inherits ---- */

struct exec_state {
	uint64_t magic;
	uint32_t pid;
	int32_t cwd_domain;
	int32_t placeholder;
	uint32_t count; /* struct exec_fd after this */
	struct {
		int32_t sock; /* -1 = none */
		uint32_t dead;
		uint32_t serial, owed;
		uint64_t token[2];
	} session[SHIM_DOMAINS];
};

struct exec_fd {
	int32_t fd;
	uint32_t pad;
	uint64_t word;
};

static int write_all(int fd, const void *data, size_t n)
{
	const char *p = data;

	while (n) {
		long w = fc_call(SYS_write, fd, p, n);

		if (w == -EINTR)
			continue;
		if (w <= 0)
			return w ? (int)w : -EIO;
		p += w;
		n -= (size_t)w;
	}
	return 0;
}

/* 0, or -errno: -EPROTO if there is less. */
static int read_all(int fd, void *data, size_t n)
{
	for (char *p = data; n;) {
		long got = fc_call(SYS_read, fd, p, n);

		if (got == -EINTR)
			continue;
		if (got <= 0)
			return got ? (int)got : -EPROTO;
		p += got;
		n -= (size_t)got;
	}
	return 0;
}

static void set_inherit(struct shim_process *p, bool inherit)
{
	for (unsigned d = 0; d < shim.config.ndomains; d++)
		if (shim_is_attached(&p->session[d]))
			fc_call(SYS_fcntl, p->session[d].sock, F_SETFD, inherit ? 0 : FD_CLOEXEC);
	fc_call(SYS_fcntl, p->placeholder, F_SETFD, inherit ? 0 : FD_CLOEXEC);
}

static bool has_state(const struct shim_process *p)
{
	if (p->cwd_domain >= 0 || fc_load(&p->fd_count))
		return true;
	for (unsigned d = 0; d < shim.config.ndomains; d++)
		if (p->session[d].state == SHIM_SESSION_DEAD)
			return true;
	return false;
}

static void describe_sessions(const struct shim_process *p, struct exec_state *st)
{
	for (unsigned d = 0; d < shim.config.ndomains; d++) {
		const struct shim_session *s = &p->session[d];

		st->session[d].sock = shim_is_attached(s) ? s->sock : -1;
		st->session[d].dead = s->state == SHIM_SESSION_DEAD;
		st->session[d].serial = s->serial;
		st->session[d].owed = s->owed;
		st->session[d].token[0] = s->token[0];
		st->session[d].token[1] = s->token[1];
	}
}

/* Another thread may go on opening files, until the exec ends it: what comes after `most` is not described. */
static void describe_descriptors(const struct shim_process *p, struct exec_state *st, uint32_t most)
{
	struct exec_fd *e = (struct exec_fd *)(st + 1);

	for (uint32_t i = 0; i < fc_load(&p->fd_top) && st->count < most; i++) {
		uint64_t word = fc_load(&p->fd[i]);

		if (word)
			e[st->count++] = (struct exec_fd){ .fd = (int)i, .word = word };
	}
}

/* A pipe that holds it all, and nobody writes to any more: RLIMIT_FSIZE is about files. */
static int fill_pipe(struct shim_process *p, const void *data, size_t size)
{
	int end[2];
	int r = (int)shim_make_fd(p, SYS_pipe2, (long)end, O_NONBLOCK, 0, 0);

	if (r < 0)
		return r;
	fc_call(SYS_fcntl, end[1], F_SETPIPE_SZ, size);
	r = write_all(end[1], data, size);
	shim_done_with(p, end[1]);
	if (r == 0)
		return end[0];
	shim_done_with(p, end[0]);
	return r == -EAGAIN ? -EFBIG : r;
}

static int fill_memfd(struct shim_process *p, const void *data, size_t size)
{
	int fd = (int)shim_make_fd(p, SYS_memfd_create, (long)"farcall-exec", 0, 0, 0);
	int r = fd < 0 ? fd : write_all(fd, data, size);

	if (r == 0 && fc_call(SYS_lseek, fd, 0, SEEK_SET) < 0)
		r = -EIO;
	if (r < 0)
		shim_done_with(p, fd);
	return r < 0 ? r : fd;
}

/* Out of the application's numbers, if there are others. */
static int move_up(struct shim_process *p, int fd)
{
	int high = fd < 0 ? fd : (int)shim_make_fd(p, SYS_fcntl, fd, F_DUPFD, shim.hidden_base, 0);

	if (high < 0)
		return fd;
	shim_done_with(p, fd);
	return high;
}

/* The state as something that the next image can read to its end; -errno. */
static int save_state(struct shim_process *p)
{
	uint32_t count = fc_load(&p->fd_count);
	size_t size = sizeof(struct exec_state) + count * sizeof(struct exec_fd);
	struct rlimit64 limit = { RLIM64_INFINITY, RLIM64_INFINITY };
	long at = fc_call(SYS_mmap, 0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct exec_state *st = (struct exec_state *)at;

	if (shim_is_error(at))
		return (int)at;
	st->magic = STATE_MAGIC;
	st->pid = (uint32_t)fc_call(SYS_getpid);
	st->cwd_domain = p->cwd_domain;
	st->placeholder = p->placeholder;
	describe_sessions(p, st);
	describe_descriptors(p, st, count);
	fc_call(SYS_prlimit64, 0, RLIMIT_FSIZE, 0, &limit);
	int fd = limit.rlim_cur < size ? fill_pipe(p, st, size) : fill_memfd(p, st, size);
	fc_call(SYS_munmap, at, size);
	return move_up(p, fd);
}

/* Descriptors that did not survive (close-on-exec) are still open in the domain: close them there, now, so that their
 * locks go when POSIX says. */
static void close_lost(struct shim_process *p, const struct exec_fd *e)
{
	if (shim_is_attached(&p->session[shim_fd_domain(e->word)]))
		shim_simple(p, shim_fd_domain(e->word), SYS_close, shim_fd_number(e->word), 0, 0);
}

static int take_number(const char *s)
{
	int n = 0;

	while (*s >= '0' && *s <= '9' && n < SHIM_FDS)
		n = n * 10 + (*s++ - '0');
	return n;
}

/* There is something, and it cannot be had: the descriptors would be placeholders for nothing, and the program would not know. */
static void restore_failed(int error)
{
	if (error != -EIO && error != -ENOMEM)
		return;
	shim_say("cannot read which remote files the program before has left open", NULL, NULL);
	fc_call(SYS_exit_group, 125);
}

void shim_exec_restore(const char *value)
{
	struct shim_process *p = &shim.process;
	int fd = take_number(value);
	struct exec_state st;
	struct exec_fd e;
	int r = read_all(fd, &st, sizeof st);

	restore_failed(r);
	if (r < 0 || st.magic != STATE_MAGIC || st.pid != (uint32_t)fc_call(SYS_getpid))
		return;
	p->cwd_domain = st.cwd_domain < (int)shim.config.ndomains ? st.cwd_domain : -1;
	for (unsigned d = 0; d < shim.config.ndomains; d++) {
		struct shim_session *s = &p->session[d];

		if (st.session[d].dead)
			s->state = SHIM_SESSION_DEAD;
		if (st.session[d].sock < 0)
			continue;
		s->sock = shim_hide_fd(p, st.session[d].sock);
		s->ruid = (uint32_t)fc_call(SYS_getuid);
		s->serial = st.session[d].serial;
		s->owed = st.session[d].owed;
		s->told = true; /* for all we know */
		s->token[0] = st.session[d].token[0];
		s->token[1] = st.session[d].token[1];
		s->state = SHIM_SESSION_BARE;
	}
	for (uint32_t i = 0; i < st.count; i++) {
		r = read_all(fd, &e, sizeof e);
		restore_failed(r);
		if (r < 0 || e.fd < 0 || e.fd >= SHIM_FDS || shim_fd_domain(e.word) >= shim.config.ndomains)
			break;
		if (shim_is_placeholder(e.fd))
			shim_fd_set(p, e.fd, e.word);
		else
			close_lost(p, &e);
	}
	fc_call(SYS_close, fd);
	if (st.placeholder != p->placeholder)
		fc_call(SYS_close, st.placeholder);
}

/* ---- the new image's arguments ---- */

/* Everything the execve needs, in one mapping; a vfork child leaves it to its parent to unmap. */
struct exec_memory {
	size_t size;
	const char **envp;
	const char **argv;
	char exec_var[40];
	char trace_var[40];
	char preload_var[2 * FC_PATH_MAX];
	char dir_var[FC_PATH_MAX + 16];
	char line[SCRIPT_DEPTH][512]; /* the first of each script in a chain */
	unsigned lines;
	const char *pointers[];
};

static long count_pointers(const char *const *list)
{
	for (long n = 0; n < ARGS_MAX; n++) {
		const char *s;

		if (!list)
			return 0;
		if (fc_copy_from_user(&s, &list[n], sizeof s))
			return -EFAULT;
		if (!s)
			return n;
	}
	return -E2BIG;
}

static char *text_append(char *to, const char *end, const char *s)
{
	while (*s && to < end - 1)
		*to++ = *s++;
	*to = 0;
	return to;
}

static bool user_starts_with(const char *user, const char *prefix)
{
	char head[32];
	size_t n = strlen(prefix);

	return !fc_copy_from_user(head, user, n) && (head[n] = 0, shim_starts_with(head, prefix));
}

/* LD_PRELOAD as the new image is to see it, `old` being the application's: with this object as its first, or for a relinked
 * program, which has the shim in it already, without. False: no such variable. */
static bool make_preload(struct exec_memory *m, const char *old, bool relinked)
{
	const char *ours = shim.config.preload;
	char *end = m->preload_var + sizeof m->preload_var;
	char *value = text_append(m->preload_var, end, "LD_PRELOAD="), *p = value;
	size_t n = strlen(ours);

	if (*ours && !relinked) {
		p = text_append(value, end, ours);
		*p++ = ':';
	}
	*p = 0;
	if (old && fc_strncpy_from_user(p, old + sizeof "LD_PRELOAD=" - 1, (size_t)(end - p)) < 0)
		*p = 0;
	if (*ours && shim_starts_with(p, ours) && (!p[n] || p[n] == ':' || p[n] == ' ')) {
		char *from = p + n + (p[n] != 0);
		char *to = p;

		while ((*to++ = *from++))
			;
	}
	if (!*p && p > value)
		*--p = 0;
	return *value || (old && !*ours);
}

static const char *descriptor_variable(char *to, size_t size, const char *name, int fd)
{
	char digits[24];

	digits[sizeof digits - 1] = 0;
	text_append(text_append(to, to + size, name), to + size,
		    shim_format_number(digits + sizeof digits - 1, (uint64_t)(unsigned)fd));
	return to;
}

/* The environment as given, with our variables as they must be. */
static void make_environment(struct exec_memory *m, const char *const *user, long n, int state_fd, bool relinked)
{
	const char **out = m->envp, *old_preload = NULL;
	char *p;

	for (long i = 0; i < n; i++) {
		const char *s;

		if (fc_copy_from_user(&s, &user[i], sizeof s))
			continue;
		if (user_starts_with(s, "LD_PRELOAD="))
			old_preload = s;
		else if (!user_starts_with(s, "FARCALL_DIR=") && !user_starts_with(s, "FARCALL_EXEC=") &&
			 !user_starts_with(s, "FARCALL_TRACE="))
			*out++ = s;
	}
	if (make_preload(m, old_preload, relinked))
		*out++ = m->preload_var;
	p = text_append(m->dir_var, m->dir_var + sizeof m->dir_var, "FARCALL_DIR=");
	text_append(p, m->dir_var + sizeof m->dir_var, shim.config.dir);
	*out++ = m->dir_var;
	if (state_fd >= 0)
		*out++ = descriptor_variable(m->exec_var, sizeof m->exec_var, "FARCALL_EXEC=", state_fd);
	if (shim.trace_fd >= 0)
		*out++ = descriptor_variable(m->trace_var, sizeof m->trace_var, "FARCALL_TRACE=", shim.trace_fd);
	*out = NULL;
}

static struct exec_memory *memory_get(long nargs, long nenv)
{
	size_t size = sizeof(struct exec_memory) + (size_t)(nargs + nenv + 2 * SCRIPT_DEPTH + 12) * sizeof(char *);
	long at = fc_call(SYS_mmap, 0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at < 0 && at > -4096)
		return NULL;
	struct exec_memory *m = (struct exec_memory *)at;
	m->size = size;
	m->argv = m->pointers;
	m->envp = m->pointers + nargs + 2 * SCRIPT_DEPTH +
		  6; /* room for each script's interpreter and its argument in front */
	shim_kin_leaves(m, size);
	if (fc_in_vfork_child()) {
		struct shim_thread *t = shim_self();

		if (t->exec_memory)
			fc_call(SYS_munmap, t->exec_memory, t->exec_size);
		t->exec_memory = m;
		t->exec_size = size;
	}
	return m;
}

static void memory_put(struct exec_memory *m)
{
	shim_kin_leaves(NULL, 0);
	if (fc_in_vfork_child())
		shim_self()->exec_memory = NULL;
	fc_call(SYS_munmap, m, m->size);
}

/* ---- what is to be run ---- */

struct image {
	int dirfd;
	const char *path;
	int flags;
	long nargs;
	bool hooked;   /* the shim will be in it */
	bool relinked; /* and is part of it */
	int memfd;     /* a remote program's copy, or -1 */
};

static long open_local(const struct image *im)
{
	if (im->flags & AT_EMPTY_PATH)
		return shim_make_fd(shim_process(), SYS_dup, im->dirfd, 0, 0, 0);
	return shim_make_fd(shim_process(), SYS_openat, im->dirfd, (long)im->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK,
			    0);
}

/* Can the shim get into this local program? If not: say so, or refuse under FARCALL_STRICT. */
static int look_local(struct image *im)
{
	const char *why = NULL;
	struct stat st;
	long fd = open_local(im);

	im->hooked = true;
	if (fd < 0)
		return 0; /* missing, or executable but not readable: the kernel will say */
	int kind = fc_elf_kind((int)fd);
	im->relinked = kind == FC_ELF_RELINKED;
	if (kind == FC_ELF_STATIC)
		why = " is statically linked: it runs locally, without the remote files";
	else if (kind == FC_ELF_FOREIGN)
		why = " is not an x86-64 glibc program: it runs locally, without the remote files";
	else if (fc_call(SYS_fstat, fd, &st) == 0 &&
		 (st.st_mode & S_ISUID || (st.st_mode & S_ISGID && st.st_mode & S_IXGRP)) && S_ISREG(st.st_mode) &&
		 (st.st_uid != (uint32_t)fc_call(SYS_geteuid) || st.st_mode & S_ISGID))
		why = " is setuid or setgid: it runs locally, without the remote files";
	shim_done_with(shim_process(), (int)fd);
	if (!why)
		return 0;
	im->hooked = false;
	shim_say(im->path, why, shim.strict ? " (refused: FARCALL_STRICT)" : NULL);
	return shim.strict ? -EACCES : 0;
}

/* The program, to be read from its start. A descriptor is opened once more, for it may be O_PATH; if that cannot be, it serves itself. */
static long remote_open(const struct image *im)
{
	char path[48] = "/proc/self/fd/", digits[24];
	long d[6] = { im->dirfd, F_DUPFD_CLOEXEC, 0 }, fd;
	long a[6] = { im->dirfd, (long)im->path,
		      O_RDONLY | O_CLOEXEC | O_NONBLOCK | (im->flags & AT_SYMLINK_NOFOLLOW ? O_NOFOLLOW : 0), 0 };

	if (!(im->flags & AT_EMPTY_PATH)) {
		shim_self()->for_us = true;
		fd = fc_dispatch(SYS_openat, a);
		shim_self()->for_us = false;
		return fd;
	}
	digits[sizeof digits - 1] = 0;
	text_append(path + strlen(path), path + sizeof path,
		    shim_format_number(digits + sizeof digits - 1, (uint32_t)im->dirfd));
	a[1] = (long)path;
	a[2] &= ~O_NOFOLLOW;
	shim_self()->for_us = true;
	fd = fc_dispatch(SYS_openat, a);
	if (fd < 0)
		fd = fc_dispatch(SYS_fcntl, d);
	shim_self()->for_us = false;
	return fd;
}

static int may_execute(long fd, const struct image *im, size_t *size)
{
	struct stat st = { 0 };
	long s[6] = { fd, (long)&st };
	long x[6] = { im->dirfd, (long)im->path, X_OK, 0 };
	long r = fc_dispatch(SYS_fstat, s);

	if (r < 0)
		return (int)r;
	if (!S_ISREG(st.st_mode))
		return -EACCES;
	*size = (size_t)st.st_size;
	return im->flags & AT_EMPTY_PATH ? (st.st_mode & 0111 ? 0 : -EACCES) : (int)fc_dispatch(SYS_faccessat, x);
}

static int read_program(long fd, char *to, size_t size)
{
	for (size_t at = 0; at < size;) {
		long a[6] = { fd, (long)(to + at), (long)(size - at), (long)at };
		long n = fc_dispatch(SYS_pread64, a);

		if (n <= 0)
			return n ? (int)n : -EIO; /* it gets shorter while we look */
		at += (size_t)n;
	}
	return 0;
}

/* Copy a remote program into a memfd; not by writing, which the limit of file sizes would apply to. */
static int fetch(long fd, size_t size)
{
	struct shim_process *p = shim_process();
	int memfd = (int)shim_make_fd(p, SYS_memfd_create, (long)"farcall-program", MFD_CLOEXEC, 0, 0);
	long r = memfd < 0 ? memfd : shim_set_size(p, memfd, size), at;

	if (r == -EFBIG) {
		shim_done_with(p, memfd);
		memfd = shim_borrow(&p->session[shim_fd_domain(shim_fd_get(p, fd))], size);
		r = memfd < 0 ? memfd : 0;
	}
	if (r == 0 && size) {
		at = fc_call(SYS_mmap, 0, size, PROT_READ | PROT_WRITE, MAP_SHARED, memfd, 0);
		r = shim_is_error(at) ? at : read_program(fd, (char *)at, size);
		if (!shim_is_error(at))
			fc_call(SYS_munmap, at, size);
	}
	if (r < 0)
		shim_done_with(p, memfd);
	return r < 0 ? (int)r : memfd;
}

static char *cut(char *s)
{
	while (*s && *s != ' ' && *s != '\t')
		s++;
	return s;
}

static char *skip(char *s)
{
	while (*s == ' ' || *s == '\t')
		s++;
	return s;
}

/* A remote script: run its interpreter with the script's path, as the kernel would. */
static int use_interpreter(struct image *im, struct exec_memory *m)
{
	char *name = skip(m->line[m->lines] + 2), *end = name, *argument;

	while (*end && *end != '\n')
		end++;
	while (end > name && (end[-1] == ' ' || end[-1] == '\t' || end[-1] == '\r'))
		end--;
	*end = 0;
	argument = cut(name);
	if (*argument) {
		*argument++ = 0;
		argument = skip(argument);
	}
	if (!*name)
		return -ENOEXEC;
	int extra = *argument ? 2 : 1;
	for (long i = im->nargs; i > 0; i--)
		m->argv[i + extra] = m->argv[i];
	m->argv[0] = name;
	if (extra == 2)
		m->argv[1] = argument;
	m->argv[extra] = im->path;
	im->nargs = (im->nargs ? im->nargs : 1) + extra;
	m->argv[im->nargs] = NULL;
	im->path = name;
	im->dirfd = AT_FDCWD;
	im->flags = 0;
	return 0;
}

static int look_remote(struct image *im, struct exec_memory *m)
{
	long fd = remote_open(im);
	size_t size = 0;
	int r = fd < 0 ? (int)fd : may_execute(fd, im, &size);

	if (fd < 0)
		return r;
	char *line = m->line[m->lines];
	long a[6] = { fd, (long)line, sizeof m->line[0] - 1, 0 };
	long n = r < 0 ? r : fc_dispatch(SYS_pread64, a);
	if (n >= 0) {
		line[n] = 0;
		if (n > 2 && line[0] == '#' && line[1] == '!') {
			r = use_interpreter(im, m);
		} else {
			r = im->memfd = fetch(fd, size);
			int kind = r < 0 ? r : fc_elf_kind(r);
			im->relinked = kind == FC_ELF_RELINKED;
			im->hooked = kind == FC_ELF_DYNAMIC || im->relinked;
		}
	} else {
		r = (int)n;
	}
	long c[6] = { fd };
	fc_dispatch(SYS_close, c);
	return r < 0 ? r : 0;
}

static bool is_remote(const struct image *im)
{
	if (im->flags & AT_EMPTY_PATH)
		return fc_fd_is_remote(im->dirfd);
	return fc_path_is_remote(im->dirfd, im->path);
}

/* Find out what to run: a local program (path), or a copy of a remote one (memfd). */
static int resolve(struct image *im, struct exec_memory *m)
{
	if (!is_remote(im))
		return look_local(im);
	for (m->lines = 0; m->lines < SCRIPT_DEPTH; m->lines++) {
		int r = look_remote(im, m);

		if (r < 0 || im->memfd >= 0)
			return r;
		if (!is_remote(im))
			return look_local(im);
	}
	return -ELOOP;
}

/* The new image's view: the kernel gives it descriptors of its own, and a session is handed on to it alone. What the kernel is not going to
 * execute is no reason to part. */
static struct shim_process *own_for_exec(const struct image *im)
{
	struct shim_process *p = shim_process_own();

	if (!p || !shim_kin_share_files(p))
		return p;
	if (im->memfd < 0 && !(im->flags & AT_EMPTY_PATH) && fc_call(SYS_faccessat, im->dirfd, im->path, X_OK) < 0)
		return p;
	return shim_kin_part();
}

static long run(struct image *im, struct exec_memory *m, const char *const *envp, long nenv)
{
	struct shim_process *p = shim_process();
	int state = -1;
	long r = resolve(im, m);

	if (r < 0)
		return r;
	if (im->hooked && has_state(p)) {
		if (!(p = own_for_exec(im)) || (state = save_state(p)) < 0)
			return p ? state : -ENOMEM;
		set_inherit(p, true);
	}
	if (im->hooked && shim.trace_fd >= 0)
		fc_call(SYS_fcntl, shim.trace_fd, F_SETFD, 0);
	make_environment(m, envp, nenv, state, im->relinked);
	fc_signal_before_exec();
	if (im->memfd >= 0)
		r = fc_call(SYS_execveat, im->memfd, "", m->argv, m->envp, AT_EMPTY_PATH);
	else if (im->dirfd == AT_FDCWD && !im->flags)
		r = fc_call(SYS_execve, im->path, m->argv, m->envp);
	else
		r = fc_call(SYS_execveat, im->dirfd, im->path, m->argv, m->envp, im->flags);
	fc_signal_after_failed_exec();
	if (state >= 0) {
		shim_done_with(p, state);
		set_inherit(p, false);
	}
	if (shim.trace_fd >= 0)
		fc_call(SYS_fcntl, shim.trace_fd, F_SETFD, FD_CLOEXEC);
	if (im->memfd >= 0)
		shim_done_with(p, im->memfd);
	return r;
}

long shim_do_execve(long nr, long a[6])
{
	bool at = nr == SYS_execveat;
	const char *const *argv = (const char *const *)(at ? a[2] : a[1]);
	const char *const *envp = (const char *const *)(at ? a[3] : a[2]);
	struct image im = { .dirfd = at ? (int)a[0] : AT_FDCWD,
			    .path = (const char *)(at ? a[1] : a[0]),
			    .flags = at ? (int)a[4] : 0,
			    .memfd = -1 };
	long nenv = count_pointers(envp);
	char byte;

	im.nargs = count_pointers(argv);
	if (nenv < 0 || im.nargs < 0 || fc_copy_from_user(&byte, im.path, 1))
		return shim_native(nr, a); /* let the kernel say what is wrong */
	if (byte)
		im.flags &= ~AT_EMPTY_PATH;
	if (im.flags &
	    ~(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW)) /* the check without execution of newer kernels among them */
		return is_remote(&im) ? -EINVAL : shim_native(nr, a);
	struct exec_memory *m = memory_get(im.nargs, nenv);
	if (!m)
		return -ENOMEM;
	if (argv)
		fc_copy_from_user(m->argv, argv, (size_t)im.nargs * sizeof *argv);
	m->argv[im.nargs] = NULL;
	long r = run(&im, m, envp, nenv);
	memory_put(m);
	return r;
}
