/** Comparison and arithmetic as the broker does them: Erlang's term order, with text and numbers brought together first. */

import { floatToText, isRow, type Value } from '../json.ts';
import { topicMatches } from '../topic.ts';

/** What a live rule counts as `failed.exception`. */
export class EvaluationError extends Error {
  override readonly name = 'EvaluationError';
  readonly code = 'evaluation_failed';
}

const isNumber = (value: Value): value is number | bigint =>
  typeof value === 'number' || typeof value === 'bigint';
const isAtom = (value: Value) => typeof value === 'boolean' || value === null || value === undefined;

export function compare(operator: string, left: Value, right: Value): boolean {
  if (operator === '=~') return topicMatches(asTopic(right), asTopic(left));
  if (left === undefined || right === undefined) return operator === '=' && left === right;
  if (isNumber(left) && typeof right === 'string') right = toNumber(right);
  else if (typeof left === 'string' && isNumber(right)) left = toNumber(left);
  else if (isAtom(left) && typeof right === 'string') left = String(left);
  else if (typeof left === 'string' && isAtom(right)) right = String(right);
  const order = termOrder(left, right);
  switch (operator) {
    case '=':
      return order === 0;
    case '!=':
      return order !== 0;
    case '<':
      return order < 0;
    case '>':
      return order > 0;
    case '<=':
      return order <= 0;
    default:
      return order >= 0;
  }
}

/** IN does not bring types together: 4 is neither '4' nor 4.0. */
export function identical(left: Value, right: Value): boolean {
  return typeof left === typeof right && termOrder(left, right) === 0;
}

export function calculate(operator: string, left: Value, right: Value): Value {
  if (operator === '+' && (typeof left === 'string' || typeof right === 'string'))
    return toText(left) + toText(right);
  if (!isNumber(left) || !isNumber(right)) throw new EvaluationError(`${operator} needs numbers`);
  if (operator === 'div' || operator === 'mod') {
    if (typeof left !== 'bigint' || typeof right !== 'bigint')
      throw new EvaluationError(`${operator} needs integers`);
    if (right === 0n) throw new EvaluationError('division by zero');
    return operator === 'div' ? left / right : left % right;
  }
  if (operator === '/') {
    if (Number(right) === 0) throw new EvaluationError('division by zero');
    return Number(left) / Number(right);
  }
  if (typeof left === 'bigint' && typeof right === 'bigint')
    return operator === '+' ? left + right : operator === '-' ? left - right : left * right;
  const [a, b] = [Number(left), Number(right)];
  return operator === '+' ? a + b : operator === '-' ? a - b : a * b;
}

export function toText(value: Value): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'number') return floatToText(value);
  if (Buffer.isBuffer(value)) return value.toString('utf8');
  if (isRow(value) || Array.isArray(value)) throw new EvaluationError('not a text');
  return String(value);
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

/** number < atom < map < list < text (Erlang reference manual, "Term comparisons"). */
function termOrder(left: Value, right: Value): number {
  const [a, b] = [rank(left), rank(right)];
  if (a !== b) return a - b;
  if (isNumber(left) && isNumber(right)) return left < right ? -1 : left > right ? 1 : 0;
  if (Array.isArray(left) && Array.isArray(right)) {
    for (let i = 0; i < Math.min(left.length, right.length); i++) {
      const order = termOrder(left[i], right[i]);
      if (order !== 0) return order;
    }
    return left.length - right.length;
  }
  if (isRow(left) && isRow(right)) {
    const keys = [Object.keys(left).sort(), Object.keys(right).sort()] as const;
    const order = termOrder(
      keys[0].length === keys[1].length ? keys[0] : [],
      keys[1].length === keys[0].length ? keys[1] : [''],
    );
    if (order !== 0) return keys[0].length - keys[1].length || order;
    return termOrder(
      keys[0].map((k) => left[k]),
      keys[1].map((k) => right[k]),
    );
  }
  return Buffer.compare(Buffer.from(String(left)), Buffer.from(String(right)));
}

function rank(value: Value): number {
  if (isNumber(value)) return 0;
  if (isAtom(value)) return 1;
  if (isRow(value)) return 2;
  return Array.isArray(value) ? 3 : 4;
}
