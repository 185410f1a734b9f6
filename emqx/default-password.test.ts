import { afterEach, expect, test } from 'vitest';
import { startCliBed } from './cli/test-run.ts';
import { createInspector } from './inspect.ts';

let cli: Awaited<ReturnType<typeof startCliBed>> | undefined;
afterEach(() => cli?.close());

for (const password of ['public', 'replace-me'])
  test(`a broker that takes admin / ${password} is not called healthy, by status or by the inspector`, async () => {
    cli = await startCliBed({ dashboardPassword: password });
    await cli.run('apply');
    const { status, text } = await cli.run('status');
    expect(text).toContain(`takes admin / ${password}`);
    expect(status).toBe(1);
    expect(await createInspector(cli.settings.api, cli.dir).inspect()).toMatchObject({
      defaultPassword: true,
    });
  });

test('one with a password of its own is, and is not asked again', async () => {
  cli = await startCliBed({ dashboardPassword: 'a-made-one-1' });
  await cli.run('apply');
  const { status, text } = await cli.run('status');
  expect(text).not.toContain('admin');
  expect(status).toBe(0);
  const inspector = createInspector(cli.settings.api, cli.dir);
  for (let look = 0; look < 2; look++)
    expect(await inspector.inspect()).toMatchObject({ defaultPassword: false });
  const login = (given: string) => cli!.bed.api('POST', '/login', { username: 'admin', password: given });
  expect(await login('public')).toMatchObject({ status: 401, body: { code: 'BAD_USERNAME_OR_PWD' } });
  expect(await login('a-made-one-1')).toMatchObject({ status: 200, body: { token: expect.any(String) } });
});
