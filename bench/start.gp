# SPDX-License-Identifier: GPL-2.0-or-later
# start.gp - forks.png from forks.csv in the current directory: processes forked at once, beside Figure 5 of the VirtuOS paper, of which the
# text gives both ends.

set terminal pngcairo noenhanced size 900,550 font "Sans,12" background "white"
set output "forks.png"
set datafile separator ","
set title "N concurrent forks, exits and waits: time per process, native = 1"
set logscale x 2
set logscale y
set xlabel "N"
set ylabel "times native (log)"
set grid ytics lc rgb "#dddddd" lt 1
set key outside top center horizontal
set yrange [0.5:100]
$paper << END
1,52
64,8
END
plot "forks.csv" skip 1 using 1:($3 / $2) with linespoints lw 2 pt 7 lc rgb "#1971c2" title "farcall", \
	"forks.csv" skip 1 using 1:($4 / $2) with linespoints lw 2 pt 7 lc rgb "#d6336c" title "farcall, with a remote descriptor", \
	$paper using 1:2 with linespoints lw 1 dt 2 pt 5 lc rgb "#555555" title "VirtuOS (paper, both ends)"
