"""Codes and the files that hold them; what edits take in a photo's place."""

import pickle
import zipfile

import numpy as np
import pytest
from example_photos import FIRST, SECOND
from PIL import Image

from featureblend.blend.blender import Blender
from featureblend.errors import FeatureblendError
from featureblend.faces import EXAMPLES
from featureblend.io.codes import Code
from featureblend.io.inputs import input_files, read_input
from featureblend.model.folder import find_model

pytestmark = pytest.mark.usefixtures("model_sized")


@pytest.fixture(scope="module")
def code(blender):
    return blender.encode(FIRST)


def test_a_code_comes_back_from_its_file(tmp_path, code):
    path = code.save(tmp_path / "a.npz")
    back = Code.load(path)
    assert back.latent.tobytes() == code.latent.tobytes()
    assert (back.model, back.name) == (code.model, "first.jpg")  # no folder of this machine
    np.testing.assert_array_equal(back.landmarks, code.landmarks)
    assert back.latent.dtype == np.float32


def test_the_same_code_gives_the_same_bytes(tmp_path, code):
    assert code.save(tmp_path / "a.npz").read_bytes() == code.save(tmp_path / "b.npz").read_bytes()


def test_landmarks_may_be_unknown(tmp_path, code):
    assert Code.load(Code(code.latent, code.model).save(tmp_path / "a.npz")).landmarks is None


def test_a_code_says_whether_its_photo_was_restored(tmp_path, blender, code):
    noisy = tmp_path / "noisy.png"
    photo = np.asarray(Image.open(FIRST), np.float32)
    noise = np.random.default_rng(0).normal(0, 25, photo.shape)
    Image.fromarray((photo + noise).clip(0, 255).astype(np.uint8)).save(noisy)
    plain = Blender(find_model(), blender.detector, mend=False)
    for coder, mended in ((blender, True), (plain, False)):
        path = coder.encode(noisy).save(tmp_path / f"{mended}.npz")
        assert Code.load(path).mended is mended
        assert blender.encode(path).mended is mended
    unknown = Code(code.latent, code.model).save(tmp_path / "unknown.npz")  # as files were before
    assert "mended" not in np.load(unknown).files
    assert Code.load(unknown).mended is None


def test_a_name_with_another_ending_is_refused(tmp_path, code):
    with pytest.raises(FeatureblendError, match=r"ends in \.npz"):
        code.save(tmp_path / "a.png")
    assert not list(tmp_path.iterdir())


class Bomb:
    def __reduce__(self):
        return (pytest.fail, ("a pickle was opened",))


def _pickled(path):
    path.write_bytes(pickle.dumps(Bomb()))


def _pickled_inside(path):
    values = np.empty(1, object)
    values[0] = Bomb()
    np.savez(path, format=np.int64(1), latent=values, model="a", name="b")


def _encrypted(path):
    np.savez(path, format=np.int64(1))
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)


def _no_array(path):
    np.savez(path, format=np.int64(1))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("latent.npy", b"no array")


def test_what_is_no_code_is_refused_in_one_line(tmp_path):
    cases = [
        (lambda path: path.write_bytes(b""), "not a code"),
        (lambda path: path.write_bytes(b"PK\x03\x04 cut short"), "not a code"),
        (_pickled, "not a code"),
        (_pickled_inside, "not a code"),
        (_encrypted, "encrypted"),
        (_no_array, "not a code"),
        (lambda path: np.savez(path, x=np.zeros(3)), "format is missing"),
        (lambda path: np.savez(path, format=np.int64(1), model="a", name=""), "latent is missing"),
        (lambda path: np.savez(path, format=np.int64(9), latent=np.zeros(3, np.float32)), "format 9 is not known"),
        (
            lambda path: np.savez(path, format=np.int64(1), latent=np.full(3, np.nan, np.float32), model="a", name=""),
            "finite float32",
        ),
        (
            lambda path: np.savez(path, format=np.int64(1), latent=np.zeros((2, 2), np.float32), model="a", name=""),
            "finite float32",
        ),
        (
            lambda path: np.savez(
                path, format=np.int64(1), latent=np.zeros(3, np.float32), model="a", name="", landmarks=np.zeros((5, 2))
            ),
            "no 68 points",
        ),
        (lambda path: path.mkdir(), "is a folder"),
    ]
    for place, (write, said) in enumerate(cases):
        path = tmp_path / f"{place}.npz"
        write(path)
        with pytest.raises(FeatureblendError, match=said) as error:
            Code.load(path)
        assert path.name in str(error.value)
        assert "\n" not in str(error.value)


def test_a_file_that_unpacks_to_gigabytes_is_refused(tmp_path):
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("latent.npy", bytes(1 << 25))
    assert path.stat().st_size < 1 << 20
    with pytest.raises(FeatureblendError, match="far too large"):
        Code.load(path)


def test_paths_of_codes_are_read_and_all_else_is_left(tmp_path, code):
    assert read_input(code.save(tmp_path / "a.npz")).latent.tobytes() == code.latent.tobytes()
    assert read_input(str(tmp_path / "a.npz")).name == "first.jpg"
    picture = np.zeros((4, 4, 3), np.uint8)
    for item in (picture, code, FIRST, "a.jpg"):
        assert read_input(item) is item


def test_a_folder_is_listed_in_the_same_order_everywhere(tmp_path):
    for name in ("b.jpg", "a.PNG", "Z.npz", ".hidden.jpg", "sub/c.webp", ".git/d.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("RGB", (8, 8)).save(tmp_path / name, "PNG")  # what is a photo is seen by what a file holds
    (tmp_path / "notes.txt").write_text("a.jpg is best")
    (tmp_path / "empty").mkdir()
    found = [path.relative_to(tmp_path).as_posix() for path in input_files(tmp_path)]
    assert found == ["Z.npz", "a.PNG", "b.jpg", "sub/c.webp"]
    with pytest.raises(FeatureblendError, match="no such folder"):
        input_files(tmp_path / "nowhere")
    with pytest.raises(FeatureblendError, match="holds no photos"):
        input_files(tmp_path / "empty")


def test_a_code_blends_as_its_photo_does(tmp_path, blender, code):
    """The picture of a code stands in for the photo: what differs is what the model loses of it."""

    def blend(first):
        made = blender.blend([first, SECOND], [3, 1], surroundings=1, measures="none")
        return np.asarray(made.image).astype(int)

    photo, mixture = blend(FIRST), blend(code.save(tmp_path / "a.npz"))
    near, far = (np.abs(photo - one).mean() for one in (mixture, blend(EXAMPLES / "third.jpg")))
    assert near < 4  # at 34 dB the picture of the code is 5 grey levels off
    assert far > 10
