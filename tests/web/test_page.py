"""What the page shows of what a client receives, in a real Chromium."""

from functools import partial

import pytest

from crier.local.page.control import Command, Cut, Drop, Refuse
from tests.web.support.page import Page
from tests.web.support.scripted_gateway import ScriptedGateway

RIGHT_TO_LEFT, ISOLATE = "\u202e", "\u2066"
HOSTILE = [
    '<img src=x onerror="document.title = 1">',
    "</li><script>document.title = 2</script>",
    f"{RIGHT_TO_LEFT}txet lived, and an isolate that is not closed {ISOLATE}",
]
LONG = "x" * (127 * 1024)


def seen(text: str) -> str:
    """Return how the page shows a hostile text: what turns it around is named in its place."""
    return text.replace(RIGHT_TO_LEFT, "⟨U+202E⟩").replace(ISOLATE, "⟨U+2066⟩")


NO_MESSAGE = """
const parse = JSON.parse;
JSON.parse = (text) => parse(text, (key, one) => one === "no message" ? undefined : one);
"""
"""Has the page read a frame that lacks its message, which no test's gateway sends."""


def test_page_starts_without_trouble(page: Page) -> None:
    """Neither an error in the console nor a broken rule of its own policy."""
    assert page.text("state-word") == "Idle"
    assert page.troubles() == []


def test_page_shows_frames_as_they_come(page: Page, gateway: ScriptedGateway) -> None:
    """Newest first, with their channel, number and text; the channel's position follows."""
    page.connect(gateway.url, "news")

    gateway.send("news", {"headline": "one"})
    gateway.send("news", "two")
    page.until(lambda: len(page.rows(":not(.note-row)")) == 2)

    newest, oldest = page.rows(":not(.note-row)")
    assert "two" in newest
    assert '{"headline":"one"}' in oldest
    page.until(lambda: "news 2 2" in page.text("channels"))
    assert page.text("received") == "2"
    assert page.troubles() == []


def test_channel_may_have_the_name_of_something_of_javascript(
    page: Page, gateway: ScriptedGateway
) -> None:
    """It is a name like any other."""
    page.connect(gateway.url, "constructor")

    gateway.send("constructor", "one")
    page.until(lambda: page.rows(":not(.note-row)"))

    page.until(lambda: "constructor 1 1" in page.text("channels"))
    assert page.find_all("#rows .name")[0].text == "constructor"


def test_page_marks_what_is_replayed_after_a_cut(page: Page, gateway: ScriptedGateway) -> None:
    """A row that was missed says so, and a sentence says that all is there again."""
    page.connect(gateway.url, "news")
    gateway.send("news", "before")
    page.until(lambda: page.text("received") == "1")

    gateway.cut()
    page.until(lambda: page.text("state-word") != "Connected")
    gateway.send("news", "missed")
    page.until(lambda: page.rows(".replayed"))

    (replayed,) = page.rows(".replayed")
    assert "↺ replayed" in replayed
    assert "missed" in replayed
    page.until(lambda: any("Whole again: 1 frame replayed" in one for one in page.rows(".good")))
    assert page.text("reconnected") == "1"
    assert any("the connection was cut. Next try in" in one for one in page.rows(".waiting"))


def test_page_says_which_numbers_a_gap_takes_away(page: Page, gateway: ScriptedGateway) -> None:
    """And why, in words."""
    page.connect(gateway.url, "news")
    gateway.send("news", "before")
    page.until(lambda: page.text("received") == "1")

    gateway.cut()
    gateway.lose("news", 4)
    page.until(lambda: page.rows(".gap"))

    (gap,) = page.rows(".gap")
    assert "▲ Lost in news: 2 to 5 (4 frames): more were missed than one" in gap
    page.until(lambda: page.text("losses") == "1")


@pytest.mark.parametrize("message", HOSTILE)
def test_hostile_message_stays_text(page: Page, gateway: ScriptedGateway, message: str) -> None:
    """It is neither read as HTML nor does it turn what stands beside it."""
    title = page.browser.title
    page.connect(gateway.url, "news")

    gateway.send("news", message)
    page.until(lambda: page.text("received") == "1")

    (text,) = page.find_all("#rows .text")
    assert page.run("return arguments[0].textContent", text) == seen(message)
    assert page.run("return arguments[0].children.length", text) == 0
    assert text.value_of_css_property("unicode-bidi") == "plaintext"
    assert page.browser.title == title
    assert page.troubles() == []


def test_frame_that_lacks_what_it_should_have_is_shown(
    page: Page, gateway: ScriptedGateway
) -> None:
    """Without a time there is no latency, in the row and in the plot."""
    page.connect(gateway.url, "news")

    gateway.send("news", "no time", sentAt=None)
    page.run(NO_MESSAGE)
    gateway.send("news", "no message")
    page.until(lambda: page.text("received") == "2")

    page.until(lambda: len(page.rows(":not(.note-row)")) == 2)
    newest, oldest = page.rows(":not(.note-row)")
    assert oldest.split("\n")[1:] == ["news", "1", "\u2013", "no time"]
    assert "no message" not in newest
    page.until(lambda: "of 1 frame in the last 60 s." in page.text("latency-words"))
    assert page.troubles() == []


def test_long_message_is_cut_until_all_of_it_is_asked_for(
    page: Page, gateway: ScriptedGateway
) -> None:
    """127 KiB take some lines; a button shows all, and the layout keeps its width."""
    page.show_as(width=360, height=740)
    page.connect(gateway.url, "news")
    gateway.send("news", LONG)
    page.until(lambda: page.find_all("#rows .text"))
    (text,) = page.find_all("#rows .text")
    assert len(text.text) < 300

    page.press("Show all 130,048 characters")

    assert page.run("return arguments[0].textContent.length", text) == len(LONG)
    assert text.size["height"] <= 300
    assert page.too_wide() == []
    page.press("Show less")
    assert len(text.text) < 300


def test_page_keeps_200_rows(page: Page, gateway: ScriptedGateway) -> None:
    """A flood costs no more than that, and all of it is counted."""
    page.connect(gateway.url, "news")

    for number in range(500):
        gateway.send("news", number)
    page.until(lambda: page.text("received") == "500")

    page.until(lambda: len(page.rows()) == 200)
    assert "499" in page.rows()[0]


def test_paused_list_stays_as_it_is(page: Page, gateway: ScriptedGateway) -> None:
    """What comes meanwhile is counted, and shown when it goes on."""
    page.connect(gateway.url, "news")
    page.find("pause").click()

    gateway.send("news", "later")
    page.until(lambda: "Paused; 1 more came." in page.text("frames-note"))
    assert not page.rows(":not(.note-row)")

    page.find("pause").click()
    page.until(lambda: len(page.rows(":not(.note-row)")) == 1)


def test_filter_shows_one_channel(page: Page, gateway: ScriptedGateway) -> None:
    """Rows of others are hidden, new ones too."""
    page.connect(gateway.url, "news", "sport")
    gateway.send("sport", "one")
    page.until(lambda: page.text("received") == "1")

    page.choose("filter", "news")
    gateway.send("sport", "two")
    gateway.send("news", "three")
    page.until(lambda: page.text("received") == "3")

    page.until(lambda: len(page.rows(":not(.note-row)")) == 1)
    assert "three" in page.rows(":not(.note-row)")[0]


def test_plot_has_a_dot_for_each_frame_and_words_for_all(
    page: Page, gateway: ScriptedGateway
) -> None:
    """Median and worst stand beside it; 1,000 ms ago is a tenth of the plot's height of 10 s."""
    page.connect(gateway.url, "news")

    for age_ms in (100, 120, 5_000):
        gateway.send("news", "x", age_ms=age_ms)
    page.until(lambda: "of 3 frames in the last 60 s." in page.text("latency-words"))

    assert "worst 5.0 s, of" in page.text("latency-words")
    dots: str = page.run("return document.getElementById('plot-dots').getAttribute('d')")
    heights = [float(one.split()[1].removesuffix("h0")) for one in dots.split("M")[1:]]
    assert len(heights) == 3
    assert heights[2] < 100 < heights[0] <= 200


def test_plot_marks_what_is_above_its_scale(page: Page, gateway: ScriptedGateway) -> None:
    """At its top, in another colour, and the words say so."""
    page.connect(gateway.url, "news")

    gateway.send("news", "x", age_ms=20_000)
    page.until(lambda: "(orange: above the scale)" in page.text("latency-words"))

    drawn = "return document.getElementById(arguments[0]).getAttribute('d')"
    over, dots = page.run(drawn, "plot-over"), page.run(drawn, "plot-dots")
    assert over.endswith(" 0h0")
    assert dots == ""


def test_plot_says_that_it_has_1000_frames_only(page: Page, gateway: ScriptedGateway) -> None:
    """In a flood they are those of less than a minute."""
    page.connect(gateway.url, "news")

    for number in range(1_100):
        gateway.send("news", number)
    page.until(lambda: page.text("received") == "1,100")

    page.until(lambda: "of the last 1,000 frames." in page.text("latency-words"))


def test_channel_with_a_very_long_name_blocks_nothing(page: Page, gateway: ScriptedGateway) -> None:
    """A request above 8 KiB is refused without its `ref`: the client would ask again for ever."""
    page.subscribe("x" * 9_000)

    page.connect(gateway.url, "news")

    names = page.run(
        "return [...document.querySelectorAll('#channels th')].map((one) => one.title)"
    )
    assert names == ["* everyone", "x" * 128, "news"]


def test_channel_that_is_not_answered_yet_outlives_a_close(
    page: Page, gateway: ScriptedGateway
) -> None:
    """It is subscribed to on the next connection."""
    page.connect(gateway.url, "news")
    gateway.silent_about = "late"
    page.subscribe("late")
    page.until(lambda: gateway.unanswered)
    gateway.silent_about = None

    page.press("Close and reconnect")

    page.until(lambda: page.text("reconnected") == "1")
    page.until(lambda: "late 0" in page.text("channels"))


def test_channel_that_is_refused_leaves_the_table(page: Page, gateway: ScriptedGateway) -> None:
    """An error says why, and the others stay."""
    page.connect(gateway.url, "news")

    page.subscribe("secret")
    page.until(lambda: page.rows(".error"))

    assert "not-allowed" in page.rows(".error")[0]
    page.until(lambda: "secret" not in page.text("channels"))
    assert "news" in page.text("channels")


def test_refused_channel_is_told_beside_its_field_and_may_be_corrected(
    page: Page, gateway: ScriptedGateway
) -> None:
    """The name is still there, and the next try takes the complaint away."""
    page.connect(gateway.url, "news")

    page.subscribe("secret")
    page.until(lambda: page.text("channel-trouble").startswith("✕ secret: "))

    field = page.find("channel")
    page.until(lambda: field.get_attribute("value") == "secret")
    assert field.get_attribute("aria-invalid") == "true"
    assert page.text("trouble") == ""
    field.clear()
    page.subscribe("news")
    assert page.text("channel-trouble") == "news is followed already."
    field.clear()
    page.subscribe("sport")
    page.until(lambda: "sport 0" in page.text("channels"))
    assert page.text("channel-trouble") == ""
    assert field.get_attribute("aria-invalid") == "false"


def test_list_says_what_to_do_until_a_frame_is_there(page: Page, gateway: ScriptedGateway) -> None:
    """Rows of words are none, and neither are frames of a channel that is not shown."""
    page.connect(gateway.url, "news", "sport")
    assert "crier send" in page.text("empty")

    gateway.send("news", "one")
    page.until(lambda: page.text("empty") == "")
    page.choose("filter", "sport")

    assert page.text("none-of-channel") == "No frame of this channel yet."
    assert page.text("empty") == ""
    page.choose("filter", "all channels")
    assert page.text("none-of-channel") == ""


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("plain", "plain"),
        ("", '""'),
        ("  ", '"  "'),
        ("null", '"null"'),
        ('{"a": 1}', '"{\\"a\\": 1}"'),
        (None, "null"),
        ({"a": "\u200b"}, '{"a":"⟨U+200B⟩"}'),
        ("\U0001f469\u200d\U0001f467", "\U0001f469\u200d\U0001f467"),
    ],
)
def test_message_is_shown_so_that_it_can_be_told_from_others(
    page: Page, gateway: ScriptedGateway, message: object, shown: str
) -> None:
    """A text has quotes where it would be nothing, or look like other JSON."""
    page.connect(gateway.url, "news")

    gateway.send("news", message)
    page.until(lambda: page.find_all("#rows .text"))

    (text,) = page.find_all("#rows .text")
    assert page.run("return arguments[0].textContent", text) == shown


def test_connect_is_there_while_it_would_do_something(page: Page, gateway: ScriptedGateway) -> None:
    """The keyboard is at Close meanwhile, and back when all is closed."""
    page.find("url").send_keys(gateway.url, "\n")
    page.until(lambda: page.text("state-word") == "Connected")
    assert not page.find("connect").is_enabled()

    page.find("url").send_keys("x")
    page.until(page.find("connect").is_enabled)
    page.find("url").send_keys("\b")
    page.until(lambda: not page.find("connect").is_enabled())
    page.press("Close")

    page.until(page.find("connect").is_enabled)
    assert page.run("return document.activeElement.id") == "connect"


def test_page_says_that_a_url_is_none(page: Page) -> None:
    """In the list, beside the form, and in the state, with what it has to be."""
    page.find("url").send_keys("nowhere\n")

    page.until(lambda: page.text("state-word") == "Closed")

    assert page.text("trouble").startswith("✕ the URL has to begin with wss:// (or ws://")
    assert "bad-url" in page.rows(".error")[0]
    assert page.troubles() == []


def test_reload_keeps_url_and_channels_and_forgets_the_token(
    page: Page, gateway: ScriptedGateway
) -> None:
    """Neither the tab's storage nor its address has had the token, in the field or in the URL."""
    page.find("token").send_keys("s3cret")
    page.connect(f"{gateway.url}?token=0ther", "news")
    assert "s3cret" in gateway.asked_paths[-1]
    stored = page.run("return JSON.stringify({...sessionStorage, ...localStorage}) + location.href")

    page.reload()

    assert "s3cret" not in stored
    assert "0ther" not in stored
    assert page.find("url").get_attribute("value") == gateway.url
    assert page.find("token").get_attribute("value") == ""
    assert "news" in page.text("channels")


def test_page_elsewhere_says_why_some_buttons_are_not_there(page: Page) -> None:
    """Only the local run can break a connection from outside."""
    reason = "The other ways need the local run: open this page from crier local."
    page.until(lambda: page.text("break-reason") == reason)
    assert not any(one.is_enabled() for one in page.find_all("#break-local button"))


def test_local_page_connects_with_a_token_of_its_own(
    local_page: Page, gateway: ScriptedGateway
) -> None:
    """With the URL and the channels that the local run tells."""
    local_page.until(lambda: local_page.text("state-word") == "Connected")

    assert local_page.find("url").get_attribute("value") == gateway.url
    assert gateway.asked_paths[-1] == "/prod?token=token-of-alice"
    local_page.until(lambda: "news 0" in local_page.text("channels"))
    assert local_page.troubles() == []


def test_token_that_is_typed_goes_before_those_of_the_local_run(
    local_page: Page, gateway: ScriptedGateway
) -> None:
    """From the next connect on, as long as it stands there."""
    local_page.until(lambda: local_page.text("state-word") == "Connected")

    local_page.find("token").send_keys("typed")
    local_page.press("Close and reconnect")
    local_page.until(lambda: gateway.asked_paths[-1] == "/prod?token=typed")
    local_page.find("token").clear()
    local_page.until(lambda: local_page.text("state-word") == "Connected")
    local_page.press("Close and reconnect")

    local_page.until(lambda: gateway.asked_paths[-1] == "/prod?token=token-of-alice")
    assert local_page.troubles() == []


def test_local_page_has_the_local_run_break_the_connection(
    local_page: Page, obeyed: list[Command]
) -> None:
    """Each button asks for what it says, for the connection that the page has."""
    local_page.until(lambda: local_page.text("state-word") == "Connected")

    for button in local_page.find_all("#break-local button"):
        told = len(local_page.rows(".plain"))
        button.click()
        local_page.until(partial(lambda before: len(local_page.rows(".plain")) > before, told))

    own = local_page.text("connection-id")
    assert obeyed == [Cut(own), Cut(), Refuse(10), Cut(), Drop(own, 3)]
    assert local_page.troubles() == []


def test_page_sends_the_token_where_its_user_wants_it(page: Page, gateway: ScriptedGateway) -> None:
    """As a sub-protocol it is in no URL."""
    page.find("token").send_keys("s3cret")
    page.choose("token-in", "a sub-protocol")

    page.connect(gateway.url)

    assert gateway.asked_paths == ["/prod"]
    assert gateway.offered == ["crier.v1, bearer.s3cret"]


def test_page_counts_renewals(page: Page, gateway: ScriptedGateway) -> None:
    """A new connection takes the old one's place, and the state stays what it is."""
    gateway.renew_in_ms = 3_000
    page.connect(gateway.url, "news")
    first = page.text("connection-id")

    page.until(lambda: page.text("renewed") != "0")

    assert page.text("connection-id") != first
    assert page.text("reconnected") == "0"
    assert any("Renewed" in one for one in page.rows(".good"))
    assert not page.rows(".waiting")


def test_page_reconnects_by_itself(page: Page, gateway: ScriptedGateway) -> None:
    """The one way to break a connection that a page has without the local run."""
    page.connect(gateway.url, "news")

    page.press("Close and reconnect")

    page.until(lambda: page.text("reconnected") == "1")
    assert page.text("state-word") == "Connected"


def test_local_page_comes_back_from_the_back_forward_cache(
    local_page: Page, static_host: str
) -> None:
    """As the browser has kept it, and connects at once."""
    local_page.until(lambda: local_page.text("state-word") == "Connected")
    local_page.run("window.isKept = true")

    local_page.browser.get(static_host)
    local_page.browser.back()

    assert local_page.run("return window.isKept") is True
    local_page.until(lambda: local_page.text("state-word") == "Connected")
    local_page.until(lambda: local_page.text("reconnected") == "1")
    assert local_page.troubles() == []


def test_reload_connects_by_itself_to_the_local_run_only(
    local_page: Page, gateway: ScriptedGateway
) -> None:
    """At another URL a token may be needed, which the page has forgotten."""
    elsewhere = gateway.url.replace("127.0.0.1", "localhost")
    local_page.until(lambda: local_page.text("state-word") == "Connected")
    local_page.connect(elsewhere)
    connects = len(gateway.asked_paths)

    local_page.reload()
    local_page.until(lambda: local_page.find("break-local").is_enabled())

    assert local_page.find("url").get_attribute("value") == elsewhere
    assert local_page.text("state-word") == "Idle"
    assert len(gateway.asked_paths) == connects
