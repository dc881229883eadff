/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * usercopy.c - the application's memory, read and written without ever faulting (hook.h). The fast way is usercopy.S under
 * the shim's SIGSEGV and SIGBUS handler; where that cannot work (see fc_signal_ready) the kernel copies, at 0.6 us a page.
 */
#define _GNU_SOURCE
#include "libc-shim/hook/usercopy.h"

#include <errno.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "common/rawcall.h"
#include "libc-shim/hook.h"

#define PAGE 4096ul

struct fixup {
	int32_t start, end, to; /* distances from fc_fixups */
};
extern const struct fixup fc_fixups[] __attribute__((visibility("hidden")));

bool fc_usercopy_repair(uint64_t *rip)
{
	int64_t at = (int64_t)(*rip - (uint64_t)fc_fixups);

	for (const struct fixup *f = fc_fixups; f->end; f++) {
		if (at >= f->start && at < f->end) {
			*rip = (uint64_t)fc_fixups + (uint64_t)(int64_t)f->to;
			return true;
		}
	}
	return false;
}

static inline bool repaired(void)
{
	return __builtin_expect(fc_faults_repaired, 1) || fc_signal_ready();
}

/* `call` is process_vm_readv or process_vm_writev on ourselves. Page by page: a transfer of one range that meets a hole need
 * not say how far it came. */
static size_t copy_by_kernel(long call, char *ours, char *user, size_t n)
{
	int pid = (int)fc_call(SYS_gettid);

	while (n) {
		size_t part = PAGE - ((uintptr_t)user & (PAGE - 1));
		struct iovec local, remote;
		long done;

		if (part > n)
			part = n;
		local = (struct iovec){ ours, part };
		remote = (struct iovec){ user, part };
		done = fc_call(call, pid, &local, 1, &remote, 1, 0);
		if (done > 0) {
			ours += done;
			user += done;
			n -= (size_t)done;
		}
		if (done != (long)part)
			break;
	}
	return n;
}

size_t fc_copy_from_user(void *dst, const void *user, size_t n)
{
	if (repaired())
		return fc_copy_raw(dst, user, n);
	return copy_by_kernel(SYS_process_vm_readv, dst, (char *)user, n);
}

size_t fc_copy_to_user(void *user, const void *src, size_t n)
{
	if (repaired())
		return fc_copy_raw(user, src, n);
	return copy_by_kernel(SYS_process_vm_writev, (char *)src, user, n);
}

long fc_strncpy_from_user(char *dst, const char *user, size_t max)
{
	size_t n = 0;

	if (repaired())
		return fc_strncpy_raw(dst, user, max);
	while (n < max) {
		size_t part = PAGE - ((uintptr_t)(user + n) & (PAGE - 1));

		if (part > max - n)
			part = max - n;
		if (copy_by_kernel(SYS_process_vm_readv, dst + n, (char *)user + n, part))
			return -EFAULT;
		for (size_t end = n + part; n < end; n++)
			if (!dst[n])
				return (long)n;
	}
	return -ENAMETOOLONG;
}
