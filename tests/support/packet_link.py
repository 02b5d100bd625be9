"""A bad line between two network namespaces, packet by packet, so that TCP meets what it meets in
the field: a rate, a delay, lost packets, a short queue, and hours when nothing passes.

    near, far = Namespace(), Namespace()
    with PacketLink(near, far) as link:     # 10.77.0.1 in `near`, 10.77.0.2 in `far`
        with far.entered():
            ...                             # sockets and processes made here live in `far`
        link.become(rate=64000, rtt_ms=600, loss=0.03)
        link.go_up_and_down(up=240, down=360)

It needs root, /dev/net/tun and iproute2's `ip`; Unavailable is raised where one is missing. No
name is left on the machine: a namespace ends with what lives in it.
"""

import collections
import contextlib
import ctypes
import errno
import fcntl
import os
import random
import select
import struct
import subprocess
import threading
import time

CLONE_NEWNET = 0x40000000
TUNSETIFF = 0x400454CA
IFF_TUN = 0x0001
IFF_NO_PI = 0x1000
PACKET = 1500          # bytes of IP, the largest
QUEUED_PACKETS = 50    # that wait to leave; one more is dropped


class Unavailable(Exception):
    """Network namespaces or TUN devices are not to be had here; the sentence says what."""


def system_call(name, *arguments):
    library = ctypes.CDLL(None, use_errno=True)
    if getattr(library, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise Unavailable(f"{name}: {os.strerror(number)}")


def own_namespace():
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY)


class Namespace:
    """A network of its own, with its own loopback."""

    def __init__(self):
        home = own_namespace()
        try:
            system_call("unshare", CLONE_NEWNET)
            self.handle = own_namespace()
        finally:
            with contextlib.suppress(Unavailable):
                system_call("setns", home, CLONE_NEWNET)
            os.close(home)
        self.run("ip", "link", "set", "lo", "up")

    @contextlib.contextmanager
    def entered(self):
        """Sockets and processes that this thread makes inside belong to the namespace."""
        home = own_namespace()
        system_call("setns", self.handle, CLONE_NEWNET)
        try:
            yield
        finally:
            system_call("setns", home, CLONE_NEWNET)
            os.close(home)

    def run(self, *words):
        try:
            with self.entered():
                subprocess.run(words, check=True, capture_output=True, text=True)
        except FileNotFoundError:
            raise Unavailable(f"there is no {words[0]} here") from None
        except subprocess.CalledProcessError as failed:
            raise Unavailable(f"{' '.join(words)}: {failed.stderr.strip()}") from None

    def device(self, address, peer):
        """The end of the line in here; what is written to the file comes out of the device."""
        with self.entered():
            try:
                file = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
                fcntl.ioctl(file, TUNSETIFF, struct.pack("16sH14x", b"line", IFF_TUN | IFF_NO_PI))
            except OSError as error:
                raise Unavailable(f"/dev/net/tun: {error.strerror}") from None
        self.run("ip", "address", "add", address, "peer", peer, "dev", "line")
        self.run("ip", "link", "set", "line", "mtu", str(PACKET), "up")
        return file


class Timetable:
    """When the line is up: always, until it goes up and down."""

    def __init__(self):
        self.begun = None
        self.up = self.down = 0.0

    def is_up(self, now):
        return self.begun is None or (now - self.begun) % (self.up + self.down) < self.up

    def left(self, now):
        """Seconds until the line goes up or down the next time."""
        at = (now - self.begun) % (self.up + self.down)
        return self.up - at if at < self.up else self.up + self.down - at

    def stays_up(self, now):
        """For how many seconds from now on."""
        if self.begun is None:
            return float("inf")
        return self.left(now) if self.is_up(now) else 0

    def up_between(self, begin, end):
        """How many seconds of these the line was up."""
        if self.begun is None:
            return end - begin

        def until(moment):
            whole, at = divmod(moment - self.begun, self.up + self.down)
            return whole * self.up + min(at, self.up)
        return until(end) - until(begin)


class Direction:
    """What goes one way: waits to leave, is on its way, arrives."""

    def __init__(self, link, source, sink):
        self.link = link
        self.source = source
        self.sink = sink
        self.free_at = 0.0
        self.under_way = collections.deque()  # (leaves, arrives, packet)
        self.packets = self.bytes = self.lost = 0

    def take(self, now):
        with contextlib.suppress(BlockingIOError):
            while True:
                self.send(os.read(self.source, 65536), now)

    def send(self, packet, now):
        waiting = sum(1 for leaves, _, _ in self.under_way if leaves > now)
        if not self.link.timetable.is_up(now) or waiting >= QUEUED_PACKETS:
            self.lost += 1
            return
        seconds = len(packet) * 8 / self.link.rate if self.link.rate else 0
        self.free_at = max(self.free_at, now) + seconds
        self.packets += 1
        self.bytes += len(packet)
        # What is lost on its way has taken its time on the line all the same.
        if self.link.random.random() < self.link.loss:
            self.lost += 1
            return
        self.under_way.append((self.free_at, self.free_at + self.link.rtt / 2, packet))

    def deliver(self, now):
        while self.under_way and self.under_way[0][1] <= now:
            packet = self.under_way.popleft()[2]
            if not self.link.timetable.is_up(now):
                self.lost += 1
                continue
            try:
                os.write(self.sink, packet)
            except OSError as error:
                if error.errno not in (errno.EIO, errno.EAGAIN):
                    raise

    def due(self):
        return self.under_way[0][1] if self.under_way else None

    def passed(self):
        """Bytes that have left on the line, those lost on it too; not what still waits."""
        waiting = max(0.0, self.free_at - time.monotonic()) * self.link.rate / 8
        return self.bytes - int(waiting)


class PacketLink:
    """Carries packets between two namespaces, in a thread of its own."""

    def __init__(self, near, far, seed=1):
        self.rate = self.rtt = self.loss = 0
        self.random = random.Random(seed)
        self.timetable = Timetable()
        self.near_address, self.far_address = "10.77.0.1", "10.77.0.2"
        self.files = [near.device(self.near_address, self.far_address),
                      far.device(self.far_address, self.near_address)]
        self.up = Direction(self, self.files[1], self.files[0])    # from far to near
        self.down = Direction(self, self.files[0], self.files[1])
        self.ended = os.eventfd(0)
        self.thread = threading.Thread(target=self.carry)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        os.eventfd_write(self.ended, 1)
        self.thread.join()
        for file in [*self.files, self.ended]:
            os.close(file)

    def become(self, rate, rtt_ms, loss):
        self.rate, self.rtt, self.loss = rate, rtt_ms / 1000, loss

    def go_up_and_down(self, up, down):
        table = Timetable()
        table.begun, table.up, table.down = time.monotonic(), up, down
        self.timetable = table

    def stay_up(self):
        self.timetable = Timetable()

    def carry(self):
        poll = select.poll()
        for file in [*self.files, self.ended]:
            poll.register(file, select.POLLIN)
        while True:
            due = [way.due() for way in (self.up, self.down) if way.due() is not None]
            wait = max(0.0, min(due) - time.monotonic()) * 1000 if due else None
            if any(file == self.ended for file, _ in poll.poll(wait)):
                return
            now = time.monotonic()
            for way in (self.up, self.down):
                way.take(now)
                way.deliver(now)
