#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# relinked.sh - compiles a program with farcall's musl and uClibc-ng, statically, and runs it on remote files, without any preload object. Needs
# a build configured with --with-libc=musl,uclibc-ng, or `make libc-musl libc-uclibc-ng` in it.
set -u -o pipefail
export LC_ALL=C

source_dir=$(cd "$(dirname "$0")/../.." && pwd) || exit 1
build=${FC_BUILD:-$source_dir/build}
work=$(mktemp -d /tmp/farcall-relinked.XXXXXX) || exit 1
domain=
trap '[[ -z $domain ]] || kill "$domain"; rm -rf "$work"' EXIT

fail()
{
	echo "relinked: $*" >&2
	exit 1
}

cat >"$work/count.c" <<'END'
#include <stdio.h>

int main(int argc, char **argv)
{
	FILE *f = fopen(argc > 1 ? argv[1] : "", "r");
	long lines = 0;
	int c;

	if (!f) {
		perror(argv[1]);
		return 1;
	}
	while ((c = getc(f)) != EOF)
		lines += c == '\n';
	printf("%ld lines\n", lines);
	return 0;
}
END
mkdir "$work/disk"
seq 1 100000 >"$work/disk/numbers"
"$build/farcall" serve -v "$work/disk:/data" --socket "$work/domain.sock" &
domain=$!
until [[ -S $work/domain.sock ]]; do sleep 0.05; done

for gcc in "$build/libc-musl/bin/farcall-musl-gcc" "$build/libc-uclibc-ng/bin/farcall-uclibc-gcc"; do
	[[ -x $gcc ]] || fail "$gcc is missing: configure with --with-libc=musl,uclibc-ng"
	"$gcc" -O2 -static -o "$work/count" "$work/count.c" || fail "it does not compile"
	echo "== ${gcc##*/} -static; farcall run"
	"$build/farcall" run --domain "$work/domain.sock" -- "$work/count" /data/numbers || fail "it does not run"
done

# The same without `farcall run`: the runtime directory that /etc/farcall.conf would name.
"$build/farcall" config --domain "$work/domain.sock" "$work/runtime" || fail "farcall config failed"
echo "== on its own, told where to look"
FARCALL_DIR=$work/runtime "$work/count" /data/numbers || fail "it does not run"
echo "== farcall stat"
"$build/farcall" stat --domain "$work/domain.sock"
