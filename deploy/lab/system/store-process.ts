/** The file store as a process of its own: its options are in the file that is named. */
import { readFileSync } from 'node:fs';
import { type StoreOptions, startStore } from '../../local/store/store.ts';

const store = await startStore(JSON.parse(readFileSync(process.argv[2]!, 'utf8')) as StoreOptions);
process.once('SIGTERM', () => void store.close().then(() => process.exit(0)));
