// The WebSocket clients, which run everything over one socket.
//   node websocket.mjs graphql-ws|subscriptions-transport-ws URL
import { createClient } from 'graphql-ws';
import stws from 'subscriptions-transport-ws';
import WebSocket from 'ws';

import { client, run } from './exchange.mjs';

const libraries = {
  'graphql-ws'(url) {
    const { subscribe } = createClient({
      url,
      webSocketImpl: WebSocket,
      lazy: false,
      retryWait: async () => {},
    });
    return subscribe;
  },
  'subscriptions-transport-ws'(url) {
    const options = { reconnect: true, minTimeout: 3000 };
    const legacy = new stws.SubscriptionClient(url, options, WebSocket);
    return (operation, sink) => legacy.request(operation).subscribe(sink);
  },
};

const [, , library, address] = process.argv;
await run(address, (url) => client(libraries[library](url)));
