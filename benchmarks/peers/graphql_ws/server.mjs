// graphql-ws over ws, graphql-http for the rest, and a publisher from graphql-yoga's makers.
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { makeExecutableSchema } from "@graphql-tools/schema";
import { createPubSub } from "@graphql-yoga/subscription";
import { createHandler } from "graphql-http/lib/use/http";
import { useServer } from "graphql-ws/use/ws";
import { WebSocketServer } from "ws";
import { changeOrder, createMessage, messagesOf, orders } from "../shop.mjs";

const pubSub = createPubSub();
const schema = makeExecutableSchema({
  typeDefs: readFileSync(new URL("../schema.graphql", import.meta.url), "utf8"),
  resolvers: {
    Query: {
      hello: () => "Hello",
      getOrders: () => orders,
      messages: (_, { userId }) => ({ success: true, messages: messagesOf(userId) }),
    },
    Mutation: {
      createMessage: (_, given) => {
        const message = createMessage(given);
        if (message === null) return { success: false, errors: ["There is no such user"] };
        pubSub.publish("inbox", given.recipientId, message);
        return { success: true, message };
      },
    },
    Subscription: {
      getOrder: { subscribe: () => pubSub.subscribe("orders"), resolve: (order) => order },
      messages: {
        subscribe: (_, { userId }) => pubSub.subscribe("inbox", userId),
        resolve: (message) => message,
      },
    },
  },
});

const handle = createHandler({ schema });
const server = createServer((request, response) => {
  if (request.url.startsWith("/fire")) {
    const { committed, order } = changeOrder(request.url);
    pubSub.publish("orders", order);
    response.end(committed);
  } else {
    handle(request, response);
  }
});
server.keepAliveTimeout = 3_600_000;
useServer({ schema }, new WebSocketServer({ server, path: "/graphql/" }));
server.listen(Number(process.argv[2]), "127.0.0.1");
