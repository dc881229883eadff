/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * farcall.h - the public face: what `farcall stat` and other programs can learn of a running domain.
 *
 * A FC_MSG_STAT request (control.h) is answered with a memfd that holds one struct fc_stat_domain, followed by
 * `sessions` struct fc_stat_session. Counters only grow while a session lives; the domain's own totals include the
 * sessions that have ended.
 */
#ifndef FARCALL_FARCALL_H
#define FARCALL_FARCALL_H

#ifdef __KERNEL__
#include <linux/types.h>
#else
#include <stdint.h>
#endif

#define FC_STAT_MAGIC 0x31746174536c6c61ull

/* Counters of 8 bytes each, and nothing else: they are summed as such. */
struct fc_stat_counters {
	uint64_t calls;         /* requests completed */
	uint64_t errors;        /* of these, with a negative result */
	uint64_t bytes_in;      /* written by clients */
	uint64_t bytes_out;     /* read by clients */
	uint64_t spin_hits;     /* requests found while spinning */
	uint64_t sleeps;        /* times a worker went to sleep */
	uint64_t wakeups;       /* times the domain woke a sleeping client */
	uint64_t interrupts;    /* calls interrupted for a signal */
	uint64_t leases;        /* files delegated */
	uint64_t leases_broken; /* of these, taken back because somebody else wanted the file */
	uint64_t posts;         /* writes that nobody waited for */
};

struct fc_stat_domain {
	uint64_t magic;
	uint32_t size;         /* of this struct */
	uint32_t session_size; /* of the next one */
	uint64_t generation;
	uint64_t uptime_ns;
	uint32_t pid;      /* supervisor */
	uint32_t sessions; /* that follow */
	uint64_t attached; /* sessions ever */
	uint64_t cut_off;  /* sessions ended for breaking the protocol */
	struct fc_stat_counters total;
};

struct fc_stat_session {
	uint32_t id;
	uint32_t client_pid;
	uint32_t shadow_pid;
	uint32_t uid;
	uint32_t queue_depth; /* requests waiting right now */
	uint32_t workers;
	uint32_t awake;       /* of these, executing or spinning */
	uint32_t descriptors; /* open domain descriptors */
	uint64_t data_bytes;  /* size of the data area */
	uint64_t age_ns;
	char comm[16];
	struct fc_stat_counters count;
};

#endif
