// SPDX-License-Identifier: GPL-2.0-only
/*
 * main.c - the module and its device: /dev/syscall leads processes of this Xen domain to storage domains that are other Xen
 * domains. Each open file is a session; see farcall/ioctl.h.
 */
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <xen/xen.h>

#include "kmod.h"

static int file_open(struct inode *inode, struct file *file)
{
	struct fc_file *f = kzalloc(sizeof(*f), GFP_KERNEL_ACCOUNT);

	if (!f)
		return -ENOMEM;
	mutex_init(&f->lock);
	file->private_data = f;
	return nonseekable_open(inode, file);
}

static int file_release(struct inode *inode, struct file *file)
{
	struct fc_file *f = file->private_data;

	if (f->session)
		fc_session_leave(f->session);
	kfree(f);
	return 0;
}

static int map_pages(struct vm_area_struct *vma, struct fc_session *session)
{
	unsigned long count = vma_pages(vma), i;
	struct page **page = kvmalloc_array(count, sizeof(*page), GFP_KERNEL);
	int r;

	if (!page)
		return -ENOMEM;
	r = fc_session_pages(session, (u64)vma->vm_pgoff << PAGE_SHIFT, count, page);
	if (!r) {
		for (i = 0; i < count; i++) {
			if (!r)
				r = vm_insert_page(vma, vma->vm_start + i * PAGE_SIZE, page[i]);
			put_page(page[i]);
		}
	}
	kvfree(page);
	return r;
}

static int map_domain_page(struct vm_area_struct *vma, struct fc_session *session)
{
	if (vma_pages(vma) != 1)
		return -ENXIO;
	if (vma->vm_flags & VM_WRITE)
		return -EACCES;
	vma->vm_flags &= ~VM_MAYWRITE;
	return vm_insert_page(vma, vma->vm_start, session->domain->page);
}

static int file_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct fc_file *f = file->private_data;
	struct fc_session *session = READ_ONCE(f->session);
	int r;

	if (!session)
		return -ENOTCONN;
	r = fc_session_enter(session, false);
	if (r)
		return r;
	if (!(vma->vm_flags & VM_SHARED) || vma->vm_flags & VM_EXEC)
		return -EINVAL;
	if (vma_pages(vma) > FC_DATA_MAX / PAGE_SIZE)
		return -ENXIO;
	vma->vm_flags &= ~VM_MAYEXEC;
	vma->vm_flags |= VM_DONTCOPY | VM_DONTEXPAND | VM_DONTDUMP;
	return vma->vm_pgoff ? map_pages(vma, session) : map_domain_page(vma, session);
}

static const struct file_operations file_ops = {
	.owner = THIS_MODULE,
	.open = file_open,
	.release = file_release,
	.unlocked_ioctl = fc_ioctl,
	.mmap = file_mmap,
	.llseek = no_llseek,
};

int fc_file_install(struct fc_session *session)
{
	struct fc_file *f = kzalloc(sizeof(*f), GFP_KERNEL_ACCOUNT);
	int fd;

	if (!f)
		return -ENOMEM;
	mutex_init(&f->lock);
	f->session = session;
	fd = anon_inode_getfd("[farcall]", &file_ops, f, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		kfree(f);
	return fd;
}

static struct miscdevice device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "syscall",
	.mode = 0666,
	.fops = &file_ops,
};

static int __init farcall_init(void)
{
	int r;

	if (!xen_domain())
		return -ENODEV;
	fc_counters_init();
	r = fc_domains_init();
	if (!r) {
		r = misc_register(&device);
		if (r)
			fc_domains_exit();
	}
	if (r)
		fc_counters_exit();
	return r;
}

static void __exit farcall_exit(void)
{
	unsigned int lost;

	misc_deregister(&device);
	fc_domains_exit();
	rcu_barrier();
	lost = fc_pages_exit();
	if (lost)
		pr_warn("farcall: %u pages stay allocated: a dead domain still maps them\n", lost);
	fc_counters_exit();
}

module_init(farcall_init);
module_exit(farcall_exit);
MODULE_DESCRIPTION("system calls executed by storage domains that are other Xen domains");
MODULE_LICENSE("GPL");
MODULE_VERSION("0.1.0");
