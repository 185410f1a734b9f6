import { statfsSync } from 'node:fs';
import { diskFull } from '../faults.ts';
import { outage } from '../outage/outage.ts';
import { until } from '../primitives/until.ts';

export default outage({
  title: "The database's disk is full",
  about:
    'PostgreSQL lives on a small disk (a tmpfs of 64 MB, so only root can run this) that another file fills to the last page.',
  site: 'small disk',
  faults: ({ disk, cluster }) => [diskFull(disk!, cluster)],
  heldUp: 'some',
  async during({ cluster, disk, settings, waiting }) {
    const { bfree } = statfsSync(disk!.dir);
    if (bfree > 0) throw new Error(`the disk has ${bfree} pages left`);
    // It refuses what needs another page, or ends when it is its log that does.
    await until('a commit that fails', () => waiting() > 0 || !cluster.running(), settings.recoveryMs);
    return 0;
  },
});
