#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# report.sh OUT - turns OUT/raw.csv into medians, tables (OUT/report.txt, also printed) and PNGs. Measures nothing.
set -u -o pipefail
export LC_ALL=C

here=$(cd "$(dirname "$0")" && pwd)
out=$1

"$here/medians.sh" "$out/raw.csv" >"$out/medians.csv" || exit 1

{
	[[ -r $out/machine.txt ]] && cat "$out/machine.txt"
	awk -v out="$out" -f "$here/report.awk" "$out/medians.csv"
} | tee "$out/report.txt" || exit 1

if command -v gnuplot >/dev/null; then
	(cd "$out" && gnuplot "$here/plot.gp") || exit 1
else
	echo "report.sh: gnuplot is not installed, no PNGs" >&2
fi
