// SPDX-License-Identifier: GPL-2.0-only
/*
 * users.c - what one user of this machine may hold, so that nobody takes all there is: sessions and pages, of all domains together; and
 * requests that wait for their response, of each domain, or one that does not answer would keep its users from all others. A user is
 * a uid of the initial user namespace.
 */
#include <linux/capability.h>
#include <linux/module.h>
#include <linux/semaphore.h>
#include <linux/slab.h>

#include "kmod.h"

static unsigned int sessions_per_user = 256;
module_param(sessions_per_user, uint, 0644);
MODULE_PARM_DESC(sessions_per_user, "sessions that one user (without CAP_SYS_RESOURCE) may have");

static unsigned int pages_per_user = 65536;
module_param(pages_per_user, uint, 0644);
MODULE_PARM_DESC(pages_per_user,
		 "pages that the sessions of one user (without CAP_SYS_RESOURCE) may have; never more than half the grants there are");

static unsigned int requests_per_user = 16;
module_param(requests_per_user, uint, 0444);
MODULE_PARM_DESC(requests_per_user, "control requests to one domain that one user may have in flight; more have to wait");

/* A user's account with one domain. */
struct fc_user {
	struct list_head link;
	kuid_t uid;
	const struct fc_domain *domain;	/* which one; not looked into */
	unsigned int refs, sessions, pages;	/* users_lock */
	struct semaphore requests;
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
	sema_init(&fresh->requests, max(requests_per_user, 1u));
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

void fc_user_get(struct fc_user *user)
{
	spin_lock(&users_lock);
	user->refs++;
	spin_unlock(&users_lock);
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

/* Half of all grants, or one user could leave none for anybody else. */
static unsigned int pages_limit(void)
{
	unsigned int grants = gnttab_max_grant_frames() * (PAGE_SIZE / sizeof(struct grant_entry_v1));

	return min(READ_ONCE(pages_per_user), grants / 2);
}

int fc_user_take(struct fc_user *user, unsigned int sessions, unsigned int pages)
{
	bool limited = !ns_capable_noaudit(&init_user_ns, CAP_SYS_RESOURCE);
	unsigned int all_sessions = sessions, all_pages = pages;
	const struct fc_user *account;
	int r = 0;

	spin_lock(&users_lock);
	list_for_each_entry(account, &users, link)
		if (uid_eq(account->uid, user->uid)) {
			all_sessions += account->sessions;
			all_pages += account->pages;
		}
	if (limited && sessions && all_sessions > READ_ONCE(sessions_per_user))
		r = -EAGAIN;
	else if (limited && pages && all_pages > pages_limit())
		r = -ENOSPC;
	if (!r) {
		user->sessions += sessions;
		user->pages += pages;
	}
	spin_unlock(&users_lock);
	return r;
}

void fc_user_give(struct fc_user *user, unsigned int sessions, unsigned int pages)
{
	spin_lock(&users_lock);
	user->sessions -= sessions;
	user->pages -= pages;
	spin_unlock(&users_lock);
}

int fc_user_begin_request(struct fc_user *user)
{
	return down_killable(&user->requests);
}

void fc_user_end_request(struct fc_user *user)
{
	up(&user->requests);
}
