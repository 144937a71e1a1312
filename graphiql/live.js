import { createClient } from 'graphql-ws';

const FORBIDDEN = 4403;
const FIRST_WAIT = 100; // ms; doubled with each attempt
const LONGEST_WAIT = 2000;
const SHOWN_EVENTS = 50;

/**
 * Return `observe(payload)`, an observable of a subscription that continues from its cursor after a
 * cut, and the `store` of its state for `Status`. GraphiQL runs one subscription at a time, so
 * there is one state.
 */
export function createLiveClient({ url, connectionParams }) {
  const store = createStore({ phase: 'idle', text: '', note: '', isRunning: false, events: [], count: 0 });
  let active;
  const client = createClient({
    url,
    connectionParams,
    retryAttempts: Infinity,
    retryWait,
    // A refused connection is an `Event` without a code. 4403 says that another attempt is useless.
    shouldRetry: (event) => event.code !== FORBIDDEN,
    on: {
      connected: () => active?.connected(),
      closed: (event) => active?.cut(event),
    },
  });

  function subscribe(payload, sink) {
    const extensions = { ...payload.extensions, confirm: true };
    const request = { ...payload, extensions }; // sent again, as it is then, after each cut
    let dispose;
    let hasBeenLive = false;
    let cutAt = null;
    let isAfresh = false;

    const self = {
      connected() {
        if (cutAt === null) show('connecting', 'Connected. Subscribing…');
        else show('resuming', 'Connected again. Catching up…');
      },
      cut(event) {
        if (cutAt === null && hasBeenLive) cutAt = Date.now();
        if (event.code !== FORBIDDEN) show('reconnecting', `${describe(event)} Reconnecting…`);
      },
    };

    function show(phase, text, more) {
      if (active === self) store.set({ phase, text, ...more });
    }

    function start() {
      dispose = client.subscribe(request, { next, error, complete: () => end('Completed by the server.', () => sink.complete()) });
    }

    function next(result) {
      const { subscribed, cursor } = result.extensions ?? {};
      if (subscribed) confirmed();
      if (cursor) extensions.after = cursor;
      if (subscribed) return;
      const { events, count } = store.get();
      const event = { number: count + 1, time: clock(), text: JSON.stringify(result.errors ? { data: result.data, errors: result.errors } : result.data) };
      if (active === self) store.set({ events: [event, ...events].slice(0, SHOWN_EVENTS), count: count + 1 });
      sink.next(result);
    }

    function confirmed() {
      if (isAfresh) {
        show('live', 'Live: waiting for events.', {
          note: 'The server could not continue from the last event (CURSOR_EXPIRED), so this subscription began afresh. Events may be missing: run a query for the current state.',
        });
      } else if (cutAt === null) {
        show('live', 'Live: waiting for events.');
      } else {
        const seconds = ((Date.now() - cutAt) / 1000).toFixed(1);
        show('live', `Live again after ${seconds} s: waiting for events.`, {
          note: extensions.after
            ? 'It continued from its cursor: no event was missed.'
            : 'This subscription has no cursor: it began anew, and events that came meanwhile are lost.',
        });
      }
      hasBeenLive = true;
      cutAt = null;
      isAfresh = false;
    }

    function error(reason) {
      const isExpired = Array.isArray(reason) && reason.some(({ extensions }) => extensions?.code === 'CURSOR_EXPIRED');
      if (isExpired && hasBeenLive && !isAfresh) {
        isAfresh = true;
        delete extensions.after;
        start();
      } else {
        const text = `Ended: ${explain(reason)}`;
        end(text, () => sink.error(Array.isArray(reason) ? reason : new Error(text)), 'failed');
      }
    }

    function end(text, tell, phase = 'ended') {
      show(phase, text, { isRunning: false });
      if (active === self) active = undefined;
      tell?.();
    }

    active = self;
    store.set({ phase: 'connecting', text: 'Connecting…', note: '', isRunning: true, events: [], count: 0 });
    start();
    return () => {
      end('Stopped. Choosing another tab stops a subscription, too.');
      dispose();
    };
  }

  const observe = (payload) => ({ subscribe: (sink) => ({ unsubscribe: subscribe(payload, sink) }) });
  return { observe, store };
}

/** Wait 0.1 s or so before the first attempt, and 3 s at most before a later one. */
function retryWait(retries) {
  const wait = Math.min(FIRST_WAIT * 2 ** retries, LONGEST_WAIT) * (0.5 + Math.random());
  return new Promise((resolve) => setTimeout(resolve, wait));
}

function describe({ code, reason }) {
  if (code === 4012) return 'The server restarts.';
  const details = [code, reason].filter(Boolean).join(' ');
  return `The connection was lost (${details}).`;
}

function explain(reason) {
  if (Array.isArray(reason)) return reason.map(({ message }) => message).join(' ');
  if (reason?.code === FORBIDDEN) {
    return `the server refused the connection (4403${reason.reason && `: ${reason.reason}`}). If your session is over, log in again.`;
  }
  return reason?.code ? `the connection was closed (${reason.code} ${reason.reason}).` : String(reason?.message ?? reason);
}

function clock() {
  return new Date().toLocaleTimeString([], { hour12: false });
}

function createStore(state) {
  const listeners = new Set();
  return {
    get: () => state,
    set(change) {
      state = { ...state, ...change };
      for (const listener of listeners) listener();
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
