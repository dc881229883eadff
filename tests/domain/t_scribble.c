/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * t_scribble.c - hostile sessions against the execution side: random requests while another thread writes random words
 * all over the areas. Half of the sessions are wild, and soon cut off; the others keep offsets in range and the request
 * area whole, so that they get further; a third has mappings, and other calls on the same file. No session may crash, and its workers must stop when told. Runs for
 * FC_STRESS_SECONDS (5).
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/doorbell.h"
#include "farcall/wire.h"
#include "play.h"

#define DATA_BYTES (1u << 20)
#define PATHS 64u
#define LISTS (768u << 10) /* no paths there: what is taken for an iovec is small numbers */
#define SESSION_NS 150000000ull

static const char *const name[] = { "f",          "d",
				    "d/f",        "l",
				    "abs/x",      "/data/f",
				    "/data/../x", "/mnt/other/g",
				    "..",         ".",
				    "",           "fifo",
				    "loop",       "/data/d/../../mnt/other/y",
				    "d/new",      "new/",
				    "/data",      "up/up/up" };

static bool wild, mapping;

static uint64_t random64(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

static void plant_paths(uint64_t *seed)
{
	for (unsigned i = 0; i < PATHS; i++)
		play_put(i * FC_PATH_MAX, name[random64(seed) % (sizeof name / sizeof *name)]);
}

static uint64_t any_value(uint64_t *seed)
{
	uint64_t r = random64(seed);

	switch (r >> 60) {
	case 0:
		return r & 15;
	case 1:
	case 2:
	case 3:
		return FC_DOMAIN_FD_FIRST + (r & 15);
	case 4:
		return (uint64_t)AT_FDCWD;
	case 5:
		return FC_NULL;
	case 6:
		return r & 0xffff;
	case 7:
		return DATA_BYTES - (r & 0x1fff);
	case 8:
		return r & 0777777;
	case 9:
		return random64(seed);
	default:
		return (r % PATHS) * FC_PATH_MAX;
	}
}

static uint64_t likely(uint64_t *seed)
{
	uint64_t v = any_value(seed);

	return wild ? v : v % (DATA_BYTES / 2);
}

static unsigned likely_nr(uint64_t *seed)
{
	unsigned nr;

	if (random64(seed) % 16 == 0)
		return FC_NR_PRIVATE + random64(seed) % 8;
	do
		nr = random64(seed) % 512;
	while (!fc_row_by_nr(nr));
	return nr;
}

static volatile bool over;

#define MAPS 8
#define MAP_BYTES (3u * FC_PAGE_SIZE)

static char *mapped[MAPS]; /* our side of it */

/* Memory for mappings, until there is no more room. */
static void offer_maps(void)
{
	static unsigned next;
	int fd = memfd_create("map", MFD_CLOEXEC);
	char *ours, *theirs;

	if (fd < 0 || ftruncate(fd, MAP_BYTES))
		_exit(3);
	ours = mmap(NULL, MAP_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	theirs = mmap(NULL, MAP_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (ours == MAP_FAILED || theirs == MAP_FAILED)
		_exit(3);
	if (fc_maps_offer(&play, theirs, MAP_BYTES) < 0)
		munmap(theirs, MAP_BYTES);
	ours = fc_xchg(&mapped[next++ % MAPS], ours);
	(void)ours; /* it may be written to just now */
}

static void scribble_map(uint64_t *seed)
{
	char *at = fc_load(&mapped[random64(seed) % MAPS]);

	if (at)
		((volatile char *)at)[random64(seed) % MAP_BYTES] = (char)random64(seed);
}

static void *scribble(void *arg)
{
	uint64_t seed = (uintptr_t)arg, word;

	while (!over) {
		word = random64(&seed);
		scribble_map(&seed);
		for (int i = 0; i < 64 && !mapping; i++)
			*(volatile uint64_t *)play_at(random64(&seed) % DATA_BYTES & ~7ull) = likely(&seed);
		if (wild && word % 1000 == 0)
			((volatile uint64_t *)play.area)[random64(&seed) % (sizeof *play.area / 8)] =
				word >> (word & 63);
		if (word % 64 == 0 && !mapping)
			plant_paths(&seed);
	}
	return NULL;
}

/* What a session makes whose mappings are to get somewhere: all is as it must be, but for what is meant by it. */
static void map_request(struct fc_entry *e, uint64_t *seed)
{
	const uint64_t fd = FC_DOMAIN_FD_FIRST + random64(seed) % 8, number = random64(seed) % FC_MAPS_MAX;
	const uint64_t data = LISTS + random64(seed) % 4096, bytes = random64(seed) % 4096;
	const struct {
		unsigned nr;
		uint64_t arg[4];
	} any[] = {
		{ SYS_openat, { (uint64_t)AT_FDCWD, 0, O_RDWR | O_CREAT | (random64(seed) % 2 ? O_APPEND : 0), 0600 } },
		{ FC_NR_MAP,
		  { fd, number, random64(seed) % 8 * FC_PAGE_SIZE, random64(seed) % 4 ? 0 : random64(seed) % 66 } },
		{ FC_NR_MAP, { fd, number, 0, 0 } },
		{ FC_NR_UNMAP, { number } },
		{ FC_NR_MAP_SYNC, { number, random64(seed) % 2 } },
		{ SYS_pwrite64, { fd, data, bytes, random64(seed) % 20000 } },
		{ SYS_pread64, { fd, data, bytes, random64(seed) % 20000 } },
		{ SYS_ftruncate, { fd, random64(seed) % 20000 } },
		{ SYS_close, { random64(seed) % 4 ? 9999 : fd } },
	};
	const unsigned i = (unsigned)(random64(seed) % (sizeof any / sizeof *any));

	e->nr = (uint16_t)any[i].nr;
	memcpy(e->arg, any[i].arg, sizeof any[i].arg);
}

/* Fill entries and queue them, as many as there is room for, without ever waiting for one. */
static void submit_all(uint64_t *seed)
{
	for (unsigned i = 0; i < FC_ENTRIES; i++) {
		struct fc_entry *e = &play.area->entry[i];
		uint32_t state = fc_load_acquire(&e->state);

		if (state == FC_QUEUED || state == FC_ASLEEP)
			continue;
		e->nr = likely_nr(seed);
		e->nonce++;
		for (int k = 0; k < 6; k++)
			e->arg[k] = likely(seed);
		if (mapping)
			map_request(e, seed);
		if (fc_row_by_nr(e->nr) && fc_row_by_nr(e->nr)->arg[0].kind == FC_KIND_DIRFD)
			e->arg[0] = (uint64_t)AT_FDCWD;
		if (random64(seed) % 16 == 0 && e->nr < FC_NR_PRIVATE)
			e->arg[1 + random64(seed) % 3] = FC_NULL;
		for (int k = 0; k < 6 && !wild && fc_row_by_nr(e->nr); k++)
			if (fc_row_by_nr(e->nr)->arg[k].kind == FC_KIND_IOV_IN ||
			    fc_row_by_nr(e->nr)->arg[k].kind == FC_KIND_IOV_OUT)
				e->arg[k] = LISTS + random64(seed) % 1000 * 16;
		if (!wild && (e->nr == FC_NR_STREAM_READ || e->nr == FC_NR_STREAM_WRITE)) {
			e->arg[3] = LISTS + 8 * (random64(seed) % 1000);
			e->arg[4] = 1 + random64(seed) % FC_STREAM_SLOTS_MAX;
		}
		fc_store(&e->state, FC_QUEUED);
		if (fc_queue_enqueue(&play.area->queue, i))
			return;
		fc_bell_ring(&fc_bell_local, &play.area->header);
	}
}

static void session(uint64_t seed)
{
	pthread_t t;
	uint64_t end = play_ns() + SESSION_NS;

	mapping = seed % 3 == 0;
	wild = !mapping && seed & 2;
	play_start(DATA_BYTES);
	plant_paths(&seed);
	play_put(0, mapping ? "mapped" : "f");
	pthread_create(&t, NULL, scribble, (void *)(uintptr_t)(seed | 1));
	while (play_ns() < end) {
		for (int i = 0; i < 4; i++)
			offer_maps();
		submit_all(&seed);
		usleep(500);
	}
	over = true;
	pthread_join(t, NULL);
	_exit(fc_workers_stop(&play) ? 2 : 0);
}

int main(void)
{
	const char *seconds = getenv("FC_STRESS_SECONDS");
	unsigned sessions = 0, cut_off = 0;
	uint64_t seed, end;
	int status;

	play_world();
	seed = play_ns() | 1;
	end = play_ns() + (seconds ? strtoul(seconds, NULL, 10) : 5) * 1000000000ull;
	for (; play_ns() < end; sessions++) {
		uint64_t mine = random64(&seed);
		pid_t child;

		fflush(stdout);
		child = fork();
		if (!child)
			session(mine);
		if (waitpid(child, &status, 0) != child)
			return 1;
		if (WIFEXITED(status) && WEXITSTATUS(status) == PLAY_POISONED) {
			cut_off++;
		} else if (status) {
			printf("session with seed %lu: status %#x\n", (unsigned long)mine, status);
			return 1;
		}
	}
	printf("%u sessions, %u cut off, none crashed\n", sessions, cut_off);
	return 0;
}
