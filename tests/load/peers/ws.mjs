// A broadcast server on npm's `ws`, as one would write it: rooms in a map, one `send` per member. It keeps nothing
// and checks nobody. It speaks as much of the protocol as the load generator needs.
import { WebSocketServer } from 'ws'

/** @type {Map<string, { seq: number, members: Set<import('ws').WebSocket> }>} */
const rooms = new Map()

const roomOf = (name) => {
  let room = rooms.get(name)
  if (!room) {
    room = { seq: 0, members: new Set() }
    rooms.set(name, room)
  }
  return room
}

const server = new WebSocketServer({
  host: '127.0.0.1',
  port: 0,
  perMessageDeflate: false,
  clientTracking: false,
  backlog: 4096,
  handleProtocols: () => 'stoa.v1',
})

let connections = 0

server.on('connection', (socket) => {
  const user = `c${connections++}`
  let joined
  const reply = (frame) => socket.send(JSON.stringify(frame))

  socket.on('message', (data) => {
    const frame = JSON.parse(data)
    const { id } = frame
    switch (frame.type) {
      case 'hello':
        return reply({ type: 'welcome', id, version: 1, features: [], session: 's', secret: 's', idle_ms: 60000 })
      case 'room.open': {
        joined = roomOf(frame.room)
        joined.members.add(socket)
        const { seq } = joined
        return reply({ type: 'ack', id, result: { kind: 'opened', epoch: 'e', seq, head: seq } })
      }
      case 'chat.send': {
        const room = roomOf(frame.room)
        const seq = ++room.seq
        const event = { room: frame.room, seq, at: Date.now(), from: user, type: 'chat.sent', text: frame.text }
        // Encoded once; as a buffer it is not encoded again for each member.
        const bytes = Buffer.from(JSON.stringify(event))
        for (const member of room.members) member.send(bytes, { binary: false })
        return reply({ type: 'ack', id, seq })
      }
      default:
        return reply({ type: 'ack', id })
    }
  })
  socket.on('close', () => joined?.members.delete(socket))
  socket.on('error', () => socket.terminate())
})

server.on('listening', () => {
  const { port } = server.address()
  console.log(`listening on http://127.0.0.1:${port}`)
})
