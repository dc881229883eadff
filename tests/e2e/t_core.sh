#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What a process leaves that crashes while its current directory is remote: no core dump, neither there nor
# anywhere else on this machine, whoever it is. What a program makes there that the shim cannot get into is nowhere, either.
# shellcheck disable=SC2016 # what others expand
. "$(dirname "$0")/../lib.sh"
need_farcall
static=$(helper e2e/h_static) || exit 77
# shellcheck disable=SC2034 # for the shells below
pattern=$(</proc/sys/kernel/core_pattern)

mkdir "$TESTDIR/far" "$TESTDIR/near"
chmod 777 "$TESTDIR" "$TESTDIR/far" "$TESTDIR/near"

# in_remote COMMAND...: with the directory remote, its parent a directory that cores would show in; then what is in the placeholder, and in that directory
in_remote()
{
	(cd "$TESTDIR/near" && remotely "$TESTDIR/far" /data timeout 20 "${as[@]}" bash -c 'ulimit -c unlimited; cd /data; "$@"; echo "status $?"; ls -A "$FARCALL_DIR/placeholder"; pwd' \
		bash "$@" 2>"$TESTDIR/err")
	ls -A "$TESTDIR/near"
}

whom=(nobody)
((EUID)) || whom=(root 12345)
for who in "${whom[@]}"; do
	as=()
	[[ $who == root || $who == nobody ]] || as=(setpriv --reuid "$who" --regid "$who" --clear-groups)
	if [[ $pattern != [/\|]* ]]; then
		for signal in SEGV ABRT; do
			check "$who: a shell that kills itself by $signal" test "$(in_remote bash -c "kill -$signal \$\$")" = "status $((128 + $(kill -l $signal)))
/data"
			check "$who: a descendant of a directory further down" test "$(in_remote bash -c "mkdir -p d; cd d; kill -$signal \$\$")" = "status $((128 + $(kill -l $signal)))
/data"
		done
		check "no core on the export" test -z "$(find "$TESTDIR/far" -type f)"
	fi
	check "$who: a file of a program without the shim" test "$(in_remote "$static" made)" = "status 3
/data"
	grep -q 'errno 2$\|errno 13$' "$TESTDIR/err" || wrong "$who: the static program: $(<"$TESTDIR/err")"
	check "$who: inherited by exec" test "$(in_remote bash -c "exec bash -c 'cd / && cd /data && exec $static made'")" = "status 3
/data"
	# the names of it, by links that the text of the path does not show
	check "$who: links to the directory" test "$(in_remote bash -c 'cd /data && ln -sfn /proc/self/cwd "$0" && echo text >"$0/f" && cat "$0/f" /data/f f && stat -Lc %i "$0" . | uniq | wc -l && ls "$0/" | grep f &&
		cat /proc/$$/cwd/f && readlink /proc/$$/cwd && rm "$0/f"' "$TESTDIR/near.link")" = "text
text
text
1
f
text
/data
status 0
/data"
	rm -f "$TESTDIR/near.link"
done
finish
