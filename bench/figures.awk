# SPDX-License-Identifier: GPL-2.0-or-later
# figures.awk - figures-medians.csv to tables on standard output, and writes.csv, oltp.csv and fileio.csv in the directory `out`, for figures.gp.
# f/native and f/fuse are medians over the rounds, too. The last column is what the VirtuOS paper had by native, as far as its text says it.

BEGIN {
	FS = ","
	n_variants = split("native farcall fuse fuse-direct", variants, " ")
	columns = "native,farcall,fuse,fuse-direct,farcall_by_native,fuse_by_native,fuse-direct_by_native"
	n_threads = split("1 2 4 8 16 32 64", threads, " ")
	n_parts = split("ro-cached ro-memory rw-memory rw-disk rndrd-memory rndrw-disk", parts, " ")
	what["ro-cached"] = "MariaDB, ten ordered selections, tables in its memory"
	what["ro-memory"] = "MariaDB, ten ordered selections, pages from files on tmpfs"
	what["rw-memory"] = "MariaDB, oltp_read_write, files on tmpfs"
	what["rw-disk"] = "MariaDB, oltp_read_write, files on a disk"
	what["rndrd-memory"] = "sysbench fileio, random reads, 1 GiB on tmpfs"
	what["rndrw-disk"] = "sysbench fileio, random reads and writes, 1 GiB on a disk"
	paper["ro-cached"] = "1.01-1.16"
	paper["rndrd-memory"] = "0.6-0.7"
	paper["rndrw-disk"] = "about 1"
}

NR > 1 {
	value[$3, $4, $5, $2] = $6
	seen[$3] = 1
	seen[$3, $4, $5] = 1
}

function ratio(v) { return v == "" ? "-" : sprintf("%.2f", v) }
function human(size) { return size >= 1048576 ? size / 1048576 "M" : size >= 1024 ? size / 1024 "K" : size "" }

# prints one line of the table, the rates in `format`, and returns that of the CSV
function row(test, size, n, label, format, said,    k, v, line, csv) {
	line = sprintf("%7s ", label)
	csv = label
	for (k = 1; k <= n_variants; k++) {
		v[k] = value[test, size, n, variants[k]]
		line = line sprintf(" %11s", v[k] == "" ? "-" : sprintf(format, v[k]))
		csv = csv "," v[k]
	}
	for (k = 2; k <= n_variants; k++)
		csv = csv "," value[test, size, n, variants[k] "/native"]
	print line sprintf(" %9s %9s %12s", ratio(value[test, size, n, "farcall/native"]), ratio(value[test, size, n, "farcall/fuse"]), said == "" ? "-" : said)
	return csv
}

function head(first,    k, line) {
	line = sprintf("%7s ", first)
	for (k = 1; k <= n_variants; k++)
		line = line sprintf(" %11s", variants[k])
	print line "  f/native    f/fuse VirtuOS/native"
}

function writes_table(    size) {
	print "\nFigures 3 and 4: 16 MiB to a new file on tmpfs (GB/s)"
	head("size")
	print "size," columns > (out "/writes.csv")
	for (size = 32; size <= 2097152; size *= 2) {
		if (!(("writes", size, 1) in seen))
			continue
		line = row("writes", size, 1, human(size), "%.3f", size < 65536 ? "> 1" : size < 2097152 ? "" : "about 0.8")
		sub(/^[^,]*/, size, line)
		print line > (out "/writes.csv")
	}
}

function threads_table(part, file,    i, size) {
	size = file == "oltp" ? 0 : 16384
	print "\n" (file == "oltp" ? "Figures 7 and 8: " : part == "rndrd-memory" ? "Figure 9: " : "Figure 10: ") what[part] \
		(file == "oltp" ? " (transactions/s)" : " (operations/s)")
	head("threads")
	for (i = 1; i <= n_threads; i++) {
		if ((part, size, threads[i]) in seen)
			print part "," row(part, size, threads[i], threads[i], "%.0f", paper[part]) > (out "/" file ".csv")
	}
}

END {
	if ("writes" in seen)
		writes_table()
	for (i = 1; i <= n_parts; i++) {
		file = i <= 4 ? "oltp" : "fileio"
		if (!(parts[i] in seen))
			continue
		if (!headed[file]++)
			print "test,threads," columns > (out "/" file ".csv")
		threads_table(parts[i], file)
	}
}
