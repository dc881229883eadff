/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* local_memory.c - the memory that a client has in common with a domain on the same machine: memfds (control.h: AREAS, GROW, SHRINK, MAP). */
#define _GNU_SOURCE
#include "libc-shim/transport/local.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "common/atomic.h"
#include "common/control.h"
#include "common/rawcall.h"
#include "libc-shim/native.h"
#include "libc-shim/process/beyond.h"
#include "libc-shim/process/process.h"
#include "libc-shim/session/session.h"
#include "libc-shim/shim.h"
#include "libc-shim/text.h"

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW)

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14 */
#endif

/* Touch each page: they are ours, not the domain's, and it takes no others once a session has grown. */
static void populate(long address, size_t size)
{
	if (fc_call(SYS_madvise, address, size, MADV_POPULATE_WRITE) == 0)
		return;
	for (size_t i = 0; i < size; i += FC_PAGE_SIZE)
		*(volatile char *)(address + i) = 0;
}

/* A memfd of `size` bytes that stays as long as it is. Whoever has made it, it is that then. Returns it or -errno. */
static int memfd_make(struct shim_session *s, const char *name, size_t size)
{
	struct shim_process *p = shim_process();
	int fd = (int)shim_make_fd(p, SYS_memfd_create, (long)name, MFD_CLOEXEC | MFD_ALLOW_SEALING, 0, 0);
	long r = fd < 0 ? fd : shim_set_size(p, fd, size);
	struct stat st;

	if (r == -EFBIG || r == -EPERM) {
		shim_done_with(p, fd);
		r = fd = shim_local_ask_for_one(s, FC_MSG_MEMORY, size);
	}
	if (r >= 0)
		r = fc_call(SYS_fcntl, fd, F_ADD_SEALS, SEALS);
	if (r == 0 && ((fc_call(SYS_fcntl, fd, F_GET_SEALS) & SEALS) != SEALS || fc_call(SYS_fstat, fd, &st) < 0 ||
		       st.st_size != (long)size))
		r = -EIO;
	if (r == 0)
		return fd;
	shim_done_with(p, fd);
	return (int)r;
}

/* One mapped shared at `at` (null: anywhere). Returns the address or -errno; *fd is the memfd. */
static long area_make(struct shim_session *s, const char *name, size_t size, void *at, int *fd)
{
	long address;

	*fd = memfd_make(s, name, size);
	if (*fd < 0)
		return *fd;
	address = fc_call(SYS_mmap, at, size, PROT_READ | PROT_WRITE, MAP_SHARED | (at ? MAP_FIXED : 0), *fd, 0);
	if (shim_is_error(address)) {
		shim_done_with(shim_process(), *fd);
		*fd = -1;
		return address;
	}
	fc_call(SYS_madvise, address, size, MADV_DONTFORK);
	return address;
}

int shim_local_areas(struct shim_session *s, void (*init)(struct fc_request_area *area))
{
	int fd[2] = { -1, -1 };
	long area = area_make(s, "farcall-requests", sizeof(struct fc_request_area), NULL, &fd[0]);

	if (shim_is_error(area))
		return (int)area;
	s->requests.area = (struct fc_request_area *)area;
	long r = area_make(s, "farcall-data", FC_DATA_MIN, s->data, &fd[1]);
	if (!shim_is_error(r)) {
		init(s->requests.area);
		r = shim_local_ask(s, FC_MSG_AREAS, FC_DATA_MIN, s->fresh, fd,
				   2); /* the next replace those that it takes too late */
	}
	if (r == 0)
		s->fresh = false;
	s->keep = s->keep && r == 0;
	shim_part_keep(s, fd[0], sizeof(struct fc_request_area));
	shim_part_keep(s, fd[1], FC_DATA_MIN);
	return r == -ETIMEDOUT ? -EIO : (int)r;
}

int shim_local_grow(struct shim_session *s, size_t length)
{
	int fd;
	long r = area_make(s, "farcall-data", length, s->data + length, &fd);

	if (shim_is_error(r))
		return (int)r;
	populate(r, length);
	r = shim_local_ask(s, FC_MSG_GROW, length, s->keep, &fd, 1);
	if (r == 0)
		shim_part_keep(s, fd, length);
	else
		shim_done_with(shim_process(), fd);
	if (r != -ETIMEDOUT)
		return (int)r;
	if (shim_local_tell(s, FC_MSG_SHRINK, length, 0) <
	    0) /* whether it has grown or not, or still will: this comes after that */
		shim_session_fail(s, "it takes no messages any more");
	return -EIO;
}

int shim_local_map(struct shim_session *s, size_t size, bool writable, long *at)
{
	int fd;
	long address = area_make(s, "farcall-map", size, NULL, &fd);

	if (shim_is_error(address))
		return (int)address;
	populate(address, size);
	fc_call(SYS_madvise, address, size, MADV_DOFORK);
	if (!writable)
		address = shim_map_for_reading(fd, address, size);
	int r = shim_is_error(address) ? (int)address : shim_local_ask(s, FC_MSG_MAP, size, 0, &fd, 1);
	shim_done_with(shim_process(), fd);
	uint64_t number = s->packet.head.arg[0];
	if (r == 0 && number >= FC_MAPS_MAX) {
		shim_session_fail(s, "it sent the number of a mapping that cannot be");
		r = -EIO;
	}
	if (r < 0 && !shim_is_error(address))
		fc_call(SYS_munmap, address, size);
	*at = address;
	return r < 0 ? r : (int)number;
}

int shim_local_shrink(struct shim_session *s, size_t length)
{
	return shim_local_tell(s, FC_MSG_SHRINK, length, 0);
}
