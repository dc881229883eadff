/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * memory_local.c - a client's memory on the same machine: memfds.
 *
 * A memfd on tmpfs that is sealed against shrinking can always be read and written up to its size; anything else could
 * raise SIGBUS under a worker, or make it wait for as long as the client likes. Its pages belong to whoever touches them first: so
 * of what a session grows by, the client must have touched each, and nobody can make a hole once we have sealed it against writing
 * anew. The little that every session begins with may be ours: touching it all would cost the client more than the rest of
 * attaching, and areas.c counts it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "storage-domain/fds.h"
#include "storage-domain/shadow/errand.h"
#include "storage-domain/shadow/memory.h"
#include "storage-domain/shadow/receive.h"

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

#define SEALS_WANTED (F_SEAL_SHRINK | F_SEAL_GROW)
#define SEALS_ADDED (F_SEAL_FUTURE_WRITE | F_SEAL_SEAL)
#define PARTS_MAX 2

/* What the last message brought: mapped anywhere; null: none, or taken. */
static struct {
	void *at;
	uint64_t size;
	int error; /* why it is not mapped */
} part[PARTS_MAX];

/* Address space for the largest data area and a guard page: what is not mapped in it is not accessible. */
static char *reserved;

/* ---- judging ---- */

/* Is `fd` memory that stays what it is? Returns its size or -EPROTO. */
static int64_t check(int fd, int64_t most)
{
	struct statfs fs;
	struct stat st;
	int seals = fcntl(fd, F_GET_SEALS);

	if (seals < 0 || (seals & SEALS_WANTED) != SEALS_WANTED || fstatfs(fd, &fs) || fs.f_type != TMPFS_MAGIC ||
	    fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_size <= 0 || st.st_size > most)
		return -EPROTO;
	return st.st_size;
}

/* From here on no page of it can be taken away. Is each there? */
static int seal(int fd, int64_t size)
{
	if (fcntl(fd, F_ADD_SEALS, SEALS_ADDED) || lseek(fd, 0, SEEK_HOLE) != size)
		return -EPROTO;
	return 0;
}

/* Map a memfd that is what it must be, with all its pages if it is to be `whole`. Returns 0 and its size, or -errno. */
static int map(int fd, int64_t most, bool whole, void **at, uint64_t *size)
{
	int64_t bytes = check(fd, most);
	void *m;
	int r;

	if (bytes < 0)
		return (int)bytes;
	m = mmap(NULL, (size_t)bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (m == MAP_FAILED)
		return errno == ENOMEM ? -ENOMEM : -EPROTO; /* sealed against writing, or opened for reading only */
	r = madvise(m, (size_t)bytes, MADV_DONTFORK) ? -errno : 0;
	if (r == 0 && whole)
		r = seal(fd, bytes);
	if (r < 0) {
		munmap(m, (size_t)bytes);
		return r;
	}
	*at = m;
	*size = (uint64_t)bytes;
	return 0;
}

static void discard(void)
{
	for (unsigned i = 0; i < PARTS_MAX; i++) {
		if (part[i].at)
			munmap(part[i].at, part[i].size);
		part[i].at = NULL;
		part[i].error = -EPROTO;
	}
}

static void judge(const struct fc_packet *p)
{
	discard();
	if (fc_errand_is(p)) {
		fc_errand_run(p);
		return;
	}
	for (unsigned i = 0; i < PARTS_MAX && (int)i < p->nfds; i++)
		part[i].error = map(p->fd[i], p->head.type == FC_MSG_MAP ? FC_MAP_MAX : FC_DATA_MAX,
				    p->head.type != FC_MSG_AREAS && !p->head.arg[1], &part[i].at, &part[i].size);
}

/* What else brings descriptors is done with the client's identity, which the caller is not to take on. */
static void judge_first(const struct fc_packet *p)
{
	if (p->head.type == FC_MSG_AREAS)
		judge(p);
	else
		discard();
}

static int receive_first(struct fc_packet *p)
{
	int r = fc_receive_alone(p, judge_first);

	return r == 0 && p->head.type != FC_MSG_AREAS ? -EPROTO : r;
}

static int receive(struct fc_packet *p, bool alone)
{
	bool brings;
	int r = fc_control_peek(FC_FD_CLIENT, &brings);

	if (r < 0)
		return r;
	if (!brings)
		return fc_control_recv(FC_FD_CLIENT, p, MSG_DONTWAIT);
	return alone ? receive_first(p) : fc_receive_apart(p, judge);
}

/* ---- placing ---- */

static bool complete(const struct fc_packet *p, unsigned parts)
{
	return p->nfds == (int)parts && !p->head.size;
}

/* Part `n`, which must be of that size, at `at` if that is not null. */
static int take(unsigned n, uint64_t size, char *at, void **mapped)
{
	void *m = part[n].at;

	if (!m)
		return part[n].error;
	if (part[n].size != size)
		return -EPROTO;
	if (at) {
		m = mremap(m, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, at);
		if (m == MAP_FAILED)
			return -errno;
	}
	part[n].at = NULL;
	*mapped = m;
	return 0;
}

static int map_area(const struct fc_packet *p, void **at)
{
	(void)p;
	return take(0, sizeof(struct fc_request_area), NULL, at);
}

static int map_segment(const struct fc_packet *p, unsigned n, uint64_t offset, uint64_t size, void **at)
{
	int r = reserved ? 0 : fc_memory_reserve(&reserved);

	(void)p;
	return r < 0 ? r : take(n, size, reserved + offset, at);
}

static int map_shared(const struct fc_packet *p, uint64_t size, void **at)
{
	int r = take(0, size, NULL, at);

	(void)p;
	if (r == 0 && madvise(*at, size, MADV_DOFORK)) {
		r = -errno;
		munmap(*at, size);
	}
	return r;
}

static int unmap_segment(void *at, uint64_t offset, uint64_t size)
{
	(void)offset;
	/* nothing that could be written to: it would be memory of the domain's */
	if (mmap(at, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) == MAP_FAILED ||
	    madvise(at, size, MADV_DONTFORK))
		return -errno;
	return 0;
}

static void forget(void)
{
	reserved = NULL;
}

static void unmap_all(void *area, char *const segment[], uint64_t length)
{
	(void)segment;
	(void)length;
	if (area)
		munmap(area, sizeof(struct fc_request_area));
	if (reserved)
		munmap(reserved, FC_DATA_MAX + FC_PAGE_SIZE);
	forget();
}

const struct fc_memory fc_memory_local = {
	.receive = receive,
	.discard = discard,
	.complete = complete,
	.map_area = map_area,
	.map_segment = map_segment,
	.map_shared = map_shared,
	.unmap_segment = unmap_segment,
	.unmap_all = unmap_all,
	.forget = forget,
};
