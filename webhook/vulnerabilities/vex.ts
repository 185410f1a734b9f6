/** What somebody has judged: VEX, as a document (OpenVEX, CycloneDX) or by hand. Pure. */
import { z } from 'zod';
import { AppError } from '../errors.ts';
import { parseStrictJson } from '../sbom/strict-json.ts';

/** OpenVEX 0.2, §Status Labels. */
export const vexStatuses = ['not_affected', 'affected', 'fixed', 'under_investigation'] as const;
export type VexStatus = (typeof vexStatuses)[number];
/** With which a device that has it is not vulnerable. */
export const harmlessStatuses = ['not_affected', 'fixed'] as const satisfies VexStatus[];

/** OpenVEX 0.2, §Status Justifications. */
export const vexJustifications = [
  'component_not_present',
  'vulnerable_code_not_present',
  'vulnerable_code_not_in_execute_path',
  'vulnerable_code_cannot_be_controlled_by_adversary',
  'inline_mitigations_already_exist',
] as const;
export type VexJustification = (typeof vexJustifications)[number];

export interface Statement {
  vulnerability: string;
  status: VexStatus;
  justification: VexJustification | null;
  note: string;
  author: string;
}

export const maxStatements = 10_000;
export const vulnerabilityName = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9:._-]{0,99}$/);
const text = z.string().max(10_000).default('');

const openVex = z.looseObject({
  '@context': z.string().startsWith('https://openvex.dev/ns'),
  author: z.string().min(1).max(300),
  statements: z
    .array(
      z
        .looseObject({
          vulnerability: z.union([
            z.looseObject({ name: vulnerabilityName }).transform(({ name }) => name),
            // Before 0.2.
            vulnerabilityName,
          ]),
          status: z.enum(vexStatuses),
          justification: z.enum(vexJustifications).nullish(),
          impact_statement: text,
          action_statement: text,
          status_notes: text,
        })
        .refine(
          (one) => one.status !== 'not_affected' || one.justification || one.impact_statement,
          'not_affected needs a justification or an impact_statement',
        ),
    )
    .max(maxStatements),
});

/** CycloneDX 1.4 and later, §vulnerabilities. */
const statusByState = {
  resolved: 'fixed',
  resolved_with_pedigree: 'fixed',
  exploitable: 'affected',
  in_triage: 'under_investigation',
  false_positive: 'not_affected',
  not_affected: 'not_affected',
} as const satisfies Record<string, VexStatus>;
const justificationByCycloneDx: Record<string, VexJustification> = {
  code_not_present: 'vulnerable_code_not_present',
  code_not_reachable: 'vulnerable_code_not_in_execute_path',
  requires_configuration: 'vulnerable_code_cannot_be_controlled_by_adversary',
  requires_dependency: 'component_not_present',
  requires_environment: 'vulnerable_code_cannot_be_controlled_by_adversary',
  protected_by_compiler: 'inline_mitigations_already_exist',
  protected_at_runtime: 'inline_mitigations_already_exist',
  protected_at_perimeter: 'inline_mitigations_already_exist',
  protected_by_mitigating_control: 'inline_mitigations_already_exist',
};
const cycloneDx = z.looseObject({
  bomFormat: z.literal('CycloneDX'),
  vulnerabilities: z
    .array(
      z.looseObject({
        id: vulnerabilityName,
        analysis: z
          .looseObject({
            state: z.enum(Object.keys(statusByState) as (keyof typeof statusByState)[]),
            justification: z.string().max(100).optional(),
            detail: text,
          })
          .optional(),
      }),
    )
    .max(maxStatements),
});

/** Throws `vex_invalid`. */
export function readVex(source: string, author: string): Statement[] {
  let json: unknown;
  try {
    json = parseStrictJson(source);
  } catch (cause) {
    throw refuse(`It is not JSON that can be relied on: ${(cause as Error).message.slice(0, 120)}.`, cause);
  }
  if (typeof json === 'object' && json !== null && 'bomFormat' in json) {
    return parse(cycloneDx, json).vulnerabilities.flatMap(({ id, analysis }) => {
      // Without an analysis it is a list of what was found, and nobody's judgement.
      if (!analysis) return [];
      const { state, justification = '', detail } = analysis;
      const status = statusByState[state];
      const reason = status === 'not_affected' ? (justificationByCycloneDx[justification] ?? null) : null;
      return [{ vulnerability: id, status, justification: reason, note: detail, author }];
    });
  }
  const document = parse(openVex, json);
  return document.statements.map((one) => ({
    vulnerability: one.vulnerability,
    status: one.status,
    justification: one.justification ?? null,
    note: [one.impact_statement, one.action_statement, one.status_notes].filter(Boolean).join('\n'),
    author: document.author,
  }));
}

function parse<T>(schema: z.ZodType<T>, json: unknown): T {
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  const { path, message } = parsed.error.issues[0]!;
  throw refuse(`It is neither OpenVEX nor CycloneDX VEX: ${path.join('.') || 'document'}: ${message}.`);
}

function refuse(message: string, cause?: unknown): AppError {
  return new AppError('vex_invalid', message, { cause });
}
