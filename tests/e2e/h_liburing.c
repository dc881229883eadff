/* SPDX-License-Identifier: GPL-2.0-or-later */
/* h_liburing.c - does liburing, which makes its system calls itself, have a ring? Prints it. Its arguments are those of e2e.h. */
#include "tests/e2e/e2e.h"

#include <liburing.h>

int main(int argc, char **argv)
{
	struct io_uring_params p = { 0 };
	struct io_uring_probe *probe;
	struct io_uring ring;
	int r;

	e2e_init(argc, argv);
	r = io_uring_queue_init(4, &ring, 0);
	printf("queue: %s\n", r < 0 ? strerrorname_np(-r) : "yes");
	if (!r)
		io_uring_queue_exit(&ring);
	r = io_uring_queue_init_params(4, &ring, &p);
	printf("queue, parameters: %s\n", r < 0 ? strerrorname_np(-r) : "yes");
	if (!r) {
		struct io_uring_cqe *e;

		io_uring_prep_nop(io_uring_get_sqe(&ring));
		EQUAL(io_uring_submit(&ring), 1);
		EQUAL(io_uring_wait_cqe(&ring, &e), 0);
		EQUAL(e->res, 0);
		io_uring_queue_exit(&ring);
	}
	probe = io_uring_get_probe();
	printf("probe: %s\n", probe ? "yes" : "no");
	free(probe);
	return e2e_status();
}
