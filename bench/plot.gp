# SPDX-License-Identifier: GPL-2.0-or-later
# plot.gp - PNGs from calls.csv, sysbench.csv and hogs.csv in the current directory. Variants without numbers stay out.

set terminal pngcairo noenhanced size 1300,750 font "Sans,12" background "white"
set datafile separator ","
set datafile missing ""
set border 3 lw 1 lc rgb "#666666"
set tics nomirror out
set grid ytics lc rgb "#dddddd" lt 1
set key outside top center horizontal

colours = "#555555 #d6336c #1971c2 #74c0fc #2f9e44 #adb5bd"
array shown[6] = ["native", "farcall", "FUSE", "FUSE, uncached", "io_uring SQPOLL", "floor"]
have(f) = int(system("[ -s ".f." ] && echo 1 || echo 0"))
filled(f, col) = int(system("awk -F, 'NR > 1 && $".col." != \"\"' ".f." | grep -c . || true")) > 0

if (have("calls.csv")) {
	present = ""
	do for [i = 1:6] { if (filled("calls.csv", i + 2)) { present = present." ".i } }

	set output "latency.png"
	set title "Time per call"
	set style data histograms
	set style histogram clustered gap 1
	set style fill solid 0.9 noborder
	set logscale y
	set ylabel "time (log)"
	set format y "%.0s %cs"
	label(t, s) = s == 0 ? t : s < 1024 ? sprintf("%s %d B", t, s) : sprintf("%s %d KiB", t, s / 1024)
	rows = "awk -F, 'NR == 1 || $2 == 0 || $2 == 1 || $2 == 4096 || $2 == 65536' calls.csv"
	plot for [n = 1:words(present)] "< ".rows skip 1 \
		using (column(int(word(present, n)) + 2) / 1e9):xtic(label(strcol(1), column(2))) \
		title shown[int(word(present, n))] lc rgb word(colours, int(word(present, n)))

	set output "transfers.png"
	set multiplot layout 1,2 title "Transfer rate by size, one call at a time"
	set logscale x 2
	set ylabel "GB/s (log)"
	set format y "%g"
	set xlabel "bytes per call"
	set xtics ("1" 1, "64" 64, "512" 512, "4K" 4096, "16K" 16384, "64K" 65536, "256K" 262144, "1M" 1048576, "2M" 2097152) \
		rotate by 45 right
	set grid xtics ytics
	do for [t in "pread pwrite"] {
		if (int(system("grep -c ^".t.", calls.csv || true")) == 0) { continue }
		set title t
		plot for [n = 1:words(present)] "calls.csv" skip 1 \
			using (strcol(1) eq t ? column(2) : NaN):(column(2) / column(int(word(present, n)) + 2)) with linespoints \
			lw 2 pt 7 ps 0.8 lc rgb word(colours, int(word(present, n))) title shown[int(word(present, n))]
	}
	unset multiplot
	unset logscale
	unset xlabel
	set xtics autofreq norotate
	set grid noxtics
}

set style data histograms
set style histogram clustered gap 1
set style fill solid 0.9 noborder
set yrange [0:*]
set format y "%g"

if (have("sysbench.csv")) {
	present = ""
	do for [i = 1:3] { if (filled("sysbench.csv", i + 2)) { present = present." ".i } }
	set output "sysbench.png"
	set multiplot layout 2,2 title "sysbench fileio, 16 KiB blocks"
	set ylabel "1,000 operations/s"
	set xlabel "threads"
	do for [mode in "seqwr seqrd rndrd rndwr"] {
		set title mode
		plot for [n = 1:words(present)] "< grep ^".mode." sysbench.csv" \
			using (column(int(word(present, n)) + 2) / 1000):xtic(2) \
			title shown[int(word(present, n))] lc rgb word(colours, int(word(present, n)))
	}
	unset multiplot
	unset xlabel
}

if (have("hogs.csv")) {
	set output "hogs.png"
	set title "sysbench rndrw, 16 KiB, beside one CPU hog per CPU: part of the quiet rate kept"
	set ylabel "with hogs / quiet"
	set xlabel "threads"
	present = ""
	do for [i = 1:2] { if (filled("hogs.csv", i + 5)) { present = present." ".i } }
	plot for [n = 1:words(present)] "hogs.csv" skip 1 using (column(int(word(present, n)) + 5)):xtic(1) \
		title shown[int(word(present, n))] lc rgb word(colours, int(word(present, n)))
}
