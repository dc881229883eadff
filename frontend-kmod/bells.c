// SPDX-License-Identifier: GPL-2.0-only
/*
 * bells.c - sleeping and waking: which sessions a storage domain has rung, and which words their threads sleep on. It reads the
 * words and nothing else of a session's memory. The protocol of the words is common/doorbell.h's.
 */
#include <linux/bitops.h>
#include <linux/hrtimer.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <asm/sync_bitops.h>
#include <xen/events.h>

#include "kmod.h"

#define SLACK_NS 50000

/* A thread that sleeps while *word is `seen`. */
struct sleeper {
	struct wait_queue_entry entry;
	struct fc_session *session;
	const u32 *word;
	u32 seen;
};

static bool has_reason(const struct sleeper *s)
{
	return READ_ONCE(*s->word) != s->seen || READ_ONCE(s->session->over);
}

/* Of all who sleep in a session that was rung, only those are woken whose word has changed. */
static int wake_sleeper(struct wait_queue_entry *entry, unsigned int mode, int flags, void *key)
{
	struct sleeper *s = container_of(entry, struct sleeper, entry);

	return has_reason(s) ? default_wake_function(entry, mode, flags, key) : 0;
}

void fc_bells_wake(struct fc_session *session)
{
	wake_up_all(&session->sleepers);
}

static int sleep(struct sleeper *s, u64 deadline_ns)
{
	ktime_t deadline = min_t(u64, deadline_ns, KTIME_MAX);
	int r;

	for (;;) {
		set_current_state(TASK_INTERRUPTIBLE);
		if (READ_ONCE(s->session->over))
			r = -EIO;
		else if (READ_ONCE(*s->word) != s->seen)
			r = 0;
		else if (signal_pending(current))
			r = -ERESTARTSYS;
		else if (schedule_hrtimeout_range(deadline_ns ? &deadline : NULL, SLACK_NS, HRTIMER_MODE_ABS))
			continue;
		else
			r = has_reason(s) ? 0 : -ETIMEDOUT;
		__set_current_state(TASK_RUNNING);
		return r;
	}
}

int fc_bells_wait(struct fc_session *session, const struct fc_ioc_wait *wait)
{
	struct sleeper s = { .session = session, .seen = wait->seen };
	struct page *page = NULL;
	int r;

	if (wait->offset % sizeof(u32) || wait->offset >= FC_XEN_REQUEST_PAGES * PAGE_SIZE)
		return -EINVAL;
	spin_lock(&session->pointers);
	if (session->areas) {
		page = session->areas->request->page[wait->offset / PAGE_SIZE];
		get_page(page); /* whatever becomes of the session meanwhile */
	}
	spin_unlock(&session->pointers);
	if (!page)
		return READ_ONCE(session->over) ? -EIO : -ENOTCONN;
	s.word = page_address(page) + wait->offset % PAGE_SIZE;
	init_waitqueue_func_entry(&s.entry, wake_sleeper);
	s.entry.private = current;
	add_wait_queue(&session->sleepers, &s.entry);
	r = sleep(&s, wait->deadline_ns);
	remove_wait_queue(&session->sleepers, &s.entry);
	put_page(page);
	return r;
}

void fc_bells_ring(struct fc_domain *domain, u32 session)
{
	unsigned long *bits = (unsigned long *)domain->bells->to_back;

	rcu_read_lock(); /* fc_bells_exit waits for us */
	if (!READ_ONCE(domain->dead)) {
		fc_count_add(FC_COUNT_RINGS, 1);
		/* sync_: the other end may run on another CPU even where this kernel has only one and leaves the lock prefix out */
		if (!sync_test_and_set_bit(session, bits))
			notify_remote_via_irq(domain->bells_irq);
	}
	rcu_read_unlock();
}

/* ---- what the domain rings ---- */

/* Returns whether there is such a session. */
static bool rung(struct fc_domain *domain, u32 number, bool dead)
{
	struct fc_session *session;

	rcu_read_lock();
	session = rcu_dereference(domain->session[number]);
	if (session && dead)
		WRITE_ONCE(session->over, true);
	if (session)
		fc_bells_wake(session);
	rcu_read_unlock();
	return session;
}

static irqreturn_t bells_interrupt(int irq, void *data)
{
	struct fc_domain *domain = data;
	struct fc_xen_bells *bells = domain->bells;
	bool any = false;
	unsigned int i, bit;

	for (i = 0; i < ARRAY_SIZE(bells->to_front); i++) {
		unsigned long wake = READ_ONCE(bells->to_front[i]) ? xchg(&bells->to_front[i], 0) : 0;
		unsigned long dead = READ_ONCE(bells->dead[i]) ? xchg(&bells->dead[i], 0) : 0;
		unsigned long all = wake | dead;

		for_each_set_bit(bit, &all, BITS_PER_LONG)
			any |= rung(domain, i * BITS_PER_LONG + bit, test_bit(bit, &dead));
	}
	/* cleared by the domain's kernel when the process that had mapped the page is gone, whatever it died of */
	if (READ_ONCE(domain->connected) && !READ_ONCE(bells->up))
		fc_domain_doubt(domain);
	fc_count_add(FC_COUNT_WAKES, any);
	xen_irq_lateeoi(irq, any ? 0 : XEN_EOI_FLAG_SPURIOUS);
	return IRQ_HANDLED;
}

int fc_bells_init(struct fc_domain *domain)
{
	int r;

	domain->bells_page = fc_pages_make(domain->domid, 1, false);
	if (IS_ERR(domain->bells_page)) {
		r = PTR_ERR(domain->bells_page);
		domain->bells_page = NULL;
		return r;
	}
	domain->bells = page_address(domain->bells_page->page[0]);
	r = xenbus_alloc_evtchn(domain->dev, &domain->bells_port);
	if (r)
		return r;
	r = bind_evtchn_to_irqhandler_lateeoi(domain->bells_port, bells_interrupt, 0, "farcall-bells", domain);
	if (r < 0) {
		xenbus_free_evtchn(domain->dev, domain->bells_port);
		return r;
	}
	domain->bells_irq = r;
	return 0;
}

/* The domain is marked dead. The page stays until its structure goes. */
void fc_bells_exit(struct fc_domain *domain)
{
	synchronize_rcu(); /* nobody is about to ring */
	if (domain->bells_irq)
		unbind_from_irqhandler(domain->bells_irq, domain);
	domain->bells_irq = 0;
}
