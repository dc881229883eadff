#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# fio, from Debian's source, relinked against musl and uClibc-ng: what its jobs write to a remote directory they find there again, it is
# what they write to a local one, and the client's own kernel sees nothing of it.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/relinked/libraries.sh
. "$(dirname "$0")/libraries.sh"
need_farcall
need gcc make strace
cd "$TESTDIR" || exit 1 # where fio leaves what it has to say about errors

# Every job leaves the same bytes each time: without disable_lat the time would be in them.
cat >"$TESTDIR/jobs" <<'END'
[global]
directory=${DIR}
size=${SIZE}
bs=4k
randseed=7
disable_lat=1
group_reporting=1
new_group
verify=crc32c
[sync]
ioengine=sync
rw=write
bs=16k
end_fsync=1
[sync-randrw]
ioengine=sync
rw=randrw
bsrange=512-64k
[sync-append]
ioengine=sync
rw=write
file_append=1
create_fsync=1
[psync]
ioengine=psync
rw=randwrite
fsync=32
fallocate=none
[psync-randrw]
ioengine=psync
rw=randrw
verify=md5
fdatasync=32
fallocate=keep
[psync-odd]
ioengine=psync
rw=randwrite
bs=5000
fallocate=posix
fsync_on_close=1
[psync-big]
ioengine=psync
rw=write
bs=4m
size=16m
fallocate=truncate
[psync-range]
ioengine=psync
rw=write
sync_file_range=wait_before,write,wait_after:16
[psync-overwrite]
ioengine=psync
rw=randwrite
overwrite=1
pre_read=1
[psync-dsync]
ioengine=psync
rw=randwrite
size=256k
sync=dsync
[psync-files]
ioengine=psync
rw=randrw
nrfiles=16
openfiles=4
file_service_type=random
[pvsync]
ioengine=pvsync
rw=randwrite
bs=32k
[pvsync2]
ioengine=pvsync2
rw=randrw
fdatasync=16
[vsync]
ioengine=vsync
rw=write
iodepth=8
verify=0
[checkers]
rw=randwrite
verify_async=3
verify_backlog=64
[threads]
stonewall
thread=1
numjobs=8
rw=randrw
verify=md5
fsync=32
[forks]
numjobs=8
rw=randrw
fsync=32
[threads-one-file]
filename=threads
thread=1
numjobs=4
offset_increment=${SIZE}
rw=randwrite
[forks-one-file]
filename=forks
numjobs=4
offset_increment=${SIZE}
rw=randwrite
[reading]
stonewall
filename=sync.0.0
rw=randread
bs=16k
invalidate=1
fadvise_hint=random
[create]
ioengine=filecreate
nrfiles=100
filesize=4k
openfiles=1
verify=0
[stat]
ioengine=filestat
nrfiles=50
filesize=4k
openfiles=1
verify=0
[delete]
ioengine=filedelete
nrfiles=50
filesize=4k
openfiles=1
verify=0
[falloc]
ioengine=falloc
rw=write
verify=0
[ftruncate]
ioengine=ftruncate
rw=write
verify=0
END
cat >"$TESTDIR/jobs.direct" <<'END'
[direct]
direct=1
ioengine=psync
rw=randrw
[direct-big]
direct=1
ioengine=pvsync2
rw=write
bs=1m
size=8m
[direct-threads]
direct=1
thread=1
numjobs=4
ioengine=sync
rw=randwrite
bs=16k
END
cat >"$TESTDIR/jobs.aio" <<'END'
[aio]
ioengine=posixaio
iodepth=16
rw=randwrite
verify=md5
fsync=32
[aio-threads]
ioengine=posixaio
iodepth=8
thread=1
numjobs=4
rw=randrw
END
if dd if=/dev/zero of="$TESTDIR/probe" bs=4k count=1 oflag=direct 2>/dev/null; then
	cat "$TESTDIR/jobs.direct" >>"$TESTDIR/jobs"
else
	note "no O_DIRECT in $TESTDIR: left out"
fi

here=$TESTDIR/here there=$TESTDIR/there
limit=(timeout -k 5 100)
# in fio's terse output: the error, KiB read, KiB written
error=5 read=6 written=47

# fio-static and fio-dynamic in $TESTDIR/LIBRARY, linked from the same objects
build_fio() # LIBRARY
{
	local dir=$TESTDIR/$1 cc

	library "$1"
	unpacked fio "$dir" || return
	cc=$(compiler "${1%-ng}-dynamic")
	# configure looks for vasprintf with stdio.h alone, and uClibc-ng's does not bring va_list along
	(cd "$dir" && ./configure --cc="$cc -static" --disable-native --disable-optimizations --disable-lex --extra-cflags="-O1 -include stdarg.h" &&
		make -j2 fio && mv fio fio-static && make fio CC="$cc" && mv fio fio-dynamic) >"$TESTDIR/build.log" 2>&1 ||
		{ grep -E 'error|undefined' "$TESTDIR/build.log" | head; wrong "fio for $1 cannot be built"; }
}

total() # OUT FIELD
{
	awk -F';' -v f="$2" '/^3;/ { s += $f } END { print s + 0 }' "$1"
}

# all_jobs WHAT OUT COMMAND...: they end well
all_jobs()
{
	local what=$1 out=$2
	shift 2

	rm -f "$out"
	"$@" --output-format=terse --output="$out" "$jobs" >"$TESTDIR/log" 2>&1 </dev/null || wrong "$what: status $?"
	check "$what: every job reports" test "$(grep -c '^3;' "$out")" = $(($(grep -c '^\[' "$jobs") - 1)) &&
		check "$what: no job has an error" test "$(total "$out" $error)" = 0 && return
	awk -F';' '/^3;/ && $5 { print $3 ": error " $5 }' "$out"
	tail -n 5 "$TESTDIR/log"
}

# What the domain has read or written so far.
domain_bytes() # read|written
{
	"$FARCALL" stat --json --domain "$domain_socket" | sed -n "s/.*\"bytes_$1\":\([0-9]*\).*/\1/p"
}

same_bytes()
{
	local began

	SIZE=1m DIR=$here all_jobs "$what, locally" "$here.out" "${limit[@]}" "$fio"
	began=${EPOCHREALTIME/./}
	SIZE=1m DIR=/data all_jobs "$what, remotely" "$there.out" "${remote[@]}" "$fio"
	note "$what: $(total "$there.out" $written) KiB written, $(total "$there.out" $read) KiB verified," \
		"$(((${EPOCHREALTIME/./} - began) / 1000)) ms"
	check "$what: the same files" same_tree "$here" "$there"
	check "$what: as much verified as locally" test "$(total "$there.out" $read)" = "$(total "$here.out" $read)"
	check "$what: which is not little" test "$(total "$there.out" $read)" -gt 40000
	check "$what: it was the domain that read it" test "$(domain_bytes read)" -ge $(($(total "$there.out" $read) * 1024))
	check "$what: and that wrote it" test "$(domain_bytes written)" -ge $(($(total "$there.out" $written) * 1024))
}

# Written locally, verified remotely; and again with one byte changed.
wrong_byte()
{
	local verify=("${remote[@]}" "$fio" --directory=/data --name=psync --size=1m --rw=randwrite --randseed=7 --verify=crc32c
		--verify_only --output-format=terse)

	cp "$here/psync.0.0" "$there/"
	"${verify[@]}" >"$TESTDIR/out" 2>&1
	check "$what: verify what was written locally" test "$? $(total "$TESTDIR/out" $error) $(total "$TESTDIR/out" $read)" = "0 0 1024"
	dd if="$here/psync.0.0" bs=1 skip=700001 count=1 2>/dev/null | tr '\0-\377' '\1-\377\0' |
		dd of="$there/psync.0.0" bs=1 seek=700001 conv=notrunc 2>/dev/null
	"${verify[@]}" >"$TESTDIR/out" 2>&1
	check "$what: a wrong byte is EILSEQ" test "$? $(total "$TESTDIR/out" $error)" = "1 84"
}

# What has been written when a signal ends fio is there, and what fio says about it.
# shellcheck disable=SC2016
interrupted()
{
	"${remote[@]}" sh -c '
		cd /data || exit
		fio() { exec "$0" --name=state --size=64m --rw=randwrite --verify=crc32c --output-format=terse --output="$@"; }
		fio first --rate=8m --do_verify=0 --verify_state_save=1 &
		while [ ! -e state.0.0 ]; do sleep 0.1; done
		sleep 1
		kill -INT $! && wait $!
		fio second --verify_only --verify_state_load=1' "$fio" >"$TESTDIR/out" 2>&1 </dev/null
	check "$what: verify after SIGINT" test "$? $(total "$there/second" $error)" = "0 0"
	check "$what: something was written before" test "$(total "$there/first" $written)" -gt 0
	check "$what: and all of it verified" test "$(total "$there/second" $read)" = "$(total "$there/first" $written)"
}

# engines that the kernel has a hand in
others()
{
	local engine

	for engine in mmap splice; do
		"${remote[@]}" "$fio" --directory=/data --name=no --thread --size=64k --rw=write --verify=md5 --ioengine=$engine >"$TESTDIR/out" 2>&1
		check "$what: $engine" grep -q "err= 0" "$TESTDIR/out"
	done
}

unseen()
{
	rm -rf "${there:?}"/*
	SIZE=256k DIR=/data all_jobs "$what, under strace" "$there.out" \
		"${limit[@]}" strace -f -y -qq -s 256 -o "$TESTDIR/strace" -e 'trace=!futex' "${remote[@]:${#limit[@]}}" "$fio"
	check "$what: storage calls reach the client's kernel" leaks "$TESTDIR/strace" /data
	check "$what: strace has seen all processes" test "$(cut -d' ' -f1 "$TESTDIR/strace" | sort -u | wc -l)" -gt 50
}

for library in musl uclibc-ng; do
	build_fio $library
	jobs=$TESTDIR/jobs.$library
	cp "$TESTDIR/jobs" "$jobs"
	[[ $library != musl ]] || cat "$TESTDIR/jobs.aio" >>"$jobs" # uClibc-ng has no POSIX AIO
	for kind in static dynamic; do
		fio=$TESTDIR/$library/fio-$kind what="$library, $kind"
		[[ -x $fio ]] || continue
		mkdir "$here" "$there"
		start_domain domain "$there:/data:nocache" # its bytes are counted
		remote=("${limit[@]}" "$FARCALL" run --domain "$domain_socket" --)
		same_bytes
		wrong_byte
		interrupted
		others
		unseen
		stop_domain domain
		rm -rf "${here:?}" "${there:?}"
	done
done
finish
