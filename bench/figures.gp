# SPDX-License-Identifier: GPL-2.0-or-later
# figures.gp - writes.png, oltp.png and fileio.png from the CSVs in the current directory: Figures 3 and 4, 7 and 8, 9 and 10 of the VirtuOS
# paper. What the paper had is drawn as far as its text says it: a dashed line, or a grey band.

set terminal pngcairo noenhanced size 1300,600 font "Sans,12" background "white"
set datafile separator ","
set datafile missing ""
set border 3 lw 1 lc rgb "#666666"
set tics nomirror out
set grid xtics ytics lc rgb "#dddddd" lt 1
set key outside bottom center horizontal
set style data linespoints
set style fill transparent solid 0.25 noborder

colours = "#555555 #1971c2 #d6336c #e8a0b8"
array shown[4] = ["native", "farcall", "FUSE", "FUSE, uncached"]
colour(n) = word(colours, n)
have(f) = int(system("[ -s ".f." ] && echo 1 || echo 0"))
# the columns of a file, of the lines that begin with `test`, that have numbers
columns(f, test, from) = system("awk -F, 'NR > 1 && /^".test."/ { for (i = 1; i <= 4; i++) if ($(i + ".(from - 1).") != \"\") s[i] } \
	END { for (i = 1; i <= 4; i++) if (i in s) printf \"%d \", i }' ".f)
rows(f, test) = "< grep '^".test.",' ".f
paper = "#888888"
# of Figure 4 the text says: above native for less than 64K, then down to about 0.8; the line stands for the limits
$paper4 << END
32,1
65536,1
2097152,0.8
END

if (have("writes.csv")) {
	set output "writes.png"
	set multiplot layout 1,2 title "16 MiB written to a new file on tmpfs"
	present = columns("writes.csv", "", 2)
	set logscale x 2
	set xlabel "bytes per write"
	set xtics ("32" 32, "128" 128, "512" 512, "2K" 2048, "8K" 8192, "32K" 32768, "128K" 131072, "512K" 524288, "2M" 2097152) rotate by 45 right
	set title "throughput (Figure 3)"
	set ylabel "GB/s"
	set yrange [0:*]
	plot for [n = 1:words(present)] "writes.csv" skip 1 using 1:(column(int(word(present, n)) + 1)) \
		lw 2 pt 7 ps 0.8 lc rgb colour(int(word(present, n))) title shown[int(word(present, n))]
	set title "native = 1 (Figure 4)"
	set ylabel "times native"
	plot 1 with lines dt 3 lc rgb "#555555" notitle, \
		for [n = 2:words(present)] "writes.csv" skip 1 using 1:(column(int(word(present, n)) + 4)) \
		lw 2 pt 7 ps 0.8 lc rgb colour(int(word(present, n))) title shown[int(word(present, n))], \
		$paper4 with lines lw 2 dt 2 lc rgb paper title "VirtuOS: above this to 64K, then to 0.8"
	unset multiplot
	set xtics autofreq norotate
}

set logscale x 2
set xlabel "threads"
set xtics (1, 2, 4, 8, 16, 32, 64)
most(f) = real(system("awk -F, 'NR > 1 && $2 > n { n = $2 } END { print n + 0 }' ".f))
called(t) = t eq "ro-cached" ? "the paper's queries, tables in memory" : t eq "ro-memory" ? "the same, pages from files on tmpfs" : \
	t eq "rw-memory" ? "reads and writes, files on tmpfs" : t eq "rw-disk" ? "reads and writes, files on a disk" : \
	t eq "rndrd-memory" ? "random reads, files on tmpfs (Figure 9)" : "random reads and writes, files on a disk (Figure 10)"

if (have("oltp.csv")) {
	set xrange [0.9:most("oltp.csv") * 1.1]
	tests = ""
	do for [t in "ro-cached ro-memory rw-memory rw-disk"] { if (system("grep -c ^".t.", oltp.csv || true") > 0) { tests = tests." ".t } }
	set terminal pngcairo noenhanced size 1500,850
	set output "oltp.png"
	set multiplot layout 2,words(tests) title "sysbench OLTP on MariaDB: transactions/s (Figure 7), and native = 1 (Figure 8)"
	do for [t in tests] {
		present = columns("oltp.csv", t, 3)
		set title called(t)
		set ylabel "transactions/s"
		set yrange [0:*]
		plot for [n = 1:words(present)] rows("oltp.csv", t) using 2:(column(int(word(present, n)) + 2)) \
			lw 2 pt 7 ps 0.8 lc rgb colour(int(word(present, n))) title shown[int(word(present, n))]
	}
	do for [t in tests] {
		present = columns("oltp.csv", t, 3)
		set title called(t)
		set ylabel "times native"
		low = t eq "ro-cached" ? 1.01 : NaN
		high = t eq "ro-cached" ? 1.16 : NaN
		plot 1 with lines dt 3 lc rgb "#555555" notitle, \
			rows("oltp.csv", t) using 2:(low):(high) with filledcurves lc rgb paper title t eq "ro-cached" ? "VirtuOS" : "", \
			for [n = 2:words(present)] rows("oltp.csv", t) using 2:(column(int(word(present, n)) + 5)) \
			lw 2 pt 7 ps 0.8 lc rgb colour(int(word(present, n))) title shown[int(word(present, n))]
	}
	unset multiplot
}

if (have("fileio.csv")) {
	set xrange [0.9:most("fileio.csv") * 1.1]
	set terminal pngcairo noenhanced size 1300,850
	set output "fileio.png"
	tests = ""
	do for [t in "rndrd-memory rndrw-disk"] { if (system("grep -c ^".t.", fileio.csv || true") > 0) { tests = tests." ".t } }
	set multiplot layout 2,words(tests) title "sysbench fileio, 128 files, 1 GiB, 16 KiB blocks: operations/s, and native = 1"
	do for [t in tests] {
		present = columns("fileio.csv", t, 3)
		set title called(t)
		set ylabel "1,000 operations/s"
		set yrange [0:*]
		plot for [n = 1:words(present)] rows("fileio.csv", t) using 2:(column(int(word(present, n)) + 2) / 1000) \
			lw 2 pt 7 ps 0.8 lc rgb colour(int(word(present, n))) title shown[int(word(present, n))]
	}
	do for [t in tests] {
		present = columns("fileio.csv", t, 3)
		set title called(t)
		set ylabel "times native"
		low = t eq "rndrd-memory" ? 0.6 : 0.97
		high = t eq "rndrd-memory" ? 0.7 : 1.03
		plot 1 with lines dt 3 lc rgb "#555555" notitle, \
			rows("fileio.csv", t) using 2:(low):(high) with filledcurves lc rgb paper title "VirtuOS", \
			for [n = 2:words(present)] rows("fileio.csv", t) using 2:(column(int(word(present, n)) + 5)) \
			lw 2 pt 7 ps 0.8 lc rgb colour(int(word(present, n))) title shown[int(word(present, n))]
	}
	unset multiplot
}
