#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# xen.sh - in the Xen lab's primary domain: what it costs to wait for the storage domain, in four ways. An event channel for every
# request; pure spinning; adaptive spinning with event channels to fall back on (the default); and Xen's own split driver, the same kind of
# RAM disk behind a blkback in the storage domain. And what it costs not to wait: files that are delegated. One run, rounds interleaved, medians. See docs/benchmarks-xen.md.
#
#   tests/xen/lab.sh --results DIR bench/xen.sh [ROUNDS]      leaves DIR/xen.csv
. "$FC_SOURCE/tests/xen/checks.sh"
rounds=${1:-5}
cases=(-o fcntl -o fstat -o pread:4096 -o pread:65536 -o pwrite:4096 -o pwrite:512)

insmod "$FC_BUILD/kmod/farcall.ko" || exit 1
load xen-blkfront
for policy in adaptive always never; do
	DOMU_OPTIONS="farcall.disk=ram farcall.options=--spin,$policy" start_domu $policy /$policy:nocache:sync 64 && "$FARCALL" domain attach $policy || exit 1
done
# with more room than the RAM disk has, or nothing is posted
start_domu delegated /delegated && "$FARCALL" domain attach delegated || exit 1

# Xen's split driver: a second RAM disk of the domain `adaptive`, which its blkback offers to the primary domain's blkfront. The nodes are
# those that `xl block-attach` makes (which would want xl in the storage domain, too).
split_driver()
{
	local id back front=/local/domain/0/device/vbd/51744 i
	id=$(xl domid adaptive)
	back=/local/domain/$id/backend/vbd/0/51744
	xenstore-write "$front" "" "$back" ""
	xenstore-chmod "$back" "n$id" r0
	xenstore-chmod "$front" n0 "r$id"
	xenstore-write "$front/backend" "$back" "$front/backend-id" "$id" "$front/virtual-device" 51744 "$front/device-type" disk "$front/state" 1 \
		"$back/frontend" "$front" "$back/frontend-id" 0 "$back/online" 1 "$back/removable" 0 "$back/bootable" 0 "$back/mode" w \
		"$back/device-type" disk "$back/type" phy "$back/dev" xvdc "$back/params" /dev/ram1 "$back/physical-device" 1:1 "$back/hotplug-status" connected \
		"$back/state" 1
	for ((i = 0; i < 100; i++)); do [[ -b /dev/xvdc ]] && return; sleep 0.1; done
	say "no /dev/xvdc: $(xenstore-read "$front/state") $(xenstore-read "$back/state")"
	return 1
}

measure() # WHERE COMMAND...: NAME,SIZE,NS per line
{
	local where=$1
	shift
	"$@" "$FC_BUILD/bench/bench_calls" -t 20000 -r 5 "${cases[@]}" "$where"
}

# ns per O_DIRECT read of SIZE, by dd's own clock (with its write to /dev/null)
direct() # FILE SIZE COMMAND...
{
	local file=$1 size=$2 count=250
	shift 2
	"$@" dd if="$file" of=/dev/null bs="$size" count=$count iflag=direct 2>&1 |
		awk -v count=$count '/copied/ { sub(/.*copied, /, ""); printf "%.0f", $1 * 1e9 / count }'
}

policy_run() { FARCALL_SPIN=$1 "$FARCALL" run --domain "$1" -- "${@:2}"; }

split=
split_driver && split=1
[[ $split ]] && dd if=/dev/urandom of=/dev/xvdc bs=1M count=16 oflag=direct status=none
for policy in adaptive always never; do
	policy_run $policy dd if=/dev/urandom of=/$policy/direct bs=1M count=16 oflag=direct status=none
done
mkdir -p /run/native && mount -t tmpfs tmpfs /run/native
for ((round = 1; round <= rounds; round++)); do
	say "round $round of $rounds"
	measure /run/native | sed 's/^/native,/'
	for policy in adaptive always never; do
		measure /$policy env FARCALL_SPIN=$policy "$FARCALL" run --domain $policy -- | sed "s/^/$policy,/"
		for size in 512 4096 65536; do
			echo "$policy,direct-pread,$size,$(direct /$policy/direct $size policy_run $policy),0"
		done
	done
	measure /delegated "$FARCALL" run --domain delegated -- | sed 's/^/delegated,/'
	if [[ $split ]]; then
		for size in 512 4096 65536; do
			echo "blkfront,direct-pread,$size,$(direct /dev/xvdc $size),0"
		done
	fi
done >"$LAB/xen.raw"
grep -E '^[a-z]+,[a-z-]+,[0-9]+,[0-9.]+' "$LAB/xen.raw" | sort -t, -k2,2 -k3,3n -k1,1 -k4,4n | awk -F, '
	function flush() { if (n) { printf "%s,%s,%s,%.0f\n", who, what, size, v[int((n + 1) / 2)] } n = 0 }
	$1 "," $2 "," $3 != key { flush(); key = $1 "," $2 "," $3; who = $1; what = $2; size = $3 }
	{ v[++n] = $4 }
	END { flush() }' >"$LAB/xen.csv"
awk -F, '
	{ ns[$2 "," $3, $1] = $4; if (!($2 "," $3 in seen)) { seen[$2 "," $3] = 1; order[++k] = $2 "," $3 } }
	END {
		printf "%-20s %12s %12s %12s %12s %12s %12s   %s\n", "ns per call", "native", "delegated", "adaptive", "spinning", "events", "blkfront", "events/adaptive"
		for (i = 1; i <= k; i++) {
			c = order[i]
			printf "%-20s %12s %12s %12s %12s %12s %12s   %.1f\n", c, ns[c, "native"], ns[c, "delegated"], ns[c, "adaptive"], ns[c, "always"], ns[c, "never"],
				ns[c, "blkfront"], ns[c, "adaptive"] ? ns[c, "never"] / ns[c, "adaptive"] : 0
		}
	}' "$LAB/xen.csv"
[[ $split ]] || fail "the split driver could not be set up"
for domain in adaptive always never delegated; do "$FARCALL" domain detach $domain; done
pass "measured"
