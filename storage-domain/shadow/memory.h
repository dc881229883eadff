/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * memory.h - how a client's memory gets into its shadow: memfds that came with a message (memory_local.c), or grants that a
 * message names (xen/memory.c). Which message means what, and what may be asked for, is areas.c's. One session per process, so
 * an implementation keeps its state in static variables.
 */
#ifndef FC_DOMAIN_MEMORY_H
#define FC_DOMAIN_MEMORY_H

#include "common/control.h"
#include "common/doorbell.h"

struct fc_memory {
	/* The client's next message, as fc_control_recv has it without waiting, but with no descriptor in it that could be used. Memory
	 * that it brought is kept for the functions below. `alone`: the caller shares its descriptors with no thread, and none is the client's;
	 * then only AREAS may bring any. */
	int (*receive)(struct fc_packet *p, bool alone);

	/* Let go of what the last message brought and nobody has mapped. */
	void (*discard)(void);

	/* What a message with one part (GROW) or two (AREAS) must bring. */
	bool (*complete)(const struct fc_packet *p, unsigned parts);

	/* Map the request area, which is part 0 of AREAS. Not inherited by forks. 0, -EPROTO (the client's fault) or -errno. */
	int (*map_area)(const struct fc_packet *p, void **at);

	/* The same for `size` bytes of the data area from `offset` on: part 1 of AREAS, part 0 of GROW. */
	int (*map_segment)(const struct fc_packet *p, unsigned part, uint64_t offset, uint64_t size, void **at);

	/* `size` bytes for a shared mapping, part 0 of MAP. */
	int (*map_shared)(const struct fc_packet *p, uint64_t size, void **at);

	/* Any thread with the workers' descriptors. Null: munmap(2) is all there is to do. */
	void (*unmap_shared)(void *at, uint64_t size);

	/* In a forked child, as which its transport knows it: what was at *at is anywhere. 0 or -errno. Null: it has come along. */
	int (*map_again)(void **at);

	/* Take a segment away. Workers of a client that keeps to the protocol do not use it any more. */
	int (*unmap_segment)(void *at, uint64_t offset, uint64_t size);

	/* Unmap what is mapped: no worker runs. `area` may be null, `length` 0. */
	void (*unmap_all)(void *area, char *const segment[], uint64_t length);

	/* In a forked child: the mappings have not come along. */
	void (*forget)(void);
};

extern const struct fc_memory fc_memory_local, fc_memory_xen;

/* areas.c, for both: room for the largest data area, with an inaccessible page behind it. 0 or -errno. */
int fc_memory_reserve(char **at);

#endif
