// y-websocket's own server for Yjs documents, as its makers publish it (`@y/websocket-server`), in memory: it keeps
// nothing and checks nobody.
import { setupWSConnection } from '@y/websocket-server/utils'
import { WebSocketServer } from 'ws'

const server = new WebSocketServer({
  host: '127.0.0.1',
  port: 0,
  perMessageDeflate: false,
  backlog: 4096,
  handleProtocols: () => 'stoa.v1',
})

server.on('connection', setupWSConnection)
server.on('listening', () => {
  const { port } = server.address()
  console.log(`listening on http://127.0.0.1:${port}`)
})
