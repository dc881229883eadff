# SPDX-License-Identifier: GPL-2.0-or-later
# real.gp - real.png from real.csv in the current directory: how many times its native time ordinary work takes.

set terminal pngcairo noenhanced size 900,500 font "Sans,12" background "white"
set output "real.png"
set datafile separator ","
set title "Ordinary work on tmpfs under farcall run --domain: time, native = 1"
set style fill solid 0.8
set boxwidth 0.6
set grid ytics lc rgb "#dddddd" lt 1
set yrange [0:*]
set key off
set xtics scale 0
plot "real.csv" skip 1 using 0:4:xtic(1) with boxes lc rgb "#1971c2", \
	"real.csv" skip 1 using 0:4:(sprintf("%.2f", $4)) with labels offset 0,0.7, \
	1 with lines lw 2 dt 2 lc rgb "#555555"
