"""What is timed: the blend of two aligned faces, the way from files to a file, its stages, and training.

A task is a function that imports what it needs and returns the function to time. What is imported in the first is
the task's import time; models are opened in the first call of the second, as a user's first blend does. It runs in
a process of its own (`featureblend.evaluation.benchmark.worker`), so nothing heavy is imported at the head of this
module.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

LIVE = 256
"""Side of the page's picture while its slider moves, in pixels."""

Laps = dict[str, Any]
Call = Callable[[], "Laps | None"]
"""Does the work once; returns the seconds of its parts, or what it measured itself, where it knows more."""
Task = Callable[[Mapping[str, Any]], Call]
"""Takes what to work on: `faces` (an .npz), `size`, `photos`, `which`, `model`, `out`, and `name`."""

STAGES = {
    "load": "read and decode both photo files",
    "detect": "find the faces and their landmarks",
    "align": "turn, scale and crop",
    "clean": "restore both faces",
    "warp": "warp both to their mean shape",
    "encode": "both faces to latents",
    "mix": "two latents to one",
    "decode": "the latents to pictures, the parents' too for the measures",
    "detail": "the photos' fine detail into the picture",
    "measure": "how good the blend is",
    "save": "write the PNG",
}
"""Stages of a blend from files to a file, in order."""

EXTRA_STAGES = {"paste": "put the blend into the first photo, if asked for"}
"""What a blend does on demand only; no part of the sum."""

USES = {
    "command": "blend two photo files, in a process of its own: imports, networks and all",
    "call, model's size": "`Blender.blend` of two files, measures included, once all is open",
    "call, 512 px": "the same at 512 pixels",
    "call, 1024 px": "the same at 1,024 pixels",
    "slider": "a step of the page's slider",
    "page": "the web page, from the command to its first answer",
    "facemorpher, command": "facemorpher's averager at 512 pixels, in a process of its own",
    "facemorpher, call": "the same, once all is open",
}
"""What people wait for, and the peer that they may compare it with."""

PEERS = {
    "opencv-seamless-clone": "OpenCV's seamlessClone: the second's inner face in the first",
    "facemorpher": "facemorpher: landmark warp by triangles and cross-dissolve, on black",
}
"""Other people's programs, by the name of their row."""


def _faces(spec: Mapping[str, Any]) -> tuple[Any, Any]:
    """Read the aligned faces: (2, S, S, 3) uint8 and (2, 68, 2) landmarks."""
    import numpy as np

    with np.load(spec["faces"]) as stored:
        return stored["images"], stored["landmarks"]


def baseline_blend(spec: Mapping[str, Any]) -> Call:
    """Blend the aligned faces by a baseline, half and half."""
    from ...blend.baselines import BASELINES

    images, landmarks = _faces(spec)
    method, faces, points = BASELINES[spec["name"]], list(images), list(landmarks)

    def call() -> None:
        method(faces, [0.5, 0.5], points)

    return call


def latent_blend(spec: Mapping[str, Any]) -> Call:
    """Blend the aligned faces with a model; the first call opens it."""
    from ...blend.blender import Blender
    from ..methods import Model

    images, landmarks = _faces(spec)
    opened = cache(lambda: Model(Blender.from_pretrained(spec["model"]), spec["size"], [spec["name"]]))

    def call() -> None:
        opened().blend(images, landmarks, (0.5, 0.5))

    return call


def opencv_blend(spec: Mapping[str, Any]) -> Call:
    """Clone the inside of the second face into the first with OpenCV's Poisson solver."""
    import cv2
    import numpy as np

    from ...blend.baselines.poisson import face_region

    (first, second), _ = _faces(spec)
    mask = ((face_region(*first.shape[:2]) > 0) * 255).astype(np.uint8)
    left, top, width, height = cv2.boundingRect(mask)
    middle = left + width // 2, top + height // 2

    def call() -> None:
        cv2.seamlessClone(second, first, mask, middle, cv2.NORMAL_CLONE)

    return call


def facemorpher_blend(spec: Mapping[str, Any]) -> Call:
    """Warp and mix the aligned faces with facemorpher's functions, on our landmarks and its two corner points."""
    import numpy as np
    from facemorpher import blender, locator, warper

    images, landmarks = _faces(spec)
    points = [np.rint(marks).astype(np.int32) for marks in landmarks]
    side = images.shape[1]
    points = [np.clip(np.vstack([marks, locator.boundary_points(marks)]), 0, side - 2) for marks in points]

    def call() -> None:
        middle = locator.weighted_average_points(points[0], points[1], 0.5)
        warped = [
            warper.warp_image(image, marks, middle, (side, side)) for image, marks in zip(images, points, strict=True)
        ]
        blender.weighted_average(warped[0], warped[1], 0.5)

    return call


def whole_blend(spec: Mapping[str, Any]) -> Call:
    """Blend two photo files into a picture file, as the command ``blend`` does, by one method."""
    from ...blend.blender import Blender

    opened = cache(lambda: Blender.from_pretrained(spec["model"]))

    def call() -> None:
        made = opened().blend(spec["photos"], method=spec["name"], which=spec["which"], size="model")
        made.save(spec["out"])

    return call


def facemorpher_whole(spec: Mapping[str, Any]) -> Call:
    """Average two photo files into a picture file with facemorpher's own function for it."""
    from facemorpher import averager

    out = Path(spec["out"])

    def call() -> None:
        out.unlink(missing_ok=True)
        averager(list(spec["photos"]), width=spec["size"], height=spec["size"], out_filename=str(out))
        if not out.is_file():
            raise RuntimeError("it wrote no picture")

    return call


def command(spec: Mapping[str, Any]) -> Call:
    """Run the command ``blend``, or facemorpher's averager, in a process of its own."""
    import os
    import subprocess
    import sys

    # As installed: both then start from compiled modules, whatever the shell that measures says.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    words = ["-m", "featureblend", "blend", *spec["photos"], "-o", spec["out"], "--size", "512", "--quiet"]
    if spec["name"].startswith("facemorpher"):
        wanted = "width=512, height=512, out_filename=sys.argv[3]"
        program = f"import sys; from facemorpher import averager; averager(sys.argv[1:3], {wanted})"
        words = ["-c", program, *spec["photos"], spec["out"]]

    def call() -> None:
        Path(spec["out"]).unlink(missing_ok=True)
        subprocess.run([sys.executable, *words], check=True, stdout=subprocess.DEVNULL, env=environment)
        if not Path(spec["out"]).is_file():
            raise RuntimeError("it wrote no picture")

    return call


def blender_call(spec: Mapping[str, Any]) -> Call:
    """Blend two photo files at a size, with measures, and write nothing."""
    from ...blend.blender import Blender

    opened = cache(lambda: Blender.from_pretrained(spec["model"]))

    def call() -> None:
        opened().blend(spec["photos"], which=spec["which"], size=spec["size"])

    return call


def slider_step(spec: Mapping[str, Any]) -> Call:
    """Blend known faces at other weights than the last time, unmeasured, as the page does while its slider moves."""
    from ...blend.blender import Blender

    shares = count(0.5, 0.07)

    @cache
    def opened() -> tuple[Blender, list[Any]]:
        blender = Blender.from_pretrained(spec["model"])
        return blender, blender.cleaned(list(map(blender.find, spec["photos"], spec["which"])))

    def call() -> None:
        blender, faces = opened()
        alpha = 0.05 + next(shares) % 0.9
        blender.blend_faces(faces, alpha=alpha, measures="none", surroundings="blend", size=LIVE)

    return call


def page_start(spec: Mapping[str, Any]) -> Call:
    """Start the web page, and open it once."""
    import subprocess
    import sys
    from urllib.request import urlopen

    def call() -> None:
        words = [sys.executable, "-u", "-m", "featureblend", "web", "--port", "0", "--model", spec["model"]]
        with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None
            try:
                address = next((word for line in server.stdout for word in line.split() if word.startswith("http")), "")
                urlopen(address).read()
            finally:
                server.terminate()

    return call


def stages(spec: Mapping[str, Any]) -> Call:
    """Blend two photo files with the model, and time each stage on the way.

    The steps are those of `featureblend.blend.blender.Blender.blend`, with networks that note their own time.
    """
    import numpy as np

    from ...blend.blender import Blender
    from ...blend.pipeline import BlendOptions, blended, finished
    from ...blend.quality import TYPICAL, measure_quality
    from ...io.image import load_image, save_image
    from ...model.networks import Networks

    spent: dict[str, float] = {}

    def noting(name: str, work: Callable[..., Any]) -> Callable[..., Any]:
        def noted(*values: Any, **named: Any) -> Any:
            begin = time.perf_counter()
            try:
                return work(*values, **named)
            finally:
                spent[name] = spent.get(name, 0.0) + time.perf_counter() - begin

        return noted

    class Noting(Networks):
        cleaned = noting("clean", Networks.cleaned)
        latents = noting("encode", Networks.latents)
        mixed = noting("mix", Networks.mixed)
        pictures = noting("decode", Networks.pictures)

    @cache
    def opened() -> Blender:
        blender = Blender(spec["model"])
        blender.networks = Noting(spec["model"])
        return blender

    shares, photos, names = np.array([0.5, 0.5]), list(spec["photos"]), ["photo 1", "photo 2"]

    def call() -> Laps:
        spent.clear()
        blender = opened()
        images = noting("load", lambda: [load_image(photo, place) for place, photo in enumerate(photos, 1)])()
        found = noting("detect", lambda: [blender.detector.search(image) for image in images])()
        chosen = list(zip(found, spec["which"], names, strict=True))
        faces = noting("align", lambda: [blender.face_in(*one) for one in chosen])()
        options = BlendOptions(size="model")
        faces = blender.cleaned(faces)
        made = noting("warp", blended)(blender.networks, faces, shares, options, decode_parents=True)
        spent["warp"] -= spent["encode"] + spent["mix"] + spent["decode"]
        picture = noting("detail", finished)(made, options)
        noting("measure", measure_quality)(replace(made, image=picture), faces, names, TYPICAL)
        noting("save", save_image)(spec["out"], picture)
        noting("paste", finished)(made, BlendOptions(background="source"))
        return dict(spent)

    return call


def _trained(spec: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    """A preset, and what it is trained on: the faces given, again and again, and triplets of them where it needs some.

    The step's speed does not depend on what the pictures show.
    """
    import numpy as np

    from ...training.dataset import FaceSet, FaceTriplets
    from ...training.presets import preset

    images, _ = _faces(spec)
    experiment = preset(spec["name"])
    if experiment.losses.lpips:  # whose weights are a file that few have
        experiment = replace(experiment, from_scratch=True)
    many = np.resize(images, (max(experiment.batch_size, 30), *images.shape[1:]))
    threes = np.resize(images, (30, 3, *images.shape[1:]))
    learns: dict[str, Any] = {"faces": FaceSet.from_images(many)}
    if any(phase.objective == "teach" for phase in experiment.phases):
        learns["triplets"] = FaceTriplets(threes, np.array([f"{number:05d}" for number in range(30)]), 1.0, "00")
    return experiment, learns


def training(spec: Mapping[str, Any]) -> Call:
    """Measure the training step of a preset, as ``featureblend train --profile`` does."""
    from ...training.profile import profile

    experiment, learns = _trained(spec)

    def call() -> Laps:
        return profile(experiment, steps=spec["steps"], **learns)

    return call


def training_steps(spec: Mapping[str, Any]) -> Call:
    """Do training steps as ``featureblend train`` does."""
    from ...training.machine import keep_freed_memory
    from ...training.trainer import Trainer

    keep_freed_memory()
    experiment, learns = _trained(spec)
    trainer = Trainer(experiment, **learns)

    def call() -> Laps:
        begin = time.process_time()
        for _ in range(spec["steps"]):
            losses = trainer.step()
        float(sum(losses.values()))  # waits for the device
        return {"processor": time.process_time() - begin}

    return call


def plain_training_steps(spec: Mapping[str, Any]) -> Call:
    """Do the same steps as a plain PyTorch loop does: the same networks, losses and batches, and PyTorch's defaults.

    Everything in float32 and in the default layout, Adam and the memory of the system as they come, gradients clipped,
    an averaged copy of the weights, and the loss read after each step.
    """
    import torch

    from ...training.objective import OBJECTIVES
    from ...training.trainer import Trainer, times_due

    experiment, learns = _trained(spec)
    trainer = Trainer(replace(experiment, precision="fp32", compile="never"), **learns)  # which makes networks, batches
    networks, averaged, optimisers = trainer.networks, trainer.ema, {}
    for network in (averaged, *networks.named().values()):
        for parameter in network.parameters():
            parameter.data = parameter.data.contiguous()
    for name, network in networks.named().items():
        rate = experiment.learning_rate if name == "autoencoder" else experiment.discriminator_learning_rate
        optimisers[name] = torch.optim.Adam(network.parameters(), lr=rate)

    def step() -> None:
        batch = trainer.batch()
        due = [(phase, again) for phase in experiment.phases for again in range(times_due(phase, trainer.clock.step))]
        for phase, again in due:
            if again:
                batch = trainer.batch(again)
            learner, optimiser = networks.named()[phase.learner], optimisers[phase.learner]
            for network in networks.named().values():
                network.requires_grad_(network is learner)
            batch.images = batch.images.contiguous()
            result = OBJECTIVES[phase.objective](networks, batch, experiment)
            batch.fakes |= result.get("outputs", {})
            optimiser.zero_grad()
            result["loss"].backward()
            torch.nn.utils.clip_grad_norm_(learner.parameters(), experiment.gradient_clip or 1e9)
            optimiser.step()
            result["loss"].item()
        with torch.no_grad():
            for old, new in zip(averaged.parameters(), networks.autoencoder.parameters(), strict=True):
                old.lerp_(new, 1e-3)
        trainer.clock.step += 1

    def call() -> Laps:
        begin = time.process_time()
        for _ in range(spec["steps"]):
            step()
        return {"processor": time.process_time() - begin}

    return call


TASKS: dict[str, Task] = {
    "baseline": baseline_blend,
    "latent": latent_blend,
    "opencv": opencv_blend,
    "facemorpher": facemorpher_blend,
    "whole": whole_blend,
    "facemorpher-whole": facemorpher_whole,
    "command": command,
    "call": blender_call,
    "slider": slider_step,
    "page": page_start,
    "stages": stages,
    "training": training,
    "training-steps": training_steps,
    "plain-training-steps": plain_training_steps,
}
"""Each task under the word by which a worker is asked for it."""


def task(spec: Mapping[str, Any]) -> Call:
    """Get a task ready: import what it needs and read what it works on."""
    return TASKS[spec["task"]](spec)
