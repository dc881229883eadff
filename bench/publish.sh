#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# publish.sh OUT DOCS - puts the results of a run into the documentation: DOCS/benchmarks-*.csv and .png, and the tables
# between the markers in DOCS/benchmarks.md.
set -eu

out=$1
docs=$2
page=$docs/benchmarks.md

grep -q '^<!-- numbers -->$' "$page"
grep -q '^<!-- end of numbers -->$' "$page"
for file in "$out"/{calls,stream,sysbench,hogs}.csv "$out"/*.png; do
	[ ! -e "$file" ] || cp "$file" "$docs/benchmarks-${file##*/}"
done
images=
for name in latency transfers sysbench hogs; do
	[ ! -e "$out/$name.png" ] || images="$images $name"
done
awk -v report="$out/report.txt" -v images="$images" '
	/^<!-- end of numbers -->$/ { inside = 0 }
	!inside
	/^<!-- numbers -->$/ {
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
