"""The system's Firefox, driven by WebDriver BiDi, which it speaks itself.

Playwright drives only a build of Firefox of its own, and Selenium needs geckodriver, which Debian
stable has not.

Source: https://www.w3.org/TR/webdriver-bidi/
"""

import itertools
import json
import re
import shutil
import subprocess
import time

import websocket  # of websocket-client

PATIENCE = 60  # seconds, until an answer comes
SETTINGS = {
    "intl.accept_languages": "ja",
    "browser.shell.checkDefaultBrowser": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "app.update.enabled": False,
    "browser.aboutwelcome.enabled": False,
}


def program():
    """Where Firefox is, or None."""
    return shutil.which("firefox-esr") or shutil.which("firefox")


class Firefox:
    """One tab, without a window on the screen.

    Args:
        profile: An empty folder.
    """

    def __init__(self, profile):
        lines = (f"user_pref({json.dumps(k)}, {json.dumps(v)});\n" for k, v in SETTINGS.items())
        (profile / "user.js").write_text("".join(lines))
        command = [program(), "--headless", "--no-remote", "--profile", profile]
        self._process = subprocess.Popen(
            [*command, "--remote-debugging-port", "0", "about:blank"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        self._socket = None
        try:
            for line in self._process.stderr:
                if found := re.search(r"WebDriver BiDi listening on (ws://\S+)", line):
                    break
            self._socket = websocket.create_connection(
                f"{found[1]}/session", timeout=PATIENCE, suppress_origin=True
            )
            self._numbers = itertools.count()
            self._call("session.new", capabilities={})
            # The first tab does not get the focus.
            self._tab = self._call("browsingContext.create", type="tab", background=False)
            self._tab = {"context": self._tab["context"]}
        except BaseException:
            self.close()
            raise

    def close(self):
        if self._socket is not None:
            self._socket.shutdown()
        self._process.kill()
        self._process.communicate()

    def _call(self, method, **params):
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:  # there are events, too
            answer = json.loads(self._socket.recv())
            if answer.get("id") == number:
                assert answer["type"] == "success", answer
                return answer["result"]

    def size(self, width, height):
        """Make the page so large, in CSS pixels."""
        self._call(
            "browsingContext.setViewport", **self._tab, viewport={"width": width, "height": height}
        )

    def open(self, address):
        """Load a page, as far as its scripts have run."""
        self._call("browsingContext.navigate", **self._tab, url="about:blank", wait="complete")
        self._call("browsingContext.navigate", **self._tab, url=address, wait="complete")

    def reload(self):
        self._call("browsingContext.reload", **self._tab, wait="complete")

    def run(self, expression, *args):
        """The value of an expression of JavaScript, in which ``arguments`` are those given."""
        answer = self._call(
            "script.callFunction", target=self._tab, awaitPromise=True,
            functionDeclaration="async (args) => JSON.stringify(await (async function() {"
            f" return {expression}; }}).apply(null, JSON.parse(args)) ?? null)",
            arguments=[{"type": "string", "value": json.dumps(args)}],
        )  # fmt: skip
        assert answer["type"] == "success", answer
        return json.loads(answer["result"]["value"])

    def until(self, expression):
        """Wait until an expression is true."""
        deadline = time.monotonic() + PATIENCE
        while not self.run(expression):
            assert time.monotonic() < deadline, expression
            time.sleep(0.05)

    def press(self, key):
        """Press a key: a letter, or one of WebDriver's names for others, such as "\\ue004"."""
        actions = [{"type": kind, "value": key} for kind in ("keyDown", "keyUp")]
        self._perform({"type": "key", "id": "keyboard", "actions": actions})

    def drag(self, points, kind="mouse"):
        """Drag along points of the page, with a "mouse", or by "touch"."""
        (x, y), *others = [tuple(map(round, point)) for point in points]
        moves = [{"type": "pointerMove", "x": x, "y": y, "duration": 20} for x, y in others]
        press, release = ({"type": f"pointer{what}", "button": 0} for what in ("Down", "Up"))
        actions = [{"type": "pointerMove", "x": x, "y": y}, press, *moves, release]
        parameters = {"pointerType": kind}
        self._perform({"type": "pointer", "id": kind, "parameters": parameters, "actions": actions})

    def _perform(self, *actions):
        self._call("input.performActions", **self._tab, actions=actions)
