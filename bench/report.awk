# SPDX-License-Identifier: GPL-2.0-or-later
# report.awk - medians.csv to tables on standard output, and one CSV per table in the directory `out`.

BEGIN {
	FS = ","
	n_variants = split("native farcall fuse fuse-direct uring floor", variants, " ")
	n_calls = split("fcntl fstat open+close pread pwrite", calls, " ")
	n_sizes = split("0 1 64 512 4096 16384 65536 262144 1048576 2097152", sizes, " ")
	n_modes = split("seqwr seqrd rndrd rndwr", modes, " ")
}

NR > 1 {
	value[$1, $2, $3, $4, $5] = $6
	low[$1, $2, $3, $4, $5] = $7
	high[$1, $2, $3, $4, $5] = $8
	sections[$1] = 1
}

function get(section, variant, test, size, threads) { return value[section, variant, test, size, threads] }
function ratio(a, b) { return a != "" && b != "" && b > 0 ? sprintf("%.2f", a / b) : "" }
function whole(v) { return v == "" ? "" : sprintf("%.0f", v) }
function dash(text) { return text == "" ? "-" : text }
function human(size) { return size >= 1048576 ? size / 1048576 "M" : size >= 1024 ? size / 1024 "K" : size "" }
function ns(v) { return v == "" ? "-" : v < 1000 ? sprintf("%.0f", v) : sprintf("%.2fu", v / 1000) }
function rate(size, v) { return v == "" ? "-" : sprintf("%.2f", size / v) }

function call_rows(rates,    i, j, k, v, line) {
	for (i = 1; i <= n_calls; i++) {
		for (j = 1; j <= n_sizes; j++) {
			if (rates && sizes[j] < 4096)
				continue
			line = sprintf("%-10s %5s ", calls[i], sizes[j] ? human(sizes[j]) : "")
			for (k = 1; k <= n_variants; k++) {
				v[k] = get("calls", variants[k], calls[i], sizes[j], 1)
				line = line sprintf("%12s", rates ? rate(sizes[j], v[k]) : ns(v[k]))
			}
			if (v[1] v[2] v[3] v[4] v[5] v[6] == "")
				continue
			if (!rates) {
				line = line sprintf(" %14s %13s %12s %18s", dash(ratio(v[2], v[1])), dash(ratio(v[2], v[6])),
					dash(ratio(v[3], v[2])), dash(ratio(v[4], v[2])))
				print calls[i] "," sizes[j] "," v[1] "," v[2] "," v[3] "," v[4] "," v[5] "," v[6] > (out "/calls.csv")
			}
			print line
		}
	}
}

function call_tables(    k, head) {
	head = sprintf("%-10s %5s ", "call", "size")
	for (k = 1; k <= n_variants; k++)
		head = head sprintf("%12s", variants[k])
	print "\nTime per call (ns, or us where marked u)"
	print head "  farcall/native farcall/floor fuse/farcall fuse-direct/farcall"
	print "test,size,native,farcall,fuse,fuse-direct,uring,floor" > (out "/calls.csv")
	call_rows(0)
	print "\nTransfers (GB/s)\n" head
	call_rows(1)
	k = get("calls", "native", "fcntl", 0, 1)
	if (k != "")
		printf "\nNoise: native fcntl lay between %.0f and %.0f ns over the rounds (median %.0f).\n",
			low["calls", "native", "fcntl", 0, 1], high["calls", "native", "fcntl", 0, 1], k
}

function stream_table(    i, test, size, a, b) {
	print "\nLarge transfers pipelined against unpipelined (GB/s)"
	printf "%-10s %5s %12s %12s %12s\n", "call", "size", "pipelined", "unpipelined", "ratio"
	print "test,size,farcall,unpipelined,ratio" > (out "/stream.csv")
	size = 1048576
	for (i = 4; i <= 5; i++) {
		test = calls[i]
		a = get("stream", "farcall", test, size, 1)
		b = get("stream", "farcall-unpipelined", test, size, 1)
		printf "%-10s %5s %12s %12s %12s\n", test, human(size), rate(size, a), rate(size, b), dash(ratio(b, a))
		print test "," size "," a "," b "," ratio(b, a) > (out "/stream.csv")
	}
}

function files_table(    i, names, sizes_of, v) {
	split("read on,write on,write on,write on,write on,open+read+close,open+write+close", names, ",")
	split("4096 64 512 4096 65536 4096 4096", sizes_of, " ")
	print "\nWhole files, per step (ns, or us where marked u)"
	printf "%-16s %5s %12s %12s %12s  %14s %12s\n", "step", "size", "native", "farcall", "fuse", "farcall/native", "fuse/farcall"
	print "step,size,native,farcall,fuse" > (out "/files.csv")
	for (i = 1; i <= 7; i++) {
		v[1] = get("files", "native", names[i], sizes_of[i], 1)
		v[2] = get("files", "farcall", names[i], sizes_of[i], 1)
		v[3] = get("files", "fuse", names[i], sizes_of[i], 1)
		if (v[1] v[2] v[3] == "")
			continue
		printf "%-16s %5s %12s %12s %12s  %14s %12s\n", names[i], human(sizes_of[i]), ns(v[1]), ns(v[2]), ns(v[3]),
			dash(ratio(v[2], v[1])), dash(ratio(v[3], v[2]))
		print names[i] "," sizes_of[i] "," v[1] "," v[2] "," v[3] > (out "/files.csv")
	}
}

function sysbench_table(    i, t, v) {
	print "\nsysbench fileio, 16 KiB (operations/s)"
	printf "%-10s %7s %12s %12s %12s  %14s %12s\n", "mode", "threads", "native", "farcall", "fuse", "farcall/native",
		"farcall/fuse"
	print "mode,threads,native,farcall,fuse" > (out "/sysbench.csv")
	for (i = 1; i <= n_modes; i++) {
		for (t = 1; t <= 16; t *= 4) {
			v[1] = whole(get("sysbench", "native", modes[i], 16384, t))
			v[2] = whole(get("sysbench", "farcall", modes[i], 16384, t))
			v[3] = whole(get("sysbench", "fuse", modes[i], 16384, t))
			if (v[1] v[2] v[3] == "")
				continue
			printf "%-10s %7d %12s %12s %12s  %14s %12s\n", modes[i], t, dash(v[1]), dash(v[2]), dash(v[3]),
				dash(ratio(v[2], v[1])), dash(ratio(v[2], v[3]))
			print modes[i] "," t "," v[1] "," v[2] "," v[3] > (out "/sysbench.csv")
		}
	}
}

function hogs_table(    t, nq, nh, fq, fh, nk, fk) {
	print "\nsysbench rndrw 16 KiB beside one CPU hog per CPU (operations/s)"
	printf "%7s %13s %13s %7s %13s %13s %7s %15s\n", "threads", "native quiet", "native hogs", "kept", "farcall quiet",
		"farcall hogs", "kept", "farcall/native"
	print "threads,native_quiet,native_hogs,farcall_quiet,farcall_hogs,native_kept,farcall_kept,ratio" > (out "/hogs.csv")
	for (t = 1; t <= 8; t *= 8) {
		nq = whole(get("hogs", "native", "quiet", 16384, t))
		nh = whole(get("hogs", "native", "hogs", 16384, t))
		fq = whole(get("hogs", "farcall", "quiet", 16384, t))
		fh = whole(get("hogs", "farcall", "hogs", 16384, t))
		nk = ratio(nh, nq)
		fk = ratio(fh, fq)
		printf "%7d %13s %13s %7s %13s %13s %7s %15s\n", t, dash(nq), dash(nh), dash(nk), dash(fq), dash(fh), dash(fk),
			dash(ratio(fk, nk))
		print t "," nq "," nh "," fq "," fh "," nk "," fk "," ratio(fk, nk) > (out "/hogs.csv")
	}
}

END {
	if ("calls" in sections)
		call_tables()
	if ("stream" in sections)
		stream_table()
	if ("files" in sections)
		files_table()
	if ("sysbench" in sections)
		sysbench_table()
	if ("hogs" in sections)
		hogs_table()
}
