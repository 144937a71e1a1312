// A client of graphql-ws whose token is invalid: how often it connects, and what its page is told.
//   node refused.mjs URL TOKEN
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';

const [, , url, token] = process.argv;
let connections = 0;

const client = createClient({
  url,
  webSocketImpl: WebSocket,
  connectionParams: { token },
  retryAttempts: Infinity,
  shouldRetry: (event) => event.code !== 4403,
  on: { connecting: () => (connections += 1) },
});

client.subscribe(
  { query: 'subscription { count(target: 1) }' },
  {
    next: () => console.log('next'),
    error: (event) => console.log(`${event.code} ${event.reason}`, `after ${connections} connection`),
    complete: () => console.log('complete'),
  },
);
