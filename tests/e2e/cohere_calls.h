/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cohere_calls.h - h_cohere's calls, each noted with its times, and who makes them. A call that fails ends the process. */
#ifndef FC_COHERE_CALLS_H
#define FC_COHERE_CALLS_H

#include "cohere.h"

#define POST_FD 50 /* and as many as there are slots: to write messages to; behind those, to read them from */

/* Who is who. Each part is one thread or child, with a slot of its own. */
enum { NATIVE, NATIVE_2, CLIENT, CLIENT_2, PARENT, CHILD, READER, CUTTER, LISTENER, DRIVER };
extern const struct role {
	bool native;
	int part_of; /* another slot's process; negative: its own */
} who[DRIVER + 1];

/* To whom messages are sent: each has a pipe, or a socket. */
#define HEARS 6
extern const int hears[HEARS];

/* What a thread has of its own. */
struct self {
	struct slot *s;
	int id;
	uint64_t dice;
	uint32_t serial;
	uint64_t body[BODY / 8 + LENGTHS];
};

extern struct round *r;
extern char path[FILES + 1][4096];
extern __thread struct self me;

void die(const char *format, ...);
uint32_t dice(uint32_t n);
void begin(int id, uint64_t seed);

uint64_t plain_ns(void);
/* What is before it in the program has happened, what is behind it has not begun: the processor would reorder a read of memory with reading the clock. */
uint64_t now_ns(void);
/* Without a system call. */
void pause_ns(uint64_t ns);
bool over(void);

struct entry *note(enum what what, int file, uint64_t value, uint32_t first, uint32_t count);
void done(struct entry *e);
void noted(enum what what, int file, uint64_t value, uint32_t first, uint32_t count, uint64_t start, uint64_t end);
/* The first of n values that have not been written yet. */
uint64_t fresh(uint32_t n);

int opened(int file, int how);
void closed(int fd);
void write_blocks(int fd, int file, bool front);
void read_blocks(int fd, int file);
void read_some(int fd, int file, uint32_t first, uint32_t count);
/* All of them; it is noted if there is what nobody has written. */
void read_strange(int fd, int file);
void look_at_end(int fd, int file, bool reads);
void cut(int fd, int file, bool by_name);
void append(int fd);
void reached(int fd, bool by_stat);
/* From a record that had been there on: the last of them. Moves on as the log grows. */
void read_log(int fd, uint32_t *at);
void look_by_name(void);

/* Be one of them until the round is over. */
void work_as(int id, uint64_t seed);

#endif
