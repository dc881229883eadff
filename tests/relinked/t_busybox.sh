#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A whole statically linked userland on remote files: busybox, from Debian's source, with every tool relinked against musl and
# uClibc-ng. What its tools print must be what they print on local files.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/relinked/libraries.sh
. "$(dirname "$0")/libraries.sh"
need_farcall
need gcc make

session='
cd "$1" && mkdir -p a/b && echo hello >a/f && cp a/f a/b/g && ln -s f a/l && seq 1 1000 | tee n | tail -n 2
sort -rn n | head -n 2; grep -c 9 n; tar cf t.tar a; mkdir x; tar xf t.tar -C x; ls -R x; find . -type f | sort
sha256sum x/a/b/g; sed -i s/hello/bye/ a/f; cat a/f; gzip -k n; gunzip -c n.gz | md5sum; dd if=/dev/zero of=z bs=64k count=10 2>/dev/null
stat -c %s z; mv z zz; rm -r x; awk "{ s += \$1 } END { print s }" n; wc -l n; diff a/f a/b/g || echo differ
cd a && (echo sub >s; cat s) && find . -name g -exec cat {} \; && ls /nonexistent; echo status $?'

userland() # LIBRARY WRAPPER
{
	local dir=$TESTDIR/busybox-$1 bin=$TESTDIR/bin-$1

	library "$1"
	mkdir -p "$dir" "$bin" "$TESTDIR/$1-local" "$TESTDIR/$1-remote"
	unpacked busybox "$dir" || return
	# what needs headers or functions that the libraries do not have is left out
	make -C "$dir" defconfig >"$TESTDIR/build.log" 2>&1
	sed -i -e 's/^# CONFIG_STATIC is not set/CONFIG_STATIC=y/' \
		-e 's/^\(CONFIG_\(TC\|PAM\|UDHCPC6\|NSENTER\|UNSHARE\|SEEDRNG\|FEATURE_UTMP\|FEATURE_WTMP\|FEATURE_SYNC_FANCY\|FEATURE_MOUNT_NFS\|FEATURE_INETD_RPC\)\)=y/# \1 is not set/' \
		"$dir/.config"
	make -C "$dir" oldconfig </dev/null >"$TESTDIR/build.log" 2>&1
	make -C "$dir" -j2 CC="$(library_dir "$1")/bin/$2" SKIP_STRIP=y busybox >"$TESTDIR/build.log" 2>&1 ||
		{ grep -E 'error|undefined' "$TESTDIR/build.log" | head; wrong "busybox for $1 cannot be built"; return; }
	cp "$dir/busybox" "$bin/"
	"$bin/busybox" --install -s "$bin" || { wrong "busybox for $1 does not install"; return; }
	PATH=$bin "$bin/sh" -c "$session" sh "$TESTDIR/$1-local" >"$TESTDIR/local" 2>&1
	PATH=$bin "$FARCALL" run -v "$TESTDIR/$1-remote:/data" -- "$bin/sh" -c "$session" sh /data >"$TESTDIR/remote" 2>&1
	check "$1: the same output on remote files" diff "$TESTDIR/local" "$TESTDIR/remote"
	check "$1: output" test "$(wc -l <"$TESTDIR/local")" -gt 30
	check "$1: no tool had to run locally" test "$(grep -c farcall: "$TESTDIR/remote")" = 0
	rm "$TESTDIR/$1-local/t.tar" "$TESTDIR/$1-remote/t.tar" "$TESTDIR/$1-local/n.gz" "$TESTDIR/$1-remote/n.gz" # have times in them
	check "$1: the same files" same_tree "$TESTDIR/$1-local" "$TESTDIR/$1-remote"
}

userland musl farcall-musl-gcc
userland uclibc-ng farcall-uclibc-gcc
finish
