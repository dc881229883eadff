#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# medians.sh RAW - the medians over the rounds of section,variant,round,test,size,threads,value on standard output
set -u -o pipefail
export LC_ALL=C

echo section,variant,test,size,threads,median,min,max
sort -t, -k1,1 -k2,2 -k4,4 -k5,5n -k6,6n -k7,7g "$1" | awk -F, '
	function flush() { if (n) print key "," (n % 2 ? v[(n + 1) / 2] : (v[n / 2] + v[n / 2 + 1]) / 2) "," v[1] "," v[n] }
	{ k = $1 "," $2 "," $4 "," $5 "," $6; if (k != key) { flush(); n = 0; key = k }; v[++n] = $7 }
	END { flush() }'
