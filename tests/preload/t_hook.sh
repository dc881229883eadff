#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# t_hook.sh - the bare hook (h_count.c: it counts and forwards) under programs of all kinds: they must see what they see without
# it, and none of libc's storage calls may go past it.
set -u
here=$FC_SOURCE/tests/preload
bin=$FC_BUILD/tests/preload
shim=$bin/libhook_count.so
work=$(mktemp -d /tmp/farcall-hook.XXXXXX) || exit 1
trap 'rm -rf "$work"' EXIT
failed=0

complain() {
	echo "t_hook: $*" >&2
	failed=1
}

# hooked COMMAND...: run it under the hook
hooked() {
	FC_TEST_SITES=$work/sites LD_PRELOAD=$shim "$@"
}

# same NAME COMMAND...: the same output and status natively, hooked, and hooked with FARCALL_CHECK
same() {
	name=$1
	shift
	"$@" >"$work/native" 2>&1 </dev/null
	echo "status $?" >>"$work/native"
	hooked "$@" >"$work/hooked" 2>&1 </dev/null
	echo "status $?" >>"$work/hooked"
	FARCALL_CHECK=1 hooked "$@" >"$work/checked" 2>&1 </dev/null
	echo "status $?" >>"$work/checked"
	cmp -s "$work/native" "$work/hooked" || { complain "$name differs"; diff "$work/native" "$work/hooked" | head -20 >&2; }
	cmp -s "$work/native" "$work/checked" ||
		{ complain "$name differs with FARCALL_CHECK"; diff "$work/native" "$work/checked" | head -20 >&2; }
}

libc=$(ldd "$bin/h_wide" | awk '/libc\.so/ { print $3 }')
loader=$(ldd "$bin/h_wide" | awk '/ld-linux/ { print $1 }')
umask 022
"$bin/h_sites" "$work/sites" "$libc" "$loader" || exit 1

# ---- programs ----
same "children, cancellation, registers" "$bin/h_hook"
same "signals" "$bin/h_signals"
same "dash" sh -c 'echo a | cat; (exit 3); echo $?; x=$(echo sub); echo $x; trap "echo trapped" USR1; kill -USR1 $$; exit 4'
same "the loader as a command" "$loader" /bin/echo echo
same "find" find "$FC_SOURCE/include" "$FC_SOURCE/common" -type f -newer /etc/passwd
same "ls" ls -lRa "$FC_SOURCE/common"
command -v bash >/dev/null && same "bash" bash -c '
	for i in 1 2 3; do (echo $i | tr 1 x); done | sort -r; cat <(echo fifo); read -t 1 a <<<here; echo $a
	sleep 0.1 & wait $!; echo $?; set -o pipefail; false | true; echo $?; exec 7<>/dev/null; echo x >&7; kill -TERM $$'
command -v python3 >/dev/null && same "python" python3 -c '
import os, subprocess, threading, tempfile, multiprocessing, signal, ctypes
print(subprocess.run(["sh", "-c", "cat; exit 5"], input=b"in", capture_output=True))
print(subprocess.run("echo $0; kill -9 $$", shell=True, stdout=subprocess.PIPE))
print(os.popen("echo popen").read(), os.system("exit 3"))
t = [threading.Thread(target=lambda: open("/etc/passwd").read()) for _ in range(8)]
[x.start() for x in t]; [x.join() for x in t]
with multiprocessing.Pool(2) as p: print(p.map(abs, [-1, -2]))
with tempfile.TemporaryDirectory() as d:
    open(d + "/f", "w").write("x" * 100000); print(os.stat(d + "/f").st_size, os.listdir(d))
print(ctypes.CDLL(None).getppid() == os.getppid())
try: os.execv("/nonexistent", ["x"])
except OSError as e: print(e)'
if command -v gcc >/dev/null; then
	printf '#include <stdio.h>\nint main(void) { return puts("built") < 0; }\n' >"$work/x.c"
	same "gcc" sh -c "gcc -O2 -o $work/x $work/x.c && $work/x"
fi

# ---- nothing goes past the hook ----
wide() {
	rm -rf "$work/dir"
	mkdir "$work/dir"
	"$@" "$bin/h_wide" "$work/dir"
}

if strace -f -i -o "$work/trace" true 2>/dev/null; then
	sed -n -e 's/^\(SYSCALL\|LEGACY\|TRANSLATED\)(\([a-z0-9_]*\).*/\2/p' \
		-e 's/^LOCAL([0-9]*, \([a-z0-9_]*\), \(HOOKED\|SPECIAL\).*/\1/p' \
		"$FC_SOURCE/include/farcall/syscalls.def" "$FC_SOURCE/include/farcall/local.def" >"$work/names"
	wide env FC_TEST_COUNTS="$work/counts" FC_TEST_SITES="$work/sites" \
		strace -f -i -E LD_PRELOAD="$shim" -o "$work/trace" || complain "h_wide failed"
	awk -v least=400 -f "$here/bypass.awk" "$work/names" "$work/counts" "$work/trace" >"$work/report" || complain "calls went past the hook:"
	cat "$work/report"
else
	echo "t_hook: skipping the comparison with strace, which cannot trace here" >&2
	[ $failed = 0 ] && failed=77
fi

# ---- what does go past it is reported ----
"$bin/h_unhooked" >"$work/native" </dev/null
FC_TEST_REMOTE_FD=5 hooked "$bin/h_unhooked" >"$work/hooked" </dev/null
FC_TEST_REMOTE_FD=5 FARCALL_CHECK=1 hooked "$bin/h_unhooked" >"$work/checked" 2>"$work/messages" </dev/null
grep -v '^[0-9]\{9,\}' "$work/native" >"$work/n" # but for the address of the mapping
for run in hooked checked; do
	grep -v '^[0-9]\{9,\}' "$work/$run" | cmp -s - "$work/n" || complain "un-hooked calls have other results ($run)"
done
for call in openat open read renameat mmap dup2 execve mount close_range pread64; do
	[ "$(grep -c "^farcall: check: un-hooked $call(...) at .*/h_unhooked+0x[0-9a-f]*\$" "$work/messages")" = 1 ] ||
		complain "un-hooked $call is not reported once"
done
[ "$(wc -l <"$work/messages")" = 10 ] || { complain "other reports:"; cat "$work/messages" >&2; }

# ---- text that is mapped with its sites rewritten already ----
# mapped WHAT PATTERN COMMAND...: what the command prints of its mappings matches or, with a ! in front, does not
mapped() {
	what=$1 pattern=$2
	shift 2
	"$@" cat /proc/self/maps >"$work/maps" 2>"$work/messages" || complain "$what: it fails"
	case $pattern in
	!*) grep -q "r-xp .*${pattern#!}" "$work/maps" && complain "$what: it is mapped" ;;
	*) grep -q "r-xp .*$pattern" "$work/maps" || complain "$what: it is not mapped" ;;
	esac
	[ -s "$work/messages" ] && { complain "$what: it says something"; cat "$work/messages" >&2; }
}

ready=0
for file in "$work"/sites/*.ready; do
	ready=$((ready + 1))
	[ "$(wc -c <"$file")" -gt 1000000 ] && libc_ready=${file##*/}
	name=${file##*/}
	mapped "as it is" "/sites/$name" hooked
	cp -a "$work/sites" "$work/bad"
	chmod 666 "$work/bad/$name"
	mapped "one that others can write" "!$name" env FC_TEST_SITES="$work/bad" LD_PRELOAD="$shim"
	chmod 644 "$work/bad/$name"
	truncate -s -1 "$work/bad/$name"
	mapped "one cut short" "!$name" env FC_TEST_SITES="$work/bad" LD_PRELOAD="$shim"
	cp -a "$file" "$work/bad/"
	printf x | dd of="$work/bad/$name" bs=1 seek=$(($(wc -c <"$file") - 4096 + 8)) conv=notrunc status=none
	mapped "one of another table" "!$name" env FC_TEST_SITES="$work/bad" LD_PRELOAD="$shim"
	cp -a "$file" "$work/bad/"
	printf xyz | dd of="$work/bad/$name" bs=1 seek=$(($(wc -c <"$file") - 4096 + 12)) conv=notrunc status=none
	mapped "one for another list of calls" "!$name" env FC_TEST_SITES="$work/bad" LD_PRELOAD="$shim"
	rm -rf "$work/bad"
done
mapped "a text that somebody has changed" "!$libc_ready" \
	env FC_TEST_SITES="$work/sites" LD_PRELOAD="$shim:$bin/libhook_touch.so"
[ $ready = 1 ] || complain "not libc alone is there with its sites rewritten"

# and without it: each process rewrites them
mv "$work"/sites/*.ready "$work"
same "children, cancellation, registers, rewritten in place" "$bin/h_hook"
same "signals, rewritten in place" "$bin/h_signals"
same "dash, rewritten in place" sh -c 'echo a | cat; (exit 3); echo $?; x=$(echo sub); echo $x; exit 4'

# ---- tables that must not be used ----
refused() {
	what=$1
	shift
	if "$@" /bin/true 2>"$work/messages"; then complain "$what: no error"; fi
	[ "$(wc -l <"$work/messages")" = 1 ] || { complain "$what: not one line"; cat "$work/messages" >&2; }
}

refused "no tables" env FC_TEST_SITES=/nonexistent LD_PRELOAD="$shim"
for table in "$work"/sites/*.sites; do
	cp -a "$work/sites" "$work/bad"
	chmod 666 "$work/bad/${table##*/}"
	refused "table others can write" env FC_TEST_SITES="$work/bad" LD_PRELOAD="$shim"
	chmod 644 "$work/bad/${table##*/}"
	truncate -s -1 "$work/bad/${table##*/}"
	refused "table cut short" env FC_TEST_SITES="$work/bad" LD_PRELOAD="$shim"
	cp "$table" "$work/bad/"
	printf xyz | dd of="$work/bad/${table##*/}" bs=1 seek=24 conv=notrunc status=none
	rm -f "$work"/bad/*.ready
	refused "table for another list of calls" env FC_TEST_SITES="$work/bad" LD_PRELOAD="$shim"
	# other code than the loaded: a byte of every site
	cp "$table" "$work/bad/"
	for i in $(seq 0 $(($(wc -c <"$table") / 56 - 2))); do
		printf '\314' | dd of="$work/bad/${table##*/}" bs=1 seek=$((64 + i * 56 + 17)) conv=notrunc status=none
	done
	refused "table of other code" env FC_TEST_SITES="$work/bad" LD_PRELOAD="$shim"
	rm -rf "$work/bad"
done

exit $failed
