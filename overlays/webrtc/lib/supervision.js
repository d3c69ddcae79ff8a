// What keeps an eye on the rest: the last captured frame, the page's beacon, the helper's counters, and systemd, which is
// told through the helper, so that one ping proves both processes.
'use strict';

const fs = require('node:fs');
const path = require('node:path');

const pollInterval = 5_000;
const pollTimeout = 5_000;
// The helper captures one frame every ten seconds.
const freshness = 35;

function seconds() {
  return Number(process.hrtime.bigint()) / 1e9;
}

class Supervision {
  constructor(helper, environment, log) {
    this.helper = helper;
    this.log = log;
    this.frame = null;
    this.problem = null;
    this.beaconTime = null;
    this.counters = null;
    this.bitsPerSecond = 0;
    this.restarts = countStart(environment.RUNTIME_DIRECTORY, log);
    this.speaksToSystemd = Boolean(environment.NOTIFY_SOCKET);
    helper.on('frame', ({ caps }) => this.takeFrame(caps));
    helper.on('no-frame', ({ error }) => this.takeProblem(error));
    this.timers = [setInterval(() => this.poll().catch(() => {}), pollInterval)];
    const watchdog = Number(environment.WATCHDOG_USEC) / 1000;
    if (this.speaksToSystemd && watchdog > 0) {
      this.timers.push(setInterval(() => this.tell('WATCHDOG=1'), Math.max(100, watchdog / 3)));
    }
    for (const timer of this.timers) timer.unref();
  }

  stop() {
    this.timers.forEach(clearInterval);
  }

  takeFrame(caps) {
    if (this.frame === null) {
      this.log.info(`captured the first frame after ${this.helper.age.toFixed(1)} s: ${caps}`);
      this.tell('READY=1');
    } else if (this.problem !== null) {
      this.log.info(`the display gives frames again: ${caps}`);
    }
    this.frame = { caps, time: seconds() };
    this.problem = null;
  }

  takeProblem(error) {
    if (this.problem !== error) this.log.warning(`no frame: ${error}`);
    this.problem = error;
  }

  beacon() {
    if (this.beaconTime === null) this.log.info('the page sent its first beacon');
    this.beaconTime = seconds();
  }

  /** Seconds since the last captured frame; null before the first. */
  get frameAge() {
    return this.frame && seconds() - this.frame.time;
  }

  /** Seconds since the page drew and said so; null for a page that never did. */
  get beaconAge() {
    return this.beaconTime === null ? null : seconds() - this.beaconTime;
  }

  /** Whether there is a picture: the answer of /readyz. The page's age is told and decides nothing: not every page sends. */
  readiness() {
    const answer = { ok: false, frame: this.frame?.caps ?? null, frameAge: this.frameAge, pageAge: this.beaconAge };
    if (this.frame === null) return { ...answer, error: this.problem ?? 'no frame captured yet' };
    if (this.frameAge > freshness) return { ...answer, error: this.problem ?? `no frame for ${Math.floor(this.frameAge)} s` };
    return { ...answer, ok: true };
  }

  /** Asks the helper for its counters; what was sent since the last time gives the bit rate. */
  async poll() {
    const time = seconds();
    const { counters } = await this.helper.call({ do: 'ping' }, pollTimeout);
    if (this.counters) {
      const { time: before, bytes } = this.counters;
      if (time - before < 1) return counters;
      this.bitsPerSecond = Math.max(0, ((counters.bytes - bytes) * 8) / (time - before));
    }
    this.counters = { ...counters, time };
    return counters;
  }

  /** To systemd, where it listens: sd_notify(3). Node has no sockets of this kind, the helper has. */
  tell(state) {
    if (!this.speaksToSystemd || this.helper.hasEnded) return;
    this.helper.call({ do: 'notify', state }, pollTimeout).catch((error) => this.log.warning(`${state}: ${error.message}`));
  }
}

/** How often this was started before, in a file that systemd keeps from start to start (RuntimeDirectoryPreserve=restart). */
function countStart(directory, log) {
  if (!directory) return null;
  const file = path.join(directory.split(':')[0], 'starts');
  try {
    const before = fs.existsSync(file) ? Number.parseInt(fs.readFileSync(file, 'utf8'), 10) || 0 : 0;
    fs.writeFileSync(file, `${before + 1}\n`);
    return before;
  } catch (error) {
    log.warning(`cannot count starts: ${error.message}`);
    return null;
  }
}

module.exports = { Supervision };
