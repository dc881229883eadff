#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# hostile.sh [SECONDS [MODE...]] - in the lab's primary domain: storage domains that are hostile (h_backend.c) in one way after the other, abused by an
# ordinary user at that (h_fuzz.c), while an honest user works with an honest domain. The honest one is not disturbed, the kernel's
# log stays clean, and once the hostile one is gone nothing of it is left.
. "$FC_SOURCE/tests/xen/checks.sh"
backend=$FC_BUILD/tests/xen/h_backend
aside_max=2500 # pages, and what clients may have had (half of all grants)

# What the module must think of it in the end: up (it has done nothing wrong, or nothing that is the module's business), dead, or either.
declare -A verdict=([plain]=up [mute]=starting [silent]=dead [keeps]=any [refuses]=dead [fails]=up [id]=dead [type]=dead [status]=dead
	[twice]=dead [beyond]=dead [unwritten]=dead [text]=up [hoards]=up [reverse]=up [late]=up [rings]=up [kills]=up [areas]=up [shared]=any
	[states]=up [ends]=dead [down]=dead [nodes]=any [leaves]=any)

state_of() { "$FARCALL" domain list | awk -v name="$1" '$1 == name { print $3 }'; }

honest() # Works once; returns whether that went well.
{
	timeout 60 setpriv --reuid 1000 --regid 1000 --clear-groups env HOME=/run XDG_RUNTIME_DIR=/run/honest "$FARCALL" run --domain one -- \
		sh -c 'seq 1 3000 >/far/honest/f && test "$(cksum </far/honest/f)" = "$(seq 1 3000 | cksum)"'
}

remove_nodes()
{
	local n
	for n in $(xenstore-list /local/domain/0/device/farcall); do
		((n < 50000)) || xenstore-rm "/local/domain/0/device/farcall/$n"
	done
	xenstore-rm /local/domain/0/backend/farcall 2>/dev/null
}

one_mode() # MODE
{
	local mode=$1 log=$LAB/hostile-$1 pid fuzzer bad=0 state worst=0 n i

	: >"$log" # which two write to
	"$backend" evil "$mode" >>"$log" 2>&1 &
	pid=$!
	for ((i = 0; i < 100; i++)); do
		grep -q connected "$log" && break
		sleep 0.1
	done
	((i < 100)) || { fail "$mode: the back end does not connect"; cat "$log"; bad=1; }
	setpriv --reuid 1001 --regid 1001 --clear-groups "$FC_BUILD/tests/xen/h_fuzz" "$seconds" $RANDOM evil >>"$log" 2>&1 &
	fuzzer=$!
	honest || { fail "$mode: the honest user is disturbed"; bad=1; }
	while kill -0 $fuzzer 2>/dev/null; do
		n=$(counter set_aside)
		((n <= worst)) || worst=$n
		sleep 0.2
	done
	# a hang is seen when it is used for longer than the module's patience, which is short here
	for ((i = 0; i < 50; i++)); do
		state=$(state_of evil)
		[[ $state == "${verdict[$mode]}" || ${verdict[$mode]} == any ]] && break
		sleep 0.1
	done
	((i < 50)) || { fail "$mode: it is '$state', not '${verdict[$mode]}'"; bad=1; }
	((worst <= aside_max + 16384)) || { fail "$mode: $worst pages were set aside"; bad=1; }
	wait $fuzzer || { fail "$mode: the fuzzer"; bad=1; }
	kill "$((RANDOM % 2 ? 9 : 15))" $pid 2>/dev/null || kill -9 $pid 2>/dev/null
	wait $pid 2>/dev/null
	remove_nodes
	if ! counters_become 'n["domains"] == 1 && n["sessions"] + n["set_aside"] + n["requests"] == 0 && n["pages"] <= 81 && n["grants"] <= 81'; then
		fail "$mode: something is left"
		bad=1
	fi
	kernel_clean || { fail "$mode: the kernel log"; dmesg | tail -n 30; bad=1; }
	((bad)) || pass "$mode: $state, $worst pages set aside at most, $(tail -n 1 "$log")"
	dmesg >"$LAB/dmesg-so-far"
}

begin_with_one
echo 1500 >/sys/module/farcall/parameters/answer_ms
echo 500 >/sys/module/farcall/parameters/heartbeat_ms
echo $aside_max >/sys/module/farcall/parameters/aside_max
mkdir -p /run/honest && chown 1000:1000 /run/honest
"$FARCALL" run --domain one -- sh -c 'mkdir -p /far/honest && chmod 777 /far/honest'
seconds=${1:-6}
shift
if ((!$#)); then
	mapfile -t modes < <("$backend")
	set -- "${modes[@]}"
fi
for mode; do
	one_mode "$mode"
done
cat /sys/kernel/debug/farcall/counters
end
