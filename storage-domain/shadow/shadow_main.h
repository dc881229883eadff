/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * shadow_main.h - the insides of a shadow process, shared by its control thread's files: shadow_main.c (life and messages),
 * areas.c (the client's memory), offspring.c (fork).
 */
#ifndef FC_DOMAIN_SHADOW_MAIN_H
#define FC_DOMAIN_SHADOW_MAIN_H

#include "common/control.h"
#include "storage-domain/shadow/shadow.h"

/* A freshly forked process becomes what all shadows are, with nothing open but `link`, as FC_FD_LINK, and under their filter. 0 or -errno. */
int fc_shadow_prepare(const struct fc_exports *exports, const struct fc_transport *transport,
		      struct fc_domain_shared *shared, struct fc_clerk_box *clerk, int link);

/* A fork of such a process becomes the shadow in slot `index`, with `link` as its only way to the supervisor. */
void fc_shadow_main(uint32_t index, int link) __attribute__((noreturn));

/* shadow_main.c: answer the client. One that does not take its answers is cut off; the session ends if there is no memory for one. */
void fc_shadow_answer(struct fc_shadow *s, const struct fc_packet *request, int status, const uint64_t arg[3], int fd);

/* The client's limit of file sizes. Only the soft limit: the hard one is for the client's own kernel to hold it to, and could not be raised
 * again. 0 or -errno. */
int fc_shadow_limit_file_size(uint64_t bytes);

/* The two ends of a way, for messages, under two numbers of the domain's own. 0 or -errno. */
int fc_shadow_pair(int one, int other);

/* Is the message from the client? A connection can be inherited by, or passed to, somebody else. Root may be anybody. */
bool fc_shadow_believes(const struct fc_shadow *s, const struct fc_packet *p);
/* Say something to the supervisor. Without it the session ends. */
void fc_shadow_tell(struct fc_msg m, int fd);

/* Everything that the supervisor has said so far. */
void fc_shadow_serve_link(struct fc_shadow *s);
/* FORK, by a fork: make the child's shadow, and answer. */
void fc_shadow_fork(struct fc_shadow *s, const struct fc_packet *request);

/* ---- areas.c ---- */

/* AREAS: check and map the two parts that the message brings, in place of those there were, and start workers. Returns 0
 * or -errno; -EPROTO if the client broke a promise about them. */
int fc_areas_set(struct fc_shadow *s, const struct fc_packet *p);

/* GROW: map one more segment. Returns as fc_areas_set. */
int fc_areas_grow(struct fc_shadow *s, const struct fc_packet *p);

/* SHRINK: give up what lies behind `length`, which must be a segment boundary. Requests that still use it, against the
 * client's own word, end the session. Returns as fc_areas_set. */
int fc_areas_shrink(struct fc_shadow *s, uint64_t length);

/* The areas are gone already, with a fork: forget them. */
void fc_areas_forget(struct fc_shadow *s);

/* Is `length` the length of some number of whole segments? */
bool fc_segment_boundary(uint64_t length);

/* ---- lend.c ---- */

/* MEMORY: make a memfd for the client, and answer. */
void fc_lend(struct fc_shadow *s, const struct fc_packet *request);
#define FC_LEND_FLAGS (MFD_CLOEXEC | MFD_ALLOW_SEALING)

/* ---- hand.c ---- */

/* May what has this path be handed over? Not if it is in an export that forbids it, or in none. */
bool fc_hand_allowed(const struct fc_exports *exports, const char *path);

/* The same for what a link in FC_FD_PROC leads to; and in which export that is, null: in none. */
bool fc_hand_allowed_at(const struct fc_exports *exports, const char *link);
const struct fc_export *fc_export_at(const struct fc_exports *exports, const char *link);

/* A shadow that has no workers (any more) can hand over. 0 or -errno. */
int fc_hand_begin(void);

/* HAND, LEASE, RETURN: what the thread that hands over does and answers. */
void fc_hand_over(struct fc_shadow *s, const struct fc_packet *request);

/* That thread is to have a look at what is delegated. */
void fc_hand_tidy(void);

/* In that thread: may the client have what is open as `fd`? 0, or what HAND says. */
int fc_hand_judge(const struct fc_exports *exports, int fd);

/* ---- lease.c ---- */

/* Before there are threads: no file is delegated, and nobody is told of leases that end but who asks. 0 or -errno. */
void fc_leases_begin(void);

/* In the thread that hands over, whose descriptor table has nothing of the workers': LEASE (takes request->fd[0]), RETURN. */
void fc_lease(struct fc_shadow *s, struct fc_packet *request);
void fc_lease_return(struct fc_shadow *s, const struct fc_packet *request);

void fc_leases_nudge(void);               /* whoever waits for leases to end is to look now */
void fc_leases_look(struct fc_shadow *s); /* end those that somebody waits for, or that do not hold any more */

/* The descriptor of the delegation that a write has been posted for, in that table; -1: it is not there. With the lock of the posts. */
struct fc_post;
int fc_lease_file(const struct fc_post *p);

/* ---- poster.c ---- */

/* Start it, in the thread that hands over, whose table it shares. */
bool fc_poster_begin(struct fc_shadow *s);

/* ---- other.c ---- */

/* OTHER, from the client: ask the supervisor; and its answer, with the descriptor: hand it on. */
void fc_other_ask(struct fc_shadow *s, const struct fc_packet *request);
void fc_other_answer(struct fc_shadow *s, struct fc_packet *answer);
/* SHOW: what the client has open, for another's. */
void fc_other_show(struct fc_shadow *s, const struct fc_packet *question);

/* ---- pass.c ---- */

struct fc_ticket_name;

/* PASS, from the client: ask the supervisor for a ticket; and its answer: hand it on. */
void fc_pass_ask(struct fc_shadow *s, const struct fc_packet *request);
void fc_pass_answer(struct fc_shadow *s, struct fc_packet *answer);
/* CLAIM: which socket the client has brought, 0 or -errno; ask the supervisor for what it stands for (the answer is fc_other_answer's). */
int fc_pass_look(int fd, struct fc_ticket_name *name);
void fc_pass_claim(struct fc_shadow *s, const struct fc_packet *request, const struct fc_ticket_name *name);

/* ---- offspring.c ---- */

/* FORK: make a shadow for the client's child, and answer. Returns 0 in both, in the new process with *s being the child's;
 * -errno if the client is still to be told. */
int fc_offspring_make(struct fc_shadow *s, const struct fc_packet *request);

/* ---- heir.c; for clients on this machine ---- */

/* A shadow that has no workers (any more), and no heir: make the way. 0 or -errno. */
int fc_heir_begin(struct fc_shadow *s);

/* FORK: leave it to the heir. False: there is none for this, and nobody has been told anything. */
bool fc_heir_give(struct fc_shadow *s, const struct fc_packet *request);

/* The shadow is about to fork: next time there may be an heir. */
void fc_heir_before_fork(struct fc_shadow *s);

/* HEIR, from the supervisor to a session's shadow. */
void fc_heir_news(struct fc_shadow *s, const struct fc_packet *p);

/* If the heir that was to answer is dead: do so, by a fork. */
void fc_heir_instead(struct fc_shadow *s);

/* HEIR, to one in the reserve. Returns when it is the shadow of a session, whose client has been answered. */
void fc_heir_be(struct fc_shadow *s, const struct fc_packet *p);

/* The session is over, nothing of it is open any more: forget the rest. */
void fc_heir_return(struct fc_shadow *s);

#endif
