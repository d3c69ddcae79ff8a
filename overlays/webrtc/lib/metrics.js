// Prometheus' text format (version 0.0.4).
'use strict';

const fs = require('node:fs');
const { monitorEventLoopDelay } = require('node:perf_hooks');

const resolution = 20;

class Metrics {
  constructor({ helper, sessions, supervision }) {
    Object.assign(this, { helper, sessions, supervision });
    this.delay = monitorEventLoopDelay({ resolution });
    this.delay.enable();
  }

  /** Everything, as of now. A helper that does not answer is webrtc_helper_up 0; its counters are then left out. */
  async text() {
    const counters = await this.supervision.poll().catch(() => null);
    const lines = [];
    const add = (name, kind, help, value, labels = '') => {
      if (value === null || value === undefined || Number.isNaN(value)) return;
      if (!lines.includes(`# TYPE ${name} ${kind}`)) lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${kind}`);
      lines.push(`${name}${labels} ${value}`);
    };
    const { helper, sessions, supervision } = this;
    add('webrtc_sessions', 'gauge', 'Open sessions by state.', sessions.connected, '{state="connected"}');
    add('webrtc_sessions', 'gauge', '', sessions.count - sessions.connected, '{state="connecting"}');
    add('webrtc_offers_total', 'counter', 'Offers by what became of them.', sessions.answered, '{result="answered"}');
    add('webrtc_offers_total', 'counter', '', sessions.refused, '{result="refused"}');
    add('webrtc_frames_captured_total', 'counter', 'Frames captured for sessions.', counters?.captured);
    add('webrtc_frames_encoded_total', 'counter', 'Frames encoded for sessions.', counters?.encoded);
    add('webrtc_encoded_bytes_total', 'counter', 'Encoded video in bytes.', counters?.bytes);
    add('webrtc_bitrate_bits_per_second', 'gauge', 'Encoded video, all sessions, over the last seconds.', counters && Math.round(supervision.bitsPerSecond));
    add('webrtc_frame_age_seconds', 'gauge', 'Since the probe captured a frame, which it does every ten seconds.', supervision.frameAge);
    add('webrtc_page_age_seconds', 'gauge', 'Since the page drew and said so; absent before its first beacon.', supervision.beaconAge);
    add('webrtc_helper_up', 'gauge', 'Whether the helper answers.', counters ? 1 : 0);
    add('webrtc_helper_age_seconds', 'gauge', 'Since the helper was started.', helper.age);
    add('webrtc_helper_restarts_total', 'counter', 'Starts of server and helper after the first, since boot.', supervision.restarts);
    add('webrtc_helper_resident_memory_bytes', 'gauge', 'Memory of the helper.', residentMemory(helper.pid));
    add('process_resident_memory_bytes', 'gauge', 'Memory of the server.', process.memoryUsage.rss());
    add('process_start_time_seconds', 'gauge', 'When the server was started, in Unix time.', Math.round(performance.timeOrigin) / 1000);
    for (const quantile of [50, 99, 100]) {
      const nanoseconds = this.delay.count > 0 ? this.delay.percentile(quantile) : 0;
      // The timer's own period is in what it measures.
      const value = Math.max(0, nanoseconds / 1e9 - resolution / 1e3);
      add('nodejs_eventloop_delay_seconds', 'gauge', 'How late timers were since the last scrape.', value, `{quantile="${quantile / 100}"}`);
    }
    this.delay.reset();
    return `${lines.join('\n')}\n`;
  }
}

/** Bytes; null where there is no such process. */
function residentMemory(pid) {
  try {
    const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(fs.readFileSync(`/proc/${pid}/status`, 'utf8'));
    return kilobytes && Number(kilobytes[1]) * 1024;
  } catch {
    return null;
  }
}

module.exports = { Metrics };
