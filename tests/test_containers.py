"""Sound files cut short are refused, whatever the container; streams without a length are read."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
import soundfile

from spectcount import clips, containers
from spectcount.errors import UserError

N = 16_000
RNG = np.random.default_rng(0)
WAVE = 0.2 * np.sin(2 * np.pi * 440 * np.arange(N) / N) + 0.02 * RNG.standard_normal(N)
FORMS = [
    ("WAV", "PCM_16"),
    ("WAV", "FLOAT"),
    ("WAV", "ULAW"),
    ("WAV", "IMA_ADPCM"),
    ("WAVEX", "PCM_24"),
    ("RF64", "PCM_16"),
    ("W64", "FLOAT"),
    ("AIFF", "PCM_16"),
    ("AIFF", "FLOAT"),
    ("AU", "PCM_16"),
    ("FLAC", "PCM_16"),
    ("FLAC", "PCM_24"),
    ("OGG", "VORBIS"),
    ("OGG", "OPUS"),
    ("MP3", "MPEG_LAYER_III"),
]
PLACEHOLDERS = [0, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x7FFFF000, 0xFFFFFFFF - 36, 0x80000000 - 2]


def encoded(form, subtype, channels=1, n=N, **options):
    file = io.BytesIO()
    samples = np.stack([WAVE[:n]] * channels, axis=1)
    soundfile.write(file, samples, 16_000, format=form, subtype=subtype, **options)
    return file.getvalue()


def put(data, at, form, value):
    changed = bytearray(data)
    struct.pack_into(form, changed, at, value)
    return bytes(changed)


@pytest.fixture
def read(tmp_path):
    """Bytes -> the clip in them, through the door of data sets."""

    def read_bytes(data, name="sound.bin"):
        path = tmp_path / name
        path.write_bytes(data)
        return clips.read(path, clips.DATA_SETS)

    return read_bytes


@pytest.mark.parametrize(("form", "subtype"), FORMS)
@pytest.mark.parametrize("channels", [1, 2])
def test_a_whole_file_is_read_and_a_cut_one_never(read, form, subtype, channels):
    data = encoded(form, subtype, channels)
    assert abs(len(read(data).waveform) - N) <= 500, "ADPCM pads its last block"
    ends = [len(data) - 1, len(data) - 9, len(data) // 2, len(data) // 2 + 1, 100, 30, 5]
    for end in [*ends, *RNG.integers(1, len(data), 12)]:
        with pytest.raises(UserError, match=r"cut short|cannot be read|of \d+ samples|damaged"):
            read(data[:end])


@pytest.mark.parametrize("endian", ["LITTLE", "BIG"])
@pytest.mark.parametrize("subtype", ["PCM_16", "FLOAT", "PCM_24"])
@pytest.mark.parametrize("size", PLACEHOLDERS)
def test_a_wav_stream_with_a_placeholder_is_read(read, endian, subtype, size):
    data = encoded("WAV", subtype, endian=endian)
    order = "<" if data[:4] == b"RIFF" else ">"
    at = data.index(b"data") + 4
    for changed in (
        put(data, at, order + "I", size),
        put(put(data, at, order + "I", size), 4, order + "I", size),
    ):
        assert np.array_equal(read(changed).waveform, read(data).waveform)


@pytest.mark.parametrize(
    ("form", "marks"),
    [
        ("RF64", [(b"ds64", 16, "<Q")]),
        ("W64", [(b"data\xf3\xac", 16, "<Q")]),
        ("AU", [(b".snd", 8, ">I")]),
        ("AIFF", [(b"SSND", 4, ">I"), (b"COMM", 10, ">I")]),
        ("AIFF", [(b"COMM", 10, ">I")]),
    ],
)
def test_streams_of_other_containers_are_read_too(read, form, marks):
    data = encoded(form, "PCM_16", endian="BIG" if form in ("AU", "AIFF") else "FILE")
    long = [2**63 - 1, 2**64 - 1] if marks[0][2] == "<Q" else []
    for size in [*PLACEHOLDERS[:4], *long]:
        changed = data
        for name, offset, pack in marks:
            changed = put(changed, data.index(name) + offset, pack, size)
        assert np.array_equal(read(changed).waveform, read(data).waveform), hex(size)


@pytest.mark.parametrize(
    ("form", "name", "offset", "pack", "per_sample"),
    [
        ("WAV", b"data", 4, "<I", 2),
        ("RF64", b"ds64", 16, "<Q", 2),
        ("W64", b"data\xf3\xac", 16, "<Q", 2),
        ("AU", b".snd", 8, ">I", 2),
        ("AIFF", b"SSND", 4, ">I", 2),
        ("AIFF", b"COMM", 10, ">I", 1),
    ],
)
def test_a_header_that_tells_less_or_more_than_there_is_is_refused(
    read, form, name, offset, pack, per_sample
):
    data = encoded(form, "PCM_16", endian="BIG" if form in ("AU", "AIFF") else "FILE")
    at = data.index(name) + offset
    for samples in (1000, N // 2, N - 100):
        with pytest.raises(UserError, match="holds more than its header tells"):
            read(put(data, at, pack, samples * per_sample))
    for samples in (N + 100, 2 * N):
        with pytest.raises(UserError, match="is cut short"):
            read(put(data, at, pack, samples * per_sample))


def flac_of(total, data):
    """A FLAC file whose header tells `total` samples."""
    packed = int.from_bytes(data[18:26], "big") >> 36 << 36 | total
    return data[:18] + packed.to_bytes(8, "big") + data[26:]


@pytest.mark.parametrize("n", [1, 15, 4095, 4096, 4097, N])
def test_the_last_frame_of_a_flac_file_says_how_long_it_is(read, n):
    data = encoded("FLAC", "PCM_16", n=n)
    stream = read(flac_of(0, data))
    assert len(stream.waveform) == n
    assert np.array_equal(stream.waveform, read(data).waveform)
    with pytest.raises(UserError, match="is cut short"):
        read(flac_of(n + 1, data))
    with pytest.raises(UserError, match="is cut short: its last frame"):
        read(flac_of(0, data)[:-1])
    if n > 1:
        with pytest.raises(UserError, match="more than its header tells"):
            read(flac_of(n - 1, data))


@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100])
def test_mp3_is_read_with_and_without_its_count_of_frames(read, rate):
    file = io.BytesIO()
    soundfile.write(file, WAVE[:rate], rate, format="MP3", bitrate_mode="VARIABLE")
    data = file.getvalue()
    first = containers._mpeg_frame(data, 0)
    whole, bare = read(data, "x.wav"), data[first:]
    assert whole.duration_s == pytest.approx(len(WAVE[:rate]) / rate, abs=0.001)
    assert read(bare).duration_s == pytest.approx(whole.duration_s, abs=0.2)
    for behind in (b"TAG" + bytes(125), bytes(3000)):
        assert np.array_equal(read(data + behind).waveform, whole.waveform)
    for cut in (data[:-first], data[: len(data) // 2], bare[:-20], bare[:-1]):
        with pytest.raises(UserError, match=r"is cut short|of \d+ samples"):
            read(cut)
    with pytest.raises(UserError, match="more than its header tells"):
        read(data + bare)


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
def test_ogg_is_whole_with_its_last_page_and_no_page_missing(read, subtype):
    data = encoded("OGG", subtype)
    pages = [at for at in range(len(data)) if data[at : at + 4] == b"OggS"]
    for end in pages[1:]:
        with pytest.raises(UserError, match="is cut short: its last page"):
            read(data[:end])
    with pytest.raises(UserError, match="page 1 is missing"):
        read(data[: pages[1]] + data[pages[2] :])
    with pytest.raises(UserError, match="several streams one after another"):
        read(data + data)


@pytest.mark.parametrize(
    "behind",
    [b"LIST" + struct.pack("<I", 10) + b"INFOabcdef", b"TAG" + bytes(125), bytes(512), b"\1\2\3"],
)
def test_what_is_no_sound_may_follow_the_samples_of_a_wav(read, behind):
    data = encoded("WAV", "PCM_16")
    assert len(read(data + behind).waveform) == N


def test_other_containers_are_named_and_refused(tmp_path, read):
    given = set(soundfile.available_formats())
    taken = set()
    for form in sorted(given - {"RAW", "SD2"}):
        subtype = next(
            s
            for s in ("PCM_16", "MPEG_LAYER_III", *soundfile.available_subtypes(form))
            if soundfile.check_format(form, s)
        )
        path = tmp_path / "x.wav"
        try:
            path.write_bytes(encoded(form, subtype))
        except (soundfile.LibsndfileError, ValueError):
            continue
        try:
            clips.read_clip(path)
            taken.add(form)
        except UserError as error:
            assert "give WAV, FLAC, OGG or MP3" in str(error)
    assert taken == {"WAV", "WAVEX", "FLAC", "OGG", "MP3"}
    with pytest.raises(UserError, match="is of the container CAF; give WAV"):
        read(encoded("CAF", "PCM_16"))
    with pytest.raises(UserError, match=r"sound\.raw cannot be read as audio"):
        read(b"x" * 1000, "sound.raw")
