/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * post.h - writes that the client does not wait for (abi.h, struct fc_ring), and who does them: a thread that looks for them now and then
 * (shadow/poster.c), a worker before a request that comes after them, whoever ends a delegation, the control thread when the client has gone. One at a
 * time; each knows the files in its own table of descriptors.
 */
#ifndef FC_DOMAIN_POST_H
#define FC_DOMAIN_POST_H

#include <stdbool.h>
#include <stdint.h>

#include "farcall/abi.h"
#include "storage-domain/shadow/shadow.h"

struct stat;

/* The descriptor, in the caller's table, of the file that a write is for; negative: it does not know, and leaves it to others. */
typedef int fc_post_file(const struct fc_post *p);

/* By the client's number for it, in the table that workers and control thread have. */
fc_post_file fc_post_by_number;

/* Before there are threads. */
void fc_posts_init(struct fc_shadow *s);

/* POSTS: 0 or -errno. Refuses what no correct client sends. */
int64_t fc_posts_open(struct fc_shadow *s, uint64_t at);

/* Do what has been posted, as the client: the caller has its identity; with what it is for to be left alone, if it is not the caller's. False: the times of
 * some files are left to who looks for them, for the caller does not find these: fc_posts_flush. */
bool fc_posts_run(struct fc_shadow *s, fc_post_file *file);

/* Wait until who looks for them has looked: any other thread, without the lock. There is one, if any file is delegated. */
void fc_posts_flush(struct fc_shadow *s);
/* He has, who has seen `wanted` before. */
void fc_posts_served(struct fc_shadow *s, uint32_t wanted);

/* The file that the client knows by `descriptor` is delegated to it as `word`, so that it may write to it by itself; and not any more, which is said after
 * fc_posts_run has done the last of it. */
void fc_posts_stored_begin(struct fc_shadow *s, uint64_t word, uint32_t descriptor, const struct stat *st);
void fc_posts_stored_end(struct fc_shadow *s, uint64_t word);

/* What is behind `length` in the data area is about to go: so is the ring, if it is there. No correct client has anything in it then. The control thread. */
void fc_posts_cut(struct fc_shadow *s, uint64_t length);

/* What to sleep on until there may be more: a word of ours, and what the client rings, if there is anything. */
struct fc_post_nap {
	const uint32_t *word[2];
	uint32_t seen[2];
};

/* As fc_posts_run, for the one that looks for them: from here on it is awake, and need not be woken. True: there was something; `much`: so
 * much that its client may come to wait for room. */
bool fc_posts_serve(struct fc_shadow *s, fc_post_file *file, bool *much);

/* Awake still: is there much again, or somebody who waits? Else it is better done with what follows it. */
bool fc_posts_pressing(struct fc_shadow *s);

/* Say in the ring that the caller will sleep, `deep`: until it is woken. False: there is something. */
bool fc_posts_rest(struct fc_shadow *s, bool deep, struct fc_post_nap *nap);

/* Is there little room where that file is, so that a write might fail that its client does not wait for? */
bool fc_post_is_tight(int fd);

/* Who sleeps so is to look. */
void fc_posts_rouse(struct fc_shadow *s);

/* Some delegation has been withdrawn (its word in the area is 0) since this was last asked. */
bool fc_posts_withdrawn(struct fc_shadow *s);

#endif
