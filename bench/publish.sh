#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# publish.sh OUT DOCS - puts the results of run.sh, start.sh, real.sh and figures.sh, as far as they are in OUT, into the documentation: DOCS/benchmarks-*.csv and
# .png, and the tables between the markers in DOCS/benchmarks.md.
set -eu

out=$1
docs=$2
page=$docs/benchmarks.md

for file in "$out"/{calls,stream,files,sysbench,hogs,forks,real,writes,oltp,fileio}.csv "$out"/*.png; do
	[[ ! -e $file ]] || cp "$file" "$docs/benchmarks-${file##*/}"
done

# section MARKER REPORT IMAGE...: what stands between the markers
section()
{
	local marker=$1 report=$out/$2 name images=

	[[ -e $report ]] || return 0
	grep -qx "<!-- $marker -->" "$page"
	grep -qx "<!-- end of $marker -->" "$page"
	for name in "${@:3}"; do
		[[ ! -e $out/$name.png ]] || images+=" $name"
	done
	awk -v marker="$marker" -v report="$report" -v images="$images" '
		$0 == "<!-- end of " marker " -->" { inside = 0 }
		!inside
		$0 == "<!-- " marker " -->" {
			inside = 1
			print "```"
			while ((getline line < report) > 0)
				print line
			print "```\n"
			n = split(images, image, " ")
			for (i = 1; i <= n; i++)
				print "![" image[i] "](benchmarks-" image[i] ".png)"
		}' "$page" >"$page.new"
	mv "$page.new" "$page"
}

section numbers report.txt latency transfers sysbench hogs
section starts start.txt forks
section real real.txt real
section figures figures.txt writes oltp fileio
