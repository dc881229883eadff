/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * compare.h - what the parts of h_compare share: rows of syscalls.def as data, the values an argument can take, and
 * vectors (a row with one value for each argument).
 */
#ifndef FC_COMPARE_H
#define FC_COMPARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum kind {
	K_NONE,
	K_VAL,
	K_HEX,
	K_OCT,
	K_FD,
	K_DIRFD,
	K_PATH,
	K_STR,
	K_IN,
	K_OUT,
	K_IN_OBJ,
	K_OUT_OBJ,
	K_INOUT_OBJ,
	K_IOV_IN,
	K_IOV_OUT,
	K_BY_CMD,
};

struct arg {
	enum kind kind;
	int extra;        /* length argument, maximum or object size */
	const char *type; /* of an object */
};

struct row {
	const char *name;
	long nr;
	struct arg arg[6];
	int args;
	bool isolate; /* run in a child of its own: it closes or replaces descriptors */
};

enum how {
	H_IMM,  /* v */
	H_FD,   /* open s (or `special` v) with flags v; bits above 32 set in v2 */
	H_PATH, /* template s: %L, %M */
	H_TEXT, /* literal string of v times 'a' after s */
	H_GOOD, /* v bytes into a big buffer */
	H_END,  /* v bytes before an inaccessible page */
	H_NULL,
	H_LOW,
	H_NONE,
	H_KERNEL,
	H_WILD,
	H_RO,
	H_ZEROS,    /* a big buffer of zeros */
	H_DATA,     /* object: v2 bytes at data */
	H_DATA_END, /* the same, cut off after v bytes by an inaccessible page */
	H_DATA_RO,  /* the same in a read-only page */
	H_IOV,      /* array of buffers, variant v */
};

struct choice {
	char label[40];
	enum how how;
	long v, v2;
	const char *s;
	const void *data;
	/* a PATH choice may bring the directory it starts from */
	const struct choice *dirfd;
	int cwd; /* 0 = W/l, 1 = W/l/m/d */
};

struct list {
	struct choice *at;
	size_t n;
};

struct vec {
	const struct row *row;
	const struct choice *c[6];
	int cwd;
	char key[160];
	bool wrapper; /* through the C library's function rather than syscall(2) */
};

/* values.c */
void values_init(void);
const struct list *values_for(const struct row *row, int arg);
const struct choice *value_named(const struct list *l, const char *label);
extern struct list fd_values, place_values; /* place: paths with the way they are addressed */
const struct list *second_place_values(void);

/* rows.c */
extern struct row rows[256];
extern int row_count;
void rows_init(void);
long (*row_wrapper(const char *name, const char **order, bool *is_int))(long, long, long, long, long, long);

/* vectors.c: calls `emit` for one of `every` vectors of every row; 0: for all, with each path in every form and each call in both ways. */
void vectors_generate(unsigned every, void (*emit)(struct vec *));

/* call.c: runs one vector and writes what can be observed to `out`. `w` is the working directory (tree.h). */
void call_init(const char *w);
void call_run(const struct vec *v, char *out, size_t max);

/* show.c: appends a normalised picture of an object of that type */
void show_object(char *out, size_t max, const char *type, const void *p, size_t n);
void show_dents(char *out, size_t max, const void *p, size_t n, bool old);
void show_init(const char *w);
void add(char *out, size_t max, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
