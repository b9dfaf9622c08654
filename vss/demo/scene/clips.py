"""The scenes as video files, which the demo's cameras loop."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from fractions import Fraction
from multiprocessing import get_context
from pathlib import Path

from vss.demo.scene.scene import Scene

# Fast to encode and fast to decode; the demo has better use for the processor.
_OPTIONS = {"crf": "20", "preset": "superfast", "tune": "fastdecode"}


def encode_clip(path: Path, seed: int, seconds: float = 12.0, fps: int = 15) -> None:
    """Writes a scene as H.264 in MP4, one loop long, so that it can run for ever.

    Args:
        path: Of the clip; its folder must exist.
        seed: Of the scene.
        seconds: Length of the loop.
        fps: Frames a second.
    """
    import av

    scene = Scene(seed, fps=fps, loop_s=seconds)
    half = path.with_name(f".{path.name}.part")
    with av.open(str(half), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=Fraction(fps), options=_OPTIONS)
        stream.width, stream.height, stream.pix_fmt = scene.width, scene.height, "yuv420p"
        stream.codec_context.gop_size = fps
        for number in range(scene.frames_in_loop):
            frame, _ = scene.frame(number)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="bgr24")))
        container.mux(stream.encode(None))
    half.replace(path)


def cached_clips(folder: Path, seeds: Sequence[int], seconds: float = 12.0, fps: int = 15) -> list[Path]:
    """A clip of each seed, made side by side unless an earlier demo left it in the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"belt-{seed}-{seconds:g}s-{fps}fps-{_edition()}.mp4" for seed in seeds]
    missing = [(path, seed) for path, seed in zip(paths, seeds, strict=True) if not path.exists()]
    if missing:
        for old in folder.glob("*.mp4"):
            if old not in paths:
                old.unlink()
        # Spawned, for this process has threads; drawing holds the interpreter's lock, so threads would take turns.
        with ProcessPoolExecutor(len(missing), mp_context=get_context("spawn")) as pool:
            for future in [pool.submit(encode_clip, path, seed, seconds, fps) for path, seed in missing]:
                future.result()
    return paths


def _edition() -> str:
    """Changes with the code that draws, so that a clip of another edition is never taken for this one's."""
    here = Path(__file__).parent
    digest = hashlib.sha256()
    for name in ("belt", "clips", "light", "parts", "scene", "shading", "surroundings"):
        digest.update((here / f"{name}.py").read_bytes())
    return digest.hexdigest()[:8]
