import { play } from './gate.ts';

const [from, to] = process.argv.slice(2).map(Number) as [number, number];
let early = 0,
  falsely = 0;
for (let s = from; s <= to; s++) {
  const bad = play(s, 3);
  if (bad.halted && bad.share < 0.05) early++;
  else console.log('late', s, bad);
  if (play(s, 1).halted) {
    falsely++;
    console.log('false', s);
  }
  if (s % 50 === 0) console.log(s, early, falsely, s - from + 1);
}
