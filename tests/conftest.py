"""Fixtures that several test files share: photos with faces, and a detector."""

import os
import signal

# Before anything loads torch or numpy: the workers of pytest share the cores, and threads of each would only wait.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pi_heif
import pillow_heif
import pytest
from drawn_faces import draw_face
from PIL import Image
from real_photos import lfw_photos

from featureblend.blend.blender import Blender
from featureblend.blend.compositing import composing
from featureblend.faces.detector import FaceDetector
from featureblend.model.folder import find_model

# A shell's background jobs ignore Ctrl-C, and `nohup`'s a closed terminal; every program that the tests stop with these
# would inherit that.
for number, handler in ((signal.SIGINT, signal.default_int_handler), (getattr(signal, "SIGHUP", None), signal.SIG_DFL)):
    if number is not None and signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, handler)

# Tests write HEIC with a package that can; what reads it is the plain install's, registered last.
pillow_heif.register_heif_opener()
pi_heif.register_heif_opener()

COUNT = 36


@pytest.fixture(scope="session", params=["drawn", pytest.param("real", marks=pytest.mark.real_photos)])
def face_source(request):
    """Where `face_photos` come from; the drawn ones are found too, but are more alike."""
    return request.param


@pytest.fixture(scope="session")
def face_photos(tmp_path_factory, face_source):
    """36 photos of 36 people, 250 px, as ``Person_Name/Person_Name_0001.jpg`` in one folder; never to be changed."""
    folder = tmp_path_factory.mktemp("people")

    def path_of(person):
        (folder / person).mkdir()
        return folder / person / f"{person}_0001.jpg"

    if face_source == "real":
        photos = lfw_photos(one_a_person=True)
        for person, data in photos[:: len(photos) // COUNT][:COUNT]:
            path_of(person).write_bytes(data)
    else:
        for seed in range(COUNT):
            Image.fromarray(draw_face(seed, 250)[0]).save(path_of(f"Drawn_Face_{seed}"), quality=95)
    return sorted(folder.glob("*/*.jpg"))


@pytest.fixture(scope="module")
def model_sized():
    """Pictures have the model's size where none is asked for: faster, and comparable with what the model sees."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(composing, "OWN_LARGEST", 0)
        yield


@pytest.fixture(scope="session")
def detector():
    """One detector for all tests: its models take a second to load."""
    return FaceDetector()


@pytest.fixture(scope="session")
def blender(detector):
    """One blender of the bundled model for all tests that leave it as it is."""
    return Blender(find_model(), detector)


@pytest.fixture(scope="session")
def astronaut():
    """A real photo with one upright face, (512, 512, 3): Eileen Collins, from scikit-image's wheel."""
    from skimage import data

    return data.astronaut()
