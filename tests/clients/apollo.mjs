// Apollo Client: queries and mutations over HTTP, subscriptions by one of its links.
//   node apollo.mjs graphql-ws|subscriptions-transport-ws|multipart URL
import { ApolloClient, ApolloLink, HttpLink, InMemoryCache, gql } from '@apollo/client';
import { RetryLink } from '@apollo/client/link/retry';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import { WebSocketLink } from '@apollo/client/link/ws';
import { createClient } from 'graphql-ws';
import stws from 'subscriptions-transport-ws';
import WebSocket from 'ws';

import { fail, run } from './exchange.mjs';

const links = {
  'graphql-ws': (url) =>
    new GraphQLWsLink(createClient({ url, webSocketImpl: WebSocket, retryWait: async () => {} })),
  'subscriptions-transport-ws': (url) =>
    new WebSocketLink(
      new stws.SubscriptionClient(url, { reconnect: true, minTimeout: 3000 }, WebSocket),
    ),
  // The link over HTTP does not go on by itself when its response breaks off.
  multipart: (url, http) =>
    new RetryLink({ attempts: { max: Infinity }, delay: () => 50 }).concat(http),
};

const [, , transport, address] = process.argv;
await run(address, (url) => {
  const http = new HttpLink({ uri: url });
  const subscriptions = links[transport](url.replace('http:', 'ws:'), http);
  const isSubscription = ({ operationType }) => operationType === 'subscription';
  const apollo = new ApolloClient({
    link: ApolloLink.split(isSubscription, subscriptions, http),
    cache: new InMemoryCache(),
  });
  return {
    execute: (query, variables) =>
      query.startsWith('mutation')
        ? apollo.mutate({ mutation: gql(query), variables })
        : apollo.query({ query: gql(query) }),
    listen: (query, onResult) =>
      apollo.subscribe({ query: gql(query) }).subscribe({
        next: (result) => (result.error ? fail(result.error) : onResult(result)),
        complete: () => fail('the subscription completed'),
      }),
  };
});
