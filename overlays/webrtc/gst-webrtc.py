#!/usr/bin/python3
"""Captures the X display and sends it over WebRTC: the media half of webrtc-server.js.

JSON lines on stdin, each with an "id" that its answer has too:
  {"do": "ping"}                            counters of all sessions so far
  {"do": "offer", "session", "sdp"}         the answer's "sdp", or "error" and an HTTP "status"
  {"do": "close", "session"}
  {"do": "notify", "state"}                 sd_notify(3), which Node has no sockets for
JSON lines on stdout: the answers, and events: "frame" and "no-frame" of the probe, which captures one frame every ten
seconds; "connected" and "closed" of a session. One pipeline for each session. What goes wrong is said on stderr; status
78 is for what a restart does not help.
"""
import argparse
import json
import os
import re
import signal
import socket
import sys
import threading
import time
import traceback

try:
    import gi

    gi.require_version("Gst", "1.0")
    gi.require_version("GstSdp", "1.0")
    gi.require_version("GstWebRTC", "1.0")
    from gi.repository import GLib, Gst, GstSdp, GstWebRTC
except (ImportError, ValueError) as error:
    print(f"gst-webrtc: error: {error} (packages python3-gi, gir1.2-gst-plugins-bad-1.0)", file=sys.stderr)
    sys.exit(78)

ELEMENTS = {
    "ximagesrc": "gstreamer1.0-x or gstreamer1.0-plugins-good",
    "videoconvert": "gstreamer1.0-plugins-base",
    "queue": "libgstreamer1.0-0",
    "identity": "libgstreamer1.0-0",
    "vp8enc": "gstreamer1.0-plugins-good",
    "rtpvp8pay": "gstreamer1.0-plugins-good",
    "rtpbin": "gstreamer1.0-plugins-good",
    "webrtcbin": "gstreamer1.0-plugins-bad",
    "dtlssrtpenc": "gstreamer1.0-plugins-bad",
    "dtlssrtpdec": "gstreamer1.0-plugins-bad",
    "srtpenc": "gstreamer1.0-plugins-bad",
    "srtpdec": "gstreamer1.0-plugins-bad",
    "nicesrc": "gstreamer1.0-nice",
    "nicesink": "gstreamer1.0-nice",
}
# In seconds.
GATHERING_SECONDS = 10
LOST_SECONDS = 30
PROBE_SECONDS = 10
RETRY_SECONDS = 1

out_lock = threading.Lock()


def say(message):
    with out_lock:
        sys.stdout.write(json.dumps(message) + "\n")
        sys.stdout.flush()


def complain(text):
    print(f"gst-webrtc: error: {text}", file=sys.stderr, flush=True)


def words(error):
    """An error in one line, with its place."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} ({place.name}, line {place.lineno})"


def payload_type(sdp):
    """The offer's number for VP8, not one of our own: a browser drops what it did not name. None without VP8."""
    found = re.search(r"^a=rtpmap:(\d+) VP8/90000\s*$", sdp, re.MULTILINE | re.IGNORECASE)
    return int(found.group(1)) if found else None


def description(kind, sdp):
    result, message = GstSdp.SDPMessage.new_from_text(sdp)
    if result != GstSdp.SDPResult.OK:
        return None
    return GstWebRTC.WebRTCSessionDescription.new(kind, message)


class Refusal(Exception):
    """What an offer is answered with instead of a session."""

    def __init__(self, text, status):
        super().__init__(text)
        self.status = status


class Session:
    """One viewer: an offer, its answer, and the pipeline in between.

    webrtcbin calls from threads of its own; `later` brings everything to the main loop's.
    """

    def __init__(self, name, request, sdp, options, ended):
        self.name, self.request, self.options, self.ended = name, request, options, ended
        self.began = time.monotonic()
        self.answered = self.connected = False
        pt = payload_type(sdp)
        if pt is None:
            raise Refusal("the offer has no VP8", 422)
        self.offer = description(GstWebRTC.WebRTCSDPType.OFFER, sdp)
        if not self.offer:
            raise Refusal("the offer is no SDP", 400)
        # VP8 means BT.601; without saying so 720p is converted as BT.709 and every colour is off.
        self.pipeline = Gst.parse_launch(
            f"webrtcbin name=rtc bundle-policy=max-bundle "
            f"ximagesrc use-damage=0 show-pointer=0 ! video/x-raw,framerate={options.fps}/1 ! videoconvert "
            f"! video/x-raw,format=I420,colorimetry=bt601 ! identity name=captured "
            f"! queue leaky=downstream max-size-buffers=2 max-size-bytes=0 max-size-time=0 "
            f"! vp8enc deadline=1 cpu-used=8 threads=2 end-usage=cbr target-bitrate={options.bitrate} "
            f"keyframe-max-dist={options.fps * 4} ! identity name=encoded "
            f"! rtpvp8pay pt={pt} picture-id-mode=15-bit "
            f"! application/x-rtp,media=video,encoding-name=VP8,payload={pt} ! rtc."
        )
        self.rtc = self.pipeline.get_by_name("rtc")
        self.rtc.connect("notify::ice-gathering-state", lambda *_: self.later(self.on_gathering))
        self.rtc.connect("notify::connection-state", lambda *_: self.later(self.on_connection))
        bus = self.pipeline.get_bus()
        bus.add_signal_watch()
        bus.connect("message::error", self.on_error)
        # Playing first: an answer made before the payloader knows its SSRC announces `ssrc-group:FID 0`, and the
        # viewer connects, decodes and shows nothing.
        self.pipeline.set_state(Gst.State.PLAYING)
        self.timer(20, self.await_caps)

    def counters(self):
        """Frames captured, frames encoded, bytes encoded."""
        captured, encoded = (self.pipeline.get_by_name(name).get_property("stats") for name in ("captured", "encoded"))
        return [captured.get_value("num-buffers"), encoded.get_value("num-buffers"), encoded.get_value("num-bytes")]

    # ---- the main loop's thread, and what a mistake there ends

    def timer(self, milliseconds, function):
        GLib.timeout_add(milliseconds, self.guarded, function)

    def later(self, function, *arguments):
        GLib.idle_add(self.guarded, function, *arguments)

    def guarded(self, function, *arguments):
        """A mistake ends this session, with its words, and no other."""
        if not self.pipeline:
            return False
        try:
            return bool(function(*arguments))
        except Exception as error:
            complain(f"session {self.name}: {words(error)}")
            self.fail(words(error))
            return False

    def promise(self, function):
        """Kept on webrtcbin's thread; what it says is read there, for the reply is gone afterwards."""

        def kept(promise, *_):
            error = answer = None
            if promise.wait() != Gst.PromiseResult.REPLIED:
                error = "interrupted"
            reply = promise.get_reply()
            if reply and reply.has_field("error"):
                error = reply.get_value("error").message
            elif reply and reply.has_field("answer"):
                answer = reply.get_value("answer").sdp.as_text()
            self.later(function, error, answer)

        return Gst.Promise.new_with_change_func(kept)

    # ---- from the offer to the answer, step by step

    def await_caps(self):
        caps = self.rtc.get_static_pad("sink_0").get_current_caps()
        if caps and caps.get_size() and caps.get_structure(0).has_field("ssrc"):
            self.rtc.emit("set-remote-description", self.offer, self.promise(self.on_offer_set))
            return False
        # The rest of the time is for the answer.
        within = self.options.offer_seconds * 2 / 3
        if time.monotonic() - self.began >= within:
            self.fail(f"no frame came from the display within {within:.0f} s", 503)
            return False
        return True

    def on_offer_set(self, error, _answer):
        if error:
            self.fail(f"cannot take the offer: {error}", 400)
        else:
            self.rtc.emit("create-answer", None, self.promise(self.on_answer))

    def on_answer(self, error, answer):
        if error or not answer:
            self.fail(f"cannot make an answer: {error or 'there is none'}", 400)
            return
        local = description(GstWebRTC.WebRTCSDPType.ANSWER, answer)
        self.rtc.emit("set-local-description", local, self.promise(self.on_answer_set))

    def on_answer_set(self, error, _answer):
        if error:
            self.fail(f"cannot set the answer: {error}")
            return
        self.timer(GATHERING_SECONDS * 1000, self.reply)
        self.on_gathering()

    def on_gathering(self):
        if self.rtc.get_property("local-description"):
            if self.rtc.get_property("ice-gathering-state") == GstWebRTC.WebRTCICEGatheringState.COMPLETE:
                self.reply()

    def reply(self):
        """The answer, once: with all candidates, or with those there are when time is up."""
        if not self.answered:
            self.answered = True
            say({"id": self.request, "sdp": self.rtc.get_property("local-description").sdp.as_text()})
            self.timer(self.options.offer_seconds * 1000, self.end_if_nobody_came)
        return False

    # ---- while it lasts

    def on_connection(self):
        state = self.rtc.get_property("connection-state")
        states = GstWebRTC.WebRTCPeerConnectionState
        if state == states.CONNECTED and not self.connected:
            self.connected = True
            say({"event": "connected", "session": self.name, "seconds": time.monotonic() - self.began})
            self.listen()
        elif state in (states.FAILED, states.CLOSED):
            self.fail(f"the connection is {state.value_nick}")

    def listen(self):
        """A viewer that is killed says nothing, and the connection's state stays what it was: what tells is that no
        receiver reports (RTCP, about one a second) come any more."""
        self.heard = time.monotonic()

        def hear(*_):
            self.heard = time.monotonic()
            return Gst.PadProbeReturn.OK

        elements = self.rtc.iterate_recurse()
        result, element = elements.next()
        while result == Gst.IteratorResult.OK:
            # webrtcbin has parts of its own that no factory made.
            factory = element.get_factory()
            if factory and factory.get_name() == "nicesrc":
                element.get_static_pad("src").add_probe(Gst.PadProbeType.BUFFER | Gst.PadProbeType.BUFFER_LIST, hear)
            result, element = elements.next()
        self.timer(5000, self.end_if_silent)

    def end_if_nobody_came(self):
        if not self.connected:
            self.fail(f"nobody connected within {self.options.offer_seconds} s")

    def end_if_silent(self):
        if time.monotonic() - self.heard <= LOST_SECONDS:
            return True
        self.fail(f"nothing was heard of the viewer for {LOST_SECONDS} s")
        return False

    def on_error(self, _bus, message):
        error, details = message.parse_error()
        complain(f"session {self.name}: {error.message} ({details})")
        self.fail(error.message)

    def fail(self, reason, status=500):
        """Ends the session for this reason: its offer's answer, or an event where the answer is out."""
        if not self.pipeline:
            return
        if self.answered:
            say({"event": "closed", "session": self.name, "reason": reason})
        else:
            self.answered = True
            say({"id": self.request, "error": reason, "status": status})
        self.ended(self)

    def close(self):
        # Timers see that there is no pipeline, and end.
        pipeline, self.pipeline = self.pipeline, None
        if pipeline:
            pipeline.get_bus().remove_signal_watch()
            pipeline.set_state(Gst.State.NULL)


class Probe:
    """Captures one real frame every few seconds: the display is there, and so is all that a capture needs."""

    def __init__(self):
        self.pipeline = None
        GLib.idle_add(self.capture)

    def capture(self):
        self.pipeline = Gst.parse_launch("ximagesrc use-damage=0 num-buffers=1 ! videoconvert ! fakesink name=sink sync=0 signal-handoffs=1")
        self.pipeline.get_by_name("sink").connect(
            "handoff", lambda _sink, _buffer, pad: say({"event": "frame", "caps": pad.get_current_caps().to_string()})
        )
        bus = self.pipeline.get_bus()
        bus.add_signal_watch()
        bus.connect("message::eos", lambda *_: self.captured(None))
        bus.connect("message::error", lambda _bus, message: self.captured(message.parse_error()[0].message))
        self.pipeline.set_state(Gst.State.PLAYING)
        return False

    def captured(self, error):
        pipeline, self.pipeline = self.pipeline, None
        if not pipeline:
            return
        pipeline.get_bus().remove_signal_watch()
        pipeline.set_state(Gst.State.NULL)
        if error:
            display = os.environ.get("DISPLAY", "a display (DISPLAY is not set)")
            say({"event": "no-frame", "error": f"cannot capture {display}: {error}"})
        GLib.timeout_add((RETRY_SECONDS if error else PROBE_SECONDS) * 1000, self.capture)


class Helper:
    def __init__(self, options, loop):
        self.options, self.loop = options, loop
        self.sessions = {}
        # Of sessions that are over.
        self.past = [0, 0, 0]

    def preflight(self):
        """Opens every plugin: the registry alone can name one whose libraries are gone."""
        missing = []
        for name, package in ELEMENTS.items():
            factory = Gst.ElementFactory.find(name)
            if not factory or not factory.load():
                missing.append(f"{name} ({package})")
        if missing:
            complain("missing GStreamer elements: " + ", ".join(missing))
            sys.exit(78)

    def counters(self):
        sums = [sum(values) for values in zip(self.past, *(session.counters() for session in self.sessions.values()))]
        return dict(zip(("captured", "encoded", "bytes"), sums))

    def end(self, session):
        if self.sessions.pop(session.name, None):
            self.past = [sum(values) for values in zip(self.past, session.counters())]
        session.close()

    def take_offer(self, request, message):
        if len(self.sessions) >= self.options.most_sessions:
            raise Refusal(f"{len(self.sessions)} sessions are open, and no more are allowed", 503)
        name = message["session"]
        self.sessions[name] = Session(name, request, message["sdp"], self.options, self.end)

    def take(self, line):
        request = None
        try:
            message = json.loads(line)
            request, do = message["id"], message["do"]
            if do == "ping":
                say({"id": request, "counters": self.counters()})
            elif do == "offer":
                self.take_offer(request, message)
            elif do == "close":
                session = self.sessions.get(message["session"])
                if session:
                    self.end(session)
                say({"id": request})
            elif do == "notify":
                notify(message["state"])
                say({"id": request})
            else:
                raise Refusal(f"no request is named {do}", 500)
        except Refusal as refusal:
            say({"id": request, "error": str(refusal), "status": refusal.status})
        except Exception as error:
            # A request that is wrong harms itself alone.
            complain(words(error))
            say({"id": request, "error": words(error), "status": 500})
        return False

    def read(self):
        for line in sys.stdin:
            GLib.idle_add(self.take, line)
        # The server is gone.
        GLib.idle_add(self.loop.quit)


def notify(state):
    address = os.environ["NOTIFY_SOCKET"]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.sendto(state.encode(), "\0" + address[1:] if address.startswith("@") else address)


def main():
    parser = argparse.ArgumentParser()
    for name in ("--fps", "--bitrate", "--most-sessions", "--offer-seconds"):
        parser.add_argument(name, type=int, required=True)
    options = parser.parse_args()
    Gst.init(None)
    loop = GLib.MainLoop()
    helper = Helper(options, loop)
    helper.preflight()
    for number in (signal.SIGTERM, signal.SIGINT):
        GLib.unix_signal_add(GLib.PRIORITY_HIGH, number, loop.quit)
    probe = Probe()
    threading.Thread(target=helper.read, daemon=True).start()
    loop.run()
    for session in list(helper.sessions.values()):
        helper.end(session)
    probe.captured(None)


main()
