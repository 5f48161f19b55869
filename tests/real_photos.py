"""Real photos, for tests marked `real_photos`: they lie outside the project, which holds no photo of a person."""

import io
import os
import tarfile
from pathlib import Path

import pytest
from PIL import Image

SHARED = Path(os.environ.get("FEATUREBLEND_SHARED") or Path(__file__).parents[2] / "shared")


def shared_file(name):
    """A file of the shared data; without it the test fails, for it was asked for by its marker."""
    path = SHARED / "data" / name
    if not path.is_file():
        pytest.fail(f"{path} is missing: FEATUREBLEND_SHARED names the folder that has it", pytrace=False)
    return path


def lfw_photos(count=None, one_a_person=False):
    """LFW's first photos, 250 x 250, in the order of first names: pairs of the person's name and the file's bytes."""
    found = []
    with tarfile.open(shared_file("lfw-deepfunneled.tar")) as tar:
        for member in tar:
            if member.name.endswith("_0001.jpg" if one_a_person else ".jpg"):
                found.append((member.name.split("/")[-2], tar.extractfile(member).read()))
                if len(found) == count:
                    break
    return found


def opened(data):
    """Bytes of a file as a picture in RGB."""
    return Image.open(io.BytesIO(data)).convert("RGB")
