/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * abi.h - the memory that a client process and a storage domain share.
 *
 * This header owns every shared struct, every limit and every number that both ends must agree on. It contains no
 * code and includes nothing but integer types, so that the kernel module can compile it too. The control messages
 * that set the memory up are in control.h; the meaning of a request's arguments is in syscalls.def.
 *
 * Changelog (one line per minor version):
 *   1.0  first version: request area, data area, domain page.
 *   1.1  `mapped`; no buffer crosses the boundary of a data segment.
 *   2.0  local memory that a session grows by is touched by the client first, and can be sealed by the domain (control.h, GROW).
 *   2.1  fchmodat2, setxattrat, getxattrat, listxattrat, removexattrat, file_getattr, file_setattr, cachestat; struct xattr_args in the data area;
 *        FIDEDUPERANGE and other ioctls. A domain of 2.0 knows none of them, and ends a session that asks. From now on a call that
 *        a domain does not know is ENOSYS.
 *        A domain makes memory for clients that cannot (control.h, MEMORY).
 *   2.2  files are handed over, and calls made on what a client hands over (control.h, HAND, BIND, WATCH); FC_REQ_HANDS, FC_OPENED_PIPE. A client asks no older domain.
 *        FC_REQ_NUMBERED: what the application calls a descriptor that a request makes; what other processes have open (control.h, OTHER).
 *   2.3  `mute`; GROW without seals (control.h). An older domain would never look, and seals.
 *   2.4  delegations: `lease`; control.h, LEASE and RETURN.
 *   2.5  files on their way from one client to another (control.h, PASS, CLAIM). A client asks no older domain.
 *   2.6  FC_NR_SOCKET_KEY.
 *   2.7  shared mappings of what is not handed over: FC_NR_MAP, FC_NR_UNMAP, FC_NR_MAP_SYNC; MAP, and AREAS of a new image (control.h).
 *   2.8  posted writes: struct fc_ring, POSTS, FC_REQ_AFTER; LEASE says whether it allows them (control.h).
 *   2.9  shared mappings with Xen, as 2.7: MAP, UNMAP, and AREAS of a new image (xen.h; control.h, UNMAP). The module asks no older domain.
 *   2.10 HAND says whether all may be handed over (control.h)
 *   2.11 delegations without the file: LEASE (control.h); `manner`, a hint.
 *   2.12 delegations and posted writes with Xen: LEASE, RETURN (xen.h). The module asks no older domain.
 *   2.13 writes by the client's own mapping: `stored` of struct fc_ring. An older domain would never set the times.
 *
 * Rules
 *   - Offsets and indices, never pointers. Fixed-width integers, little endian, natural alignment, no padding.
 *   - Each field names its writer. Fields with different writers never share a cache line, except in a request
 *     entry, whose line is handed over whole: the client owns it while FC_FREE, the domain while FC_QUEUED or
 *     FC_ASLEEP (the client may then only move `state` from QUEUED to ASLEEP), the client again once FC_DONE.
 *   - Neither side believes the other: whoever reads a peer's field copies it once and checks the copy.
 */
#ifndef FARCALL_ABI_H
#define FARCALL_ABI_H

#ifdef __KERNEL__
#include <linux/types.h>
#else
#include <stdint.h>
#endif

#define FC_ABI_MAGIC 0x314c4c4143524146ull /* "FARCALL1", read as bytes */
#define FC_ABI_MAJOR 2
#define FC_ABI_MINOR 13

#define FC_CACHE_LINE 64
#ifndef FC_PAGE_SIZE /* the interleaving checker (tests/model/) does with less */
#define FC_PAGE_SIZE 4096
#endif

/* ---- Limits ---- */

#ifndef FC_ENTRY_ORDER /* the interleaving checker (tests/model/) builds everything with fewer */
#define FC_ENTRY_ORDER 8
#endif
#define FC_ENTRIES (1u << FC_ENTRY_ORDER) /* calls in flight per session = workers it can ever need at once */
#define FC_QUEUE_SLOTS (2u * FC_ENTRIES)  /* SCQ wants twice as many slots as elements */
#define FC_PATH_MAX 4096                  /* with the terminating NUL; room every PATH buffer has (see below) */
#define FC_CHUNK (64u * 1024u)            /* unit of pipelining for streams, bytes */
#define FC_STREAM_SLOTS_MAX 8             /* chunk buffers one stream may cycle through */
#define FC_IOV_MAX 1024                   /* buffers one vectored request may name */
#define FC_DATA_MIN (256u * 1024u)        /* first data segment, bytes */
#define FC_DATA_MAX (32u * 1024u * 1024u) /* all data segments together, bytes */
#define FC_SEGMENTS_MAX \
	8                     /* 256K 256K 512K 1M 2M 4M 8M 16M: each as large as all before it; no
					     buffer crosses from one to the next, which need not be mapped behind it */
#define FC_DOMAIN_FD_FIRST 32 /* domain descriptors below belong to the shadow process itself */
#define FC_DOMAIN_FD_MAX (1 << 20)
#define FC_EXPORTS_MAX 16
#define FC_LEASES 480 /* files that one session may hold delegations of */
#define FC_LEASES_ALL (~0ull)
#define FC_MAPS_MAX 64                    /* shared mappings of one process that the domain keeps (FC_NR_MAP) */
#define FC_MAP_MAX (256u * 1024u * 1024u) /* bytes of each, */
#define FC_MAPS_BYTES (1ull << 30)        /* and of all */
#define FC_POSTS 1024                     /* writes that a ring may hold */
#define FC_RING_SIZE (256u * 1024u)       /* bytes of the data area that a ring takes up */

/* ---- Requests ---- */

/* states of an entry; see the ownership rule above */
#define FC_FREE 0u
#define FC_QUEUED 1u /* client -> domain: in the queue or being executed; the client spins or is elsewhere */
#define FC_ASLEEP 2u /* as QUEUED, and the client sleeps on `state`: whoever sets DONE must wake it */
#define FC_DONE 3u   /* domain -> client: `result` is valid */

/* entry flags (client) */
#define FC_REQ_NOTRACE 1u  /* not an application's call: housekeeping of the shim */
#define FC_REQ_HANDS 2u    /* openat, openat2: a pipe may be handed over, see FC_OPENED_PIPE */
#define FC_REQ_AFTER 8u    /* what has been posted is written first */
#define FC_REQ_NUMBERED 4u /* openat, openat2, dup: arg[5] is the application's number for the new descriptor */

/* openat and openat2 with FC_REQ_HANDS: added to the domain descriptor of a FIFO that HAND (control.h) gives away */
#define FC_OPENED_PIPE (1 << 30)

/*
 * Request numbers below FC_NR_PRIVATE are Linux x86-64 system call numbers and mean what the row of that name in
 * syscalls.def says. Those from FC_NR_PRIVATE on are farcall's own.
 */
#define FC_NR_PRIVATE 1024
/* interrupt(entry index, nonce): abort that call with EINTR if it waits, or comes to wait, for something interruptible.
 * Completes (result 0) only when the call in question has completed, or with ENOENT if it never came into the
 * queue, and whoever was to put it there will not: then the entry is the client's again. */
#define FC_NR_INTERRUPT (FC_NR_PRIVATE + 0)
/* stream_read / stream_write(fd, length, position, list offset, slots, rwf): pread / pwrite in pipelined chunks. At
 * `list offset` in the data area stand `slots` (1..FC_STREAM_SLOTS_MAX) 64-bit data-area offsets, each of a buffer of
 * FC_CHUNK bytes; chunk n of the transfer goes through buffer n % slots. Progress is in the entry's fc_stream, which the
 * client sets (both lines: chunks = asleep = 0, end = length) before it queues the entry. The result is the number of
 * bytes moved, or -errno if none was.
 *   read: the domain publishes chunk n only once all of its FC_CHUNK bytes are there; a last, short one comes with the
 *     result alone, so what a client may take is (state == FC_DONE ? result : domain.chunks * FC_CHUNK) bytes. The client
 *     publishes a chunk when it has copied it out.
 *   write: the client publishes a chunk when it is filled, the domain when it is written and the buffer free again.
 *   A client that cannot go on (EFAULT) lowers `end`, then publishes once more, so that the domain looks.
 * Not for O_APPEND descriptors or RWF_APPEND, whose bytes must go in one kernel call: EOPNOTSUPP. */
#define FC_NR_STREAM_READ (FC_NR_PRIVATE + 1)
#define FC_NR_STREAM_WRITE (FC_NR_PRIVATE + 2)
/* nop(): result 0; measures the path itself */
#define FC_NR_NOP (FC_NR_PRIVATE + 3)
/* socket_key(fd, own): the name under which a Unix socket is bound on the client's machine whose inode this is, for clients that cannot have the
 * inode itself: 63 bits, the same for whoever asks, another one for an inode that takes its place, and not to be guessed. As connect(2): EACCES
 * without write permission (but for its owner with `own`, who has just made it), ECONNREFUSED if it is no socket. */
#define FC_NR_SOCKET_KEY (FC_NR_PRIVATE + 4)
/* map(fd, number, offset, other): memory that MAP (control.h) has brought is the file's from `offset` (of a page) on, and kept the same as the file (map.c in
 * storage-domain/exec). On an error, the memory is forgotten. ENODEV: others have it open, or there are no leases; or another mapping has a
 * part of it. If `other` is not 0: of the file of mapping `other` - 1, whatever fd is, and that one is no more.
 * unmap(number): it is no more; what has changed in it is in the file before.
 * map_sync(number, disk): what has changed is in the file; if `disk` is not 0, on the disk. */
#define FC_NR_MAP (FC_NR_PRIVATE + 5)
#define FC_NR_UNMAP (FC_NR_PRIVATE + 6)
#define FC_NR_MAP_SYNC (FC_NR_PRIVATE + 7)
/* posts(offset): from here on there is a struct fc_ring at this data-area offset, a multiple of FC_PAGE_SIZE in one segment; FC_NULL: there is none any
 * more. Result 0, or EOPNOTSUPP. */
#define FC_NR_POSTS (FC_NR_PRIVATE + 8)

/*
 * Results: 0 or positive, or -errno (-1..-4095), as from the kernel. Below that range:
 * FC_CONTINUE - i means "the path in argument i leaves this domain: go on at the path that now stands in its
 * buffer" (absolute, NUL-terminated, in the client's name space). Every PATH buffer is FC_PATH_MAX bytes long,
 * however short the path, so that there is room for the answer.
 */
#define FC_CONTINUE (-8192)

struct fc_entry {
	uint32_t state;  /* exchanged by both, see FC_FREE..FC_DONE */
	uint16_t nr;     /* client */
	uint16_t flags;  /* client: FC_REQ_* */
	uint32_t nonce;  /* client: grows with every use of the entry */
	uint32_t thread; /* client: index of the thread control block to make ready (M:N), else 0 */
	union {
		uint64_t arg[6]; /* client */
		int64_t result;  /* domain, before state = DONE */
	};
};

/* One direction of a stream's progress: chunks that `writer` has finished with. A futex word: it changes before
 * whoever sleeps on it is woken. */
struct fc_progress {
	uint32_t chunks; /* writer: counts from 0, does not wrap at `slots` */
	uint32_t asleep; /* writer: nonzero while the WRITER of this line sleeps on the peer's `chunks` */
	uint64_t end;    /* client's line only: bytes the transfer ends at; starts as length, may be lowered (EFAULT) */
	uint64_t pad[6];
};

struct fc_stream {
	struct fc_progress client;
	struct fc_progress domain;
};

/* ---- Request queue: SCQ (Nikolaev, DISC 2019) of entry indices; see common/queue.h ---- */

struct fc_queue {
	uint64_t tail; /* client; the domain moves it up when a dequeue has overtaken it */
	uint64_t pad0[7];
	uint64_t head; /* domain */
	uint64_t pad1[7];
	int64_t threshold; /* both, rarely */
	uint64_t pad2[7];
	uint64_t pad3[8];
	uint64_t slot[FC_QUEUE_SLOTS]; /* both */
};

/* ---- Request area: one memory object per session ---- */

/* How threads that wait do it (fc_area_header.manner); 0 = unknown, as FC_SLEEPING */
#define FC_SLEEPING 1u
#define FC_YIELDING 2u

struct fc_area_header {
	/* line 0: written by the client before it offers the area, constant from then on */
	uint64_t magic;
	uint16_t major;
	uint16_t minor;
	uint32_t entries;
	uint32_t size; /* bytes of the whole request area */
	uint32_t pad0[11];
	/* line 1: client (and, rarely, the domain: atomic increments only) */
	uint32_t bell;   /* workers sleep on it; whoever rings increments it, then wakes one */
	uint32_t cpu;    /* client: one more than the CPU its last sleeper was on, 0 = unknown; a hint to stay off it */
	uint32_t mute;   /* client: nonzero: it may not ring (seccomp(2)), workers look by themselves */
	uint32_t guests; /* client: which parts of the area other processes have; nothing to the domain */
	uint32_t
		manner; /* client: FC_YIELDING: its threads that wait give their CPU away first, and so do workers; a hint */
	uint32_t pad1[11];
	/* line 2: domain */
	uint32_t credit; /* calls in flight that the awake workers will serve; a client with more in flight rings */
	uint32_t pad2[15];
	/* line 3: domain */
	uint32_t poisoned; /* nonzero: the domain has cut this session off; every call is EIO from here on */
	uint8_t mapped; /* on Xen: 1 once the domain has the area mapped; its kernel clears it when the mapping goes, whoever
			      has died of what */
	uint8_t pad3[59];
	/* from line 4 on: domain. A file is delegated to the client as long as the word that LEASE (control.h) has named holds the value that it
	 * came with, which no other delegation has; whatever the client concludes from the file, it concludes before it looks at the word once more */
	uint64_t lease[(FC_PAGE_SIZE - 256) / 8];
};

struct fc_request_area {
	struct fc_area_header header;
	struct fc_queue queue;
	uint64_t pad[(FC_PAGE_SIZE - 256) / 8];
	struct fc_entry entry[FC_ENTRIES];
	struct fc_stream stream[FC_ENTRIES];
};

/* ---- Vectored buffers: an IOV argument is the data-area offset of an array of these ---- */

struct fc_iovec {
	uint64_t offset; /* data-area offset, bytes */
	uint64_t length; /* bytes */
};

/* ---- Posted writes: a write to a delegated file that the client does not wait for ---- */

struct fc_post {           /* client, all of it */
	uint64_t word;     /* of the delegation (fc_area_header.lease) */
	uint64_t position; /* FC_NULL: at the file's own offset */
	uint64_t file;     /* what the client knows it by, if it fails */
	uint32_t descriptor;
	uint32_t offset, length; /* in fc_ring.data */
	uint32_t pad;
};
#define fc_post_index(word) ((word)&511) /* of the delegation's word */

/*
 * The client publishes a write, and after it looks at the delegation's word again: if that still holds, the domain will have written it before anybody
 * else can open the file, and whatever the client dies of. If not, the client waits for it with a request that has FC_REQ_AFTER.
 * Writes to one file are done in their order. Of one that fails, those behind it to the same file are not done either, until it
 * is delegated anew.
 *
 * What a client writes to its own mapping of a delegated file is there at once; the file's times are for the domain to set. So the client says in `stored`
 * what it has written to, after it has, and then looks at the delegation's word, as above. The domain sets `touching`, clears the bit of each file, then sets its
 * times, counts `passes` up if it has left none, and clears `touching`: if no bit is set, and then `touching` is not, all is done; or what was there
 * before a pass began that has ended. All of it begins as zeros.
 */
struct fc_ring {
	/* line 0: client, but for `stored` */
	uint64_t tail; /* writes published */
	uint32_t bell; /* futex: counted up before the domain is woken */
#define FC_RING_STORED 12u
#define FC_STORED (32 * FC_RING_STORED)
	uint32_t stored[FC_RING_STORED]; /* exchanged by both: a bit for each of the first delegations */
	uint32_t stores;                 /* writes of that kind, ever */
	/* line 1: domain */
	uint64_t done;     /* all before are written, and their bytes free again */
	uint32_t asleep;   /* FC_RING_* */
	uint32_t errors;   /* so many have failed; each is in error[n % FC_RING_ERRORS] */
	uint32_t touching; /* nonzero: what it has cleared in `stored` it is about to do */
	uint32_t passes;   /* so many times it has gone through all of `stored` */
	uint32_t pad1[10];
#define FC_RING_AWAKE 0u
#define FC_RING_DOZES 1u /* it looks by itself, soon */
#define FC_RING_SLEEPS 2u
	/* from line 2 on: domain */
#define FC_RING_ERRORS 24u
	struct {
		uint64_t file;
		int64_t error; /* -errno */
	} error[FC_RING_ERRORS];
	struct fc_post post[FC_POSTS];
	char data[FC_RING_SIZE - 512 - FC_POSTS * sizeof(struct fc_post)];
};

/* ---- Domain page: one per domain, written by the domain alone (on Xen: by the primary's module) ---- */

#define FC_DOMAIN_STARTING 0u
#define FC_DOMAIN_UP 1u
#define FC_DOMAIN_DEAD 2u

struct fc_domain_page {
	uint64_t magic;
	uint16_t major;
	uint16_t minor;
	uint32_t state;      /* FC_DOMAIN_* */
	uint64_t generation; /* changes with every start of the domain */
	uint64_t pad0[509];
};

/* ---- Layout checks ---- */

#ifndef __cplusplus
#define FC_ASSERT_LAYOUT(cond) _Static_assert(cond, #cond)
FC_ASSERT_LAYOUT(sizeof(struct fc_entry) == FC_CACHE_LINE);
FC_ASSERT_LAYOUT(__builtin_offsetof(struct fc_entry, arg) == 16);
FC_ASSERT_LAYOUT(sizeof(struct fc_progress) == FC_CACHE_LINE);
FC_ASSERT_LAYOUT(sizeof(struct fc_stream) == 2 * FC_CACHE_LINE);
FC_ASSERT_LAYOUT(__builtin_offsetof(struct fc_area_header, bell) == 64);
FC_ASSERT_LAYOUT(__builtin_offsetof(struct fc_area_header, credit) == 128);
FC_ASSERT_LAYOUT(__builtin_offsetof(struct fc_area_header, poisoned) == 192);
FC_ASSERT_LAYOUT(sizeof(struct fc_area_header) == FC_PAGE_SIZE);
FC_ASSERT_LAYOUT(__builtin_offsetof(struct fc_area_header, lease) == 256);
FC_ASSERT_LAYOUT(__builtin_offsetof(struct fc_queue, head) == 64);
FC_ASSERT_LAYOUT(__builtin_offsetof(struct fc_queue, threshold) == 128);
FC_ASSERT_LAYOUT(__builtin_offsetof(struct fc_queue, slot) == 256);
FC_ASSERT_LAYOUT(__builtin_offsetof(struct fc_request_area, queue) == FC_PAGE_SIZE);
#if FC_ENTRY_ORDER == 8
FC_ASSERT_LAYOUT(__builtin_offsetof(struct fc_request_area, entry) == 3 * FC_PAGE_SIZE);
FC_ASSERT_LAYOUT(sizeof(struct fc_request_area) == 15 * FC_PAGE_SIZE);
FC_ASSERT_LAYOUT(sizeof(struct fc_domain_page) == FC_PAGE_SIZE);
#endif
FC_ASSERT_LAYOUT(sizeof(struct fc_iovec) == 16);
FC_ASSERT_LAYOUT(sizeof(struct fc_post) == 40);
FC_ASSERT_LAYOUT(__builtin_offsetof(struct fc_ring, done) == 64);
FC_ASSERT_LAYOUT(__builtin_offsetof(struct fc_ring, post) == 512);
FC_ASSERT_LAYOUT(sizeof(struct fc_ring) == FC_RING_SIZE);
#endif

#endif
