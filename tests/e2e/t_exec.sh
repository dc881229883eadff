#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Descriptors through fork, vfork, posix_spawn and exec (h_exec.c); an empty environment; changed user ids; descendants that
# the shim cannot get into.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
need_farcall
both_sides h_exec
[[ ${FC_TEST_XEN:-} ]] && finish # what follows looks at the files from this machine too
static=$(helper e2e/h_static) || exit 77
d=$TESTDIR/d
mkdir -p "$d"
chmod 711 "$TESTDIR" "$d"
seq 1 100 >"$d/numbers"

shim() # COMMAND...: output to $TESTDIR/out and .err; returns its status
{
	"$FARCALL" run -v "$d:/data" -- "$@" >"$TESTDIR/out" 2>"$TESTDIR/err" </dev/null
}

out_is() { test "$(cat "$TESTDIR/out")" = "$1" || { cat "$TESTDIR/out" "$TESTDIR/err"; return 1; }; }
err_lines() { test "$(wc -l <"$TESTDIR/err")" = "$1" || { cat "$TESTDIR/err"; return 1; }; }

# the environment may be emptied on the way: a descendant stays remote
check "env -i" shim env -i /bin/sh -c 'exec /bin/head -n 1 /data/numbers'
check "env -i: output" out_is 1
check "env -i twice" shim env -i /bin/sh -c '/usr/bin/env -i /bin/sh -c "/usr/bin/tail -n 1 /data/numbers"'
check "env -i twice: output" out_is 100
check "LD_PRELOAD unset" shim sh -c 'unset LD_PRELOAD; cat /data/numbers | wc -l'
check "LD_PRELOAD unset: output" out_is 100
check "xargs, nice, timeout, setsid" shim sh -c \
	'echo /data/numbers | xargs nice -n 1 timeout 20 setsid -w cksum | cut -d" " -f1-2'
check "xargs: output" out_is "$(cksum <"$d/numbers")"

# scripts: the interpreter gets the remote file
printf '#!/bin/sh\necho script $1 $(cat /data/numbers | wc -l)\n' >"$d/script"
cp "$d/script" "$TESTDIR/script"
chmod 755 "$d/script" "$TESTDIR/script"
check "a local script" shim sh -c "$TESTDIR/script a"
check "a local script: output" out_is "script a 100"
check "a remote script" shim sh -c "sh /data/script b"
check "a remote script: output" out_is "script b 100"

# ids
if ((EUID == 0)); then
	echo secret >"$d/secret"
	chmod 600 "$d/secret"
	mkdir -p "$d/open"
	chmod 1777 "$d/open"
	chmod 755 "$d"
	check "root reads" shim cat /data/secret
	shim setpriv --reuid 1000 --regid 1000 --clear-groups cat /data/secret
	check "another user does not: status $?" test $? != 0
	check "another user does not" grep -qi 'permission denied' "$TESTDIR/err"
	check "another user makes files" shim setpriv --reuid 1000 --regid 1001 --clear-groups sh -c 'echo x > /data/open/his; id -u'
	check "another user: files are his" test "$(stat -c %u:%g "$d/open/his")" = 1000:1001
	check "with groups" shim setpriv --reuid 1000 --regid 1000 --groups 1000,2345 sh -c ': > /data/open/g && chgrp 2345 /data/open/g'
	check "with groups: chgrp" test "$(stat -c %u:%g "$d/open/g")" = 1000:2345
	python=$(python3 -c 'import sys; print(sys.executable)')
	[[ -x /usr/bin/python3 ]] && python=/usr/bin/python3
	check "python: setuid in a running process" shim "$python" -c '
import os
f = open("/data/open/before", "w")
os.setgroups([]); os.setgid(1000); os.seteuid(1000)
open("/data/open/effective", "w").close()
try:
    open("/data/secret"); print("read it")
except PermissionError:
    print("denied")
os.seteuid(0)
print(open("/data/secret").read().strip())
os.setuid(1000)
f.write("still open"); f.close()
try:
    open("/data/secret"); print("read it")
except PermissionError:
    print("denied")
print(os.access("/data/secret", os.R_OK), os.stat("/data/open/effective").st_uid)'
	check "python: output" out_is "$(printf 'denied\nsecret\ndenied\nFalse 1000')"
	check "dropped capabilities" shim setpriv --inh-caps=-all --bounding-set=-all sh -c 'cat /data/numbers | wc -l'
	chown 1000:1000 "$d/secret" && chmod 600 "$d/secret"
	shim setpriv --bounding-set=-dac_override,-dac_read_search,-fowner cat /data/secret
	check "root without dac_override does not read others' files" test "$?" != 0
else
	note "not root: users are not changed"
fi

# static descendants run locally, with one line on stderr; remote descriptors fail loudly there
check "a static descendant runs" shim sh -c "$static write | cat; :"
check "a static descendant: output" out_is static
check "a static descendant: one line" err_lines 1
check "a static descendant: the line names it" grep -q h_static "$TESTDIR/err"
check "its remote input fails loudly" shim sh -c "$static read < /data/numbers; test \$? = 3"
check "its remote input: EISDIR or so" grep -qE 'errno (9|19|21)$' "$TESTDIR/err"
check "its remote output fails loudly" shim sh -c "$static write > /data/static; test \$? = 3"
check "nothing was written" test ! -s "$d/static"
FARCALL_STRICT=1 shim sh -c "$static write; echo status \$?"
check "FARCALL_STRICT=1 refuses it" grep -qE '^status (126|127)$' "$TESTDIR/out"
check "FARCALL_STRICT=1: one line at least" test -s "$TESTDIR/err"
check "FARCALL_STRICT=1: not run" test "$(grep -c '^static$' "$TESTDIR/out")" = 0
shim "$static" write
check "as the command itself: exit 2, not $?" test $? = 2
check "as the command itself: one line" err_lines 1
if ((EUID == 0)); then
	cp "$(command -v cat)" "$TESTDIR/setuid"
	chmod 4755 "$TESTDIR/setuid"
	shim "$TESTDIR/setuid" /data/numbers
	status=$?
	check "a setuid command: exit 2, not $status" test $status = 2
	check "a setuid command: one line" err_lines 1
fi
finish
