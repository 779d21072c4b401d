"""Movies and players, decoded again: frames, their times and colours."""

from __future__ import annotations

import base64
import gc
import html
import io
import json
import re
import shutil
import subprocess
import sys
import weakref
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest
from helpers.lattices import EVERY, name
from helpers.limits import full_disk
from matplotlib.animation import FFMpegWriter
from PIL import Image

import sdgnn
from sdgnn import Lattice
from sdgnn.analysis.plots.film import Film
from sdgnn.analysis.plots.maps import sphere_colours
from sdgnn.common.errors import UserError
from sdgnn.interchange import as_trajectory, movie, player
from sdgnn.interchange.states import Frames

BROWSER = next((p for n in ("chromium", "chromium-browser", "google-chrome") if (p := shutil.which(n))), None)
LARGE = Lattice.square(40, 40)
DIRECTIONS = np.array([[1.0, 0, 0], [-1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, -1]])


def uniform(lattice: Lattice, times: list[float] | None = None):
    """One frame for each of DIRECTIONS, all spins along it."""
    spins = np.tile(DIRECTIONS[:, None, None], (1, 2, lattice.n_sites, 1))
    spins[:, 1] *= -1
    return as_trajectory(spins, lattice, times)


def decoded(path: Path) -> np.ndarray:
    """All frames (frame, height, width, 3) of an mp4."""
    reader = imageio_ffmpeg.read_frames(str(path))
    width, height = next(reader)["size"]
    return np.stack([np.frombuffer(frame, np.uint8).reshape(height, width, 3) for frame in reader])


def middle(frame: np.ndarray) -> np.ndarray:
    """Colour in the middle of the map, 0 to 1."""
    height, width = frame.shape[0] // 2, int(frame.shape[1] * 0.35)
    return frame[height - 20 : height + 20, width - 20 : width + 20].mean(axis=(0, 1)) / 255


def test_an_mp4_shows_every_state_in_its_colour(tmp_path: Path) -> None:
    done: list[int] = []
    movie(uniform(LARGE), tmp_path / "m.mp4", fps=5, progress=done.append)
    frames = decoded(tmp_path / "m.mp4")
    assert len(frames) == 5 and done == [1, 2, 3, 4, 5]
    for frame, colour in zip(frames, sphere_colours(DIRECTIONS), strict=True):
        assert np.abs(middle(frame) - colour).max() < 0.04  # lossy, half the resolution in colour
    assert next(imageio_ffmpeg.read_frames(str(tmp_path / "m.mp4")))["fps"] == 5


def test_a_gif_shows_them_too(tmp_path: Path) -> None:
    movie(uniform(LARGE), tmp_path / "m.gif", every=2, replica=1, fps=4)
    with Image.open(tmp_path / "m.gif") as found:
        assert found.n_frames == 3
        assert found.info["duration"] == 250 and found.info["loop"] == 0
        for k, direction in enumerate(-DIRECTIONS[::2]):
            found.seek(k)
            assert np.abs(middle(np.asarray(found.convert("RGB"))) - sphere_colours(direction[None])[0]).max() < 0.04


@pytest.mark.parametrize("lattice", [*EVERY, Lattice.cubic(11, 10, 10), LARGE], ids=name)
def test_pictures_of_any_lattice_show_the_state_alone(lattice: Lattice) -> None:
    """Nothing of a picture's predecessors is left in it, other states look different, all have one even size."""
    one, other = (sdgnn.spins.random(lattice, seed=seed)[0].numpy() for seed in (0, 1))
    film = Film(lattice)
    first = film.picture(other, "a longer title")
    again, fresh = film.picture(one, "t"), Film(lattice).picture(one, "t")
    assert np.array_equal(again, fresh)
    assert first.shape == again.shape and again.shape[0] % 2 == again.shape[1] % 2 == 0
    assert (film.picture(other, "t") != again).any(axis=-1).sum() > 50
    border = np.concatenate([again[0], again[-1], again[:, 0], again[:, -1]])
    assert lattice.dim == 2 or (border == 255).all()  # nothing is cut off; maps may touch the left


def test_times_stand_above_the_frames() -> None:
    lattice = Lattice.triangular(3, 3)
    up = np.tile([0.0, 0.0, 1.0], (3, 1, 9, 1))
    data = as_trajectory(up, lattice, [1.0, 1.0, 12.3456])
    film, frames = Film(lattice), Frames.of(data)
    assert [frames.caption(state) for state in frames] == [rf"time {t} $\hbar/t$" for t in ("1", "1", "12.35")]
    same, equal, later = (film.picture(state.spins, frames.caption(state)) for state in frames)
    assert np.array_equal(same, equal)
    rows = np.flatnonzero((later != same).any(axis=(1, 2)))
    assert 5 < len(rows) < 30 and rows.max() < 40
    data["time"].attrs["units"] = "1"  # Monte Carlo
    steps = Frames.of(data)
    assert [steps.caption(state) for state in steps] == ["step 1", "step 1", "step 12"]


def test_pictures_of_a_player_are_not_kept_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of all pictures drawn, at most the last two are alive at any time."""
    drawn: list[weakref.ref] = []
    draw = Film.picture

    def watched(*arguments) -> np.ndarray:
        picture = draw(*arguments)
        drawn.append(weakref.ref(picture))
        return picture

    monkeypatch.setattr(Film, "picture", watched)
    alive: list[int] = []

    def count(done: int) -> None:
        gc.collect(1)  # the checks of annotations leave cycles
        alive.append(sum(picture() is not None for picture in drawn))

    data = as_trajectory(np.tile([0.0, 0.0, 1.0], (8, 1, 4, 1)), Lattice.chain(4))
    player(data, progress=count)
    assert len(drawn) == len(alive) == 8 and max(alive) <= 2


def test_frames_of_a_movie_go_to_the_encoder_one_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is drawn, written as pixels and told before the next one is read."""
    steps: list[str] = []
    show, grab = Film.show, FFMpegWriter.grab_frame
    monkeypatch.setattr(Film, "show", lambda *given: (steps.append("drawn"), show(*given)))
    monkeypatch.setattr(FFMpegWriter, "grab_frame", lambda *given: (steps.append("written"), grab(*given)))
    data = as_trajectory(np.tile([0.0, 0.0, 1.0], (8, 1, 4, 1)), Lattice.chain(4))
    movie(data, tmp_path / "m.mp4", progress=lambda done: steps.append(f"told {done}"))
    assert steps == [step for k in range(8) for step in ("drawn", "written", f"told {k + 1}")]


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    data = uniform(Lattice.square(2, 2))
    with pytest.raises(UserError, match=r"allowed: \.mp4, \.gif"):
        movie(data, tmp_path / "m.avi")
    for rate in (0.0, -1.0, float("nan")):
        with pytest.raises(UserError, match="frames a second"):
            movie(data, tmp_path / "m.mp4", fps=rate)
    with pytest.raises(UserError, match="replica 2"):
        movie(data, tmp_path / "m.mp4", replica=2)
    with pytest.raises(UserError, match="every 0"):
        player(data, every=0)
    assert not list(tmp_path.iterdir())


def test_a_failure_on_the_way_leaves_no_movie(tmp_path: Path) -> None:
    data = uniform(Lattice.square(2, 2))

    def stop(done: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        movie(data, tmp_path / "m.mp4", progress=stop)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["m.gif", "m.mp4"])
def test_a_full_disk_leaves_no_movie(name: str, tmp_path: Path) -> None:
    """Also one that is full only when the last part is written, of which ffmpeg tells by its status alone."""
    data = uniform(Lattice.square(8, 8))
    movie(data, tmp_path / name)
    whole = (tmp_path / name).stat().st_size
    for size in (100, whole - 10):
        with full_disk(size), pytest.raises(UserError, match="could not be written: file too large"):
            movie(data, tmp_path / f"full-{name}")
    assert [p.name for p in tmp_path.iterdir()] == [name]


# -- player -----------------------------------------------------------------------------------------------------


def stored(page: str, what: str) -> list[str]:
    (text,) = re.findall(rf'<script type="application/json" id="{what}">(.*?)</script>', page, re.DOTALL)
    return json.loads(text)


def test_a_player_holds_all_it_shows() -> None:
    made = player(uniform(LARGE, [0, 1, 2, 3.5, 5]))
    page = made.html()
    assert stored(page, "times") == ["0 ħ/t", "1 ħ/t", "2 ħ/t", "3.5 ħ/t", "5 ħ/t"]
    frames = stored(page, "frames")
    for frame, colour in zip(frames, sphere_colours(DIRECTIONS), strict=True):
        with Image.open(io.BytesIO(base64.b64decode(frame))) as picture:
            assert picture.format == "WEBP" and picture.size == (made.width, made.height)
            assert np.abs(middle(np.asarray(picture.convert("RGB"))) - colour).max() < 0.04
    without = re.sub(r'"frames">.*?</script>', "", page, flags=re.DOTALL)
    assert not re.search(r"<[^>]*\b(?:src|href)=|\burl\(|\bimport\b|//", without)  # nothing is fetched
    (inside,) = re.findall(r'<iframe srcdoc="([^"]*)"', made._repr_html_())
    assert html.unescape(inside) == page
    assert repr(made) == "Player: 5 times, 0 ħ/t to 5 ħ/t"


def test_long_trajectories_are_thinned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["sdgnn.interchange.pages"], "MOST_FRAMES", 4)
    data = as_trajectory(np.tile([0.0, 0.0, 1.0], (9, 1, 2, 1)), Lattice.chain(2))
    assert player(data).captions == ("0 ħ/t", "3 ħ/t", "6 ħ/t")
    assert len(player(data, every=2).frames) == 5


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine")
def test_a_player_plays_in_a_browser(tmp_path: Path) -> None:
    """Its script runs without network: the slider moves the picture, the button starts and stops it."""
    assert BROWSER is not None
    player(uniform(Lattice.square(4, 4))).save(tmp_path / "p.html")
    page = (tmp_path / "p.html").read_text()
    steps = """
    const seen = [picture.src.length > 1000 && time.textContent];
    slider.value = 3; slider.dispatchEvent(new Event("input")); seen.push(time.textContent);
    rate.value = "10"; play.click(); seen.push(play.textContent);
    setTimeout(() => { play.click(); seen.push(time.textContent, play.textContent);
      document.title = JSON.stringify(seen); }, 250);
    </script>"""
    (tmp_path / "driven.html").write_text(steps.join(page.rsplit("</script>", 1)))
    command = [
        BROWSER, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}",
        "--virtual-time-budget=3000", "--dump-dom", str(tmp_path / "driven.html"),
    ]  # fmt: skip
    shown = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True).stdout
    (title,) = re.findall(r"<title>(.*?)</title>", shown)
    assert json.loads(html.unescape(title)) == ["0 ħ/t", "3 ħ/t", "pause", "0 ħ/t", "play"]  # 3, 4, 0
