/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * t_copy_once.c - arguments that change while they are used: paths, vectors, structures in the shared areas. Whatever
 * is checked is a copy, and the copy is what is used: nothing outside is opened, nothing beside a buffer is touched, no
 * shadow dies of it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/attack/attack.h"

#define SECONDS 1.5
#define INSIDE "inside"

enum { PATH = 0, HOW = 8192, VECTOR = 12288, LOCK = 20480, BUFFER = 65536, BUFFER_BYTES = 4096 };

static struct session s;
static _Atomic bool stop;

/* ---- the changes ---- */

static void flip(uint64_t offset, const void *a, const void *b, size_t size)
{
	memcpy(s.data + offset, a, size);
	atomic_signal_fence(memory_order_seq_cst);
	memcpy(s.data + offset, b, size);
	atomic_signal_fence(memory_order_seq_cst);
}

/* As long as each other, so that every mixture is a path too. */
static const char good_path[] = "/data/directory/../directory/./file";
static const char bad_path[] = "/data/directory/../../outside//file";

static void *flip_paths(void *arg)
{
	_Static_assert(sizeof good_path == sizeof bad_path, "no byte more");
	while (!atomic_load(&stop))
		flip(PATH, good_path, bad_path, sizeof good_path);
	return arg;
}

/* One right vector, and another one. */
static void flip_vectors(const uint64_t offsets[6], const uint64_t lengths[6])
{
	for (unsigned i = 0; !atomic_load(&stop); i++) {
		struct fc_iovec one = { BUFFER, 16 }, other = { offsets[i % 6], lengths[i / 6 % 6] };

		flip(VECTOR + i % 4 * sizeof one, &one, &other, sizeof one);
	}
}

static void *flip_structures(void *arg)
{
	struct open_how inside = { .flags = O_RDONLY, .resolve = RESOLVE_BENEATH }, outside = { .flags = O_RDWR };
	struct flock lock = { .l_type = F_RDLCK }, none = { .l_type = 99, .l_whence = 99, .l_len = -1 };

	while (!atomic_load(&stop)) {
		flip(HOW, &inside, &outside, sizeof inside);
		flip(LOCK, &lock, &none, sizeof lock);
	}
	return arg;
}

static void *flip_lengths(void *arg)
{
	static const uint64_t offsets[6] = { BUFFER, BUFFER + 1, 0, BUFFER, FC_DATA_MIN - 4096, BUFFER };
	static const uint64_t lengths[6] = { 16, 0, 1, BUFFER_BYTES, 8, 4096 };

	flip_vectors(offsets, lengths);
	return arg;
}

static void *flip_limits(void *arg)
{
	static const uint64_t offsets[6] = {
		BUFFER, UINT64_MAX - 4096, FC_DATA_MIN - 8, FC_DATA_MAX, 1ull << 47, BUFFER
	};
	static const uint64_t lengths[6] = { 16, UINT64_MAX, 1ull << 40, BUFFER_BYTES, 1ull << 63, FC_DATA_MIN };

	flip_vectors(offsets, lengths);
	return arg;
}

static void *flip_entries(void *arg)
{
	for (unsigned i = 0; !atomic_load(&stop); i++) {
		struct fc_entry *e = &s.area->entry[0];

		__atomic_store_n(&e->arg[i % 6], i % 3 ? BUFFER : UINT64_MAX - i, __ATOMIC_RELAXED);
		__atomic_store_n(&e->nr, i % 2 ? SYS_pread64 : SYS_getdents64, __ATOMIC_RELAXED);
	}
	return arg;
}

/* ---- the requests ---- */

static void expect_inside(int64_t fd)
{
	char text[sizeof INSIDE] = "";

	if (fd < 0)
		return;
	if (ATTEMPT(&s, SYS_pread64, fd, BUFFER, sizeof text - 1, 0) == (int64_t)sizeof text - 1)
		memcpy(text, s.data + BUFFER, sizeof text - 1);
	EXPECT(!strcmp(text, INSIDE), "a file has been opened that is not inside: %s", text);
	ATTEMPT(&s, SYS_close, fd);
}

static void ask_paths(int64_t fd)
{
	(void)fd;
	expect_inside(ATTEMPT(&s, SYS_openat, (uint64_t)AT_FDCWD, PATH, O_RDONLY));
	ATTEMPT(&s, SYS_newfstatat, (uint64_t)AT_FDCWD, PATH, BUFFER, 0);
}

static void ask_structures(int64_t fd)
{
	session_put(&s, PATH, "file");
	ATTEMPT(&s, SYS_fcntl, fd, F_SETLK, LOCK);
	ATTEMPT(&s, SYS_close, ATTEMPT(&s, SYS_openat2, fd, PATH, HOW, sizeof(struct open_how)));
}

static void ask_vectors(int64_t fd)
{
	ATTEMPT(&s, SYS_preadv2, fd, VECTOR, 4, 0, 0, 0);
	ATTEMPT(&s, SYS_pwritev2, fd, VECTOR, 4, 0, 0, 0);
}

static void ask_entries(int64_t fd)
{
	for (int i = 0; i < 8; i++)
		ATTEMPT(&s, SYS_pread64, fd, BUFFER, 16, 0);
}

/* A session that is cut off for nonsense, in order, is one thing; a shadow that dies of it is another. */
static void race(void *(*change)(void *), void (*ask)(int64_t), bool may_be_cut_off)
{
	double end = attack_now() + SECONDS;
	unsigned rounds = 0, cut_off = 0;
	pthread_t thread;
	int64_t fd;

	while (attack_now() < end) {
		CHECK_IS(attack_open(&s), 0);
		fd = attack_open_file(&s, "/data/own", O_CREAT | O_RDWR, 0600);
		CHECK(fd >= 0);
		session_put(&s, PATH, good_path); /* there is one before the first change */
		atomic_store(&stop, false);
		CHECK(!pthread_create(&thread, NULL, change, NULL));
		for (; attack_now() < end && !attack_lost(&s); rounds++)
			ask(fd);
		atomic_store(&stop, true);
		pthread_join(thread, NULL);
		if (attack_lost(&s)) {
			cut_off++;
			peer_hangs_up(s.sock, 1000);
			EXPECT(s.area->header.poisoned, "a shadow has died");
			EXPECT(may_be_cut_off, "the session is over");
		}
		session_close(&s);
	}
	printf("# %u rounds, %u times cut off\n", rounds, cut_off);
}

static void paths(void)
{
	race(flip_paths, ask_paths, false);
}

static void structures(void)
{
	race(flip_structures, ask_structures, false);
}

static void lengths(void)
{
	race(flip_lengths, ask_vectors, false);
}

static void limits(void)
{
	race(flip_limits, ask_vectors, true);
}

static void entries(void)
{
	race(flip_entries, ask_entries, true);
}

static void make_tree(void)
{
	char path[128];
	int fd;

	CHECK(!mkdir(attack_file("directory"), 0755));
	attack_make_file("directory/file", INSIDE, 0, 0644);
	snprintf(path, sizeof path, "%s/outside", attack_domain.directory);
	CHECK(!mkdir(path, 0755));
	strcat(path, "/file");
	fd = open(path, O_CREAT | O_WRONLY, 0644);
	CHECK(fd >= 0 && write(fd, "outsid", 6) == 6);
	close(fd);
}

int main(void)
{
	attack_begin(NULL);
	make_tree();
	attack_by(ATTACKER, "paths that change", paths);
	attack_by(ATTACKER, "structures that change", structures);
	attack_by(ATTACKER, "vectors that change", lengths);
	attack_by(ATTACKER, "vectors that come to lie outside", limits);
	attack_by(ATTACKER, "requests that change", entries);
	return attack_end();
}
