// The helper process: questions by number, answers by the same number, and events in between.
'use strict';

const { spawn } = require('node:child_process');
const { EventEmitter } = require('node:events');
const readline = require('node:readline');

class HelperError extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

/** Emits `exit` (how, status) once, and each event of the helper by its name. */
class Helper extends EventEmitter {
  constructor(settings, script, log) {
    super();
    this.log = log;
    this.began = process.hrtime.bigint();
    this.waiting = new Map();
    this.last = 0;
    const options = ['--fps', settings.fps, '--bitrate', settings.bitrate];
    options.push('--most-sessions', settings.mostSessions, '--offer-seconds', settings.offerSeconds);
    // Its stderr is ours: its last words need nobody to pass them on.
    this.process = spawn(settings.python, ['-u', script, ...options.map(String)], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.process.on('error', (error) => this.ended(`could not be started: ${error.message}`, null));
    this.process.on('exit', (status, signal) =>
      this.ended(signal ? `exited on signal ${signal}` : `exited with status ${status}`, status));
    // One that is gone is told by 'exit'; its broken pipe says nothing more.
    this.process.stdin.on('error', () => {});
    readline.createInterface({ input: this.process.stdout }).on('line', (line) => this.read(line));
  }

  get pid() {
    return this.process.pid;
  }

  /** Seconds since it was started. */
  get age() {
    return Number(process.hrtime.bigint() - this.began) / 1e9;
  }

  ended(how, status) {
    if (this.hasEnded) return;
    this.hasEnded = true;
    for (const { reject, timer } of this.waiting.values()) {
      clearTimeout(timer);
      reject(new HelperError(`the helper ${how}`, 503));
    }
    this.waiting.clear();
    this.emit('exit', how, status);
  }

  read(line) {
    let message;
    try {
      message = JSON.parse(line);
    } catch {
      this.log.warning(`helper: ${line}`);
      return;
    }
    if (message.event) {
      this.emit(message.event, message);
      return;
    }
    const question = this.waiting.get(message.id);
    if (!question) return;
    this.waiting.delete(message.id);
    clearTimeout(question.timer);
    if (message.error) question.reject(new HelperError(message.error, message.status || 500));
    else question.resolve(message);
  }

  /** Asks and waits for the answer, at most so many milliseconds. */
  call(question, timeout) {
    return new Promise((resolve, reject) => {
      if (this.hasEnded) {
        reject(new HelperError('the helper has ended', 503));
        return;
      }
      const id = ++this.last;
      const timer = setTimeout(() => {
        this.waiting.delete(id);
        reject(new HelperError(`the helper gave no answer to ${question.do} within ${timeout / 1000} s`, 503));
      }, timeout);
      this.waiting.set(id, { resolve, reject, timer });
      this.process.stdin.write(`${JSON.stringify({ ...question, id })}\n`);
    });
  }

  stop() {
    if (!this.hasEnded) this.process.kill('SIGTERM');
  }
}

module.exports = { Helper };
