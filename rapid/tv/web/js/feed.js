// The live line: it resumes after the last event it had, and it does not call itself live when it is not.

import { apiUrl } from "./api.js";

const SILENCE = 16000; // ms; the server speaks at least every 5 s
const RETRY = 1500; // ms

// Events come in order and once. `on` has exposure(event), reset(), beat(data), line("connecting" | "live" | "reconnecting").
export function openFeed(after, on) {
  let last = after;
  let source = null;
  let watchdog = 0;
  let stopped = false;

  function connect() {
    if (stopped) return;
    source = new EventSource(`${apiUrl("stream")}?after=${last}`);
    source.addEventListener("open", () => heard());
    source.addEventListener("exposure", (message) => {
      if (take(message)) on.exposure({ id: last, ...JSON.parse(message.data) });
    });
    source.addEventListener("night", (message) => take(message));
    source.addEventListener("beat", (message) => {
      heard();
      on.beat?.(JSON.parse(message.data));
    });
    source.addEventListener("reset", (message) => {
      heard();
      last = Number(message.lastEventId);
      on.reset();
    });
    source.addEventListener("error", () => {
      on.line("reconnecting");
      if (source.readyState === EventSource.CLOSED) again();
    });
    watch();
  }

  // A browser that reconnects by itself may be told again what it knows; ids only grow.
  function take(message) {
    heard();
    const id = Number(message.lastEventId);
    if (id <= last) return false;
    last = id;
    return true;
  }

  function heard() {
    on.line("live");
    watch();
  }

  function watch() {
    clearTimeout(watchdog);
    watchdog = setTimeout(() => {
      on.line("reconnecting");
      again();
    }, SILENCE);
  }

  function again() {
    source.close();
    clearTimeout(watchdog);
    watchdog = setTimeout(connect, RETRY);
  }

  on.line("connecting");
  connect();
  return {
    close() {
      stopped = true;
      clearTimeout(watchdog);
      source.close();
    },
  };
}
