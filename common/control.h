/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * control.h - framing of the control messages of farcall/control.h on a SOCK_SEQPACKET socket: header, text, descriptors,
 * sender's identity. What a message means is its users' business. Raw system calls only: the shim uses it too.
 */
#ifndef FC_COMMON_CONTROL_H
#define FC_COMMON_CONTROL_H

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "farcall/control.h"

/* A message as received. The receiver owns the descriptors: fc_packet_drop closes those it has not taken (set to -1). */
struct fc_packet {
	struct fc_msg head;
	char text[FC_MSG_TEXT + 1]; /* `head.size` bytes, then a NUL */
	int fd[FC_MSG_FDS];
	int nfds;
	bool has_sender;
	struct {
		int pid;
		unsigned uid, gid;
	} sender; /* SCM_CREDENTIALS, if the socket has SO_PASSCRED */
};

#define FC_CONTROL_SOCKET (SOCK_SEQPACKET | SOCK_CLOEXEC) /* the type of such a socket */

/* Connect a new SEQPACKET socket to the Unix socket at `path`. Returns the descriptor (close-on-exec) or -errno
 * (-ENAMETOOLONG for a path over 107 bytes). */
int fc_control_connect(const char *path);

/* The same for a socket that the caller has made (FC_CONTROL_SOCKET), which stays the caller's. Returns 0 or -errno. */
int fc_control_connect_socket(int fd, const char *path);

/* May this process hand its files to whoever listens at the other end? To root, and to itself: the user who called listen(2) is 0, or all
 * three user ids that the process has. Fills in *uid, that user. */
bool fc_control_trusted(int sock, unsigned *uid);

/* Send one message; `head->size` bytes of text. The magic is filled in. flags: MSG_DONTWAIT or 0. EINTR is retried.
 * Returns 0 or -errno (-EPIPE: the peer is gone; no SIGPIPE). Descriptors stay the caller's. */
int fc_control_send(int sock, struct fc_msg *head, const char *text, const int *fds, int nfds, int flags);

/* Receive one message into *p. Returns 0; -EPIPE at the end of the connection; -EPROTO if it is not a message (its
 * descriptors are closed); else -errno. Received descriptors are close-on-exec. EINTR is retried. */
int fc_control_recv(int sock, struct fc_packet *p, int flags);

/* The same, by a recvmsg(2) of the caller's, which returns what that would. */
typedef long fc_control_receiver(int sock, struct msghdr *m, int flags);
int fc_control_recv_by(fc_control_receiver *receiver, int sock, struct fc_packet *p, int flags);

/* Look at the next message without taking it: does it bring descriptors? None is taken into this process' table for that. The
 * socket must have SO_PASSCRED. Does not wait. Returns 0; -EAGAIN; -EPIPE at the end of the connection; other -errno. */
int fc_control_peek(int sock, bool *brings);

/* Send a request and wait for its answer (same type). Returns the answer's status (0 or -errno) or a transport error;
 * *answer holds the answer, with whatever descriptors came. */
int fc_control_ask(int sock, struct fc_msg *head, const char *text, const int *fds, int nfds, struct fc_packet *answer);

/* Close the descriptors still in *p. */
void fc_packet_drop(struct fc_packet *p);

#endif
