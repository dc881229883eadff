/* SPDX-License-Identifier: GPL-2.0-or-later */
/* t_splice.c - splice(2), tee(2), vmsplice(2) between files and pipes: what they move, and the offsets. */
#include "posix.h"

#include <sys/uio.h>

int main(int argc, char **argv)
{
	int in, out, p[2], q[2];
	off64_t at = 3;
	char text[32] = { 0 };
	struct iovec v = { "from memory", 11 };

	posix_begin(argc, argv);
	in = make("in", "0123456789abcdefghij");
	out = make("out", "");
	SAY(pipe2(p, O_NONBLOCK));
	SAY(pipe2(q, O_NONBLOCK));
	SAY(splice(in, &at, p[1], NULL, 7, 0));
	say("%ld %ld", (long)at, (long)lseek(in, 0, SEEK_CUR));
	SAY(tee(p[0], q[1], 100, 0));
	at = 30;
	SAY(splice(p[0], NULL, out, &at, 7, 0));
	say("%ld %ld", (long)at, (long)lseek(out, 0, SEEK_CUR));
	what("out");
	SAY(splice(in, NULL, p[1], NULL, 5, SPLICE_F_MOVE));
	SAY(splice(in, NULL, p[1], NULL, 5, SPLICE_F_MORE));
	say("%ld", (long)lseek(in, 0, SEEK_CUR));
	SAY(splice(p[0], NULL, out, NULL, 100, 0));
	say("%ld", (long)lseek(out, 0, SEEK_CUR));
	contents("out");
	SAY(read(q[0], text, 31));
	say("%s", text);
	SAY(vmsplice(p[1], &v, 1, 0));
	SAY(splice(p[0], NULL, out, NULL, 4, 0));
	contents("out");
	SAY(splice(p[0], NULL, out, NULL, 100, SPLICE_F_NONBLOCK));
	SAY(splice(p[0], NULL, out, NULL, 100, SPLICE_F_NONBLOCK));
	SAY(splice(in, NULL, out, NULL, 7, 0));
	SAY(tee(in, p[1], 7, 0));
	SAY(vmsplice(in, &v, 1, 0));
	SAY(splice(p[0], &at, out, NULL, 7, 0));
	at = -1;
	SAY(splice(in, &at, p[1], NULL, 7, 0));
	at = 100;
	SAY(splice(in, &at, p[1], NULL, 7, 0));
	SAY(splice(in, NULL, p[1], NULL, 7, 1 << 10));
	SAY(fcntl(out, F_SETFL, O_APPEND));
	SAY(splice(p[0], NULL, out, NULL, 7, SPLICE_F_NONBLOCK));
	close(in);
	in = open("in", O_WRONLY);
	SAY(splice(in, NULL, p[1], NULL, 7, 0));
	contents("in");
	return 0;
}
