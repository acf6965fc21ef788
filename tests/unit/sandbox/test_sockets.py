"""What is queued at sockets, from the kernel's lists."""

from __future__ import annotations

from holdfast.sandbox.sockets import held_bytes, queued

LIST = b"""\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  0 0 11 1 0000 100 0 0
   1: 0100007F:1F91 0100007F:1F90 01 00000010:00100000 00:00000000 00000000  0 0 22 1 0000 20 4 30
   2: 0100007F:1F92 0100007F:1F90 01 00000000:00200000 00:00000000 00000000  0 0 33 1 0000 20 4 30
broken
"""


def test_both_queues_of_own_sockets_are_counted() -> None:
    assert queued(LIST, [b"22", b"11"]) == 0x100010
    assert queued(LIST, [b"44"]) == 0
    assert queued(b"", [b"22"]) == 0


def test_a_process_that_is_gone_has_none() -> None:
    assert held_bytes([2**22 + 1]) == 0
