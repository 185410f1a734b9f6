/** axe-core in a page: what a person with a keyboard, a screen reader or colour-blind eyes would stumble over. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Page } from 'playwright-core';

const grave = ['serious', 'critical'];
const source = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

interface Rule {
  id: string;
  impact?: string;
}

interface Violation {
  id: string;
  impact: string | null;
  nodes: { html: string; failureSummary?: string }[];
}

/** Serious and critical violations of the page as it stands, each as one line; `colours`: of nothing but its contrasts. */
export async function findViolations(page: Page, only?: 'colours'): Promise<string[]> {
  if (!(await page.evaluate(() => 'axe' in globalThis))) await page.evaluate(source);
  const violations: Violation[] = await page.evaluate(
    async ({ runOnly, grave }) => {
      const { axe } = globalThis as unknown as {
        axe: { run(options: object): Promise<{ violations: Violation[] }>; _audit: { rules: Rule[] } };
      };
      // The impact of a rule is that of all that it finds, so a quarter of them find nothing that is asked for.
      const slight = axe._audit.rules.filter(({ impact }) => impact && !grave.includes(impact));
      const rules = Object.fromEntries(slight.map(({ id }) => [id, { enabled: false }]));
      const found = await axe.run({ resultTypes: ['violations'], ...(runOnly ? { runOnly } : { rules }) });
      return found.violations;
    },
    { runOnly: only && ['color-contrast'], grave },
  );
  return violations
    .filter(({ impact }) => impact && grave.includes(impact))
    .flatMap(({ id, nodes }) =>
      nodes.map(({ html, failureSummary }) => `${id}: ${html.slice(0, 200)} ${failureSummary ?? ''}`),
    );
}
