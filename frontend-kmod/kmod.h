/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * kmod.h - what the files of the module share.
 *
 *   main.c      the module and /dev/syscall: files, memory maps
 *   ioctl.c     the ioctls: copying and checking what comes from user space
 *   caller.c    where the calling process stands
 *   session.c   one process attached to one domain
 *   domain.c    a storage domain: Xenbus, life and death
 *   ring.c      process management: requests to the domain and their responses
 *   bells.c     who sleeps, who is woken
 *   pages.c     pages granted to a domain, until it lets go of them
 *   maps.c      memory of shared mappings, and which sessions hold it
 *   leases.c    delegations
 *   users.c     what one user may hold
 *   counters.c  what the module holds, in debugfs
 *
 * Locks, in the order in which they nest: a session's lock, the list of sessions, a domain's lock; the spinlocks (a session's
 * `pointers`, of what is mapped, of users, of pages set aside) are innermost, in this order. Responses are handled (request->done) with no lock held.
 */
#ifndef FC_KMOD_H
#define FC_KMOD_H

#include <linux/atomic.h>
#include <linux/completion.h>
#include <linux/cred.h>
#include <linux/fs.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/pid.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <xen/grant_table.h>
#include <xen/interface/io/ring.h>
#include <xen/xenbus.h>

#include "farcall/abi.h"
#include "farcall/ioctl.h"
#include "farcall/xen.h"

DEFINE_RING_TYPES(fc_xen, struct fc_xen_request, struct fc_xen_response);

#define FC_RING_PLACES __CONST_RING_SIZE(fc_xen, PAGE_SIZE)

/* ---- counters.c ---- */

enum fc_counter {
	FC_COUNT_DOMAINS,	/* that exist */
	FC_COUNT_SESSIONS,
	FC_COUNT_PAGES,		/* allocated */
	FC_COUNT_GRANTS,	/* in force */
	FC_COUNT_SET_ASIDE,	/* pages that a domain is to let go of and has not */
	FC_COUNT_REQUESTS,	/* without response */
	FC_COUNT_LIVE,		/* those above are zero when nothing is in use; those below only grow */
	FC_COUNT_PROTOCOL = FC_COUNT_LIVE, /* domains given up for what they said */
	FC_COUNT_DEATHS,	/* domains that were connected and died */
	FC_COUNT_RINGS,		/* to domains */
	FC_COUNT_WAKES,		/* from domains */
	FC_COUNTERS
};

extern atomic_long_t fc_count[FC_COUNTERS];

static inline void fc_count_add(enum fc_counter which, long n)
{
	atomic_long_add(n, &fc_count[which]);
}

void fc_counters_init(void);
void fc_counters_exit(void);

/* ---- pages.c ---- */

/* Pages, each granted to one domain. */
struct fc_pages {
	struct list_head link;	/* when set aside */
	domid_t peer;
	unsigned int count;
	struct page **page;	/* null once given back */
	grant_ref_t *ref;
};

/* @count zeroed pages granted to @peer, charged to the caller. -ENOMEM; -ENOSPC: out of grants, or @peer keeps too many pages that it
 * should have let go of.
 */
struct fc_pages *fc_pages_make(domid_t peer, unsigned int count, bool readonly);

/* The same with the first @count pages of a file in memory. */
struct fc_pages *fc_pages_of(domid_t peer, unsigned int count, struct address_space *file);

/* End the grants and free everything; what @peer still maps is set aside and freed later. Null is fine. */
void fc_pages_end(struct fc_pages *pages);

/* How many pages are set aside for @peer. */
unsigned int fc_pages_aside(domid_t peer);

/* A large text: what is in the pages, as one range. @pages holds it all. */
void fc_pages_write(struct fc_pages *pages, const void *from, size_t size);
void fc_pages_read(const struct fc_pages *pages, void *to, size_t size);

/* The module ends: give what is still set aside up for good. Returns how many pages that are. */
unsigned int fc_pages_exit(void);

/* The memory of a session: what mmap shows. */
struct fc_areas {
	struct fc_pages *request;
	struct fc_pages *segment[FC_SEGMENTS_MAX];
	u64 length;		/* of the data area */
};

struct fc_areas *fc_areas_make(domid_t peer);
void fc_areas_end(struct fc_areas *areas);
unsigned int fc_areas_count(const struct fc_areas *areas);

/* The page at @offset of the data area; null if there is none. */
struct page *fc_areas_page(const struct fc_areas *areas, u64 offset);

/* Write the grants of all @parts in turn to @ref. */
void fc_refs_gather(u32 *ref, struct fc_pages *const part[], unsigned int parts);

/* ---- domain.c ---- */

struct fc_session;

struct fc_domain {
	struct kref kref;
	struct list_head link;	/* in the list of domains, while its Xenbus device exists */
	struct xenbus_device *dev;
	domid_t domid;
	char name[FC_IOC_NAME_MAX];
	struct page *page;	/* struct fc_domain_page, as clients map it */

	struct mutex lock;	/* of what follows, the ring and the numbers */
	bool dead;		/* for good: nothing is sent any more */
	bool offered;		/* ring and bells */
	bool greeted;		/* HELLO was sent */
	bool connected;
	char *text;		/* exports, as HELLO's */
	u32 text_size, exports;
	u32 minor;		/* version of what it speaks */
	u64 generation;
	struct fc_areas *ready;	/* one made ahead, so that a client need not wait for it */
	struct work_struct refill, bury;

	/* ring.c */
	struct fc_pages *ring_page;
	struct fc_xen_front_ring ring;
	evtchn_port_t ring_port;
	unsigned int ring_irq;
	struct work_struct responses;
	struct list_head pending;	/* requests that wait for a place in the ring */
	struct fc_request *sent[FC_RING_PLACES];
	unsigned long free_ids;
	unsigned long heard;		/* when the last response came, in jiffies */

	/* heartbeat */
	struct delayed_work heart;
	bool ping_out, suspected;
	unsigned long ping_sent;

	/* bells.c */
	struct fc_pages *bells_page;
	struct fc_xen_bells *bells;
	evtchn_port_t bells_port;
	unsigned int bells_irq;

	/* sessions by number; null or under construction where the bit is set without a session */
	struct fc_session __rcu *session[FC_XEN_SESSIONS];
	DECLARE_BITMAP(numbers, FC_XEN_SESSIONS);
	unsigned int last_number;
};

int fc_domains_init(void);
void fc_domains_exit(void);

/* The domain called @name, a reference for the caller; null if there is none. One that lives before one that is dead. */
struct fc_domain *fc_domain_find(const char *name);
/* The one number @index of the list. */
struct fc_domain *fc_domain_nth(unsigned int index);
void fc_domain_get(struct fc_domain *domain);
void fc_domain_put(struct fc_domain *domain);

/* Make areas ahead, if there are none. */
void fc_domain_refill(struct fc_domain *domain);

/* It is dead, or as good as dead: everybody gets -EIO, everything is given back. Any process context, no lock held. */
void fc_domain_die(struct fc_domain *domain, const char *why);

/* Look at once whether it lives. Any context. */
void fc_domain_doubt(struct fc_domain *domain);

static inline struct fc_domain_page *fc_domain_page(const struct fc_domain *domain)
{
	return page_address(domain->page);
}

/* ---- caller.c ---- */

/* Does it see the files that the first process sees, or need it not (parameter any_root)? */
bool fc_caller_is_at_home(void);

/* Is it the administrator of this machine? */
bool fc_caller_is_root(void);

/* On whose account it is: a user namespace's uids are all on the account of whoever made it, or they would be as many users. */
kuid_t fc_caller_account(void);

/* The process that @task is a child of: a reference. */
struct pid *fc_parent_of(struct task_struct *task);

/* ---- users.c ---- */

struct fc_user;

/* What a session has, and on whose account. */
struct fc_holding {
	struct fc_user *user;		/* a reference; users.c's lock */
	unsigned int sessions, pages;
};

/* The account of that user with @domain, a reference for the caller; null: no memory. */
struct fc_user *fc_user_find(const struct fc_domain *domain, kuid_t uid);
void fc_user_put(struct fc_user *user);
/* Whose account that is now: a reference for the caller. */
struct fc_user *fc_user_of(struct fc_holding *holding);
/* May the caller have so many more? If so they count from now. 0, -EAGAIN (sessions) or -ENOSPC (pages). */
int fc_user_take(struct fc_holding *holding, unsigned int sessions, unsigned int pages);
void fc_user_give(struct fc_holding *holding, unsigned int sessions, unsigned int pages);
/* All of it goes to the account of @user, whose reference is taken over. */
void fc_user_move(struct fc_holding *holding, struct fc_user *user);
/* Has its user only a few sessions? */
bool fc_user_has_few(struct fc_holding *holding);
/* Waits while the user has too many in flight. 0 or -EINTR: the caller is being killed. */
int fc_user_begin_request(struct fc_user *user);
void fc_user_end_request(struct fc_user *user);

/* ---- ring.c ---- */

struct fc_request {
	struct kref kref;
	struct list_head link;
	bool urgent;		/* overtakes those that wait for a place in the ring */
	bool patient;		/* it may take as long as the domain lives: it waits for a disk */
	struct fc_user *user;	/* on whose account it is in flight; a reference */
	struct fc_xen_request wire;
	struct fc_pages *text;
	void *reply;		/* copy of the text's room, for text that comes out */
	int status;
	u64 value[2];
	struct completion completed;
	void (*done)(struct fc_request *request);
	struct fc_session *session;	/* done's; a reference */
	void *context;			/* done's */
};

extern unsigned int fc_answer_ms;

/* A request with room for @size bytes of text. If there is a @user (a reference that is taken over), it counts as one of theirs until it
 * is freed, and they may have to wait for those they have. -ENOMEM, -ENOSPC: no grants, -EINTR: the caller is being killed.
 */
struct fc_request *fc_request_make(struct fc_domain *domain, struct fc_user *user, u16 type, u32 session, size_t size,
				   bool out);
void fc_request_put(struct fc_request *request);

/* Send it; its reference is taken over. done() runs when the response is there, or the domain is dead (status -EIO). */
void fc_request_post(struct fc_domain *domain, struct fc_request *request);

/* Send it and wait. Returns the response's status, or -EINTR: the caller is being killed. The reference stays the caller's. If the
 * response does not come in time, a domain that is silent altogether is dead; one that answers others is not: -EIO, the session is over.
 */
int fc_request_run(struct fc_domain *domain, struct fc_request *request);

int fc_ring_init(struct fc_domain *domain);
void fc_ring_exit(struct fc_domain *domain);
/* Everything in flight ends with -EIO. The domain is marked dead already. */
void fc_ring_fail(struct fc_domain *domain);

/* ---- bells.c ---- */

int fc_bells_init(struct fc_domain *domain);
void fc_bells_exit(struct fc_domain *domain);
void fc_bells_ring(struct fc_domain *domain, u32 session);
int fc_bells_wait(struct fc_session *session, const struct fc_ioc_wait *wait);
void fc_bells_wake(struct fc_session *session);

/* ---- session.c ---- */

struct fc_session {
	struct kref kref;
	struct rcu_head rcu;
	struct list_head link;		/* in the list of all sessions */
	struct fc_domain *domain;
	u32 number;
	struct fc_holding holding;	/* what counts against its user's limits */
	struct pid *tgid;		/* whose it is; null after FORK, until somebody comes */
	struct pid *parent;		/* whose child that is; not who a session from FORK is for */
	kuid_t uid;			/* real, as the domain was last told; session's lock */
	kuid_t uid_before;		/* and before that: other threads may still have it, */
	unsigned long told;		/* for a moment from then on, in jiffies */
	bool over;			/* everything is -EIO */
	bool leaving;			/* DETACH is on its way, or its number is free already */
	wait_queue_head_t sleepers;

	struct fc_request *detach;	/* made ahead: leaving must not fail */

	struct mutex lock;		/* one control operation at a time */
	spinlock_t pointers;		/* of the areas, and in them */
	struct fc_areas *areas;		/* the domain's, or on their way there */
	struct fc_areas *fresh;		/* since AREAS, until OFFER */
	struct fc_areas *old;		/* until the domain has let go of them */
	bool stripped;			/* it gets no areas any more */
	struct list_head maps;		/* maps.c */
};

struct fc_session *fc_session_attach(struct fc_domain *domain, u32 mask);
void fc_session_put(struct fc_session *session);

/* May the calling process use it? 0, -EPERM or -EIO. What only @tells who the caller is, or acts for nobody, may come from one whose
 * real uid the domain has not been told.
 */
int fc_session_enter(struct fc_session *session, bool tells);

int fc_session_areas(struct fc_session *session);
int fc_session_offer(struct fc_session *session, bool fresh);
int fc_session_grow(struct fc_session *session, u64 *length);
int fc_session_shrink(struct fc_session *session, u64 length);
struct fc_session *fc_session_fork(struct fc_session *session);
int fc_session_forked(struct fc_session *session, u32 number, pid_t pid);
int fc_session_cred(struct fc_session *session);
/* Pages [@offset, @offset + @count pages) of what mmap shows, referenced. Returns 0 or -ENXIO. */
int fc_session_pages(struct fc_session *session, u64 offset, unsigned long count, struct page **page);
int fc_session_rlimit(struct fc_session *session);

/* The file is closed: ends it without waiting. */
void fc_session_leave(struct fc_session *session);
/* Ends it, and waits until the domain has followed. */
int fc_session_bye(struct fc_session *session);
/* Waits until the domain holds nothing of the process @pid (in the caller's name space). */
int fc_session_gone(pid_t pid);

/* It is over: wake everybody. */
void fc_session_end(struct fc_session *session);
/* Its domain is dead: give back its memory. */
void fc_session_strip(struct fc_session *session);

unsigned int fc_sessions_of(const struct fc_domain *domain);

/* A request on its behalf, with a reference to it. May wait: a user has only so many in flight. */
struct fc_request *fc_session_request(struct fc_session *session, u16 type, size_t size);
/* Send it and wait; its reference is taken over. Returns as fc_request_run. */
int fc_session_run(struct fc_session *session, struct fc_request *request);

/* ---- maps.c ---- */

/* Memory for a shared mapping: a descriptor for it, and its number in the domain. */
int fc_session_map(struct fc_session *session, u64 length, u32 *number);
int fc_session_unmap(struct fc_session *session, u32 number);

/* @child, which is to be forked, holds what @session holds. The session is locked. 0, -ENOMEM or -ENOSPC. */
int fc_maps_fork(struct fc_session *session, struct fc_session *child);
/* The domain is about to be told that all of it is gone; and has let go of that. The session is locked; any context. */
void fc_maps_leave(struct fc_session *session);
void fc_maps_left(struct fc_session *session);
/* The session is over, and the domain has nothing of it. */
void fc_maps_end(struct fc_session *session);

/* ---- leases.c ---- */

/* A delegation, and its end; as ioctl.h says. */
int fc_session_lease(struct fc_session *session, struct fc_ioc_lease *a);
int fc_session_return(struct fc_session *session, const struct fc_ioc_return *a);

/* ---- main.c ---- */

/* One open file. */
struct fc_file {
	struct mutex lock;		/* of `session`: who attaches first */
	struct fc_session *session;
};

/* A descriptor for a session that is the caller's to give away; on error it stays the caller's. */
int fc_file_install(struct fc_session *session);

/* ---- ioctl.c ---- */

long fc_ioctl(struct file *file, unsigned int request, unsigned long argument);

#endif
