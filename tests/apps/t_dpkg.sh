#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# dpkg: packages built, looked at and unpacked on the export; installed, upgraded, removed there with a database and a root of their own.
. "$(dirname "$0")/apps.sh"
needs dpkg dpkg dpkg-deb
app_tree=names

control() # VERSION
{
	printf 'Package: thing\nVersion: %s\nArchitecture: all\nMaintainer: Nobody <nobody@example.org>\nDescription: a thing\n' "$1"
}

app()
{
	local root

	export SOURCE_DATE_EPOCH=1500000000 PATH=$PATH:/usr/sbin:/sbin
	umask 022
	mkdir -p p/DEBIAN p/usr/share/thing p/etc
	control 1 >p/DEBIAN/control
	echo /etc/thing.conf >p/DEBIAN/conffiles
	printf '#!/bin/sh\necho "postinst $*"\n' >p/DEBIAN/postinst
	chmod 755 p/DEBIAN/postinst
	for i in $(seq 100); do seq "$i" 300 >p/usr/share/thing/f"$i"; done
	ln p/usr/share/thing/f1 p/usr/share/thing/hard
	ln -s f2 p/usr/share/thing/soft
	echo setting >p/etc/thing.conf
	find p -exec touch -h -d @1500000000 {} +
	dpkg-deb --root-owner-group -Zgzip -b p thing_1.deb
	echo "build $?"
	sha256sum thing_1.deb
	control 2 >p/DEBIAN/control
	rm p/usr/share/thing/f7
	echo more >>p/usr/share/thing/f8
	find p -exec touch -h -d @1500000000 {} +
	dpkg-deb --root-owner-group -Zxz -b p thing_2.deb
	sha256sum thing_2.deb
	dpkg-deb -I thing_1.deb
	dpkg-deb -c thing_2.deb | sha256sum
	dpkg-deb -x thing_1.deb x && dpkg-deb -e thing_1.deb e && dpkg-deb --fsys-tarfile thing_1.deb | tar -t | wc -l
	root=$PWD/root
	mkdir -p root/var/lib/dpkg/{info,updates,triggers} root/var/log
	: >root/var/lib/dpkg/status
	: >root/var/lib/dpkg/available
	for i in thing_1.deb thing_2.deb; do
		dpkg --root="$root" --force-script-chrootless --force-not-root --log="$PWD/log" -i $i 2>&1
		echo "install $?"
		sha256sum 2>/dev/null <"$root/usr/share/thing/f7"
	done
	dpkg --root="$root" -V thing
	dpkg --root="$root" -L thing | wc -l
	dpkg --root="$root" --force-script-chrootless --log="$PWD/log" -r thing 2>&1
	find root -path '*thing*'
	dpkg --root="$root" --force-script-chrootless --log="$PWD/log" -P thing 2>&1
	find root -path '*thing*'
	cut -d' ' -f3- log
}
compare
