/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_remote.c - libc-shim/calls/remote.c without a domain: how the arguments of a row travel and come back, by their kinds, what becomes of
 * memory that cannot be read or written, and of a domain that lies. The domain is a function of the test's, which sees what there is on the
 * wire; memory from REFUSED on cannot be copied.
 */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "farcall/wire.h"
#include "libc-shim/calls/remote.h"
#include "libc-shim/process/fork.h"
#include "libc-shim/session/data.h"
#include "libc-shim/shim.h"
#include "libc-shim/trace.h"

TestSuite(remote, .timeout = 30);

/* ---- what remote.c needs of others ---- */

struct shim_globals shim;

static char data[4 * FC_CHUNK] __attribute__((aligned(8)));
static struct shim_slot slots[4];
static struct shim_thread self;
static struct shim_frame frame;
static char frame_scratch[SHIM_SCRATCH_SIZE];
static struct shim_process *const p = &shim.process;
static struct shim_session *const s = &shim.process.session[0];
static const char *failed;
static unsigned dropped, extras;
static uint64_t installed;

/* the request that the domain sees */
static struct {
	unsigned nr;
	uint64_t arg[6];
	bool opens;
} wire;
static int64_t (*domain)(void);
static unsigned asked;
static int used[SHIM_USES];
static uint64_t words[8]; /* of the application's descriptors */

#define REFUSED ((char *)0x1000) /* the application's memory from here on, for a page, is none */

static bool refused(const void *user, size_t n)
{
	return (uintptr_t)user + n > (uintptr_t)REFUSED && (uintptr_t)user < (uintptr_t)REFUSED + 4096;
}

size_t fc_copy_from_user(void *to, const void *user, size_t n)
{
	if (refused(user, n))
		return n;
	memcpy(to, user, n);
	return 0;
}

size_t fc_copy_to_user(void *user, const void *from, size_t n)
{
	if (refused(user, n))
		return n;
	memcpy(user, from, n);
	return 0;
}

long fc_strncpy_from_user(char *to, const char *user, size_t max)
{
	if (refused(user, 1))
		return -EFAULT;
	for (size_t n = 0; n < max; n++)
		if (!(to[n] = user[n]))
			return (long)n;
	return -ENAMETOOLONG;
}

__thread struct shim_thread shim_here;

struct shim_thread *shim_self_sought(void)
{
	return &self;
}

shim_owner shim_owner_self(void)
{
	return 1;
}

struct shim_frame *shim_frame_begin(void)
{
	frame.request.slot = -1;
	return &frame;
}

void shim_frame_end(struct shim_frame *f)
{
	f->request.slot = -1;
}

char *shim_scratch(struct shim_frame *f)
{
	(void)f;
	return frame_scratch;
}

uint32_t shim_forks_in_calls;

int shim_session_get(struct shim_process *of, unsigned which, struct shim_session **out)
{
	*out = which ? NULL : &of->session[0];
	return which ? -EIO : 0;
}

void shim_session_fail(struct shim_session *of, const char *why)
{
	(void)of;
	failed = why;
}

void shim_posts_order(unsigned of, long nr)
{
	(void)of, (void)nr;
}

int shim_entry_chunk(struct shim_session *of, int entry)
{
	(void)of, (void)entry;
	return 0;
}

int shim_entry_extra(struct shim_session *of, int entry)
{
	(void)of, (void)entry;
	return (int)++extras < 4 ? (int)extras : -1;
}

int shim_request_take(struct shim_requests *q, shim_owner owner, uint16_t *hint)
{
	(void)q, (void)owner, (void)hint;
	return 2;
}

void shim_request_fill(const struct shim_request *r, unsigned nr, const uint64_t arg[6], bool opens)
{
	cr_assert_eq(r->slot, 2);
	wire.nr = nr;
	memcpy(wire.arg, arg, sizeof wire.arg);
	wire.opens = opens;
}

void shim_request_number(const struct shim_request *r, int number)
{
	cr_assert_eq(r->slot, 2);
	cr_assert_geq(number, 0);
}

void shim_requests_submit(const struct shim_request r[], unsigned n)
{
	cr_assert(n == 1 && r[0].slot == 2);
}

int64_t shim_request_wait(const struct shim_request *r)
{
	(void)r;
	asked++;
	return domain();
}

int shim_request_use(const struct shim_request *r, unsigned which, int descriptor)
{
	(void)r;
	used[which] = descriptor;
	return -1;
}

void shim_close_left(const struct shim_requests *q, int descriptor)
{
	(void)q, (void)descriptor;
}

void shim_frame_end_request(struct shim_frame *f)
{
	cr_assert_eq(f->request.slot, 2);
	f->request.slot = -1;
}

uint64_t shim_fd_set(struct shim_process *of, int fd, uint64_t word)
{
	(void)of;
	installed = word;
	cr_assert_geq(fd, 0);
	return 0;
}

void shim_fd_give_back(struct shim_process *of, int fd)
{
	(void)of;
	cr_assert_geq(fd, 0);
}

void shim_file_drop(struct shim_process *of, uint64_t w)
{
	(void)of, (void)w;
	dropped++;
}

void shim_trace(const struct fc_row *row, const long a[6], char *const path[2], int64_t result)
{
	(void)row, (void)a, (void)path, (void)result;
}

/* ---- calls ---- */

static void setup(void)
{
	shim.trace_fd = -1;
	self.tid = (int)syscall(SYS_gettid);
	s->data = data;
	s->chunks = 4;
	s->requests.slot = slots;
	p->fd = words;
	memset(data, '#', sizeof data);
}

static struct shim_call call;

/* The row of `nr` with these arguments, answered by `by`. */
static int64_t run(unsigned nr, int64_t (*by)(void), const char *path, const long a[6])
{
	int64_t r;

	domain = by;
	cr_assert_eq(shim_call_begin(&call, fc_row_by_nr(nr), p, 0, shim_frame_begin()), 0);
	call.path[0] = (char *)path;
	call.loose = true;
	r = shim_call_row(&call, a);
	shim_call_end(&call);
	return r;
}
#define RUN(nr, by, path, ...) run(nr, by, path, (const long[6]){ __VA_ARGS__ })

static int64_t zero(void)
{
	return 0;
}

static int64_t forty_two(void)
{
	return 42;
}

Test(remote, values_and_descriptors, .init = setup)
{
	cr_assert_eq(RUN(SYS_lseek, forty_two, NULL, 77, -5, SEEK_END), 42);
	cr_assert(wire.nr == SYS_lseek && wire.arg[0] == 77 && wire.arg[1] == (uint64_t)-5 && wire.arg[2] == SEEK_END);
	cr_assert(!wire.opens && wire.arg[3] == 0 && wire.arg[5] == 0);
	RUN(SYS_dup, forty_two, NULL, 77);
	cr_assert(wire.opens, "if the call is left, what it has opened is given back");
}

/* renameat2 in the directories that 3 and 4 stand for, as `said` of which the call uses. */
static int64_t renames(unsigned said)
{
	int64_t r;

	domain = zero;
	asked = 0;
	words[3] = shim_fd_word(0, FC_DOMAIN_FD_FIRST + 3, 0);
	words[4] = shim_fd_word(0, FC_DOMAIN_FD_FIRST + 4, 0);
	cr_assert_eq(shim_call_begin_on(&call, fc_row_by_nr(SYS_renameat2), p, 3, words[3], shim_frame_begin()), 0);
	call.path[0] = call.path[1] = (char *)"name";
	if (said > 1)
		cr_assert(shim_call_use(&call, 4, words[4]));
	r = shim_call_row(&call, (const long[6]){ FC_DOMAIN_FD_FIRST + 3, 0, FC_DOMAIN_FD_FIRST + 4 });
	shim_call_end(&call);
	return r;
}

Test(remote, what_a_call_does_not_say_it_uses_is_not_sent, .init = setup)
{
	cr_assert_eq(renames(2), 0);
	cr_assert(used[0] == FC_DOMAIN_FD_FIRST + 3 && used[1] == FC_DOMAIN_FD_FIRST + 4 && asked == 1);
	cr_assert_eq(renames(1), -EBADF);
	cr_assert_eq(asked, 0);
	cr_assert_eq(shim_call_begin_on(&call, fc_row_by_nr(SYS_fsync), p, 3, words[4], shim_frame_begin()),
		     SHIM_OTHER);
	shim_call_end(&call);
	cr_assert_eq(shim_call_begin_on(&call, fc_row_by_nr(SYS_fsync), p, 3, words[3], shim_frame_begin()), 0);
	used[1] = 0;
	cr_assert(shim_call_use(&call, 3, words[3]), "once more");
	cr_assert_not(shim_call_use(&call, 4, words[3]));
	cr_assert_eq(used[1], 0);
	shim_call_end(&call);
}

static int64_t other(void)
{
	return SHIM_OTHER;
}

Test(remote, that_a_descriptor_is_another_is_not_the_domains_to_say, .init = setup)
{
	cr_assert_eq(RUN(SYS_fsync, other, NULL, 77), SHIM_IMPOSSIBLE);
}

Test(remote, paths_go_into_the_data_area, .init = setup)
{
	cr_assert_eq(RUN(SYS_mkdirat, zero, "/data/some/path", AT_FDCWD, 0, 0755), 0);
	cr_assert_str_eq(data + wire.arg[1], "/data/some/path");
	cr_assert(wire.arg[0] == (uint64_t)AT_FDCWD && wire.arg[2] == 0755);
	RUN(SYS_mkdirat, zero, NULL, AT_FDCWD, 0, 0755);
	cr_assert_eq(wire.arg[1], FC_NULL);
}

Test(remote, names_that_are_too_long_or_not_there, .init = setup)
{
	char name[300] = "";

	RUN(SYS_fremovexattr, zero, NULL, 77, (long)"user.name");
	cr_assert_str_eq(data + wire.arg[1], "user.name");
	RUN(SYS_fremovexattr, zero, NULL, 77, (long)REFUSED);
	cr_assert_eq(wire.arg[1], FC_NULL, "the domain's kernel says EFAULT when it comes to that");
	memset(name, 'a', sizeof name - 1);
	asked = 0;
	cr_assert_eq(RUN(SYS_fremovexattr, zero, NULL, 77, (long)name), -ERANGE);
	cr_assert_eq(asked, 0);
}

static int64_t sees_value(void)
{
	return memcmp(data + wire.arg[2], "value", 5) ? -EBADMSG : 0;
}

Test(remote, what_is_sent, .init = setup)
{
	cr_assert_eq(RUN(SYS_fsetxattr, sees_value, NULL, 77, (long)"user.x", (long)"value", 5, 0), 0);
	cr_assert(wire.arg[3] == 5);
	RUN(SYS_fsetxattr, zero, NULL, 77, (long)"user.x", (long)REFUSED, 5, 0);
	cr_assert_eq(wire.arg[2], FC_NULL);
	RUN(SYS_fsetxattr, zero, NULL, 77, (long)"user.x", 0, 5, 0);
	cr_assert_eq(wire.arg[2], FC_NULL);
	RUN(SYS_fsetxattr, zero, NULL, 77, (long)"user.x", (long)"value", FC_CHUNK + 1, 0);
	cr_assert_eq(wire.arg[2], FC_NULL, "no call takes that much");
}

static int64_t gives_three(void)
{
	memcpy(data + wire.arg[2], "abc", 3);
	return 3;
}

static int64_t gives_much(void)
{
	return (int64_t)wire.arg[3] + 1;
}

Test(remote, what_comes_back, .init = setup)
{
	char got[8] = "-------";

	cr_assert_eq(RUN(SYS_fgetxattr, gives_three, NULL, 77, (long)"user.x", (long)got, 7), 3);
	cr_assert_str_eq(got, "abc----", "not a byte more");
	cr_assert_eq(RUN(SYS_fgetxattr, forty_two, NULL, 77, (long)"user.x", (long)got, 0), 42,
		     "only how much it would be");
	cr_assert_str_eq(got, "abc----");
	RUN(SYS_fgetxattr, zero, NULL, 77, (long)"user.x", (long)REFUSED, 7);
	cr_assert_eq(wire.arg[2], FC_NULL);
	cr_assert_eq(RUN(SYS_fgetxattr, gives_much, NULL, 77, (long)"user.x", (long)got, 7), SHIM_IMPOSSIBLE);
	cr_assert_str_eq(got, "abc----");
}

static int64_t fails_with_bytes(void)
{
	memset(data + wire.arg[1], 0, sizeof(struct stat));
	return -ENOENT;
}

static int64_t gives_stat(void)
{
	struct stat st = { .st_size = 4711 };

	memcpy(data + wire.arg[1], &st, sizeof st);
	return 0;
}

Test(remote, objects, .init = setup)
{
	struct stat st = { .st_size = 1 };

	cr_assert_eq(RUN(SYS_fstat, fails_with_bytes, NULL, 77, (long)&st), -ENOENT);
	cr_assert_eq(st.st_size, 1, "a call that fails writes nothing");
	cr_assert_eq(RUN(SYS_fstat, gives_stat, NULL, 77, (long)&st), 0);
	cr_assert_eq(st.st_size, 4711);
	cr_assert_eq(RUN(SYS_fstat, gives_stat, NULL, 77, (long)REFUSED), -EFAULT);
	RUN(SYS_fstat, zero, NULL, 77, 0);
	cr_assert_eq(wire.arg[1], FC_NULL);
}

static int64_t checks_args(void)
{
	struct fc_xattr_args args;

	memcpy(&args, data + wire.arg[4], sizeof args);
	if (wire.arg[5] != sizeof args || args.size != 5 || args.flags != 7)
		return -EBADMSG;
	return memcmp(data + args.value, "value", 5) ? -EBADMSG : 0;
}

Test(remote, a_structure_that_grows, .init = setup)
{
	struct {
		struct fc_xattr_args args;
		char more[8];
	} user = { .args = { .value = (uintptr_t) "value", .size = 5, .flags = 7 } };
	char path[] = "/data/f";

	cr_assert_eq(
		RUN(SYS_setxattrat, checks_args, path, AT_FDCWD, 0, 0, (long)"user.x", (long)&user, sizeof user.args),
		0);
	cr_assert_eq(RUN(SYS_setxattrat, checks_args, path, AT_FDCWD, 0, 0, (long)"user.x", (long)&user, sizeof user),
		     0);
	user.more[7] = 1;
	cr_assert_eq(RUN(SYS_setxattrat, checks_args, path, AT_FDCWD, 0, 0, (long)"user.x", (long)&user, sizeof user),
		     -E2BIG);
	cr_assert_eq(RUN(SYS_setxattrat, checks_args, path, AT_FDCWD, 0, 0, (long)"user.x", (long)&user, 8), -EINVAL);
	cr_assert_eq(RUN(SYS_setxattrat, checks_args, path, AT_FDCWD, 0, 0, (long)"user.x", (long)REFUSED, sizeof user),
		     -EFAULT);
	cr_assert_eq(RUN(SYS_setxattrat, checks_args, path, AT_FDCWD, 0, 0, (long)"user.x", (long)&user, 5000), -E2BIG);
}

/* ---- a directory's entries ---- */

static const char *entry_name;
static unsigned entry_length;

static int64_t gives_entry(void)
{
	char *to = data + wire.arg[1];
	uint16_t length = (uint16_t)(entry_length ? entry_length : 32);

	memset(to, 0, 32);
	memcpy(to + 16, &length, sizeof length);
	strcpy(to + 19, entry_name);
	return 32;
}

static int64_t reads_entry(const char *name, unsigned length)
{
	static char got[4096];

	entry_name = name;
	entry_length = length;
	return RUN(SYS_getdents64, gives_entry, NULL, 77, (long)got, sizeof got);
}

Test(remote, names_of_entries_are_names, .init = setup)
{
	cr_assert_eq(reads_entry("name", 0), 32);
	cr_assert_eq(reads_entry("", 0), SHIM_IMPOSSIBLE);
	cr_assert_eq(reads_entry("a/b", 0), SHIM_IMPOSSIBLE);
	cr_assert_eq(reads_entry("name", 64), SHIM_IMPOSSIBLE);
	cr_assert_eq(reads_entry("name", 19), SHIM_IMPOSSIBLE);
	cr_assert_eq(reads_entry("name", 23), SHIM_IMPOSSIBLE, "it does not end within its length");
}

/* ---- results ---- */

static unsigned signals;

static void count_signal(int sig)
{
	(void)sig;
	signals++;
}

Test(remote, results_that_can_be, .init = setup)
{
	signal(SIGPIPE, count_signal);
	cr_assert_eq(shim_result(s, 5), 5);
	cr_assert_eq(shim_result(s, -ENOENT), -ENOENT);
	cr_assert_eq(shim_result(s, -4095), -4095);
	cr_assert(!failed && !signals);
	cr_assert_eq(shim_result(s, -EPIPE), -EPIPE);
	cr_assert_eq(signals, 1, "the signal comes where the caller is");
	cr_assert_eq(shim_result(s, -4096), -EIO);
	cr_assert_not_null(failed);
	failed = NULL;
	cr_assert_eq(shim_result(s, SHIM_IMPOSSIBLE), -EIO);
	cr_assert_not_null(failed);
}

Test(remote, descriptors_that_can_be, .init = setup)
{
	int placeholder = dup(0);

	domain = zero;
	cr_assert_eq(shim_install(p, 0, FC_DOMAIN_FD_FIRST, placeholder, SHIM_FD_DIRECT), placeholder);
	cr_assert_eq(installed, shim_fd_word(0, FC_DOMAIN_FD_FIRST, SHIM_FD_DIRECT));
	cr_assert_eq(shim_install(p, 0, -ENOENT, placeholder, 0), -ENOENT);
	cr_assert_lt(fcntl(placeholder, F_GETFD), 0, "nobody needs its number any more");
	cr_assert_eq(dropped, 1);
	cr_assert_null(failed);
	cr_assert_eq(shim_install(p, 0, FC_DOMAIN_FD_FIRST - 1, dup(0), 0), -EIO);
	cr_assert_not_null(failed);
	failed = NULL;
	cr_assert_eq(shim_install(p, 0, INT64_MAX, dup(0), 0), -EIO);
	cr_assert_not_null(failed);
	asked = 0;
	cr_assert_eq(shim_install(p, 0, FC_DOMAIN_FD_FIRST + 1, SHIM_FDS, 0), -EMFILE);
	cr_assert(asked == 1 && wire.nr == SYS_close && wire.arg[0] == FC_DOMAIN_FD_FIRST + 1, "given back");
}

Test(remote, a_domain_that_is_not_there, .init = setup)
{
	cr_assert_eq(shim_simple(p, 1, SYS_fsync, 77, 0, 0), -EIO);
	domain = forty_two;
	cr_assert_eq(shim_simple(p, 0, SYS_fsync, 77, 0, 0), 42);
	cr_assert(wire.nr == SYS_fsync && wire.arg[0] == 77);
}
