/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * message.h - datagrams with descriptors and credentials as the kernel delivers them: made from the input, and put into what the
 * product has given recvmsg(2). It knows the frame of farcall/control.h, and that frames may be wrong; not what a message means.
 */
#ifndef FC_TESTS_FUZZ_MESSAGE_H
#define FC_TESTS_FUZZ_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "common/control.h"

#define MESSAGE_FDS 8 /* more than the protocol has */

struct message {
	bool pending;
	struct fc_msg head;
	char text[FC_MSG_TEXT + 64];
	size_t size; /* of the datagram */
	int fd_count;
	uint8_t fd_kind[MESSAGE_FDS];
	bool has_sender;
	struct ucred sender;
};

/* The next message as the input has it. */
void message_make(struct message *m);

/* A well-formed one. */
void message_usual(struct message *m, unsigned type);

/* recvmsg: `open` makes a descriptor of the n-th kind in the receiver's table. Consumes *m unless flags say MSG_PEEK. */
long message_deliver(struct message *m, struct msghdr *to, int flags, int (*open)(const struct message *m, int n));

/* sendmsg: takes the product's datagram apart, as a correct receiver would. Fails if it is none. */
void message_sent(const struct msghdr *from, struct fc_msg *head, int fd[FC_MSG_FDS], int *fds);

#endif
