#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# t_run.sh - what `farcall run` does around its command: status, environment, cleaning up, several domains, programs on an
# export, statistics.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
need_farcall
export XDG_RUNTIME_DIR=$TESTDIR/run
mkdir -m 700 "$TESTDIR/run" "$TESTDIR/d" "$TESTDIR/e"
d=$TESTDIR/d e=$TESTDIR/e

status_of()
{
	"$@"
	echo $?
}

[[ $(status_of "$FARCALL" run -v "$d:/data" -- sh -c 'exit 7') == 7 ]] || wrong "status 7 is not passed on"
[[ $(status_of "$FARCALL" run -v "$d:/data" true) == 0 ]] || wrong "status 0 is not passed on"
python3 - "$FARCALL" "$d" <<'END' || wrong "farcall does not die of its command's signal"
import subprocess, sys
for signal in (15, 9, 1):
    run = subprocess.run([sys.argv[1], "run", "-v", sys.argv[2] + ":/data", "--", "sh", "-c", f"kill -{signal} $$"])
    if run.returncode != -signal:
        sys.exit(f"signal {signal}: {run.returncode}")
END

[[ $("$FARCALL" run -v "$d:/data" -- sh -c 'echo hello >/data/f; cat') == "" ]] || wrong "stdin or stdout is not passed on"
[[ $(cat "$d/f") == hello ]] || wrong "the file was not written"
[[ $(echo in | "$FARCALL" run -v "$d:/data" cat - /data/f) == $'in\nhello' ]] || wrong "a pipe into the command"
LD_PRELOAD=libm.so.6 "$FARCALL" run -v "$d:/data" sh -c 'case $LD_PRELOAD in */libfarcall.so:libm.so.6) ;; *) exit 1 ;; esac' ||
	wrong "LD_PRELOAD does not keep what was there"

# read-only; two exports; a private domain beside a shared one
"$FARCALL" run -v "$d:/data:ro" sh -c 'echo x >/data/g' 2>/dev/null && wrong "a read-only export was written"
"$FARCALL" run -v "$d:/data:ro" -v "$e:/other" cp /data/f /other/g || wrong "two exports"
cmp -s "$d/f" "$e/g" || wrong "the copy differs"
start_domain shared "$e:/shared"
"$FARCALL" run -v "$d:/data" --domain "$shared_socket" cp /data/f /shared/h || wrong "a private and a shared domain"
cmp -s "$d/f" "$e/h" || wrong "the copy differs"
"$FARCALL" run -v "$d:/shared" --domain "$shared_socket" true 2>"$TESTDIR/err"
(($? == 2)) || wrong "overlapping prefixes of two domains are accepted"

# a run that has only others' domains becomes its command, and the next finds its runtime directory as it was
run_shared()
{
	"$FARCALL" run --domain "$shared_socket" "$@"
}
standing=$(run_shared sh -c 'echo "$FARCALL_DIR"')
[[ $standing == "$XDG_RUNTIME_DIR"/farcall/.standing/* || $standing == /run/farcall/.standing/* ]] ||
	wrong "the runtime directory \"$standing\" does not stay"
written=$(stat -c '%i %z' "$standing/config")
"$FARCALL" run --domain "$shared_socket" sh -c 'echo $$; exec cat /shared/h' >"$TESTDIR/becomes" &
wait $!
[[ $(cat "$TESTDIR/becomes") == "$!"$'\n'hello ]] || wrong "a run with others' domains is not its command"
[[ $(stat -c '%i %z' "$standing/config") == "$written" ]] || wrong "the configuration was written again"
[[ $(status_of run_shared sh -c 'exit 7') == 7 ]] || wrong "status 7 with others' domains"
[[ $(status_of run_shared /nonexistent 2>/dev/null) == 127 ]] || wrong "no such command with others' domains"
[[ $(status_of run_shared "$d" 2>/dev/null) == 126 ]] || wrong "a directory as command with others' domains"
printf 'echo "$1 $0"' >"$TESTDIR/script"
chmod +x "$TESTDIR/script"
[[ $(run_shared "$TESTDIR/script" one) == "one $TESTDIR/script" ]] || wrong "a script without interpreter with others' domains"
stop_shared()
{
	kill "$shared_pid"
	wait "$shared_pid" 2>/dev/null
}
stop_shared
[[ $(status_of run_shared true 2>/dev/null) == 125 ]] || wrong "a domain that is gone"
start_domain shared "$d:/elsewhere"
[[ $(run_shared cat /elsewhere/f) == hello ]] || wrong "a domain that serves something else since"
mkdir "$TESTDIR/here"
stop_shared
start_domain shared "$e:$TESTDIR/here/mount"
[[ $(run_shared sh -c 'grep -c ^covers "$FARCALL_DIR/config"') == 0 ]] || wrong "a mount that hides nothing"
mkdir "$TESTDIR/here/mount"
[[ $(run_shared sh -c 'grep -c ^covers "$FARCALL_DIR/config"') == 1 ]] || wrong "a mount that hides something by now"
stop_shared
start_domain shared "$e:/shared"
run_shared cmp /shared/h "$e/h" || wrong "the domain of before"

# runtime directories whose domains are long gone go once a day
stale=${standing%/*}/stale-$$
begin_anew()
{
	mkdir -p "$stale" && touch -d '8 days ago' "$stale"
	stop_shared
	start_domain shared "$e:/shared"
	run_shared cmp /shared/h "$e/h" || wrong "a domain that has begun anew"
}
touch -d '2 days ago' "${standing%/*}/.swept"
begin_anew
[[ ! -e $stale ]] || wrong "a runtime directory stays for ever"
begin_anew
[[ -e $stale ]] || wrong "runtime directories are looked at each time"
rmdir "$stale"

# a program that is on an export
cp /bin/echo "$d/echo"
[[ $("$FARCALL" run -v "$d:/data" /data/echo from afar) == "from afar" ]] || wrong "a program on the export"

# a process that outlives the command has a second
"$FARCALL" run -v "$d:/data" bash -c 'echo late > >(sleep 0.3; cat >/data/late)' || wrong "status with a late process"
[[ $(cat "$d/late") == late ]] || wrong "a late process lost its output"

# statistics
"$FARCALL" stat --domain "$shared_socket" --json | python3 -c '
import json, sys
domain, = json.load(sys.stdin)
assert domain["total"]["calls"] > 0 and domain["attached"] > 0, domain' || wrong "stat --json"
"$FARCALL" stat --domain "$shared_socket" | grep -q '^ *total ' || wrong "stat prints no total"
"$FARCALL" run -v "$d:/data" sh -c 'exec 3>/data/f; sleep 2; :' &
wait_for 5 sh -c "$FARCALL stat --json | grep -q '\"command\":\"sh\"'" || wrong "stat does not find the private domain"
wait $!

# cleaning up, also after a kill
daemons()
{
	pgrep -f "farcall-storaged .*$d:/data" || :
}
wait_for 2 test -z "$(daemons)" || wrong "a private domain is left: $(daemons)"
runtime=$("$FARCALL" run -v "$d:/data" sh -c 'echo "$FARCALL_DIR"')
[[ $runtime && ! -e $runtime ]] || wrong "the runtime directory \"$runtime\" is left"
"$FARCALL" run -v "$d:/data" sh -c 'echo "$FARCALL_DIR" >/data/runtime; echo $$ >/data/pid; exec sleep 60' &
wait_for 5 test -s "$d/pid"
victim=$!
kill -KILL $victim
wait $victim 2>/dev/null
none_left()
{
	[[ -z $(daemons) ]] && ! kill -0 "$(cat "$d/pid")" 2>/dev/null
}
wait_for 3 none_left || wrong "after SIGKILL the domain or the command lives on"
"$FARCALL" run -v "$d:/data" true
[[ ! -e $(cat "$d/runtime") ]] || wrong "what a killed run left was not removed"

# root of a user namespace with one user in it, as in a container without root
ordinary=()
if ((EUID == 0)); then
	ordinary=(setpriv --reuid 1000 --regid 1000 --clear-groups)
	chmod 711 "$TESTDIR"
	mkdir "$TESTDIR/u"
	chown 1000:1000 "$TESTDIR/u"
fi
home=$([[ -d $TESTDIR/u ]] && echo "$TESTDIR/u" || echo "$d")
alone=(env HOME="$home" XDG_RUNTIME_DIR="$home" "${ordinary[@]}" unshare -r)
if "${alone[@]}" true 2>/dev/null; then
	check "in a user namespace with one user" \
		test "$("${alone[@]}" "$FARCALL" run -v "$home:/data" sh -c 'echo there >/data/f && cat /data/f')" = there
fi
finish
