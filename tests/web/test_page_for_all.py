"""The page for all its users: contrast, names, keyboard, a screen reader, a phone."""

from functools import partial

import pytest
from selenium.webdriver import ActionChains
from selenium.webdriver.common.keys import Keys

from tests.web.support.page import Page
from tests.web.support.scripted_gateway import ScriptedGateway

LEAST_CONTRAST = 4.5

TEXTS = """
const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
const ground = (one) => {
  for (let at = one; at; at = at.parentElement) {
    const [r, g, b, alpha = 1] = rgb(getComputedStyle(at).backgroundColor);
    if (alpha === 1) return [r, g, b];
  }
  return [255, 255, 255];
};
const hasText = (one) => [...one.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
const isSeen = (one) => one.checkVisibility() && one.getBoundingClientRect().width > 1;
const told = (one, color) => [one.id || one.className || one.tagName, rgb(color), ground(one)];
const all = [...document.body.querySelectorAll("*")].filter(isSeen);
return [
  ...all.filter(hasText).map((one) => told(one, getComputedStyle(one).color)),
  ...all.filter((one) => one.matches("input, select"))
    .map((one) => told(one, getComputedStyle(one).color)),
  ...all.filter((one) => one.placeholder)
    .map((one) => told(one, getComputedStyle(one, "::placeholder").color)),
];
"""

FOCUSABLE = """
return [...document.querySelectorAll("input, select, button, [tabindex='0']")]
  .filter((one) => one.checkVisibility() && !one.matches(":disabled"))
  .map((one) => one.id || one.ariaLabel || one.textContent);
"""
FOCUSED = """
const one = document.activeElement;
return [one.id || one.ariaLabel || one.textContent, getComputedStyle(one).outlineStyle];
"""
NAMED_ROLES = {"button", "textbox", "combobox", "region", "listitem", "rowheader"}


def luminance(color: list[float]) -> float:
    """Return the relative luminance of a colour (WCAG 2.2)."""
    parts = [one / 255 for one in color]
    red, green, blue = (
        one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: list[float], other: list[float]) -> float:
    """Return the contrast of two colours (WCAG 2.2)."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def fill(page: Page, gateway: ScriptedGateway) -> None:
    """Have each kind of row in the list: frames, replayed ones, a gap, states, an error."""
    page.connect(gateway.url, "news", "sport")
    gateway.send("news", "x" * 1_000)
    page.until(lambda: page.text("received") == "1")
    gateway.cut()
    gateway.send("news", "missed")
    gateway.send("*", "missed")
    gateway.lose("sport", 3)
    page.until(lambda: page.rows(".gap") and page.rows(".replayed"))
    page.subscribe("secret")
    page.until(lambda: page.rows(".error"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_can_be_read(page: Page, gateway: ScriptedGateway, scheme: str) -> None:
    """The contrast of every text is 4.5 at least: also of buttons that are disabled."""
    fill(page, gateway)
    page.show_as(scheme=scheme)

    found = page.run(TEXTS)

    faint = [(name, contrast(color, ground)) for name, color, ground in found]
    assert len(found) > 50
    assert [one for one in faint if one[1] < LEAST_CONTRAST] == []


def test_all_controls_have_names(page: Page, gateway: ScriptedGateway) -> None:
    """In the accessibility tree, as a screen reader has it."""
    fill(page, gateway)

    tree = page.browser.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]

    controls = [node for node in tree if node.get("role", {}).get("value") in NAMED_ROLES]
    unnamed = [
        node["role"]["value"]
        for node in controls
        if node["role"]["value"] != "listitem" and not node.get("name", {}).get("value")
    ]
    assert len(controls) > 15
    assert unnamed == []


def test_page_has_landmarks_and_headings(page: Page) -> None:
    """One banner, one main, and a heading for each part."""
    assert len(page.find_all("body > header")) == 1
    assert len(page.find_all("body > main")) == 1
    assert [one.tag_name for one in page.find_all("h1, h2, h3")] == ["h1", *["h2"] * 6]


def test_keyboard_reaches_each_control_in_order(page: Page, gateway: ScriptedGateway) -> None:
    """In the order of the document, with a ring around it."""
    fill(page, gateway)
    (title,) = page.find_all("h1")
    title.click()  # the keyboard goes on from there
    expected: list[str] = page.run(FOCUSABLE)

    reached = []
    for _ in expected:
        ActionChains(page.browser).send_keys(Keys.TAB).perform()
        reached.append(page.run(FOCUSED))

    assert [name for name, _ in reached] == expected
    assert {outline for _, outline in reached} == {"solid"}


def test_keyboard_stays_at_the_button_that_breaks_the_connection(
    page: Page, gateway: ScriptedGateway
) -> None:
    """It is disabled for a moment; the same key breaks the next connection."""
    page.connect(gateway.url, "news")
    page.run("document.getElementById('break-here').focus()")

    for times in ("1", "2"):
        ActionChains(page.browser).send_keys(Keys.ENTER).perform()
        page.until(partial(lambda expected: page.text("reconnected") == expected, times))

        page.until(lambda: page.run(FOCUSED)[0] == "break-here")


def test_frames_do_not_flood_a_screen_reader(page: Page, gateway: ScriptedGateway) -> None:
    """The list is no live region; what is spoken sums up, every ten seconds at most."""
    page.connect(gateway.url, "news")
    page.until(lambda: "Connected." in page.run("return spoken.textContent"))
    page.run(
        "window.said = [];"
        "new MutationObserver(() => said.push(spoken.textContent))"
        ".observe(spoken, { childList: true, characterData: true, subtree: true })"
    )

    for number in range(100):
        gateway.send("news", number)
    page.until(lambda: page.run("return said.length"))

    assert page.run("return said") == ["100 frames came."]
    assert (
        page.run("return document.getElementById('rows').closest('[aria-live], [role=log]')")
        is None
    )


@pytest.mark.parametrize("width", [360, 768, 1600])
def test_page_fits_its_window(page: Page, gateway: ScriptedGateway, width: int) -> None:
    """Nothing reaches out of it at the right."""
    fill(page, gateway)
    gateway.send("news", "y" * 5_000)
    page.until(lambda: any("yyy" in one for one in page.rows()))

    page.show_as(width=width, height=740)

    assert page.too_wide() == []


def test_fingers_find_controls_of_44_pixels(page: Page, gateway: ScriptedGateway) -> None:
    """Where the pointer is coarse."""
    fill(page, gateway)
    page.show_as(width=360, height=740)
    touch = {"enabled": True, "maxTouchPoints": 1}
    page.browser.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", touch)

    try:
        page.until(lambda: page.run("return matchMedia('(pointer: coarse)').matches"))
        controls = page.find_all("input, select, button")
        heights = [one.size["height"] for one in controls if one.is_displayed()]
        too_wide = page.too_wide()
    finally:
        touch = {"enabled": False}
        page.browser.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", touch)

    assert len(heights) > 15
    assert min(heights) >= 44
    assert too_wide == []


def test_page_stands_still_for_those_who_ask_for_it(page: Page) -> None:
    """With prefers-reduced-motion nothing is animated, also while it connects."""
    features = [{"name": "prefers-reduced-motion", "value": "reduce"}]
    page.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    page.run("document.getElementById('state').dataset.state = 'connecting'")

    assert page.run("return document.getAnimations().length") == 0
