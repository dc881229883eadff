# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# in_lab.sh - what the tests in the lab share, besides tests/lib.sh: they build the module and the domain's image, and run scripts there with in_lab.
need_farcall
((EUID == 0)) || skip "the lab takes root"
[[ -x $FC_BUILD/farcall-storaged ]] || skip "not a build tree"
"$FC_BUILD/farcall-storaged" --xen -v /:/x 2>&1 | grep -q 'without Xen' && skip "built without the Xen libraries"

lab=$FC_SOURCE/tests/xen/lab.sh
"$lab" --fetch || { wrong "the lab cannot be fetched"; finish; }
root=${FC_LAB_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/farcall-lab}/root

sparse=$(command -v sparse)
make -s -C "$FC_BUILD" kmod C="${sparse:+1}" >"$TESTDIR/kmod.out" 2>&1
check "the module builds" test -e "$FC_BUILD/kmod/farcall.ko"
check "without warnings" test -z "$(grep -i 'warning\|error:' "$TESTDIR/kmod.out")" || cat "$TESTDIR/kmod.out"
check "the domain's image" make -s -C "$FC_BUILD" domain-image DOMAIN_ROOT="$root"

lab_options=() # more for lab.sh
labs=0

# One machine for all of these scripts.
in_lab() # SECONDS SCRIPT [ARGUMENT...] [-- SCRIPT [ARGUMENT...]]...
{
	local seconds=$1 results word first=1
	shift

	results=$TESTDIR/lab$((++labs))
	mkdir -p "$results"
	"$lab" "${lab_options[@]}" --build "$FC_BUILD" --results "$results" --timeout "$seconds" "$FC_SOURCE/tests/xen/batch.sh" "$@" \
		>"$results.out" 2>&1
	check "the lab ends" test $? = 0 || tail -n 20 "$results.out"
	for word in "$@"; do
		[[ ! $first ]] || in_lab_result "$results" "$word"
		first=$([[ $word != -- ]] || echo 1)
	done
}

in_lab_result() # RESULTS SCRIPT
{
	local status='' took='' log=$1/$2.out

	[[ ! -e $1/$2.end ]] || read -r status took <"$1/$2.end"
	note "$2: ${took:-?} s"
	check "$2 ends" test "$status" = 0
	check "$2 has results" grep -qs '^PASS xen' "$log"
	[[ -e $log ]] || return
	grep '^PASS xen' "$log" | sed 's/^PASS/# passed/'
	if [[ $status != 0 ]] || grep -q '^FAIL xen' "$log"; then
		wrong "$2"
		cat "$log"
		tail -n 5 "$1"/*guest-*.log
	fi
}
