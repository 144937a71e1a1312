// A TCP proxy whose connections can be cut: no goodbye reaches either end.
import { once } from 'node:events';
import net from 'node:net';

/** Return the URL by which the proxy leads to the one given, and `cut()`. */
export async function proxy(address) {
  const url = new URL(address);
  const { hostname, port } = url;
  const connections = new Set();
  const server = net.createServer((near) => {
    const far = net.connect(port, hostname);
    for (const [socket, other] of [[near, far], [far, near]]) {
      connections.add(socket);
      socket.pipe(other);
      socket.on('error', () => {}); // The close that follows says as much.
      socket.on('close', () => {
        connections.delete(socket);
        other.destroy();
      });
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  url.hostname = '127.0.0.1';
  url.port = server.address().port;
  const cut = () => connections.forEach((socket) => socket.resetAndDestroy());
  return { url: url.href, cut };
}
