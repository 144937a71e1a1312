// Runs a query, a mutation and a subscription by one of the WebSocket clients, prints their results
// as JSON, then loses its connection, reconnects by itself, and gets one more event.
//   node websocket.mjs graphql-ws|subscriptions-transport-ws URL
import { createClient } from 'graphql-ws';
import stws from 'subscriptions-transport-ws';
import WebSocket from 'ws';

const [, , library, url] = process.argv;
const LISTEN = 'subscription { onNewChatMessage(chatroom: "clients") { text } }';
const SEND = 'mutation Send($text: String!) { sendChatMessage(chatroom: "clients", text: $text) { ok } }';

const sockets = [];
class Socket extends WebSocket {
  constructor(...args) {
    super(...args);
    sockets.push(this);
  }
}

/** Return `subscribe(operation, onResult, onEnd)` of the client. */
function connect() {
  if (library === 'graphql-ws') {
    const client = createClient({ url, webSocketImpl: Socket, lazy: false, retryWait: async () => {} });
    return (operation, next, complete) => client.subscribe(operation, { next, complete, error: fail });
  }
  const client = new stws.SubscriptionClient(url, { reconnect: true, minTimeout: 3000 }, Socket);
  return (operation, next, complete) => client.request(operation).subscribe({ next, complete, error: fail });
}

function fail(error) {
  console.log('failed', error);
  process.exit(1);
}

const subscribe = connect();
const execute = (query, variables) =>
  new Promise((resolve) => {
    let result;
    subscribe({ query, variables }, (value) => (result = value), () => resolve(result));
  });

const waiting = new Map();
subscribe({ query: LISTEN }, ({ data }) => waiting.get(data.onNewChatMessage.text)?.(), () => {});

/**
 * Send until it arrives: the clients do not tell when a subscription is live, and the old one
 * forgets an operation that it gave to a connection that was breaking.
 */
async function exchange(text) {
  const arrived = new Promise((resolve) => waiting.set(text, () => resolve(true)));
  for (;;) {
    void execute(SEND, { text });
    const later = new Promise((resolve) => setTimeout(resolve, 300, false));
    if (await Promise.race([arrived, later])) return;
  }
}

console.log(JSON.stringify(await execute('{ hello }')));
console.log(JSON.stringify(await execute(SEND, { text: 'unheard' })));
await exchange('first');
console.log('first arrived');
sockets.at(-1).terminate();
await exchange('second');
console.log('second arrived, by socket', sockets.length);
process.exit(0);
