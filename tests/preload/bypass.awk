# SPDX-License-Identifier: GPL-2.0-or-later
# bypass.awk - from the names of the hooked calls, the dispatcher's counts ("NR COUNT" lines) and the output of `strace -f -i`
# finds calls that were made outside the preload object's text after its constructor (which marks itself with
# readahead(-77, START, END)), and numbers that do not agree. Prints the former; exit status 1 if there are any, or fewer calls than `least`.
# A child's lines may come before the line in which its parent learns its number, so the trace is kept and looked at last.

function number(hex,    i, n) {
	n = 0
	for (i = 1; i <= length(hex); i++)
		n = n * 16 + index("0123456789abcdef", substr(hex, i, 1)) - 1
	return n
}

FNR == 1 { file++ }
file == 1 { wanted[$1] = 1; next }
file == 2 { counted += $2; next }

{
	pid = $1
	lines++
	line_pid[lines] = pid
	# PID [address] name(...) = result, or <... name resumed>...) = result
	rest = $0
	sub(/^[0-9]+ +\[[0-9a-f]+\] /, "", rest)
	line_ip[lines] = substr($2, 2, length($2) - 2)
	name = rest
	if (rest ~ /^<\.\.\. /)
		name = "-" $4
	else if (rest ~ /^[a-z0-9_]+\(/)
		sub(/\(.*/, "", name)
	else
		name = "-"
	line_name[lines] = name
	line_rest[lines] = rest
	bare = name
	sub(/^-/, "", bare)
	if ((bare ~ /^(clone|clone3|vfork|fork)$/) && rest ~ / = [0-9]+$/) {
		child = rest
		sub(/.* = /, "", child)
		parent[child] = pid
	}
}

END {
	for (i = 1; i <= lines; i++) {
		pid = line_pid[i]
		name = line_name[i]
		if (!(pid in first))
			first[pid] = (pid in parent) ? start[parent[pid]] : 0
		if (!(pid in start) && first[pid]) {
			start[pid] = start[parent[pid]]
			end[pid] = end[parent[pid]]
		}
		if (name == "readahead" && line_rest[i] ~ /^readahead\(-77, /) {
			split(line_rest[i], part, /[(), ]+/)
			start[pid] = part[3]
			end[pid] = part[4]
			continue
		}
		if ((name == "execve" || name == "-execve") && line_rest[i] ~ / = 0$/) {
			if (start[pid])
				inside++
			start[pid] = 0
			continue
		}
		if (!wanted[name])
			continue
		if (!start[pid]) {
			early++
			continue
		}
		ip = number(line_ip[i])
		if (ip >= start[pid] && ip <= end[pid]) {
			inside++
			continue
		}
		outside++
		print "past the hook: " line_pid[i] " [" line_ip[i] "] " line_rest[i]
	}
	print inside " calls through the hook, " outside + 0 " past it, " early " before it was there; the dispatcher counted " counted
	exit outside > 0 || inside < least || counted < least
}
