/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * call.c - runs one vector: makes its arguments, makes the call, and writes down everything that can be observed
 * afterwards. It runs on both sides unchanged and knows nothing of farcall.
 */
#define _GNU_SOURCE
#include "compare.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tree.h"

#define ROOM (256 * 1024)
#define FILL 0xa5
#define SHARED_OUT 65536

static char local_dir[600], mount_dir[600], inside_dir[640];
static char pattern[ROOM], *room[6], *none, *readonly, *object, *shared;

struct live {
	long value;
	int fd;    /* opened for it, or -1 */
	char *out; /* memory to look at afterwards */
	size_t out_room;
	struct iovec *iov;
};

/* Far below the end of the address space: whether an absurd length reaches beyond it must not be a matter of luck. */
static char *map_low(int i)
{
	char *at = (char *)(1L << 44) + i * (1L << 30);

	return mmap(at, ROOM + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
}

void call_init(const char *w)
{
	snprintf(local_dir, sizeof local_dir, "%s/l", w);
	snprintf(mount_dir, sizeof mount_dir, "%s/l/m", w);
	snprintf(inside_dir, sizeof inside_dir, "%s/l/m/d", w);
	for (int i = 0; i < 6; i++) {
		room[i] = map_low(i);
		mprotect(room[i] + ROOM, 4096, PROT_NONE);
	}
	for (size_t b = 0; b < ROOM; b++)
		pattern[b] = (char)tree_byte(b * 3 + 1);
	none = mmap(NULL, 65536, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	readonly = mmap(NULL, 65536 + 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	mprotect(readonly + 65536, 4096, PROT_NONE);
	object = mmap(NULL, 65536, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	shared = mmap(NULL, SHARED_OUT, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

static size_t expand(char *out, size_t max, const char *s)
{
	if (!strncmp(s, "%L", 2))
		snprintf(out, max, "%s%s", local_dir, s + 2);
	else if (!strncmp(s, "%M", 2))
		snprintf(out, max, "%s%s", mount_dir, s + 2);
	else if (strstr(s, "%M"))
		snprintf(out, max, "%.*s%s%s", (int)(strstr(s, "%M") - s), s, mount_dir, strstr(s, "%M") + 2);
	else
		snprintf(out, max, "%s", s);
	return strlen(out);
}

/* The path stands at the very end of its room: reading one byte too many is a fault. */
static char *make_path(char *r, const struct choice *c)
{
	static char text[ROOM];
	size_t n;

	if (c->v < 0) { /* "./" that many times in front of the last component */
		const char *last = strrchr(c->s, '/') ? strrchr(c->s, '/') + 1 : c->s;

		n = (size_t)(last - c->s);
		memcpy(text, c->s, n);
		for (long i = 0; i < -c->v; i++, n += 2)
			memcpy(text + n, "./", 2);
		strcpy(text + n, last);
		n += strlen(last);
	} else {
		n = expand(text, sizeof text, c->s);
		memset(text + n, 'a', (size_t)c->v);
		n += (size_t)c->v;
		text[n] = 0;
	}
	return memcpy(r + ROOM - n - 1, text, n + 1);
}

static int open_fd(const struct choice *c)
{
	char path[700];

	expand(path, sizeof path, c->s);
	return (int)syscall(SYS_openat, AT_FDCWD, path, c->v | O_CLOEXEC, 0600);
}

static struct iovec *make_iov(char *r, long variant)
{
	struct iovec *v = (struct iovec *)(r + ROOM / 2);
	long n = variant == 6 ? 2 : 1100;

	if (variant == 6) /* the array runs into the inaccessible page */
		v = (struct iovec *)(r + ROOM - 2 * sizeof *v);
	for (long i = 0; i < n; i++)
		v[i] = (struct iovec){ r + 65536 + i * 8, 7 };
	v[0] = (struct iovec){ r, 10 };
	v[1] = (struct iovec){ r + 100, 0 };
	if (variant != 6)
		v[2] = (struct iovec){ r + 1000, 90 };
	switch (variant) {
	case 1:
		v[2].iov_base = none;
		break;
	case 2:
		v[0].iov_base = NULL;
		break;
	case 3:
		v[1].iov_len = (size_t)-1;
		break;
	case 4:
		v[0].iov_len = v[2].iov_len = 1ul << 62;
		break;
	case 5:
		v[2].iov_len = 60000;
		break;
	case 7:
		v[2].iov_base = readonly;
		break;
	case 8:
		v[0].iov_len = v[2].iov_len = 0;
		break;
	}
	return v;
}

static void make_arg(const struct vec *v, int i, struct live *a)
{
	const struct choice *c = v->c[i];
	enum kind k = v->row->arg[i].kind;
	bool writes_to = k == K_OUT || k == K_OUT_OBJ || k == K_IOV_OUT;

	a->fd = -1;
	a->value = c->v;
	switch (c->how) {
	case H_IMM:
		break;
	case H_FD:
		a->fd = open_fd(c);
		a->value = a->fd < 0 ? a->fd : a->fd | c->v2;
		break;
	case H_PATH:
		a->value = (long)make_path(room[i], c);
		break;
	case H_TEXT:
		memset(room[i] + 64, 'a', (size_t)c->v + 64);
		memcpy(room[i] + 64, c->s, strlen(c->s));
		room[i][64 + strlen(c->s) + (size_t)c->v] = 0;
		a->value = (long)room[i] + 64;
		break;
	case H_GOOD:
	case H_END:
		if (writes_to)
			memset(room[i], FILL, ROOM);
		else
			memcpy(room[i], pattern, ROOM);
		a->value = (long)room[i] + (c->how == H_GOOD ? c->v : ROOM - c->v);
		if (writes_to) {
			a->out = (char *)a->value;
			a->out_room = (size_t)(room[i] + ROOM - a->out);
		}
		break;
	case H_ZEROS:
		a->value = (long)memset(room[i], 0, ROOM);
		break;
	case H_NULL:
		a->value = 0;
		break;
	case H_LOW:
		a->value = 8;
		break;
	case H_NONE:
		a->value = (long)none;
		break;
	case H_KERNEL:
		a->value = (long)0xffffffff81000000;
		break;
	case H_WILD:
		a->value = 0x4141414141414141;
		break;
	case H_RO:
		a->value = (long)readonly;
		break;
	case H_DATA:
	case H_DATA_END:
		if (writes_to)
			memset(room[i] + ROOM - c->v2, FILL, (size_t)c->v2);
		a->value = (long)room[i] + ROOM - (c->how == H_DATA ? c->v2 : c->v);
		if (!writes_to)
			memcpy((char *)a->value, c->data, (size_t)(c->how == H_DATA ? c->v2 : c->v));
		if (k == K_OUT_OBJ || k == K_INOUT_OBJ)
			a->out = (char *)a->value;
		a->out_room = (size_t)c->v2;
		break;
	case H_DATA_RO:
		mprotect(object, 65536, PROT_READ | PROT_WRITE);
		memcpy(object, c->data, (size_t)c->v2);
		mprotect(object, 65536, PROT_READ);
		a->value = (long)object;
		break;
	case H_IOV:
		memset(room[i], writes_to ? FILL : 'i', ROOM);
		a->iov = make_iov(room[i], c->v);
		a->value = (long)a->iov;
		if (writes_to) {
			a->out = room[i];
			a->out_room = ROOM / 2;
		}
		break;
	}
}

static void show_out(char *out, size_t max, const struct vec *v, int i, const struct live *a, long result)
{
	const struct arg *arg = &v->row->arg[i];
	size_t n = a->out_room;

	if (arg->kind == K_OUT_OBJ || arg->kind == K_INOUT_OBJ) {
		bool random = !strcmp(v->row->name, "ioctl") && v->c[1]->v == (long)FS_IOC_GETVERSION;

		if (v->c[i]->how == H_DATA && !random)
			show_object(out, max, arg->type, a->out, a->out_room);
		return;
	}
	if (!strncmp(v->row->name, "getdents", 8)) {
		if (result > 0)
			show_dents(out, max, a->out, (size_t)result, !v->row->name[8]);
		return;
	}
	while (n && (unsigned char)a->out[n - 1] == FILL)
		n--;
	if (n)
		add(out, max, " out%d=%zu:%08x", i, n, tree_hash(1, a->out, n));
}

static void show_fd(char *out, size_t max, int fd)
{
	struct stat st;
	long r = syscall(SYS_fcntl, fd, F_GETFD);

	if (r < 0) {
		add(out, max, " fd%d=closed", fd);
		return;
	}
	add(out, max, " fd%d=%ld/%lo", fd, r, syscall(SYS_fcntl, fd, F_GETFL));
	if (!fstat(fd, &st))
		show_object(out, max, "struct stat", &st, sizeof st);
}

static void observe(const struct vec *v, const struct live *a, long result, char *out, size_t max)
{
	const struct row *r = v->row;
	bool makes_fd = !strncmp(r->name, "open", 4) || !strcmp(r->name, "creat") || !strncmp(r->name, "dup", 3) ||
			(!strcmp(r->name, "fcntl") && (v->c[1]->v == F_DUPFD || v->c[1]->v == F_DUPFD_CLOEXEC));

	for (int i = 0; i < r->args; i++)
		if (a[i].out)
			show_out(out, max, v, i, &a[i], result);
	if (makes_fd && result >= 0) {
		show_fd(out, max, (int)result);
		syscall(SYS_close, result);
	}
	for (int i = 0; i < r->args; i++) {
		struct stat st;

		if (a[i].fd < 0)
			continue;
		if (strcmp(r->name, "close") && !fstat(a[i].fd, &st) && (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)))
			add(out, max, " pos%d=%ld", i, syscall(SYS_lseek, a[i].fd, 0L, SEEK_CUR));
	}
	if (!strcmp(r->name, "chdir") || !strcmp(r->name, "fchdir")) {
		char cwd[4096] = "";
		long n = syscall(SYS_getcwd, cwd, sizeof cwd);

		add(out, max, " cwd=%ld:%s", n, cwd);
	}
	if (!strcmp(r->name, "close_range") || !strcmp(r->name, "close"))
		for (int fd = 0; fd < 80; fd++)
			if (syscall(SYS_fcntl, fd, F_GETFD) >= 0)
				add(out, max, " %d", fd);
}

static long make_call(const struct vec *v, const long n[6], int *error)
{
	const char *order = "012345";
	bool is_int = false;
	long (*f)(long, long, long, long, long, long) = v->wrapper ? row_wrapper(v->row->name, &order, &is_int) : NULL;
	long o[6] = { 0 }, r;

	errno = 0;
	if (f) {
		for (int i = 0; i < 6 && order[i]; i++)
			o[i] = n[order[i] - '0'];
		r = f(o[0], o[1], o[2], o[3], o[4], o[5]);
		if (is_int)
			r = (int)r;
	} else {
		r = syscall(v->row->nr, n[0], n[1], n[2], n[3], n[4], n[5]);
	}
	*error = errno;
	return r;
}

static void run_here(const struct vec *v, char *out, size_t max)
{
	const struct itimerval timer = { { 0, 300000 }, { 1, 0 } }, off = { { 0, 0 }, { 0, 0 } };
	struct live a[6];
	long n[6] = { 0 }, r;
	int error;

	memset(a, 0, sizeof a);
	out[0] = 0;
	errno = 0;
	if (syscall(SYS_chdir, v->cwd ? inside_dir : local_dir) && errno == EIO)
		_exit(97); /* the domain has gone: the vector before this one did it */
	else if (errno)
		add(out, max, "chdir:%d ", errno);
	for (int i = 0; i < v->row->args; i++) {
		make_arg(v, i, &a[i]);
		n[i] = a[i].value;
		if (v->c[i]->how == H_FD && a[i].fd < 0)
			add(out, max, "open%d:%d ", i, errno);
		if (a[i].fd == -1 && v->c[i]->how == H_FD && errno == EIO)
			_exit(97);
	}
	setitimer(ITIMER_REAL, &timer, NULL);
	r = make_call(v, n, &error);
	setitimer(ITIMER_REAL, &off, NULL);
	if (!strcmp(v->row->name, "umask"))
		syscall(SYS_umask, 022);
	add(out, max, "%ld", r);
	if (r == -1)
		add(out, max, " %s", strerrorname_np(error) ? strerrorname_np(error) : "errno?");
	observe(v, a, r, out, max);
	for (int i = 0; i < v->row->args; i++)
		if (a[i].fd >= 0)
			syscall(SYS_close, a[i].fd);
	if (v->cwd || !strcmp(v->row->name, "chdir") || !strcmp(v->row->name, "fchdir"))
		if (chdir(local_dir))
			add(out, max, " chdir-back:%d", errno);
}

void call_run(const struct vec *v, char *out, size_t max)
{
	int status;
	pid_t pid;

	if (!v->row->isolate) {
		run_here(v, out, max);
		return;
	}
	shared[0] = 0;
	pid = fork();
	if (pid == 0) {
		run_here(v, shared, SHARED_OUT);
		_exit(0);
	}
	out[0] = 0;
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
		add(out, max, "child failed: ");
	add(out, max, "%s", shared);
}
