/**
 * The relay: whatever a client sends goes to the others of its room. Prints its address.
 *
 * Not here: anything that looks into a message.
 */
import { createServer } from "node:http";
import { WebSocketServer } from "ws";

const rooms = new Map();
const server = createServer();
const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false });

server.on("upgrade", (request, socket, head) => {
  sockets.handleUpgrade(request, socket, head, (client) => {
    const room = rooms.get(request.url) ?? new Set();
    rooms.set(request.url, room.add(client));
    client.on("message", (message) => {
      for (const other of room) if (other !== client) other.send(message);
    });
    client.on("close", () => room.delete(client));
    client.on("error", () => client.terminate());
  });
});

server.listen({ port: 0, host: "127.0.0.1", backlog: 4096 }, () => {
  console.log(`http://127.0.0.1:${server.address().port}`);
});
