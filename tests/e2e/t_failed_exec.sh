#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# An execve that fails, thousands of times in all ways there are, leaves no descriptor open in the process nor in the domain (h_failed_exec.c).
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
need_farcall
need pgrep
program=$(helper e2e/h_failed_exec) || exit 77
static=$(helper e2e/h_static) || exit 77
export FC_ROUNDS=${FC_TEST_LONG:+1000}
FC_ROUNDS=${FC_ROUNDS:-400}

# descendants PID: its children and theirs
descendants()
{
	local child

	pgrep -P "$1" | while read -r child; do
		echo "$child"
		descendants "$child"
	done
}

# What the domain has open of our files.
held()
{
	local process

	for process in $far_pid $(descendants "$far_pid"); do
		readlink /proc/"$process"/fd/* 2>/dev/null
	done | grep -c failed-exec-
}

# one WHAT [ARGUMENT]: while it waits at its end the domain is looked at
one()
{
	local what=$1 said='' status to
	shift

	coproc run { exec timeout 100 "$FARCALL" run --domain "$far_domain" -- "$program" "$far" remote "$@" 2>"$TESTDIR/err"; }
	read -r said <&"${run[0]}"
	check "$what: it comes to its end" test "$said" = "done" || { head -n 20 "$TESTDIR/err"; return; }
	[[ ${FC_TEST_XEN:-} ]] || check "$what: the domain has nothing open" test "$(held)" = 0
	to=${run[1]}
	exec {to}>&-
	wait "$run_PID"
	status=$?
	check "$what: status $status" test $status = 0 || head -n 20 "$TESTDIR/err"
}

mkdir "$TESTDIR/native"
check "natively" timeout 100 "$program" "$TESTDIR/native" native </dev/null >/dev/null
far_begin
one "remotely"
FARCALL_STRICT=1 one "what FARCALL_STRICT refuses" "$static"
far_end
finish
