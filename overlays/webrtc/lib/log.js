// One line an event, its level first. The journal has the time and the service's name.
'use strict';

const levels = ['error', 'warning', 'info', 'debug'];

class Log {
  constructor(level) {
    this.most = levels.indexOf(level);
  }

  write(level, text) {
    if (levels.indexOf(level) > this.most) return;
    // What others sent cannot begin a line of its own, nor colour the console.
    const line = text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`);
    process.stdout.write(`${level}: ${line}\n`);
  }

  error(text) {
    this.write('error', text);
  }

  warning(text) {
    this.write('warning', text);
  }

  info(text) {
    this.write('info', text);
  }

  debug(text) {
    this.write('debug', text);
  }
}

module.exports = { Log, levels };
