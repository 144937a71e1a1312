// Server-sent events, by graphql-sse in its two modes and by the platform's own EventSource.
//   node --experimental-eventsource sse.mjs distinct|single|eventsource URL
import { setTimeout as delay } from 'node:timers/promises';

import { createClient } from 'graphql-sse';

import { client, run } from './exchange.mjs';

function graphqlSse(url, singleConnection) {
  const { subscribe } = createClient({ url, singleConnection, retry: () => delay(50) });
  return client(subscribe);
}

/** Queries and subscriptions by GET; an EventSource cannot send mutations. */
function eventSource(url) {
  const { execute, listen } = client(({ query, variables = {} }, sink) => {
    const parameters = new URLSearchParams({ query, variables: JSON.stringify(variables) });
    const source = new EventSource(`${url}?${parameters}`);
    source.addEventListener('next', ({ data }) => sink.next(JSON.parse(data)));
    source.addEventListener('complete', () => {
      source.close();
      sink.complete();
    });
    source.addEventListener('error', () => {
      if (source.readyState === EventSource.CLOSED) sink.error(new Error('refused'));
    });
  });
  const post = async (query, variables) => {
    const headers = { accept: 'application/json', 'content-type': 'application/json' };
    const body = JSON.stringify({ query, variables });
    return (await fetch(url, { method: 'POST', headers, body })).json();
  };
  const isMutation = (query) => query.startsWith('mutation');
  return {
    execute: (query, variables) => (isMutation(query) ? post : execute)(query, variables),
    listen,
  };
}

const transports = {
  distinct: (url) => graphqlSse(url, false),
  single: (url) => graphqlSse(url, true),
  eventsource: eventSource,
};

const [, , transport, address] = process.argv;
await run(address, transports[transport]);
