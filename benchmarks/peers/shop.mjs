// The orders and messages of the Node peers: in memory, which costs them less than any database.
const users = Array.from({ length: 1000 }, (_, index) => ({
  userId: String(index + 1),
  username: `user_${index + 1}`,
  email: `user_${index + 1}@example.org`,
}));

export const orders = users.map((user) => ({
  id: user.userId,
  date: "2030-01-01",
  state: "UNPAID",
  description: "",
  user,
}));

const messages = Array.from({ length: 100 }, (_, index) => ({
  id: String(index + 1),
  senderId: "1",
  recipientId: "2",
  content: `Message ${index}`,
  createdAt: "2030-01-01T00:00:00+00:00",
}));

export function messagesOf(userId) {
  return messages.filter((each) => each.senderId === userId || each.recipientId === userId);
}

export function createMessage({ senderId, recipientId, content }) {
  if (!users[senderId - 1] || !users[recipientId - 1] || !content.trim()) return null;
  const createdAt = new Date().toISOString();
  const message = { id: String(messages.length + 1), senderId, recipientId, content, createdAt };
  messages.push(message);
  return message;
}

// Gives the first order the date of `/fire?date=…`; the moment is what the answer's body is.
export function changeOrder(url) {
  orders[0] = { ...orders[0], date: new URL(url, "http://shop").searchParams.get("date") };
  return { committed: String(process.hrtime.bigint()), order: orders[0] };
}
