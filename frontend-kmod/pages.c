// SPDX-License-Identifier: GPL-2.0-only
/*
 * pages.c - pages of this machine that a storage domain may map. They are ours: a domain that dies, or does not let go, costs
 * nothing but that they are set aside until the hypervisor says that nobody maps them any more.
 */
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/shmem_fs.h>
#include <linux/slab.h>
#include <xen/page.h>

#include "kmod.h"

#define RETRY (HZ / 2)

static unsigned int aside_max = 16384;
module_param(aside_max, uint, 0644);
MODULE_PARM_DESC(aside_max, "a domain that keeps so many pages, which it should have let go of, is granted no more");

/* How many pages are set aside, by domain number; two domains that share a place here (a rare thing) share the limit. */
#define PEERS 256
static atomic_t aside_for[PEERS];

static LIST_HEAD(aside);
static DEFINE_SPINLOCK(aside_lock);

static void retry(struct work_struct *work);
static DECLARE_DELAYED_WORK(retry_work, retry);

static void pages_free(struct fc_pages *pages)
{
	kvfree(pages->page);
	kvfree(pages->ref);
	kfree(pages);
}

/* Give back what can be given back; how many pages cannot. */
static unsigned int pages_revoke(struct fc_pages *pages)
{
	unsigned int i, left = 0;

	for (i = 0; i < pages->count; i++) {
		if (!pages->page[i])
			continue;
		if (!gnttab_try_end_foreign_access(pages->ref[i])) {
			left++;
			continue;
		}
		put_page(pages->page[i]);
		pages->page[i] = NULL;
		fc_count_add(FC_COUNT_GRANTS, -1);
		fc_count_add(FC_COUNT_PAGES, -1);
	}
	return left;
}

static void count_aside(const struct fc_pages *pages, long n)
{
	atomic_add(n, &aside_for[pages->peer % PEERS]);
	fc_count_add(FC_COUNT_SET_ASIDE, n);
}

unsigned int fc_pages_aside(domid_t peer)
{
	return atomic_read(&aside_for[peer % PEERS]);
}

void fc_pages_end(struct fc_pages *pages)
{
	unsigned int left;

	if (!pages)
		return;
	left = pages_revoke(pages);
	if (!left) {
		pages_free(pages);
		return;
	}
	count_aside(pages, left);
	spin_lock(&aside_lock);
	list_add_tail(&pages->link, &aside);
	spin_unlock(&aside_lock);
	schedule_delayed_work(&retry_work, RETRY);
}

static unsigned int pages_left(const struct fc_pages *pages)
{
	unsigned int i, left = 0;

	for (i = 0; i < pages->count; i++)
		left += !!pages->page[i];
	return left;
}

static void retry(struct work_struct *work)
{
	struct fc_pages *pages, *next;
	LIST_HEAD(all);
	bool again;

	spin_lock(&aside_lock);
	list_splice_init(&aside, &all);
	spin_unlock(&aside_lock);
	list_for_each_entry_safe(pages, next, &all, link) {
		unsigned int had = pages_left(pages), left = pages_revoke(pages);

		count_aside(pages, (long)left - (long)had);
		if (left)
			continue;
		list_del(&pages->link);
		pages_free(pages);
	}
	spin_lock(&aside_lock);
	list_splice(&all, &aside);
	again = !list_empty(&aside);
	spin_unlock(&aside_lock);
	if (again)
		schedule_delayed_work(&retry_work, RETRY);
}

unsigned int fc_pages_exit(void)
{
	struct fc_pages *pages;
	unsigned int lost = 0;

	cancel_delayed_work_sync(&retry_work);
	retry(NULL);
	cancel_delayed_work_sync(&retry_work);
	/* somebody maps them: they stay allocated and granted, or it would see what comes there next */
	list_for_each_entry(pages, &aside, link)
		lost += pages_left(pages);
	return lost;
}

/* Page @i of a file in memory, for good: as long as we have it, it is not swapped out. It would be lost if it were clean. */
static struct page *page_of(struct address_space *file, unsigned int i)
{
	struct page *page = shmem_read_mapping_page(file, i);

	if (IS_ERR(page))
		return NULL;
	set_page_dirty(page);
	return page;
}

static int pages_allocate(struct fc_pages *pages, struct address_space *file)
{
	unsigned int i;

	for (i = 0; i < pages->count; i++) {
		pages->page[i] = file ? page_of(file, i) : alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO);
		if (!pages->page[i])
			return -ENOMEM;
	}
	return 0;
}

static int pages_grant(struct fc_pages *pages, domid_t peer, bool readonly)
{
	grant_ref_t head;
	unsigned int i;

	if (gnttab_alloc_grant_references(pages->count, &head) < 0)
		return -ENOSPC;
	for (i = 0; i < pages->count; i++) {
		pages->ref[i] = gnttab_claim_grant_reference(&head);
		gnttab_grant_foreign_access_ref(pages->ref[i], peer, xen_page_to_gfn(pages->page[i]), readonly);
	}
	gnttab_free_grant_references(head);
	return 0;
}

static struct fc_pages *pages_make(domid_t peer, unsigned int count, bool readonly, struct address_space *file)
{
	struct fc_pages *pages;
	unsigned int i;
	int r;

	if (fc_pages_aside(peer) + count > READ_ONCE(aside_max))
		return ERR_PTR(-ENOSPC);
	pages = kzalloc(sizeof(*pages), GFP_KERNEL_ACCOUNT);
	if (!pages)
		return ERR_PTR(-ENOMEM);
	pages->peer = peer;
	pages->count = count;
	pages->page = kvcalloc(count, sizeof(*pages->page), GFP_KERNEL_ACCOUNT);
	pages->ref = kvcalloc(count, sizeof(*pages->ref), GFP_KERNEL_ACCOUNT);
	r = pages->page && pages->ref ? pages_allocate(pages, file) : -ENOMEM;
	if (!r)
		r = pages_grant(pages, peer, readonly);
	if (!r) {
		fc_count_add(FC_COUNT_PAGES, count);
		fc_count_add(FC_COUNT_GRANTS, count);
		return pages;
	}
	for (i = 0; pages->page && i < count; i++)
		if (pages->page[i])
			put_page(pages->page[i]);
	pages_free(pages);
	return ERR_PTR(r);
}

struct fc_pages *fc_pages_make(domid_t peer, unsigned int count, bool readonly)
{
	return pages_make(peer, count, readonly, NULL);
}

struct fc_pages *fc_pages_of(domid_t peer, unsigned int count, struct address_space *file)
{
	return pages_make(peer, count, false, file);
}

void fc_pages_write(struct fc_pages *pages, const void *from, size_t size)
{
	unsigned int i;

	for (i = 0; size; i++) {
		size_t part = min_t(size_t, size, PAGE_SIZE);

		memcpy(page_address(pages->page[i]), from, part);
		from += part;
		size -= part;
	}
}

void fc_pages_read(const struct fc_pages *pages, void *to, size_t size)
{
	unsigned int i;

	for (i = 0; size; i++) {
		size_t part = min_t(size_t, size, PAGE_SIZE);

		memcpy(to, page_address(pages->page[i]), part);
		to += part;
		size -= part;
	}
}

/* ---- areas ---- */

struct fc_areas *fc_areas_make(domid_t peer)
{
	struct fc_areas *areas = kzalloc(sizeof(*areas), GFP_KERNEL_ACCOUNT);
	struct fc_pages *pages;

	if (!areas)
		return ERR_PTR(-ENOMEM);
	pages = fc_pages_make(peer, FC_XEN_REQUEST_PAGES, false);
	if (!IS_ERR(pages)) {
		areas->request = pages;
		pages = fc_pages_make(peer, FC_XEN_DATA_PAGES, false);
	}
	if (IS_ERR(pages)) {
		fc_areas_end(areas);
		return ERR_CAST(pages);
	}
	areas->segment[0] = pages;
	areas->length = FC_DATA_MIN;
	return areas;
}

void fc_areas_end(struct fc_areas *areas)
{
	int i;

	if (!areas)
		return;
	fc_pages_end(areas->request);
	for (i = 0; i < FC_SEGMENTS_MAX; i++)
		fc_pages_end(areas->segment[i]);
	kfree(areas);
}

unsigned int fc_areas_count(const struct fc_areas *areas)
{
	return FC_XEN_REQUEST_PAGES + areas->length / PAGE_SIZE;
}

/* Segment 0 is [0, FC_DATA_MIN), n is [FC_DATA_MIN << n - 1, FC_DATA_MIN << n). */
struct page *fc_areas_page(const struct fc_areas *areas, u64 offset)
{
	unsigned int n = fls64(offset / FC_DATA_MIN);
	u64 start = n ? (u64)FC_DATA_MIN << (n - 1) : 0;

	if (offset >= areas->length)
		return NULL;
	return areas->segment[n]->page[(offset - start) / PAGE_SIZE];
}

void fc_refs_gather(u32 *ref, struct fc_pages *const part[], unsigned int parts)
{
	unsigned int i;

	for (i = 0; i < parts; i++) {
		memcpy(ref, part[i]->ref, part[i]->count * sizeof(*ref));
		ref += part[i]->count;
	}
}
