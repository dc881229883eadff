# SPDX-License-Identifier: GPL-2.0-or-later
# failure.gp - both rates over time; gnuplot -e "out='DIR'" failure.gp
set terminal pngcairo size 900,420 font "sans,11"
set output out . '/failure.png'
set xlabel 'seconds'
set ylabel 'MB/s'
set yrange [0:*]
set key outside top center horizontal
set grid ytics lc rgb '#dddddd'
plot out . '/writer.rate' using 1:2 with lines lw 2 lc rgb '#2060a0' title 'writes to the one storage domain', \
	out . '/reader.rate' using 1:2 with lines lw 2 lc rgb '#c04020' title 'reads from the other, which dies and is restarted'
