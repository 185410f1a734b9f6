import { expect, it, vi } from 'vitest';
import { digestPieces } from '../../digest.ts';
import { checkFields, createRegistration, fieldsOf, readFields } from './registration.ts';

// Node has no workers of the browser's kind: the same digest, beside nothing.
vi.mock('../../file-digest.ts', () => ({
  digestFile: (file: Blob, { onProgress }: { onProgress: (share: number) => void }) =>
    digestPieces(file, onProgress),
}));

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

it('fills in what an image says: version, hardware and security version, and the component of the Uno', () => {
  const esp = { format: 'esp-idf', version: '1.4.0' } as const;
  expect(fieldsOf({ ...esp, chip: 'esp32-c3' })).toEqual({ version: '1.4.0', hardware: 'esp32-c3' });
  expect(fieldsOf({ ...esp, chip: 'esp chip 0x0020', securityVersion: 3 })).toEqual({
    version: '1.4.0',
    securityVersion: 3,
  });
  expect(fieldsOf({ format: 'avr', chip: 'avr' })).toEqual({ hardware: 'arduino-uno', component: 'uno' });
  expect(fieldsOf({ format: 'plain' })).toEqual({});
});

it('says that the file is missing, with the other problems and not after them', async () => {
  const registration = createRegistration();
  expect(registration.requireFile()).toBe(false);
  expect(registration.fileProblem()).toBe('none');
  registration.choose(new File(['a plain binary'], 'b.bin'), null);
  expect([registration.requireFile(), registration.fileProblem()]).toEqual([true, null]);
});

it('refuses a file of another kind before it is hashed, and takes the next one', async () => {
  const registration = createRegistration();
  const png = new Uint8Array(5_000_000);
  png.set([0x89, 0x50, 0x4e, 0x47]);
  registration.choose(new File([png], 'a.bin'), null);
  const sending = registration.send({ version: '1', releaseNote: '' });
  await vi.waitUntil(() => registration.fileProblem());
  expect(registration.fileProblem()).toEqual({ kind: 'PNG' });
  expect(await sending).toBe(null);
  expect([registration.file(), registration.hashed(), registration.error()]).toEqual([null, 0, undefined]);
  registration.choose(new File(['a plain binary'], 'b.bin'), null);
  await vi.waitUntil(() => registration.sha256());
  expect([registration.fileProblem(), registration.image()]).toEqual([null, { format: 'plain' }]);
});
