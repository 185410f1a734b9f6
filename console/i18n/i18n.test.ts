import { describe, expect, it } from 'vitest';
import { auditActions } from '#webhook/audit/actions.ts';
import { targetStates } from '#webhook/deployments/states.ts';

import { en } from './en.ts';
import { glossary } from './glossary.ts';
import { ko } from './ko.ts';
import { chooseLanguage } from './language.ts';
import { fillMessage, valueNames } from './message.ts';

describe('the dictionaries', () => {
  it('have every key in both languages, none of them empty', () => {
    expect(Object.keys(ko).sort()).toEqual(Object.keys(en).sort());
    for (const text of [...Object.values(en), ...Object.values(ko)]) expect(text.trim()).not.toBe('');
  });

  it('want the same values for the same key, so that no language leaves one out', () => {
    for (const key of Object.keys(en) as (keyof typeof en)[]) {
      expect(valueNames(ko[key]), key).toEqual(valueNames(en[key]));
    }
  });

  it('have Korean words where there should be', () => {
    const same = Object.keys(en).filter((key) => en[key as keyof typeof en] === ko[key as keyof typeof en]);
    expect(same).toEqual([]);
    for (const [key, text] of Object.entries(ko)) {
      expect(text, key).toMatch(/\p{Script=Hangul}/u);
    }
  });

  it.each([
    ['en', en],
    ['ko', ko],
  ] as const)('keep to the glossary: %s', (language, words) => {
    const strays = Object.entries(words).flatMap(([key, text]) =>
      glossary[language]
        .filter(({ not }) => not.test(text))
        .map(({ use }) => `${key}: ${use}, not “${text}”`),
    );
    expect(strays).toEqual([]);
  });

  it('have words for every state of a target', () => {
    expect(targetStates.map((state) => `state.${state}`).filter((key) => !(key in en))).toEqual([]);
  });

  it('have words for everything that the audit log tells of', () => {
    expect(auditActions.map((action) => `audit.${action}`).filter((key) => !(key in en))).toEqual([]);
  });
});

describe('a message', () => {
  it("is filled with values, numbers in the language's way", () => {
    expect(fillMessage('en', '{from}–{to} of {total}', { from: 1, to: 50, total: 12345 })).toBe(
      '1–50 of 12,345',
    );
  });

  it("takes the singular or the plural by the language's rule", () => {
    const message = '{n} {n|device|devices}';
    expect([0, 1, 2].map((n) => fillMessage('en', message, { n }))).toEqual([
      '0 devices',
      '1 device',
      '2 devices',
    ]);
  });

  it('keeps the hole when its value is missing, and takes values as they are', () => {
    expect(fillMessage('en', 'for {name}')).toBe('for {name}');
    expect(fillMessage('en', 'for {name}', { name: '{n} $& <b>' })).toBe('for {n} $& <b>');
  });
});

describe('the language', () => {
  it("is the remembered one, else the first of the browser's that we speak, else English", () => {
    expect(chooseLanguage('ko', ['en-GB'])).toBe('ko');
    expect(chooseLanguage(null, ['fr-FR', 'ko-KR', 'en'])).toBe('ko');
    expect(chooseLanguage('toString', ['de'])).toBe('en');
  });
});
