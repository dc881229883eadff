#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Java: compiled and run on the export from classes and from a jar; channels, mapped buffers, locks, walks, a watcher, a socket with a path.
. "$(dirname "$0")/apps.sh"
needs openjdk-17-jdk-headless java javac jar
app_tree=none

app()
{
	export HOME=$PWD
	cat >Main.java <<-'JAVA'
	import java.io.*;
	import java.net.*;
	import java.nio.*;
	import java.nio.channels.*;
	import java.nio.file.*;
	import java.util.*;
	import java.util.concurrent.*;
	import java.util.stream.*;

	public class Main {
		static void files() throws Exception {
			Path d = Files.createDirectories(Path.of("a/b/c"));
			for (int i = 0; i < 30; i++)
				Files.writeString(d.resolve("f" + i), "line\n".repeat(i * 50));
			try (Stream<Path> s = Files.walk(Path.of("a"))) {
				System.out.println(s.filter(Files::isRegularFile).mapToLong(p -> p.toFile().length()).sum());
			}
			Files.move(d.resolve("f1"), Path.of("a/moved"), StandardCopyOption.ATOMIC_MOVE);
			Files.copy(Path.of("a/moved"), Path.of("a/copied"), StandardCopyOption.COPY_ATTRIBUTES);
			System.out.println(Files.mismatch(Path.of("a/moved"), Path.of("a/copied")) + " " + Files.getPosixFilePermissions(Path.of("a/moved")).size());
			Files.createSymbolicLink(Path.of("link"), Path.of("a/moved"));
			System.out.println(Files.isSameFile(Path.of("link"), Path.of("a/moved")) + " " + Path.of("link").toRealPath().endsWith("a/moved"));
			try { Files.delete(Path.of("a")); } catch (DirectoryNotEmptyException e) { System.out.println("not empty"); }
			try { Files.newInputStream(Path.of("nothing")); } catch (NoSuchFileException e) { System.out.println("no such file"); }
		}

		static void channels() throws Exception {
			try (FileChannel c = FileChannel.open(Path.of("mapped"), StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
				MappedByteBuffer m = c.map(FileChannel.MapMode.READ_WRITE, 0, 1 << 20);
				for (int i = 0; i < 1 << 18; i++)
					m.putInt(i * 4, i);
				m.force();
				ByteBuffer b = ByteBuffer.allocateDirect(4096);
				c.read(b, 8192);
				b.flip();
				System.out.println(b.getInt() + " " + c.size());
				c.write(ByteBuffer.wrap(new byte[] { 1, 2, 3, 4 }), 0);
				System.out.println(m.getInt(0));
				try (FileLock l = c.lock(0, 100, false)) {
					System.out.println(l.isValid());
					try { c.tryLock(50, 10, false); } catch (OverlappingFileLockException e) { System.out.println("overlapping"); }
				}
				try (FileChannel o = FileChannel.open(Path.of("transferred"), StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
					System.out.println(c.transferTo(0, c.size(), o) + " " + o.size());
				}
			}
			try (AsynchronousFileChannel a = AsynchronousFileChannel.open(Path.of("mapped"))) {
				ByteBuffer b = ByteBuffer.allocate(8);
				System.out.println(a.read(b, 4).get());
			}
			try (RandomAccessFile r = new RandomAccessFile("random", "rwd")) {
				r.setLength(100000);
				r.seek(99990);
				r.writeUTF("utf");
				System.out.println(r.length());
			}
		}

		static void watching() throws Exception {
			try (WatchService w = FileSystems.getDefault().newWatchService()) {
				Path d = Files.createDirectory(Path.of("watched"));
				Set<String> seen = new TreeSet<>();
				d.register(w, StandardWatchEventKinds.ENTRY_CREATE, StandardWatchEventKinds.ENTRY_DELETE, StandardWatchEventKinds.ENTRY_MODIFY);
				Files.writeString(d.resolve("x"), "x");
				Files.delete(d.resolve("x"));
				while (seen.size() < 3) {
					WatchKey k = w.poll(10, TimeUnit.SECONDS);
					if (k == null)
						break;
					for (WatchEvent<?> e : k.pollEvents())
						seen.add(e.kind() + " " + e.context());
					k.reset();
				}
				System.out.println(seen);
			}
		}

		static void sockets() throws Exception {
			Path p = Path.of("sock").toAbsolutePath();
			UnixDomainSocketAddress address = UnixDomainSocketAddress.of(p);
			try (ServerSocketChannel s = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
				s.bind(address);
				Thread t = new Thread(() -> {
					try (SocketChannel c = SocketChannel.open(address)) { c.write(ByteBuffer.wrap("hello".getBytes())); } catch (IOException e) { System.out.println(e); }
				});
				t.start();
				try (SocketChannel c = s.accept()) {
					ByteBuffer b = ByteBuffer.allocate(100);
					c.read(b);
					System.out.println(new String(b.array(), 0, b.position()) + " " + s.getLocalAddress().equals(address));
				}
				t.join();
			}
			Files.delete(p);
		}

		static void threads() throws Exception {
			ExecutorService ex = Executors.newFixedThreadPool(8);
			List<Future<Long>> l = new ArrayList<>();
			for (int i = 0; i < 40; i++) {
				int n = i;
				l.add(ex.submit(() -> { Path p = Path.of("t" + n); Files.write(p, new byte[n * 1000]); return Files.size(p); }));
			}
			long sum = 0;
			for (Future<Long> f : l)
				sum += f.get();
			ex.shutdown();
			System.out.println(sum);
			Process p = new ProcessBuilder("sh", "-c", "pwd; wc -l <Main.java >lines; exit 3").redirectErrorStream(true).start();
			System.out.println(new String(p.getInputStream().readAllBytes()).trim().equals(Path.of("").toAbsolutePath().toString()) + " " + p.waitFor());
		}

		public static void main(String[] args) throws Exception {
			files();
			channels();
			watching();
			sockets();
			threads();
			System.out.println(Main.class.getResource("Main.class").getProtocol());
		}
	}
	JAVA
	javac -J-XX:TieredStopAtLevel=1 -d classes Main.java
	echo "javac $?"
	mkdir two
	jar cfe main.jar Main -C classes .
	echo "jar $?"
	cp Main.java two
	(cd two && java -XX:TieredStopAtLevel=1 -jar ../main.jar 2>&1)
	echo "java $?"
	java -XX:TieredStopAtLevel=1 -Xshare:dump -XX:SharedArchiveFile=cds.jsa >/dev/null 2>&1
	echo "archive $?"
	java -XX:TieredStopAtLevel=1 -Xshare:on -XX:SharedArchiveFile=cds.jsa -version 2>&1 | grep -o sharing
	find . -name 'hs_err*'
}
compare
