#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# callers.sh - in the lab's primary domain: for whom the module does what, and how much of it (h_caller.c), with a domain that is a process here
# (h_backend.c).
. "$FC_SOURCE/tests/xen/checks.sh"
caller=$FC_BUILD/tests/xen/h_caller
log=$LAB/backend

begin_backend() # MODE
{
	local i

	"$FC_BUILD/tests/xen/h_backend" evil "$1" >"$log" 2>&1 &
	backend=$!
	for ((i = 0; i < 100; i++)); do
		"$FARCALL" domain list | grep -q 'evil.* up ' && return
		sleep 0.1
	done
	fail "the domain does not come up"
	cat "$log"
	exit 1
}

end_backend()
{
	kill $backend
	wait $backend
	if counters_zero; then pass "nothing is left"; else fail "something is left"; fi
}

insmod "$FC_BUILD/kmod/farcall.ko" || { fail "the module does not load"; exit 1; }
begin_backend plain
"$caller" evil token vfork tree processes figures budgets change namespace limits || fail "h_caller"
for ((i = 0; i < 50; i++)); do
	grep -q '^attach 1004 nofile 1234 nproc 567$' "$log" && break
	sleep 0.1
done
if ((i < 50)); then pass "limits arrive"; else fail "limits do not arrive"; grep attach "$log" | tail -n 3; fi
end_backend

begin_backend silent
"$caller" evil requests || fail "h_caller"
end_backend
if rmmod farcall; then pass "the module unloads"; else fail "the module does not unload"; fi
if kernel_clean; then pass "the kernel log is clean"; else fail "the kernel log"; fi
