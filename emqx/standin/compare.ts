/** Comparison as the broker does it: Erlang's term order, with text and numbers brought together first. */
import { isRow, type Value } from '../json.ts';
import { topicMatches } from './topic.ts';

/** What a live rule counts as `failed.exception`. */
export class EvaluationError extends Error {
  override readonly name = 'EvaluationError';
  readonly code = 'evaluation_failed';
}

const isNumber = (value: Value): value is number | bigint =>
  typeof value === 'number' || typeof value === 'bigint';
const isAtom = (value: Value) => typeof value === 'boolean' || value === null;

export function compare(operator: string, left: Value, right: Value): boolean {
  if (left === undefined || right === undefined) return operator === '=' && left === right;
  if (operator === '=~') return topicMatches(asTopic(right), asTopic(left));
  if (isNumber(left) && typeof right === 'string') right = toNumber(right);
  else if (typeof left === 'string' && isNumber(right)) left = toNumber(left);
  else if (isAtom(left) && typeof right === 'string') left = String(left);
  else if (typeof left === 'string' && isAtom(right)) right = String(right);
  const order = termOrder(left, right);
  if (operator === '=') return order === 0;
  if (operator === '!=') return order !== 0;
  return order === 0 ? operator.endsWith('=') : order < 0 === operator.startsWith('<');
}

function toNumber(text: string): number | bigint {
  if (/^[+-]?\d+$/.test(text)) return BigInt(text);
  if (/^[+-]?\d+\.\d+([eE][+-]?\d+)?$/.test(text)) return Number(text);
  throw new EvaluationError(`${JSON.stringify(text)} is not a number`);
}

function asTopic(value: Value): string {
  if (typeof value !== 'string') throw new EvaluationError('=~ needs texts');
  return value;
}

/** number < atom < text (Erlang reference manual, "Term comparisons"). */
function termOrder(left: Value, right: Value): number {
  const [a, b] = [rank(left), rank(right)];
  if (a !== b) return a - b;
  if (isNumber(left) && isNumber(right)) return left < right ? -1 : left > right ? 1 : 0;
  return Buffer.compare(Buffer.from(String(left)), Buffer.from(String(right)));
}

function rank(value: Value): number {
  if (isRow(value) || Array.isArray(value))
    throw new EvaluationError('the stand-in does not support comparing maps or lists');
  return isNumber(value) ? 0 : isAtom(value) ? 1 : 2;
}
