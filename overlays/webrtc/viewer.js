// A WHEP client: one offer with all candidates, the stream, and a new session when it ends or stands still.
//
// States: connecting, live, waiting (for the next try). A token stands behind the address: /#token=…
'use strict';

const element = (id) => document.getElementById(id);
const video = element('video');
const token = new URLSearchParams(location.hash.slice(1)).get('token');
const gatheringTime = 3_000;
// From the answer on, which the server gives when it has frames.
const firstPictureTime = 60_000;
const stallTime = 15_000;
const longestPause = 30_000;

let current = null;
let pause = 1_000;
let timer = null;

function show(state, text) {
  document.body.dataset.state = state;
  // Said again by screen readers only where it is new.
  if (element('state').textContent !== text) element('state').textContent = text;
}

function headers(more) {
  return token ? { Authorization: `Bearer ${token}`, ...more } : more;
}

function gathered(peer) {
  return new Promise((resolve) => {
    setTimeout(resolve, gatheringTime);
    const look = () => peer.iceGatheringState === 'complete' && resolve();
    peer.addEventListener('icegatheringstatechange', look);
    look();
  });
}

/** One session, from its offer to its end. `ended` is called once, with a sentence, unless it is closed from here. */
class Session {
  constructor(ended) {
    this.ended = ended;
    this.peer = new RTCPeerConnection();
    this.lastFrame = performance.now();
    this.last = null;
    this.frames = 0;
    this.peer.addTransceiver('video', { direction: 'recvonly' });
    this.peer.ontrack = ({ track }) => { video.srcObject = new MediaStream([track]); };
    this.peer.onconnectionstatechange = () => {
      if (['failed', 'closed'].includes(this.peer.connectionState)) this.end('The connection is lost');
    };
    this.clock = setInterval(() => this.look(), 1_000);
    this.start().catch((error) => this.end(error.message));
  }

  async start() {
    await this.peer.setLocalDescription(await this.peer.createOffer());
    await gathered(this.peer);
    if (this.isOver) return;
    const answer = await fetch('/whep', {
      method: 'POST', headers: headers({ 'Content-Type': 'application/sdp' }), body: this.peer.localDescription.sdp,
    });
    const text = await answer.text();
    if (answer.status !== 201) throw new Error(`The server says: ${text.trim()} (${answer.status})`);
    this.address = new URL(answer.headers.get('Location'), answer.url);
    this.lastFrame = performance.now();
    if (this.isOver) this.remove();
    else await this.peer.setRemoteDescription({ type: 'answer', sdp: text });
  }

  /** Once a second: the figures, and whether there are frames at all. */
  async look() {
    const reports = [...(await this.peer.getStats()).values()];
    const video = reports.find(({ type, kind }) => type === 'inbound-rtp' && kind === 'video');
    const pair = reports.find(({ type, nominated, state }) => type === 'candidate-pair' && nominated && state === 'succeeded');
    if (this.isOver) return;
    const now = performance.now();
    if (video && video.framesDecoded > this.frames) {
      this.frames = video.framesDecoded;
      this.lastFrame = now;
      pause = 1_000;
      show('live', 'Live');
    } else if (this.address && now - this.lastFrame > (this.frames > 0 ? stallTime : firstPictureTime)) {
      this.end(this.frames > 0 ? 'The picture stands still' : 'No picture came');
      return;
    }
    if (!video) return;
    const seconds = this.last ? (video.timestamp - this.last.timestamp) / 1000 : 0;
    element('size').textContent = `${video.frameWidth ?? 0} × ${video.frameHeight ?? 0}`;
    if (seconds > 0) {
      element('rate').textContent = ((video.framesDecoded - this.last.framesDecoded) / seconds).toFixed(1);
      element('bits').textContent = `${(((video.bytesReceived - this.last.bytesReceived) * 8) / seconds / 1000).toFixed(0)} kbit/s`;
    }
    element('lost').textContent = `${video.packetsLost ?? 0} of ${(video.packetsReceived ?? 0) + (video.packetsLost ?? 0)}`;
    element('trip').textContent = pair?.currentRoundTripTime === undefined ? '–' : `${(pair.currentRoundTripTime * 1000).toFixed(0)} ms`;
    this.last = video;
  }

  end(reason) {
    if (this.isOver) return;
    this.close();
    this.ended(reason);
  }

  close() {
    this.isOver = true;
    clearInterval(this.clock);
    this.peer.close();
    this.remove();
  }

  /** Tells the server, also from a page that is being left. */
  remove() {
    const address = this.address;
    this.address = null;
    if (address) fetch(address, { method: 'DELETE', headers: headers({}), keepalive: true }).catch(() => {});
  }
}

function connect() {
  clearInterval(timer);
  current?.close();
  show('connecting', 'Connecting…');
  current = new Session((reason) => {
    let left = Math.round(pause / 1000);
    pause = Math.min(pause * 2, longestPause);
    const tell = () => show('waiting', `${reason}. Trying again in ${left} s`);
    tell();
    timer = setInterval(() => {
      left -= 1;
      if (left <= 0) connect();
    }, 1_000);
  });
}

element('again').addEventListener('click', () => { pause = 1_000; connect(); });
element('full').addEventListener('click', () => video.requestFullscreen().catch((error) => show(document.body.dataset.state, error.message)));
addEventListener('pagehide', () => { clearInterval(timer); current?.close(); });
// A page that comes back from the browser's cache has no session any more.
addEventListener('pageshow', (event) => { if (event.persisted) connect(); });
connect();
