import { expect, it } from 'vitest';
import { checkFields, readFields } from './registration.ts';

function form(values: Record<string, string>): FormData {
  const data = new FormData();
  for (const [name, value] of Object.entries(values)) data.set(name, value);
  return data;
}

it('leaves out what was left empty, so that the server’s defaults hold', () => {
  const fields = readFields(
    form({ version: ' 1.0 ', releaseNote: '', name: '', hardware: ' esp32-s3', securityVersion: '' }),
  );
  expect(JSON.parse(JSON.stringify(fields))).toEqual({
    version: '1.0',
    releaseNote: '',
    hardware: 'esp32-s3',
  });
});

it('tells a missing version, a bad hardware or component and a security version that is not a whole number', () => {
  const problems = (values: Record<string, string>) => checkFields(readFields(form(values)));
  expect(problems({ version: ' ', hardware: 'a b', component: 'Main!', securityVersion: '1.5' })).toEqual({
    version: true,
    hardware: true,
    component: true,
    securityVersion: true,
  });
  expect(problems({ version: '1', securityVersion: 'x' })).toEqual({ securityVersion: true });
  expect(problems({ version: '1', component: 'uno', securityVersion: '4' })).toEqual({});
});
