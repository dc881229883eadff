/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * transport_local.c - how a session with a domain on the same machine is made: a Unix socket for control, memfds for the
 * areas. Called with the session's lock held and signals blocked.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "common/queue.h"
#include "libc-shim/shim.h"

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

static bool is_error(long address)
{
	return address < 0 && address > -4096;
}

int shim_ask(struct shim_session *s, unsigned type, uint64_t arg0, uint64_t arg1, const int *fds, int nfds)
{
	struct fc_msg m = { .type = (uint16_t)type, .arg = { arg0, arg1 } };
	int r = fc_control_send(s->sock, &m, NULL, fds, nfds, 0);

	if (r == 0)
		r = fc_control_recv(s->sock, &s->packet, 0);
	if (r < 0) { /* of the connection, not an answer */
		shim_session_fail(s, r == -EAGAIN ? "it does not answer" : "it has ended the session");
		return -EIO;
	}
	if (type != FC_MSG_FORK)
		fc_packet_drop(&s->packet); /* no other answer brings descriptors */
	int status = s->packet.head.status;
	if (s->packet.head.type != type || status > 0 || status < -4095) {
		shim_session_fail(s, "it sent an answer that cannot be");
		return -EIO;
	}
	return status;
}

void shim_tell(struct shim_session *s, unsigned type, uint64_t arg0, uint64_t arg1)
{
	struct fc_msg m = { .type = (uint16_t)type, .arg = { arg0, arg1 } };

	fc_control_send(s->sock, &m, NULL, NULL, 0, 0);
}

static void set_timeouts(int sock)
{
	struct timeval limit = { 10, 0 };

	fc_call(SYS_setsockopt, sock, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	fc_call(SYS_setsockopt, sock, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

int shim_connect(unsigned domain, struct fc_packet *packet)
{
	const char *path = shim.config.domain[domain].socket;
	struct fc_msg m = { .type = FC_MSG_HELLO, .arg = { FC_ABI_MAJOR, FC_ABI_MINOR } };
	int sock = fc_control_connect(path);

	if (sock == -EMFILE || sock == -ENFILE || sock == -ENOMEM)
		return sock;
	if (sock < 0) {
		shim_say(path, ": cannot reach this storage domain: is it running, and may you connect to it?", NULL);
		return -EIO;
	}
	set_timeouts(sock);
	int r = fc_control_ask(sock, &m, NULL, NULL, 0, packet);
	fc_packet_drop(packet); /* the domain page: the connection itself says when the domain is gone */
	if (r < 0) {
		shim_say(path,
			 r == -EPROTONOSUPPORT ? ": this storage domain speaks another version: restart it with this "
						 "farcall's own `farcall serve`"
					       : ": this storage domain does not answer as one",
			 NULL);
		fc_call(SYS_close, sock);
		return -EIO;
	}
	return sock;
}

int shim_attach(struct shim_session *s)
{
	struct shim_process *p = shim_process();
	struct fc_msg m = { .type = FC_MSG_ATTACH };
	struct rlimit64 size = { RLIM64_INFINITY, RLIM64_INFINITY };
	int sock = shim_connect(s->domain, &s->packet);

	if (sock == -EIO)
		s->state = SHIM_SESSION_DEAD;
	if (sock < 0)
		return sock;
	s->sock = shim_hide_fd(p, sock);
	if (s->sock < 0)
		return s->sock;
	fc_call(SYS_prlimit64, 0, RLIMIT_FSIZE, 0, &size);
	m.arg[0] = p->umask;
	m.arg[1] = size.rlim_cur;
	m.arg[2] = size.rlim_max;
	int r = fc_control_ask(s->sock, &m, NULL, NULL, 0, &s->packet);
	fc_packet_drop(&s->packet);
	if (r < 0) {
		shim_session_fail(s, r == -EPERM ? "it does not admit this user (a domain that does not run as root "
						   "serves its own user only)"
						 : "it refused this process");
		return -EIO;
	}
	s->token[0] = s->packet.head.arg[0];
	s->token[1] = s->packet.head.arg[1];
	fc_store_release(&s->state, SHIM_SESSION_BARE);
	return 0;
}

/*
 * Our memory is no file of the application's, but ftruncate holds it to RLIMIT_FSIZE all the same (and sends SIGXFSZ): lift the
 * limit meanwhile, as far as we may. Signals are blocked and pending ones stay so; other threads' limits differ for a moment.
 */
static long set_size(int fd, size_t size)
{
	struct rlimit64 old, lifted = { RLIM64_INFINITY, RLIM64_INFINITY };

	if (fc_call(SYS_prlimit64, 0, RLIMIT_FSIZE, 0, &old) < 0 || old.rlim_cur >= size)
		return fc_call(SYS_ftruncate, fd, size);
	if (fc_call(SYS_prlimit64, 0, RLIMIT_FSIZE, &lifted, 0) < 0) {
		lifted.rlim_cur = lifted.rlim_max = old.rlim_max;
		fc_call(SYS_prlimit64, 0, RLIMIT_FSIZE, &lifted, 0);
	}
	long r = lifted.rlim_cur < size ? -EFBIG : fc_call(SYS_ftruncate, fd, size);
	fc_call(SYS_prlimit64, 0, RLIMIT_FSIZE, &old, 0);
	return r;
}

/* A sealed memfd of `size` bytes mapped shared at `at` (null: anywhere). Returns the address or -errno; *fd is the memfd. */
static long area_make(const char *name, size_t size, void *at, int *fd)
{
	long address;

	*fd = (int)fc_call(SYS_memfd_create, name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (*fd < 0)
		return *fd;
	long r = set_size(*fd, size);
	if (r == 0)
		r = fc_call(SYS_fcntl, *fd, F_ADD_SEALS, SEALS);
	if (r == 0) {
		address =
			fc_call(SYS_mmap, at, size, PROT_READ | PROT_WRITE, MAP_SHARED | (at ? MAP_FIXED : 0), *fd, 0);
		if (!is_error(address)) {
			fc_call(SYS_madvise, address, size, MADV_DONTFORK);
			return address;
		}
		r = address;
	}
	fc_call(SYS_close, *fd);
	*fd = -1;
	return r;
}

static void header_init(struct fc_request_area *area)
{
	area->header.magic = FC_ABI_MAGIC;
	area->header.major = FC_ABI_MAJOR;
	area->header.minor = FC_ABI_MINOR;
	area->header.entries = FC_ENTRIES;
	area->header.size = sizeof *area;
	fc_queue_init(&area->queue);
}

static void chunks_add(struct shim_session *s, uint32_t count)
{
	uint32_t first = s->chunks;

	s->chunks += count;
	for (uint32_t i = first; i < first + count; i++)
		shim_chunk_put(s, (int)i);
}

int shim_areas(struct shim_session *s)
{
	int fd[2] = { -1, -1 };
	long area = area_make("farcall-requests", sizeof(struct fc_request_area), NULL, &fd[0]);
	int r = (int)area;

	if (is_error(area))
		return r;
	long data = fc_call(SYS_mmap, 0, FC_DATA_MAX, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	r = (int)data;
	if (is_error(data))
		goto unmap_area;
	fc_call(SYS_madvise, data, FC_DATA_MAX, MADV_DONTFORK);
	long segment = area_make("farcall-data", FC_DATA_MIN, (void *)data, &fd[1]);
	r = (int)segment;
	if (is_error(segment))
		goto unmap_data;
	header_init((struct fc_request_area *)area);
	fc_tsc_calibrate();
	r = shim_ask(s, FC_MSG_AREAS, FC_DATA_MIN, 0, fd, 2);
	fc_call(SYS_close, fd[1]);
	if (r < 0)
		goto unmap_data;
	fc_call(SYS_close, fd[0]);
	s->area = (struct fc_request_area *)area;
	s->data = (char *)data;
	chunks_add(s, FC_DATA_MIN / FC_CHUNK);
	fc_store_release(&s->state, SHIM_SESSION_READY);
	return 0;
unmap_data:
	fc_call(SYS_munmap, data, FC_DATA_MAX);
unmap_area:
	fc_call(SYS_munmap, area, sizeof(struct fc_request_area));
	fc_call(SYS_close, fd[0]);
	return r;
}

int shim_grow(struct shim_session *s)
{
	struct shim_lock_state saved;
	uint32_t had = fc_load(&s->chunks);
	size_t size = (size_t)had * FC_CHUNK; /* as large as all before it */
	int fd, r = -ENOMEM;

	shim_lock(&s->lock, &saved);
	if (s->chunks != had)
		r = 0; /* another thread was faster */
	else if (s->state == SHIM_SESSION_READY && size + size <= FC_DATA_MAX) {
		long at = area_make("farcall-data", size, s->data + size, &fd);

		r = (int)at;
		if (!is_error(at)) {
			r = shim_ask(s, FC_MSG_GROW, size, 0, &fd, 1);
			fc_call(SYS_close, fd);
			if (r == 0)
				chunks_add(s, (uint32_t)(size / FC_CHUNK));
		}
	}
	shim_unlock(&s->lock, &saved);
	return r;
}

void shim_shrink(struct shim_session *s)
{
	struct shim_lock_state saved;

	shim_lock(&s->lock, &saved);
	uint32_t half = s->chunks / 2; /* the last segment */
	if (s->state == SHIM_SESSION_READY && half >= FC_DATA_MIN / FC_CHUNK && shim_chunks_take(s, half, half)) {
		s->chunks = half;
		shim_tell(s, FC_MSG_SHRINK, (uint64_t)half * FC_CHUNK, 0);
		fc_call(SYS_mmap, shim_chunk_address(s, (int)half), (size_t)half * FC_CHUNK, PROT_NONE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
		fc_call(SYS_madvise, shim_chunk_address(s, (int)half), (size_t)half * FC_CHUNK, MADV_DONTFORK);
	}
	shim_unlock(&s->lock, &saved);
}

void shim_areas_unmap(struct shim_session *s)
{
	if (!s->area)
		return;
	fc_call(SYS_munmap, s->area, sizeof *s->area);
	fc_call(SYS_munmap, s->data, FC_DATA_MAX);
	s->area = NULL;
	s->data = NULL;
}
