// SPDX-License-Identifier: GPL-2.0-only
/*
 * ring.c - process management: requests to a storage domain over a Xen I/O ring, and its responses. Nothing a domain puts into the
 * ring is believed: a response must be for a request that is there, and of its type; else the domain is given up.
 */
#include <linux/jiffies.h>
#include <linux/module.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <xen/events.h>

#include "kmod.h"

unsigned int fc_answer_ms = 10000;
module_param_named(answer_ms, fc_answer_ms, uint, 0644);
MODULE_PARM_DESC(answer_ms, "a domain that does not answer a control request for so many ms is dead");

#define IDS FC_RING_PLACES

/* ---- requests ---- */

static void request_free(struct kref *kref)
{
	struct fc_request *request = container_of(kref, struct fc_request, kref);

	fc_pages_end(request->text);
	if (request->user) {
		fc_user_end_request(request->user);
		fc_user_put(request->user);
	}
	if (request->session)
		fc_session_put(request->session);
	kvfree(request->reply);
	kfree(request);
}

void fc_request_put(struct fc_request *request)
{
	kref_put(&request->kref, request_free);
}

static int make_text(struct fc_domain *domain, struct fc_request *request, size_t size, bool out)
{
	unsigned int i, pages = DIV_ROUND_UP(size, PAGE_SIZE);
	struct fc_pages *text;

	if (out) {
		request->reply = kvzalloc(size, GFP_KERNEL_ACCOUNT);
		if (!request->reply)
			return -ENOMEM;
	}
	text = fc_pages_make(domain->domid, pages, !out);
	if (IS_ERR(text))
		return PTR_ERR(text);
	request->text = text;
	for (i = 0; i < pages; i++)
		request->wire.text[i] = text->ref[i];
	return 0;
}

struct fc_request *fc_request_make(struct fc_domain *domain, struct fc_user *user, u16 type, u32 session, size_t size,
				   bool out)
{
	struct fc_request *request = kzalloc(sizeof(*request), GFP_KERNEL_ACCOUNT);
	int r = 0;

	if (!request) {
		fc_user_put(user);
		return ERR_PTR(-ENOMEM);
	}
	kref_init(&request->kref);
	init_completion(&request->completed);
	request->wire.type = type;
	request->wire.session = session;
	request->wire.text_size = size;
	/* first: who waits holds no grants yet: as many as a user has threads may wait */
	if (user)
		r = fc_user_begin_request(user);
	if (r)
		fc_user_put(user);
	else
		request->user = user;
	if (!r && size)
		r = make_text(domain, request, size, out);
	if (r) {
		fc_request_put(request);
		return ERR_PTR(r);
	}
	return request;
}

/* The response is there, or will never be. */
static void request_finish(struct fc_request *request, int status)
{
	request->status = status;
	if (request->reply && !status)
		fc_pages_read(request->text, request->reply, request->wire.text_size);
	fc_pages_end(request->text);
	request->text = NULL;
	fc_count_add(FC_COUNT_REQUESTS, -1);
	if (request->done)
		request->done(request);
	complete_all(&request->completed);
	fc_request_put(request);
}

/* ---- the ring; the domain is locked ---- */

static bool push_one(struct fc_domain *domain)
{
	struct fc_request *request = list_first_entry_or_null(&domain->pending, struct fc_request, link);
	unsigned int id;

	if (!request || RING_FULL(&domain->ring))
		return false;
	/* the last place is for what is urgent */
	if (hweight_long(domain->free_ids) < (request->urgent ? 1 : 2))
		return false;
	id = __ffs(domain->free_ids);
	domain->free_ids &= ~(1ul << id);
	domain->sent[id] = request;
	request->wire.id = id;
	list_del_init(&request->link);
	*RING_GET_REQUEST(&domain->ring, domain->ring.req_prod_pvt) = request->wire;
	domain->ring.req_prod_pvt++;
	return true;
}

static void push(struct fc_domain *domain)
{
	int notify;

	while (push_one(domain))
		;
	RING_PUSH_REQUESTS_AND_CHECK_NOTIFY(&domain->ring, notify);
	if (notify)
		notify_remote_via_irq(domain->ring_irq);
}

/* Move what has been answered to @answered. False: the domain does not keep to the protocol. */
static bool collect(struct fc_domain *domain, struct list_head *answered)
{
	RING_IDX produced;
	int more;

	do {
		produced = READ_ONCE(domain->ring.sring->rsp_prod);
		virt_rmb(); /* responses after the index that says they are there */
		if (RING_RESPONSE_PROD_OVERFLOW(&domain->ring, produced))
			return false;
		for (; domain->ring.rsp_cons != produced; domain->ring.rsp_cons++) {
			struct fc_xen_response response;
			struct fc_request *request;

			RING_COPY_RESPONSE(&domain->ring, domain->ring.rsp_cons, &response);
			request = response.id < IDS ? domain->sent[response.id] : NULL;
			if (!request || response.type != request->wire.type || response.status > 0 ||
			    response.status <= -ERESTARTSYS) /* from there on they are between a kernel and itself */
				return false;
			domain->sent[response.id] = NULL;
			domain->free_ids |= 1ul << response.id;
			request->status = response.status;
			memcpy(request->value, response.value, sizeof(request->value));
			list_add_tail(&request->link, answered);
		}
		RING_FINAL_CHECK_FOR_RESPONSES(&domain->ring, more);
	} while (more);
	return true;
}

static void finish_all(struct list_head *requests)
{
	struct fc_request *request, *next;

	list_for_each_entry_safe(request, next, requests, link) {
		list_del_init(&request->link);
		request_finish(request, request->status);
	}
}

static void responses(struct work_struct *work)
{
	struct fc_domain *domain = container_of(work, struct fc_domain, responses);
	LIST_HEAD(answered);
	bool good = true;

	mutex_lock(&domain->lock);
	if (!domain->dead) {
		good = collect(domain, &answered);
		push(domain);
	}
	if (!list_empty(&answered))
		domain->heard = jiffies;
	if (domain->ring_irq)
		xen_irq_lateeoi(domain->ring_irq, list_empty(&answered) ? XEN_EOI_FLAG_SPURIOUS : 0);
	mutex_unlock(&domain->lock);
	finish_all(&answered);
	if (!good) {
		fc_count_add(FC_COUNT_PROTOCOL, 1);
		fc_domain_die(domain, "what it answers makes no sense");
	}
}

static irqreturn_t ring_interrupt(int irq, void *data)
{
	struct fc_domain *domain = data;

	schedule_work(&domain->responses);
	return IRQ_HANDLED;
}

/* ---- sending ---- */

void fc_request_post(struct fc_domain *domain, struct fc_request *request)
{
	bool dead;

	fc_count_add(FC_COUNT_REQUESTS, 1);
	mutex_lock(&domain->lock);
	dead = domain->dead;
	if (!dead) {
		if (request->urgent)
			list_add(&request->link, &domain->pending);
		else
			list_add_tail(&request->link, &domain->pending);
		push(domain);
	}
	mutex_unlock(&domain->lock);
	if (dead)
		request_finish(request, -EIO);
}

int fc_request_run(struct fc_domain *domain, struct fc_request *request)
{
	unsigned long patience = request->patient ? MAX_SCHEDULE_TIMEOUT : msecs_to_jiffies(READ_ONCE(fc_answer_ms));
	unsigned long since = jiffies;
	long r;

	kref_get(&request->kref);
	fc_request_post(domain, request);
	r = wait_for_completion_killable_timeout(&request->completed, patience);
	if (r < 0)
		return -EINTR;
	if (!r && time_after(READ_ONCE(domain->heard), since)) {
		/* it is only for us that it has no time: no client may have the domain given up for all the others */
		if (request->session)
			fc_session_end(request->session);
		return -EIO;
	}
	if (!r) {
		fc_domain_die(domain, "it does not answer");
		wait_for_completion(&request->completed);
	}
	return request->status;
}

void fc_ring_fail(struct fc_domain *domain)
{
	LIST_HEAD(lost);
	struct fc_request *request;
	unsigned int id;

	mutex_lock(&domain->lock);
	list_splice_init(&domain->pending, &lost);
	for (id = 0; id < IDS; id++) {
		if (domain->sent[id])
			list_add(&domain->sent[id]->link, &lost);
		domain->sent[id] = NULL;
	}
	mutex_unlock(&domain->lock);
	list_for_each_entry(request, &lost, link)
		request->status = -EIO;
	finish_all(&lost);
}

/* ---- life ---- */

int fc_ring_init(struct fc_domain *domain)
{
	struct fc_xen_sring *shared;
	int r;

	INIT_LIST_HEAD(&domain->pending);
	INIT_WORK(&domain->responses, responses);
	domain->free_ids = GENMASK(IDS - 1, 0);
	BUILD_BUG_ON(IDS > 8 * sizeof(domain->free_ids));
	domain->ring_page = fc_pages_make(domain->domid, 1, false);
	if (IS_ERR(domain->ring_page)) {
		r = PTR_ERR(domain->ring_page);
		domain->ring_page = NULL;
		return r;
	}
	shared = page_address(domain->ring_page->page[0]);
	SHARED_RING_INIT(shared);
	FRONT_RING_INIT(&domain->ring, shared, PAGE_SIZE);
	r = xenbus_alloc_evtchn(domain->dev, &domain->ring_port);
	if (r)
		return r;
	r = bind_evtchn_to_irqhandler_lateeoi(domain->ring_port, ring_interrupt, 0, "farcall-ring", domain);
	if (r < 0) {
		xenbus_free_evtchn(domain->dev, domain->ring_port);
		return r;
	}
	domain->ring_irq = r;
	return 0;
}

void fc_ring_exit(struct fc_domain *domain)
{
	int irq;

	mutex_lock(&domain->lock);
	irq = domain->ring_irq;
	domain->ring_irq = 0;
	mutex_unlock(&domain->lock);
	if (irq)
		unbind_from_irqhandler(irq, domain);
	if (domain->responses.func)
		cancel_work_sync(&domain->responses);
	fc_pages_end(domain->ring_page);
	domain->ring_page = NULL;
}
