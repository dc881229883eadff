#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# t_usage.sh - the farcall command's words: help and version everywhere, wrong usage is one line and exit 2, missing things are
# one line that says what to do.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
need_farcall

out=$TESTDIR/out err=$TESTDIR/err

# try STATUS LINES-ON-STDERR ARGUMENT...
try()
{
	local want=$1 lines=$2 status
	shift 2

	timeout 20 "$FARCALL" "$@" >"$out" 2>"$err" </dev/null
	status=$?
	((status == want)) || wrong "farcall $*: status $status, expected $want: $(head -n 3 "$err")"
	(($(wc -l <"$err") == lines)) || wrong "farcall $*: expected $lines line(s) on stderr: $(head -n 5 "$err")"
}

# says TEXT: the last try's line has it
says()
{
	grep -q -- "$1" "$err" || wrong "no \"$1\" in: $(cat "$err")"
}

for command in "" run serve stat config trace; do
	# shellcheck disable=SC2086 # "" is no argument
	try 0 0 $command --help
	grep -q '^Usage: farcall' "$out" || wrong "farcall $command --help prints no usage"
	# shellcheck disable=SC2086
	try 0 0 $command --version
	grep -q '^farcall [0-9.]* (ABI [0-9.]*)$' "$out" || wrong "farcall $command --version: $(cat "$out")"
done

mkdir "$TESTDIR/d"
d=$TESTDIR/d
try 2 1
try 2 1 nonsense
try 2 1 --nonsense
try 2 1 run
try 2 1 run -v "$d:/data"
try 2 1 run true
try 2 1 run -x
says "unknown option -x"
try 2 1 run --nonsense
says "unknown option --nonsense"
try 2 1 run -v
says "needs an argument"
try 2 1 run -v "$d" true
try 2 1 run -v "$d:data" true
try 2 1 run -v "$d:/" true
try 2 1 run -v "$d:/a/../b" true
try 2 1 run -v "$d:/a" -v "$d:/a" true
says "the same prefix"
try 2 1 run -v "$d"$'\n'":/a" true
try 2 1 serve
try 2 1 serve -v "$d:/data"
try 2 1 serve --socket "$TESTDIR/s"
try 2 1 serve -v "$d:/data" --socket "$TESTDIR/s" extra
try 2 1 serve -v "$d:/data" --socket "$TESTDIR/s" --mode 9
try 2 1 stat --nonsense
try 2 1 stat extra
try 2 1 stat --watch=x
try 2 1 config "$d"
try 2 1 config --domain "$TESTDIR/s"
try 2 1 config --domain "$TESTDIR/s" relative
try 2 1 trace -- true

try 125 1 run -v "$TESTDIR/missing:/data" true
says "make the directory first"
try 125 1 run -v "$out:/data" true
says "is not a directory"
try 125 1 run --domain "$TESTDIR/missing.sock" true
says "farcall serve"
try 1 1 stat --domain "$TESTDIR/missing.sock"

# a socket whose domain is dead
start_domain dead "$d:/data"
kill -KILL "$dead_pid"
wait "$dead_pid" 2>/dev/null
[[ -S $dead_socket ]] || wrong "the dead domain's socket is gone"
try 125 1 run --domain "$dead_socket" true
says "start it again"

try 127 1 run -v "$d:/data" -- /nonexistent/program
try 127 1 run -v "$d:/data" -- no-such-program-anywhere
try 126 1 run -v "$d:/data" -- "$out"
try 126 1 run -v "$d:/data" -- "$d"
cp /bin/true "$TESTDIR/setuid" && chmod 4755 "$TESTDIR/setuid"
try 2 1 run -v "$d:/data" -- "$TESTDIR/setuid"
says setuid
chmod 2755 "$TESTDIR/setuid"
try 2 1 run -v "$d:/data" -- "$TESTDIR/setuid"
printf '#!%s\n' "$TESTDIR/static" >"$TESTDIR/script" && chmod +x "$TESTDIR/script"
if echo 'int main(void) { return 0; }' | gcc -static -x c - -o "$TESTDIR/static" 2>/dev/null; then
	try 2 1 run -v "$d:/data" -- "$TESTDIR/static"
	says "statically linked"
	try 2 1 run -v "$d:/data" -- "$TESTDIR/script"
	says "statically linked"
else
	note "no static libc: static programs were not tried"
fi
finish
