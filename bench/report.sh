#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# report.sh OUT - turns OUT/raw.csv into medians, tables (OUT/report.txt, also printed) and PNGs. Measures nothing.
set -u -o pipefail
export LC_ALL=C

here=$(cd "$(dirname "$0")" && pwd)
out=$1

{
	echo section,variant,test,size,threads,median,min,max
	sort -t, -k1,1 -k2,2 -k4,4 -k5,5n -k6,6n -k7,7g "$out/raw.csv" | awk -F, '
		function flush() { if (n) print key "," (n % 2 ? v[(n + 1) / 2] : (v[n / 2] + v[n / 2 + 1]) / 2) "," v[1] "," v[n] }
		{ k = $1 "," $2 "," $4 "," $5 "," $6; if (k != key) { flush(); n = 0; key = k }; v[++n] = $7 }
		END { flush() }'
} >"$out/medians.csv" || exit 1

{
	[[ -r $out/machine.txt ]] && cat "$out/machine.txt"
	awk -v out="$out" -f "$here/report.awk" "$out/medians.csv"
} | tee "$out/report.txt" || exit 1

if command -v gnuplot >/dev/null; then
	(cd "$out" && gnuplot "$here/plot.gp") || exit 1
else
	echo "report.sh: gnuplot is not installed, no PNGs" >&2
fi
