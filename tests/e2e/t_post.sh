#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Writes that nobody waits for: others see them in time (h_post.c). That they outlive who has made them: t_killed.sh.
. "$(dirname "$0")/../lib.sh"
need_farcall
need jq python3
[[ ! ${FC_TEST_XEN:-} ]] || exit 77 # whoever looks is not there
h=$(helper e2e/h_post) || exit 77
counted() { "$FARCALL" stat --json --domain "$far_domain" | jq "[.[].total$1] | add"; } # of all sessions that have been
logged() { printf 'import os\nf = os.open("%s", os.O_RDWR | os.O_CREAT | os.O_TRUNC)\nfor i in range(20000): os.write(f, b"x" * 50)\n' "$far/log"; }
# read so often that it is delegated, then written to and read, where it has just been written and elsewhere
changed() { printf 'import os
f = os.open("%s", os.O_RDWR | os.O_CREAT | os.O_TRUNC)
os.write(f, bytes(1 << 20))
for i in range(200): os.pread(f, 4096, i * 4096)
for i in range(4000):
    at, text = i * 7919 %% 1024 * 1024, b"%%8d" %% i
    os.pwrite(f, text, at + 500)
    if i %% 3 == 0: assert os.pread(f, 1024, at)[500:508] == text
    if i > 2000 and i %% 5 == 0: assert int(os.pread(f, 508, (i - 700) * 7919 %% 1024 * 1024)[500:]) == i - 700' "$far/changed"; }
mkfifo "$TESTDIR/ask" "$TESTDIR/answer"

# observed WHAT FLAG THERE COMMAND...: he looks whenever he hears of it; FLAG, for him THERE, is a file by which he may
observed()
{
	local what=$1 flag=$2 there=$3 observer
	shift 3

	"$h" observe "$TESTDIR/far" "$there" <"$TESTDIR/ask" >"$TESTDIR/answer" &
	observer=$!
	check "$what" "$@" timeout -k 5 100 "$h" write "$far" $observer "$flag" >"$TESTDIR/ask" <"$TESTDIR/answer"
	wait $observer
}
# set_id UID FLUSH HOW: what is left of the set-id bits that a file gets while its writer, that user, posts; done by who looks now and then, or by who ends a lease
set_id()
{
	local d=$TESTDIR/set_id as=(setpriv --reuid "$1" --regid "$1" --clear-groups)

	rm -rf "$d" && mkdir -m 777 "$d"
	rm -f "$TESTDIR/far/bits"
	"${run[@]}" "${as[@]}" /usr/bin/python3 -c 'import os, sys, time
f = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT, 0o755)
for i in range(300): os.write(f, b"x" * 64)
os.fstat(f)
open(sys.argv[2] + "/ready", "w").close()
while not os.path.exists(sys.argv[2] + "/go"): time.sleep(0.01)
for i in range(50): os.write(f, b"y" * 64) if sys.argv[3] == "behind" else os.pwrite(f, b"y" * 64, i * 64)
time.sleep(1)' "$where/bits" "$d" "$3" &
	wait_for 20 test -e "$d/ready"
	chmod 6755 "$TESTDIR/far/bits"
	touch "$d/go"
	sleep 0.4
	[[ ! $2 ]] || exec 7>>"$TESTDIR/far/bits" 7>&-
	stat -c %a "$TESTDIR/far/bits"
	wait $!
}

as_told() # what others see
{
	observed "others see it when they hear of it" "$TESTDIR/flag" "$TESTDIR/flag" far
	mkdir -p "$TESTDIR/other"
	start_domain other "$TESTDIR/other:/other"
	# shellcheck disable=SC2154 # start_domain sets it
	observed "others hear of it by another domain" /other/flag "$TESTDIR/other/flag" "$FARCALL" run --domain "$far_domain" --domain "$other_socket" --
	stop_domain other
}

in_order() # with handlers, and that they are posted at all
{
	while sleep 0.01; do : <"$TESTDIR/far/posted"; done 2>/dev/null &
	opener=$!
	check "a handler's call comes after what is posted, and comes" far timeout -k 1 40 "$h" signals "$far" 8000
	kill $opener
	before=$(counted .bytes_written)
	posts=$(counted .posts)
	check "a log is written" far timeout 60 python3 -c "$(logged)"
	check "most of its writes were posted" test $(($(counted .posts) - posts)) -gt 15000
	check "each byte was counted once" test $(($(counted .bytes_written) - before)) = 1000000
	check "its file was delegated" test "$(counted .leases)" -gt 0
	posts=$(counted .posts)
	check "what was read is written, and read" far timeout 60 python3 -c "$(changed)"
	check "these writes were posted" test $(($(counted .posts) - posts)) -gt 3000
}

set_ids()
{
	((!EUID)) && [[ -x /usr/bin/python3 ]] && chmod 755 "$TESTDIR" "$TESTDIR/far" && chmod 777 "$TESTDIR/far" || return
	for uid in 0 1000; do
		for case in "behind" "behind yes" "within"; do # what is there; with somebody who opens it
			read -r how flush <<<"$case"
			run=() where=$TESTDIR/far
			native=$(set_id $uid "$flush" "$how")
			check "set-id bits natively" test -n "$native"
			run=(far) where=$far
			check "set-id bits of user $uid, written to $how${flush:+, at the end of a lease}" \
				test "$(set_id $uid "$flush" "$how")" = "$native"
			echo "$uid $case: $native"
		done
	done
}

for far_options in "" :nomap; do
	note "export options: ${far_options:-none}"
	far_begin
	as_told
	in_order
	set_ids
	far_end
done
finish
