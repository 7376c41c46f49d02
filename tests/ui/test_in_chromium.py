"""Pages as a browser draws them: not blank, not wider than the window, nothing refused by their own policy."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from tests.ui.chromium import Tab, chromium, installed
from tests.ui.seed import Seeded

pytestmark = pytest.mark.skipif(
    installed() is None, reason="no Chromium here: `apt-get install chromium`, as .ci/run does"
)
LOOKS = [
    pytest.param(1280, False, id="wide-light"),
    pytest.param(1280, True, id="wide-dark"),
    pytest.param(420, False, id="narrow-light"),
]


@pytest.fixture(scope="module")
def tab(seeded: Seeded, address: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    """A browser that opened the printed link."""
    code = seeded.application.services.access.open_link(seeded.owner).text
    with chromium(tmp_path_factory.mktemp("chromium") / "profile") as opened:
        opened.look(width=1280)
        opened.go(f"{address}/ui/enter?code={code}")
        opened.wait_until("location.pathname == '/ui' && document.readyState == 'complete'")
        yield opened


def pixels(file: Path) -> npt.NDArray[np.uint8]:
    """A PNG of 8 bits a channel as (height, width, channels)."""
    data = file.read_bytes()
    assert data.startswith(b"\x89PNG")
    at, packed, head = 8, b"", b""
    while at < len(data):
        (length,), kind = struct.unpack(">I", data[at : at + 4]), data[at + 4 : at + 8]
        body = data[at + 8 : at + 8 + length]
        head, packed = (body, packed) if kind == b"IHDR" else (head, packed + body if kind == b"IDAT" else packed)
        at += 12 + length
    width, height, _, color = struct.unpack(">IIBB", head[:10])
    channels = {2: 3, 6: 4}[color]
    return _unfiltered(zlib.decompress(packed), width, height, channels)


def _unfiltered(raw: bytes, width: int, height: int, channels: int) -> npt.NDArray[np.uint8]:
    """Rows without PNG's filters (RFC 2083, section 6)."""
    lines = np.frombuffer(raw, np.uint8).reshape(height, 1 + width * channels)
    out = np.zeros((height + 1, width + 1, channels), np.int64)
    for y, line in enumerate(lines):
        row = line[1:].reshape(width, channels).astype(np.int64)
        match int(line[0]):
            case 0:
                out[y + 1, 1:] = row
            case 1:
                out[y + 1, 1:] = np.cumsum(row, axis=0) % 256
            case 2:
                out[y + 1, 1:] = (row + out[y, 1:]) % 256
            case kind:
                for x in range(width):
                    a, b, c = out[y + 1, x], out[y, x + 1], out[y, x]
                    out[y + 1, x + 1] = (row[x] + ((a + b) // 2 if kind == 3 else _paeth(a, b, c))) % 256
    return out[1:, 1:].astype(np.uint8)


def _paeth(a: npt.NDArray[np.int64], b: npt.NDArray[np.int64], c: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    p = a + b - c
    pa, pb, pc = abs(p - a), abs(p - b), abs(p - c)
    return np.where((pa <= pb) & (pa <= pc), a, np.where(pb <= pc, b, c))


def test_the_link_signs_a_real_browser_in(tab: Tab) -> None:
    assert tab.value("document.title") == "Home · mainspring"
    assert tab.value("document.cookie") == "", "no script may read the session"


@pytest.mark.parametrize(("width", "dark"), LOOKS)
@pytest.mark.parametrize("name", ["run", "failed", "champion", "dataset"])
def test_a_page_is_drawn_whole_and_within_the_window(
    name: str, width: int, dark: bool, seeded: Seeded, address: str, tab: Tab, shots: Path
) -> None:
    tab.look(width=width, dark=dark)
    tab.go(address + seeded.pages[name])
    assert tab.complaints == []
    assert tab.value("document.documentElement.scrollWidth") <= width
    shot = pixels(tab.screenshot(shots / f"{name}-{width}{'-dark' if dark else ''}.png"))
    assert shot.shape[1] == width
    assert shot.shape[0] > 700
    colors, counts = np.unique(shot[..., :3].reshape(-1, 3), axis=0, return_counts=True)
    assert len(colors) > 60, "an unstyled or blank page has few colors"
    ground = colors[counts.argmax()].mean()
    assert ground < 60 if dark else ground > 200


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_text_stands_out_from_its_ground(dark: bool, seeded: Seeded, address: str, tab: Tab) -> None:
    """WCAG 2.1, criterion 1.4.3: at least 4.5 to 1, for every piece of text on the pages."""
    tab.look(width=1280, dark=dark)
    for name in ("run", "failed", "champion", "dataset", "audit"):
        tab.go(address + seeded.pages[name])
        assert json.loads(tab.value(f"JSON.stringify(({CONTRAST})())")) == [], name


CONTRAST = """() => {
  const parse = (c) => (c.match(/[\\d.]+/g) || []).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (e) => {
    for (; e; e = e.parentElement) {
      const c = parse(getComputedStyle(e).backgroundColor);
      if (c.length === 3 || c[3] === 1) return c;
    }
    return [255, 255, 255];
  };
  const poor = [];
  for (const e of document.querySelectorAll("body *")) {
    const own = Array.from(e.childNodes).some((n) => n.nodeType === 3 && n.data.trim());
    if (!own || e.closest("svg, .skip") || !e.getClientRects().length) continue;
    const [a, b] = [light(parse(getComputedStyle(e).color)), light(ground(e))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) poor.push([e.tagName, e.className, e.textContent.trim().slice(0, 30), ratio]);
  }
  return poor;
}"""


def test_a_running_run_is_refreshed_in_place_and_the_policy_allows_it(seeded: Seeded, address: str, tab: Tab) -> None:
    tracking = seeded.application.services.tracking
    run = tracking.start_run(seeded.owner, name="short")
    tab.look(width=1280)
    tab.go(f"{address}/ui/runs/{run.id}")
    assert "running" in tab.value("document.querySelector('.head').textContent")
    tracking.end_run(seeded.owner, run.id, "succeeded")
    tab.wait_until("document.querySelector('.head').textContent.includes('succeeded')")
    assert tab.value("document.querySelector('main').dataset.refreshS") is None
    assert tab.complaints == []


def test_signing_out_by_the_button_works_in_a_real_browser(seeded: Seeded, address: str, tmp_path: Path) -> None:
    code = seeded.application.services.access.open_link(seeded.owner).text
    with chromium(tmp_path / "profile") as own:
        own.go(f"{address}/ui/enter?code={code}&next=/ui/runs")
        own.wait_until("location.pathname == '/ui/runs' && document.readyState == 'complete'")
        own.value("document.querySelector('form[action=\"/ui/leave\"] button').click()")
        own.wait_until("document.title.startsWith('Not signed in') && document.readyState == 'complete'")
        assert own.value("location.pathname") == "/ui"
