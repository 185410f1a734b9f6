import { SimulatedDatabase } from './deploy/lab/simulation/database.ts';
import { play, simulationStart } from './deploy/lab/simulation/schedule.ts';
import { createSigner } from './webhook/testing.ts';
const db = await SimulatedDatabase.open(simulationStart);
const s = await createSigner();
for (const seed of process.argv.slice(2).map(Number)) {
const t=performance.now(); 
const p = await play(db, {signer: s, trusted: s.keys}, seed, process.env.TRACE ? (l)=>console.log(l) : null);
console.log(seed, JSON.stringify(p), Math.round(process.cpuUsage().user/1e3));
}
process.exit(0);
