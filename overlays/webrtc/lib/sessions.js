// The viewers: which sessions are open, and what became of all there were.
'use strict';

const { randomUUID } = require('node:crypto');

const closeTimeout = 10_000;

class Sessions {
  constructor(helper, settings, log) {
    this.helper = helper;
    this.offerTimeout = settings.offerSeconds * 1000;
    this.log = log;
    this.open = new Map();
    this.answered = 0;
    this.refused = 0;
    helper.on('connected', ({ session, seconds }) => {
      const found = this.open.get(session);
      if (!found) return;
      found.isConnected = true;
      log.info(`session ${session} connected after ${seconds.toFixed(1)} s`);
    });
    helper.on('closed', ({ session, reason }) => {
      if (this.open.delete(session)) log.info(`session ${session} closed: ${reason}`);
    });
  }

  get count() {
    return this.open.size;
  }

  get connected() {
    return [...this.open.values()].filter(({ isConnected }) => isConnected).length;
  }

  /** Takes an offer; gives the session's name and the answer, or throws an error with a `status`. */
  async offer(sdp, viewer) {
    const name = randomUUID();
    const began = Date.now();
    this.open.set(name, { isConnected: false });
    this.log.debug(`session ${name}: ${viewer} asks for a session`);
    try {
      const { sdp: answer } = await this.helper.call({ do: 'offer', session: name, sdp }, this.offerTimeout);
      this.answered += 1;
      this.log.info(`session ${name} of ${viewer} answered in ${((Date.now() - began) / 1000).toFixed(1)} s`);
      return { name, answer };
    } catch (error) {
      this.open.delete(name);
      this.refused += 1;
      // Whatever of it there is goes.
      this.helper.call({ do: 'close', session: name }, closeTimeout).catch(() => {});
      throw error;
    }
  }

  /** Ends a session for this reason; false where there is none of this name. */
  async close(name, reason) {
    if (!this.open.delete(name)) return false;
    this.log.info(`session ${name} closed: ${reason}`);
    await this.helper.call({ do: 'close', session: name }, closeTimeout);
    return true;
  }
}

module.exports = { Sessions };
