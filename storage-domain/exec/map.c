/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * map.c - shared mappings of files that are not handed over: which there are, and when memory and file are made the same (merge.c). The memory
 * is the client's, and mapped here too.
 *
 * As long as a lease on the file says that nobody else has it open, the memory is the file to everybody who could look: the client's
 * calls on the file are preceded and followed by a merge, and an open by anybody else waits until the lease is given up, after one. From then on
 * both are merged at intervals, until there is a lease again. Should the watch not be told that a lease is to end, because the client has
 * changed the signal, it finds out within a second.
 *
 * The descriptors are numbers of unused exports' roots, which no request can name. A fork of the client shares memory and open
 * file, so a fork of the shadow shares what is known of them. All that is done with a file is done in the workers' table of descriptors, which
 * not every thread that ends the process has: so at the end it is the watch that merges.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "common/atomic.h"
#include "common/rawcall.h"
#include "farcall/wire.h"
#include "storage-domain/exec/execute.h"
#include "storage-domain/exec/map.h"
#include "storage-domain/fds.h"
#include "storage-domain/lease_watch.h"

#define FILES FC_EXPORTS_MAX
#define LOOK_NS 1000000000ull /* at what is leased */
#define MERGE_NS 50000000ull  /* what is not, */
#define MERGE_SHARE 20        /* but a twentieth of the time at most */

static struct fc_map_file file[FILES];
static struct fc_map map[FC_MAPS_MAX];
static struct fc_shadow *owner;
static struct fc_lease_watch watch;
static bool dressed; /* the watch has the client's identity: */
static uint32_t dressed_as;
static bool ending; /* all, as soon as the watch can */

/* Of all this, and of merging. The watch goes first: others wait for it, and a client has any number of requests. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t passed = PTHREAD_COND_INITIALIZER;
static bool pressing;

static void begin(void)
{
	pthread_mutex_lock(&lock);
	while (fc_load(&pressing))
		pthread_cond_wait(&passed, &lock);
}

static void over(void)
{
	pthread_mutex_unlock(&lock);
}

static void enter(struct fc_map_common *c)
{
	if (pthread_mutex_lock(&c->lock) == EOWNERDEAD)
		pthread_mutex_consistent(&c->lock);
}

static void leave(struct fc_map_common *c)
{
	pthread_mutex_unlock(&c->lock);
}

/* ---- merging, with a lease if there can be one ---- */

/* All mappings of a file. The lock of what is common is held. If not `pulls`, nothing has been written since the last time, nor is it just now, unless by calls
 * that are under way. */
static int merge_held(struct fc_map_file *f, bool pulls)
{
	const bool alone = f->common->leaser && !f->common->calls && !pulls;
	struct stat st;
	int r = (int)fc_call(SYS_fstat, f->fd, &st);

	if (r < 0)
		return r;
	for (unsigned i = 0; i < FC_MAPS_MAX; i++)
		if (map[i].state == FC_MAP_LIVE && map[i].file == f) {
			int one = fc_map_merge(&map[i], pulls || !f->common->leaser, alone, st.st_size);

			if (one < 0)
				r = one;
		}
	f->common->size = st.st_size;
	return r;
}

static int lease_kind(const struct fc_map_file *f)
{
	return f->writable ? F_WRLCK : F_RDLCK;
}

static int lease(struct fc_map_file *f)
{
	int r = f->common->leaser ? 0 : fc_lease_take(&watch, f->fd, lease_kind(f));

	if (r == 0 && !f->common->leaser)
		f->common->leaser = getpid();
	return r;
}

static void release(struct fc_map_file *f)
{
	if (fc_lease_give(f->fd) == 0)
		f->common->leaser = 0;
}

static int merge(struct fc_map_file *f, bool pulls)
{
	int r;

	enter(f->common);
	pulls = pulls || !f->common->leaser; /* before there is a lease, others may have written */
	lease(f);
	r = merge_held(f, pulls);
	leave(f->common);
	return r;
}

/* Is somebody waiting for the file? Returns whether there is no lease now. */
static bool look_at(struct fc_map_file *f)
{
	bool without;

	if (!fc_load(&f->common->leaser)) {
		if (f->maps)
			merge(f, true);
		return f->maps && !fc_load(&f->common->leaser);
	}
	enter(f->common);
	if (f->common->leaser && (!f->maps || !fc_lease_stands(f->fd, lease_kind(f)))) {
		merge_held(f, false);
		release(f);
	}
	without = f->maps && !f->common->leaser;
	leave(f->common);
	return without;
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* After how long to look again. */
static uint64_t look_at_all(void)
{
	const uint64_t begun = now_ns();
	bool any = false, without = false;
	uint64_t pause;

	for (unsigned i = 0; i < FILES; i++)
		if (file[i].common) {
			any = any || file[i].maps || file[i].common->leaser;
			without |= look_at(&file[i]);
		}
	pause = (now_ns() - begun) * MERGE_SHARE;
	if (!any)
		return FC_LOOK_WHEN_TOLD;
	if (!without || pause > LOOK_NS)
		return LOOK_NS;
	return pause < MERGE_NS ? MERGE_NS : pause;
}

static void end_all(void);

/* As the client, for what is written. */
static void become(void)
{
	struct fc_cred cred;
	uint32_t generation = fc_cred_get(owner, &cred);

	if (!dressed || generation != dressed_as)
		fc_cred_apply(&cred);
	dressed = true;
	dressed_as = generation;
}

static uint64_t look(void *arg)
{
	uint64_t pause;

	(void)arg;
	fc_store(&pressing, true);
	pthread_mutex_lock(&lock);
	become();
	pause = look_at_all();
	if (ending)
		end_all();
	ending = false;
	fc_store(&pressing, false);
	pthread_cond_broadcast(&passed);
	pthread_mutex_unlock(&lock);
	return pause;
}

static struct fc_lease_watch watch = { .look = look };

/* ---- files ---- */

/* Files and mappings: while there are any, requests are looked at, and the process is not simply killed. */
static void count(int more)
{
	fc_store(&owner->mapped, owner->mapped + (uint32_t)more);
	fc_store(&owner->slot->mapped, owner->mapped);
}

static void file_close(struct fc_map_file *f)
{
	enter(f->common);
	f->common->shadows--;
	leave(f->common);
	fc_call(SYS_dup3, FC_FD_NULL, f->fd, O_CLOEXEC);
	munmap(f->common, FC_PAGE_SIZE);
	f->common = NULL;
	count(-1);
}

static bool same(const struct fc_map_file *f, int fd)
{
	struct stat st;

	return fc_call(SYS_fstat, fd, &st) == 0 && st.st_dev == f->dev && st.st_ino == f->ino;
}

/* To close one of the domain's descriptors of a file would take the client's record locks on it away, unless it has no other. An open file is no
 * process, and is told of a process' locks, whoever's. */
static bool costs_locks(const struct fc_map_file *f)
{
	const int top = (int)fc_load(&owner->descriptors_top);
	struct flock any = { .l_type = F_WRLCK };

	if (fc_call(SYS_fcntl, f->fd, F_OFD_GETLK, &any) == 0 && any.l_type == F_UNLCK)
		return false;
	for (int fd = FC_DOMAIN_FD_FIRST; fd < top; fd++)
		if (same(f, fd))
			return true;
	return false;
}

static int common_make(struct fc_map_file *f)
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

static int file_take(struct fc_map_file *f, int number, int fd, bool writable, const struct stat *st)
{
	int r = (int)fc_call(SYS_dup3, fd, number, O_CLOEXEC);

	if (r < 0)
		return r;
	f->fd = number;
	r = common_make(f);
	if (r < 0) {
		fc_call(SYS_dup3, FC_FD_NULL, number, O_CLOEXEC);
		return r;
	}
	f->dev = st->st_dev;
	f->ino = st->st_ino;
	f->writable = writable;
	f->maps = f->users = 0;
	return 0;
}

/* A file's record for `fd`. Another open file of the same inode is another one: there is no lease for it. */
static int file_of(int fd, bool writable, struct fc_map_file **is)
{
	struct fc_map_file *free = NULL;
	struct stat st;
	int r = (int)fc_call(SYS_fstat, fd, &st);

	if (r < 0)
		return r;
	for (unsigned i = FILES; i-- > owner->exports->count;) {
		struct fc_map_file *f = &file[i];

		if (!f->common)
			free = f;
		else if (f->dev == st.st_dev && f->ino == st.st_ino && f->writable == writable)
			return *is = f, 0;
	}
	if (!free)
		return -ENOMEM;
	r = file_take(free, FC_FD_EXPORT + (int)(free - file), fd, writable, &st);
	*is = r < 0 ? NULL : free;
	return r;
}

static void file_drop(struct fc_map_file *f)
{
	if (f->maps || f->users)
		return;
	enter(f->common);
	if (f->common->leaser == getpid() || f->common->shadows == 1)
		release(f);
	leave(f->common);
	if (!costs_locks(f))
		file_close(f);
}

/* ---- mappings ---- */

static void map_free(struct fc_map *m)
{
	fc_memory_unmap(owner, m->memory, m->length);
	if (m->base)
		munmap(m->base, m->length);
	if (m->paid)
		fc_budget_give(owner->slot, FC_BYTES, m->paid);
	memset(m, 0, sizeof *m);
	count(-1);
}

static int unmap(struct fc_map *m)
{
	struct fc_map_file *f = m->file;
	int r = 0;

	if (m->state == FC_MAP_LIVE) {
		r = merge(f, false);
		m->state = FC_MAP_OFFERED;
		map_free(m);
		f->maps--;
		file_drop(f);
	} else if (m->state == FC_MAP_OFFERED) {
		map_free(m);
	}
	return r;
}

static void end_all(void)
{
	for (unsigned i = 0; i < FC_MAPS_MAX; i++)
		unmap(&map[i]);
}

int fc_maps_offer(struct fc_shadow *s, void *memory, uint64_t size)
{
	int r = -ENOMEM;

	begin();
	owner = s;
	for (int i = 0; i < FC_MAPS_MAX && r < 0; i++)
		if (map[i].state == FC_MAP_FREE) {
			map[i] = (struct fc_map){ .state = FC_MAP_OFFERED, .memory = memory, .length = size };
			count(1);
			r = i;
		}
	over();
	return r;
}

int fc_maps_return(uint64_t number)
{
	int r = 0;

	begin();
	if (number >= FC_MAPS_MAX)
		r = -EINVAL;
	else if (map[number].state == FC_MAP_LIVE)
		r = -EBUSY;
	else if (map[number].state == FC_MAP_OFFERED)
		map_free(&map[number]);
	over();
	return r;
}

static bool overlaps(const struct fc_map *m, const struct fc_map *old)
{
	for (unsigned i = 0; i < FC_MAPS_MAX; i++)
		if (map[i].state == FC_MAP_LIVE && &map[i] != old && map[i].file == m->file &&
		    map[i].offset < m->offset + m->length && m->offset < map[i].offset + map[i].length)
			return true;
	return false;
}

/* How long others wait for a file is bounded by how much there is to write back. */
static bool too_much(const struct fc_map *m, const struct fc_map *old)
{
	uint64_t all = m->length;

	for (unsigned i = 0; i < FC_MAPS_MAX; i++)
		if (map[i].state == FC_MAP_LIVE && &map[i] != old)
			all += map[i].length;
	return all > FC_MAPS_BYTES;
}

/* What the memory was like when it was the file's, and the budget for it. */
static int base_make(struct fc_map *m, const struct fc_map *old)
{
	if (m->base) /* it is tried again */
		return 0;
	if (too_much(m, old) || !fc_budget_take(owner->shared, owner->slot, FC_BYTES, m->length))
		return -ENOMEM;
	m->paid = m->length;
	m->base = mmap(NULL, m->length, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (m->base == MAP_FAILED)
		m->base = NULL;
	return m->base ? 0 : -ENOMEM;
}

/* One memory for each byte of the file; and the first mapping of a file takes a lease. The lock of what is common is held. */
static int claim(struct fc_map *m, const struct fc_map *old)
{
	int r = lease(m->file);

	if (overlaps(m, old))
		return -ENODEV;
	if (r == 0 || m->file->maps)
		return 0;
	return r == -EAGAIN ? r : -ENODEV;
}

/* `old` (may be null): the one whose place it takes, in the same file. -EAGAIN: somebody else has the file open. */
static int establish(struct fc_map *m, int fd, bool writable, struct fc_map *old)
{
	int r = base_make(m, old);

	if (r == 0)
		r = fc_lease_watch_begin(&watch) < 0 ? -ENOMEM : 0;
	if (r == 0 && old)
		m->file = old->file;
	else if (r == 0)
		r = file_of(fd, writable, &m->file);
	if (r < 0)
		return r;
	enter(m->file->common);
	r = claim(m, old);
	if (r == 0)
		r = merge_held(m->file, true);
	if (r >= 0)
		r = fc_map_fill(m);
	if (r >= 0) {
		m->state = FC_MAP_LIVE;
		m->file->maps++;
	}
	leave(m->file->common);
	file_drop(m->file);
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

static int map_it(struct fc_exec *x, struct fc_map *m, struct fc_map *old)
{
	const int fd = fc_exec_fd(x->e.arg[0]);
	int64_t flags = old ? old->file->writable ? O_RDWR : O_RDONLY : judge(fd);
	int r = flags < 0 ? (int)flags : old ? merge(old->file, false) : 0;

	if (r == 0)
		r = establish(m, fd, (flags & O_ACCMODE) == O_RDWR, old);
	if (r == 0 && old) {
		unmap(old);
		merge(m->file, true);
	}
	if (r == 0)
		fc_lease_watch_nudge(&watch);
	return r;
}

/* Returns -EAGAIN as establish, and the memory is still offered then. */
static int try_to_map(struct fc_exec *x)
{
	const uint64_t number = x->e.arg[1], offset = x->e.arg[2], other = x->e.arg[3];
	int r = -EINVAL;

	begin();
	struct fc_map *m = &map[number], *old = other ? &map[other - 1] : NULL;
	if (m->state == FC_MAP_OFFERED && !(offset & (FC_PAGE_SIZE - 1)) && offset <= INT64_MAX - m->length &&
	    (!old || old->state == FC_MAP_LIVE)) {
		m->offset = offset;
		r = map_it(x, m, old);
		if (r < 0 && m->state == FC_MAP_OFFERED && r != -EAGAIN)
			map_free(m);
	}
	over();
	return r;
}

static int forget(uint64_t number)
{
	int r = -EINVAL;

	begin();
	if (number < FC_MAPS_MAX && map[number].state != FC_MAP_FREE)
		r = unmap(&map[number]);
	over();
	return r;
}

int64_t fc_exec_map(struct fc_exec *x)
{
	int r = -EINVAL;

	if (x->e.arg[1] < FC_MAPS_MAX && x->e.arg[3] <= FC_MAPS_MAX)
		r = try_to_map(x);
	if (r == -EAGAIN) { /* it may be ourselves who have it open, for a delegation */
		fc_leases_void(x->s);
		r = try_to_map(x);
	}
	if (r == -EAGAIN)
		forget(x->e.arg[1]);
	return r == -EAGAIN ? -ENODEV : r;
}

int64_t fc_exec_unmap(struct fc_exec *x)
{
	return forget(x->e.arg[0]);
}

/* msync(number, to the disk), for which nobody else waits */
int64_t fc_exec_map_sync(struct fc_exec *x)
{
	const uint64_t number = x->e.arg[0];
	struct fc_map_file *f = NULL;
	int64_t r = -EINVAL;

	begin();
	if (number < FC_MAPS_MAX && map[number].state == FC_MAP_LIVE) {
		f = map[number].file;
		r = merge(f, true);
	}
	if (r == 0 && x->e.arg[1]) {
		f->users++;
		over();
		r = fc_call(SYS_fdatasync, f->fd);
		begin();
		f->users--;
		file_drop(f);
	}
	over();
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

/* A call begins (1), or has ended (-1). */
static void about(struct fc_map_file *f, int more)
{
	enter(f->common);
	f->common->calls += (uint32_t)more;
	leave(f->common);
}

uint32_t fc_exec_maps_before(struct fc_exec *x)
{
	uint32_t bits;

	if (x->e.nr >= FC_NR_PRIVATE && x->e.nr != FC_NR_STREAM_READ && x->e.nr != FC_NR_STREAM_WRITE)
		return 0;
	begin();
	bits = files_of(x);
	for (unsigned i = 0; i < FILES; i++)
		if (bits >> i & 1) {
			file[i].users++; /* it stays what it is until then */
			if (file[i].maps && concerns(x->e.nr))
				merge(&file[i], false);
			about(&file[i], 1);
		}
	over();
	return bits;
}

void fc_exec_maps_after(struct fc_exec *x, uint32_t bits)
{
	if (!bits)
		return;
	begin();
	for (unsigned i = 0; i < FILES; i++)
		if (bits >> i & 1) {
			about(&file[i], -1);
			if (file[i].maps && concerns(x->e.nr))
				merge(&file[i], true);
			file[i].users--;
			file_drop(&file[i]);
		}
	over();
}

/* ---- the process ---- */

void fc_maps_end(void)
{
	if (!owner || !fc_load(&owner->mapped))
		return;
	pthread_mutex_lock(&lock);
	if (fc_load(&watch.thread)) {
		ending = true;
		fc_lease_watch_nudge(&watch);
	} else {
		end_all(); /* none has ever been of a file */
	}
	while (ending)
		pthread_cond_wait(&passed, &lock);
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
	pthread_cond_init(&passed, NULL);
	watch.thread = 0;
	pressing = ending = dressed = false;
	owner = NULL;
	for (unsigned i = 0; i < FILES; i++)
		file[i].users = 0; /* its parent's */
}

/* Before anybody looks at it. */
static int adopt_memory(struct fc_map *m)
{
	void *at = m->memory;
	int r = fc_memory_again(owner, &at);

	m->memory = at;
	return r;
}

int fc_maps_adopt(struct fc_shadow *s)
{
	int r = 0;

	owner = s;
	for (unsigned i = 0; i < FC_MAPS_MAX && r == 0; i++)
		if (map[i].state != FC_MAP_FREE)
			r = adopt_memory(&map[i]);
	if (r == 0 && s->mapped)
		r = fc_lease_watch_begin(&watch);
	for (unsigned i = 0; i < FC_MAPS_MAX && r == 0; i++)
		if (map[i].paid && !fc_budget_take(s->shared, s->slot, FC_BYTES, map[i].paid))
			r = -ENOMEM;
	if (r < 0)
		return r;
	for (unsigned i = 0; i < FILES; i++)
		if (file[i].common) {
			enter(file[i].common);
			file[i].common->shadows++;
			leave(file[i].common);
		}
	fc_store(&s->slot->mapped, s->mapped);
	return 0;
}
