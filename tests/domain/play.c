/* SPDX-License-Identifier: GPL-2.0-or-later */
/* play.c - a client and a domain in one process, see play.h. */
#define _GNU_SOURCE
#include "play.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "common/doorbell.h"
#include "common/queue.h"
#include "common/region.h"
#include "storage-domain/fds.h"
#include "storage-domain/roster.h"

#define FIRST_LOOKS 100 /* without a clock */
#define SPIN_NS 50000
#define LOW_FDS 10 /* leaves a few numbers below FC_DOMAIN_FD_FIRST free: results must be moved up */

struct fc_shadow play;
static struct fc_exports exports;
static struct fc_roster_slot slot;
static _Atomic unsigned in_flight;
static _Atomic bool taken[FC_ENTRIES];

/* ---- stand-ins for the process side ---- */

int fc_cred_apply(const struct fc_cred *cred)
{
	(void)cred;
	return 0;
}

int fc_caps_set(uint64_t effective, uint64_t permitted)
{
	(void)effective;
	(void)permitted;
	return 0;
}

uint64_t fc_caps_permitted(void)
{
	return 0;
}

uint64_t fc_caps_effective(void)
{
	return 0;
}

void fc_leases_void(struct fc_shadow *s)
{
	(void)s;
}

void fc_memory_unmap(struct fc_shadow *s, void *at, uint64_t size)
{
	(void)s;
	munmap(at, size);
}

int fc_memory_again(struct fc_shadow *s, void **at)
{
	(void)s, (void)at;
	return 0;
}

void fc_shadow_poison(struct fc_shadow *s, const char *why)
{
	(void)s;
	if (getenv("PLAY_VERBOSE"))
		fprintf(stderr, "cut off: %s\n", why);
	_exit(PLAY_POISONED);
}

pid_t fc_roster_client_pid(struct fc_domain_shared *d, pid_t shadow_pid)
{
	(void)d;
	return shadow_pid + 1000000;
}

/* There is nobody to share with. */
bool fc_budget_take(const struct fc_domain_shared *d, struct fc_roster_slot *to, enum fc_good good, uint64_t n)
{
	(void)d, (void)to, (void)good, (void)n;
	return true;
}

void fc_budget_give(struct fc_roster_slot *from, enum fc_good good, uint64_t n)
{
	(void)from, (void)good, (void)n;
}

bool fc_budget_descriptor(struct fc_shadow *s, int fd)
{
	(void)s;
	return fd >= FC_DOMAIN_FD_FIRST && fd <= FC_DOMAIN_FD_MAX;
}

bool fc_budget_number(struct fc_shadow *s, int64_t fd)
{
	return fd >= 0 && fc_budget_descriptor(s, (int)fd);
}

int64_t fc_budget_pipe(struct fc_shadow *s, int fd)
{
	(void)s, (void)fd;
	return 0;
}

int64_t fc_budget_close(struct fc_shadow *s, int fd)
{
	(void)s;
	return close(fd) ? -errno : 0;
}

struct fc_licensee fc_roster_licensee(struct fc_domain_shared *d)
{
	static struct fc_licence spinner;

	(void)d;
	return (struct fc_licensee){ &spinner, sysconf(_SC_NPROCESSORS_ONLN) < 2 ? 0 : 1, 1, false };
}

/* ---- the world ---- */

static void must(int failed, const char *what)
{
	if (!failed)
		return;
	perror(what);
	exit(1);
}

static void add_export(const char *prefix)
{
	struct fc_export *x = &exports.export[exports.count++];
	struct statx st;
	int fd;

	fd = open(prefix, O_PATH | O_DIRECTORY);
	must(fd < 0, prefix);
	x->root_fd = dup2(fd, FC_FD_EXPORT - 1 + (int)exports.count);
	close(fd);
	x->prefix = strdup(prefix);
	must(statx(x->root_fd, "", AT_EMPTY_PATH, STATX_INO | STATX_MNT_ID, &st), "statx");
	x->mount_id = st.stx_mnt_id;
	x->ino = st.stx_ino;
	x->dev = makedev(st.stx_dev_major, st.stx_dev_minor);
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	if (fd >= 0 && write(fd, text, strlen(text)) < 0)
		perror(path);
	close(fd);
}

void play_world(void)
{
	char root[] = "/tmp/farcall-play-XXXXXX", map[32];
	struct stat st;
	uid_t uid = getuid();

	if (unshare(CLONE_NEWNS) && unshare(CLONE_NEWUSER | CLONE_NEWNS)) {
		puts("skipped: no mount namespace of our own");
		exit(77);
	}
	snprintf(map, sizeof map, "0 %u 1\n", uid);
	if (uid)
		write_file("/proc/self/uid_map", map);
	must(mount("", "/", NULL, MS_PRIVATE | MS_REC, NULL), "make private");
	must(!mkdtemp(root), root);
	must(mount("skeleton", root, "tmpfs", 0, NULL), "skeleton");
	must(chdir(root), root);
	rmdir(root);
	must(mkdir("data", 0755) || mkdir("mnt", 0755) || mkdir("mnt/other", 0755) || mkdir("store", 0755), "mkdir");
	must(mount("store", "store", "tmpfs", MS_NODEV | MS_NOSUID, "size=64m"), "store");
	must(mkdir("store/a", 0755) || mkdir("store/b", 0755), "mkdir");
	must(mount("store/a", "data", NULL, MS_BIND, NULL) || mount("store/b", "mnt/other", NULL, MS_BIND, NULL),
	     "bind");
	must(umount2("store", MNT_DETACH) || rmdir("store"), "store");
	must(mount("", ".", NULL, MS_REMOUNT | MS_RDONLY | MS_BIND, NULL), "read-only");
	must(chroot("."), "chroot");
	must(chdir("/data"), "/data");
	must(stat("/", &st), "/");
	exports.skeleton_dev = st.st_dev;
	close_range(3, ~0u, 0);
	for (int fd = 3; fd < LOW_FDS; fd++)
		must(dup(0) != fd, "dup");
	add_export("/data");
	add_export("/mnt/other");
}

static struct fc_domain_shared shared;

static void *map_shared(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	must(p == MAP_FAILED, "mmap");
	return p;
}

void play_start(uint64_t data_bytes)
{
	char *range = mmap(NULL, FC_DATA_MAX + FC_PAGE_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	must(range == MAP_FAILED, "mmap");
	must(mmap(range, data_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
		     MAP_FAILED,
	     "mmap");
	play.area = map_shared(sizeof *play.area);
	fc_queue_init(&play.area->queue);
	for (unsigned i = 0; i < FC_SEGMENTS_MAX; i++)
		play.segment[i] = range + fc_segment_start(i);
	play.bell = &fc_bell_local;
	play.cost = &fc_spin_local;
	play.data_length = data_bytes;
	play.cred.caps = UINT64_MAX;
	play.cred_generation = 1;
	play.exports = &exports;
	play.slot = &slot;
	play.shared = &shared;
	in_flight = 0;
	must(-fc_workers_start(&play), "fc_workers_start");
}

int play_stop(void)
{
	int r = fc_workers_stop(&play);

	if (r)
		return r;
	munmap(play.area, sizeof *play.area);
	munmap(play.segment[0], FC_DATA_MAX + FC_PAGE_SIZE);
	return 0;
}

/* ---- the client ---- */

uint64_t play_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

uint64_t play_put(uint64_t offset, const char *text)
{
	memcpy(play.segment[0] + offset, text, strlen(text) + 1);
	return offset;
}

static unsigned take_entry(void)
{
	for (;;) {
		for (unsigned i = 0; i < FC_ENTRIES; i++)
			if (!atomic_load_explicit(&taken[i], memory_order_relaxed) && !atomic_exchange(&taken[i], true))
				return i;
		sched_yield();
	}
}

unsigned play_submit(unsigned nr, const uint64_t arg[6])
{
	unsigned i = take_entry();
	struct fc_entry *e = &play.area->entry[i];

	e->nr = nr;
	e->nonce++;
	memcpy(e->arg, arg, sizeof e->arg);
	if (nr == FC_NR_STREAM_READ || nr == FC_NR_STREAM_WRITE) {
		struct fc_stream *st = &play.area->stream[i];

		memset(st, 0, sizeof *st);
		st->client.end = arg[1];
	}
	fc_store(&e->state, FC_QUEUED);
	must(fc_queue_enqueue(&play.area->queue, i), "enqueue");
	if (fc_bell_needed(&play.area->header, atomic_fetch_add(&in_flight, 1) + 1) || nr == FC_NR_INTERRUPT)
		fc_bell_ring(&fc_bell_local, &play.area->header);
	return i;
}

static bool done(const struct fc_entry *e)
{
	return fc_load_acquire(&e->state) == FC_DONE;
}

bool play_settles(unsigned entry, int ms)
{
	struct fc_entry *e = &play.area->entry[entry];
	uint64_t start, end;

	for (int i = 0; i < FIRST_LOOKS; i++) {
		if (done(e))
			return true;
		fc_pause();
	}
	start = play_ns();
	end = start + ms * 1000000ull;
	while (!done(e) && play_ns() < start + SPIN_NS)
		fc_pause();
	if (!done(e) && fc_entry_sleep(&fc_bell_local, e, start + FC_NUDGE_NS) == -ETIMEDOUT)
		fc_bell_nudge(&fc_bell_local, play.area);
	while (!done(e) && play_ns() < end)
		fc_entry_sleep(&fc_bell_local, e, end);
	return done(e);
}

int64_t play_wait(unsigned entry)
{
	struct fc_entry *e = &play.area->entry[entry];
	int64_t r;

	if (!play_settles(entry, 20000)) {
		fprintf(stderr, "call %u hangs\n", e->nr);
		abort();
	}
	r = e->result;
	fc_store(&e->state, FC_FREE);
	atomic_fetch_sub(&in_flight, 1);
	atomic_store(&taken[entry], false);
	return r;
}

int64_t play_call(unsigned nr, const uint64_t arg[6])
{
	return play_wait(play_submit(nr, arg));
}

int64_t play_interrupt(unsigned entry)
{
	return CALL(FC_NR_INTERRUPT, entry, play.area->entry[entry].nonce);
}
