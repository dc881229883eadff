// SPDX-License-Identifier: GPL-2.0-only
/* ioctl.c - what user space says to /dev/syscall: copied, checked, handed on. Each struct's size comes first (farcall/ioctl.h). */
#include <linux/capability.h>
#include <linux/fdtable.h>
#include <linux/file.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/syscalls.h>
#include <linux/uaccess.h>

#include "farcall/farcall.h"
#include "kmod.h"

static int list(struct fc_ioc_list *a)
{
	struct fc_domain *domain = fc_domain_nth(a->index);
	u32 room = FC_IOC_TEXT_MAX;
	int r = 0;

	if (!domain)
		return -ENOENT;
	a->domid = domain->domid;
	a->state = READ_ONCE(fc_domain_page(domain)->state);
	a->generation = domain->generation;
	a->sessions = fc_sessions_of(domain);
	a->version = FC_IOC_VERSION;
	strscpy_pad(a->name, domain->name, sizeof(a->name));
	a->exports = 0;
	a->text_size = 0;
	if (smp_load_acquire(&domain->connected)) { /* what it said is there, for good */
		a->exports = domain->exports;
		a->text_size = min(domain->text_size, room);
		if (a->text && copy_to_user(u64_to_user_ptr(a->text), domain->text, a->text_size))
			r = -EFAULT;
	}
	fc_domain_put(domain);
	return r;
}

static int attach(struct fc_file *f, struct fc_ioc_attach *a)
{
	struct fc_session *session;
	struct fc_domain *domain;
	int r = 0;

	if (strnlen(a->name, sizeof(a->name)) == sizeof(a->name) || a->minor)
		return -EINVAL;
	if (!fc_caller_is_at_home())
		return -EPERM;
	domain = fc_domain_find(a->name);
	if (!domain)
		return -ENOENT;
	if (mutex_lock_killable(&f->lock)) {
		fc_domain_put(domain);
		return -EINTR;
	}
	if (f->session)
		r = -EBUSY;
	else if (!READ_ONCE(domain->connected) || READ_ONCE(domain->dead))
		r = -EIO;
	if (!r) {
		session = fc_session_attach(domain, a->umask);
		r = PTR_ERR_OR_ZERO(session);
		if (!r) {
			a->session = session->number;
			a->minor = domain->minor;
			WRITE_ONCE(f->session, session);
		}
	}
	mutex_unlock(&f->lock);
	fc_domain_put(domain);
	return r;
}

static int fork_session(struct fc_session *session, struct fc_ioc_fork *a)
{
	struct fc_session *child = fc_session_fork(session);
	int fd;

	if (IS_ERR(child))
		return PTR_ERR(child);
	a->session = child->number;
	fd = fc_file_install(child);
	if (fd < 0) {
		fc_session_leave(child);
		return fd;
	}
	a->fd = fd;
	return 0;
}

static int map(struct fc_session *session, struct fc_ioc_map *a)
{
	a->fd = fc_session_map(session, a->length, &a->number);
	return min(a->fd, 0);
}

/* The request that asks @domain for its figures. */
static struct fc_request *stat_request(struct fc_domain *domain, size_t room)
{
	struct fc_user *user = fc_user_find(domain, fc_caller_account());
	struct fc_request *request;

	if (!user)
		return ERR_PTR(-ENOMEM);
	request = fc_request_make(domain, user, FC_XEN_STAT, 0, room, true);
	if (!IS_ERR(request))
		request->wire.arg[0] = fc_caller_is_root() ? U64_MAX : from_kuid(&init_user_ns, current_uid());
	return request;
}

/* Leave of the sessions in @text only the caller's: what others do is for the administrator to know. Returns how many bytes there are
 * then. Sizes are the domain's to say, and believed if they can be.
 */
static int keep_own_sessions(void *text, size_t size)
{
	struct fc_stat_domain *d = text;
	struct fc_stat_session *s;
	u32 i, kept = 0, uid = from_kuid(&init_user_ns, current_uid());
	size_t each, sessions;

	if (size < sizeof(*d) || d->size < sizeof(*d) || d->size > size || d->session_size < offsetofend(typeof(*s), uid))
		return -EIO;
	each = d->session_size;
	sessions = min_t(size_t, d->sessions, (size - d->size) / each);
	for (i = 0; i < sessions; i++) {
		s = text + d->size + i * each;
		if (s->uid == uid)
			memmove(text + d->size + kept++ * each, s, each);
	}
	d->sessions = kept;
	return d->size + kept * each;
}

static int stat_of(struct fc_domain *domain, struct fc_ioc_stat *a)
{
	size_t room = min_t(u64, a->length, FC_XEN_TEXT_MAX);
	struct fc_request *request;
	int r;

	if (!READ_ONCE(domain->connected))
		return -EIO;
	request = stat_request(domain, room);
	if (IS_ERR(request))
		return PTR_ERR(request);
	r = fc_request_run(domain, request);
	if (!r) {
		a->length = min_t(u64, request->value[0], room);
		if (!fc_caller_is_root()) {
			r = keep_own_sessions(request->reply, a->length);
			a->length = max(r, 0);
			r = min(r, 0);
		}
		if (!r && copy_to_user(u64_to_user_ptr(a->buffer), request->reply, a->length))
			r = -EFAULT;
	}
	fc_request_put(request);
	return r;
}

static int stat(struct fc_ioc_stat *a)
{
	struct fc_domain *domain;
	int r;

	if (strnlen(a->name, sizeof(a->name)) == sizeof(a->name) || !a->length)
		return -EINVAL;
	domain = fc_domain_find(a->name);
	if (!domain)
		return -ENOENT;
	r = stat_of(domain, a);
	fc_domain_put(domain);
	return r;
}

static int cleanup(struct fc_ioc_cleanup *a)
{
	struct fc_domain *domain;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (strnlen(a->name, sizeof(a->name)) == sizeof(a->name))
		return -EINVAL;
	domain = fc_domain_find(a->name);
	if (!domain)
		return -ENOENT;
	fc_domain_die(domain, "it was cleaned up");
	flush_work(&domain->bury);
	a->leaked = fc_pages_aside(domain->domid);
	fc_domain_put(domain);
	return 0;
}

union argument {
	u32 size;
	struct fc_ioc_list list;
	struct fc_ioc_attach attach;
	struct fc_ioc_areas areas;
	struct fc_ioc_length length;
	struct fc_ioc_fork fork;
	struct fc_ioc_forked forked;
	struct fc_ioc_none none;
	struct fc_ioc_offer offer;
	struct fc_ioc_map map;
	struct fc_ioc_unmap unmap;
	struct fc_ioc_lease lease;
	struct fc_ioc_return give_back;
	struct fc_ioc_gone gone;
	struct fc_ioc_wait wait;
	struct fc_ioc_stat stat;
	struct fc_ioc_cleanup cleanup;
};

/* Those that need no session, or make one. */
static int without_session(struct fc_file *f, unsigned int request, union argument *a)
{
	switch (request) {
	case FC_IOC_LIST:
		return list(&a->list);
	case FC_IOC_ATTACH:
		return attach(f, &a->attach);
	case FC_IOC_GONE:
		return fc_session_gone(a->gone.pid);
	case FC_IOC_STAT:
		return stat(&a->stat);
	case FC_IOC_CLEANUP:
		return cleanup(&a->cleanup);
	default:
		return -ENOTTY;
	}
}

static int on_session(struct fc_session *session, unsigned int request, union argument *a)
{
	switch (request) {
	case FC_IOC_AREAS:
		return fc_session_areas(session);
	case FC_IOC_OFFER:
		return a->offer.fresh > 1 ? -EINVAL : fc_session_offer(session, a->offer.fresh);
	case FC_IOC_GROW:
		return fc_session_grow(session, &a->length.length);
	case FC_IOC_SHRINK:
		return fc_session_shrink(session, a->length.length);
	case FC_IOC_MAP:
		return map(session, &a->map);
	case FC_IOC_UNMAP:
		return fc_session_unmap(session, a->unmap.number);
	case FC_IOC_LEASE:
		return fc_session_lease(session, &a->lease);
	case FC_IOC_RETURN:
		return fc_session_return(session, &a->give_back);
	case FC_IOC_FORK:
		return fork_session(session, &a->fork);
	case FC_IOC_FORKED:
		return fc_session_forked(session, a->forked.session, a->forked.pid);
	case FC_IOC_CRED:
		return fc_session_cred(session);
	case FC_IOC_RLIMIT:
		return fc_session_rlimit(session);
	case FC_IOC_BYE:
		return fc_session_bye(session);
	case FC_IOC_RING:
		fc_bells_ring(session->domain, session->number);
		return 0;
	case FC_IOC_WAIT:
		return fc_bells_wait(session, &a->wait);
	default:
		return -ENOTTY;
	}
}

static int dispatch(struct fc_file *f, unsigned int request, union argument *a)
{
	struct fc_session *session;
	int r = without_session(f, request, a);

	if (r != -ENOTTY)
		return r;
	session = READ_ONCE(f->session);
	if (!session)
		return -ENOTCONN;
	/* WAIT says what is in memory that the caller has before it */
	r = fc_session_enter(session, request == FC_IOC_CRED || request == FC_IOC_WAIT);
	return r ? r : on_session(session, request, a);
}

long fc_ioctl(struct file *file, unsigned int request, unsigned long argument)
{
	void __user *user = (void __user *)argument;
	size_t size = _IOC_SIZE(request);
	union argument a;
	u32 given;
	int r;

	if (_IOC_TYPE(request) != FC_IOC_MAGIC || size > sizeof(a) || size < sizeof(u32))
		return -ENOTTY;
	if (get_user(given, (u32 __user *)user))
		return -EFAULT;
	if (given < size || given > PAGE_SIZE)
		return -EINVAL;
	memset(&a, 0, sizeof(a));
	r = copy_struct_from_user(&a, size, user, given);
	if (r)
		return r;
	r = dispatch(file->private_data, request, &a);
	if (!r && _IOC_DIR(request) & _IOC_READ && copy_to_user(user, &a, size))
		r = -EFAULT;
	return r;
}
