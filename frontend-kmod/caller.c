// SPDX-License-Identifier: GPL-2.0-only
/*
 * caller.c - where the calling process stands: paths mean to a storage domain what they mean to this machine's first process. One
 * that sees another tree (a container, a chroot) was put there so that it does not see this one, and a domain is not to be its way out.
 */
#include <linux/capability.h>
#include <linux/fs_struct.h>
#include <linux/module.h>
#include <linux/nsproxy.h>
#include <linux/pid_namespace.h>
#include <linux/sched/task.h>
#include <linux/user_namespace.h>

#include "kmod.h"

static bool any_root;
module_param(any_root, bool, 0644);
MODULE_PARM_DESC(any_root, "take processes in another mount namespace, or with another root directory, than the first process has");

bool fc_caller_is_at_home(void)
{
	struct task_struct *first = init_pid_ns.child_reaper; /* it never ends */
	struct path home = {}, root;
	bool is = false;

	if (READ_ONCE(any_root))
		return true;
	task_lock(first);
	if (first->nsproxy && first->fs) {
		is = first->nsproxy->mnt_ns == current->nsproxy->mnt_ns;
		get_fs_root(first->fs, &home);
	}
	task_unlock(first);
	get_fs_root(current->fs, &root);
	is = is && path_equal(&home, &root);
	path_put(&root);
	path_put(&home);
	return is;
}

bool fc_caller_is_root(void)
{
	return uid_eq(current_uid(), GLOBAL_ROOT_UID) || ns_capable_noaudit(&init_user_ns, CAP_SYS_ADMIN);
}

kuid_t fc_caller_account(void)
{
	const struct user_namespace *ns = current_user_ns();

	if (ns == &init_user_ns)
		return current_uid();
	while (ns->parent != &init_user_ns)
		ns = ns->parent;
	return ns->owner;
}

struct pid *fc_parent_of(struct task_struct *task)
{
	struct pid *parent;

	rcu_read_lock();
	parent = get_pid(task_tgid(rcu_dereference(task->real_parent)));
	rcu_read_unlock();
	return parent;
}
