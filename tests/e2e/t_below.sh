#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What is mounted below an export: another export, a file system; and the export's own root, as a mount point. As natively with mounts.
. "$(dirname "$0")/../lib.sh"
need_farcall
[[ ! ${FC_TEST_XEN:-} ]] || skip "on Xen the exports are the domain's"
((EUID == 0)) || skip "only root can mount natively"

prepare()
{
	local t=$TESTDIR/$1

	mkdir -p "$t"/{above/sub,above/dir,above/tmp,below}
	echo A >"$t/above/fa"
	echo deep >"$t/above/dir/f"
	echo B >"$t/below/fb"
	mount -t tmpfs none "$t/above/tmp" || skip "nothing can be mounted here"
	echo T >"$t/above/tmp/ft"
}

# mv's words differ between two file systems and one: what it says is looked at
cat >"$TESTDIR/script" <<'EOF2'
p=/fc-below
exec 2>&1
ls -a $p $p/sub; cat $p/sub/fb; cd $p/sub && pwd && ls .. && cat ../fa
rmdir $p/sub; rm -r $p/sub; mv $p/sub $p/s; mv $p/fa $p/sub/; cat $p/sub/../sub/fa
ln -s ../dir/f $p/sub/l; cat $p/sub/l; ln -s sub/fa $p/m; cat $p/m; ls $p/sub/..
cd ..; pwd; cd sub/..; cat sub/fa; cd sub; cat ../dir/f; mv ../dir/f .; ls; mv ../sub ..; mv ../dir $p/sub/; mkdir $p/sub; ln fa ../fz
find $p | sort; cat $p/tmp/ft ../tmp/../sub/fa; cd $p/tmp && cat ../sub/fa ft
python3 - <<END
import os
os.chdir(p := "/fc-below/sub")
print(os.getcwd(), sorted(os.listdir("..")), os.path.ismount(p), os.path.ismount("/fc-below"), os.path.ismount("../tmp"))
for a, b in (("/fc-below", "/fc-zz"), ("/fc-none", "/fc-below"), ("/fc-below/sub", "/fc-below/zz"), ("/fc-below/m", "/fc-below/sub"),
             ("/fc-below/dir", "/fc-below/sub"), ("/fc-below", "/fc-none/zz"), ("/fc-below", "/dev/shm/zz"), ("/fc-below/sub/fb", "/fc-below/zz")):
    try:
        os.rename(a, b)
        print(a, b)
    except OSError as e:
        print(a, b, e.errno)
END
EOF2
sed -i 's/\r$//' "$TESTDIR/script"
prepare native
prepare far
[[ ! -e /fc-below ]] || skip "/fc-below exists"
mkdir /fc-below
unshare -m sh -c "mount --bind $TESTDIR/native/above /fc-below && mount -t tmpfs none /fc-below/tmp && echo T >/fc-below/tmp/ft &&
	mount --bind $TESTDIR/native/below /fc-below/sub && sh $TESTDIR/script" >"$TESTDIR/native.out"
rmdir /fc-below
"$FARCALL" run -v "$TESTDIR/far/below:/fc-below/sub" -v "$TESTDIR/far/above:/fc-below" -- sh "$TESTDIR/script" >"$TESTDIR/far.out"
check "an export and a mount below an export" diff "$TESTDIR/native.out" "$TESTDIR/far.out"
check "nothing is made where there is none" test ! -e /fc-zz
umount "$TESTDIR"/{native,far}/above/tmp

rm -rf "$TESTDIR"/far/above/sub
"$FARCALL" run -v "$TESTDIR/far/above:/data" -v "$TESTDIR/far/below:/data/sub" -- true 2>"$TESTDIR/err" && wrong "there is no place for it"
check "and that is said" grep -q "no such directory in the export above" "$TESTDIR/err"
check "none is made" test ! -e "$TESTDIR/far/above/sub"
ln -s /tmp "$TESTDIR/far/above/sub"
"$FARCALL" run -v "$TESTDIR/far/above:/data" -v "$TESTDIR/far/below:/data/sub" -- true 2>/dev/null && wrong "a link was followed"
rm "$TESTDIR/far/above/sub"
mkdir "$TESTDIR/far/above/sub"
"$FARCALL" run -v "$TESTDIR/far/above:/data:ro" -v "$TESTDIR/far/below:/data/sub" -- sh -c 'echo x >/data/sub/x; ! echo x >/data/y' 2>/dev/null ||
	wrong "a writable export in one that is not"
check "written" test -e "$TESTDIR/far/below/x"
finish
