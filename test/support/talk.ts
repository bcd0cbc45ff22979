// Ends of a conversation, for traffic tests.
// `node talk.ts serve PORT [ADDRESS [NAME]]` answers TCP and UDP with the address that it sees the asker under, and its name.
// `node talk.ts ask [never] tcp|udp ADDRESS PORT [from ADDRESS] ...` asks all at once and prints a line for each: the answer,
// or `-`. It waits long for answers, but for a second only for those that are never to come. It exits with 1 if there
// was none at all.
// `node talk.ts each PORT ADDRESS...` asks each address by TCP and by UDP, all at once, and prints a list of what was
// answered within a second and a half, null for nothing.
// `node talk.ts keep ADDRESS PORT FILE` asks by UDP from one port for ever, and writes the last answer to a file.
import { createSocket } from 'node:dgram';
import { writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';

const [mode = '', ...args] = process.argv.slice(2);
const plain = (address: string | undefined): string => address?.replace('::ffff:', '') ?? '';
const udpSocket = (address: string) => createSocket(address.includes(':') ? 'udp6' : 'udp4');

if (mode === 'serve') serve();
else if (mode === 'ask') ask();
else if (mode === 'each') await each();
else keep();

function serve(): void {
  const [port = '', host = '::', name] = args;
  const told = name === undefined ? '' : ` at ${name}`;
  createServer((socket) =>
    socket.on('error', () => undefined).end(`tcp ${plain(socket.remoteAddress)}${told}`),
  ).listen(Number(port), host, () => {
    const udp = udpSocket(host);
    udp.on('message', (_, from) => udp.send(`udp ${plain(from.address)}${told}`, from.port, from.address));
    udp.bind(Number(port), host, () => console.log('ready'));
  });
}

function ask(): void {
  const answers: string[] = [];
  const awaited = new Set<number>();
  let isPatient = false;
  const finish = (): never => {
    for (const answer of answers) console.log(answer);
    process.exit(answers.every((answer) => answer === '-') ? 1 : 0);
  };
  const finishIfDone = (): void => {
    if (awaited.size === 0 && !isPatient) finish();
  };
  setTimeout(finish, 20_000);
  for (let i = 0; i < args.length; ) {
    const isNever = args[i] === 'never';
    if (isNever) i++;
    const [protocol = '', address = '', port = ''] = args.slice(i, i + 3);
    const from = args[i + 3] === 'from' ? args[i + 4] : undefined;
    i += from === undefined ? 3 : 5;
    const index = answers.push('-') - 1;
    if (!isNever) awaited.add(index);
    else if (!isPatient) {
      isPatient = true;
      setTimeout(() => {
        isPatient = false;
        finishIfDone();
      }, 1000);
    }
    const close = (answer: string): void => {
      answers[index] = answer;
      awaited.delete(index);
      finishIfDone();
    };
    const fail = (): void => close(answers[index] ?? '-');
    if (protocol === 'tcp') {
      connect({
        host: address,
        port: Number(port),
        ...(from === undefined ? {} : { localAddress: from }),
      })
        .on('data', (text) => close(text.toString()))
        .on('error', fail);
      continue;
    }
    const udp = udpSocket(address)
      .on('message', (text) => close(text.toString()))
      .on('error', fail);
    const send = (): void => {
      udp.connect(Number(port), address, () => {
        const again = (): void => udp.send('?', (error) => error === null || fail());
        again();
        setInterval(again, 300);
      });
    };
    if (from === undefined) send();
    else udp.bind(0, from, send);
  }
}

async function each(): Promise<void> {
  const [port = '', ...addresses] = args;
  const answers = addresses.flatMap((address) => [
    new Promise<string>((resolve) => {
      connect(Number(port), address)
        .on('data', (text) => resolve(text.toString()))
        .on('error', () => undefined);
    }),
    new Promise<string>((resolve) => {
      const udp = udpSocket(address)
        .on('message', (text) => resolve(text.toString()))
        .on('error', () => undefined);
      udp.send('?', Number(port), address, () => undefined);
    }),
  ]);
  const late = new Promise<null>((resolve) => setTimeout(() => resolve(null), 1500));
  console.log(JSON.stringify(await Promise.all(answers.map((answer) => Promise.race([answer, late])))));
  process.exit(0);
}

function keep(): void {
  const [address = '', port = '', file = ''] = args;
  const udp = udpSocket(address)
    .on('message', (text) => writeFileSync(file, text))
    .on('error', () => undefined);
  udp.bind(() => setInterval(() => udp.send('?', Number(port), address), 50));
}
