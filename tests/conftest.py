"""Fixtures that several test files share: photos with faces, real ones where the shared data is at hand."""

import signal
import tarfile
from pathlib import Path

import pytest
from drawn_faces import draw_face
from PIL import Image

from featureblend.faces import FaceDetector

# Started in the background, a shell's children ignore Ctrl-C, and so would every program that the tests stop with it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

LFW = Path(__file__).parents[2] / "shared" / "data" / "lfw-deepfunneled.tar"
COUNT = 36


@pytest.fixture(scope="session")
def lfw_is_real():
    """Whether `lfw_photos` are photos; dlib finds the drawn faces too, but they are more alike."""
    return LFW.is_file()


@pytest.fixture(scope="session")
def lfw_photos(tmp_path_factory, lfw_is_real):
    """36 photos of 36 people, 250 px, as ``Person_Name/Person_Name_0001.jpg`` in one folder; never to be changed."""
    folder = tmp_path_factory.mktemp("lfw")
    if lfw_is_real:
        with tarfile.open(LFW) as tar:
            firsts = [member for member in tar if member.name.endswith("_0001.jpg")]
            for member in firsts[:: len(firsts) // COUNT][:COUNT]:
                path = folder / Path(*Path(member.name).parts[-2:])
                path.parent.mkdir()
                path.write_bytes(tar.extractfile(member).read())
    else:
        for seed in range(COUNT):
            path = folder / f"Drawn_Face_{seed}" / f"Drawn_Face_{seed}_0001.jpg"
            path.parent.mkdir()
            Image.fromarray(draw_face(seed, 250)[0]).save(path, quality=95)
    return sorted(folder.glob("*/*.jpg"))


@pytest.fixture(scope="session")
def detector():
    """One detector for all tests: its models take a second to load."""
    return FaceDetector()


@pytest.fixture(scope="session")
def astronaut():
    """A real photo with one upright face, (512, 512, 3): Eileen Collins, from scikit-image's wheel."""
    from skimage import data

    return data.astronaut()
