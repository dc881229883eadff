#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# This project, configured and built on the export with make -j2, and the command that came of it run there.
. "$(dirname "$0")/apps.sh"
needs "gcc make autoconf automake pkg-config libzydis-dev libseccomp-dev" make gcc autoreconf pkg-config
app_tree=none
app_limit=280
[[ $app_inside ]] || export APP_SOURCE=$FC_SOURCE

app()
{
	mkdir src build
	# the sources alone, whatever builds there are beside them
	tar -C "$APP_SOURCE" -cf - --exclude=./build --exclude=./build-address --exclude=./build-thread --exclude=./.git --exclude='./autom4te.cache' --exclude=./tests/fuzz/corpus --exclude='./libc-*' . |
		tar -C src -xf -
	tar -C "$APP_SOURCE" -cf - ./libc-shim | tar -C src -xf -
	ls src/configure >/dev/null || (cd src && autoreconf -fi) >auto.log 2>&1
	cd build || return
	../src/configure --disable-dependency-tracking CFLAGS=-O0 >configure.log 2>&1
	echo "configure $?"
	make -j2 libfarcall.so farcall farcall-storaged >make.log 2>&1 || tail -n 20 make.log
	echo "make ${PIPESTATUS[0]}"
	make -q farcall
	echo "again $?"
	touch ../src/cli/run.c
	make -q farcall
	echo "changed $?"
	make farcall >make.log 2>&1
	grep -c CC make.log
	./farcall --version
	ls libfarcall.so farcall farcall-storaged
	nm -D libfarcall.so | wc -l
	find . -name '*.o' | wc -l
	sha256sum libfarcall.so farcall farcall-storaged
}
compare
