// The code of docs/clients.md, in the folder given, against a server that is killed.
//   node resuming.mjs apollo|orders|graphql-ws|graphql-sse FOLDER URL
// Each line of the standard input is a token to go on with. Prints what happens.
import { createInterface } from 'node:readline';

import WebSocket from 'ws';

globalThis.WebSocket = WebSocket; // which a browser has

const [, , library, folder, url] = process.argv;
const { createLiveClient, resuming } = await import(`${folder}/live.js`);

const CURSOR = '{ roomMessages(chatroom: "resuming") { cursor } }';
const LISTEN = 'subscription { onNewChatMessage(chatroom: "resuming") { text } }';
let token = null;

async function readCursor() {
  const headers = { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) };
  const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify({ query: CURSOR }) });
  const { data } = await response.json();
  return data?.roomMessages.cursor;
}

const received = ({ data, errors }) =>
  errors ? failed(errors) : console.log('received', data.onNewChatMessage.text);
const failed = (error) => console.log('failed', error?.message ?? error?.[0]?.message ?? error?.code);
const onGap = () => console.log('gap');
const onForbidden = (reason) => console.log('forbidden', reason);
const sink = { next: received, error: failed, complete: () => console.log('completed') };

const libraries = {
  async apollo() {
    const { createApollo } = await import(`${folder}/apollo.js`);
    const { gql } = await import('@apollo/client');
    const { apollo, reconnect } = createApollo({ url, getToken: () => token, onForbidden });
    apollo.refetchQueries = onGap;
    const next = ({ data, error }) => (error ? failed(error) : received({ data }));
    return {
      listen: (extensions) => apollo.subscribe({ query: gql(LISTEN), extensions }).subscribe({ ...sink, next }),
      reconnect,
    };
  },
  async orders() {
    const { createApollo } = await import(`${folder}/apollo.js`);
    const { followOrders } = await import(`${folder}/orders.js`);
    const { apollo } = createApollo({ url });
    const show = ({ id, state, deleted }) => console.log('order', id, deleted ? 'deleted' : state);
    return { listen: () => followOrders(apollo, show) };
  },
  async 'graphql-ws'() {
    const client = createLiveClient({
      url: url.replace('http', 'ws'),
      connectionParams: () => token && { authorization: `Bearer ${token}` },
      onForbidden,
    });
    return {
      listen: (extensions) => resuming(client.subscribe, onGap)({ query: LISTEN, extensions }, sink),
      reconnect: () => client.terminate(),
    };
  },
  async 'graphql-sse'() {
    const { createClient } = await import('graphql-sse');
    const retry = () => new Promise((resolve) => setTimeout(resolve, 200));
    const client = createClient({ url, retryAttempts: Infinity, retry });
    return { listen: (extensions) => resuming(client.subscribe, onGap)({ query: LISTEN, extensions }, sink) };
  },
};

const { listen, reconnect } = await libraries[library]();
const after = await readCursor();
await listen(after && { after });
console.log('listening');
for await (const line of createInterface({ input: process.stdin })) {
  token = line;
  reconnect();
  console.log('reconnecting');
}
process.exit(0);
