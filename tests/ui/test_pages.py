"""Every page: what it shows, to whom, and that nothing written by a user runs in it."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from urllib.parse import urlsplit

import pytest

from mainspring.access.service import SESSION_LIVES_S
from mainspring.surfaces.http import SESSION_COOKIE
from mainspring.tracking.model import Artifact
from tests.ui.seed import EVIL

SECURITY = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cache-control": "no-store",
}

COOKIE = f"{SESSION_COOKIE}_http"
"""As a browser knows it that came to an address without a port."""


class Page(HTMLParser):
    """What a browser would find: links, forms, assets, and anything that could run or break the policy."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.assets: list[str] = []
        self.forms: list[str] = []
        self.current: list[str] = []
        self.unsafe: list[str] = []
        self.texts: list[str] = []
        self.title = ""
        self._in: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        if tag not in ("meta", "link", "input", "br"):
            self._in.append(tag)
        if tag == "a" and given.get("href"):
            self.links.append(given["href"])
            if given.get("aria-current"):
                self.current.append(given["href"])
        if tag in ("script", "link", "img") and (given.get("src") or given.get("href")):
            self.assets.append(given.get("src") or given["href"])
        if tag == "form":
            self.forms.append(f"{given.get('method', 'get')} {given['action']}")
        self.unsafe += [f"{tag} {name}" for name in given if name.startswith("on") or name == "style"]
        if tag == "style" or (tag == "script" and not given.get("src")):
            self.unsafe.append(tag)

    def handle_endtag(self, tag):
        while self._in and self._in.pop() != tag:
            pass

    def handle_data(self, data):
        self.texts.append(data)
        if self._in and self._in[-1] == "title" and "svg" not in self._in:
            self.title += data

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


PAGES = [
    "home", "datasets", "dataset", "runs", "run", "running", "pipeline", "failed", "step", "models", "model",
    "champion", "challenger", "jobs", "why", "audit",
]  # fmt: skip


@pytest.mark.parametrize("name", PAGES)
def test_each_page_answers_with_a_title_one_heading_and_nothing_inline(name, seeded, browser):
    answer = browser.get(seeded.pages[name])
    assert answer.status_code == 200, answer.text
    page = Page(answer.text)
    assert page.title.strip().endswith("· mainspring")
    assert len(page.title.strip()) > len("· mainspring")
    assert answer.text.count("<h1>") == 1
    assert page.unsafe == []
    assert all(asset.startswith("/ui/static/") for asset in page.assets)


@pytest.mark.parametrize("name", PAGES)
def test_each_page_bears_the_security_headers(name, seeded, browser):
    answer = browser.get(seeded.pages[name])
    assert {name: answer.headers[name] for name in SECURITY} == SECURITY


def test_the_list_of_pages_is_complete(seeded):
    assert set(PAGES) == set(seeded.pages)


@pytest.mark.parametrize("name", ["run", "dataset", "champion", "runs", "home"])
def test_what_users_wrote_is_text_and_runs_nowhere(name, seeded, browser):
    answer = browser.get(seeded.pages[name])
    assert "<script>alert" not in answer.text
    assert "49" not in re.findall(r"alert\(2\)&#39; (\S+)", answer.text), "a template inside a name was run"
    assert Page(answer.text).unsafe == []


def test_an_evil_name_is_shown_as_it_was_written(seeded, browser):
    answer = browser.get(f"/ui/runs/{seeded.evil_run}")
    assert EVIL in Page(answer.text).text
    assert EVIL in Page(answer.text).title


def test_every_link_of_every_page_leads_somewhere(seeded, browser):
    """Follow each link that stays here, from every page, once."""
    seen, broken = set(), []
    for path in seeded.pages.values():
        page = Page(browser.get(path).text)
        for link in {*page.links, *page.assets}:
            parts = urlsplit(link)
            if parts.netloc or not parts.path or link in seen:
                continue
            seen.add(link)
            answer = browser.get(link)
            if answer.status_code not in (200, 302):
                broken.append(f"{path} -> {link}: {answer.status_code}")
    assert broken == []
    assert len(seen) > 60


def test_the_navigation_leads_to_every_part_and_marks_where_one_is(seeded, browser):
    home = Page(browser.get("/ui").text)
    for path in ("/ui/data", "/ui/runs", "/ui/models", "/ui/jobs", "/ui/audit", "/ui/why"):
        assert path in home.links
        assert path in Page(browser.get(path).text).current
    assert "/ui/runs" in Page(browser.get(seeded.pages["run"]).text).current
    assert home.current == ["/ui"]


def test_every_form_of_every_page_has_a_route(seeded, browser):
    """Posted from a page of elsewhere, each is refused for that reason and no other: so it exists."""
    browser.headers["origin"] = "http://elsewhere.test"
    for path in seeded.pages.values():
        for form in Page(browser.get(path).text).forms:
            method, action = form.split(" ", 1)
            if method == "post":
                answer = browser.post(action)
                assert answer.status_code == 403, f"{form} on {path}"
                assert "to come from a page of" in Page(answer.text).text


@pytest.mark.parametrize("name", PAGES)
def test_nobody_gets_a_page_that_says_how_to_get_in_and_nothing_else(name, seeded, nobody):
    answer = nobody.get(seeded.pages[name])
    assert answer.status_code == 401
    page = Page(answer.text)
    assert "mainspring token link" in page.text
    assert page.links == ["#content", "/ui"]
    assert "bike" not in page.text
    assert answer.headers["content-security-policy"] == SECURITY["content-security-policy"]


def test_the_style_of_that_page_can_be_fetched_by_nobody_too(seeded, nobody):
    for asset in Page(nobody.get("/ui").text).assets:
        answer = nobody.get(asset)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]
    assert nobody.get("/ui/static/0000/app.css").headers["cache-control"] == "no-store"
    assert nobody.get("/ui/static/0000/../pages.py").status_code == 404
    assert nobody.get("/ui/static/0000/none.css").status_code == 404


def test_programs_get_errors_as_json_and_browsers_as_pages(seeded, browser):
    as_page = browser.get("/ui/runs/nothing")
    assert as_page.status_code == 404
    assert "a run of this project" in Page(as_page.text).text
    as_json = browser.get("/ui/runs/nothing", headers={"accept": "application/json"})
    assert as_json.json()["error"]["code"] == "not_found"
    assert browser.get("/api/v1/tracking/runs/nothing").json()["error"]["code"] == "not_found"
    assert browser.get("/ui/no/such/page").status_code == 404
    assert browser.get("/ui/audit?before=x").status_code == 422


def test_the_bare_address_leads_home(seeded, browser):
    answer = browser.get("/")
    assert (answer.status_code, answer.headers["location"]) == (302, "/ui")


class TestEntering:
    def test_a_link_opens_the_interface_once(self, seeded, nobody):
        code = seeded.application.services.access.open_link(seeded.owner).text
        answer = nobody.get("/ui/enter", params={"code": code})
        assert answer.status_code == 200
        cookie = answer.headers["set-cookie"]
        assert cookie.startswith(SESSION_COOKIE)
        for word in ("HttpOnly", "SameSite=strict", f"Max-Age={int(SESSION_LIVES_S)}", "Path=/"):
            assert word in cookie
        assert code not in answer.text
        assert answer.headers["refresh"] == "0; url=/ui"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert nobody.get("/ui").status_code == 200
        nobody.cookies.clear()
        again = nobody.get("/ui/enter", params={"code": code})
        assert again.status_code == 401
        assert "revoked" in Page(again.text).text or "opened before" in Page(again.text).text
        assert "set-cookie" not in again.headers

    @pytest.mark.parametrize(
        "next", ["//evil.test", "https://evil.test", "/ui\\..", "/uix", "/ui/\nSet-Cookie: x=1", "/api/v1"]
    )
    def test_it_never_leads_elsewhere(self, next, seeded, nobody):
        code = seeded.application.services.access.open_link(seeded.owner).text
        answer = nobody.get("/ui/enter", params={"code": code, "next": next})
        assert answer.headers["refresh"] == "0; url=/ui"

    def test_it_may_lead_to_a_page_of_ours(self, seeded, nobody):
        code = seeded.application.services.access.open_link(seeded.owner).text
        answer = nobody.get("/ui/enter", params={"code": code, "next": "/ui/runs"})
        assert answer.headers["refresh"] == "0; url=/ui/runs"

    def test_a_token_is_no_code(self, seeded, nobody):
        assert nobody.get("/ui/enter", params={"code": seeded.token}).status_code == 401
        assert nobody.get("/ui/enter").status_code == 401

    def test_leaving_makes_the_session_useless(self, seeded, browser):
        session = browser.cookies[COOKIE]
        answer = browser.post("/ui/leave")
        assert answer.status_code == 303
        assert COOKIE not in browser.cookies
        browser.cookies[COOKIE] = session
        assert browser.get("/ui").status_code == 401


class TestRun:
    def test_it_shows_parameters_metrics_artifacts_code_and_environment(self, seeded, browser):
        page = Page(browser.get(seeded.pages["run"]).text)
        for words in (
            "succeeded", "learning_rate", "0.9312", "model.bin", "4f0c9a1be27d83c5a6b7e8f90123456789abcdef",
            "with uncommitted changes", "3.11.9", "17.2 GB", "numpy 7, python 7", "owner",
        ):  # fmt: skip
            assert words in page.text

    def test_a_curve_keeps_its_gap(self, seeded, browser):
        text = browser.get(seeded.pages["run"]).text
        figure = next(part for part in text.split("<figure") if "<h3>mae</h3>" in part)
        assert figure.count("<path d=") == 2
        assert "<h3>r2</h3>" not in text, "one number is no curve"

    def test_artifacts_patch_and_lock_come_as_files_that_nothing_runs(self, seeded, browser):
        for path, body in (
            ("artifacts/model.bin", b"weights" * 1000),
            ("environment/changes.patch", b"diff --git a/train.py b/train.py\n+learning_rate = 0.03\n"),
            ("environment/lock.txt", b"numpy==2.4.1\npyarrow==26.0.0\n"),
        ):
            answer = browser.get(f"{seeded.pages['run']}/{path}")
            assert answer.content == body
            assert answer.headers["content-disposition"].startswith("attachment;")
            assert answer.headers["content-type"] == "application/octet-stream"
            assert "sandbox" in answer.headers["content-security-policy"]
        assert browser.get(f"{seeded.pages['run']}/artifacts/none").status_code == 404
        assert browser.get(f"{seeded.pages['run']}/environment/none").status_code == 404

    def test_an_artifact_whose_bytes_were_changed_is_an_error_and_no_file(self, seeded, browser):
        services = seeded.application.services
        blob = services.tracking.put_artifact(seeded.owner, b"true bytes")
        run = services.tracking.start_run(seeded.owner, name="tampered")
        kept = [Artifact("weights", blob.digest, blob.size_bytes, "file")]
        services.tracking.log(seeded.owner, run.id, params={}, points=[], artifacts=kept)
        services.tracking.end_run(seeded.owner, run.id, "succeeded")
        path = seeded.application.engines.blobs.path(blob.digest)
        path.chmod(0o600)
        path.write_bytes(b"false bytes")
        answer = browser.get(f"/ui/runs/{run.id}/artifacts/weights")
        assert answer.status_code == 500
        assert b"false bytes" not in answer.content

    def test_a_failed_run_says_its_error_before_anything_else(self, seeded, browser):
        text = browser.get(seeded.pages["failed"]).text
        assert text.index("ZeroDivisionError") < text.index("<h2>Run</h2>")
        assert "Traceback (most recent call last):" in text
        assert f"--resume {seeded.failed}" in text

    def test_steps_are_drawn_with_their_state_in_words(self, seeded, browser):
        text = browser.get(seeded.pages["failed"]).text
        drawing = text[text.index('<div class="graph"') : text.index("</svg>\n</div>")]
        for words in ("cached", "ran, ", "failed, ", "skipped", "train[2]", "evaluate[1]"):
            assert words in drawing
        assert drawing.count('<path class="link"') >= 12

    def test_a_run_that_goes_on_is_looked_at_again_and_a_finished_one_is_not(self, seeded, browser):
        assert 'data-refresh-s="3"' in browser.get(seeded.pages["running"]).text
        assert "data-refresh-s" not in browser.get(seeded.pages["run"]).text

    def test_runs_can_be_listed_by_kind(self, seeded, browser):
        steps = Page(browser.get("/ui/runs?kind=step").text)
        assert "train[2]" in steps.text
        assert "train[2]" not in Page(browser.get("/ui/runs").text).text


class TestVersion:
    def test_it_shows_aliases_metrics_signature_and_conversion(self, seeded, browser):
        page = Page(browser.get(seeded.pages["champion"]).text)
        for words in ("bike-demand:2", "@champion", "the demand team", "hr", "equal", "1 200 rows", "rmse"):
            assert words in page.text.replace("\u2009", " "), words

    def test_the_gates_interval_is_drawn_and_told(self, seeded, browser):
        text = browser.get(seeded.pages["champion"]).text
        assert '<circle class="estimate"' in text
        assert 'class="bound"' in text
        page = Page(text)
        assert "mae against bike-demand:1" in page.text
        assert "positive is worse" in page.text

    def test_a_candidate_that_failed_its_gate_is_not_promoted_by_a_click(self, seeded, browser):
        assert "fail" in Page(browser.get(seeded.pages["challenger"]).text).text
        answer = browser.post("/ui/models/bike-demand/3/promote", data={"reason": "I like it"})
        assert answer.status_code == 403
        assert "a passed gate" in Page(answer.text).text

    def test_what_it_rests_on_is_drawn_down_to_its_data(self, seeded, browser):
        page = Page(browser.get(seeded.pages["champion"]).text)
        for words in ("trained on", "trained in", "passed", "dataset version", "environment"):
            assert words in page.text

    def test_an_alias_is_pointed_by_a_form(self, seeded, browser):
        answer = browser.post("/ui/models/bike-demand/2/alias", data={"alias": "@shadow", "reason": "to compare"})
        assert (answer.status_code, answer.headers["location"]) == (303, "/ui/models/bike-demand/2")
        assert "@shadow" in Page(browser.get("/ui/models/bike-demand/@shadow").text).text

    def test_a_viewer_sees_no_buttons_and_may_not_use_them(self, seeded, nobody):
        access = seeded.application.services.access
        access.create_principal(seeded.owner, "visitor", "viewer")
        visitor = access.sign_in(access.issue_token(seeded.owner, name="visitor").text)
        nobody.get("/ui/enter", params={"code": access.open_link(visitor).text})
        nobody.headers["origin"] = str(nobody.base_url)
        page = Page(nobody.get(seeded.pages["challenger"]).text)
        assert page.forms == ["post /ui/leave"]
        assert nobody.post("/ui/models/bike-demand/3/deprecate", data={"reason": "x"}).status_code == 403


class TestData:
    def test_it_shows_versions_checks_profile_and_what_was_set_apart(self, seeded, browser):
        page = Page(browser.get(seeded.pages["dataset"]).text)
        for words in (
            "bike_demand@1", "475 in 6 columns", "temp: wanted 0 to 1, found 7.5", "winter", "hour.csv",
            "date(dteday) + hours(hr)", "event_time",
        ):  # fmt: skip
            assert words in page.text

    def test_a_version_is_found_by_its_id(self, seeded, browser):
        version = seeded.application.services.data.version(seeded.owner, "bike_demand@1")
        answer = browser.get(f"/ui/data-versions/{version.id}")
        assert answer.headers["location"] == "/ui/data/bike_demand?version=1"


class TestAudit:
    def test_events_are_paged_backward_without_a_gap(self, seeded, browser):
        seen: list[int] = []
        path: str | None = "/ui/audit"
        while path is not None:
            page = browser.get(path).text
            seen += [int(seq) for seq in re.findall(r'<td class="number" title="id [^"]*">(\d+)</td>', page)]
            older = re.search(r'href="(/ui/audit\?before=\d+)"', page)
            path = older[1] if older else None
        assert seen == list(range(seen[0], 0, -1))
        assert len(seen) > 50

    def test_the_chain_is_verified_by_a_button(self, seeded, browser):
        answer = browser.post("/ui/audit/verify")
        assert "Intact:" in Page(answer.text).text
