#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# asynchronous I/O: Linux AIO (h_aio.c), that of POSIX (h_posix_aio.c), io_uring (h_uring.c, h_liburing.c)
. "$(dirname "$0")/../lib.sh"
need_farcall
program=$(helper e2e/h_aio) || exit 77

mkdir "$TESTDIR/plain"
check "natively" timeout 60 "$program" "$TESTDIR/plain" native >"$TESTDIR/native"
far_begin
check "remotely" timeout -k 5 60 "$FARCALL" run --domain "$far_domain" -- "$program" "$far" remote >"$TESTDIR/remote"
check "the same" diff "$TESTDIR/native" "$TESTDIR/remote"
far_end

both_sides h_posix_aio

# rings PROGRAM NONE: there are none, unless for what is local
rings()
{
	local program

	program=$(helper "e2e/$1") || exit 77
	check "$1 natively" "$program" "$TESTDIR" native >"$TESTDIR/$1.native"
	check "$1 without" far "$program" "$TESTDIR" remote >"$TESTDIR/$1.without"
	check "$1: there is none" diff <(echo "$2") "$TESTDIR/$1.without"
	FARCALL_IO_URING=local check "$1 for what is local" far "$program" "$TESTDIR" remote >"$TESTDIR/$1.local"
	check "$1: there is one" diff "$TESTDIR/$1.native" "$TESTDIR/$1.local"
}
rings h_uring "ring: ENOSYS"
if [[ -x $FC_BUILD/tests/e2e/h_liburing ]]; then
	rings h_liburing $'queue: ENOSYS\nqueue, parameters: ENOSYS\nprobe: no'
fi

# a domain that dies: what has been submitted is complete, with an error
if [[ ! ${FC_TEST_XEN:-} ]]; then
	far_begin
	mkfifo "$TESTDIR/go"
	far "$program" "$far" remote domain <"$TESTDIR/go" >"$TESTDIR/dead" &
	exec 3>"$TESTDIR/go"
	check "it is there" wait_for 10 grep -qs ready "$TESTDIR/dead"
	stop_domain far
	echo >&3
	check "it ends" wait $!
	exec 3>&-
	check "complete, with EIO" diff - "$TESTDIR/dead" <<-'END'
		ready
		dead: submit 1, result EIO 0, in the ring EIO, data ok, object ok, contents kept
		dead: submit 1, result EIO 0, in the ring EIO, data ok, object ok, contents kept
		dead: submit 1, result EIO 0, in the ring EIO, data ok, object ok, contents kept
		dead, sync: submit 1, result EIO 0, in the ring EIO, data ok, object ok, contents kept
		dead, local: submit 1, result 10 0, in the ring 10, data ok, object ok, contents kept
	END
fi
finish
