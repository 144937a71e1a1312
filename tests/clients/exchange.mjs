// What every client is put through: a query, a mutation and a subscription whose connection is cut.
import { proxy } from './proxy.mjs';

const HELLO = '{ hello }';
const LISTEN = 'subscription { onNewChatMessage(chatroom: "clients") { text } }';
const SEND = 'mutation Send($text: String!) { sendChatMessage(chatroom: "clients", text: $text) { ok } }';

/** Say what went wrong, and end. */
export function fail(error) {
  console.error('failed', error);
  process.exit(1);
}

/** Return what `run` asks of a client that is one function, `subscribe(operation, sink)`. */
export function client(subscribe) {
  return {
    execute: (query, variables) =>
      new Promise((resolve, reject) => {
        let result;
        const complete = () => resolve(result);
        subscribe({ query, variables }, { next: (value) => (result = value), error: reject, complete });
      }),
    listen: (query, next) =>
      subscribe({ query }, { next, error: fail, complete: () => fail('the subscription completed') }),
  };
}

/**
 * Print the results of a query and a mutation as JSON, and that an event arrived before the
 * connections were cut and another after that.
 *
 * `connect(url)` returns the client's `execute(query, variables)`, a promise of the result, and
 * `listen(query, onResult)`, which goes on by itself when it is cut off.
 */
export async function run(address, connect) {
  setTimeout(fail, 30_000, 'the exchange took too long').unref();
  const { url, cut } = await proxy(address);
  const { execute, listen } = connect(url);
  console.log(JSON.stringify(await execute(HELLO)));
  console.log(JSON.stringify(await execute(SEND, { text: 'unheard' })));

  const waiting = new Map();
  listen(LISTEN, ({ data, errors }) => {
    if (errors) fail(errors);
    waiting.get(data.onNewChatMessage.text)?.(true);
  });

  // Send until it arrives: the clients do not tell when a subscription is live, and a mutation may
  // be lost with the connection that is cut.
  async function exchange(text) {
    const arrived = new Promise((resolve) => waiting.set(text, resolve));
    for (;;) {
      execute(SEND, { text }).catch((error) => console.error(text, error));
      const later = new Promise((resolve) => setTimeout(resolve, 300, false));
      if (await Promise.race([arrived, later])) break;
    }
    console.log(text, 'arrived');
  }

  await exchange('first');
  cut();
  await exchange('second');
  process.exit(0);
}
