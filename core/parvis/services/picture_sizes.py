"""The work on one picture, which blocks: `pictures` runs it in a thread, and imports it with the first picture."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

from PIL import Image, ImageCms, ImageOps, ImageSequence

from parvis.errors import Invalid
from parvis.services.file_types import Made, Shape, no_picture
from parvis.services.i18n import lazy_gettext as _l

SIZES: dict[Shape, tuple[tuple[int, int | None], ...]] = {
    "free": ((480, None), (960, None), (1600, None)),
    "square": ((40, 40), (80, 80), (192, 192)),
    "cover": ((800, 200), (1600, 400)),
}
"""Width and height in pixels of what is made of a picture; None keeps its proportions. Nothing is enlarged."""
MOST_PIXELS = 40_000_000
MOST_SIDE = 16_000
"""Pixels of one side: WebP holds no more than 16,383, and nothing that long is a photograph."""
MOST_FRAMES = 200
MOST_MOVING = 25_000_000
"""Pixels of all frames of an animation together; past it only the first one is kept."""
QUALITY = 80
# Pillow refuses at the double of its own number, also a frame larger than the picture's head says, and warns from
# that number on; the warning says nothing that the refusal does not.
Image.MAX_IMAGE_PIXELS = MOST_PIXELS // 2
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)


def make_sizes(path: Path, shape: Shape) -> list[Made]:
    """Return every size of a picture as WebP; Invalid for what is none, is damaged, or has too many pixels."""
    try:
        with Image.open(path, formats=("PNG", "JPEG", "GIF", "WEBP")) as image:
            _check_measures(image)
            if _moves(image) and shape == "free":
                return _moving(image)
            return _still(image, shape)
    except Invalid:
        raise
    except Image.DecompressionBombError:
        raise _too_many_pixels() from None
    except Exception as error:  # Pillow raises nearly anything for a damaged file
        raise no_picture() from error


def _check_measures(image: Image.Image) -> None:
    width, height = image.size
    if width * height > MOST_PIXELS or max(width, height) > MOST_SIDE:
        raise _too_many_pixels()


def _moves(image: Image.Image) -> bool:
    frames: int = getattr(image, "n_frames", 1)
    return 1 < frames <= MOST_FRAMES and frames * image.width * image.height <= MOST_MOVING


def _still(image: Image.Image, shape: Shape) -> list[Made]:
    sizes = SIZES[shape]
    if image.format == "JPEG":
        # Decodes a large photograph at a half or a quarter, which is four to sixteen times less memory.
        wanted = max(width for width, _ in sizes)
        # Both sides stay as long as the largest size is wide, since the picture may still be turned.
        image.draft(None, (wanted, wanted))
    ImageOps.exif_transpose(image, in_place=True)
    upright = _colours(image)
    box, plan = _plan(upright.size, sizes)
    # The smaller sizes are made of the largest: the original is held in memory no longer than needed.
    largest = upright.resize(plan[-1][1], Image.Resampling.LANCZOS, box=box)
    del upright
    return [
        (
            name,
            *size,
            _written(largest if size == largest.size else largest.resize(size, Image.Resampling.LANCZOS)),
        )
        for name, size in plan
    ]


_Box = tuple[float, float, float, float]


def _plan(
    original: tuple[int, int], sizes: tuple[tuple[int, int | None], ...]
) -> tuple[_Box, list[tuple[str, tuple[int, int]]]]:
    """Return what is cut out, and the sizes to make of it by nominal width; none is larger than the original."""
    width, height = sizes[-1]
    box = _cut(original, width / height if height else None)
    wide, high = box[2] - box[0], box[3] - box[1]
    plan = []
    for width, _ in sizes:
        scale = min(1.0, width / wide)
        plan.append((str(width), (max(1, round(wide * scale)), max(1, round(high * scale)))))
        if wide <= width:
            break
    return box, plan


def _cut(original: tuple[int, int], ratio: float | None) -> _Box:
    """Return the largest part of these proportions, from the middle."""
    width, height = original
    if ratio is None:
        return (0, 0, width, height)
    wide, high = min(width, height * ratio), min(height, width / ratio)
    left, top = (width - wide) / 2, (height - high) / 2
    return (left, top, left + wide, top + high)


def _colours(image: Image.Image) -> Image.Image:
    """Return the picture in the colours of the web: sRGB, with transparency where it has some."""
    profile = image.info.get("icc_profile")
    clear = image.mode in ("LA", "PA", "RGBA", "La", "RGBa") or "transparency" in image.info
    if image.mode.startswith("I"):
        # Sixteen bits of grey; convert() would cut them off at 255 instead of scaling.
        image = image.convert("I").point(lambda value: value / 256).convert("L")
    if profile and image.mode in ("RGB", "CMYK", "L"):
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            managed = ImageCms.profileToProfile(image, source, _SRGB, outputMode="RGB")
            image = managed if managed is not None else image
        except (ImageCms.PyCMSError, OSError, ValueError):
            pass  # a broken profile: the colours as they are
    mode = "RGBA" if clear else "RGB"
    return image if image.mode == mode else image.convert(mode)


_SRGB = ImageCms.createProfile("sRGB")


def _written(image: Image.Image) -> bytes:
    image.info = {}  # Pillow would write profile and metadata again
    out = io.BytesIO()
    image.save(out, "WEBP", quality=QUALITY, method=4, exif=b"", xmp=b"", icc_profile=b"")
    return out.getvalue()


def _moving(image: Image.Image) -> list[Made]:
    """Keep an animation moving, in the smaller sizes: what moves is watched, not looked at closely."""
    frames = [frame.convert("RGBA") for frame in ImageSequence.Iterator(image)]
    pauses = [max(20, int(frame.info.get("duration", 100) or 100)) for frame in ImageSequence.Iterator(image)]
    repeats = int(image.info.get("loop", 0) or 0)

    box, plan = _plan(image.size, SIZES["free"][:2])
    made: list[Made] = []
    for name, size in plan:
        scaled = [frame.resize(size, Image.Resampling.BILINEAR, box=box) for frame in frames]
        for frame in scaled:
            frame.info = {}
        out = io.BytesIO()
        scaled[0].save(
            out, "WEBP", save_all=True, append_images=scaled[1:], duration=pauses, loop=repeats,
            quality=QUALITY, method=2, exif=b"", xmp=b"", icc_profile=b"",
        )  # fmt: skip
        made.append((name, *size, out.getvalue()))
    return made


def _too_many_pixels() -> Invalid:
    return Invalid({"file": _l("This picture is too large: 40 megapixels at most. Send a smaller one.")})
