/* SPDX-License-Identifier: GPL-2.0-or-later */
/* h_uring.c - is there an io_uring, and does it do something with a local file? Prints it. Its arguments are those of e2e.h. */
#include "tests/e2e/e2e.h"

#include <linux/io_uring.h>
#include <sys/syscall.h>

static char *map(int ring, size_t n, off_t at)
{
	char *m = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED, ring, at);

	CHECK(m != MAP_FAILED);
	return m;
}

int main(int argc, char **argv)
{
	struct io_uring_params p = { 0 };
	int file, ring;

	e2e_init(argc, argv);
	file = open("/tmp", O_TMPFILE | O_RDWR, 0600);
	ring = (int)syscall(SYS_io_uring_setup, 2, &p);
	if (ring < 0) {
		printf("ring: %s\n", strerrorname_np(errno));
		return e2e_status();
	}
	char *sq = map(ring, p.sq_off.array + p.sq_entries * 4, IORING_OFF_SQ_RING);
	char *cq = map(ring, p.cq_off.cqes + p.cq_entries * sizeof(struct io_uring_cqe), IORING_OFF_CQ_RING);
	struct io_uring_sqe *e = (void *)map(ring, p.sq_entries * sizeof *e, IORING_OFF_SQES);
	*e = (struct io_uring_sqe){ .opcode = IORING_OP_WRITE, .fd = file, .addr = (uintptr_t) "ring", .len = 4 };
	*(uint32_t *)(sq + p.sq_off.array) = 0;
	__atomic_store_n((uint32_t *)(sq + p.sq_off.tail), 1, __ATOMIC_RELEASE);
	EQUAL(syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0), 1);
	printf("ring: %d\n", ((struct io_uring_cqe *)(cq + p.cq_off.cqes))->res);
	return e2e_status();
}
