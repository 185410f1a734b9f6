import { soak } from '../soak/soak.ts';

export default soak({
  title: 'Everything at once',
  about:
    'Parts are killed at random while devices come and go and deployments follow each other: nothing is lost or stuck, and memory is flat.',
  minutes: 20,
  devices: 12,
  talkers: 20,
});
