import { describe, expect, test } from 'vitest';
import { en } from '../src/i18n/en';
import { kMessages, type MessageKey, type Text, Translator } from '../src/i18n/text';
import { kLanguages } from '../src/store/language';

function forms(text: Text): readonly string[] {
  return typeof text === 'string' ? [text] : Object.values<string>({ ...text });
}

function placeholders(text: Text): readonly string[] {
  const found = forms(text).flatMap((form) => form.match(/\{\w+\}/g) ?? []);
  return [...new Set(found)].sort();
}

describe.each(kLanguages)('the texts in %s', (language) => {
  test('use the placeholders of the English ones', () => {
    for (const key of Object.keys(en) as MessageKey[]) {
      const text = kMessages[language][key];
      expect(placeholders(text), `${language} ${key}`).toEqual(placeholders(en[key]));
    }
  });

  test('are none of them empty', () => {
    const texts = Object.values(kMessages[language]).flatMap(forms);
    expect(texts.filter((text) => text.trim() === '')).toEqual([]);
  });

  test('differ from English in whole sentences', () => {
    if (language === 'en') return;
    for (const key of Object.keys(en) as MessageKey[]) {
      const english = forms(en[key]);
      const isSentence = english.some((form) => form.split(' ').length > 4);
      if (isSentence) expect(kMessages[language][key], key).not.toEqual(en[key]);
    }
  });
});

test('a count chooses its form by the rules of the language', () => {
  const say = (language: 'en' | 'ar', count: number) =>
    new Translator(language).text('link.up', { count });
  expect(say('en', 1)).toBe('1 change waits to go up.');
  expect(say('en', 12)).toBe('12 changes wait to go up.');
  expect(say('ar', 1)).toBe('تغيير واحد بانتظار الإرسال.');
  expect(say('ar', 2)).toBe('تغييران بانتظار الإرسال.');
});

test('a date of birth is the same day in every time zone', () => {
  expect(new Translator('en').day('1990-01-01')).toBe('1 Jan 1990');
});

test('a contact in the future, from a clock that runs ahead, counts as now', () => {
  const now = Date.UTC(2026, 0, 1);
  const words = new Translator('en').ago('2026-01-01T03:00:00Z', now);
  expect(words).toBe('this minute');
  expect(new Translator('en').ago('2025-12-31T23:58:00Z', now)).toBe('2 minutes ago');
});
