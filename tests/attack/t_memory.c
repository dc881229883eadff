/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * t_memory.c - memory that is charged to the domain: areas that are sparse, whose pages belong to whoever touches them
 * first, or become so; what is left of a segment that is taken away during a read. The domain may have 120 MB. It lives
 * on, and so do the sessions of others.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/queue.h"
#include "tests/attack/attack.h"

#define MEMORY_MB 120
#define SESSIONS 12
#define SHRINK_SECONDS 6
#define FILE_BYTES (FC_DATA_MAX / 2) /* the largest segment's size */

#if FC_ABI_MAJOR >= 2
#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW)
#else
#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)
#endif

/* ---- areas of every kind ---- */

static bool allocated; /* memfds that have their pages, from us */
static bool punched;   /* ... which are taken away again while the domain looks at them */

static struct hole {
	int fd;
	uint64_t size;
	_Atomic bool stop;
} hole;

static int make_memfd(uint64_t size)
{
	int fd = memfd_create("area", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	CHECK(fd >= 0 && !ftruncate(fd, (off_t)size));
	if (allocated)
		CHECK(!fallocate(fd, 0, 0, (off_t)size));
	CHECK(!fcntl(fd, F_ADD_SEALS, SEALS));
	return fd;
}

static void *punch(void *arg)
{
	struct hole *h = arg;

	while (!atomic_load(&h->stop))
		fallocate(h->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, (off_t)h->size);
	return NULL;
}

/* Offer memory; with `punched`, its pages go while the message is on its way. */
static int offer(struct session *s, unsigned type, uint64_t size, int *fds, int nfds)
{
	pthread_t thread;
	int r;

	hole = (struct hole){ .fd = fds[nfds - 1], .size = size };
	if (punched)
		CHECK(!pthread_create(&thread, NULL, punch, &hole));
	r = attack_ask(s->sock, type, size, 0, fds, nfds, NULL);
	attack_sleep_ms(punched ? 2 : 0);
	atomic_store(&hole.stop, true);
	if (punched)
		pthread_join(thread, NULL);
	return r;
}

static int map_segment(struct session *s, uint64_t size)
{
	int fd = make_memfd(size);

	CHECK(mmap(s->data + s->length, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) != MAP_FAILED);
	return fd;
}

static int offer_areas(struct session *s)
{
	int fd[2] = { make_memfd(sizeof *s->area) }, r;

	s->area = mmap(NULL, sizeof *s->area, PROT_READ | PROT_WRITE, MAP_SHARED, fd[0], 0);
	s->data = mmap(NULL, FC_DATA_MAX, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	CHECK(s->area != MAP_FAILED && s->data != MAP_FAILED);
	s->length = 0;
	fd[1] = map_segment(s, FC_DATA_MIN);
	s->length = FC_DATA_MIN;
	s->area->header = (struct fc_area_header){ .magic = FC_ABI_MAGIC,
						   .major = FC_ABI_MAJOR,
						   .minor = FC_ABI_MINOR,
						   .entries = FC_ENTRIES,
						   .size = sizeof *s->area };
	fc_queue_init(&s->area->queue);
	r = offer(s, FC_MSG_AREAS, FC_DATA_MIN, fd, 2);
	close(fd[0]);
	close(fd[1]);
	return r;
}

static int offer_segment(struct session *s)
{
	int fd = map_segment(s, s->length), r = offer(s, FC_MSG_GROW, s->length, &fd, 1);

	close(fd);
	if (r == 0)
		s->length *= 2;
	return r;
}

/* As large as it gets. 0 or -errno; then there is nothing to close. */
static int open_large(struct session *s)
{
	int r = attack_attach(s);

	if (r < 0)
		return r;
	r = offer_areas(s);
	while (r == 0 && s->length < FC_DATA_MAX)
		r = offer_segment(s);
	if (r < 0)
		session_close(s);
	return r;
}

/* Let a worker touch every page. */
static void touch_all(struct session *s)
{
	int64_t fd = attack_open_file(s, "/data/zeroes", O_RDONLY, 0);

	for (uint64_t at = FC_DATA_MIN; at < s->length; at *= 2) /* no buffer crosses segments */
		for (uint64_t done = 0; done < at && !attack_lost(s); done += 1 << 20)
			if (ATTEMPT(s, SYS_pread64, fd, at + done, at < 1 << 20 ? at : 1 << 20, 0) < 0)
				return;
}

static void many(void)
{
	static struct session s[SESSIONS];
	unsigned n = 0;
	int r = 0;

	for (unsigned i = 0; i < SESSIONS; i++) {
		r = open_large(&s[n]);
		if (r == 0)
			touch_all(&s[n++]);
	}
	printf("# %u sessions of %u MB%s%s\n", n, FC_DATA_MAX >> 20, r ? "; the last one refused: " : "",
	       r ? strerror(-r) : "");
	attack_sleep_ms(300);
	while (n)
		session_close(&s[--n]);
}

static void sparse(void)
{
	many();
}

static void holes(void)
{
	allocated = punched = true;
	many();
}

static void full(void)
{
	allocated = true;
	many();
}

/* ---- segments that go while they are read into ---- */

/* As soon as the first byte has been read: the rest goes to what has taken the segment's place. */
static void shrink_once(struct session *s, int64_t fd)
{
	volatile char *first = s->data + FILE_BYTES;
	double end = attack_now() + 1;

	*first = 1;
	attack_post(s, 1, SYS_pread64, (uint64_t[6]){ fd, FILE_BYTES, FILE_BYTES, 0 });
	while (*first && attack_now() < end)
		;
	attack_tell(s->sock, FC_MSG_SHRINK, FC_DATA_MIN, 0, NULL, 0);
	attack_result(s, 1, 500);
	s->length = FC_DATA_MIN;
}

static void shrink(void)
{
	static struct session s[2 * SESSIONS];
	double end = attack_now() + SHRINK_SECONDS;
	unsigned n;

	allocated = true;
	for (n = 0; n < 2 * SESSIONS && open_large(&s[n]) == 0; n++)
		;
	for (unsigned i = 0; i < n && attack_now() < end; i++)
		shrink_once(&s[i], attack_open_file(&s[i], "/data/zeroes", O_RDONLY, 0));
	printf("# %u sessions\n", n);
	attack_sleep_ms(300);
	while (n)
		session_close(&s[--n]);
}

int main(void)
{
	static const struct attack_setup setup = { .memory_mb = MEMORY_MB, .greedy = true };

	attack_begin(&setup);
	attack_make_file("zeroes", "", 0, 0644);
	CHECK(!truncate(attack_file("zeroes"), FILE_BYTES));
	attack_by(ATTACKER, "areas that are sparse", sparse);
	attack_by(ATTACKER, "areas whose pages are taken away", holes);
	attack_by(ATTACKER, "areas that are all there", full);
	attack_by(ATTACKER, "segments that go during a read", shrink);
	return attack_end();
}
