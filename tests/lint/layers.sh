#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Does every #include "..." of the shipped sources go to the file's own layer or to one below it, and is every layer named there needed?
# The layers are in `layers` beside this. Prints what is not so, and fails. FC_SOURCE: the tree (default: the one this is in).
set -u -o pipefail
here=$(cd "$(dirname "$0")" && pwd)
cd "${FC_SOURCE:-$here/../..}" || exit 1

find include common libc-shim storage-domain frontend-kmod cli -name '*.[chS]' -o -name '*.def' | sort |
	xargs grep -HnE '^[[:space:]]*#[[:space:]]*include[[:space:]]+"' |
	awk -v layers="$here/layers" '
	BEGIN {
		while ((getline line < layers) > 0) {
			if (line ~ /^#/ || split(line, half, " : ") != 2)
				continue
			n = split(half[1], word, /[[:space:]]+/)
			for (i = 2; i <= n; i++) {
				prefix[++prefixes] = word[i]
				of[prefixes] = word[1]
			}
			below[word[1]] = " " word[1] " " half[2] " "
			n = split(half[2], word2, /[[:space:]]+/)
			for (i = 1; i <= n; i++)
				if (word2[i] != "-")
					unused[word[1] " : " word2[i]]
		}
	}
	function exists(path,   line) {
		line = (getline line < path) >= 0
		close(path)
		return line
	}
	function layer(path,   i) {
		for (i = 1; i <= prefixes; i++)
			if (index(path, prefix[i]) == 1)
				return of[i]
	}
	{
		split($0, at, ":")
		path = $0
		sub(/^[^"]*"/, "", path)
		sub(/".*/, "", path)
		beside = at[1]
		sub(/[^\/]*$/, path, beside)
		if (path ~ /^farcall\//)
			path = "include/" path
		else if (path !~ /\// && exists(beside))
			path = beside
		from = layer(at[1])
		to = layer(path)
		checked++
		delete unused[from " : " to]
		if (!to && path !~ /\//)
			next # a header of another project
		if (!from || !to || !index(below[from], " " to " ")) {
			printf "%s:%s: %s may not include %s (%s)\n", at[1], at[2], from ? from : "no layer", path, to ? to : "no layer"
			wrong++
		}
	}
	END {
		for (permission in unused) {
			print "layers: " permission " is not needed"
			wrong++
		}
		if (!checked)
			print "layers.sh: no include found at all"
		exit wrong || !checked
	}'
wrong=$?

# Calls go where includes do, for a function is called by what its header says: so no source says it for another one. (Those of other
# projects are weak, those of ours in assembly hidden.)
while IFS=: read -r file line text; do
	name=$(sed -E 's/^[^(]*[ *]([A-Za-z_0-9]+)\(.*/\1/' <<<"$text")
	grep -qzP "\n[A-Za-z_][^;\n]*[ *]$name\([^;{]*\)\n\{" "$file" && continue
	echo "$file:$line: declares $name(), which is another file's: include its header"
	wrong=1
done < <(find common libc-shim storage-domain cli -name '*.c' -print0 | xargs -0 grep -HnE '^(extern )?[a-z][A-Za-z_0-9 *]*\(.*\)[^;]*;$' |
	grep -vE ':(static|_Static_assert|typedef|return|else)\b|weak|hidden|noreturn')
exit $wrong
