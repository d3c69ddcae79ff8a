#!/usr/bin/python3
"""Captures the X display and sends it over WebRTC: the media half of webrtc-server.js.

JSON lines on stdin: {"id", "do": "ping"}, {"id", "do": "offer", "session", "sdp"}, {"id", "do": "close", "session"}.
JSON lines on stdout: the answers by id, {"event": "frame"} after the first captured frame, {"event": "closed"} when a
session ends by itself. One pipeline for each session. What goes wrong is said on stderr; status 78 is for what a
restart does not help.
"""
import json
import os
import re
import signal
import sys
import threading
import traceback

try:
    import gi

    gi.require_version("Gst", "1.0")
    gi.require_version("GstSdp", "1.0")
    gi.require_version("GstWebRTC", "1.0")
    from gi.repository import GLib, Gst, GstSdp, GstWebRTC
except (ImportError, ValueError) as error:
    print(f"gst-webrtc: {error} (packages python3-gi, gir1.2-gst-plugins-bad-1.0)", file=sys.stderr)
    sys.exit(78)

ELEMENTS = {
    "ximagesrc": "gstreamer1.0-x or gstreamer1.0-plugins-good",
    "videoconvert": "gstreamer1.0-plugins-base",
    "videoscale": "gstreamer1.0-plugins-base",
    "queue": "libgstreamer1.0-0",
    "vp8enc": "gstreamer1.0-plugins-good",
    "rtpvp8pay": "gstreamer1.0-plugins-good",
    "rtpbin": "gstreamer1.0-plugins-good",
    "webrtcbin": "gstreamer1.0-plugins-bad",
    "dtlssrtpenc": "gstreamer1.0-plugins-bad",
    "srtpenc": "gstreamer1.0-plugins-bad",
    "nicesrc": "gstreamer1.0-nice",
}
CAPS_SECONDS = 40
GATHERING_SECONDS = 10
LOST_SECONDS = 15
MOST_SESSIONS = 8


def number(name, default, most):
    text = os.environ.get(name, str(default))
    if not text.isdigit() or not 1 <= int(text) <= most:
        print(f"gst-webrtc: {name} is '{text}', which is no number from 1 to {most}", file=sys.stderr)
        sys.exit(78)
    return int(text)


FPS = number("FPS", 30, 120)
BITRATE = number("BITRATE", 2_500_000, 100_000_000)
out_lock = threading.Lock()


def say(message):
    with out_lock:
        sys.stdout.write(json.dumps(message) + "\n")
        sys.stdout.flush()


def complain(text):
    print(f"gst-webrtc: {text}", file=sys.stderr, flush=True)


class Session:
    """One viewer: an offer, its answer, and the pipeline in between."""

    def __init__(self, name, request, sdp, ended):
        self.name, self.request, self.sdp, self.ended = name, request, sdp, ended
        self.pipeline = None
        self.answered = False
        payload = re.search(r"^a=rtpmap:(\d+) VP8/90000\s*$", sdp, re.MULTILINE | re.IGNORECASE)
        if not payload:
            self.refuse("the offer has no VP8", 406)
            return
        # The offer's payload type, not one of our own: a browser drops what it did not name.
        pt = int(payload.group(1))
        # VP8 means BT.601; without saying so 720p is converted as BT.709 and every colour is off.
        self.pipeline = Gst.parse_launch(
            f"webrtcbin name=rtc bundle-policy=max-bundle "
            f"ximagesrc use-damage=0 show-pointer=1 ! video/x-raw,framerate={FPS}/1 ! videoconvert ! videoscale "
            f"! video/x-raw,format=I420,colorimetry=bt601 "
            f"! queue leaky=downstream max-size-buffers=2 max-size-bytes=0 max-size-time=0 "
            f"! vp8enc deadline=1 cpu-used=8 threads=2 end-usage=cbr target-bitrate={BITRATE} keyframe-max-dist={FPS * 4} "
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
        self.waited = 0
        self.timer(20, self.await_caps)

    def timer(self, milliseconds, function):
        GLib.timeout_add(milliseconds, self.guarded, function)

    def await_caps(self):
        caps = self.rtc.get_static_pad("sink_0").get_current_caps()
        if caps and caps.get_size() and caps.get_structure(0).has_field("ssrc"):
            self.negotiate()
            return False
        self.waited += 20
        if self.waited >= CAPS_SECONDS * 1000:
            self.refuse(f"no frame came from the display within {CAPS_SECONDS} s", 503)
            return False
        return True

    def negotiate(self):
        result, message = GstSdp.SDPMessage.new_from_text(self.sdp)
        if result != GstSdp.SDPResult.OK:
            self.refuse("the offer is no SDP", 400)
            return
        offer = GstWebRTC.WebRTCSessionDescription.new(GstWebRTC.WebRTCSDPType.OFFER, message)
        self.rtc.emit("set-remote-description", offer, self.promise(self.on_offer_set))

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

    def later(self, function, *arguments):
        """On the main loop's thread, where everything else happens."""
        GLib.idle_add(self.guarded, function, *arguments)

    def guarded(self, function, *arguments):
        """A mistake ends this session, with its words, and no other."""
        if not self.pipeline:
            return False
        try:
            return bool(function(*arguments))
        except Exception as error:
            traceback.print_exc()
            self.fail(f"{type(error).__name__}: {error}")
            return False

    def describe(self, kind, sdp):
        result, message = GstSdp.SDPMessage.new_from_text(sdp)
        if result != GstSdp.SDPResult.OK:
            return None
        return GstWebRTC.WebRTCSessionDescription.new(kind, message)

    def negotiate(self):
        offer = self.describe(GstWebRTC.WebRTCSDPType.OFFER, self.sdp)
        if offer:
            self.rtc.emit("set-remote-description", offer, self.promise(self.on_offer_set))
        else:
            self.refuse("the offer is no SDP", 400)

    def on_offer_set(self, error, _answer):
        if error:
            self.refuse(f"cannot take the offer: {error}", 400)
        else:
            self.rtc.emit("create-answer", None, self.promise(self.on_answer))

    def on_answer(self, error, answer):
        if error or not answer:
            self.refuse(f"cannot make an answer: {error or 'there is none'}", 400)
            return
        description = self.describe(GstWebRTC.WebRTCSDPType.ANSWER, answer)
        self.rtc.emit("set-local-description", description, self.promise(self.on_answer_set))

    def on_answer_set(self, error, _answer):
        if error:
            self.refuse(f"cannot set the answer: {error}", 500)
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
            sdp = self.rtc.get_property("local-description").sdp.as_text()
            say({"id": self.request, "sdp": sdp})
        return False

    def on_connection(self):
        state = self.rtc.get_property("connection-state")
        states = GstWebRTC.WebRTCPeerConnectionState
        if state in (states.FAILED, states.CLOSED):
            self.end(state.value_nick)
        elif state == states.DISCONNECTED:
            self.timer(LOST_SECONDS * 1000, self.end_if_lost)

    def end_if_lost(self):
        states = GstWebRTC.WebRTCPeerConnectionState
        if self.rtc.get_property("connection-state") == states.DISCONNECTED:
            self.end("the viewer is gone")
        return False

    def on_error(self, _bus, message):
        error, details = message.parse_error()
        complain(f"session {self.name}: {error.message} ({details})")
        self.fail(error.message)

    def fail(self, reason):
        if self.answered:
            self.end(reason)
        else:
            self.refuse(reason, 500)

    def refuse(self, reason, status):
        if not self.answered:
            self.answered = True
            say({"id": self.request, "error": reason, "status": status})
        self.close()
        self.ended(self)

    def end(self, reason):
        say({"event": "closed", "session": self.name, "reason": reason})
        self.close()
        self.ended(self)

    def close(self):
        # Timers see that there is no pipeline, and end.
        pipeline, self.pipeline = self.pipeline, None
        if pipeline:
            pipeline.get_bus().remove_signal_watch()
            pipeline.set_state(Gst.State.NULL)


class Helper:
    def __init__(self, loop):
        self.loop = loop
        self.sessions = {}
        self.probe = None

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

    def capture(self):
        """Pulls one real frame; tried again until the display gives one."""
        self.probe = Gst.parse_launch(
            "ximagesrc use-damage=0 num-buffers=1 ! videoconvert ! fakesink name=sink sync=0 signal-handoffs=1"
        )
        self.probe.get_by_name("sink").connect(
            "handoff", lambda _sink, _buffer, pad: say({"event": "frame", "caps": pad.get_current_caps().to_string()})
        )
        bus = self.probe.get_bus()
        bus.add_signal_watch()
        bus.connect("message::eos", lambda *_: self.captured(None))
        bus.connect("message::error", lambda _bus, message: self.captured(message.parse_error()[0].message))
        self.probe.set_state(Gst.State.PLAYING)
        return False

    def captured(self, error):
        probe, self.probe = self.probe, None
        if probe:
            probe.get_bus().remove_signal_watch()
            probe.set_state(Gst.State.NULL)
        if error:
            complain(f"cannot capture {os.environ.get('DISPLAY', 'a display (DISPLAY is not set)')}: {error}")
            GLib.timeout_add(1000, self.capture)

    def ended(self, session):
        if self.sessions.get(session.name) is session:
            del self.sessions[session.name]

    def take(self, line):
        try:
            message = json.loads(line)
            do, request = message["do"], message["id"]
        except (ValueError, KeyError, TypeError) as error:
            complain(f"not a request: {error}: {line[:200]!r}")
            return False
        if do == "ping":
            say({"id": request})
        elif do == "close":
            session = self.sessions.pop(message.get("session"), None)
            if session:
                session.close()
            say({"id": request})
        elif do == "offer" and len(self.sessions) >= MOST_SESSIONS:
            say({"id": request, "error": f"{MOST_SESSIONS} sessions are open already", "status": 503})
        elif do == "offer":
            session = Session(message["session"], request, message["sdp"], self.ended)
            if session.pipeline:
                self.sessions[session.name] = session
        else:
            say({"id": request, "error": f"no request is named {do}"})
        return False

    def read(self):
        for line in sys.stdin:
            GLib.idle_add(self.take, line)
        # The server is gone.
        GLib.idle_add(self.loop.quit)


def main():
    Gst.init(None)
    loop = GLib.MainLoop()
    helper = Helper(loop)
    helper.preflight()
    for number_ in (signal.SIGTERM, signal.SIGINT):
        GLib.unix_signal_add(GLib.PRIORITY_HIGH, number_, loop.quit)
    GLib.idle_add(helper.capture)
    threading.Thread(target=helper.read, daemon=True).start()
    loop.run()
    for session in list(helper.sessions.values()):
        session.close()


main()
