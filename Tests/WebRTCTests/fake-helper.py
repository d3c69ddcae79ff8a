#!/usr/bin/env python3
"""Stands in for gst-webrtc.py, with the same lines on stdin and stdout and no media. What an offer says decides what
becomes of it."""
import json
import os
import sys


def say(message):
    print(json.dumps(message), flush=True)


if os.environ.get("FAKE") == "refuses":
    print("gst-webrtc: error: missing GStreamer elements: vp8enc (gstreamer1.0-plugins-good)", file=sys.stderr)
    sys.exit(78)
if os.environ.get("FAKE") != "blind":
    say({"event": "frame", "caps": "video/x-raw, width=(int)64"})
print("no JSON\x1b[31m", flush=True)
encoded, slow = 0, None
for line in sys.stdin:
    message = json.loads(line)
    number, do = message["id"], message["do"]
    if slow:
        say({"id": slow["id"], "sdp": "v=0\r\n"})
        slow = None
    if do == "ping":
        say({"id": number, "counters": {"captured": 2 * encoded, "encoded": encoded, "bytes": 1000 * encoded}})
    elif do == "offer" and "no VP8" in message["sdp"]:
        say({"id": number, "error": "the offer has no VP8", "status": 422})
    elif do == "offer" and "full" in message["sdp"]:
        say({"id": number, "error": "8 sessions are open, and no more are allowed", "status": 503})
    elif do == "offer" and "die" in message["sdp"]:
        os.kill(os.getpid(), 9)
    elif do == "offer":
        encoded += 1
        if "slow" in message["sdp"]:
            slow = message
            continue
        say({"id": number, "sdp": "v=0\r\ns=answer " + " ".join(sys.argv[2:]) + "\r\n"})
        say({"event": "connected", "session": message["session"], "seconds": 0.5})
        if "leaves" in message["sdp"]:
            say({"event": "closed", "session": message["session"], "reason": "nothing was heard of the viewer for 30 s"})
    elif do == "close":
        say({"id": number})
    elif do == "notify":
        say({"id": number})
        print("notified " + message["state"], file=sys.stderr, flush=True)
