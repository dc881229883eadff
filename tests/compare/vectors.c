/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vectors.c - which vectors a row gets: from each of a few bases (arguments that work) every argument alone goes through
 * all its values; the bases follow from the argument kinds, with a handful of better ones named below. It knows no
 * semantics of any call.
 */
#define _GNU_SOURCE
#include "compare.h"

#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "farcall/wire.h"

static void (*emit_vector)(struct vec *);
static bool full;
static unsigned one_of;
static unsigned serial;

/* More bases for rows where the one derived from the kinds hardly does anything: argument number and value's label. */
static const struct {
	const char *row;
	struct {
		int arg;
		const char *label;
	} set[4];
} more_bases[] = {
	{ "read", { { 0, "big" }, { 2, "150000" } } },
	{ "write", { { 0, "big" }, { 2, "150000" } } },
	{ "write", { { 0, "append" }, { 2, "150000" } } },
	{ "pread64", { { 0, "big" }, { 2, "150000" }, { 3, "100" } } },
	{ "pwrite64", { { 0, "big" }, { 2, "150000" }, { 3, "4097" } } },
	{ "getdents64", { { 0, "dir" }, { 2, "4096" } } },
	{ "getdents64", { { 0, "top" }, { 2, "512" } } },
	{ "getdents", { { 0, "dir" }, { 2, "4096" } } },
	{ "getdents", { { 0, "top" }, { 2, "512" } } },
	{ "file_getattr", { { 3, "24" } } },
	{ "file_setattr", { { 3, "24" }, { 2, "zeros" } } },
	{ "setxattrat", { { 3, "user.new" } } },
	{ "fchdir", { { 0, "dir" } } },
	{ "lseek", { { 0, "rw" }, { 1, "100" }, { 2, "2" } } },
	{ "fallocate", { { 0, "rw" }, { 1, "0" }, { 2, "0" }, { 3, "65536" } } },
	{ "fallocate", { { 0, "big" }, { 1, "3" }, { 2, "4096" }, { 3, "4096" } } },
	{ "sendfile", { { 0, "rw" }, { 1, "big" }, { 2, "NULL" }, { 3, "150000" } } },
	{ "sendfile", { { 0, "local" }, { 1, "big" }, { 3, "10000" } } },
	{ "sendfile", { { 0, "rw" }, { 1, "local" }, { 3, "512" } } },
	{ "copy_file_range", { { 0, "big" }, { 1, "NULL" }, { 2, "rw" }, { 4, "150000" } } },
	{ "copy_file_range", { { 0, "local" }, { 1, "NULL" }, { 2, "rw" }, { 4, "512" } } },
	{ "copy_file_range", { { 0, "big" }, { 2, "local" }, { 4, "10000" } } },
	{ "openat2", { { 3, "24" } } },
	{ "openat2", { { 3, "24" }, { 2, "object1" } } },
	{ "openat2", { { 3, "24" }, { 2, "object2" } } },
	{ "openat2", { { 3, "24" }, { 2, "object3" } } },
	{ "unlinkat", { { 1, "e@abs" }, { 2, "bit9" } } },
	{ "renameat2", { { 3, "big@abs" }, { 4, "bit1" } } },
	{ "linkat", { { 1, "sf@abs" }, { 4, "bit10" } } },
	{ "flock", { { 1, "2" } } },
	{ "getcwd", { { 1, "4096" } } },
	{ "statx", { { 3, "2047" } } },
	{ "dup2", { { 1, "10" } } },
	{ "dup3", { { 1, "10" } } },
	{ "close_range", { { 0, "3" }, { 1, "10" } } },
	{ "mknodat", { { 1, "new@abs" }, { 2, "010640" } } },
	{ "mknodat", { { 1, "new@abs" }, { 2, "020600" } } },
};

static bool is_length(const struct row *r, int i)
{
	for (int j = 0; j < r->args; j++)
		if ((r->arg[j].kind == K_IN || r->arg[j].kind == K_OUT) && r->arg[j].extra == i)
			return true;
	return false;
}

static bool is_count(const struct row *r, int i)
{
	for (int j = 0; j < r->args; j++)
		if ((r->arg[j].kind == K_IOV_IN || r->arg[j].kind == K_IOV_OUT) && r->arg[j].extra == i)
			return true;
	return false;
}

static bool has_name_string(const struct row *r)
{
	return r->args > 1 && r->arg[1].kind == K_STR;
}

static void base(const struct row *r, struct vec *v, const char *first_place)
{
	int paths = 0, fds = 0;

	memset(v, 0, sizeof *v);
	v->row = r;
	for (int i = 0; i < r->args; i++) {
		const struct list *l = values_for(r, i);

		switch (r->arg[i].kind) {
		case K_VAL:
			if (is_length(r, i))
				v->c[i] = value_named(l, "100");
			else if (i == 5 && strstr(r->name, "etxattrat")) /* the size of the structure */
				v->c[i] = value_named(l, "16");
			else if (is_count(r, i))
				v->c[i] = value_named(l, "3");
			else
				v->c[i] = value_named(l, "0");
			break;
		case K_OCT:
			v->c[i] = value_named(l, "0644");
			break;
		case K_HEX:
			v->c[i] = &l->at[0];
			break;
		case K_FD:
			v->c[i] = value_named(l, fds++ ? "big" : "rw");
			break;
		case K_PATH:
			v->c[i] = value_named(&place_values, paths++ ? "new@abs" : first_place);
			break;
		case K_STR:
			v->c[i] = value_named(l, "user.a");
			break;
		default:
			v->c[i] = &l->at[0];
		}
	}
}

static void emit(struct vec *v, const char *base_name, int arg)
{
	const struct row *r = v->row;
	int n;

	/* a place brings its directory, unless that is just what varies */
	v->cwd = 0;
	for (int i = 0; i < r->args; i++) {
		if (r->arg[i].kind != K_PATH || v->c[i]->how != H_PATH)
			continue;
		if (v->c[i]->cwd)
			v->cwd = 1;
		if (i > 0 && r->arg[i - 1].kind == K_DIRFD && arg != i - 1)
			v->c[i - 1] = v->c[i]->dirfd ? v->c[i]->dirfd : value_named(values_for(r, i - 1), "AT_FDCWD");
	}
	n = snprintf(v->key, sizeof v->key, "%05u %s %s", ++serial, r->name, base_name);
	if (arg >= 0)
		snprintf(v->key + n, sizeof v->key - (size_t)n, " a%d=%s", arg, v->c[arg]->label);
	if (one_of > 1 && arg >= 0 && (serial * 2654435761u >> 16) % one_of)
		return;
	v->wrapper = (serial * 2654435761u >> 24) & 1;
	emit_vector(v);
	if (full) {
		v->wrapper = !v->wrapper;
		snprintf(v->key, sizeof v->key, "%05u %s %s", ++serial, r->name, base_name);
		if (arg >= 0)
			snprintf(v->key + n, sizeof v->key - (size_t)n, " a%d=%s", arg, v->c[arg]->label);
		emit_vector(v);
	}
}

/* In the short run most places come in one form only: which one changes from row to row. */
static bool skip_place(const struct row *r, const struct choice *c, size_t i, int arg)
{
	bool has_dir = arg > 0 && r->arg[arg - 1].kind == K_DIRFD;
	size_t form = i % 5;

	if (c->how != H_PATH)
		return false;
	if (c->dirfd && !has_dir)
		return true;
	if (full || !strchr(c->label, '@') || form == 0)
		return false;
	return (i / 5 + (size_t)r->nr) % (has_dir ? 4 : 2) != (form - 1);
}

static void star(struct vec *b, const char *name, bool paths)
{
	const struct row *r = b->row;
	struct vec v = *b;

	emit(&v, name, -1);
	for (int i = 0; i < r->args; i++) {
		const struct list *l = values_for(r, i);
		bool second = false;

		if (r->arg[i].kind == K_PATH) {
			for (int j = 0; j < i; j++)
				second |= r->arg[j].kind == K_PATH;
			if (!paths)
				continue;
			if (second && !full)
				l = second_place_values();
		}
		for (size_t k = 0; k < l->n; k++) {
			if (r->arg[i].kind == K_PATH && !second && skip_place(r, &l->at[k], k, i))
				continue;
			v = *b;
			v.c[i] = &l->at[k];
			emit(&v, name, i);
		}
	}
}

/* Two paths: every second place with a few first ones. */
static void pairs(const struct row *r)
{
	static const char *const firsts[] = { "d@abs", "../lf@abs", "sf@abs", "../ld@abs", "out@abs", "nowhere/x@abs", "e@l",
		"f@d", "f@fd", "../m@abs", ".@abs" };
	int second = -1, first = -1;
	struct vec v;

	for (int i = 0; i < r->args; i++) {
		if (r->arg[i].kind == K_PATH) {
			if (first < 0)
				first = i;
			else
				second = i;
		}
	}
	if (second < 0)
		return;
	for (size_t i = 0; i < sizeof firsts / sizeof firsts[0]; i++) {
		const struct list *l = second_place_values();

		for (size_t k = 0; k < l->n; k++) {
			char name[80];

			base(r, &v, "f@abs");
			for (size_t p = 0; p < place_values.n; p++)
				if (!strcmp(place_values.at[p].label, firsts[i]))
					v.c[first] = &place_values.at[p];
			snprintf(name, sizeof name, "from=%s", firsts[i]);
			v.c[second] = &l->at[k];
			emit(&v, name, second);
		}
	}
}

static bool opens(const struct row *r)
{
	return !strcmp(r->name, "open") || !strcmp(r->name, "openat");
}

/* open: all places with the flags that walk differently */
static void open_places(const struct row *r)
{
	static const char *const flags[] = { "01101", "0301", "01001", "010000000", "010400000", "0200000", "0400000", "0400102" };
	int path = r->arg[0].kind == K_PATH ? 0 : 1;
	struct vec v;

	for (size_t f = 0; f < sizeof flags / sizeof flags[0]; f++) {
		long bits = strtol(flags[f], NULL, 8);
		struct choice c = { .how = H_IMM, .v = bits | O_NONBLOCK };
		char name[60];

		snprintf(name, sizeof name, "flags=%s", flags[f]);
		for (size_t k = 0; k < place_values.n; k++) {
			if (skip_place(r, &place_values.at[k], k + f, path) || (!full && k % 5 && (k / 5 + f) % 2))
				continue;
			base(r, &v, "f@abs");
			v.c[path] = &place_values.at[k];
			v.c[path + 1] = &c;
			emit(&v, name, path);
		}
	}
}

/* the flags of ...at calls on an empty path, with every sort of descriptor */
static void empty_path(const struct row *r)
{
	struct vec v;

	for (int i = 0; i + 1 < r->args; i++) {
		if (r->arg[i].kind != K_DIRFD)
			continue;
		for (int j = i + 2; j < r->args; j++) {
			if (r->arg[j].kind != K_HEX || opens(r))
				continue;
			for (size_t k = 0; k < values_for(r, i)->n; k++) {
				base(r, &v, "f@abs");
				v.c[i + 1] = value_named(&place_values, "''");
				v.c[j] = value_named(values_for(r, j), "bit12"); /* AT_EMPTY_PATH */
				v.c[i] = &values_for(r, i)->at[k];
				emit(&v, "empty", i);
			}
		}
	}
}

/* ---- fcntl and ioctl: the third argument follows from the second ---- */

#define NONE { K_VAL, 0, 0 }
#define VAL { K_VAL, 0, 0 }
#define HEX { K_HEX, 0, 0 }
#define IN_OBJ(T) { K_IN_OBJ, sizeof(T), #T }
#define OUT_OBJ(T) { K_OUT_OBJ, sizeof(T), #T }
#define INOUT_OBJ(T) { K_INOUT_OBJ, sizeof(T), #T }
#define FD_ARG { K_FD, 0, 0 }
#define CLONE_RANGE { K_IN_OBJ, sizeof(struct file_clone_range), "struct file_clone_range" }
#define DEDUPE_ARG { K_INOUT_OBJ, sizeof(struct file_dedupe_range) + 2 * sizeof(struct file_dedupe_range_info), "struct file_dedupe_range" }
#define FIEMAP_ARG { K_INOUT_OBJ, sizeof(struct fiemap), "struct fiemap" }

struct command {
	const char *name;
	unsigned long number;
	struct arg arg;
};

static const struct command fcntls[] = {
#define FCNTL(command, kind) { #command, command, kind },
#include "farcall/fcntl.def"
	{ "F_DUPFD", F_DUPFD, VAL }, { "F_DUPFD_CLOEXEC", F_DUPFD_CLOEXEC, VAL }, { "F_GETFD", F_GETFD, VAL },
	{ "F_SETFD", F_SETFD, VAL }, { "-1", -1ul, VAL }, { "9999", 9999, VAL }, { "F_GETOWN", F_GETOWN, VAL },
	{ "F_GETSIG", F_GETSIG, VAL }, { "F_SETLEASE", F_SETLEASE, VAL }, { "F_NOTIFY", F_NOTIFY, VAL },
};

static const struct command ioctls[] = {
#define IOCTL(request, kind) { #request, request, kind },
#include "farcall/ioctls.def"
	{ "0", 0, VAL }, { "TCGETS", 0x5401, { K_OUT_OBJ, 60, "struct termios" } }, { "FIOCLEX", FIOCLEX, VAL },
	{ "FIONCLEX", FIONCLEX, VAL },
	{ "-1", -1ul, VAL },
};

static void commands(const struct row *r, const struct command *list, size_t n)
{
	struct row *copies = calloc(n, sizeof *copies); /* vectors point to them */

	for (size_t i = 0; copies && i < n; i++) {
		struct choice command = { .how = H_IMM, .v = (long)list[i].number };
		struct row *own = &copies[i];
		const struct list *args;
		char name[60];
		struct vec v;

		*own = *r;
		own->arg[2] = list[i].arg;
		own->args = 3;
		args = values_for(own, 2);
		memset(&v, 0, sizeof v);
		v.row = own;
		v.c[1] = &command;
		for (size_t f = 0; f < fd_values.n; f++) {
			v.c[0] = &fd_values.at[f];
			v.c[2] = &args->at[0];
			emit(&v, list[i].name, 0);
		}
		for (size_t a = 0; a < args->n; a++) {
			v.c[0] = value_named(&fd_values, "rw");
			v.c[2] = &args->at[a];
			emit(&v, list[i].name, 2);
			v.c[0] = value_named(&fd_values, "dir");
			snprintf(name, sizeof name, "%s/dir", list[i].name);
			emit(&v, name, 2);
		}
	}
}

static void row_vectors(const struct row *r)
{
	char name[40];
	struct vec v;
	int n = 0;

	base(r, &v, "f@abs");
	star(&v, "f", true);
	for (int i = 0; i < r->args; i++) {
		if (r->arg[i].kind == K_PATH) {
			base(r, &v, "new@abs");
			star(&v, "new", false);
			base(r, &v, "d@abs");
			star(&v, "d", false);
			break;
		}
	}
	if (has_name_string(r)) {
		base(r, &v, "f@abs");
		v.c[1] = value_named(values_for(r, 1), "user.new");
		star(&v, "user.new", false);
	}
	for (size_t i = 0; i < sizeof more_bases / sizeof more_bases[0]; i++) {
		if (strcmp(more_bases[i].row, r->name) != 0)
			continue;
		base(r, &v, "f@abs");
		for (int j = 0; j < 4 && more_bases[i].set[j].label; j++)
			v.c[more_bases[i].set[j].arg] =
				value_named(values_for(r, more_bases[i].set[j].arg), more_bases[i].set[j].label);
		snprintf(name, sizeof name, "more%d", n++);
		star(&v, name, full || !strcmp(r->name, "openat2"));
	}
	if (opens(r))
		open_places(r);
	empty_path(r);
	pairs(r);
}

void vectors_generate(unsigned every, void (*e)(struct vec *))
{
	full = every == 0;
	one_of = every;
	emit_vector = e;
	for (int i = 0; i < row_count; i++) {
		if (!strcmp(rows[i].name, "fcntl"))
			commands(&rows[i], fcntls, sizeof fcntls / sizeof fcntls[0]);
		else if (!strcmp(rows[i].name, "ioctl"))
			commands(&rows[i], ioctls, sizeof ioctls / sizeof ioctls[0]);
		else
			row_vectors(&rows[i]);
	}
}
