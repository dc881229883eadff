#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Turns what the recorders have written into inputs of the fuzz targets: record.py REQUESTS MESSAGES DIRECTORY."""
import hashlib
import os
import re
import struct
import sys

LISTEN, LINK_OF_SESSION = 7, 8  # watched descriptors, counted from the youngest (supervisor.c)
STATUS = "Name:\t%s\nUid:\t%d\t%d\t%d\t%d\nGid:\t%d\t%d\t%d\t%d\nCapEff:\t%016x\nCapAmb:\t0000000000000000\n"
LIMITS = b"Max processes             100                  200                  processes\nMax open files            1024                 4096                 files\n"
ATTACH, AREAS, LINK_FIRST = 2, 3, 256


USUAL = bytes(64)  # answers at the end of an input: everything goes as usual


def save(directory, target, data):
    os.makedirs(f"{directory}/{target}", exist_ok=True)
    with open(f"{directory}/{target}/{hashlib.sha1(data).hexdigest()[:16]}", "wb") as f:
        f.write(data)


def requests(path, directory):
    data, at = open(path, "rb").read(), 0
    while (at := data.find(b"FZRC", at)) >= 0:
        size = struct.unpack("<I", data[at + 4:at + 8])[0]
        one = data[at + 8:at + 8 + size]
        save(directory, "request", one)
        save(directory, "request", bytes([one[0] | 1]) + one[1:])  # what has been read changes
        at += 8 + size


class Message:
    def __init__(self, line):
        f = line.split(" ")
        self.pid, self.sock, self.type, self.status, self.serial, self.fds = (int(x) for x in f[1:7])
        self.args = [int(x, 16) for x in f[7:13]]
        self.text = bytes.fromhex(f[13].strip()) if len(f) > 13 else b""

    def data(self):
        shape = (16 if self.text else 0) | (32 if self.status else 0)
        mask = sum(1 << i for i, a in enumerate(self.args) if a)
        out = struct.pack("<BHBB", shape, self.type, self.fds, mask)
        out += b"".join(struct.pack("<Q", a) for a in self.args if a)
        if self.text:
            out += struct.pack("<H", len(self.text)) + self.text
        if self.status:
            out += struct.pack("<iI", self.status, self.serial)
        return out + bytes(self.fds)  # all of the first kind: as they must be


def shadows(messages, directory):
    for pid in {m.pid for m in messages if m.sock == 4}:
        said = [m for m in messages if m.pid == pid and m.sock in (3, 4)][:12]
        save(directory, "control", b"\0" + b"".join(
            bytes([m.sock == 3]) + m.data() for m in said if not (m.sock == 3 and m.type in (LINK_FIRST, LINK_FIRST + 1))) + USUAL)


def status(user, name, caps=0):
    text = (STATUS % ((name,) + (user,) * 8 + (caps,))).encode()
    return b"".join(struct.pack("<H", len(t)) + t for t in (text, LIMITS))


def supervisors(messages, directory):
    fresh = [m for m in messages if m.sock > 4 and m.type < LINK_FIRST]
    links = [m for m in messages if m.sock > 4 and m.type > LINK_FIRST + 1]
    for m in fresh:
        save(directory, "supervisor", bytes([0, LISTEN, 0, 0]) + m.data() + status(1000, "peer") + USUAL)
    for who, user in ((0, 1000), (1, 0), (2, 1001)):
        begin = bytes([0, LISTEN, who, 0]) + next(m for m in fresh if m.type == ATTACH).data() + status(user, "a", user == 0 and 0x1ff)
        for i in range(0, len(links), 3):
            save(directory, "supervisor", begin + b"".join(bytes([LINK_OF_SESSION]) + m.data() for m in links[i:i + 3]) + USUAL)


def main():
    requests(sys.argv[1], sys.argv[3])
    lines = re.findall(r"^FZRC .*$", open(sys.argv[2], errors="replace").read(), re.M)
    messages = [Message(x) for x in lines]
    shadows(messages, sys.argv[3])
    supervisors(messages, sys.argv[3])
    save(sys.argv[3], "status", open("/proc/self/status", "rb").read())
    save(sys.argv[3], "status", open("/proc/self/limits", "rb").read())
    save(sys.argv[3], "status", status(1000, "peer", 0x1ff)[2:])


main()
