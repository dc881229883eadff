/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * control.h - the messages that set a session up and change it, as the local transport carries them: one message per
 * SOCK_SEQPACKET datagram on a Unix socket, with descriptors as SCM_RIGHTS. Requests for system calls never travel here.
 *
 * A message is a struct fc_msg, `size` bytes of text and at most FC_MSG_FDS descriptors. Every request but those marked
 * "one-way" gets one answer: the same type, `status` 0 or -errno, and what its line says. The domain answers nonsense
 * (wrong magic, unknown type, wrong number of descriptors, text over FC_MSG_TEXT) with -EPROTO and hangs up.
 *
 * Life of a session
 *   1. The client connects, sends HELLO, gets the exports and the domain page. What follows it may send at once.
 *   2. It sends ATTACH. The domain takes the caller's identity from the socket (SO_PEERCRED, SO_PEERGROUPS, the real ids
 *      from SCM_CREDENTIALS, capabilities from the kernel's view of the process) and hands the connection to a
 *      shadow process. From here on the connection is the session: when the client's end is closed, it is over.
 *   3. AREAS gives the shadow a request area and the first data segment. A session may be without areas (after FORK,
 *      and in an exec'ed image before its first remote call), and AREAS may be sent again: it replaces the old areas,
 *      whose unfinished calls are interrupted and forgotten first.
 *   4. FORK makes a shadow for a child: a real fork of this shadow, with its descriptors, directory, umask and
 *      credentials; the answer carries the child's connection (no areas yet).
 *   5. BYE ends the session: the answer comes when every descriptor and lock is gone.
 * Every message on a session comes from a process with the session's real uid, or 0 (SCM_CREDENTIALS): any other ends it.
 * Ids that change (setuid and its kin): the client makes a fresh connection after the change and sends CRED with the
 * session's token there; the answer comes when every later request runs with the new identity.
 */
#ifndef FARCALL_CONTROL_H
#define FARCALL_CONTROL_H

#include <stdint.h>

#define FC_MSG_MAGIC 0x6d636631u /* "1fcm" */
#define FC_MSG_TEXT 4096
#define FC_MSG_FDS 4
#define FC_LEASE_POSTS (1ull << 63)
#define FC_LEASE_BARE (1ull << 62)
#define FC_HAND_ALL 1u
/* Where the sockets are of clients that cannot bind them in the domain: a directory beside the domain's own socket, for a Xen domain one of its name here */
#define FC_SOCKETS_SUFFIX ".sockets"
#define FC_SOCKETS_XEN "/run/farcall/.sockets/"
#define FC_TICKET_PREFIX "farcall-ticket-" /* behind the NUL of an abstract name */

enum fc_msg_type {
	FC_MSG_HELLO = 1, /* arg0 = ABI major, arg1 = minor. Answer: arg0, arg1 = the domain's, arg2 = generation,
			     arg3 = number of exports; text = for each export its flags ("rw" or "ro"), a space, its
			     prefix, NUL; 1 fd = the domain page (read-only). -EPROTONOSUPPORT: other major. */
	FC_MSG_ATTACH,    /* arg0 = umask, arg1, arg2 = RLIMIT_FSIZE soft, hard (-1 = infinity). Answer: arg0, arg1 =
			     the session's 128-bit token, arg2 = session id. -EPERM: not this user; -EXDEV: not a process
			     of another mount namespace or root; -EAGAIN: this user has all that it may. */
	FC_MSG_AREAS,     /* 2 fds: request area, data segment 0. arg0 = size of the segment; SCM_CREDENTIALS carries
			     the pid, which may have changed since FORK; arg1 = 1: from another image of the process,
			     which has none of the mappings of the one before (since ABI 2.7). Each must be a memfd of exactly the size
			     promised, sealed against shrinking and growing. */
	FC_MSG_GROW,      /* 1 fd: the next data segment, arg0 = its size (as FC_SEGMENTS_MAX says). The data area is
			     one linear range of offsets; the new segment follows the last. A memfd as in AREAS, every
			     page touched (pages are whose who touches them first); the domain adds seals against new
			     writable mappings and further seals. arg1 = 1: not so, for another image of the process is to
			     map it (since ABI 2.3); it counts as the first segment does, as what the domain may come to pay for. */
	FC_MSG_SHRINK,    /* one-way. arg0 = new length of the data area (a segment boundary) */
	FC_MSG_FORK,      /* Answer: 1 fd = the child's connection, arg0, arg1 = its token, arg2 = its session id */
	FC_MSG_FORKED, /* one-way. arg0 = session id of a child from FORK, arg1 = its pid as its parent sees it: believed
			     of a child of the process that this session belongs to */
	FC_MSG_RLIMIT, /* arg0, arg1 = RLIMIT_FSIZE soft, hard */
	FC_MSG_CRED,   /* fresh connection. arg0, arg1 = token; arg2 = fsuid, arg3 = fsgid or -1 for the effective
			     ones (another value only from a client that may choose). */
	FC_MSG_GONE,   /* arg0 = a pid the caller has reaped. Answer when no session of that process is left, as far
			     as it is one of the caller's user (or, for root, anybody's);
			     -EBUSY if the process is still alive. On a session or a fresh connection. */
	FC_MSG_STAT,   /* fresh connection. Answer: arg0 = bytes, 1 fd = memfd with a struct fc_stat_domain and its
			     sessions (farcall.h): root's all, anybody else's own */
	FC_MSG_BYE,    /* Answer when the session's descriptors and locks are gone; then the connection ends. */
	FC_MSG_STOP,   /* fresh connection, from the domain's own uid or root only: shut the domain down */
	FC_MSG_MEMORY, /* arg0 = bytes, at most FC_DATA_MAX. Answer: 1 fd = an empty memfd of that length, without seals, for a
			     client whose own limit of file sizes (RLIMIT_FSIZE, hard) lets it make none for AREAS, GROW or a
			     program. -EFBIG: the domain cannot either; -EAGAIN: not now. Not on Xen. Since ABI 2.1. */
	FC_MSG_HAND, /* arg0 = a domain descriptor. Answer: 1 fd = the same open file, if it is a regular file, a FIFO or (O_PATH) a
			     socket; and a second one, without it, when the domain has it no more often than before. The first one's arg0 = FC_HAND_ALL (since 2.10): none
			of its exports forbids it, and whom the kernel lets may take a file that it looks at by itself, with pidfd_getfd(2). -EBADF: not open; -ENODEV: something else, which is never handed over, least of all a
			     directory; -EOPNOTSUPP: its export forbids it (nomap); -ENFILE: not now. Not on Xen. Since ABI 2.2. */
	FC_MSG_BIND, /* 1 fd = a socket of the client's, text = a path without NUL: bind(2) it there, in this session's directory and with
			     its umask. Answer: status; -EOPNOTSUPP (-EPERM before 2.6): its export hands nothing over. Not on Xen. Since ABI 2.2. */
	FC_MSG_WATCH, /* 1 fd = an inotify instance of the client's, arg0 = a domain descriptor, arg1 = mask: watch what that is. Answer:
			     arg0 = the watch. Not on Xen. Since ABI 2.2. */
	FC_MSG_OTHER, /* What another process has open: arg0 = its pid, arg1 = the number by which it knows a descriptor, -1: its
			  current directory; arg2 = the caller's own pid, both as the caller counts. Answer: arg0 = a new domain
			  descriptor of the caller's, O_PATH, of that file; arg1, arg2 = position and flags of the other's.
			  -ENOENT: there is none, or it is no client of this domain; -EACCES: not the caller's to look at: it
			  has other ids, or may not be traced. Not on Xen. Since ABI 2.2. */
	FC_MSG_LEASE, /* arg0 = a domain descriptor. A delegation of what it is open as: until the domain takes it back, nobody but this
			 session changes the length of that file. Answer: 1 fd = that file, to be mapped for reading; arg0 = which
			 word of the request area (FC_LEASES) says that it holds, arg1 = the value as long as it does; arg2 = bytes
			 that are certain to be there. arg1 = FC_LEASE_POSTS (since ABI 2.8): a delegation that only allows to post writes will do; if
			 arg2 has FC_LEASE_POSTS this one does. arg1 = FC_LEASE_POSTS | FC_LEASE_BARE (since ABI 2.11): one without the file will do, too,
			 where none is handed over: then arg2 has FC_LEASE_BARE, and there is no fd. -EAGAIN: others have it open; -EOPNOTSUPP: never for this file. The client
			 gives it back before anything shares the open file with another process, and before it changes its
			 length. On Xen since ABI 2.12, and always without the file. Since ABI 2.4. */
	FC_MSG_RETURN, /* arg0, arg1 as LEASE has answered, or arg0 = FC_LEASES_ALL, for all that there are: it is over, and the domain has nothing more open for it when it answers.
			  On Xen since ABI 2.12. Since ABI 2.4. */
	FC_MSG_PASS, /* A file that is sent to another client, and is not handed over: arg0 = a domain descriptor of a directory or with
			O_PATH; arg1 = the process at the other end, arg2 = the caller's own pid, both as the caller counts. Answer: 1 fd = a ticket, to
			send in its place: a Unix socket, whose peer's name begins with FC_TICKET_PREFIX. -EOPNOTSUPP: something else, or
			that process is no client of this domain; -ETOOMANYREFS: too many are under way. Not on Xen. Since ABI 2.5. */
	FC_MSG_CLAIM, /* 1 fd = a ticket. Answer: arg0 = a new domain descriptor of the caller's, which refers to the same open file; arg1 = its
			 flags. -ENOENT: it is none. Not on Xen. Since ABI 2.5. */
	FC_MSG_MAP, /* 1 fd = memory of the client's as with GROW, arg0 = its size (whole pages, FC_MAP_MAX at most), for FC_NR_MAP. Children of
		       the client have it too. Answer: arg0 = its number, for FC_NR_MAP and the like. -ENOMEM: not now.
		       Since ABI 2.7. */
	FC_MSG_UNMAP, /* arg0 = a number from MAP. Answer: this session's shadow has nothing of that memory any more; -EBUSY: it is still mapped to a
			 file. On Xen only, whose front end wants its pages back. Since ABI 2.9. */
	FC_MSG_TYPES
};

struct fc_msg {
	uint32_t magic;
	uint16_t type;   /* enum fc_msg_type */
	uint16_t size;   /* bytes of text that follow */
	int32_t status;  /* answers: 0 or -errno */
	uint32_t serial; /* echoed in the answer */
	uint64_t arg[6];
};

_Static_assert(sizeof(struct fc_msg) == 64, "a message header is one cache line");

#endif
