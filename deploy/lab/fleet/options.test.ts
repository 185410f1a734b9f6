import { describe, expect, it } from 'vitest';
import { OptionError, readOptions, toExperiment } from './options.ts';

describe('the options of an experiment', () => {
  it('are read with their units', () => {
    const options = toExperiment({
      devices: '500',
      loss: '3%',
      latency: '80ms',
      jitter: '40ms',
      bandwidth: '256kbit',
      disconnects: '0.5/min',
      'power-cuts': '5%',
      'bad-images': '1%',
      nights: '10s/1min',
      image: '1MiB',
      waves: '1,5%,100%',
      rate: '600/min',
      chunk: '64KiB',
    });
    expect(options).toMatchObject({
      devices: 500,
      latency: 80,
      bandwidth: 32_000,
      disconnects: 0.5,
      nights: { lastsMs: 10_000, everyMs: 60_000 },
      image: 1024 ** 2,
      waves: [{ count: 1 }, { percent: 5 }, { percent: 100 }],
      rate: 600,
      chunk: 65_536,
    });
    expect(options.loss).toBeCloseTo(0.03);
  });

  const bad: [string, string][] = [
    ['devices', '0'],
    ['devices', '-1'],
    ['devices', '10001'],
    ['devices', '1e3'],
    ['devices', '5.5'],
    ['devices', ''],
    ['loss', '3'],
    ['loss', '0.03'],
    ['loss', '101%'],
    ['loss', '-1%'],
    ['loss', 'NaN%'],
    ['loss', 'Infinity%'],
    ['latency', '80'],
    ['latency', '80 ms'],
    ['latency', '80msms'],
    ['latency', '25h'],
    ['latency', '9'.repeat(400)],
    ['bandwidth', '256'],
    ['bandwidth', '0kbit'],
    ['bandwidth', '1kbit'],
    ['bandwidth', '99999gbit'],
    ['disconnects', '0.5'],
    ['disconnects', '5000/min'],
    ['nights', '60s/10s'],
    ['nights', '10s'],
    ['nights', '10s/60s/90s'],
    ['nights', '0s/10s'],
    ['power-cuts', '200%'],
    ['image', '1'],
    ['image', '100B'],
    ['image', '1GiB'],
    ['waves', '1,10%'],
    ['waves', ''],
    ['waves', `${'1,'.repeat(30)}100%`],
    ['rate', '0/min'],
    ['rate', '10/s'],
    ['chunk', 'large'],
    ['resume', 'maybe'],
    ['seed', '-1'],
    ['seed', '0x10'],
    ['attempts', '0'],
  ];
  it.each(bad)('--%s %j is refused in one line that names it', (name, value) => {
    const read = () => readOptions([`--${name}=${value}`]);
    expect(read).toThrow(OptionError);
    expect(read).toThrow(new RegExp(`^--${name}: [^\\n]{1,200}$`));
  });

  it.each([
    [['--los', '3%']],
    [['stray']],
    [['--devices']],
    [['--url', 'ftp://flota']],
    [['--url', 'http://127.0.0.1']],
    [['--trust', 'ca.pem']],
    [['--url', 'http://a', '--mqtt-url', 'mqtt://a', '--trust', 'a', '--signing-keys', 'b']],
    [['--compare', '--scenario', 'city-wifi']],
  ])('%j is refused in one line', (args) => {
    expect(() => readOptions(args)).toThrow(OptionError);
    expect(() => readOptions(args)).toThrow(/^[^\n]{1,200}$/);
  });
});
