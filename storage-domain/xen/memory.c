/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * memory.c - a client's memory in another Xen domain: pages that its kernel has granted. A message's text is the grants of
 * the pages on which the list of grants stands, in the order the parts come.
 *
 * Segments lie side by side in a range of their own, as locally: where one has been taken away there are zeroes, never
 * somebody's stack.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/atomic.h"
#include "common/region.h"
#include "farcall/xen.h"
#include "storage-domain/fds.h"
#include "storage-domain/log.h"
#include "storage-domain/shadow/memory.h"
#include "storage-domain/xen/shadow.h"

static char *reserved;
static uint64_t area_index, segment_index[FC_SEGMENTS_MAX];
static uint32_t list[FC_XEN_TEXT_MAX / sizeof(uint32_t)];

/* For shared mappings. A child maps the same grants, by itself. */
static struct shared {
	void *at; /* null: free */
	uint64_t index;
	uint32_t pages, ref[FC_XEN_MAP_MAX / FC_PAGE_SIZE];
} shared[FC_MAPS_MAX];
static pthread_mutex_t shared_lock = PTHREAD_MUTEX_INITIALIZER;

static bool complete(const struct fc_packet *p, unsigned parts)
{
	(void)parts;
	return !p->nfds && p->head.size && p->head.size <= FC_XEN_TEXT_PAGES * sizeof(uint32_t) &&
	       p->head.size % sizeof(uint32_t) == 0;
}

static int read_list(const struct fc_packet *p, uint32_t count)
{
	uint32_t page[FC_XEN_TEXT_PAGES], bytes = count * sizeof(uint32_t);

	if ((bytes + FC_PAGE_SIZE - 1) / FC_PAGE_SIZE * sizeof page[0] != p->head.size)
		return -EPROTO;
	memcpy(page, p->text, p->head.size);
	return fc_gntdev_read(fc_xen_place.domid, page, list, bytes);
}

static int map_area(const struct fc_packet *p, void **at)
{
	int r = read_list(p, FC_XEN_REQUEST_PAGES + FC_XEN_DATA_PAGES);
	struct fc_request_area *area;

	if (r == 0)
		r = fc_gntdev_map(fc_xen_place.domid, list, FC_XEN_REQUEST_PAGES, NULL, &area_index, at);
	if (r < 0)
		return r;
	r = fc_gntdev_notify(area_index, offsetof(struct fc_request_area, header.mapped), fc_xen_place.bells_port);
	if (r < 0) {
		munmap(*at, sizeof *area);
		fc_gntdev_release(area_index, FC_XEN_REQUEST_PAGES);
		return r;
	}
	area = *at;
	fc_store_release(&area->header.mapped, 1);
	return 0;
}

static int map_segment(const struct fc_packet *p, unsigned part, uint64_t offset, uint64_t size, void **at)
{
	uint32_t pages = (uint32_t)(size / FC_PAGE_SIZE);
	int r = reserved ? 0 : fc_memory_reserve(&reserved);

	if (r == 0 && part == 0)
		r = read_list(p, pages);
	if (r < 0)
		return r;
	/* AREAS' second part stands behind its first, and has been read with it */
	return fc_gntdev_map(fc_xen_place.domid, part ? list + FC_XEN_REQUEST_PAGES : list, pages, reserved + offset,
			     &segment_index[fc_segment_of(offset)], at);
}

/* ---- shared mappings ---- */

/* The one at that address, or (null) a free one; the lock is held. */
static struct shared *shared_at(const void *at)
{
	for (unsigned i = 0; i < FC_MAPS_MAX; i++)
		if (shared[i].at == at)
			return &shared[i];
	return NULL;
}

static int shared_map(struct shared *m)
{
	void *at;
	int r = fc_gntdev_map(fc_xen_place.domid, m->ref, m->pages, NULL, &m->index, &at);

	m->at = r < 0 ? NULL : at;
	return r;
}

static int map_shared(const struct fc_packet *p, uint64_t size, void **at)
{
	uint32_t pages = (uint32_t)(size / FC_PAGE_SIZE);
	struct shared *m;
	int r = size <= FC_XEN_MAP_MAX ? read_list(p, pages) : -EPROTO;

	if (r < 0)
		return r;
	pthread_mutex_lock(&shared_lock);
	m = shared_at(NULL);
	r = -ENOMEM;
	if (m) {
		m->pages = pages;
		memcpy(m->ref, list, pages * sizeof list[0]);
		r = shared_map(m);
		*at = m->at;
	}
	pthread_mutex_unlock(&shared_lock);
	return r;
}

static void unmap_shared(void *at, uint64_t size)
{
	struct shared *m;

	pthread_mutex_lock(&shared_lock);
	m = shared_at(at);
	if (m && munmap(at, size) == 0 && fc_gntdev_release(m->index, m->pages) == 0)
		m->at = NULL;
	pthread_mutex_unlock(&shared_lock);
}

/* The lock has come along as it was: nobody has had it. What was mapped once is not mapped again for one reason: too many have it. */
static int map_again(void **at)
{
	struct shared *m = shared_at(*at);

	if (!m || shared_map(m) < 0)
		return -ENOMEM;
	*at = m->at;
	return 0;
}

/* ---- taking away ---- */

static int unmap_segment(void *at, uint64_t offset, uint64_t size)
{
	/* nothing that could be written to: it would be memory of the domain's */
	if (mmap(at, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) == MAP_FAILED ||
	    madvise(at, size, MADV_DONTFORK))
		return -errno;
	return fc_gntdev_release(segment_index[fc_segment_of(offset)], (uint32_t)(size / FC_PAGE_SIZE));
}

static void forget(void)
{
	reserved = NULL;
}

static int try_unmap_all(void *area, uint64_t length)
{
	int r = 0;

	if (area) {
		if (munmap(area, sizeof(struct fc_request_area)))
			return -errno;
		r = fc_gntdev_release(area_index, FC_XEN_REQUEST_PAGES);
	}
	if (reserved && munmap(reserved, FC_DATA_MAX + FC_PAGE_SIZE))
		return -errno;
	for (uint64_t at = 0; at < length && r == 0; at = fc_segment_end(fc_segment_of(at))) {
		unsigned segment = fc_segment_of(at);

		r = fc_gntdev_release(segment_index[segment],
				      (uint32_t)((fc_segment_end(segment) - at) / FC_PAGE_SIZE));
	}
	return r;
}

static void unmap_all(void *area, char *const segment[], uint64_t length)
{
	int r = try_unmap_all(area, length);

	(void)segment;
	forget();
	if (r == 0)
		return;
	/* the front end must be able to rely on it: then the kernel does it for a process that ends */
	fc_log(FC_LOG_ERROR, "cannot unmap a client's memory (%s): its session ends", strerror(-r));
	_exit(1);
}

/* From our own supervisor; it brings no descriptors. */
static int receive(struct fc_packet *p, bool alone)
{
	(void)alone;
	return fc_control_recv(FC_FD_CLIENT, p, MSG_DONTWAIT);
}

static void discard(void)
{
}

const struct fc_memory fc_memory_xen = {
	.receive = receive,
	.discard = discard,
	.complete = complete,
	.map_area = map_area,
	.map_segment = map_segment,
	.map_shared = map_shared,
	.unmap_shared = unmap_shared,
	.map_again = map_again,
	.unmap_segment = unmap_segment,
	.unmap_all = unmap_all,
	.forget = forget,
};
