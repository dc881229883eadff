#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# man: pages below a MANPATH on the export, plain, compressed, linked and included; mandb and its database, apropos, man -K.
. "$(dirname "$0")/apps.sh"
needs man-db man mandb apropos whatis
needs gzip gzip
app_tree=names

page() # NAME
{
	printf '.TH %s 1 "" "" ""\n.SH NAME\n%s \\- what %s does\n.SH DESCRIPTION\nThe word is %sword.\n' "$1" "$1" "$1" "$1"
}

app()
{
	local p

	export MANPATH=$PWD/man MANWIDTH=80 MANPAGER=cat HOME=$PWD
	mkdir -p man/man1 man/de/man1 man/cat1
	for p in alpha beta gamma delta; do page $p >man/man1/$p.1; done
	gzip -n man/man1/beta.1
	ln -s alpha.1 man/man1/linked.1
	echo '.so man1/gamma.1' >man/man1/included.1
	page alpha >man/de/man1/alpha.1
	chmod -R a+rX .
	mandb -q -c -u "$MANPATH" 2>&1
	echo "mandb $?"
	for p in alpha beta linked included nothing; do
		man $p 2>&1
		echo "man $p: $?"
	done
	man -w alpha beta included
	apropos what | sort
	whatis gamma beta
	man -K -w betaword
	man -l man/man1/delta.1 | head -n 5
	rm man/man1/delta.1
	mandb -q -u "$MANPATH" 2>&1
	apropos delta
	echo "apropos $?"
}
compare
