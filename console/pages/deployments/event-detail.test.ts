import { expect, it } from 'vitest';
import { describeDetail } from './event-detail.ts';

it('says a detail in one line, whatever its shape', () => {
  expect(describeDetail(null)).toBe('');
  expect(describeDetail('resumed at 12 KiB')).toBe('resumed at 12 KiB');
  expect(describeDetail({ code: 'busy', message: null, stats: { resumes: 2 } })).toBe(
    'code busy, stats resumes 2',
  );
});
