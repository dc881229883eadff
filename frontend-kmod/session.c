// SPDX-License-Identifier: GPL-2.0-only
/*
 * session.c - one process attached to one domain. Whatever the process does, its session can be ended without memory and without
 * waiting; whatever the domain does, the session's memory comes back.
 */
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/pid_namespace.h>
#include <linux/resource.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>

#include "kmod.h"

#define AREAS_PAGES (FC_XEN_REQUEST_PAGES + FC_XEN_DATA_PAGES)
#define CHANGING HZ

static LIST_HEAD(sessions);
static DEFINE_MUTEX(sessions_lock);
static DECLARE_WAIT_QUEUE_HEAD(buried);

/* ---- life ---- */

static void session_free(struct kref *kref)
{
	struct fc_session *session = container_of(kref, struct fc_session, kref);

	fc_maps_end(session);
	fc_user_put(session->holding.user);
	put_pid(session->tgid);
	put_pid(session->parent);
	fc_domain_put(session->domain);
	kfree_rcu(session, rcu);
}

void fc_session_put(struct fc_session *session)
{
	kref_put(&session->kref, session_free);
}

static int take_number(struct fc_domain *domain, struct fc_session *session)
{
	unsigned long n;
	int r = 0;

	mutex_lock(&domain->lock);
	n = find_next_zero_bit(domain->numbers, FC_XEN_SESSIONS, domain->last_number + 1);
	if (n >= FC_XEN_SESSIONS)
		n = find_first_zero_bit(domain->numbers, FC_XEN_SESSIONS);
	if (domain->dead) {
		r = -EIO;
	} else if (n >= FC_XEN_SESSIONS) {
		r = -EAGAIN;
	} else {
		set_bit(n, domain->numbers);
		domain->last_number = n;
		session->number = n;
		kref_get(&session->kref); /* the number's */
		rcu_assign_pointer(domain->session[n], session);
	}
	mutex_unlock(&domain->lock);
	return r;
}

static void session_detached(struct fc_request *request);

/* One that the domain has not heard of yet. The reference to @user is taken over. */
static struct fc_session *session_make(struct fc_domain *domain, struct fc_user *user)
{
	struct fc_session *session = kzalloc(sizeof(*session), GFP_KERNEL_ACCOUNT);
	bool counted;
	int r;

	if (!session || !user) {
		kfree(session);
		fc_user_put(user);
		return ERR_PTR(-ENOMEM);
	}
	kref_init(&session->kref);
	INIT_LIST_HEAD(&session->maps);
	init_waitqueue_head(&session->sleepers);
	mutex_init(&session->lock);
	spin_lock_init(&session->pointers);
	fc_domain_get(domain);
	session->domain = domain;
	session->holding.user = user;
	session->uid = session->uid_before = current_uid();
	r = fc_user_take(&session->holding, 1, 0);
	counted = !r;
	if (!r) {
		session->detach = fc_request_make(domain, NULL, FC_XEN_DETACH, 0, 0, false);
		r = PTR_ERR_OR_ZERO(session->detach);
	}
	if (!r) {
		r = take_number(domain, session);
		if (r)
			fc_request_put(session->detach);
	}
	if (r) {
		if (counted)
			fc_user_give(&session->holding, 1, 0);
		fc_session_put(session);
		return ERR_PTR(r);
	}
	session->detach->wire.session = session->number;
	session->detach->done = session_detached;
	mutex_lock(&sessions_lock);
	list_add_tail(&session->link, &sessions);
	mutex_unlock(&sessions_lock);
	fc_count_add(FC_COUNT_SESSIONS, 1);
	return session;
}

/* Areas that were the session's. Null is fine. */
static void areas_drop(struct fc_session *session, struct fc_areas *areas)
{
	if (areas)
		fc_user_give(&session->holding, 0, fc_areas_count(areas));
	fc_areas_end(areas);
}

void fc_session_strip(struct fc_session *session)
{
	struct fc_areas *areas[3];
	int i;

	spin_lock(&session->pointers);
	areas[0] = session->areas;
	areas[1] = session->fresh;
	areas[2] = session->old;
	session->areas = NULL;
	session->fresh = NULL;
	session->old = NULL;
	session->stripped = true;
	spin_unlock(&session->pointers);
	for (i = 0; i < 3; i++)
		areas_drop(session, areas[i]);
	fc_maps_end(session);
}

/* The domain has nothing of it any more. */
static void session_bury(struct fc_session *session)
{
	struct fc_domain *domain = session->domain;

	fc_session_strip(session);
	mutex_lock(&domain->lock);
	RCU_INIT_POINTER(domain->session[session->number], NULL);
	clear_bit(session->number, domain->numbers);
	mutex_unlock(&domain->lock);
	mutex_lock(&sessions_lock);
	list_del_init(&session->link);
	mutex_unlock(&sessions_lock);
	fc_user_give(&session->holding, 1, 0);
	fc_count_add(FC_COUNT_SESSIONS, -1);
	wake_up_all(&buried);
	fc_session_put(session); /* the number's */
}

static void session_detached(struct fc_request *request)
{
	session_bury(request->session);
}

void fc_session_end(struct fc_session *session)
{
	WRITE_ONCE(session->over, true);
	fc_bells_wake(session);
}

/* Post DETACH, once in a session's life. */
static void detach(struct fc_session *session)
{
	bool first;

	mutex_lock(&sessions_lock);
	first = !session->leaving;
	session->leaving = true;
	mutex_unlock(&sessions_lock);
	fc_session_end(session);
	if (!first)
		return;
	kref_get(&session->kref);
	session->detach->session = session;
	fc_request_post(session->domain, session->detach);
}

void fc_session_leave(struct fc_session *session)
{
	detach(session);
	fc_session_put(session);
}

/* Until no session that `which` names is left. 0, -EINTR (being killed) or -ETIMEDOUT. */
static int await_burial(bool (*left)(const void *), const void *which)
{
	long r = wait_event_killable_timeout(buried, !left(which), msecs_to_jiffies(fc_answer_ms));

	return r < 0 ? -EINTR : r ? 0 : -ETIMEDOUT;
}

static bool is_there(const void *session)
{
	return !list_empty_careful(&((const struct fc_session *)session)->link);
}

int fc_session_bye(struct fc_session *session)
{
	detach(session);
	return await_burial(is_there, session);
}

/* ---- whose it is ---- */

/* A vfork child runs in its parent's memory, sessions included, until it executes another program. */
static bool shares_our_memory(struct pid *tgid)
{
	struct task_struct *task;
	bool shares;

	rcu_read_lock();
	task = pid_task(tgid, PIDTYPE_TGID);
	shares = task && READ_ONCE(task->mm) == current->mm;
	rcu_read_unlock();
	return shares;
}

/* A real uid that the domain has been told. Root may be anybody. Threads change one after the other, and the first one tells: until the last
 * one has, the uid before is good, too.
 */
static bool is_told(const struct fc_session *session, kuid_t uid)
{
	return uid_eq(uid, READ_ONCE(session->uid)) || uid_eq(uid, GLOBAL_ROOT_UID) ||
	       (uid_eq(uid, READ_ONCE(session->uid_before)) &&
		time_before(jiffies, READ_ONCE(session->told) + CHANGING));
}

static bool is_child_of(struct task_struct *task, struct pid *tgid)
{
	struct pid *parent = fc_parent_of(task);

	put_pid(parent); /* the number is all that counts */
	return parent == tgid;
}

/* May the caller, who has the file of a session that was made for a child, be that child? One that has changed its user first, to say so. */
static bool may_take_up(const struct fc_session *session, bool tells)
{
	return task_tgid(current) != session->parent && fc_caller_is_at_home() &&
	       (is_told(session, current_uid()) || (tells && is_child_of(current, session->parent)));
}

/* Whose the session becomes, to be put. A vfork child that is the first to use the session of whom it shares the memory with, or a vfork child of
 * such a child, does so for them, and has one of its own later.
 */
static struct pid *taker(const struct fc_session *session)
{
	struct task_struct *task = current;
	struct pid *taker = task_tgid(current), *tgid;

	rcu_read_lock();
	for (;;) {
		task = rcu_dereference(task->real_parent);
		tgid = task_tgid(task);
		if (!tgid || tgid == session->parent || READ_ONCE(task->mm) != current->mm)
			break;
		taker = tgid;
	}
	get_pid(taker);
	rcu_read_unlock();
	return taker;
}

static int take_up(struct fc_session *session, bool tells)
{
	if (mutex_lock_killable(&session->lock))
		return -EINTR;
	if (!session->tgid && may_take_up(session, tells))
		WRITE_ONCE(session->tgid, taker(session));
	mutex_unlock(&session->lock);
	return 0;
}

int fc_session_enter(struct fc_session *session, bool tells)
{
	struct pid *me = task_tgid(current);
	int r;

	if (READ_ONCE(session->over))
		return -EIO;
	if (unlikely(!READ_ONCE(session->tgid))) {
		r = take_up(session, tells);
		if (r)
			return r;
	}
	if (unlikely(!tells && !is_told(session, current_uid())))
		return -EPERM;
	if (likely(READ_ONCE(session->tgid) == me))
		return 0;
	return session->tgid && shares_our_memory(session->tgid) ? 0 : -EPERM;
}

/* Sessions of a process, for somebody who asks after them. */
struct question {
	pid_t pid;
	struct pid_namespace *ns;
	struct pid *asker;
	kuid_t uid;
};

/* Only the process's parent and its user may ask. */
static bool is_of(const struct fc_session *session, const struct question *who)
{
	struct pid *tgid = READ_ONCE(session->tgid);

	return tgid && pid_nr_ns(tgid, who->ns) == who->pid &&
	       (session->parent == who->asker || uid_eq(who->uid, GLOBAL_ROOT_UID) ||
		uid_eq(who->uid, READ_ONCE(session->uid)));
}

static bool any_of(const void *which)
{
	struct fc_session *session;
	bool any = false;

	mutex_lock(&sessions_lock);
	list_for_each_entry(session, &sessions, link)
		any |= is_of(session, which);
	mutex_unlock(&sessions_lock);
	return any;
}

static bool is_alive(struct pid *tgid)
{
	struct task_struct *task;
	bool alive;

	rcu_read_lock();
	task = pid_task(tgid, PIDTYPE_TGID);
	/* one whose first thread alone has ended lives */
	alive = task && (!task->exit_state || !thread_group_empty(task));
	rcu_read_unlock();
	return alive;
}

/* A session of that process that has not been told to leave, though the process is dead: somebody else holds the file. */
static struct fc_session *orphan_of(const struct question *who, bool *alive)
{
	struct fc_session *session, *found = NULL;

	mutex_lock(&sessions_lock);
	list_for_each_entry(session, &sessions, link) {
		if (!is_of(session, who) || session->leaving)
			continue;
		if (is_alive(session->tgid)) {
			*alive = true;
			continue;
		}
		kref_get(&session->kref);
		found = session;
		break;
	}
	mutex_unlock(&sessions_lock);
	return found;
}

int fc_session_gone(pid_t pid)
{
	struct question who = { pid, task_active_pid_ns(current), task_tgid(current), current_uid() };
	struct fc_session *orphan;
	bool alive = false;

	if (pid <= 0)
		return -EINVAL;
	while ((orphan = orphan_of(&who, &alive)))
		fc_session_leave(orphan);
	return alive ? -EBUSY : await_burial(any_of, &who);
}

unsigned int fc_sessions_of(const struct fc_domain *domain)
{
	struct fc_session *session;
	unsigned int n = 0;

	mutex_lock(&sessions_lock);
	list_for_each_entry(session, &sessions, link)
		n += session->domain == domain && !session->over;
	mutex_unlock(&sessions_lock);
	return n;
}

/* ---- requests on its behalf ---- */

struct fc_request *fc_session_request(struct fc_session *session, u16 type, size_t size)
{
	struct fc_request *request;

	if (READ_ONCE(session->over))
		return ERR_PTR(-EIO);
	request = fc_request_make(session->domain, fc_user_of(&session->holding), type, session->number, size, false);
	if (!IS_ERR(request)) {
		kref_get(&session->kref);
		request->session = session;
	}
	return request;
}

int fc_session_run(struct fc_session *session, struct fc_request *request)
{
	int r = fc_request_run(session->domain, request);

	fc_request_put(request);
	return r;
}

/* For what is posted: nobody waits, but an error ends the session. */
static void ends_on_error(struct fc_request *request)
{
	if (request->status)
		fc_session_end(request->session);
}

/* What the caller may not exceed, for ATTACH and RLIMIT. RLIM_INFINITY is UINT64_MAX already. */
static void write_limits(struct fc_xen_request *wire)
{
	BUILD_BUG_ON(RLIM_INFINITY != U64_MAX);
	wire->arg[2] = rlimit(RLIMIT_FSIZE);
	wire->arg[3] = rlimit_max(RLIMIT_NOFILE);
	wire->arg[4] = rlimit(RLIMIT_NPROC);
}

/* A request that carries the caller's identity. */
static struct fc_request *cred_request(struct fc_session *session, u16 type)
{
	const struct cred *cred = current_cred();
	u32 groups = cred->group_info->ngroups, i;
	struct fc_xen_cred *text;
	struct fc_request *request;
	size_t size = sizeof(*text) + groups * sizeof(text->group[0]);

	if (groups > FC_XEN_GROUPS)
		return ERR_PTR(-E2BIG);
	text = kvzalloc(size, GFP_KERNEL);
	if (!text)
		return ERR_PTR(-ENOMEM);
	text->ruid = from_kuid(&init_user_ns, cred->uid);
	text->fsuid = from_kuid(&init_user_ns, cred->fsuid);
	text->rgid = from_kgid(&init_user_ns, cred->gid);
	text->fsgid = from_kgid(&init_user_ns, cred->fsgid);
	if (cred->user_ns == &init_user_ns)
		text->caps = (u64)cred->cap_effective.cap[1] << 32 | cred->cap_effective.cap[0];
	text->groups = groups;
	for (i = 0; i < groups; i++)
		text->group[i] = from_kgid(&init_user_ns, cred->group_info->gid[i]);
	get_task_comm(text->comm, current->group_leader);
	request = fc_session_request(session, type, size);
	if (!IS_ERR(request))
		fc_pages_write(request->text, text, size);
	kvfree(text);
	return request;
}

struct fc_session *fc_session_attach(struct fc_domain *domain, u32 mask)
{
	struct fc_session *session = session_make(domain, fc_user_find(domain, fc_caller_account()));
	struct fc_request *request;

	if (IS_ERR(session))
		return session;
	session->tgid = get_pid(task_tgid(current));
	session->parent = fc_parent_of(current);
	request = cred_request(session, FC_XEN_ATTACH);
	if (IS_ERR(request)) {
		session->leaving = true;
		fc_request_put(session->detach); /* the domain has never heard of it */
		session_bury(session);
		fc_session_put(session);
		return ERR_CAST(request);
	}
	request->wire.arg[0] = pid_nr(session->tgid);
	request->wire.arg[1] = mask & 0777;
	write_limits(&request->wire);
	request->done = ends_on_error;
	fc_request_post(domain, request);
	return session;
}

/* What it has is its new user's from then on, even if it is more than they would get. */
static int tell(struct fc_session *session)
{
	struct fc_user *user = fc_user_find(session->domain, fc_caller_account());
	struct fc_request *request;
	int r;

	if (!user)
		return -ENOMEM;
	request = cred_request(session, FC_XEN_CRED);
	r = IS_ERR(request) ? PTR_ERR(request) : fc_session_run(session, request);
	if (r) {
		fc_user_put(user);
		return r;
	}
	if (!uid_eq(session->uid, current_uid())) {
		WRITE_ONCE(session->told, jiffies);
		WRITE_ONCE(session->uid_before, session->uid);
		WRITE_ONCE(session->uid, current_uid());
	}
	fc_user_move(&session->holding, user);
	return 0;
}

int fc_session_cred(struct fc_session *session)
{
	int r;

	if (mutex_lock_killable(&session->lock))
		return -EINTR;
	r = tell(session);
	mutex_unlock(&session->lock);
	return r;
}

int fc_session_rlimit(struct fc_session *session)
{
	struct fc_request *request;
	int r;

	if (mutex_lock_killable(&session->lock))
		return -EINTR;
	request = fc_session_request(session, FC_XEN_RLIMIT, 0);
	if (!IS_ERR(request)) {
		write_limits(&request->wire);
		request->wire.arg[0] = request->wire.arg[2];
	}
	r = IS_ERR(request) ? PTR_ERR(request) : fc_session_run(session, request);
	mutex_unlock(&session->lock);
	return r;
}

/* ---- fork ---- */

static int run_fork(struct fc_session *session, struct fc_session *child)
{
	struct fc_request *request;
	int r;

	if (mutex_lock_killable(&session->lock))
		return -EINTR;
	r = fc_maps_fork(session, child);
	if (!r) {
		request = fc_session_request(session, FC_XEN_FORK, 0);
		if (!IS_ERR(request))
			request->wire.arg[0] = child->number;
		r = IS_ERR(request) ? PTR_ERR(request) : fc_session_run(session, request);
	}
	mutex_unlock(&session->lock);
	return r;
}

struct fc_session *fc_session_fork(struct fc_session *session)
{
	struct fc_session *child;
	int r;

	child = session_make(session->domain, fc_user_of(&session->holding));
	if (IS_ERR(child))
		return child;
	child->uid = child->uid_before = READ_ONCE(session->uid);
	child->parent = get_pid(session->tgid); /* it may be a vfork child that asks, for itself */
	r = run_fork(session, child);
	if (!r)
		return child;
	fc_session_leave(child); /* the domain answers for numbers it does not know, too */
	return ERR_PTR(r);
}

/* Is @number that of a session that this one has forked, and that nobody has taken up? */
static bool is_child(const struct fc_session *session, u32 number)
{
	const struct fc_session *child;
	bool is;

	if (number >= FC_XEN_SESSIONS)
		return false;
	rcu_read_lock();
	child = rcu_dereference(session->domain->session[number]);
	is = child && !child->tgid && child->parent == session->tgid;
	rcu_read_unlock();
	return is;
}

/* A process that the caller may name: a child of it, or of whoever it shares its memory with; or, cloned as a sibling, one of its user. */
static bool is_offspring(const struct fc_session *session, struct pid *pid)
{
	struct task_struct *task = get_pid_task(pid, PIDTYPE_TGID);
	struct pid *parent, *ours;
	bool is;

	if (!task)
		return false;
	parent = fc_parent_of(task);
	ours = fc_parent_of(current);
	is = parent == task_tgid(current) || parent == session->tgid ||
	     (parent == ours && uid_eq(task_uid(task), current_uid()));
	put_pid(ours);
	put_pid(parent);
	put_task_struct(task);
	return is;
}

int fc_session_forked(struct fc_session *session, u32 number, pid_t pid)
{
	struct fc_request *request;
	struct pid *child;

	if (!is_child(session, number))
		return -ESRCH;
	child = find_get_pid(pid);
	if (!child)
		return -ESRCH;
	if (!is_offspring(session, child)) {
		put_pid(child);
		return -EPERM;
	}
	request = fc_session_request(session, FC_XEN_FORKED, 0);
	if (!IS_ERR(request)) {
		request->wire.session = number;
		request->wire.arg[0] = pid_nr(child);
		fc_request_post(session->domain, request);
	}
	put_pid(child);
	return PTR_ERR_OR_ZERO(request);
}

/* ---- memory ---- */

/* One made ahead, if there is one. Its pages are charged to nobody: only the first sessions of a user get such. */
static struct fc_areas *areas_take(struct fc_session *session)
{
	struct fc_domain *domain = session->domain;
	struct fc_areas *areas;

	if (!fc_user_has_few(&session->holding))
		return fc_areas_make(domain->domid);
	mutex_lock(&domain->lock);
	areas = domain->ready;
	domain->ready = NULL;
	mutex_unlock(&domain->lock);
	fc_domain_refill(domain);
	return areas ? areas : fc_areas_make(domain->domid);
}

int fc_session_areas(struct fc_session *session)
{
	struct fc_areas *areas;
	int r = fc_user_take(&session->holding, 0, AREAS_PAGES);

	if (r)
		return r;
	areas = areas_take(session);
	if (IS_ERR(areas)) {
		fc_user_give(&session->holding, 0, AREAS_PAGES);
		return PTR_ERR(areas);
	}
	spin_lock(&session->pointers);
	if (session->stripped)
		r = -EIO;
	else if (session->old)
		r = -EBUSY;
	else
		swap(session->fresh, areas);
	spin_unlock(&session->pointers);
	areas_drop(session, areas); /* what was never offered, or these */
	return r;
}

static void session_offered(struct fc_request *request)
{
	struct fc_session *session = request->session;
	struct fc_areas *old;

	spin_lock(&session->pointers);
	old = session->old;
	session->old = NULL;
	spin_unlock(&session->pointers);
	areas_drop(session, old);
	if (!request->status && request->wire.arg[1])
		fc_maps_left(session);
	ends_on_error(request);
}

/* The fresh areas become the session's, and their grants go to @refs. The session may be ended at any time. */
static int areas_turn(struct fc_session *session, u32 refs[AREAS_PAGES])
{
	struct fc_areas *areas;
	int r = 0;

	spin_lock(&session->pointers);
	areas = session->fresh;
	if (session->stripped) {
		r = -EIO;
	} else if (!areas) {
		r = -EINVAL;
	} else if (session->old) {
		r = -EBUSY;
	} else {
		fc_refs_gather(refs, (struct fc_pages *[]){ areas->request, areas->segment[0] }, 2);
		session->old = session->areas;
		session->areas = areas;
		session->fresh = NULL;
		r = !!session->old;
	}
	spin_unlock(&session->pointers);
	return r;
}

static int offer(struct fc_session *session, bool fresh)
{
	u32 refs[AREAS_PAGES];
	struct fc_request *request = fc_session_request(session, FC_XEN_AREAS, sizeof(refs));
	int r;

	if (IS_ERR(request))
		return PTR_ERR(request);
	r = areas_turn(session, refs);
	if (r < 0) {
		fc_request_put(request);
		return r;
	}
	fc_pages_write(request->text, refs, sizeof(refs));
	request->wire.arg[0] = pid_nr(session->tgid);
	request->wire.arg[1] = fresh;
	if (fresh)
		fc_maps_leave(session);
	request->done = session_offered;
	if (r) /* they replace others, which the domain is to let go of */
		return fc_session_run(session, request);
	fc_request_post(session->domain, request);
	return 0;
}

int fc_session_offer(struct fc_session *session, bool fresh)
{
	int r;

	if (mutex_lock_killable(&session->lock))
		return -EINTR;
	r = offer(session, fresh);
	mutex_unlock(&session->lock);
	return r;
}

/* A segment that was the session's, or was to be. Null is fine. */
static void segment_drop(struct fc_session *session, struct fc_pages *segment)
{
	if (segment)
		fc_user_give(&session->holding, 0, segment->count);
	fc_pages_end(segment);
}

static void session_grown(struct fc_request *request)
{
	struct fc_session *session = request->session;
	struct fc_pages *segment = request->context;
	struct fc_areas *areas;

	spin_lock(&session->pointers);
	areas = session->areas;
	if (!request->status && areas && areas->length == request->wire.arg[0]) {
		areas->segment[fls64(areas->length / FC_DATA_MIN)] = segment;
		areas->length *= 2;
		segment = NULL;
	}
	spin_unlock(&session->pointers);
	segment_drop(session, segment);
}

static struct fc_request *grow_request(struct fc_session *session, u64 length)
{
	unsigned int count = length / PAGE_SIZE;
	struct fc_pages *segment;
	struct fc_request *request;
	int r = fc_user_take(&session->holding, 0, count);

	if (r)
		return ERR_PTR(r);
	segment = fc_pages_make(session->domain->domid, count, false);
	if (IS_ERR(segment)) {
		fc_user_give(&session->holding, 0, count);
		return ERR_CAST(segment);
	}
	request = fc_session_request(session, FC_XEN_GROW, count * sizeof(u32));
	if (IS_ERR(request)) {
		segment_drop(session, segment);
		return request;
	}
	fc_pages_write(request->text, segment->ref, count * sizeof(u32));
	request->wire.arg[0] = length;
	request->context = segment;
	request->done = session_grown;
	return request;
}

int fc_session_grow(struct fc_session *session, u64 *length)
{
	struct fc_request *request;
	int r;

	if (mutex_lock_killable(&session->lock))
		return -EINTR;
	spin_lock(&session->pointers);
	*length = session->areas ? session->areas->length : 0;
	spin_unlock(&session->pointers);
	if (!*length) {
		r = -ENOTCONN;
	} else if (2 * *length > FC_DATA_MAX) {
		r = -ENOMEM;
	} else {
		request = grow_request(session, *length);
		r = IS_ERR(request) ? PTR_ERR(request) : fc_session_run(session, request);
		*length *= 2;
	}
	mutex_unlock(&session->lock);
	return r;
}

/* What lies behind the request's length is unmapped there. */
static void session_shrunk(struct fc_request *request)
{
	struct fc_session *session = request->session;
	struct fc_pages *gone[FC_SEGMENTS_MAX] = { NULL };
	struct fc_areas *areas;
	int i;

	spin_lock(&session->pointers);
	areas = session->areas;
	for (i = fls64(request->wire.arg[0] / FC_DATA_MIN); areas && !request->status && i < FC_SEGMENTS_MAX; i++) {
		gone[i] = areas->segment[i];
		areas->segment[i] = NULL;
		areas->length = request->wire.arg[0];
	}
	spin_unlock(&session->pointers);
	for (i = 0; i < FC_SEGMENTS_MAX; i++)
		segment_drop(session, gone[i]);
	ends_on_error(request);
}

int fc_session_shrink(struct fc_session *session, u64 length)
{
	struct fc_request *request;
	u64 had;
	int r = 0;

	if (mutex_lock_killable(&session->lock))
		return -EINTR;
	spin_lock(&session->pointers);
	had = session->areas ? session->areas->length : 0;
	spin_unlock(&session->pointers);
	if (!had) {
		r = -ENOTCONN;
	} else if (length < FC_DATA_MIN || length > had || !is_power_of_2(length)) {
		r = -EINVAL;
	} else if (length < had) {
		request = fc_session_request(session, FC_XEN_SHRINK, 0);
		if (!IS_ERR(request)) {
			request->wire.arg[0] = length;
			request->done = session_shrunk;
		}
		r = IS_ERR(request) ? PTR_ERR(request) : fc_session_run(session, request);
	}
	mutex_unlock(&session->lock);
	return r;
}

static struct page *page_at(const struct fc_areas *areas, u64 offset)
{
	if (offset >= FC_MAP_DATA)
		return fc_areas_page(areas, offset - FC_MAP_DATA);
	offset -= FC_MAP_REQUESTS;
	return offset < FC_XEN_REQUEST_PAGES * PAGE_SIZE ? areas->request->page[offset / PAGE_SIZE] : NULL;
}

int fc_session_pages(struct fc_session *session, u64 offset, unsigned long count, struct page **page)
{
	const struct fc_areas *areas;
	unsigned long i = 0;

	spin_lock(&session->pointers);
	areas = session->fresh ? session->fresh : session->areas;
	for (; areas && i < count; i++) {
		page[i] = page_at(areas, offset + i * PAGE_SIZE);
		if (!page[i])
			break;
		get_page(page[i]);
	}
	spin_unlock(&session->pointers);
	if (i == count)
		return 0;
	while (i-- > 0)
		put_page(page[i]);
	return -ENXIO;
}
