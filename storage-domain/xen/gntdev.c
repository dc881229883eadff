/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * gntdev.c - grants of other domains, see shadow.h.
 *
 * The kernel keeps mappings by open file, and forks do not inherit them, so each process needs a file of its own. A confined one
 * has no /dev: it opens the device anew through a descriptor that the supervisor kept, and puts the file where libxengnttab's
 * inherited handle expects it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xen/xen.h>
#include <xen/grant_table.h>
#include <xen/sys/gntdev.h>

#include "farcall/xen.h"
#include "storage-domain/caps.h"
#include "storage-domain/fds.h"
#include "storage-domain/xen/shadow.h"

#define DEVICE "/dev/xen/gntdev"
#define REFS_MAX (FC_DATA_MAX / 2 / FC_PAGE_SIZE)

xengnttab_handle *fc_gnttab;

int fc_gntdev_open(void)
{
	int device = open(DEVICE, O_PATH | O_CLOEXEC), r;

	if (device < 0)
		return -errno;
	r = dup3(device, FC_FD_GNTDEV, O_CLOEXEC) < 0 ? -errno : 0;
	close(device);
	if (r < 0)
		return r;
	/* the library's open(2) takes the lowest free number, and all others below are taken */
	close(FC_FD_GNTTAB);
	fc_gnttab = xengnttab_open(NULL, 0);
	if (!fc_gnttab)
		return -errno;
	return xengnttab_fd(fc_gnttab) == FC_FD_GNTTAB ? 0 : -EBADF;
}

/* The device is root's, and this is before any worker runs. */
static int open_again(void)
{
	const uint64_t permitted = fc_caps_permitted();
	char path[32];
	int fd;

	snprintf(path, sizeof path, "self/fd/%d", FC_FD_GNTDEV);
	if (fc_caps_set(permitted & FC_CAP(DAC_OVERRIDE), permitted))
		return -EPERM;
	fd = openat(FC_FD_PROC, path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		fd = -errno;
	return fc_caps_set(0, permitted) ? -EPERM : fd;
}

int fc_gntdev_own(void)
{
	int fd = open_again(), r;

	if (fd < 0)
		return fd;
	r = dup3(fd, FC_FD_GNTTAB, O_CLOEXEC) < 0 ? -errno : 0;
	close(fd);
	return r;
}

int fc_gntdev_map(uint32_t domid, const uint32_t *ref, uint32_t count, void *at, uint64_t *index, void **mapped)
{
	static union {
		struct ioctl_gntdev_map_grant_ref map;
		char room[sizeof(struct ioctl_gntdev_map_grant_ref) + REFS_MAX * sizeof(struct ioctl_gntdev_grant_ref)];
	} u;
	size_t size = (size_t)count * FC_PAGE_SIZE;
	void *m;
	int r;

	if (!count || count > REFS_MAX)
		return -EINVAL;
	u.map.count = count;
	for (uint32_t i = 0; i < count; i++)
		u.map.refs[i] = (struct ioctl_gntdev_grant_ref){ domid, ref[i] };
	if (ioctl(FC_FD_GNTTAB, IOCTL_GNTDEV_MAP_GRANT_REF, &u.map))
		return -errno;
	*index = u.map.index;
	m = mmap(at, size, PROT_READ | PROT_WRITE, MAP_SHARED | (at ? MAP_FIXED : 0), FC_FD_GNTTAB, (off_t)*index);
	if (m == MAP_FAILED) {
		r = -errno;
		fc_gntdev_release(*index, count);
		return r;
	}
	if (madvise(m, size, MADV_DONTFORK)) {
		r = -errno;
		munmap(m, size);
		fc_gntdev_release(*index, count);
		return r;
	}
	*mapped = m;
	return 0;
}

int fc_gntdev_notify(uint64_t index, uint32_t offset, uint32_t port)
{
	struct ioctl_gntdev_unmap_notify notify = {
		.index = index + offset,
		.action = UNMAP_NOTIFY_CLEAR_BYTE | UNMAP_NOTIFY_SEND_EVENT,
		.event_channel_port = port,
	};

	return ioctl(FC_FD_GNTTAB, IOCTL_GNTDEV_SET_UNMAP_NOTIFY, &notify) ? -errno : 0;
}

int fc_gntdev_release(uint64_t index, uint32_t count)
{
	struct ioctl_gntdev_unmap_grant_ref unmap = { .index = index, .count = count };

	return ioctl(FC_FD_GNTTAB, IOCTL_GNTDEV_UNMAP_GRANT_REF, &unmap) ? -errno : 0;
}

/* One of the two ends of each piece is ours. */
static int copy(uint32_t domid, const uint32_t *ref, char *ours, uint32_t size, bool out)
{
	xengnttab_grant_copy_segment_t piece[FC_XEN_TEXT_PAGES] = { 0 };
	unsigned n = 0;

	for (uint32_t at = 0; at < size; at += FC_PAGE_SIZE, n++) {
		union xengnttab_copy_ptr here, there = { .foreign = { .domid = (uint16_t)domid } };

		if (n == FC_XEN_TEXT_PAGES)
			return -EFAULT;
		here.virt = ours + at;
		there.foreign.ref = ref[n];
		piece[n] = (xengnttab_grant_copy_segment_t){
			.source = out ? here : there,
			.dest = out ? there : here,
			.len = (uint16_t)(size - at < FC_PAGE_SIZE ? size - at : FC_PAGE_SIZE),
			.flags = out ? GNTCOPY_dest_gref : GNTCOPY_source_gref,
		};
	}
	if (n && xengnttab_grant_copy(fc_gnttab, n, piece))
		return -EFAULT;
	for (unsigned i = 0; i < n; i++)
		if (piece[i].status != GNTST_okay)
			return -EFAULT;
	return 0;
}

int fc_gntdev_read(uint32_t domid, const uint32_t *ref, void *to, uint32_t size)
{
	return copy(domid, ref, to, size, false);
}

int fc_gntdev_write(uint32_t domid, const uint32_t *ref, const void *from, uint32_t size)
{
	return copy(domid, ref, (char *)from, size, true);
}
