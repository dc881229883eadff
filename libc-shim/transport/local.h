/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * local.h - the parts of the local transport: local.c has the connection, what is said over it and what a session lives through;
 * local_files.c the files and sockets that go over it, local_memory.c the memory.
 */
#ifndef FC_SHIM_LOCAL_H
#define FC_SHIM_LOCAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "farcall/control.h"
#include "libc-shim/session/session.h"
#include "libc-shim/transport/transport.h"

/* ---- local.c; the session is locked ---- */

/* Ask, with text and descriptors. The answer is in s->packet, with what it has brought. 0 or -errno. */
int shim_local_ask_about(struct shim_session *s, struct fc_msg m, const char *text, const int *fds, int nfds);
/* The same for a question without text, to which no descriptor is an answer. */
int shim_local_ask(struct shim_session *s, unsigned type, uint64_t arg0, uint64_t arg1, const int *fds, int nfds);
/* Say what is not answered. 0 or -errno. */
int shim_local_tell(struct shim_session *s, unsigned type, uint64_t arg0, uint64_t arg1);
/* Ask for a descriptor. Returns it or -errno; -EMFILE: it was sent, and there was no room for it. */
int shim_local_ask_for(struct shim_session *s, struct fc_msg m);
int shim_local_ask_for_one(struct shim_session *s, unsigned type, uint64_t arg);
/* The second part of an answer. 0 or -errno. */
int shim_local_ask_on(struct shim_session *s, unsigned type);

/* ---- as in struct shim_transport ---- */

int shim_local_hand(struct shim_session *s, int descriptor);
int shim_local_lease(struct shim_session *s, int descriptor, uint64_t wants, struct shim_grant *g);
void shim_local_give_back(struct shim_session *s, uint64_t word);
int shim_local_pass(struct shim_session *s, int descriptor, int to, int self);
int shim_local_claim(struct shim_session *s, int ticket, struct shim_other *o);
int shim_local_bind(struct shim_session *s, int sock, const char *path);
int shim_local_watch(struct shim_session *s, int inotify, int descriptor, uint32_t mask);
int shim_local_map(struct shim_session *s, size_t size, bool writable, long *at);
int shim_local_areas(struct shim_session *s, void (*init)(struct fc_request_area *area));
int shim_local_grow(struct shim_session *s, size_t length);
int shim_local_shrink(struct shim_session *s, size_t length);

#endif
