import { expect, test } from 'vitest';
import { asLanguage } from '../src/store/language';
import { DraftStore } from '../src/store/draft';
import { paths, routeOf } from '../src/store/router';
import { isEmpty, referenceTo, referredId, sameValue } from '../src/record/values';

test('empty values say the same, false and zero are not empty', () => {
  expect(sameValue(null, undefined)).toBe(true);
  expect(sameValue('', [])).toBe(true);
  expect(isEmpty(false)).toBe(false);
  expect(isEmpty(0)).toBe(false);
  expect(sameValue(false, null)).toBe(false);
});

test('lists of codes are the same in any order', () => {
  expect(sameValue(['a', 'b'], ['b', 'a'])).toBe(true);
  expect(sameValue(['a'], ['a', 'b'])).toBe(false);
});

test('a reference leads back to the id', () => {
  expect(referredId(referenceTo('abc'))).toBe('abc');
  expect(referredId('abc')).toBeUndefined();
});

test('a field put back to what it was is no longer unsaved', () => {
  const drafts = new DraftStore();
  drafts.begin('id', 't1');
  drafts.put('name', 'B', 'A');
  expect(drafts.hasUnsaved()).toBe(true);
  drafts.put('name', 'A', 'A');
  expect(drafts.hasUnsaved()).toBe(false);
});

test('every path that the client makes leads to its screen', () => {
  expect(routeOf(paths.find('a b', 'person'))).toEqual({ name: 'find', q: 'a b', kind: 'person' });
  expect(routeOf(paths.record('x/y'))).toEqual({ name: 'record', id: 'x/y' });
  expect(routeOf(paths.history('x'))).toEqual({ name: 'history', id: 'x' });
  expect(routeOf('/nowhere')).toEqual({ name: 'none' });
  const route = routeOf(paths.newRecord('case', 'r1', { person: 'urn:uuid:1' }));
  expect(route.name).toBe('new');
  expect(route.name === 'new' && route.parameters.get('set.person')).toBe('urn:uuid:1');
});

test('a language is known by its primary tag', () => {
  expect(asLanguage('fr-CA')).toBe('fr');
  expect(asLanguage('de')).toBeUndefined();
});
