#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Cargo: a package made, built, tested, changed and built again, without network and crates; the program and its build script run on the export.
. "$(dirname "$0")/apps.sh"
needs "cargo rustc" cargo rustc gcc
app_tree=none
app_limit=120

app()
{
	# where rustup, if it is rustup's cargo, has its own things
	export RUSTUP_HOME=${RUSTUP_HOME:-$HOME/.rustup} CARGO_HOME=$PWD/cargo CARGO_NET_OFFLINE=true CARGO_TERM_PROGRESS_WHEN=never CARGO_BUILD_JOBS=2
	export CARGO_TERM_QUIET=true
	cargo new --vcs none prog
	echo "new $?"
	cd prog || return
	cat >build.rs <<-'RS'
	use std::{env, fs, path::Path};
	fn main() {
		let out = env::var("OUT_DIR").unwrap();
		fs::write(Path::new(&out).join("made.rs"), "pub const MADE: u32 = 42;").unwrap();
		println!("cargo:rerun-if-changed=build.rs");
	}
	RS
	cat >src/main.rs <<-'RS'
	mod part;
	include!(concat!(env!("OUT_DIR"), "/made.rs"));
	fn main() {
		let n: u64 = std::fs::read_dir("src").unwrap().map(|e| e.unwrap().metadata().unwrap().len()).sum();
		println!("{} {} {}", part::double(MADE), n > 0, std::env::current_exe().unwrap().ends_with("target/debug/prog"));
	}
	#[test]
	fn doubles() { assert_eq!(part::double(2), 4); }
	RS
	echo 'pub fn double(x: u32) -> u32 { x * 2 }' >src/part.rs
	cargo build 2>&1
	echo "build $?"
	./target/debug/prog
	cargo run 2>&1
	echo 'pub fn double(x: u32) -> u32 { x * 2 + 1 }' >src/part.rs
	cargo run 2>&1
	cargo test 2>&1 | grep -e '^test ' -e '^test result' | sed 's/; finished.*//'
	echo 'pub fn double(x: u32) -> u32 { y }' >src/part.rs
	cargo build 2>&1 | grep '^error'
	ls target/debug
	cargo clean
	ls
}
compare
