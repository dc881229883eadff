/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * client.h - the memory that a hostile client shares with the worker under test. It owns that memory and its changes between any
 * two of the worker's reads; it does not know what is in it.
 */
#ifndef FC_TESTS_FUZZ_CLIENT_H
#define FC_TESTS_FUZZ_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "farcall/abi.h"
#include "storage-domain/shadow/shadow.h"

#define CLIENT_SEGMENTS 3

enum client_memory { CLIENT_NONE, CLIENT_AREA, CLIENT_DATA };

/* Whose bytes those are; fails if they lie only partly in the shared memory, or behind the end of a segment. */
enum client_memory client_owns(const void *at, size_t n);

/* Bytes from there to the end of its data segment. */
size_t client_room(const void *at);

/* Fresh memory, mapped into s. `policy`: how the client changes what has just been read (client.c). */
void client_begin(struct fc_shadow *s, unsigned policy);
void client_length(uint64_t bytes);

/* A request begins, for which the length now is the bound. */
void client_request(void);

/* Do the shared memory's words stay what they are while the worker runs? Set by whoever scribbles over the request area. */
extern bool client_scribbled, client_raided;

/* From here on the worker runs, and the client strikes; or not. */
void client_armed(bool armed);

/* The client changes some word of its memory now. */
void client_strike(void);

char *client_at(uint64_t offset);

#endif
