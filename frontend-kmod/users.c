// SPDX-License-Identifier: GPL-2.0-only
/*
 * users.c - what one user of this machine may hold, so that nobody takes all there is: sessions and pages, of all domains together; and
 * requests that wait for their response, of each domain, or one that does not answer would keep its users from all others. A user is
 * a uid of the initial user namespace; who makes another namespace pays for all uids in it.
 *
 * Besides the administrator's limits there is one rule: a user may have more only while that is no more than what is then left for
 * everybody. The first one gets half at most, a second one a quarter, and so on: how much one has taken is never a reason for another
 * to get nothing.
 */
#include <linux/capability.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "kmod.h"

static unsigned int sessions_per_user = 256;
module_param(sessions_per_user, uint, 0644);
MODULE_PARM_DESC(sessions_per_user, "sessions that one user (without CAP_SYS_RESOURCE) may have");

static unsigned int pages_per_user = 65536;
module_param(pages_per_user, uint, 0644);
MODULE_PARM_DESC(pages_per_user,
		 "pages that the sessions of one user (without CAP_SYS_RESOURCE) may have, while as many grants are left");

static unsigned int requests_per_user = 16;
module_param(requests_per_user, uint, 0644);
MODULE_PARM_DESC(requests_per_user, "control requests to one domain that one user may have in flight; more have to wait");

#define FEW 16

/* A user's account with one domain. */
struct fc_user {
	struct list_head link;
	kuid_t uid;
	const struct fc_domain *domain;	/* which one; not looked into */
	unsigned int refs, sessions, pages, requests;	/* users_lock */
	wait_queue_head_t waiting;	/* to have another request in flight */
};

/* Sums over accounts. */
struct total {
	unsigned int sessions, pages, requests;
};

static LIST_HEAD(users);
static DEFINE_SPINLOCK(users_lock);

static struct fc_user *find(const struct fc_domain *domain, kuid_t uid)
{
	struct fc_user *user;

	list_for_each_entry(user, &users, link)
		if (user->domain == domain && uid_eq(user->uid, uid)) {
			user->refs++;
			return user;
		}
	return NULL;
}

struct fc_user *fc_user_find(const struct fc_domain *domain, kuid_t uid)
{
	struct fc_user *user, *fresh = kzalloc(sizeof(*fresh), GFP_KERNEL_ACCOUNT);

	if (!fresh)
		return NULL;
	fresh->uid = uid;
	fresh->domain = domain;
	fresh->refs = 1;
	init_waitqueue_head(&fresh->waiting);
	spin_lock(&users_lock);
	user = find(domain, uid);
	if (!user) {
		user = fresh;
		fresh = NULL;
		list_add(&user->link, &users);
	}
	spin_unlock(&users_lock);
	kfree(fresh);
	return user;
}

void fc_user_put(struct fc_user *user)
{
	bool last;

	if (!user)
		return;
	spin_lock(&users_lock);
	last = !--user->refs;
	if (last)
		list_del(&user->link);
	spin_unlock(&users_lock);
	if (last)
		kfree(user);
}

struct fc_user *fc_user_of(struct fc_holding *holding)
{
	struct fc_user *user;

	spin_lock(&users_lock);
	user = holding->user;
	user->refs++;
	spin_unlock(&users_lock);
	return user;
}

/* ---- how much there is; users_lock is held ---- */

static struct total total_of_uid(kuid_t uid)
{
	struct total sum = { 0 };
	const struct fc_user *account;

	list_for_each_entry(account, &users, link)
		if (uid_eq(account->uid, uid)) {
			sum.sessions += account->sessions;
			sum.pages += account->pages;
		}
	return sum;
}

static struct total total_of_domain(const struct fc_domain *domain)
{
	struct total sum = { 0 };
	const struct fc_user *account;

	list_for_each_entry(account, &users, link)
		if (account->domain == domain) {
			sum.sessions += account->sessions;
			sum.requests += account->requests;
		}
	return sum;
}

static unsigned int pages_of_all(void)
{
	const struct fc_user *account;
	unsigned int sum = 0;

	list_for_each_entry(account, &users, link)
		sum += account->pages;
	return sum;
}

/* The rule: somebody who has @own, of which all together have @taken, gets @more. */
static bool leaves_enough(unsigned int own, unsigned int more, unsigned int taken, unsigned int all)
{
	return own + more + taken + more <= all;
}

static bool may_have_sessions(const struct fc_user *user, unsigned int more)
{
	return total_of_uid(user->uid).sessions + more <= READ_ONCE(sessions_per_user) &&
	       leaves_enough(user->sessions, more, total_of_domain(user->domain).sessions, FC_XEN_SESSIONS);
}

static bool may_have_pages(const struct fc_user *user, unsigned int more)
{
	unsigned int own = total_of_uid(user->uid).pages;
	unsigned int grants = gnttab_max_grant_frames() * (PAGE_SIZE / sizeof(struct grant_entry_v1));

	return own + more <= READ_ONCE(pages_per_user) && leaves_enough(own, more, pages_of_all(), grants);
}

/* The last place is for what is urgent. */
static bool may_have_request(const struct fc_user *user)
{
	return user->requests < max(READ_ONCE(requests_per_user), 1u) &&
	       leaves_enough(user->requests, 1, total_of_domain(user->domain).requests, FC_RING_PLACES - 1);
}

/* ---- what a session holds ---- */

int fc_user_take(struct fc_holding *holding, unsigned int sessions, unsigned int pages)
{
	bool limited = !ns_capable_noaudit(&init_user_ns, CAP_SYS_RESOURCE);
	struct fc_user *user;
	int r = 0;

	spin_lock(&users_lock);
	user = holding->user;
	if (limited && sessions && !may_have_sessions(user, sessions))
		r = -EAGAIN;
	else if (limited && pages && !may_have_pages(user, pages))
		r = -ENOSPC;
	if (!r) {
		holding->sessions += sessions;
		holding->pages += pages;
		user->sessions += sessions;
		user->pages += pages;
	}
	spin_unlock(&users_lock);
	return r;
}

void fc_user_give(struct fc_holding *holding, unsigned int sessions, unsigned int pages)
{
	spin_lock(&users_lock);
	holding->sessions -= sessions;
	holding->pages -= pages;
	holding->user->sessions -= sessions;
	holding->user->pages -= pages;
	spin_unlock(&users_lock);
}

void fc_user_move(struct fc_holding *holding, struct fc_user *user)
{
	struct fc_user *before;

	spin_lock(&users_lock);
	before = holding->user;
	before->sessions -= holding->sessions;
	before->pages -= holding->pages;
	user->sessions += holding->sessions;
	user->pages += holding->pages;
	holding->user = user;
	spin_unlock(&users_lock);
	fc_user_put(before);
}

bool fc_user_has_few(struct fc_holding *holding)
{
	bool few;

	spin_lock(&users_lock);
	few = total_of_uid(holding->user->uid).sessions <= FEW;
	spin_unlock(&users_lock);
	return few;
}

/* ---- requests in flight ---- */

/* One more, if it may be: whoever has none while nothing is left waits for others. */
static bool begin(struct fc_user *user)
{
	bool may;

	spin_lock(&users_lock);
	may = may_have_request(user);
	user->requests += may;
	spin_unlock(&users_lock);
	return may;
}

int fc_user_begin_request(struct fc_user *user)
{
	return wait_event_killable_exclusive(user->waiting, begin(user)) ? -EINTR : 0;
}

/* One place more for everybody: one more of each user's, at most. */
void fc_user_end_request(struct fc_user *user)
{
	struct fc_user *account;

	spin_lock(&users_lock);
	user->requests--;
	list_for_each_entry(account, &users, link)
		if (account->domain == user->domain)
			wake_up(&account->waiting);
	spin_unlock(&users_lock);
}
