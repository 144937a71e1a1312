// mercurius with its JIT; subscriptions through its own emitter.
import { readFileSync } from "node:fs";
import Fastify from "fastify";
import mercurius from "mercurius";
import { changeOrder, createMessage, messagesOf, orders } from "../shop.mjs";

const app = Fastify({ keepAliveTimeout: 3_600_000 });
app.register(mercurius, {
  schema: readFileSync(new URL("../schema.graphql", import.meta.url), "utf8"),
  path: "/graphql/",
  jit: 1,
  subscription: true,
  resolvers: {
    Query: {
      hello: () => "Hello",
      getOrders: () => orders,
      messages: (_, { userId }) => ({ success: true, messages: messagesOf(userId) }),
    },
    Mutation: {
      createMessage: async (_, given, { pubsub }) => {
        const message = createMessage(given);
        if (message === null) return { success: false, errors: ["There is no such user"] };
        await pubsub.publish({ topic: `inbox.${given.recipientId}`, payload: { messages: message } });
        return { success: true, message };
      },
    },
    Subscription: {
      getOrder: { subscribe: (_, __, { pubsub }) => pubsub.subscribe("orders") },
      messages: { subscribe: (_, { userId }, { pubsub }) => pubsub.subscribe(`inbox.${userId}`) },
    },
  },
});
app.get("/fire", (request, reply) => {
  const { committed, order } = changeOrder(request.url);
  app.graphql.pubsub.publish({ topic: "orders", payload: { getOrder: order } });
  reply.send(committed);
});
await app.listen({ port: Number(process.argv[2]), host: "127.0.0.1" });
