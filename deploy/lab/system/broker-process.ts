/** The stand-in broker as a process of its own: its options are in the file that is named. */
import { readFileSync } from 'node:fs';
import { type BrokerOptions, startBroker } from '#emqx/standin/broker.ts';

const broker = await startBroker(JSON.parse(readFileSync(process.argv[2]!, 'utf8')) as BrokerOptions);
process.once('SIGTERM', () => void broker.close().then(() => process.exit(0)));
