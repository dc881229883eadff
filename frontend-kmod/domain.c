// SPDX-License-Identifier: GPL-2.0-only
/*
 * domain.c - a storage domain as its Xenbus device shows it: the handshake of farcall/xen.h, its life, and how its death is seen: the
 * device says so; another domain's death makes us ask whether this one lives; and a heartbeat, while somebody uses it.
 */
#include <linux/delay.h>
#include <linux/jiffies.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>

#include "kmod.h"

static unsigned int heartbeat_ms = 5000;
module_param(heartbeat_ms, uint, 0644);
MODULE_PARM_DESC(heartbeat_ms, "how often a domain in use is asked whether it lives");

static unsigned int doubt_ms = 1500;
module_param(doubt_ms, uint, 0644);
MODULE_PARM_DESC(doubt_ms, "how long it may take to answer when some domain of this machine has died");

#define LOOK msecs_to_jiffies(100)
#define PARTING msecs_to_jiffies(3000)

static LIST_HEAD(domains);
static DEFINE_MUTEX(domains_lock);
static DECLARE_WAIT_QUEUE_HEAD(all_gone);

/* ---- references ---- */

static void domain_free(struct kref *kref)
{
	struct fc_domain *domain = container_of(kref, struct fc_domain, kref);

	fc_pages_end(domain->bells_page);
	if (domain->page)
		put_page(domain->page);
	kvfree(domain->text);
	kvfree(domain);
	fc_count_add(FC_COUNT_DOMAINS, -1);
	wake_up_all(&all_gone);
}

void fc_domain_get(struct fc_domain *domain)
{
	kref_get(&domain->kref);
}

void fc_domain_put(struct fc_domain *domain)
{
	kref_put(&domain->kref, domain_free);
}

struct fc_domain *fc_domain_find(const char *name)
{
	struct fc_domain *domain, *found = NULL;

	mutex_lock(&domains_lock);
	list_for_each_entry(domain, &domains, link)
		if (!strcmp(domain->name, name) && (!found || found->dead))
			found = domain;
	if (found)
		fc_domain_get(found);
	mutex_unlock(&domains_lock);
	return found;
}

struct fc_domain *fc_domain_nth(unsigned int index)
{
	struct fc_domain *domain, *found = NULL;

	mutex_lock(&domains_lock);
	list_for_each_entry(domain, &domains, link)
		if (!index--) {
			found = domain;
			fc_domain_get(found);
			break;
		}
	mutex_unlock(&domains_lock);
	return found;
}

/* ---- an areas made ahead ---- */

static void refill(struct work_struct *work)
{
	struct fc_domain *domain = container_of(work, struct fc_domain, refill);
	struct fc_areas *areas;

	if (READ_ONCE(domain->ready) || READ_ONCE(domain->dead))
		goto out;
	areas = fc_areas_make(domain->domid);
	if (IS_ERR(areas))
		goto out; /* the client will see for itself */
	mutex_lock(&domain->lock);
	if (!domain->dead && !domain->ready) {
		domain->ready = areas;
		areas = NULL;
	}
	mutex_unlock(&domain->lock);
	fc_areas_end(areas);
out:
	fc_domain_put(domain);
}

void fc_domain_refill(struct fc_domain *domain)
{
	if (READ_ONCE(domain->dead))
		return;
	fc_domain_get(domain); /* the work's; it may come after the device has gone */
	if (!schedule_work(&domain->refill))
		fc_domain_put(domain);
}

/* ---- death ---- */

/* For each session, with a reference. */
static void visit_sessions(struct fc_domain *domain, void (*what)(struct fc_session *))
{
	unsigned int n;

	for (n = 0; n < FC_XEN_SESSIONS; n++) {
		struct fc_session *session;

		rcu_read_lock();
		session = rcu_dereference(domain->session[n]);
		if (session && !kref_get_unless_zero(&session->kref))
			session = NULL;
		rcu_read_unlock();
		if (!session)
			continue;
		what(session);
		fc_session_put(session);
	}
}

static void bury(struct work_struct *work)
{
	struct fc_domain *domain = container_of(work, struct fc_domain, bury);
	struct fc_areas *areas;

	fc_ring_fail(domain);
	visit_sessions(domain, fc_session_strip);
	mutex_lock(&domain->lock);
	areas = domain->ready;
	domain->ready = NULL;
	mutex_unlock(&domain->lock);
	fc_areas_end(areas);
	/* if it lives after all, it is to let go of everything */
	xenbus_switch_state(domain->dev, XenbusStateClosing);
	fc_domain_put(domain);
}

void fc_domain_die(struct fc_domain *domain, const char *why)
{
	bool first;

	mutex_lock(&domain->lock);
	first = !domain->dead;
	WRITE_ONCE(domain->dead, true);
	WRITE_ONCE(fc_domain_page(domain)->state, FC_DOMAIN_DEAD);
	mutex_unlock(&domain->lock);
	if (!first)
		return;
	visit_sessions(domain, fc_session_end);
	if (domain->connected) {
		fc_count_add(FC_COUNT_DEATHS, 1);
		pr_notice("farcall: domain %s (%u) is given up: %s\n", domain->name, domain->domid, why);
	}
	fc_domain_get(domain);
	schedule_work(&domain->bury);
}

/* ---- is it alive? ---- */

static void pinged(struct fc_request *request)
{
	struct fc_domain *domain = request->context;

	WRITE_ONCE(domain->ping_out, false);
	WRITE_ONCE(domain->suspected, false);
	fc_domain_put(domain);
}

static void ping(struct fc_domain *domain)
{
	struct fc_request *request = fc_request_make(domain, NULL, FC_XEN_PING, 0, 0, false);

	if (IS_ERR(request))
		return;
	fc_domain_get(domain);
	request->urgent = true;
	request->context = domain;
	request->done = pinged;
	domain->ping_sent = jiffies;
	WRITE_ONCE(domain->ping_out, true);
	fc_request_post(domain, request);
}

/* Has it had a ping for too long, and said nothing else either? */
static bool is_silent(const struct fc_domain *domain)
{
	unsigned long patience = msecs_to_jiffies(READ_ONCE(domain->suspected) ? doubt_ms : fc_answer_ms);

	return time_after(jiffies, domain->ping_sent + patience) &&
	       time_after(jiffies, READ_ONCE(domain->heard) + patience);
}

static void heart(struct work_struct *work)
{
	struct fc_domain *domain = container_of(to_delayed_work(work), struct fc_domain, heart);

	if (READ_ONCE(domain->dead))
		return;
	if (domain->connected && !READ_ONCE(domain->bells->up)) {
		fc_domain_die(domain, "its process has ended");
		return;
	}
	if (READ_ONCE(domain->ping_out)) {
		if (is_silent(domain)) {
			fc_domain_die(domain, "it does not answer");
			return;
		}
	} else if (domain->connected && (READ_ONCE(domain->suspected) || fc_sessions_of(domain))) {
		ping(domain);
	}
	schedule_delayed_work(&domain->heart, READ_ONCE(domain->ping_out) ? LOOK : msecs_to_jiffies(heartbeat_ms));
}

void fc_domain_doubt(struct fc_domain *domain)
{
	if (!READ_ONCE(domain->dead))
		mod_delayed_work(system_wq, &domain->heart, 0);
}

/* Some domain has died: this one? It may have crashed and still be there, until somebody destroys it. */
static void domain_released(struct xenbus_watch *watch, const char *path, const char *token)
{
	struct fc_domain *domain;

	mutex_lock(&domains_lock);
	list_for_each_entry(domain, &domains, link) {
		if (READ_ONCE(domain->dead) || !domain->connected)
			continue;
		WRITE_ONCE(domain->suspected, true);
		mod_delayed_work(system_wq, &domain->heart, 0);
	}
	mutex_unlock(&domains_lock);
}

static struct xenbus_watch release_watch = {
	.node = "@releaseDomain",
	.callback = domain_released,
};

/* ---- the handshake ---- */

/* As many strings as it says, if they are there: whoever reads them checks what they say. */
static void take_exports(struct fc_domain *domain, struct fc_request *hello)
{
	u32 exports = min_t(u32, hello->value[1], FC_EXPORTS_MAX);

	domain->text = hello->reply;
	hello->reply = NULL;
	domain->text[FC_IOC_TEXT_MAX - 1] = '\0';
	while (domain->exports < exports && domain->text_size < FC_IOC_TEXT_MAX) {
		domain->text_size += strlen(domain->text + domain->text_size) + 1;
		domain->exports++;
	}
}

static void greeted(struct fc_request *request)
{
	struct fc_domain *domain = request->context;
	bool alive;

	if (request->status) {
		fc_domain_die(domain, "it refused HELLO");
		goto out;
	}
	take_exports(domain, request);
	domain->generation = request->value[0];
	domain->minor = request->value[1] >> 32;
	mutex_lock(&domain->lock);
	alive = !domain->dead;
	if (alive) {
		fc_domain_page(domain)->generation = domain->generation;
		WRITE_ONCE(fc_domain_page(domain)->state, FC_DOMAIN_UP);
		smp_store_release(&domain->connected, true); /* after what LIST and ATTACH look at */
	}
	mutex_unlock(&domain->lock);
	if (alive) {
		fc_domain_refill(domain);
		schedule_delayed_work(&domain->heart, msecs_to_jiffies(heartbeat_ms));
		xenbus_switch_state(domain->dev, XenbusStateConnected);
	}
out:
	fc_domain_put(domain);
}

static void greet(struct fc_domain *domain)
{
	struct fc_request *request = fc_request_make(domain, NULL, FC_XEN_HELLO, 0, FC_IOC_TEXT_MAX, true);

	if (IS_ERR(request)) {
		fc_domain_die(domain, "no memory for HELLO");
		return;
	}
	request->wire.arg[0] = FC_ABI_MAJOR;
	request->wire.arg[1] = FC_ABI_MINOR;
	request->wire.arg[2] = FC_XEN_VERSION;
	fc_domain_get(domain);
	request->context = domain;
	request->done = greeted;
	fc_request_post(domain, request);
}

static int publish(struct fc_domain *domain)
{
	const char *node = domain->dev->nodename;
	struct xenbus_transaction t;
	int r;

	domain->offered = true;
	do {
		r = xenbus_transaction_start(&t);
		if (r)
			return r;
		r = xenbus_printf(t, node, "protocol", "%u", FC_XEN_VERSION) ?:
		    xenbus_printf(t, node, "ring-ref", "%u", domain->ring_page->ref[0]) ?:
		    xenbus_printf(t, node, "bells-ref", "%u", domain->bells_page->ref[0]) ?:
		    xenbus_printf(t, node, "event-channel", "%u", domain->ring_port) ?:
		    xenbus_printf(t, node, "bells-channel", "%u", domain->bells_port);
		if (r) {
			xenbus_transaction_end(t, 1);
			return r;
		}
		r = xenbus_transaction_end(t, 0);
	} while (r == -EAGAIN);
	return r ?: xenbus_switch_state(domain->dev, XenbusStateInitialised);
}

static struct fc_domain *domain_make(struct xenbus_device *dev)
{
	struct fc_domain *domain = kvzalloc(sizeof(*domain), GFP_KERNEL);
	struct fc_domain_page *page;
	char *name;

	if (!domain)
		return NULL;
	kref_init(&domain->kref);
	mutex_init(&domain->lock);
	INIT_LIST_HEAD(&domain->link);
	INIT_WORK(&domain->refill, refill);
	INIT_WORK(&domain->bury, bury);
	INIT_DELAYED_WORK(&domain->heart, heart);
	domain->dev = dev;
	domain->domid = dev->otherend_id;
	fc_count_add(FC_COUNT_DOMAINS, 1);
	name = xenbus_read(XBT_NIL, dev->nodename, "name", NULL);
	if (!IS_ERR(name)) {
		strscpy(domain->name, name, sizeof(domain->name));
		kfree(name);
	}
	domain->page = alloc_page(GFP_KERNEL | __GFP_ZERO);
	if (!domain->page) {
		fc_domain_put(domain);
		return NULL;
	}
	page = fc_domain_page(domain);
	page->magic = FC_ABI_MAGIC;
	page->major = FC_ABI_MAJOR;
	page->minor = FC_ABI_MINOR;
	page->state = FC_DOMAIN_STARTING;
	return domain;
}

/* Undo what probe has done, at any stage of it. */
static void domain_remove(struct fc_domain *domain)
{
	mutex_lock(&domains_lock);
	list_del_init(&domain->link);
	mutex_unlock(&domains_lock);
	fc_domain_die(domain, "it was detached");
	if (cancel_work_sync(&domain->refill))
		fc_domain_put(domain);
	flush_work(&domain->bury);
	fc_bells_exit(domain);
	fc_ring_exit(domain);
	cancel_delayed_work_sync(&domain->heart); /* which a bell or a response may have started */
	fc_domain_put(domain);
}

/* The back end may still be at the end of what was before this module: then it is to begin again, too. */
static int offer(struct fc_domain *domain)
{
	enum xenbus_state theirs = xenbus_read_driver_state(domain->dev->otherend);

	if (theirs == XenbusStateClosing || theirs == XenbusStateClosed)
		return xenbus_switch_state(domain->dev, XenbusStateInitialising);
	return publish(domain);
}

static int domain_probe(struct xenbus_device *dev, const struct xenbus_device_id *id)
{
	struct fc_domain *domain = domain_make(dev);
	int r;

	if (!domain)
		return -ENOMEM;
	dev_set_drvdata(&dev->dev, domain);
	r = fc_ring_init(domain);
	if (!r)
		r = fc_bells_init(domain);
	if (!r)
		r = offer(domain);
	if (r) {
		xenbus_dev_fatal(dev, r, "cannot set up");
		dev_set_drvdata(&dev->dev, NULL);
		domain_remove(domain);
		return r;
	}
	mutex_lock(&domains_lock);
	list_add_tail(&domain->link, &domains);
	mutex_unlock(&domains_lock);
	return 0;
}

static void domain_otherend_changed(struct xenbus_device *dev, enum xenbus_state state)
{
	struct fc_domain *domain = dev_get_drvdata(&dev->dev);

	if (!domain)
		return;
	switch (state) {
	case XenbusStateInitialising:
	case XenbusStateInitWait:
		if (!domain->offered && publish(domain))
			fc_domain_die(domain, "xenstore refuses");
		break;
	case XenbusStateConnected:
		if (dev->state == XenbusStateInitialised && !domain->dead && !domain->greeted) {
			domain->greeted = true; /* once, however often it says so */
			greet(domain);
		}
		break;
	case XenbusStateClosing:
	case XenbusStateClosed:
	case XenbusStateUnknown: /* its nodes are gone */
		if (!domain->offered)
			break;
		fc_domain_die(domain, state == XenbusStateUnknown ? "it was destroyed" : "it has left");
		flush_work(&domain->bury);
		xenbus_frontend_closed(dev);
		break;
	default:
		break;
	}
}

/* We go (the administrator has unbound us), the domain stays: give it the time to let go of our pages. */
static void part(struct xenbus_device *dev)
{
	unsigned long end = jiffies + PARTING;
	enum xenbus_state theirs = xenbus_read_driver_state(dev->otherend);

	if (theirs != XenbusStateConnected)
		return;
	xenbus_switch_state(dev, XenbusStateClosing);
	while ((theirs == XenbusStateConnected || theirs == XenbusStateClosing) && time_before(jiffies, end)) {
		msleep(20);
		theirs = xenbus_read_driver_state(dev->otherend);
	}
}

static void domain_xenbus_remove(struct xenbus_device *dev)
{
	struct fc_domain *domain = dev_get_drvdata(&dev->dev);

	dev_set_drvdata(&dev->dev, NULL);
	if (!domain)
		return;
	fc_domain_die(domain, "it was detached");
	part(dev);
	domain_remove(domain);
	xenbus_switch_state(dev, XenbusStateClosed); /* if its nodes are still there: the module goes, not the device */
}

static const struct xenbus_device_id ids[] = { { FC_XEN_TYPE }, { "" } };
MODULE_ALIAS("xen:" FC_XEN_TYPE);

static struct xenbus_driver driver = {
	.ids = ids,
	.probe = domain_probe,
	.remove = domain_xenbus_remove,
	.otherend_changed = domain_otherend_changed,
	.allow_rebind = true,
};

int fc_domains_init(void)
{
	int r = xenbus_register_frontend(&driver);

	if (r)
		return r;
	r = register_xenbus_watch(&release_watch);
	if (r)
		xenbus_unregister_driver(&driver);
	return r;
}

void fc_domains_exit(void)
{
	unregister_xenbus_watch(&release_watch);
	xenbus_unregister_driver(&driver);
	/* no file is open any more: what still holds one is on its way to its end */
	wait_event(all_gone, !atomic_long_read(&fc_count[FC_COUNT_DOMAINS]));
}
