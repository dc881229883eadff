/* SPDX-License-Identifier: GPL-2.0-or-later */
/* page.c - the domain page: one page of facts that every client may map and only the supervisor writes. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/atomic.h"
#include "storage-domain/fds.h"
#include "storage-domain/supervisor/supervisor.h"

int fc_page_create(struct fc_supervisor *v, uint64_t generation)
{
	int fd = memfd_create("farcall-domain", MFD_CLOEXEC | MFD_ALLOW_SEALING), r = 0;
	char path[32];

	if (fd < 0)
		return -errno;
	if (ftruncate(fd, sizeof *v->page))
		goto failed;
	v->page = mmap(NULL, sizeof *v->page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (v->page == MAP_FAILED) {
		v->page = NULL;
		goto failed;
	}
	/* the mapping stays writable, and stays here: no client and no shadow can make another */
	if (madvise(v->page, sizeof *v->page, MADV_DONTFORK) ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
		goto failed;
	snprintf(path, sizeof path, "self/fd/%d", fd);
	v->page_fd = openat(FC_FD_PROC, path, O_RDONLY | O_CLOEXEC);
	if (v->page_fd < 0)
		goto failed;
	v->page->magic = FC_ABI_MAGIC;
	v->page->major = FC_ABI_MAJOR;
	v->page->minor = FC_ABI_MINOR;
	v->page->generation = generation;
	v->page->state = FC_DOMAIN_STARTING;
	goto out;
failed:
	r = -errno;
out:
	close(fd);
	return r;
}

void fc_page_state(struct fc_supervisor *v, uint32_t state)
{
	fc_store_release(&v->page->state, state);
}
