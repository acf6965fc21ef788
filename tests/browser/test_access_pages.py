"""Logging in and out, accounts, tokens, members and the log in a real browser."""

from __future__ import annotations

import html
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from support.platform import Served
from support.web import Answer, Asked, serve_web

HOSTILE = '<script>document.title="hacked"</script><img src=x onerror="document.title=1">'
PASSWORD = "correct horse battery"


@pytest.fixture
def stranger(browser: Browser, served: Served) -> Iterator[Page]:
    """A browser that nobody has logged in with."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, base_url=served.url)
    context.set_default_timeout(15_000)
    yield context.new_page()
    context.close()


def path_of(page: Page) -> str:
    return urlsplit(page.url).path


def log_in(page: Page, email: str, password: str) -> None:
    page.get_by_label("E-mail address").fill(email)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").first.click()


def test_a_person_logs_in_and_out(served: Served, stranger: Page) -> None:
    served.client.post("/api/users", json={"email": "jo@example.org", "password": PASSWORD})
    served.client.put("/api/projects/demo/members/jo@example.org", json={"role": "viewer"})
    run = served.post()
    stranger.goto(f"/runs/{run}")
    assert path_of(stranger) == "/login"
    log_in(stranger, "jo@example.org", "wrong password")
    expect(stranger.get_by_role("alert")).to_contain_text("This is not right")
    stranger.goto(f"/login?next=/runs/{run}")
    log_in(stranger, "jo@example.org", PASSWORD)
    expect(stranger.locator(".head .chip")).to_have_text("Waiting")
    expect(stranger.get_by_role("button", name="Cancel")).to_have_count(0)
    expect(stranger.get_by_role("link", name="Users")).to_have_count(0)
    stranger.goto("/users")
    expect(stranger.locator("h2")).to_have_text("Not allowed")
    stranger.goto("/")
    stranger.get_by_role("button", name="Log out").click()
    stranger.wait_for_url("**/login")
    stranger.goto(f"/runs/{run}")
    assert path_of(stranger) == "/login"


def test_a_session_that_was_ended_elsewhere_is_over(served: Served, page: Page) -> None:
    page.goto("/")
    made = served.client.post("/api/users", json={"email": "jo@example.org"}).json()
    # its script would go to the login itself, at the same moment
    context = page.context.browser.new_context(  # type: ignore[union-attr]
        base_url=served.url, java_script_enabled=False
    )
    other = context.new_page()
    other.goto(made["path"])
    user = made["data"]["id"]
    expect(other.locator("h1")).to_be_visible()
    served.client.patch(f"/api/users/{user}", json={"disabled": True})
    other.goto("/runs")
    assert path_of(other) == "/login"
    context.close()


def test_a_token_is_made_shown_once_and_revoked(served: Served, page: Page) -> None:
    page.goto("/account")
    form = page.locator('form[action="/account/tokens"]')
    form.get_by_label("Name").fill(HOSTILE)
    form.get_by_label("deploy").check()
    form.get_by_role("button").click()
    token = page.locator("#token").inner_text()
    assert token.startswith("hf_")
    expect(page.locator("#tokens td").first).to_have_text(HOSTILE)
    assert page.title() == "Your account · Holdfast"
    page.goto("/account")
    expect(page.locator("#token")).to_have_count(0)
    page.get_by_role("button", name="Revoke").click()
    expect(page.locator("#tokens .chip")).to_have_text("Revoked")
    headers = {"authorization": f"Bearer {token}"}
    assert served.client.get("/api/runs", headers=headers).status_code == 401


def test_names_of_people_and_projects_stay_text(served: Served, page: Page) -> None:
    page.goto("/users")
    page.get_by_label("E-mail address").fill("jo@example.org")
    page.get_by_label("Name").fill(HOSTILE)
    page.get_by_role("button", name="Add").click()
    link = page.locator("#link").inner_text()
    expect(page.get_by_role("cell", name=HOSTILE, exact=True)).to_be_visible()
    page.goto("/projects/demo/members")
    page.get_by_label("E-mail address").fill("jo@example.org")
    page.get_by_label("Role").select_option("editor")
    page.get_by_role("button", name="Add or change").click()
    expect(page.locator("tbody tr")).to_have_count(2)
    page.goto("/audit")
    expect(page.locator("tbody tr").first).to_contain_text("member set")
    assert "hacked" not in page.title()
    context = page.context.browser.new_context(base_url=served.url)  # type: ignore[union-attr]
    jo = context.new_page()
    jo.goto(link)
    jo.goto("/account")
    jo.get_by_label("New password").fill(PASSWORD)
    jo.get_by_label("The same again").fill(PASSWORD)
    jo.get_by_role("button", name="Set password").click()
    expect(jo.get_by_role("status").last).to_contain_text("The password is set")
    context.close()


def test_a_credential_is_connected_at_a_provider_and_comes_back(
    served: Served, browser: Browser
) -> None:
    """The provider is another site (localhost), so that the session's cookie stays away."""

    def provider(asked: Asked) -> Answer:
        if asked.method == "POST":
            return Answer({"access_token": "from-provider", "token_type": "Bearer"})
        back = f"{asked.query['redirect_uri']}?code=c&state={asked.query['state']}"
        link = f'<a href="{html.escape(back)}">I consent</a>'
        return Answer(link, headers={"content-type": "text/html"})

    context = browser.new_context(base_url=served.url)
    context.set_default_timeout(15_000)
    with serve_web(provider) as web:
        client = {
            "name": "Mail", "client_id": "x", "token_endpoint": f"{web.address}/token",
            "authorization_endpoint": f"{web.address}/consent",
        }  # fmt: skip
        assert served.client.post("/api/oauth_clients", json=client).status_code == 201
        page = context.new_page()
        page.goto(served.new_link())
        page.goto("/projects/demo/credentials")
        form = page.locator("#connect")
        form.get_by_label("Name of the credential").fill(HOSTILE)
        form.get_by_role("button", name="Connect").click()
        page.get_by_role("link", name="I consent").click()
        expect(page.get_by_role("button", name="Connect again")).to_be_visible()
        expect(page.get_by_role("cell", name=HOSTILE, exact=True)).to_be_visible()
        assert path_of(page).endswith("/credentials")
        page.get_by_role("button", name="Connect again").click()
        page.get_by_role("link", name="I consent").click()
        expect(page.get_by_role("button", name="Connect again")).to_have_count(1)
    context.close()
