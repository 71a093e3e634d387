"""Sound files as bytes: which container it is, and whether all is there that its header promises.

libsndfile reads what it finds and says nothing of what is missing, so the outer structure of every
container that is read here is walked first. *Conventions*: `whole` takes a file's bytes and gives
them back, sizes filled in where a stream's header left a placeholder; a file that is cut short,
or holds more than its header tells, is refused with `Broken`.

Sources: RIFF (Microsoft 1991), RF64 (EBU Tech 3306), Sony Wave64, AIFF 1.3, Sun/NeXT AU, RFC 9639
(FLAC), RFC 3533 (Ogg), ISO 11172-3 and 13818-3 (MPEG audio); the Xing, Info and VBRI headers of MP3
as their encoders write them.
"""

from __future__ import annotations

import functools
import struct
from dataclasses import dataclass

WAV, RF64, W64, AIFF, AU, FLAC, OGG, MP3 = "WAV", "RF64", "W64", "AIFF", "AU", "FLAC", "OGG", "MP3"
READ = (WAV, FLAC, OGG, MP3, RF64, W64, AIFF, AU)


class Broken(ValueError):
    """A file that is not whole or not known: words that go on from its name."""


_STRAY_BYTES = 8
_SECTOR = 4096
_LONGEST_FRAME = 1500
_EMPTY_ID3 = b"ID3\x04\0\0\0\0\0\x0a" + bytes(10)
"""Put before MPEG audio: libsndfile 1.2 finds it in memory only behind one."""
_W64_GUID = b"\xf3\xac\xd3\x11\x8c\xd1\x00\xc0\x4f\x8e\xdb\x8a"
_FOREIGN = (
    (0, b"caff", "CAF"),
    (4, b"ftyp", "MP4 or M4A"),
    (0, b"\x1aE\xdf\xa3", "WebM or Matroska"),
    (0, b"NIST_1A", "NIST SPHERE"),
    (0, b"Creative Voice File", "VOC"),
    (0, b"PVF1", "PVF"),
    (0, b"FORM", "IFF"),
    (0, b"RIFF", "RIFF other than WAV"),
    (0, b"0&\xb2u", "WMA"),
    (0, b"#!AMR", "AMR"),
    (0, b"\x64\xa3", "IRCAM"),
    (0, b" paf", "PAF"),
    (0, b"fap ", "PAF"),
    (0, b"MATLAB", "MAT5"),
    (0, b"Extended Instrument", "XI"),
    (0, b"2BIT", "AVR"),
    (0, b"ALawSoundFile", "WVE"),
    (0, b"\xf0\x7e", "SDS"),
)


def kind(data: bytes) -> str:
    """The container by its first bytes, one of `READ`; `Broken` names any other."""
    head = data[:12]
    if head[:4] in (b"RIFF", b"RIFX") and head[8:] == b"WAVE":
        return WAV
    if head[:4] in (b"RF64", b"BW64") and head[8:] == b"WAVE":
        return RF64
    if head[:12] == b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb":
        return W64
    if head[:4] == b"FORM" and head[8:] in (b"AIFF", b"AIFC"):
        return AIFF
    if head[:4] in (b".snd", b"dns."):
        return AU
    start = _after_id3(data)
    if data[start : start + 4] == b"fLaC":
        return FLAC
    if head[:4] == b"OggS":
        return OGG
    if _mpeg_frame(data, start) is not None:
        return MP3
    name = next((name for at, magic, name in _FOREIGN if data[at:].startswith(magic)), "")
    raise Broken(f"is {f'of the container {name}' if name else 'no sound file that is known here'}")


def whole(data: bytes) -> bytes:
    """The bytes of a file that is all there; see the module."""
    walk = {
        WAV: _riff,
        RF64: _riff,
        W64: _w64,
        AIFF: _aiff,
        AU: _au,
        FLAC: _flac,
        OGG: _ogg,
        MP3: _mp3,
    }
    try:
        return walk[kind(data)](data)
    except (struct.error, IndexError):
        raise _cut("it ends within its header") from None


def _cut(what: str) -> Broken:
    return Broken(f"is cut short: {what}; give a whole file")


def _tells_less(declared: int, there: int) -> Broken:
    return Broken(
        f"holds more than its header tells ({declared} of {there} bytes of sound); write it again "
        "with a true header"
    )


def _is_placeholder(size: int, bits: int = 32) -> bool:
    """True of a size that programs write before they know it: zero, or close to the largest
    number of a signed or unsigned field."""
    tops = [2**31, 2**32] + ([2**63, 2**64] if bits == 64 else [])
    return size == 0 or any(top - 2**16 <= size <= top + 2**8 for top in tops)


def _is_tail(data: bytes, at: int, order: str = "<") -> bool:
    """True where what follows the samples is no sound: chunks to the end, tags, or padding."""
    while at < len(data):
        rest = data[at : at + 12]
        left = len(data) - at
        if left < _STRAY_BYTES or rest[:3] in (b"TAG", b"ID3") or rest[:8] == b"APETAGEX":
            return True
        if left < _SECTOR and not any(data[at:]):
            return True
        (size,) = struct.unpack(order + "I", rest[4:8])
        if not all(32 <= byte < 127 for byte in rest[:4]) or size > left - 8:
            return False
        at += 8 + size + (size & 1)
    return True


@dataclass(frozen=True)
class _Sizes:
    """Where the samples lie and how long the header says they are."""

    start: int
    declared: int
    there: int


def _sound_bytes(data: bytes, start: int, declared: int, order: str, bits: int = 32) -> _Sizes:
    """Compare a declared length with what is there; `declared` comes back filled in where it was a
    placeholder."""
    there = len(data) - start
    if _is_placeholder(declared, bits) and not (declared == 0 and _is_tail(data, start, order)):
        return _Sizes(start, there, there)
    if declared > there:
        raise _cut(f"{declared} bytes of sound are promised, {there} are there")
    if not _is_tail(data, start + declared + (declared & 1), order):
        raise _tells_less(declared, there)
    return _Sizes(start, declared, there)


def _riff(data: bytes) -> bytes:
    """WAV, RIFX and RF64."""
    order = ">" if data[:4] == b"RIFX" else "<"
    at, long_size = 12, None
    while at + 8 <= len(data):
        name, size = data[at : at + 4], struct.unpack_from(order + "I", data, at + 4)[0]
        if name == b"ds64":
            long_size = struct.unpack_from("<Q", data, at + 16)[0]
        if name == b"data":
            return _riff_data(data, at, size, long_size, order)
        at += 8 + size + (size & 1)
    raise _cut("it ends before its sound")


def _riff_data(data: bytes, at: int, size: int, long_size: int | None, order: str) -> bytes:
    is_long = long_size is not None and size == 0xFFFFFFFF
    declared = long_size if is_long and long_size is not None else size
    sizes = _sound_bytes(data, at + 8, declared, order, 64 if is_long else 32)
    if sizes.declared == declared:
        return data
    mended = bytearray(data)
    if is_long:
        place = data.index(b"ds64") + 8
        struct.pack_into("<QQ", mended, place, len(data) - 8, sizes.declared)
        return bytes(mended)
    struct.pack_into(order + "I", mended, 4, min(len(data) - 8, 0xFFFFFFFF))
    struct.pack_into(order + "I", mended, at + 4, sizes.declared)
    return bytes(mended)


def _w64(data: bytes) -> bytes:
    """Sony Wave64: names of 16 bytes, sizes of 8 that count the 24 bytes of a chunk's head."""
    at = 40
    while at + 24 <= len(data):
        size = struct.unpack_from("<Q", data, at + 16)[0]
        if data[at : at + 4] == b"data":
            return _w64_data(data, at, size)
        at += max(24, -(-size // 8) * 8)
    raise _cut("it ends before its sound")


def _w64_data(data: bytes, at: int, size: int) -> bytes:
    there = len(data) - at - 24
    if size == 24 or _is_placeholder(size, 64):
        mended = bytearray(data)
        struct.pack_into("<Q", mended, 16, len(data))
        struct.pack_into("<Q", mended, at + 16, there + 24)
        return bytes(mended)
    if size - 24 > there:
        raise _cut(f"{size - 24} bytes of sound are promised, {there} are there")
    behind = at + -(-size // 8) * 8
    named = data[behind + 4 : behind + 16] == _W64_GUID
    if len(data) - behind >= _STRAY_BYTES and not named and any(data[behind:]):
        raise _tells_less(size - 24, there)
    return data


def _aiff(data: bytes) -> bytes:
    """AIFF and AIFC: frames stand in COMM, bytes in SSND; either may be first."""
    at, common, sound = 12, -1, None
    while at + 8 <= len(data):
        name, size = data[at : at + 4], struct.unpack_from(">I", data, at + 4)[0]
        if name == b"COMM":
            common = at
        if name == b"SSND":
            # 8 bytes of offset and block size stand before the samples and are counted.
            declared = size if _is_placeholder(size) or size < 8 else size - 8
            sound = at, size, _sound_bytes(data, at + 16, declared, ">")
            if _is_placeholder(size):
                break
        at += 8 + size + (size & 1)
    if common < 0 or sound is None:
        raise _cut("it ends before its sound")
    return _aiff_mended(data, common, *sound)


def _aiff_mended(data: bytes, common: int, at: int, size: int, sizes: _Sizes) -> bytes:
    channels, frames, bits = struct.unpack_from(">hIh", data, common + 8)
    coding = data[common + 26 : common + 30] if data[8:12] == b"AIFC" else b"NONE"
    wide = {
        b"NONE": (bits + 7) // 8,
        b"sowt": (bits + 7) // 8,
        b"twos": (bits + 7) // 8,
        b"fl32": 4,
        b"FL32": 4,
        b"fl64": 8,
        b"FL64": 8,
        b"ulaw": 1,
        b"alaw": 1,
        b"in24": 3,
        b"in32": 4,
    }.get(coding, 0) * channels
    there = sizes.declared // wide if wide > 0 else frames
    if _is_placeholder(size) or _is_placeholder(frames):
        mended = bytearray(data)
        struct.pack_into(">I", mended, 4, len(data) - 8)
        struct.pack_into(">I", mended, common + 10, there)
        struct.pack_into(">I", mended, at + 4, sizes.declared + 8)
        return bytes(mended)
    if frames > there:
        raise _cut(f"{frames} samples are promised, {there} are there")
    if frames < there:
        raise _tells_less(frames * wide, sizes.declared)
    return data


def _au(data: bytes) -> bytes:
    order = ">" if data[:4] == b".snd" else "<"
    start, declared = struct.unpack_from(order + "II", data, 4)
    sizes = _sound_bytes(data, start, declared, order)
    if sizes.declared == declared:
        return data
    mended = bytearray(data)
    struct.pack_into(order + "I", mended, 8, sizes.declared)
    return bytes(mended)


def _after_id3(data: bytes) -> int:
    """The first byte behind ID3v2 tags at the start."""
    at = 0
    while data[at : at + 3] == b"ID3" and len(data) >= at + 10:
        sizes = data[at + 6 : at + 10]
        at += 10 + sum((byte & 127) << (7 * k) for k, byte in enumerate(reversed(sizes)))
    return at


def _before_tags(data: bytes) -> int:
    """The first byte of the tags at the end of an MP3 or FLAC file."""
    end = len(data)
    if data[end - 128 : end - 125] == b"TAG":
        end -= 128
    if data[max(0, end - 32) : end - 24] == b"APETAGEX":
        size, _, flags = struct.unpack_from("<III", data, end - 20)
        end -= size + (32 if flags >> 31 else 0)
    return max(0, end)


def _flac(data: bytes) -> bytes:
    """FLAC: the last frame says where the sound ends; STREAMINFO must say the same, or nothing."""
    head = _after_id3(data)
    info = head + 8
    packed = int.from_bytes(data[info + 10 : info + 18], "big")
    declared, at, last = packed & (2**36 - 1), head + 4, False
    while not last:
        last = bool(data[at] & 0x80)
        at += 4 + int.from_bytes(data[at + 1 : at + 4], "big")
    total = _flac_total(data, at, int.from_bytes(data[info : info + 2], "big"))
    if declared == 0:
        mended = bytearray(data)
        mended[info + 10 : info + 18] = ((packed >> 36 << 36) | total).to_bytes(8, "big")
        return bytes(mended)
    if declared > total:
        raise _cut(f"{declared} samples are promised, {total} are there")
    if declared < total:
        raise _tells_less(declared, total)
    return data


def _flac_total(data: bytes, first: int, block: int) -> int:
    """Samples up to the end of the last frame, which must end where the file does: its checksum
    over all bytes from its sync code on is then zero."""
    end = _before_tags(data)
    at = end
    while at > first:
        at = data.rfind(b"\xff", first, at)
        if at < 0:
            break
        if data[at + 1 : at + 2] in (b"\xf8", b"\xf9"):
            number, n_samples = _flac_header(data, at)
            if n_samples and _crc(data[at:end], 16, 0x8005) == 0:
                return (number if data[at + 1] & 1 else number * block) + n_samples
        if end - at > 2**21:
            break
    raise _cut("its last frame is not all there")


def _flac_header(data: bytes, at: int) -> tuple[int, int]:
    """(number of the frame or of its first sample, its samples) of a frame header; (0, 0) where
    there is none."""
    head = data[at : at + 16] + bytes(16)
    code, first = head[2] >> 4, head[4]
    n_bytes = max(1, 8 - (first ^ 0xFF).bit_length())  # coded as UTF-8 codes a character
    number = first if first < 0x80 else first & (0x7F >> n_bytes)
    for byte in head[5 : 4 + n_bytes]:
        number = number << 6 | (byte & 0x3F)
    place = 4 + n_bytes
    size = {6: 1, 7: 2}.get(code, 0)
    n = int.from_bytes(head[place : place + size], "big") + 1
    place += size + {12: 1, 13: 2, 14: 2}.get(head[2] & 15, 0)
    if code == 0 or _crc(head[:place], 8, 0x07) != head[place]:
        return 0, 0
    if code == 1:
        return number, 192
    if size:
        return number, n
    return number, 576 << (code - 2) if code < 6 else 256 << (code - 8)


def _crc(data: bytes, bits: int, polynomial: int) -> int:
    """Cyclic redundancy check, most significant bit first, starting at zero."""
    table = _crc_table(bits, polynomial)
    crc, mask = 0, (1 << bits) - 1
    for byte in data:
        crc = (crc << 8 & mask) ^ table[(crc >> (bits - 8)) ^ byte]
    return crc


@functools.cache
def _crc_table(bits: int, polynomial: int) -> list[int]:
    table, top = [], 1 << (bits - 1)
    for byte in range(256):
        crc = byte << (bits - 8)
        for _ in range(8):
            crc = (crc << 1 ^ polynomial if crc & top else crc << 1) & ((1 << bits) - 1)
        table.append(crc)
    return table


def _ogg(data: bytes) -> bytes:
    """Ogg: pages without a gap, and the last page of every stream marked as its last."""
    at = 0
    pages: dict[int, int] = {}
    is_open: dict[int, bool] = {}
    while at < len(data) and any(data[at : at + _SECTOR]):
        if data[at : at + 4] != b"OggS":
            raise Broken(f"is damaged: no page begins at byte {at}; give a whole file")
        flags, serial, page = struct.unpack_from("<5xB8xII", data, at)
        n = data[at + 26]
        at += 27 + n + sum(data[at + 27 : at + 27 + n])
        if at > len(data):
            raise _cut("its last page is not there")
        if pages and flags & 2 and not any(is_open.values()):
            raise Broken("holds several streams one after another; give one of them")
        if serial in pages and page != pages[serial] + 1:
            raise Broken(f"is damaged: page {pages[serial] + 1} is missing; give a whole file")
        pages[serial], is_open[serial] = page, not flags & 4
    if not pages or any(is_open.values()):
        raise _cut("its last page is not there")
    return data


_RATES_HZ = (44_100, 48_000, 32_000)
_KBIT = {
    (1, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (1, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (1, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
"""Bit rates by (MPEG version, layer); version 2 has one table for layers 2 and 3."""


def _mpeg_frame(data: bytes, at: int) -> int | None:
    """Bytes of the MPEG audio frame that begins at `at`; None where none does. Frames of free
    format, whose length no header tells, are none."""
    head = data[at : at + 4]
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    version, layer = head[1] >> 3 & 3, 4 - (head[1] >> 1 & 3)
    rate, kbit, pad = head[2] >> 2 & 3, head[2] >> 4, head[2] >> 1 & 1
    if version == 1 or layer == 4 or rate == 3 or kbit in (0, 15):
        return None
    family = 1 if version == 3 else 2
    rate_hz = _RATES_HZ[rate] // {3: 1, 2: 2, 0: 4}[version]
    bits = 1000 * _KBIT[family, layer if family == 1 else min(layer, 2)][kbit - 1]
    if layer == 1:
        return (12 * bits // rate_hz + pad) * 4
    return (72 if family == 2 and layer == 3 else 144) * bits // rate_hz + pad


def _mp3(data: bytes) -> bytes:
    """MPEG audio: every frame whole, as many as the Xing, Info or VBRI header says, if there is
    one. Without such a header a cut exactly between two frames cannot be told."""
    at, end = _after_id3(data), _before_tags(data)
    first, n_frames = at, 0
    while at + 4 <= end and (length := _mpeg_frame(data, at)) is not None:
        at, n_frames = at + length, n_frames + 1
    if at > end or data[at : min(at + 1, end)] == b"\xff":
        raise _cut("its last frame is not all there")
    if end - at >= _LONGEST_FRAME and any(data[at:end]):
        raise Broken(f"is damaged: no frame begins at byte {at}; give a whole file")
    declared = _mp3_frames(data[first : first + 200])
    if declared is None or n_frames - 1 == declared or n_frames == declared:
        is_layer_3 = data[first + 1] >> 1 & 3 == 1
        counted = b""
        if is_layer_3 and declared is None:
            counted = _info_frame(data[first : first + 4], n_frames)
        return _EMPTY_ID3 + counted + data[first:]
    if declared > n_frames - 1:
        raise _cut(f"{declared} frames are promised, {n_frames - 1} are there")
    raise Broken(
        f"holds more than its header tells ({declared} of {n_frames - 1} frames); write it again"
    )


def _info_frame(head: bytes, n_frames: int) -> bytes:
    """A silent frame of 64 kbit/s that tells how many follow. Without one libsndfile guesses the
    length from the first frames' bit rate, and reads no further."""
    version, mono = head[1] >> 3 & 3, head[3] >> 6 == 3
    kbit = 5 if version == 3 else 8
    plain = bytes([0xFF, head[1] | 1, kbit << 4 | head[2] & 0x0C, head[3]])
    side = {(True, False): 32, (False, True): 9}.get((version == 3, mono), 17)
    frame = plain + bytes(side) + b"Info" + struct.pack(">II", 1, n_frames)
    return frame + bytes((_mpeg_frame(plain, 0) or 0) - len(frame))


def _mp3_frames(head: bytes) -> int | None:
    """Frames that the first frame's Xing, Info or VBRI header tells, None where it tells none."""
    for name in (b"Xing", b"Info"):
        at = head.find(name)
        if at > 0 and head[at + 7] & 1:
            return int.from_bytes(head[at + 8 : at + 12], "big")
    at = head.find(b"VBRI")
    return int.from_bytes(head[at + 14 : at + 18], "big") if at > 0 else None
