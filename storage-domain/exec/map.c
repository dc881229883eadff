/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * map.c - shared mappings of files that are not handed over. The memory is the client's, and mapped here too. What the client has changed in it is
 * found by comparing it with a copy of what it was when file and memory were last the same; so it can be written back without the client,
 * and whatever others have written meanwhile comes in where the client has changed nothing. That is called merging.
 *
 * As long as a lease on the file says that nobody else has it open, the memory is the file to everybody who could look: the client's
 * calls on the file are preceded and followed by a merge, and an open by anybody else waits until the lease is given up, after one. From then on
 * both are merged at intervals, until there is a lease again. The kernel tells a thread that a lease is to end; should the signal be lost,
 * because the client has changed which one it is, it finds out within a second.
 *
 * The descriptors are numbers of unused exports' roots, which no request can name. A fork of the client shares memory and open
 * file, so a fork of the shadow shares what is known of them.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "common/atomic.h"
#include "common/rawcall.h"
#include "farcall/wire.h"
#include "storage-domain/caps.h"
#include "storage-domain/exec/execute.h"
#include "storage-domain/fds.h"

#define FILES FC_EXPORTS_MAX
#define STACK_SIZE (256u * 1024u)
#define LOOK_NS 1000000000ull /* at what is leased */
#define MERGE_NS 50000000ull  /* what is not, */
#define RUNS_MAX 8            /* of changes, that are written one by one in a page */
#define MERGE_SHARE 20        /* but a twentieth of the time at most */

/* What all shadows with the same open file know of it. */
struct common {
	pthread_mutex_t lock;
	uint32_t shadows;
	pid_t leaser; /* whose thread is told; 0 = there is no lease */
	int64_t size; /* of the file when it was last merged */
};

struct file {
	struct common *common; /* null: free */
	uint64_t dev, ino;
	int fd;
	bool writable;
	unsigned maps; /* 0: its closing is put off, for it would cost the client its record locks */
};

enum { FREE, OFFERED, LIVE };
struct map {
	int state;
	struct file *file;
	char *memory; /* the client's, which it changes at any time */
	char *base;   /* as it was */
	uint64_t length, offset, paid;
};

static struct file file[FILES];
static struct map map[FC_MAPS_MAX];
static struct fc_shadow *owner;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of these, and of merging */
static char buffer[FC_CHUNK];
static uint32_t watcher; /* the thread that is told about leases; 0 = none */

static void enter(struct common *c)
{
	if (pthread_mutex_lock(&c->lock) == EOWNERDEAD)
		pthread_mutex_consistent(&c->lock);
}

/* ---- merging ---- */

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Bytes of the mapping that lie before `size`. */
static uint64_t within(const struct map *m, int64_t size)
{
	return (uint64_t)size <= m->offset ? 0 : least(m->length, (uint64_t)size - m->offset);
}

/* The file's bytes from `at` of the mapping on; what it has not is zero. */
static int fetch(const struct map *m, char *to, uint64_t at, uint64_t n)
{
	int64_t got = 0;

	for (uint64_t done = 0; done < n; done += (uint64_t)got) {
		got = fc_call(SYS_pread64, m->file->fd, to + done, n - done, m->offset + at + done);
		if (got == -EINTR)
			got = 0;
		else if (got < 0)
			return (int)got;
		else if (got == 0) {
			memset(to + done, 0, n - done);
			break;
		}
	}
	return 0;
}

/* Write back the bytes of one run of changes, [at, end). */
static int push_run(struct map *m, uint64_t at, uint64_t end)
{
	char copy[FC_PAGE_SIZE];

	fc_exec_fetch(copy, m->memory + at, end - at);
	for (uint64_t done = 0; done < end - at;) {
		int64_t n = fc_call(SYS_pwrite64, m->file->fd, copy + done, end - at - done, m->offset + at + done);

		if (n == -EINTR)
			continue;
		if (n <= 0)
			return n ? (int)n : -EIO;
		memcpy(m->base + at + done, copy + done, (size_t)n);
		done += (uint64_t)n;
	}
	return 0;
}

/* As one run, with what is in the file between the changes. */
static int push_mixed(struct map *m, uint64_t at, uint64_t n)
{
	char now[FC_PAGE_SIZE], mixed[FC_PAGE_SIZE];
	int64_t r = fetch(m, mixed, at, n);

	if (r < 0)
		return (int)r;
	fc_exec_fetch(now, m->memory + at, n);
	for (uint64_t i = 0; i < n; i++)
		if (now[i] != m->base[at + i])
			mixed[i] = now[i];
	r = fc_call(SYS_pwrite64, m->file->fd, mixed, n, m->offset + at);
	if (r != (int64_t)n)
		return r < 0 ? (int)r : -EIO;
	for (uint64_t i = 0; i < n; i++)
		if (now[i] != m->base[at + i])
			m->base[at + i] = now[i];
	return 0;
}

/* Others' bytes beside what the client has changed stay as they are; but who waits for a lease must not wait for any number of calls. */
static int push_page(struct map *m, uint64_t at, uint64_t n)
{
	const volatile char *now = m->memory;
	const uint64_t begin = at, end = at + n;
	int r = 0;

	for (int runs = 0; at < end && r == 0; runs++) {
		while (at < end && now[at] == m->base[at])
			at++;
		if (at < end && runs == RUNS_MAX)
			return push_mixed(m, begin, n);
		uint64_t from = at;
		while (at < end && now[at] != m->base[at])
			at++;
		if (from < at)
			r = push_run(m, from, at);
	}
	return r;
}

/* What the client has changed goes into the file, up to `end` of the mapping. */
static int push(struct map *m, uint64_t end)
{
	int r = 0;

	for (uint64_t at = 0; m->file->writable && at < end; at += FC_PAGE_SIZE) {
		uint64_t n = least(FC_PAGE_SIZE, end - at);
		int one = memcmp(m->memory + at, m->base + at, n) ? push_page(m, at, n) : 0;

		if (one < 0)
			r = one;
	}
	return r;
}

/* What others have changed comes into the memory, but where the client has changed it itself. */
static int pull(struct map *m, uint64_t end)
{
	for (uint64_t at = 0; at < end; at += sizeof buffer) {
		uint64_t n = least(sizeof buffer, end - at);
		int r = fetch(m, buffer, at, n);

		if (r < 0)
			return r;
		if (!memcmp(buffer, m->base + at, n))
			continue;
		for (uint64_t i = 0; i < n; i++) {
			volatile char *now = &m->memory[at + i];

			if (buffer[i] == m->base[at + i])
				continue;
			if (*now == m->base[at + i])
				*now = buffer[i];
			m->base[at + i] = buffer[i];
		}
	}
	return 0;
}

/* What is in the file now, and was not before, or the other way round. */
static int load(struct map *m, uint64_t from, uint64_t to)
{
	for (uint64_t at = from; at < to;) {
		uint64_t n = least(sizeof buffer, to - at);
		int r = fetch(m, buffer, at, n);

		if (r < 0)
			return r;
		memcpy(m->base + at, buffer, n);
		memcpy(m->memory + at, buffer, n);
		at += n;
	}
	return 0;
}

static int merge_map(struct map *m, bool pulls, int64_t had, int64_t size)
{
	const uint64_t before = within(m, had), now = within(m, size), both = least(before, now);
	int r = push(m, both), p = pulls || before != now ? pull(m, both) : 0, l = 0;

	if (before != now)
		l = load(m, both, before < now ? now : before);
	return r < 0 ? r : p < 0 ? p : l;
}

/* All mappings of a file. The lock of what is common is held. */
static int merge_held(struct file *f, bool pulls)
{
	struct stat st;
	int r = (int)fc_call(SYS_fstat, f->fd, &st);

	for (unsigned i = 0; i < FC_MAPS_MAX && r >= 0; i++)
		if (map[i].state == LIVE && map[i].file == f) {
			int one = merge_map(&map[i], pulls || !f->common->leaser, f->common->size, st.st_size);

			if (one < 0)
				r = one;
		}
	if (r >= 0)
		f->common->size = st.st_size;
	return r;
}

/* ---- leases ---- */

static int lease_kind(const struct file *f)
{
	return f->writable ? F_WRLCK : F_RDLCK;
}

/* The file's owner may have one, and who has the capability. Whoever else wants the file gets it at once, so the client gains nothing by it.
 * `cred`: whose identity this thread has; null: its own. */
static int64_t set_lease(const struct file *f, const struct fc_cred *cred, int kind)
{
	const uint64_t permitted = fc_caps_permitted(), usual = cred ? cred->caps & FC_CAPS_FILES & permitted : 0;
	const bool more = cred && permitted & FC_CAP(LEASE);
	int64_t r;

	if (more)
		fc_caps_set(usual | FC_CAP(LEASE), permitted);
	r = fc_call(SYS_fcntl, f->fd, F_SETLEASE, kind);
	if (more)
		fc_caps_set(usual, permitted);
	return r;
}

static int lease(struct file *f, const struct fc_cred *cred)
{
	struct f_owner_ex told = { F_OWNER_TID, (pid_t)fc_load(&watcher) };
	int64_t r;

	if (f->common->leaser)
		return 0;
	fc_call(SYS_fcntl, f->fd, F_SETSIG, SIGIO);
	fc_call(SYS_fcntl, f->fd, F_SETOWN_EX, &told);
	r = set_lease(f, cred, lease_kind(f));
	if (r == 0)
		f->common->leaser = getpid();
	return (int)r;
}

/* That takes the same right. Who has it not, as the control thread, leaves it to a thread that is told. */
static void release(struct file *f, const struct fc_cred *cred)
{
	if (set_lease(f, cred, F_UNLCK) == 0)
		f->common->leaser = 0;
}

/* Merge; with a lease, if there can be one. */
static int merge(struct file *f, const struct fc_cred *cred, bool pulls)
{
	int r;

	enter(f->common);
	pulls = pulls || !f->common->leaser; /* before there is a lease, others may have written */
	if (cred)
		lease(f, cred);
	r = merge_held(f, pulls);
	pthread_mutex_unlock(&f->common->lock);
	return r;
}

/* Is somebody waiting for the file? Returns whether there is no lease now. */
static bool look(struct file *f, const struct fc_cred *cred)
{
	bool without;

	if (!f->maps && !fc_load(&f->common->leaser))
		return false;
	if (!fc_load(&f->common->leaser)) {
		merge(f, cred, true);
		return !fc_load(&f->common->leaser);
	}
	enter(f->common);
	if (f->common->leaser && (!f->maps || fc_call(SYS_fcntl, f->fd, F_GETLEASE) != lease_kind(f))) {
		merge_held(f, false);
		release(f, cred);
	}
	without = f->maps && !f->common->leaser;
	pthread_mutex_unlock(&f->common->lock);
	return without;
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void look_at_all(const struct fc_cred *cred, uint64_t *pause)
{
	const uint64_t begun = now_ns();
	bool without = false;

	pthread_mutex_lock(&lock);
	for (unsigned i = 0; i < FILES; i++)
		if (file[i].common)
			without |= look(&file[i], cred);
	pthread_mutex_unlock(&lock);
	*pause = (now_ns() - begun) * MERGE_SHARE;
	if (*pause < MERGE_NS)
		*pause = MERGE_NS;
	if (!without || *pause > LOOK_NS)
		*pause = LOOK_NS;
}

static void *watch(void *arg)
{
	const uint64_t told = 1ull << (SIGIO - 1);
	uint64_t pause = MERGE_NS;
	struct fc_cred cred;
	uint32_t seen = 0;
	bool first = true;

	fc_store(&watcher, (uint32_t)fc_call(SYS_gettid));
	sem_post(arg);
	for (;;) {
		struct timespec ts = { (time_t)(pause / 1000000000u), (long)(pause % 1000000000u) };
		uint32_t generation;

		fc_call(SYS_rt_sigtimedwait, &told, NULL, &ts, sizeof told);
		generation = fc_cred_get(owner, &cred);
		if (first || generation != seen)
			fc_cred_apply(&cred);
		first = false;
		seen = generation;
		look_at_all(&cred, &pause);
	}
	return NULL;
}

static int start_watching(void)
{
	pthread_attr_t attr;
	sigset_t all, usual;
	pthread_t thread;
	sem_t begun;
	int r;

	if (fc_load(&watcher))
		return 0;
	sem_init(&begun, 0, 0);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	sigfillset(&all); /* or what it is told kills */
	pthread_sigmask(SIG_SETMASK, &all, &usual);
	r = pthread_create(&thread, &attr, watch, &begun);
	pthread_sigmask(SIG_SETMASK, &usual, NULL);
	pthread_attr_destroy(&attr);
	if (r)
		return -ENOMEM;
	while (sem_wait(&begun))
		;
	return 0;
}

/* ---- files ---- */

/* Files and mappings: while there are any, requests are looked at, and the process is not simply killed. */
static void count(int more)
{
	fc_store(&owner->mapped, owner->mapped + (uint32_t)more);
	fc_store(&owner->slot->mapped, owner->mapped);
}

static void file_close(struct file *f)
{
	enter(f->common);
	f->common->shadows--;
	pthread_mutex_unlock(&f->common->lock);
	fc_call(SYS_dup3, FC_FD_NULL, f->fd, O_CLOEXEC);
	munmap(f->common, FC_PAGE_SIZE);
	f->common = NULL;
	count(-1);
}

static bool same(const struct file *f, int fd)
{
	struct stat st;

	return fc_call(SYS_fstat, fd, &st) == 0 && st.st_dev == f->dev && st.st_ino == f->ino;
}

/* To close one of the domain's descriptors of a file would take the client's record locks on it away, unless it has no other. */
static bool client_has(const struct file *f)
{
	const int top = (int)fc_load(&owner->descriptors_top);

	for (int fd = FC_DOMAIN_FD_FIRST; fd < top; fd++)
		if (same(f, fd))
			return true;
	return false;
}

static int common_make(struct file *f)
{
	pthread_mutexattr_t attr;
	void *m = mmap(NULL, FC_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (m == MAP_FAILED)
		return -ENOMEM;
	f->common = m;
	f->common->shadows = 1;
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(&f->common->lock, &attr);
	count(1);
	return 0;
}

/* A file's record for `fd`. Another open file of the same inode is another one: there is no lease for it. */
static int file_of(int fd, bool writable, struct file **is)
{
	const unsigned first = owner->exports->count;
	struct stat st;
	int r = (int)fc_call(SYS_fstat, fd, &st);

	if (r < 0)
		return r;
	for (unsigned i = first; i < FILES; i++)
		if (file[i].common && file[i].dev == st.st_dev && file[i].ino == st.st_ino &&
		    file[i].writable == writable) {
			*is = &file[i];
			return 0;
		}
	for (unsigned i = first; i < FILES; i++) {
		struct file *f = &file[i];

		if (f->common)
			continue;
		f->fd = FC_FD_EXPORT + (int)i;
		r = (int)fc_call(SYS_dup3, fd, f->fd, O_CLOEXEC);
		if (r >= 0)
			r = common_make(f);
		if (r < 0)
			return r;
		f->dev = st.st_dev;
		f->ino = st.st_ino;
		f->writable = writable;
		f->maps = 0;
		*is = f;
		return 0;
	}
	return -ENOMEM;
}

static void file_drop(struct file *f, const struct fc_cred *cred)
{
	if (f->maps)
		return;
	enter(f->common);
	if (f->common->leaser == getpid() || f->common->shadows == 1)
		release(f, cred);
	pthread_mutex_unlock(&f->common->lock);
	if (!client_has(f))
		file_close(f);
}

/* ---- mappings ---- */

static void map_free(struct map *m)
{
	munmap(m->memory, m->length);
	if (m->base)
		munmap(m->base, m->length);
	if (m->paid)
		fc_budget_give(owner->slot, FC_BYTES, m->paid);
	memset(m, 0, sizeof *m);
	count(-1);
}

static int64_t unmap(struct map *m, const struct fc_cred *cred)
{
	struct file *f = m->file;
	int r = 0;

	if (m->state == LIVE) {
		r = merge(f, cred, false);
		f->maps--;
		m->state = OFFERED;
		map_free(m);
		file_drop(f, cred);
	} else if (m->state == OFFERED) {
		map_free(m);
	}
	return r;
}

int fc_maps_offer(struct fc_shadow *s, void *memory, uint64_t size)
{
	int r = -ENOMEM;

	pthread_mutex_lock(&lock);
	owner = s;
	for (int i = 0; i < FC_MAPS_MAX && r < 0; i++)
		if (map[i].state == FREE) {
			map[i] = (struct map){ .state = OFFERED, .memory = memory, .length = size };
			count(1);
			r = i;
		}
	pthread_mutex_unlock(&lock);
	return r;
}

static bool overlaps(const struct map *m, const struct map *old)
{
	for (unsigned i = 0; i < FC_MAPS_MAX; i++)
		if (map[i].state == LIVE && &map[i] != old && map[i].file == m->file &&
		    map[i].offset < m->offset + m->length && m->offset < map[i].offset + map[i].length)
			return true;
	return false;
}

/* `old` (may be null): the one whose place it takes, in the same file. */
static int establish(struct fc_exec *x, struct map *m, int fd, bool writable, struct map *old)
{
	int r;

	m->base = mmap(NULL, m->length, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (m->base == MAP_FAILED) {
		m->base = NULL;
		return -ENOMEM;
	}
	r = start_watching();
	if (r == 0 && old)
		m->file = old->file;
	else if (r == 0)
		r = file_of(fd, writable, &m->file);
	if (r < 0)
		return r;
	enter(m->file->common);
	/* one memory for each byte of the file */
	r = overlaps(m, old) || (lease(m->file, &x->cred) < 0 && !m->file->maps) ? -ENODEV : merge_held(m->file, true);
	if (r >= 0)
		r = load(m, 0, within(m, m->file->common->size));
	if (r >= 0) {
		m->state = LIVE;
		m->file->maps++;
	}
	pthread_mutex_unlock(&m->file->common->lock);
	if (r < 0 && !m->file->maps)
		file_drop(m->file, &x->cred);
	return r;
}

/* May this file be mapped? Flags of the descriptor, or -errno. */
static int64_t judge(int fd)
{
	int64_t flags = fc_call(SYS_fcntl, fd, F_GETFL);
	struct stat st;

	if (flags < 0 || flags & O_PATH)
		return -EBADF;
	if ((flags & O_ACCMODE) == O_WRONLY)
		return -EACCES;
	return fc_call(SYS_fstat, fd, &st) == 0 && S_ISREG(st.st_mode) ? flags : -ENODEV;
}

static int64_t map_it(struct fc_exec *x, struct map *m, struct map *old)
{
	const int fd = fc_exec_fd(x->e.arg[0]);
	int64_t r = old ? O_RDWR : judge(fd);

	if (r >= 0 && !fc_budget_take(owner->shared, owner->slot, FC_BYTES, m->length))
		r = -ENOMEM;
	else if (r >= 0)
		m->paid = m->length;
	if (r >= 0)
		r = establish(x, m, fd, (r & O_ACCMODE) == O_RDWR, old);
	if (r < 0) {
		map_free(m);
	} else if (old) {
		r = unmap(old, &x->cred);
		merge(m->file, &x->cred, true);
	}
	return r;
}

int64_t fc_exec_map(struct fc_exec *x)
{
	const uint64_t number = x->e.arg[1], offset = x->e.arg[2], other = x->e.arg[3];
	int64_t r = -EINVAL;

	if (number >= FC_MAPS_MAX || other > FC_MAPS_MAX)
		return r;
	pthread_mutex_lock(&lock);
	struct map *m = &map[number], *old = other ? &map[other - 1] : NULL;
	if (m->state == OFFERED && !(offset & (FC_PAGE_SIZE - 1)) && offset <= INT64_MAX - m->length &&
	    (!old || old->state == LIVE)) {
		m->offset = offset;
		r = map_it(x, m, old);
	}
	pthread_mutex_unlock(&lock);
	return r;
}

int64_t fc_exec_unmap(struct fc_exec *x)
{
	const uint64_t number = x->e.arg[0];
	int64_t r = -EINVAL;

	pthread_mutex_lock(&lock);
	if (number < FC_MAPS_MAX && map[number].state != FREE)
		r = unmap(&map[number], &x->cred);
	pthread_mutex_unlock(&lock);
	return r;
}

/* msync(number, to the disk): the file is not closed meanwhile, for the table's lock is held */
int64_t fc_exec_map_sync(struct fc_exec *x)
{
	const uint64_t number = x->e.arg[0];
	int64_t r = -EINVAL;

	pthread_mutex_lock(&lock);
	if (number < FC_MAPS_MAX && map[number].state == LIVE) {
		r = merge(map[number].file, &x->cred, true);
		if (r == 0 && x->e.arg[1])
			r = fc_call(SYS_fdatasync, map[number].file->fd);
	}
	pthread_mutex_unlock(&lock);
	return r;
}

/* ---- other requests of the client's ---- */

static bool concerns(unsigned nr)
{
	return nr != SYS_close && nr != SYS_lseek && nr != SYS_fcntl && nr != SYS_flock && nr != SYS_dup;
}

/* Which files the request is about: bits. */
static uint32_t files_of(const struct fc_exec *x)
{
	const struct fc_row *row = fc_row_by_nr(x->e.nr);
	const bool stream = x->e.nr == FC_NR_STREAM_READ || x->e.nr == FC_NR_STREAM_WRITE;
	uint32_t bits = 0;

	for (int a = 0; a < 6 && (row || (stream && a == 0)); a++)
		for (unsigned i = 0; i < FILES; i++)
			if ((stream || row->arg[a].kind == FC_KIND_FD || row->arg[a].kind == FC_KIND_DIRFD) &&
			    file[i].common && same(&file[i], fc_exec_fd(x->e.arg[a])))
				bits |= 1u << i;
	return bits;
}

static void merge_files(struct fc_exec *x, uint32_t bits, bool pulls)
{
	for (unsigned i = 0; i < FILES; i++)
		if (bits >> i & 1 && file[i].common && file[i].maps)
			merge(&file[i], &x->cred, pulls);
}

uint32_t fc_exec_maps_before(struct fc_exec *x)
{
	uint32_t bits;

	if (x->e.nr >= FC_NR_PRIVATE && x->e.nr != FC_NR_STREAM_READ && x->e.nr != FC_NR_STREAM_WRITE)
		return 0;
	pthread_mutex_lock(&lock);
	bits = files_of(x);
	if (concerns(x->e.nr))
		merge_files(x, bits, false);
	pthread_mutex_unlock(&lock);
	return bits;
}

void fc_exec_maps_after(struct fc_exec *x, uint32_t bits)
{
	if (!bits)
		return;
	pthread_mutex_lock(&lock);
	if (concerns(x->e.nr))
		merge_files(x, bits, true);
	for (unsigned i = 0; i < FILES && x->e.nr == SYS_close; i++)
		if (bits >> i & 1 && file[i].common && !file[i].maps)
			file_close(&file[i]); /* with it the client's locks have gone anyway */
	pthread_mutex_unlock(&lock);
}

/* ---- the process ---- */

void fc_maps_end(void)
{
	if (!owner || !fc_load(&owner->mapped))
		return;
	pthread_mutex_lock(&lock);
	for (unsigned i = 0; i < FC_MAPS_MAX; i++)
		unmap(&map[i], NULL);
	pthread_mutex_unlock(&lock);
}

void fc_maps_fork(void)
{
	pthread_mutex_lock(&lock);
}

void fc_maps_forked_parent(void)
{
	pthread_mutex_unlock(&lock);
}

void fc_maps_forked_child(void)
{
	pthread_mutex_init(&lock, NULL);
	watcher = 0;
	owner = NULL;
}

void fc_maps_adopt(struct fc_shadow *s)
{
	owner = s;
	fc_store(&s->slot->mapped, s->mapped);
	for (unsigned i = 0; i < FC_MAPS_MAX; i++)
		map[i].paid =
			map[i].paid && fc_budget_take(s->shared, s->slot, FC_BYTES, map[i].length) ? map[i].length : 0;
	for (unsigned i = 0; i < FILES; i++)
		if (file[i].common) {
			enter(file[i].common);
			file[i].common->shadows++;
			pthread_mutex_unlock(&file[i].common->lock);
		}
	if (s->mapped)
		start_watching();
}
