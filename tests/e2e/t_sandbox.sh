#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Programs under seccomp: the same natively and remotely; and a client that may not ring costs next to nothing while it does nothing.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
need_farcall
need pgrep
program=$(helper e2e/h_sandbox) || exit 77

mkdir "$TESTDIR/native"
check "natively" timeout 60 "$program" "$TESTDIR/native" >"$TESTDIR/native.out"
far_begin
check "remotely" timeout -k 5 60 "$FARCALL" run --domain "$far_domain" -- "$program" "$far" >"$TESTDIR/far.out" 2>"$TESTDIR/far.err"

# with a Xen domain, but for what comes after a child that is made in a sandbox: it has no remote files
seen()
{
	if [[ ${FC_TEST_XEN:-} ]]; then sed '/^grandchild: /,$d' "$1"; else cat "$1"; fi
}
check "the same is seen" diff <(seen "$TESTDIR/native.out") <(seen "$TESTDIR/far.out")
check "nothing is said" test ! -s "$TESTDIR/far.err"
[[ ${FC_TEST_XEN:-} ]] || check "the same is left" same_tree "$TESTDIR/native" "$TESTDIR/far"
grep -q 'strict mode: exit 0' "$TESTDIR/native.out" || wrong "the native run is not what it should be"

# user and system time of the domain's processes, in clock ticks
ticks()
{
	local total=0 pid

	for pid in "$far_pid" $(pgrep -P "$far_pid") $(pgrep -P "$far_pid" | xargs -r -n 1 pgrep -P); do
		((total += $(sed 's/.*) //' "/proc/$pid/stat" 2>/dev/null | cut -d' ' -f12,13 | tr ' ' +)))
	done
	echo $total
}

if [[ ! ${FC_TEST_XEN:-} ]]; then
	mkfifo "$TESTDIR/end"
	"$FARCALL" run --domain "$far_domain" -- "$program" "$far" idle <"$TESTDIR/end" >"$TESTDIR/ready" &
	idle=$!
	started+=("$idle")
	exec 9>"$TESTDIR/end"
	wait_for 10 grep -q ready "$TESTDIR/ready"
	sleep 1
	before=$(ticks)
	sleep 2
	used=$(($(ticks) - before))
	note "a mute client that does nothing: $used ticks of 10 ms in 2 s"
	check "a domain with a mute client is nearly idle" test $used -le 6
	exec 9>&-
	wait $idle
	check "it goes on" test $? = 0

	rm "$TESTDIR/ready"
	timeout -k 1 20 "$FARCALL" run --domain "$far_domain" -- "$program" "$far" idle <"$TESTDIR/end" >"$TESTDIR/ready" 2>/dev/null &
	idle=$!
	started+=("$idle")
	exec 9>"$TESTDIR/end"
	wait_for 10 grep -q ready "$TESTDIR/ready"
	{ kill -KILL "$far_pid" && wait "$far_pid"; } 2>/dev/null
	exec 9>&-
	wait $idle
	status=$?
	check "in strict mode it learns of its domain's death (status $status)" test $status = 1
fi

far_end
finish
