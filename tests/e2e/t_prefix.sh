#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A prefix that does not exist on this machine cannot be made there either: by its name alone, from the directory it is in, through a link to that.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
need_farcall
[[ ! ${FC_TEST_XEN:-} ]] || skip "on Xen the prefix is the domain's"

mkdir -p "$TESTDIR"/{native/far,remote,export}
for side in native remote; do
	ln -s . "$TESTDIR/$side/link"
	echo x >"$TESTDIR/$side/file"
done

cat >"$TESTDIR/script" <<'EOF2'
cd "$1" || exit
mkdir -p "$1/far/a/b" far/c link/far/d
mkdir far far/ link/far ./far/. 2>&1 | sed 's/.*: //'
python3 - <<END
import os
def attempt(what, *arguments):
    try:
        what(*arguments)
        print(what.__name__, "done")
    except OSError as e:
        print(what.__name__, e.strerror)
here = os.open(".", os.O_RDONLY)
for name in "far", "link/far":
    attempt(os.mkdir, name)
    attempt(os.mkfifo, name)
    attempt(os.symlink, "file", name)
    attempt(os.open, name, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
    attempt(os.open, name, os.O_CREAT | os.O_NOFOLLOW | os.O_WRONLY)
    attempt(os.open, name, os.O_CREAT | os.O_WRONLY)
    attempt(lambda: os.mkdir(name, dir_fd=here))
END
find far | sort
EOF2
bash "$TESTDIR/script" "$TESTDIR/native" </dev/null >"$TESTDIR/native.out" 2>&1
timeout 60 "$FARCALL" run -v "$TESTDIR/export:$TESTDIR/remote/far" -- bash "$TESTDIR/script" "$TESTDIR/remote" </dev/null >"$TESTDIR/remote.out" 2>&1
check "natively" grep -q 'far/a/b' "$TESTDIR/native.out" || cat "$TESTDIR/native.out"
check "the same answers" diff "$TESTDIR/native.out" "$TESTDIR/remote.out"
check "nothing beside the export" test ! -e "$TESTDIR/remote/far"
check "everything in it" test -d "$TESTDIR/export/a/b" -a -d "$TESTDIR/export/c" -a -d "$TESTDIR/export/d"
finish
