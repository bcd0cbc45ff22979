// Ends of a conversation, for traffic tests: `node talk.ts serve PORT [ADDRESS]` answers TCP and UDP with the address that
// it sees the asker under; `node talk.ts ask tcp|udp ADDRESS PORT` prints the answer, or exits with 1 after a second.
import { createSocket } from 'node:dgram';
import { connect, createServer } from 'node:net';

const [mode = '', ...args] = process.argv.slice(2);
const plain = (address: string | undefined): string => address?.replace('::ffff:', '') ?? '';

if (mode === 'serve') {
  const [port = '', host = '::'] = args;
  createServer((socket) =>
    socket.on('error', () => undefined).end(`tcp ${plain(socket.remoteAddress)}`),
  ).listen(Number(port), host, () => {
    const udp = createSocket(host.includes(':') ? 'udp6' : 'udp4');
    udp.on('message', (_, from) => udp.send(`udp ${plain(from.address)}`, from.port, from.address));
    udp.bind(Number(port), host, () => console.log('ready'));
  });
} else {
  const [protocol = '', address = '', port = ''] = args;
  setTimeout(() => process.exit(1), 1000).unref();
  const answer = (text: Buffer): void => {
    console.log(text.toString());
    process.exit(0);
  };
  const fail = (): void => process.exit(1);
  if (protocol === 'tcp') connect(Number(port), address).on('data', answer).on('error', fail);
  else {
    const udp = createSocket(address.includes(':') ? 'udp6' : 'udp4')
      .on('message', answer)
      .on('error', fail);
    udp.connect(Number(port), address, () => udp.send('?', fail4));
  }
  function fail4(error: Error | null): void {
    if (error !== null) fail();
  }
}
