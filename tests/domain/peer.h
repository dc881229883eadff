/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * peer.h - a bare client of a real farcall-storaged: control messages, areas, calls; and the daemon itself, started and
 * ended. Everything a well-behaved client can do, with the pieces in reach of one that is not. Not a test itself.
 */
#ifndef FC_TESTS_PEER_H
#define FC_TESTS_PEER_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>

#include "common/control.h"
#include "farcall/abi.h"

/* A failed check ends the program: with a line, and a status that is neither 0 nor 77. */
#define CHECK(condition)                                                                                      \
	do {                                                                                                  \
		if (!(condition)) {                                                                           \
			fprintf(stderr, "%s:%d: %s: failed: %s\n", __FILE__, __LINE__, __func__, #condition); \
			exit(1);                                                                              \
		}                                                                                             \
	} while (0)
#define CHECK_IS(value, want)                                                                                      \
	do {                                                                                                       \
		long long is_ = (long long)(value), want_ = (long long)(want);                                     \
		if (is_ != want_) {                                                                                \
			fprintf(stderr, "%s:%d: %s: %s is %lld, not %lld\n", __FILE__, __LINE__, __func__, #value, \
				is_, want_);                                                                       \
			exit(1);                                                                                   \
		}                                                                                                  \
	} while (0)

/* ---- the daemon ---- */

struct daemon {
	uid_t uid; /* set by the caller: whom to run it as; -1 for ourselves */
	pid_t pid;
	char directory[64]; /* a fresh one */
	char export[80];    /* in it, served at /data */
	char socket[80];
};

/* Start `path` with one export and wait until it listens. Extra arguments up to a null pointer. */
void daemon_start(struct daemon *d, const char *path, const char *const *extra);
/* The same with the directory of one that has ended. */
void daemon_again(struct daemon *d, const char *path, const char *const *extra);
/* Run it with these arguments (argv[0] given) and return its exit status; its stderr goes to `said`. */
int daemon_run(const char *const *argv, char *said, size_t room);
/* SIGTERM, wait, remove its directory. Returns its exit status, or 128 + signal. */
int daemon_stop(struct daemon *d);
/* The last of this, for one that somebody else has seen end. */
void daemon_remove(struct daemon *d);

/* Become somebody else altogether; -1 for nobody else. */
void become(uid_t uid);

/* ---- control messages ---- */

int peer_connect(const struct daemon *d);
/* Ask with up to two arguments. Returns the status or a transport error; *answer may be null. */
int peer_ask(int sock, unsigned type, uint64_t a, uint64_t b, struct fc_packet *answer);
int peer_ask_fds(int sock, unsigned type, uint64_t a, const int *fds, int nfds, struct fc_packet *answer);
void peer_tell(int sock, unsigned type, uint64_t a, uint64_t b);
/* Does the other end hang up within `ms`? */
bool peer_hangs_up(int sock, int ms);

/* ---- a session ---- */

struct session {
	int sock;
	uint64_t token[2];
	uint32_t id;
	struct fc_request_area *area;
	char *data;
	uint64_t length;
};

/* A memfd of `size` bytes, sealed, and touched, as it must be. */
int peer_memfd(uint64_t size);
/* Map and offer areas on a session that has none. Returns the answer's status. */
int session_areas(struct session *s);
int session_grow(struct session *s);
void session_open(struct session *s, const struct daemon *d);
/* Forget it: close the connection, unmap. */
void session_close(struct session *s);

/* A request in entry 0, with one path (put at offset 0 of the data area) or none. */
int64_t session_call(struct session *s, unsigned nr, const uint64_t arg[6]);
#define CALL(s, nr, ...) session_call(s, nr, (const uint64_t[6]){ __VA_ARGS__ })
/* Put a string at `offset`; returns `offset`. */
uint64_t session_put(struct session *s, uint64_t offset, const char *text);

#endif
