/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * xen.c - a domain that is another Xen virtual machine: /dev/syscall, whose every open file is a session
 * (ioctl.h). The module in the kernel of this machine vouches for who we are, and owns the memory.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "common/doorbell.h"
#include "common/rawcall.h"
#include "farcall/abi.h"
#include "farcall/control.h"
#include "farcall/ioctl.h"
#include "libc-shim/native.h"
#include "libc-shim/process/beyond.h"
#include "libc-shim/process/process.h"
#include "libc-shim/session/session.h"
#include "libc-shim/shim.h"
#include "libc-shim/text.h"
#include "libc-shim/transport/transport.h"

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010 /* Linux 5.1 */
#endif
#define SEALS (F_SEAL_FUTURE_WRITE | F_SEAL_SEAL)

static int control(int fd, unsigned long request, void *argument)
{
	return (int)fc_call(SYS_ioctl, fd, request, argument);
}

/* The domain's death is the session's. */
static int ask(struct shim_session *s, unsigned long request, void *argument)
{
	int r = control(s->sock, request, argument);

	if (r == -EIO || r == -ENODEV)
		shim_session_fail(s, "the domain is gone");
	return r;
}

static int simple(struct shim_session *s, unsigned long request)
{
	struct fc_ioc_none none = { .size = sizeof none };

	return ask(s, request, &none);
}

static int device_open(struct shim_session *s)
{
	int fd = (int)shim_make_fd(shim_process(), SYS_openat, AT_FDCWD, (long)FC_DEVICE, O_RDWR | O_CLOEXEC, 0);

	if (fd >= 0 || fd == -EMFILE || fd == -ENFILE || fd == -ENOMEM)
		return fd;
	shim_session_fail(s, fd == -ENOENT ? "there is no " FC_DEVICE ": is the module farcall loaded?"
					   : FC_DEVICE " cannot be opened");
	return -EIO;
}

static int attach(struct shim_session *s)
{
	struct shim_process *p = shim_process();
	struct fc_ioc_attach a = { .size = sizeof a, .umask = p->umask };
	const char *name = shim.config.domain[s->domain].address;
	int fd = device_open(s), r;

	if (fd < 0)
		return fd;
	memcpy(a.name, name, strlen(name) + 1); /* its length was checked with the configuration */
	r = control(fd, FC_IOC_ATTACH, &a);
	if (r < 0) {
		shim_done_with(shim_process(), fd);
		if (r == -EAGAIN || r == -ENOMEM || r == -ENOSPC)
			return r;
		shim_session_fail(s, r == -ENOENT ? "there is no such domain: see `farcall domain list`"
						  : "it cannot be attached to");
		return -EIO;
	}
	fc_store(&shim.minor[s->domain], a.minor);
	s->sock = shim_hide_fd(p, fd);
	s->token[0] = a.session;
	return s->sock < 0 ? s->sock : 0;
}

static long map(struct shim_session *s, void *at, size_t size, uint64_t offset)
{
	return fc_call(SYS_mmap, at, size, PROT_READ | PROT_WRITE, MAP_SHARED | (at ? MAP_FIXED : 0), s->sock, offset);
}

static int offer(struct shim_session *s)
{
	struct fc_ioc_offer a = { .size = sizeof a, .fresh = s->fresh };
	int r = ask(s, FC_IOC_OFFER, &a);

	s->fresh = s->fresh && r < 0;
	return r;
}

static int areas(struct shim_session *s, void (*init)(struct fc_request_area *area))
{
	struct fc_ioc_areas a = { .size = sizeof a };
	long r = control(s->sock, FC_IOC_AREAS, &a);

	if (r < 0)
		return (int)r;
	r = map(s, NULL, sizeof *s->requests.area, FC_MAP_REQUESTS);
	if (shim_is_error(r))
		return (int)r;
	s->requests.area = (struct fc_request_area *)r;
	r = map(s, s->data, FC_DATA_MIN, FC_MAP_DATA);
	if (shim_is_error(r))
		return (int)r;
	init(s->requests.area);
	return offer(s);
}

static int grow(struct shim_session *s, size_t length)
{
	struct fc_ioc_length a = { .size = sizeof a };
	long r = control(s->sock, FC_IOC_GROW, &a);

	if (r == 0 && a.length != 2 * length) {
		shim_session_fail(s, "its data area has a length that cannot be");
		r = -EIO;
	}
	if (r == 0)
		r = map(s, s->data + length, length, FC_MAP_DATA + length);
	return shim_is_error(r) ? (int)r : 0;
}

static int shrink(struct shim_session *s, size_t length)
{
	struct fc_ioc_length a = { .size = sizeof a, .length = length };

	control(s->sock, FC_IOC_SHRINK, &a);
	return 0; /* an answer that is late is none either: the module knows how much there is */
}

/* Grants, the user's pages and files are memory to whoever asks for some. */
static int as_memory(int r)
{
	return r == -ENOSPC || r == -ENFILE || r == -EMFILE ? -ENOMEM : r;
}

static int memory_make(struct shim_session *s, struct fc_ioc_map *a)
{
	const long again[6] = { s->sock, FC_IOC_MAP, (long)a };
	int r = ask(s, FC_IOC_MAP, a);

	if (r == -EMFILE)
		r = (int)shim_beyond(shim_process(), SYS_ioctl, again);
	if (r == -ENOTTY)
		return -EOPNOTSUPP; /* a module from before there were any */
	return as_memory(r);
}

static int unmap_memory(struct shim_session *s, int number)
{
	struct fc_ioc_unmap a = { .size = sizeof a, .number = (uint32_t)number };

	return ask(s, FC_IOC_UNMAP, &a);
}

static int map_memory(struct shim_session *s, size_t size, bool writable, long *at)
{
	struct fc_ioc_map a = { .size = sizeof a, .length = size };
	int r = memory_make(s, &a);
	long address;

	if (r < 0)
		return r;
	address = fc_call(SYS_mmap, 0, size, PROT_READ | PROT_WRITE, MAP_SHARED, a.fd, 0);
	fc_call(SYS_fcntl, a.fd, F_ADD_SEALS, SEALS); /* or MADV_REMOVE would put other pages in the place of these */
	if (!shim_is_error(address) && !writable)
		address = shim_map_for_reading(a.fd, address, size);
	shim_done_with(shim_process(), a.fd);
	*at = address;
	if (shim_is_error(address)) {
		unmap_memory(s, (int)a.number);
		return (int)address;
	}
	return (int)a.number;
}

static void give_back(struct shim_session *s, uint64_t word)
{
	struct fc_ioc_return a = { .size = sizeof a,
				   .which = word == SHIM_LEASE_ALL ? FC_LEASES_ALL : shim_lease_index(word),
				   .word = word };

	ask(s, FC_IOC_RETURN, &a);
}

static int lease(struct shim_session *s, int descriptor, uint64_t wants, struct shim_grant *g)
{
	struct fc_ioc_lease a = { .size = sizeof a, .descriptor = (uint64_t)descriptor, .wants = wants };
	int r = ask(s, FC_IOC_LEASE, &a);

	if (r < 0)
		return r == -ENOTTY ? -EOPNOTSUPP : r; /* a module from before there were any */
	*g = shim_grant_of(a.word, a.bytes, wants, -1);
	if (shim_grant_ok(g) && wants & a.bytes & FC_LEASE_BARE)
		return 0;
	shim_session_fail(s, "it delegated what is no file");
	return -EIO;
}

static int fork_session(struct shim_session *s, struct shim_offspring *o)
{
	struct fc_ioc_fork a = { .size = sizeof a };
	const long again[6] = { s->sock, FC_IOC_FORK, (long)&a };
	int r = control(s->sock, FC_IOC_FORK, &a);

	if (r == -EMFILE)
		r = (int)shim_beyond(shim_process(), SYS_ioctl, again);
	if (r < 0)
		return as_memory(r); /* a child has its parent's mappings on its own account */
	o->sock = a.fd;
	o->id = o->token[0] = a.session;
	return 0;
}

static void forked(struct shim_session *s, uint64_t id, int pid)
{
	struct fc_ioc_forked a = { .size = sizeof a, .session = (uint32_t)id, .pid = pid };

	control(s->sock, FC_IOC_FORKED, &a);
}

static void settle(struct shim_session *s)
{
	(void)s; /* the module has seen who said what */
}

static int cred(struct shim_session *s, uint64_t fsuid, uint64_t fsgid)
{
	(void)fsuid; /* the module sees for itself */
	(void)fsgid;
	int r = simple(s, FC_IOC_CRED);
	if (r < 0)
		shim_session_fail(s, "it did not follow a change of user");
	return r < 0 ? -EIO : 0;
}

static int rlimit(struct shim_session *s, uint64_t soft, uint64_t hard)
{
	(void)soft; /* as above */
	(void)hard;
	return simple(s, FC_IOC_RLIMIT);
}

static void gone(struct shim_session *s, int pid)
{
	struct fc_ioc_gone a = { .size = sizeof a, .pid = pid };
	int fd = s->sock;

	if (fd < 0)
		fd = (int)shim_make_fd(shim_process(), SYS_openat, AT_FDCWD, (long)FC_DEVICE, O_RDWR | O_CLOEXEC, 0);
	if (fd < 0)
		return;
	control(fd, FC_IOC_GONE, &a);
	if (fd != s->sock)
		shim_done_with(shim_process(), fd);
}

static void bye(struct shim_session *s)
{
	struct fc_ioc_none none = { .size = sizeof none };

	control(s->sock, FC_IOC_BYE, &none);
}

/* Asked after a wait that took long: a wait of no time says whether the session is over. */
static const char *lost(struct shim_session *s)
{
	struct fc_ioc_wait a = { .size = sizeof a, .deadline_ns = 1 };

	if (s->requests.area)
		a.seen = s->requests.area->header.bell;
	return control(s->sock, FC_IOC_WAIT, &a) == -EIO ? "the domain is gone" : NULL;
}

/* ---- the doorbell ---- */

static struct shim_session *session_of(const struct fc_bell *b)
{
	return (struct shim_session *)((char *)b - offsetof(struct shim_session, requests.bell));
}

static int wait(const struct fc_bell *b, const uint32_t *word, uint32_t seen, uint64_t deadline_ns)
{
	struct shim_session *s = session_of(b);
	struct fc_ioc_wait a = { .size = sizeof a,
				 .offset = (uint32_t)((const char *)word - (const char *)s->requests.area),
				 .seen = seen,
				 .deadline_ns = deadline_ns };
	int r = control(s->sock, FC_IOC_WAIT, &a);

	if (r == -EIO || r == -ENODEV)
		shim_session_fail(s, "the domain is gone");
	return r == -EINTR ? r : r < 0 ? -ETIMEDOUT : 0; /* whoever runs out of time looks whether the session lives */
}

static void wake(const struct fc_bell *b, uint32_t *word, int n)
{
	(void)word;
	(void)n;
	simple(session_of(b), FC_IOC_RING);
}

static const struct fc_bell_ops bell_ops = { .wait = wait, .wake_peer = wake, .wake_worker = wake };

const struct shim_transport shim_transport_xen = {
	.bell = &bell_ops,
	.apart = true,
	.attach = attach,
	.map = map_memory,
	.unmap = unmap_memory,
	.lease = lease,
	.give_back = give_back,
	.areas = areas,
	.grow = grow,
	.shrink = shrink,
	.fork = fork_session,
	.forked = forked,
	.settle = settle,
	.cred = cred,
	.rlimit = rlimit,
	.gone = gone,
	.bye = bye,
	.lost = lost,
};
