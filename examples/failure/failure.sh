#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# failure.sh - one storage domain dies, the other never notices (the paper's Figure 13). A writer uses the one, a reader the other; at a set
# moment the reader's domain is destroyed (or its kernel panics), its clients get EIO; then it is restarted and serves again.
#
# Runs in a Xen primary domain that has two storage domains attached; `failure.sh --lab` runs it in the emulated one of tests/xen/lab.sh.
# Results: failure.csv (time, MB/s of the writer, MB/s of the reader) and, with gnuplot, failure.png.
set -u -o pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

usage()
{
	cat <<-EOF
	Usage: failure.sh --lab [--build DIR] [--out DIR] [--panic]
	       failure.sh --writer NAME:PREFIX --reader NAME:PREFIX --config FILE [--out DIR] [--panic]
	  --lab                  in an emulated Xen machine (a minute; needs root to install it)
	  --writer, --reader     the two storage domains, and where they serve their disks
	  --config FILE          the reader's xl configuration, to start it again
	  --panic                its kernel panics, instead of \`xl destroy\`
	  --out DIR              where results go (default: failure-results)
	EOF
}

farcall=${FARCALL:-farcall} out=failure-results lab='' build='' writer='' reader='' config='' panic=''
while (($#)); do
	case $1 in
	--lab) lab=1 ;;
	--build) build=$(realpath "$2"); shift ;;
	--out) out=$2; shift ;;
	--writer) writer=$2; shift ;;
	--reader) reader=$2; shift ;;
	--config) config=$2; shift ;;
	--panic) panic=1 ;;
	--help) usage; exit 0 ;;
	*) usage >&2; exit 2 ;;
	esac
	shift
done
mkdir -p "$out" && out=$(realpath "$out") || exit 1

draw()
{
	command -v gnuplot >/dev/null || { echo "no gnuplot: no picture; the numbers are in $out/failure.csv"; return; }
	gnuplot -e "out='$out'" "$here/failure.gp" && echo "$out/failure.png"
}

if [[ $lab ]]; then
	source=$(cd "$here/../.." && pwd)
	build=${build:-$source/build}
	cat >"$out/in-lab.sh" <<-EOF
	. "\$FC_SOURCE/tests/xen/checks.sh"
	begin_with_one
	start_domu two /away && "\$FARCALL" domain attach two || exit 1
	FARCALL=\$FARCALL "$here/failure.sh" --writer one:/far --reader two:/away --config /run/two.cfg --out "\$LAB" ${panic:+--panic}
	EOF
	"$source/tests/xen/lab.sh" --build "$build" --results "$out" --timeout 300 "$out/in-lab.sh" || exit
	draw
	exit
fi
[[ $writer && $reader && $config ]] || { usage >&2; exit 2; }

# MB/s, twice a second, of a program that moves 64 KiB at a time; it ends at the first error
meter='
import os, sys, time
path, out, begin, end, writing = sys.argv[1], open(sys.argv[2], "a"), float(sys.argv[3]), float(sys.argv[4]), sys.argv[5] == "w"
try:
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    if not writing:
        os.truncate(path, 8 << 20)
    block, moved, n, since = bytes(65536), 0, 0, time.time()
    while time.time() < end:
        moved += os.pwrite(fd, block, n % 128 * 65536) if writing else len(os.pread(fd, 65536, n % 128 * 65536))
        n += 1
        now = time.time()
        if now - since >= 0.5:
            out.write("%.2f %.2f\n" % (now - begin, moved / (now - since) / 1e6)); out.flush()
            moved, since = 0, now
except OSError as e:
    now = time.time()
    out.write("%.2f 0\n" % (now - begin))
    print("%.2f s: %s: %s" % (now - begin, "writer" if writing else "reader", e.strerror), flush=True)
    sys.exit(1)
'
rm -f "$out"/{writer,reader}.rate
begin=$(date +%s.%N)
end=$(awk -v b="$begin" 'BEGIN { printf "%.2f", b + 45 }')
seconds() { awk -v b="$begin" -v n="$(date +%s.%N)" 'BEGIN { printf "%.2f", n - b }'; }

"$farcall" run --domain "${writer%%:*}" -- python3 -c "$meter" "${writer#*:}/written" "$out/writer.rate" "$begin" "$end" w &
writing=$!
"$farcall" run --domain "${reader%%:*}" -- python3 -c "$meter" "${reader#*:}/read" "$out/reader.rate" "$begin" "$end" r &
reading=$!
sleep 10
if [[ $panic ]]; then
	echo "$(seconds) s: the kernel of ${reader%%:*} is made to panic"
	xl sysrq "${reader%%:*}" c
else
	echo "$(seconds) s: ${reader%%:*} is destroyed"
	xl destroy "${reader%%:*}"
fi
wait $reading && { echo "the reader did not notice"; exit 1; }
sleep 3
"$farcall" domain restart "${reader%%:*}" "$config" || exit 1
echo "$(seconds) s: ${reader%%:*} serves again"
echo "$(seconds) 0" >>"$out/reader.rate"
"$farcall" run --domain "${reader%%:*}" -- python3 -c "$meter" "${reader#*:}/read" "$out/reader.rate" "$begin" "$end" r &
reading=$!
wait $writing || { echo "the writer was disturbed"; exit 1; }
wait $reading || { echo "the restarted domain does not serve"; exit 1; }
{
	echo "seconds,writer_mb_s,reader_mb_s"
	sed 's/\([^ ]*\) \(.*\)/\1,\2,/' "$out/writer.rate"
	sed 's/\([^ ]*\) \(.*\)/\1,,\2/' "$out/reader.rate"
} | sort -t, -k1,1g >"$out/failure.csv"
echo "the writer was not disturbed"
