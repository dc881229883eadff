/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_file.c - libc-shim/process/file.c and libc-shim/pool.c without a domain: references, names, copies, and that a million opens and closes,
 * in four threads at once, lose nothing.
 */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "libc-shim/process/file.h"
#include "libc-shim/process/process.h"

TestSuite(file, .timeout = 60);

static struct shim_process process;
static struct shim_process *const p = &process;

/* session/lease.c and session/post.c are not here */
static struct shim_file *ended, *asked;

/* After its delegation has ended: until then there may be more. */
int shim_post_error(struct shim_process *of, struct shim_file *f)
{
	cr_assert(of == p && !fc_load(&f->refs) && (!f->lease.word || fc_load(&ended) == f));
	fc_store(&asked, f);
	return 0;
}

void shim_lease_end(struct shim_process *of, struct shim_file *f)
{
	cr_assert(of == p && !fc_load(&f->refs));
	fc_store(&ended, f);
}

static void setup(void)
{
	p->fd = mmap(NULL, SHIM_FDS * sizeof *p->fd, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	cr_assert_neq(p->fd, MAP_FAILED);
	shim_files_init(&p->files);
}

static uint64_t make(unsigned domain, int descriptor, uint32_t flags, uint64_t dir, const char *path)
{
	struct shim_file is = { .domain = domain, .descriptor = descriptor, .flags = flags, .forks = p->files.forks };

	return shim_file_new(p, &is, dir, path);
}

static uint64_t put(int fd, uint64_t bits)
{
	return p->fd[fd] = shim_fd_word(1, 100 + fd, bits);
}

Test(file, what_open_says_is_known, .init = setup)
{
	uint64_t w = put(3, make(1, 103, 0x1234, 0, "/data/a"));
	const struct shim_file *f = shim_file_of(p, w);

	cr_assert(f && f->refs == 1 && f->domain == 1 && f->descriptor == 103 && f->flags == 0x1234);
	cr_assert_str_eq(shim_file_path(p, f), "/data/a");
	cr_assert_eq(shim_fd_number(w), 103);
	cr_assert_eq(shim_fd_domain(w), 1);
	cr_assert_null(shim_file_of(p, shim_fd_word(1, 3, SHIM_FD_DIRECT)));
}

Test(file, a_path_is_relative_to_a_directory, .init = setup)
{
	uint64_t dir = put(3, make(1, 103, 0, 0, "/data"));
	uint64_t w = put(4, make(1, 104, 0, dir, "b/c"));
	uint64_t unknown = put(5, make(1, 105, 0, 0, "b/c"));

	cr_assert_str_eq(shim_file_path(p, shim_file_of(p, w)), "/data/b/c");
	cr_assert_null(shim_file_path(p, shim_file_of(p, unknown)));
}

Test(file, paths_of_all_lengths, .init = setup)
{
	static char path[FC_PATH_MAX + 2] = "/";

	for (size_t n = 1; n <= FC_PATH_MAX; n += n < 300 ? 1 : 97) {
		memset(path + 1, 'a', n - 1);
		path[n] = 0;
		uint64_t w = put(3, make(1, 103, 0, 0, path));
		const char *kept = shim_file_path(p, shim_file_of(p, w));

		if (n < FC_PATH_MAX)
			cr_assert_str_eq(kept, path);
		else
			cr_assert_null(kept);
		shim_file_drop(p, w);
	}
}

Test(file, the_last_descriptor_frees_it, .init = setup)
{
	uint64_t w = put(3, make(1, 103, 0, 0, "/data/a"));
	uint64_t copy = put(4, shim_file_hold(p, &p->fd[3], w));

	cr_assert_eq(shim_fd_file(copy), shim_fd_file(w));
	cr_assert_eq(shim_file_of(p, w)->refs, 2);
	shim_file_drop(p, w);
	p->fd[3] = 0;
	cr_assert_eq(shim_file_of(p, copy)->refs, 1);
	cr_assert_str_eq(shim_file_path(p, shim_file_of(p, copy)), "/data/a");
	shim_file_drop(p, copy);
	uint64_t next = make(1, 103, 0, 0, "/data/b");
	cr_assert_eq(shim_fd_file(next), shim_fd_file(w), "the record is used again");
}

Test(file, the_last_descriptor_ends_its_delegation, .init = setup)
{
	uint64_t w = put(3, make(1, 103, 0, 0, NULL)), again = put(4, shim_file_hold(p, &p->fd[3], w));
	struct shim_file *f = shim_file_of(p, w);

	cr_assert_eq(f->lease.word, 0);
	f->lease.word = 512;
	shim_file_drop(p, w);
	cr_assert_null(ended);
	shim_file_drop(p, again);
	cr_assert_eq(ended, f);
	cr_assert_eq(asked, f, "what has failed would be the next file's");
	cr_assert_eq(shim_file_of(p, put(3, make(1, 103, 0, 0, NULL)))->lease.word, 0);
}

Test(file, none_for_a_descriptor_that_has_gone, .init = setup)
{
	uint64_t w = put(3, make(1, 103, 0, 0, "/data/a"));

	p->fd[3] = 0;
	shim_file_drop(p, w);
	cr_assert_eq(shim_file_hold(p, &p->fd[3], w), 0);
	uint64_t other = put(3, make(1, 107, 0, 0, "/data/b"));
	p->fd[3] = other + 1; /* another domain descriptor, the same record */
	cr_assert_eq(shim_file_hold(p, &p->fd[3], other), 0);
	cr_assert_eq(shim_file_of(p, other)->refs, 1);
}

Test(file, forks_share_what_was_open, .init = setup)
{
	uint64_t before = put(3, make(1, 103, 0, 0, "/data/a"));

	cr_assert_not(shim_file_shared(p, shim_file_of(p, before)));
	shim_files_forked(&p->files);
	uint64_t after = put(4, make(1, 104, 0, 0, "/data/b"));
	cr_assert(shim_file_shared(p, shim_file_of(p, before)));
	cr_assert_not(shim_file_shared(p, shim_file_of(p, after)));
}

Test(file, a_copy_is_apart, .init = setup)
{
	static struct shim_process copy;
	uint64_t w = put(3, make(1, 103, 0, 0, "/data/a"));

	cr_assert(shim_files_copy(&copy.files, &p->files));
	shim_file_drop(p, w);
	make(1, 9, 0, 0, "/data/other");
	cr_assert_eq(shim_file_of(&copy, w)->refs, 1);
	cr_assert_str_eq(shim_file_path(&copy, shim_file_of(&copy, w)), "/data/a");
	uint64_t mine = shim_file_new(&copy, &(struct shim_file){ .domain = 1, .descriptor = 104 }, 0, "/data/c");
	cr_assert_neq(shim_fd_file(mine), shim_fd_file(w));
	shim_files_unmap(&copy.files);
	cr_assert_eq(copy.files.records.top, 1);
}

Test(file, shared_descriptors_have_no_records, .init = setup)
{
	uint64_t w = put(3, make(1, 103, 0, 0, "/data/a"));

	p->shared = true;
	cr_assert_eq(make(1, 104, 0, 0, "/data/b"), 0);
	cr_assert_eq(shim_file_hold(p, &p->fd[3], w), 0);
	shim_file_drop(p, w);
	cr_assert_eq(shim_file_of(p, w)->refs, 1, "others have it still");
}

static void *open_and_close(void *first)
{
	char path[300];

	for (int i = 0; i < 250000; i++) {
		int fd = *(int *)first + i % 50;
		int n = snprintf(path, sizeof path, "/%d/%0*d", fd, 1 + i % 250, i);

		if (p->fd[fd]) {
			shim_file_drop(p, p->fd[fd]);
			p->fd[fd] = 0;
		} else {
			uint64_t w = put(fd, make(1, 100 + fd, 0, 0, path));

			cr_assert_eq(strlen(shim_file_path(p, shim_file_of(p, w))), (size_t)n);
			cr_assert_str_eq(shim_file_path(p, shim_file_of(p, w)), path);
		}
	}
	for (int fd = *(int *)first; fd < *(int *)first + 50; fd++)
		if (p->fd[fd])
			shim_file_drop(p, p->fd[fd]);
	return NULL;
}

Test(file, a_million_opens_and_closes, .init = setup)
{
	pthread_t thread[4];
	int first[4];

	for (int i = 0; i < 4; i++) {
		first[i] = 100 + i * 100;
		pthread_create(&thread[i], NULL, open_and_close, &first[i]);
	}
	for (int i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
	cr_assert_leq(p->files.records.top, 4 * 50 + 5, "%u records", p->files.records.top);
	for (int i = 0; i < SHIM_NAMES; i++)
		cr_assert_leq(p->files.names[i].top, 4 * 50 + 5);
}

/* Goes from one directory to the next; their names are of one letter each, and of all lengths. */
static void *wander(void *stop)
{
	char path[1000];

	for (int i = 0; !fc_load((uint32_t *)stop); i++) {
		int n = 1 + i * 37 % 900;

		memset(path, 'a' + i % 26, sizeof path);
		path[0] = '/';
		path[1 + n] = 0;
		shim_file_enter(p, make(1, -1, 0, 0, path));
	}
	return NULL;
}

Test(file, a_directory_is_left_while_it_is_looked_at, .init = setup)
{
	uint32_t stop = 0;
	pthread_t thread;

	pthread_create(&thread, NULL, wander, &stop);
	for (int i = 0; i < 300000; i++) {
		uint64_t dir = shim_file_hold(p, &p->cwd_file, fc_load(&p->cwd_file));
		uint64_t w = make(1, 104, 0, dir, "in");
		const char *path = dir ? shim_file_path(p, shim_file_of(p, w)) : NULL;

		if (path) {
			size_t n = strspn(path + 1, (char[2]){ path[1] });

			cr_assert_str_eq(path + 1 + n, "/in", "%s", path);
		}
		shim_file_drop(p, dir);
		shim_file_drop(p, w);
	}
	fc_store(&stop, 1u);
	pthread_join(thread, NULL);
	shim_file_enter(p, 0);
	cr_assert_leq(p->files.records.top, 5, "%u records", p->files.records.top);
}
