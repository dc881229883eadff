/* SPDX-License-Identifier: GPL-2.0-or-later */
/* t_aio.c - the kernel's asynchronous I/O on files, buffered and direct, with an eventfd, and POSIX AIO of the C library. */
#include "posix.h"

#include <aio.h>
#include <linux/aio_abi.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>

static aio_context_t context;

static struct iocb control(int fd, int op, void *data, size_t n, off_t at)
{
	return (struct iocb){ .aio_fildes = (uint32_t)fd,
			      .aio_lio_opcode = (uint16_t)op,
			      .aio_buf = (uint64_t)data,
			      .aio_nbytes = n,
			      .aio_offset = at,
			      .aio_data = (uint64_t)op };
}

static void collect(long n)
{
	struct io_event events[8];
	struct timespec t = { 1, 0 };
	long got = syscall(SYS_io_getevents, context, n, 8, events, &t);

	say("%ld events", got);
	for (int op = 0; op < 10; op++) /* in whatever order they came */
		for (long i = 0; i < got; i++)
			if (events[i].data == (uint64_t)op)
				say("    %d: %lld %lld", op, (long long)events[i].res, (long long)events[i].res2);
}

static void kernels(const char *name, int flags)
{
	int fd = open(name, O_CREAT | O_RDWR | flags, 0644), e = eventfd(0, EFD_NONBLOCK), bad = open(name, O_RDONLY);
	char *data = aligned_alloc(4096, 8192), *back = aligned_alloc(4096, 8192);
	struct iocb w = control(fd, IOCB_CMD_PWRITE, data, 8192, 0), r = control(fd, IOCB_CMD_PREAD, back, 4096, 4096),
		    s = control(fd, IOCB_CMD_FSYNC, NULL, 0, 0), b = control(bad, IOCB_CMD_PWRITE, data, 4096, 0),
		    none = control(99, IOCB_CMD_PREAD, back, 10, 0), odd = control(fd, 77, back, 10, 0);
	struct iocb *list[4] = { &w, &r, &s, &b };
	uint64_t count = 0;

	part(name);
	memset(data, 'd', 8192);
	w.aio_flags = IOCB_FLAG_RESFD;
	w.aio_resfd = (uint32_t)e;
	SAY(syscall(SYS_io_submit, context, 1, list));
	collect(1);
	SAY(read(e, &count, 8));
	say("%d", (int)count);
	SAY(syscall(SYS_io_submit, context, 1, list + 1));
	collect(1);
	say("%d", memcmp(data, back, 4096));
	SAY(syscall(SYS_io_submit, context, 1, list + 2));
	collect(1);
	SAY(syscall(SYS_io_submit, context, 1, list + 3));
	list[0] = &none;
	SAY(syscall(SYS_io_submit, context, 1, list));
	list[0] = &odd;
	SAY(syscall(SYS_io_submit, context, 1, list));
	/* the second is refused: the first has gone */
	w.aio_flags = 0;
	list[0] = &w;
	list[1] = &none;
	SAY(syscall(SYS_io_submit, context, 2, list));
	collect(1);
	SAY(syscall(SYS_io_submit, context, 0, list));
	SAY(lseek(fd, 0, SEEK_CUR));
	r.aio_offset = 8192; /* behind the end */
	list[0] = &r;
	SAY(syscall(SYS_io_submit, context, 1, list));
	collect(1);
	close(fd);
	close(e);
	close(bad);
}

static void libraries(void)
{
	char data[8] = "posix!!", back[8] = { 0 };
	int fd = open("posix", O_CREAT | O_RDWR, 0644);
	struct aiocb w = { .aio_fildes = fd, .aio_buf = data, .aio_nbytes = 8, .aio_offset = 4 }, r = w,
		     *list[] = { &w, &r };

	part("POSIX AIO");
	SAY(aio_write(&w));
	SAY(aio_suspend((const struct aiocb *const *)list, 1, NULL));
	SAY(aio_error(&w));
	SAY(aio_return(&w));
	r.aio_buf = back;
	r.aio_lio_opcode = LIO_READ;
	w.aio_offset = 100;
	w.aio_lio_opcode = LIO_WRITE;
	SAY(lio_listio(LIO_WAIT, list, 2, NULL));
	say("%s %ld %ld", back, (long)aio_return(&w), (long)aio_return(&r));
	SAY(aio_fsync(O_SYNC, &w));
	SAY(aio_suspend((const struct aiocb *const *)list, 1, NULL));
	SAY(aio_return(&w));
	what("posix");
	close(fd);
}

int main(int argc, char **argv)
{
	posix_begin(argc, argv);
	SAY(syscall(SYS_io_setup, 8, &context));
	kernels("buffered", 0);
	kernels("direct", O_DIRECT);
	SAY(syscall(SYS_io_destroy, context));
	SAY(syscall(SYS_io_destroy, context));
	libraries();
	return 0;
}
