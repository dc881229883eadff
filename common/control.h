/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * control.h - framing of control messages: one struct fc_msg, its text and its descriptors as one datagram. It owns
 * neither the sockets nor what the messages mean (farcall/control.h does).
 *
 * Everything here is made of raw system calls: no errno, no allocation, no stdio, async-signal-safe.
 */
#ifndef FC_COMMON_CONTROL_H
#define FC_COMMON_CONTROL_H

#include <stdbool.h>
#include <sys/types.h>

#include "farcall/control.h"

/* A received message. Its descriptors are the receiver's to use (set fd[i] to -1) or to close with fc_msg_drop. */
struct fc_msg_in {
	struct fc_msg m;
	unsigned fds;
	int fd[FC_MSG_FDS]; /* close-on-exec; -1 beyond `fds` */
	/* who sent it, by the kernel's word (SO_PASSCRED on the receiving socket): real ids; pid 0 if not told */
	pid_t pid;
	uid_t uid;
	gid_t gid;
};

/* Send a message with `m->size` bytes of text and `fds` descriptors (at most FC_MSG_FDS), which stay the caller's.
 * `flags` as sendmsg(2); MSG_NOSIGNAL is added. m->magic need not be set. Returns 0, -EAGAIN (MSG_DONTWAIT and no
 * room), -EPIPE or -ECONNRESET (nobody there), -EINTR, or sendmsg's other errors. */
int fc_msg_send(int sock, const struct fc_msg *m, const void *text, const int *fd, unsigned fds, int flags);

/* Receive a message; its text goes to `text` (`room` bytes). Returns 0; -EPIPE (the peer has hung up); -EAGAIN (MSG_DONTWAIT
 * and nothing there); -EINTR; -EPROTO (wrong magic, text longer than room or than it says, too many descriptors). On any
 * error no descriptor is left open. The type is not checked. */
int fc_msg_recv(int sock, struct fc_msg_in *in, void *text, unsigned room, int flags);

/* Close the descriptors the receiver has not taken. */
void fc_msg_drop(struct fc_msg_in *in);

/* Send a request and wait for its answer (same serial). Blocking socket; goes on after EINTR; older answers are dropped.
 * Returns 0 with the answer in *in (its status may be negative), or a negative error as above. */
int fc_msg_call(int sock, const struct fc_msg *m, const void *text, const int *fd, unsigned fds, struct fc_msg_in *in,
		void *answer, unsigned room);

#endif
