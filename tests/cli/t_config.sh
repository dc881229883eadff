#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# t_config.sh - what `farcall config` writes, and that programs which start while it is written again find all of the old or all of the new.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
need_farcall
unset FARCALL_DIR

mkdir "$TESTDIR/a" "$TESTDIR/b" "$TESTDIR/with space"
start_domain one "$TESTDIR/a:/one"
start_domain two "$TESTDIR/b:/two"
runtime=$TESTDIR/runtime
# the shim is named by a link then, which is replaced, too
shim=${FARCALL_SHIM:-$FC_BUILD/libfarcall.so}
ln "$shim" "$TESTDIR/with space/libfarcall.so" 2>/dev/null || cp "$shim" "$TESTDIR/with space/"
export FARCALL_SHIM=$TESTDIR/with\ space/libfarcall.so

"$FARCALL" config --domain "$one_socket" "$runtime" || wrong "farcall config"
check "the domain and what it serves" grep -qx -e "domain $one_socket" -e "mount 0 rw /one" "$runtime/config"
check "the shim" grep -qx "preload $runtime/libfarcall.so" "$runtime/config"
check "the link to it" test "$(readlink "$runtime/libfarcall.so")" = "$FARCALL_SHIM"
check "who may read it" test "$(stat -c %a "$runtime" "$runtime/config" "$runtime/placeholder")" = $'755\n644\n555'

# one that cannot be written leaves the old one
cp "$runtime/config" "$TESTDIR/before"
"$FARCALL" config --domain "$TESTDIR/missing.sock" "$runtime" 2>/dev/null
check "status without such a domain" test $? = 125
check "the configuration of before" cmp "$runtime/config" "$TESTDIR/before"

cat >"$TESTDIR/read.py" <<'END'
import os, subprocess, sys
runtime, loops = sys.argv[1], sys.argv[2:]
writers = [subprocess.Popen(["sh", "-c", loop]) for loop in loops]
seen, reads = set(), 0
try:
    while any(writer.poll() is None for writer in writers):
        with open(runtime + "/config") as config:
            lines = config.read().splitlines()
        preload, = (line.split(" ", 1)[1] for line in lines if line.startswith("preload "))
        os.stat(preload)
        if lines[0] != "farcall-config 1" or len(lines) != 5:
            sys.exit(f"after {reads} times: {lines}")
        seen.add(lines[1])
        reads += 1
finally:
    for writer in writers:
        writer.kill()
        writer.wait()
print(f"# read {reads} times")
sys.exit(len(seen) != 2 or any(writer.returncode for writer in writers))
END
loop() # DOMAIN'S SOCKET
{
	echo "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do '$FARCALL' config --domain '$1' '$runtime' || exit 1; done"
}
check "a reader meanwhile" python3 "$TESTDIR/read.py" "$runtime" "$(loop "$one_socket")" "$(loop "$two_socket")"
check "nothing else is left" test "$(ls -I sites "$runtime")" = $'config\nlibfarcall.so\nplaceholder'
finish
