"""Headless Chromium, driven by the W3C WebDriver protocol that chromedriver speaks."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
import urllib.request

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
CHROMEDRIVER = shutil.which("chromedriver")

_OPTIONS = [
    "--headless",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--disable-sync",
    "--no-first-run",
    "--window-size=1280,1000",
]
_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # the protocol's name for a reference to one


class Browser:
    """One window; a context manager."""

    def __enter__(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._address = f"http://127.0.0.1:{free.getsockname()[1]}"
        port = self._address.rpartition(":")[2]
        self._driver = subprocess.Popen(
            [CHROMEDRIVER, f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        options = [*_OPTIONS, *(["--no-sandbox"] if os.geteuid() == 0 else [])]
        wanted = {
            "goog:chromeOptions": {"binary": CHROMIUM, "args": options},
            "goog:loggingPrefs": {"browser": "ALL"},
        }
        self._session = ""
        try:
            deadline = time.monotonic() + 60
            while True:
                try:
                    made = self._call("POST", "/session", capabilities={"alwaysMatch": wanted})
                    break
                except urllib.error.HTTPError:
                    raise
                except OSError:
                    if time.monotonic() > deadline:
                        raise
                    time.sleep(0.1)
        except BaseException:
            self._driver.terminate()
            raise
        self._session = f"/session/{made['sessionId']}"
        return self

    def __exit__(self, *_):
        try:
            self._call("DELETE", "")
        finally:
            self._driver.terminate()
            self._driver.wait(30)

    def open(self, path):
        self._call("POST", "/url", url=path.resolve().as_uri())

    def run(self, script, *arguments):
        """What a function body returns; a promise is waited for."""
        return self._call("POST", "/execute/sync", script=script, args=list(arguments))

    def find(self, selector):
        return self._call("POST", "/element", using="css selector", value=selector)[_ELEMENT]

    def click(self, selector):
        self._call("POST", f"/element/{self.find(selector)}/click")

    def type(self, selector, text):
        self._call("POST", f"/element/{self.find(selector)}/value", text=text)

    def wait(self, script, seconds=60):
        """Until a function body returns something true, which is returned."""
        deadline = time.monotonic() + seconds
        while not (found := self.run(script)):
            assert time.monotonic() < deadline, f"in vain: {script}"
            time.sleep(0.05)
        return found

    def dark(self):
        """From here on the user prefers dark pages."""
        features = [{"name": "prefers-color-scheme", "value": "dark"}]
        command = {"cmd": "Emulation.setEmulatedMedia", "params": {"features": features}}
        self._call("POST", "/goog/cdp/execute", **command)

    def complaints(self):
        """What stands in the console: errors of scripts, refused and missing resources."""
        return [entry["message"] for entry in self._call("POST", "/se/log", type="browser")]

    def _call(self, method, path, **body):
        request = urllib.request.Request(
            f"{self._address}{self._session}{path}",
            method=method,
            data=json.dumps(body).encode() if method == "POST" else None,
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=120) as reply:
            return json.load(reply)["value"]
