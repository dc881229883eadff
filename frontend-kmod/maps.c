// SPDX-License-Identifier: GPL-2.0-only
/*
 * maps.c - memory for shared mappings of files: a file in memory, as processes make themselves, whose pages are granted to the domain. Processes
 * map it by a descriptor and keep it as long as they like; the grants last until each session that holds them is over, or has had the domain
 * unmap it. A session that is forked has what its parent has, in the domain, too, under the same number.
 */
#include <linux/file.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/shmem_fs.h>
#include <linux/slab.h>

#include "kmod.h"

#define UNKNOWN U32_MAX

struct map {
	struct kref kref;
	struct fc_pages *pages;
	u32 number; /* in the domain */
};

/* One session has it, on its user's account. */
struct hold {
	struct list_head link;
	struct map *map;
	bool leaves; /* the domain has been told that it is gone */
};

static DEFINE_SPINLOCK(maps_lock); /* of all sessions' lists */

static void map_free(struct kref *kref)
{
	struct map *map = container_of(kref, struct map, kref);

	fc_pages_end(map->pages);
	kfree(map);
}

static void map_put(struct map *map)
{
	kref_put(&map->kref, map_free);
}

/* ---- who holds what ---- */

static void hold_end(struct fc_session *session, struct hold *hold)
{
	fc_user_give(&session->holding, 0, hold->map->pages->count);
	map_put(hold->map);
	kfree(hold);
}

static void holds_end(struct fc_session *session, struct list_head *holds)
{
	struct hold *hold, *next;

	list_for_each_entry_safe(hold, next, holds, link)
		hold_end(session, hold);
}

/* A reference to @map is the hold's from here on. */
static void hold_add(struct fc_session *session, struct hold *hold, struct map *map)
{
	hold->map = map;
	spin_lock(&maps_lock);
	list_add_tail(&hold->link, &session->maps);
	spin_unlock(&maps_lock);
}

/* It may have gone with the session. */
static void map_leave(struct fc_session *session, const struct map *map)
{
	struct hold *hold, *found = NULL;

	spin_lock(&maps_lock);
	list_for_each_entry(hold, &session->maps, link)
		if (hold->map == map)
			found = hold;
	if (found)
		list_del(&found->link);
	spin_unlock(&maps_lock);
	if (found)
		hold_end(session, found);
}

static struct map *map_find(struct fc_session *session, u32 number)
{
	struct map *map = NULL;
	struct hold *hold;

	spin_lock(&maps_lock);
	list_for_each_entry(hold, &session->maps, link)
		if (!hold->leaves && READ_ONCE(hold->map->number) == number)
			map = hold->map;
	if (map)
		kref_get(&map->kref);
	spin_unlock(&maps_lock);
	return map;
}

/* ---- a fork ---- */

static int holds_make(struct list_head *holds, unsigned int count)
{
	while (count--) {
		struct hold *hold = kzalloc(sizeof(*hold), GFP_KERNEL_ACCOUNT);

		if (!hold)
			return -ENOMEM;
		list_add(&hold->link, holds);
	}
	return 0;
}

static unsigned int holds_count(struct fc_session *session)
{
	unsigned int count = 0;
	struct hold *hold;

	spin_lock(&maps_lock);
	list_for_each_entry(hold, &session->maps, link)
		count++;
	spin_unlock(&maps_lock);
	return count;
}

/* With the lock held. @spare are enough: there may be fewer holds by now, never more. */
static int holds_copy(struct fc_session *session, struct fc_session *child, struct list_head *spare)
{
	struct hold *hold, *copy;
	int r;

	list_for_each_entry(hold, &session->maps, link) {
		r = fc_user_take(&child->holding, 0, hold->map->pages->count);
		if (r)
			return r;
		copy = list_first_entry(spare, struct hold, link);
		kref_get(&hold->map->kref);
		copy->map = hold->map;
		copy->leaves = hold->leaves;
		list_move_tail(&copy->link, &child->maps);
	}
	return 0;
}

int fc_maps_fork(struct fc_session *session, struct fc_session *child)
{
	struct hold *hold, *next;
	LIST_HEAD(spare);
	int r = holds_make(&spare, holds_count(session));

	if (!r) {
		spin_lock(&maps_lock);
		r = holds_copy(session, child, &spare);
		spin_unlock(&maps_lock);
	}
	list_for_each_entry_safe(hold, next, &spare, link)
		kfree(hold);
	return r;
}

/* ---- all of them ---- */

void fc_maps_leave(struct fc_session *session)
{
	struct hold *hold;

	spin_lock(&maps_lock);
	list_for_each_entry(hold, &session->maps, link)
		hold->leaves = true;
	spin_unlock(&maps_lock);
}

void fc_maps_left(struct fc_session *session)
{
	struct hold *hold, *next;
	LIST_HEAD(left);

	spin_lock(&maps_lock);
	list_for_each_entry_safe(hold, next, &session->maps, link)
		if (hold->leaves)
			list_move(&hold->link, &left);
	spin_unlock(&maps_lock);
	holds_end(session, &left);
}

void fc_maps_end(struct fc_session *session)
{
	LIST_HEAD(all);

	spin_lock(&maps_lock);
	list_splice_init(&session->maps, &all);
	spin_unlock(&maps_lock);
	holds_end(session, &all);
}

/* ---- MAP ---- */

static void session_mapped(struct fc_request *request)
{
	struct fc_session *session = request->session;
	struct map *map = request->context;

	if (request->status)
		map_leave(session, map);
	else if (request->value[0] < FC_MAPS_MAX)
		WRITE_ONCE(map->number, request->value[0]);
	else
		fc_session_end(session); /* it speaks nonsense */
	map_put(map);
}

/* The first @length bytes of @file, granted. */
static struct map *map_make(const struct fc_session *session, u64 length, struct file *file)
{
	struct map *map = kzalloc(sizeof(*map), GFP_KERNEL_ACCOUNT);

	if (!map)
		return ERR_PTR(-ENOMEM);
	kref_init(&map->kref);
	map->number = UNKNOWN;
	map->pages = fc_pages_of(session->domain->domid, length / PAGE_SIZE, file->f_mapping);
	if (IS_ERR(map->pages)) {
		int r = PTR_ERR(map->pages);

		kfree(map);
		return ERR_PTR(r);
	}
	return map;
}

/* Held by the session. The caller has a reference of its own. */
static struct map *map_hold(struct fc_session *session, u64 length, struct file *file)
{
	struct hold *hold = kzalloc(sizeof(*hold), GFP_KERNEL_ACCOUNT);
	int r = hold ? fc_user_take(&session->holding, 0, length / PAGE_SIZE) : -ENOMEM;
	struct map *map;

	if (r) {
		kfree(hold);
		return ERR_PTR(r);
	}
	map = map_make(session, length, file);
	if (IS_ERR(map)) {
		fc_user_give(&session->holding, 0, length / PAGE_SIZE);
		kfree(hold);
		return map;
	}
	kref_get(&map->kref);
	hold_add(session, hold, map);
	return map;
}

/* The domain maps what the session holds. */
static int offer(struct fc_session *session, struct map *map)
{
	size_t size = map->pages->count * sizeof(u32);
	struct fc_request *request = fc_session_request(session, FC_XEN_MAP, size);

	if (IS_ERR(request)) {
		map_leave(session, map);
		return PTR_ERR(request);
	}
	fc_pages_write(request->text, map->pages->ref, size);
	request->wire.arg[0] = (u64)map->pages->count * PAGE_SIZE;
	kref_get(&map->kref);
	request->context = map;
	request->done = session_mapped;
	return fc_session_run(session, request);
}

static int map_file(struct fc_session *session, u64 length, struct file *file, u32 *number)
{
	struct map *map;
	int r;

	if (mutex_lock_killable(&session->lock))
		return -EINTR;
	map = map_hold(session, length, file);
	r = PTR_ERR_OR_ZERO(map);
	if (!r) {
		r = offer(session, map);
		*number = READ_ONCE(map->number);
		map_put(map);
	}
	mutex_unlock(&session->lock);
	return !r && *number == UNKNOWN ? -EIO : r;
}

int fc_session_map(struct fc_session *session, u64 length, u32 *number)
{
	struct file *file;
	int fd, r;

	if (!length || length % PAGE_SIZE)
		return -EINVAL;
	if (length > FC_XEN_MAP_MAX)
		return -ENOMEM;
	if (session->domain->minor < FC_XEN_MAPS_SINCE)
		return -EOPNOTSUPP;
	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0)
		return fd;
	file = shmem_file_setup("farcall-map", length, 0);
	r = PTR_ERR_OR_ZERO(file);
	if (!r) {
		/* as with MFD_ALLOW_SEALING: more is the caller's to say */
		SHMEM_I(file_inode(file))->seals = F_SEAL_SHRINK | F_SEAL_GROW;
		mapping_set_gfp_mask(file->f_mapping, GFP_HIGHUSER); /* where its pages are, there they stay */
		r = map_file(session, length, file, number);
		if (r)
			fput(file);
	}
	if (r) {
		put_unused_fd(fd);
		return r;
	}
	fd_install(fd, file);
	return fd;
}

/* ---- UNMAP ---- */

static void session_unmapped(struct fc_request *request)
{
	struct map *map = request->context;

	if (!request->status)
		map_leave(request->session, map);
	map_put(map);
}

static int unmap(struct fc_session *session, u32 number)
{
	struct map *map = map_find(session, number);
	struct fc_request *request;

	if (!map)
		return -ENOENT;
	request = fc_session_request(session, FC_XEN_UNMAP, 0);
	if (IS_ERR(request)) {
		map_put(map);
		return PTR_ERR(request);
	}
	request->wire.arg[0] = number;
	request->context = map;
	request->done = session_unmapped;
	return fc_session_run(session, request);
}

int fc_session_unmap(struct fc_session *session, u32 number)
{
	int r;

	if (number >= FC_MAPS_MAX)
		return -ENOENT;
	if (mutex_lock_killable(&session->lock))
		return -EINTR;
	r = unmap(session, number);
	mutex_unlock(&session->lock);
	return r;
}
