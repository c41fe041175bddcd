"""Pictures are made anew before anyone sees them: decoded, turned upright, scaled and written as WebP.

What else the file held goes with it: place and time, the camera's number, hidden scripts. A picture that would
fill the memory is refused by its measures, before it is decoded.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from parvis.services.file_types import (
    Made,
    Shape,
    clean_name,
    looks_like_picture,
    no_picture,
    picture_format,
    safe_type,
)
from parvis.services.storage import Blob, Storage

__all__ = (
    "Picture",
    "Shape",
    "clean_name",
    "looks_like_picture",
    "picture_format",
    "prepare_picture",
    "safe_type",
)

TYPE = "image/webp"

# One at a time: a picture of 40 megapixels takes 160 MB while it is open.
_thread = ThreadPoolExecutor(1, thread_name_prefix="pictures")


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture ready to be shown: its largest size as `blob`, and every size in `variants` by nominal width."""

    blob: Blob
    type: str
    width: int
    height: int
    variants: dict[str, dict[str, Any]]


async def prepare_picture(storage: Storage, blob: Blob, shape: Shape = "free") -> Picture:
    """Make a stored file into the sizes a page shows, and store those; the original is not touched.

    `variants` maps "480", "960", "1600" (or the sizes of `shape`) to hash, width, height and size in bytes. Raises
    Invalid (field `file`) for what is no picture, too large in pixels, or damaged.
    """
    if picture_format(await storage.head(blob.hash, 32)) is None:
        raise no_picture()
    loop = asyncio.get_running_loop()
    made = await loop.run_in_executor(_thread, _made, storage.path(blob.hash), shape)
    variants = {}
    largest = blob
    for name, width, height, data in made:
        largest = await storage.put_bytes(data)
        variants[name] = {"hash": largest.hash, "width": width, "height": height, "size": largest.size}
    _, width, height, _ = made[-1]
    return Picture(largest, TYPE, width, height, variants)


def _made(path: Path, shape: Shape) -> list[Made]:
    # Pillow takes 60 ms and several megabytes: it is loaded with the first picture, in this thread.
    from parvis.services.picture_sizes import make_sizes

    return make_sizes(path, shape)
