/* SPDX-License-Identifier: GPL-2.0-or-later */
/* map.h - a client's shared mappings of files that are not handed over: which there are is map.c's, that memory and file are the same merge.c's. */
#ifndef FC_DOMAIN_MAP_H
#define FC_DOMAIN_MAP_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "farcall/abi.h"

/* What all shadows with the same open file know of it. */
struct fc_map_common {
	pthread_mutex_t lock;
	uint32_t shadows, calls; /* of the clients' on the file, that are under way */
	pid_t leaser;            /* whose thread is told; 0 = there is no lease */
	int64_t size;            /* of the file when it was last merged */
};

struct fc_map_file {
	struct fc_map_common *common; /* null: free */
	uint64_t dev, ino;
	int fd;
	bool writable;
	/* Both 0: its closing is put off, for it would cost the client its record locks. */
	unsigned maps, users; /* mappings, and who is about to do something with it */
};

enum fc_map_state { FC_MAP_FREE, FC_MAP_OFFERED, FC_MAP_LIVE };
struct fc_map {
	enum fc_map_state state;
	struct fc_map_file *file;
	char *memory; /* the client's, which it changes at any time */
	char *base;   /* as it was when it was last the file's */
	uint64_t length, offset, paid;
};

/* ---- merge.c. The lock of what is common is held, and the mappings' ---- */

/* What the client has changed goes into the file; if `pulls`, what others have changed comes into the memory. `size`: as the file's is now. `alone`: nobody else
 * can have changed the file. 0 or -errno: some of it could not be. */
int fc_map_merge(struct fc_map *m, bool pulls, bool alone, int64_t size);

/* The memory is the file's, up to its end. */
int fc_map_fill(struct fc_map *m);

#endif
