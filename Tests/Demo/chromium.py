"""A headless Chromium, driven over --remote-debugging-pipe: messages of the DevTools protocol that end in NUL, on file
descriptors 3 and 4. Needs no port and no WebSocket."""
import json
import os
import select
import subprocess
import time

# The page's video as it is at this moment, and the colour in its middle as a canvas has it.
PICTURE = """(() => {
  const video = document.querySelector('video');
  const canvas = document.createElement('canvas');
  if (!video || !video.videoWidth) return { width: 0, height: 0, time: video?.currentTime ?? 0, color: null, state: document.body.dataset.state };
  canvas.width = video.videoWidth;
  canvas.height = video.videoHeight;
  const context = canvas.getContext('2d');
  context.drawImage(video, 0, 0);
  const pixel = context.getImageData(canvas.width >> 1, canvas.height >> 1, 1, 1).data;
  return { width: canvas.width, height: canvas.height, time: video.currentTime, color: [...pixel].slice(0, 3),
           state: document.body.dataset.state };
})()"""


class Chromium:
    def __init__(self, program, folder, log, user):
        to_browser, self.write = os.pipe()
        self.read, from_browser = os.pipe()
        self.buffer, self.last, self.answers = b"", 0, {}

        def descriptors():
            # Moved out of the way first: the pipes' own numbers may be 3 and 4 the wrong way round.
            high = [os.dup2(fd, number) for fd, number in ((to_browser, 103), (from_browser, 104))]
            for fd, number in zip(high, (3, 4)):
                os.dup2(fd, number)

        arguments = [
            program, "--headless=new", "--remote-debugging-pipe", f"--user-data-dir={folder}", "--window-size=1280,800",
            "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update",
            # On a slow host the default of 15 seconds leaves the page white.
            "--ipc-connection-timeout=300",
            # It is nobody's process, and shows the machine's page alone: where a host forbids user namespaces it runs too.
            "--no-sandbox", "about:blank",
        ]
        environment = {"PATH": os.environ["PATH"], "HOME": folder, "XDG_RUNTIME_DIR": folder, "LANG": "C.UTF-8"}
        self.process = subprocess.Popen(
            arguments, pass_fds=(3, 4), preexec_fn=descriptors, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            env=environment, user=user, group=user, extra_groups=[])
        os.close(to_browser)
        os.close(from_browser)
        target = self.call("Target.createTarget", {"url": "about:blank"})["targetId"]
        self.session = self.call("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"]
        self.page("Page.enable")

    def call(self, method, parameters=None, session=None, within=120):
        """The result; RuntimeError with Chromium's own words, or when it gives none."""
        self.last += 1
        message = {"id": self.last, "method": method, "params": parameters or {}}
        if session:
            message["sessionId"] = session
        os.write(self.write, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + within
        while True:
            while b"\0" in self.buffer:
                text, self.buffer = self.buffer.split(b"\0", 1)
                answer = json.loads(text)
                if answer.get("id") != self.last:
                    continue
                if "error" in answer:
                    raise RuntimeError(f"Chromium refused {method}: {answer['error']['message']}")
                return answer["result"]
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.read], [], [], left)[0]:
                raise RuntimeError(f"Chromium gave no answer to {method} within {within} s")
            chunk = os.read(self.read, 1 << 20)
            if not chunk:
                raise RuntimeError(f"Chromium ended with status {self.process.wait()} during {method}")
            self.buffer += chunk

    def page(self, method, **parameters):
        return self.call(method, parameters, self.session)

    def open(self, url):
        result = self.page("Page.navigate", url=url)
        if "errorText" in result:
            raise RuntimeError(f"Chromium cannot open {url}: {result['errorText']}")

    def evaluate(self, script):
        result = self.page("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            raise RuntimeError(f"the page's script failed: {result['exceptionDetails']}")
        return result["result"].get("value")

    def picture(self):
        return self.evaluate(PICTURE)

    def screenshot(self):
        """base64 of a PNG."""
        return self.page("Page.captureScreenshot", format="png")["data"]

    def close(self):
        try:
            self.call("Browser.close", within=30)
            self.process.wait(30)
        except (RuntimeError, OSError, subprocess.TimeoutExpired):
            self.process.kill()
            self.process.wait()
