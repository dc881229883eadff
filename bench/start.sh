#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# start.sh - `make bench-start`: what it costs to start programs and processes under farcall, beside the same natively, in one run of
# interleaved rounds; and forks at once, 1 to 64, beside Figure 5 of the VirtuOS paper. See docs/benchmarks.md.
set -u -o pipefail
export LC_ALL=C

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=bench/domain.sh
. "$here/domain.sh"
farcall=${FARCALL:-farcall}
bench=${BENCH_PROGRAMS:-$PWD/bench}/bench_start
out="bench-results"
rounds=5
times=40

usage()
{
	echo "usage: start.sh [--out DIR] [--rounds N] [--times N]"
	echo "environment: FARCALL (the farcall command), BENCH_PROGRAMS (directory of bench_start)"
}

while (($#)); do
	case $1 in
	--out) out=$2 && shift ;;
	--rounds) rounds=$2 && shift ;;
	--times) times=$2 && shift ;;
	--help) usage && exit 0 ;;
	*) usage >&2 && exit 2 ;;
	esac
	shift
done

mkdir -p "$out"
begin_domain start

under()
{
	"$farcall" run --domain "$work/socket" -- "$@"
}

# measure NAME COMMAND...: one sample of a round
measure()
{
	local name=$1 ns
	shift

	ns=$("$@") || { echo "start.sh: $name failed" >&2; exit 1; }
	echo "$name $ns" >>"$work/samples"
}

pipelines="i=0; while [ \$i -lt 150 ]; do echo | cat >\"\$0/f\"; i=\$((i + 1)); done"

round()
{
	measure true.native "$bench" run "$times" true
	measure true.farcall "$bench" run "$times" "$farcall" run --domain "$work/socket" -- true
	measure fork.native "$bench" fork "$times"
	measure fork.farcall under "$bench" fork "$times"
	measure fork.held under "$bench" fork "$times" /bench/held
	measure pipelines.native "$bench" run 1 sh -c "$pipelines" "$work/native"
	measure pipelines.farcall "$bench" run 1 "$farcall" run --domain "$work/socket" -- sh -c "$pipelines" /bench
	measure files.native "$bench" files 1 10000 "$work/native"
	measure files.farcall under "$bench" files 1 10000 /bench
	for n in 1 2 4 8 16 32 64; do
		measure "at$n.native" "$bench" forks $((times / n + 3)) $n
		measure "at$n.farcall" under "$bench" forks $((times / n + 3)) $n
		measure "at$n.held" under "$bench" forks $((times / n + 3)) $n /bench/held
	done
}

for ((r = 1; r <= rounds; r++)); do
	echo "round $r of $rounds" >&2
	round
done

awk -v csv="$out/forks.csv" '
	{ v[$1] = v[$1] " " $2 }
	function median(name,   s, n, i, j, t)
	{
		n = split(v[name], s, " ")
		for (i = 2; i <= n; i++)
			for (j = i; j > 1 && s[j] + 0 < s[j - 1] + 0; j--) { t = s[j]; s[j] = s[j - 1]; s[j - 1] = t }
		return s[int((n + 1) / 2)] / 1000
	}
	function row(what, name, other)
	{
		printf "%-44s %10.1f %10.1f %8.2f\n", what, median(name ".native"), median(name "." other),
			median(name "." other) / median(name ".native")
	}
	END {
		printf "%-44s %10s %10s %8s\n", "us", "native", "farcall", "ratio"
		row("true, and farcall run --domain true", "true", "farcall")
		printf "%-44s %10s %10.1f\n", "  added", "", median("true.farcall") - median("true.native")
		row("fork+exit+wait", "fork", "farcall")
		row("  with a remote descriptor", "fork", "held")
		row("150 pipelines echo | cat >f in sh", "pipelines", "farcall")
		row("open+close, one of 10,000 files", "files", "farcall")
		print "\nforks at once, per process"
		print "processes,native,farcall,held" >csv
		for (n = 1; n <= 64; n *= 2) {
			row(sprintf("%5d", n), "at" n, "farcall")
			row("      with a remote descriptor", "at" n, "held")
			print n "," median("at" n ".native") "," median("at" n ".farcall") "," median("at" n ".held") >csv
		}
		print "VirtuOS, Figure 5: 52 times native at 1 process, about 8 at most"
	}' "$work/samples" | tee "$out/start.txt"

if command -v gnuplot >/dev/null; then
	(cd "$out" && gnuplot "$here/start.gp") && echo "$out/forks.png"
else
	echo "start.sh: no gnuplot: $out/forks.csv is not drawn" >&2
fi
