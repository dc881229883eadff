/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* inherit.c - what the next image of a process inherits, see inherit.h: how it is written down, and read again. */
#define _GNU_SOURCE
#include "libc-shim/process/inherit.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "common/atomic.h"
#include "common/rawcall.h"
#include "common/spin.h"
#include "farcall/abi.h"
#include "libc-shim/calls/remote.h"
#include "libc-shim/native.h"
#include "libc-shim/process/beyond.h"
#include "libc-shim/process/file.h"
#include "libc-shim/process/bpf.h"
#include "libc-shim/process/process.h"
#include "libc-shim/process/sandbox.h"
#include "libc-shim/calls/offset.h"
#include "libc-shim/session/session.h"
#include "libc-shim/shim.h"
#include "libc-shim/text.h"

#define STATE_MAGIC 0x35636578656c6c61ull

struct exec_state {
	uint64_t magic;
	uint32_t pid;
	int32_t cwd_domain;
	int32_t placeholder;
	uint32_t filters; /* after this, each behind a uint64_t with its size in bytes */
	uint32_t files;   /* struct exec_file after these, each with its path behind it ... */
	uint32_t count;   /* ... and struct exec_fd after these */
	uint32_t cwd_file;
	uint32_t elsewhere;
	struct shim_root root;
	uint32_t umask;
	uint32_t tsc_per_us; /* which takes a clock to measure */
	struct {
		int32_t sock; /* -1 = none */
		uint32_t dead;
		uint32_t serial, owed;
		uint32_t minor, pad;
		uint64_t token[2];
		uint32_t kept, divided, room, lent, deaf, pad2;
		struct shim_part part[SHIM_PARTS];
	} session[SHIM_DOMAINS];
};

/* A record of an open file. They are numbered from 1, in this order; 0 = none. */
struct exec_file {
	struct shim_file file;
	uint32_t shared;
	uint32_t path_bytes; /* with the NUL; a multiple of 8 follows */
};

struct exec_fd {
	int32_t fd;
	uint32_t file;
	uint64_t word; /* without its file */
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

/* What this image keeps for its domains goes there and stays there, and what it says to them ends: the other threads run until the exec ends them. */
static void leave(struct shim_process *p)
{
	fc_xchg(&p->leaving,
		1u); /* before a look at any offset: who takes one from the domain looks the other way round */
	shim_offsets_leave(p, -1);
	shim_sessions_leave(p, true);
}

static void stay(struct shim_process *p)
{
	shim_sessions_leave(p, false);
	fc_store(&p->leaving, 0u);
}

void shim_inherit_pass(struct shim_process *p, bool inherit)
{
	if (!inherit)
		stay(p);
	for (unsigned d = 0; d < shim.config.ndomains; d++) {
		const struct shim_session *s = &p->session[d];

		if (!shim_is_attached(s))
			continue;
		fc_call(SYS_fcntl, s->sock, F_SETFD, inherit ? 0 : FD_CLOEXEC);
		for (uint32_t i = 0; i < s->kept; i++)
			fc_call(SYS_fcntl, s->part[i].fd, F_SETFD, inherit ? 0 : FD_CLOEXEC);
	}
	fc_call(SYS_fcntl, p->placeholder, F_SETFD, inherit ? 0 : FD_CLOEXEC);
}

bool shim_has_inheritance(const struct shim_process *p)
{
	if (p->cwd_domain >= 0 || fc_load(&p->fd_count) || fc_load(&p->elsewhere) || shim_filter_next(NULL))
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
		st->session[d].minor = fc_load(&shim.minor[d]);
		st->session[d].token[0] = s->token[0];
		st->session[d].token[1] = s->token[1];
		st->session[d].kept = shim_is_attached(s) ? s->kept : 0;
		memcpy(st->session[d].part, s->part, sizeof s->part);
		st->session[d].divided = s->divided;
		st->session[d].room = s->room;
		st->session[d].lent = s->lent;
		st->session[d].deaf = s->deaf;
	}
}

/* What is written, and which number each record has been given: one mapping for both. */
struct exec_text {
	struct exec_state *state;
	size_t size, used;
	uint32_t *number; /* by index of the record */
	uint32_t numbers;
};

static void *append(struct exec_text *t, size_t n)
{
	char *at = (char *)t->state + t->used;

	n = (n + 7) & ~(size_t)7;
	if (n > t->size - t->used)
		return NULL;
	t->used += n;
	return at;
}

/* Write down record n, which the caller holds, if it has no number yet, and there is room. */
static void describe_held(const struct shim_process *p, struct exec_text *t, const struct shim_file *f, uint32_t n)
{
	const char *path = shim_file_path(p, f);
	size_t bytes = path ? strlen(path) + 1 : 0;
	struct exec_file *e;

	if (n >= t->numbers || t->number[n] || !(e = append(t, sizeof *e + bytes)))
		return;
	*e = (struct exec_file){ .file = *f, .shared = shim_file_shared(p, f), .path_bytes = (uint32_t)bytes };
	memcpy(e + 1, path, bytes);
	t->number[n] = ++t->state->files;
}

/* The number of the record that `word` names; 0: there is none. */
static uint32_t describe_file(struct shim_process *p, struct exec_text *t, const uint64_t *word)
{
	const uint64_t held = shim_file_hold(p, word, fc_load(word));
	const uint32_t n = shim_fd_file(held);

	if (n)
		describe_held(p, t, shim_file_of(p, held), n);
	shim_file_drop(p, held);
	return n && n < t->numbers ? t->number[n] : 0;
}

/* Another thread may go on opening files, until the exec ends it: what comes when there is no more room is not described. */
static void describe_descriptors(struct shim_process *p, struct exec_text *t)
{
	struct exec_fd *e;

	t->state->cwd_file = describe_file(p, t, &p->cwd_file);
	for (uint32_t i = 0; i < fc_load(&p->fd_top); i++)
		describe_file(p, t, &p->fd[i]);
	for (uint32_t i = 0; i < fc_load(&p->fd_top); i++) {
		uint64_t word = fc_load(&p->fd[i]);
		uint32_t n = shim_fd_file(word);

		if (!word ||
		    !(e = append(t, sizeof *e))) /* what is only coming is, too: its placeholder is closed there */
			continue;
		*e = (struct exec_fd){ .fd = (int)i,
				       .file = n < t->numbers ? t->number[n] : 0,
				       .word = word & ~SHIM_FD_FILE };
		t->state->count++;
	}
}

/* The filters that the kernel has for the new image, too. There is room for them: they come first. */
static void describe_filters(struct exec_text *t)
{
	for (const struct shim_filter *f = shim_filter_next(NULL); f; f = shim_filter_next(f)) {
		size_t bytes;
		const void *code = shim_filter_code(f, &bytes);
		uint64_t *at = append(t, sizeof *at + bytes);

		if (!at)
			return;
		*at = bytes;
		memcpy(at + 1, code, bytes);
		t->state->filters++;
	}
}

/* Room for all descriptors there are now, with their records and paths. */
static size_t most_text(const struct shim_process *p)
{
	size_t size = sizeof(struct exec_state) + sizeof(struct exec_file) + FC_PATH_MAX;

	for (uint32_t i = 0; i < fc_load(&p->fd_top); i++) {
		uint64_t word = fc_load(&p->fd[i]);
		const struct shim_file *f = shim_file_of(p, word);

		size += word ? sizeof(struct exec_fd) : 0;
		size += f ? sizeof(struct exec_file) + f->name_bytes + 8u : 0;
	}
	for (const struct shim_filter *f = shim_filter_next(NULL); f; f = shim_filter_next(f)) {
		size_t bytes;

		shim_filter_code(f, &bytes);
		size += sizeof(uint64_t) + bytes;
	}
	return size;
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
	int high = fd < 0 ? fd : (int)shim_copy_away(p, fd, F_DUPFD);

	if (high < 0)
		return fd;
	shim_done_with(p, fd);
	return high;
}

int shim_inherit_save(struct shim_process *p)
{
	struct rlimit64 limit = { RLIM64_INFINITY, RLIM64_INFINITY };
	struct exec_text t = { .size = most_text(p),
			       .used = sizeof(struct exec_state),
			       .numbers = fc_load(&p->files.records.top) };
	size_t all = t.size + t.numbers * sizeof *t.number;
	long at = fc_call(SYS_mmap, 0, all, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (shim_is_error(at))
		return (int)at;
	leave(p);
	t.size &= ~(size_t)7;
	t.number = (uint32_t *)(at + (long)t.size);
	t.state = (struct exec_state *)at;
	t.state->magic = STATE_MAGIC;
	t.state->pid = (uint32_t)fc_call(SYS_getpid);
	t.state->cwd_domain = p->cwd_domain;
	t.state->elsewhere = fc_load(&p->elsewhere);
	t.state->root = p->root;
	t.state->placeholder = p->placeholder;
	describe_sessions(p, t.state);
	t.state->umask = p->umask;
	t.state->tsc_per_us = fc_tsc_per_us;
	describe_filters(&t);
	describe_descriptors(p, &t);
	fc_call(SYS_prlimit64, 0, RLIMIT_FSIZE, 0, &limit);
	int fd = limit.rlim_cur < t.used ? fill_pipe(p, t.state, t.used) : fill_memfd(p, t.state, t.used);
	if (fd == -EPERM) /* a sandbox */
		fd = fill_pipe(p, t.state, t.used);
	fc_call(SYS_munmap, at, all);
	if (fd < 0)
		stay(p);
	return move_up(p, fd);
}

/* Descriptors that did not survive (close-on-exec) are still open in the domain: close them there, now, so that their
 * locks go when POSIX says. */
static void close_lost(struct shim_process *p, const struct exec_fd *e)
{
	if (!shim_fd_is_coming(e->word) && shim_is_attached(&p->session[shim_fd_domain(e->word)]) &&
	    !(e->word & SHIM_FD_LENT))
		shim_simple(p, shim_fd_domain(e->word), SYS_close, shim_fd_number(e->word), 0, 0);
}

/* Record `number`, which nobody refers to yet. In a process that has opened nothing they come in their order. 0 or -errno. */
static int restore_file(struct shim_process *p, int fd, uint32_t number)
{
	char path[FC_PATH_MAX + 8];
	struct exec_file e;
	int r = read_all(fd, &e, sizeof e);

	if (r == 0 && e.path_bytes > FC_PATH_MAX)
		r = -EPROTO;
	if (r == 0)
		r = read_all(fd, path, (e.path_bytes + 7) & ~7u);
	if (r < 0)
		return r;
	path[e.path_bytes ? e.path_bytes - 1 : 0] = 0;
	e.file.forks = !e.shared;
	return shim_file_new(p, &e.file, 0, e.path_bytes ? path : NULL) == shim_fd_file_bits(number) ? 0 : -ENOMEM;
}

/* A reference to a record for one more word. */
static uint64_t refer(struct shim_process *p, uint32_t number)
{
	struct shim_file *f = shim_file_of(p, shim_fd_file_bits(number));

	if (!f)
		return 0;
	f->refs++;
	return shim_fd_file_bits(number);
}

static int restore_descriptor(struct shim_process *p, int fd)
{
	struct exec_fd e;
	int r = read_all(fd, &e, sizeof e);

	if (r < 0)
		return r;
	if (e.fd < 0 || e.fd >= SHIM_FDS || shim_fd_domain(e.word) >= shim.config.ndomains)
		return -EPROTO;
	if (shim_fd_is_coming(e.word) && shim_is_placeholder(e.fd))
		fc_call(SYS_close, e.fd);
	else if (shim_is_placeholder(e.fd))
		shim_fd_set(p, e.fd, (e.word & ~SHIM_FD_FILE) | refer(p, e.file));
	else
		close_lost(p, &e);
	return 0;
}

static int restore_descriptors(struct shim_process *p, int fd, const struct exec_state *st)
{
	int r = 0;

	p->files.forks = 1; /* what is shared was opened before */
	for (uint32_t i = 1; i <= st->files && r == 0; i++)
		r = restore_file(p, fd, i);
	p->cwd_file = refer(p, st->cwd_file);
	for (uint32_t i = 0; i < st->count && r == 0; i++)
		r = restore_descriptor(p, fd);
	for (uint32_t i = 1; i <= st->files; i++) /* the reference that each was made with */
		shim_file_drop(p, shim_fd_file_bits(i));
	return r;
}

static int take_number(const char *s)
{
	int n = 0;

	while (*s >= '0' && *s <= '9' && n < SHIM_FDS)
		n = n * 10 + (*s++ - '0');
	return n;
}

/* Whatever their order, what they let pass is the same. */
static int restore_filters(int fd, uint32_t n)
{
	static struct sock_filter code[BPF_MAXINSNS];
	uint64_t bytes;
	int r = 0;

	for (uint32_t i = 0; i < n && r == 0; i++) {
		r = read_all(fd, &bytes, sizeof bytes);
		if (r == 0 && (!bytes || bytes > sizeof code || bytes % sizeof code[0]))
			r = -EPROTO;
		if (r == 0)
			r = read_all(fd, code, bytes);
		void *at = r == 0 ? shim_filter_restore(bytes) : NULL;
		if (r == 0 && !at)
			r = -ENOMEM;
		if (at)
			memcpy(at, code, bytes);
	}
	shim_filters_restored();
	return r;
}

/* There is something, and it cannot be had: the descriptors would be placeholders for nothing, and the program would not know. */
static void restore_failed(int error)
{
	if (error != -EIO && error != -ENOMEM)
		return;
	shim_say("cannot read which remote files the program before has left open", NULL, NULL);
	fc_call(SYS_exit_group, 125);
}

static void restore_part(struct shim_process *p, struct shim_session *s, const struct shim_part *part)
{
	int fd = shim_hide_fd(p, part->fd);

	if (fd >= 0)
		s->part[s->kept++] = (struct shim_part){ fd, part->size };
}

void shim_inherit_restore(const char *value)
{
	struct shim_process *p = &shim.process;
	int fd = take_number(value);
	struct exec_state st;
	int r = read_all(fd, &st, sizeof st);

	restore_failed(r);
	if (r < 0 || st.magic != STATE_MAGIC || st.pid != (uint32_t)fc_call(SYS_getpid))
		return;
	p->elsewhere = st.elsewhere;
	p->root = st.root;
	p->umask = st.umask;
	fc_tsc_per_us = st.tsc_per_us;
	restore_failed(restore_filters(fd, st.filters)); /* before anything that they may forbid */
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
		shim.minor[d] = st.session[d].minor;
		s->told = true; /* for all we know */
		s->fresh = true;
		s->token[0] = st.session[d].token[0];
		s->token[1] = st.session[d].token[1];
		s->keep = st.session[d].kept > 0;
		s->divided = st.session[d].divided;
		s->room = st.session[d].room;
		s->lent = st.session[d].lent;
		s->deaf = st.session[d].deaf;
		for (uint32_t i = 0; i < st.session[d].kept && i < SHIM_PARTS; i++)
			restore_part(p, s, &st.session[d].part[i]);
		s->state = SHIM_SESSION_BARE;
	}
	restore_failed(restore_descriptors(p, fd, &st));
	fc_call(SYS_close, fd);
	if (st.placeholder != p->placeholder)
		fc_call(SYS_close, st.placeholder);
}
