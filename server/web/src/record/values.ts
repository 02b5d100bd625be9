import type { FieldValue } from '../api/types';

const kReferencePrefix = 'urn:uuid:';

export function isEmpty(value: FieldValue | undefined): value is null | undefined | '' {
  return value === null || value === undefined || value === '' || asList(value)?.length === 0;
}

export function asList(value: FieldValue | undefined): readonly string[] | undefined {
  return typeof value === 'object' && value !== null ? value : undefined;
}

/** Whether two values say the same; empty ones all do, and lists do whatever their order. */
export function sameValue(left: FieldValue | undefined, right: FieldValue | undefined): boolean {
  if (isEmpty(left) || isEmpty(right)) return isEmpty(left) && isEmpty(right);
  const lefts = asList(left);
  const rights = asList(right);
  if (lefts === undefined || rights === undefined) return left === right;
  return lefts.length === rights.length && lefts.every((item) => rights.includes(item));
}

/** The record id in a reference; undefined when the value is none. */
export function referredId(value: FieldValue | undefined): string | undefined {
  if (typeof value !== 'string' || !value.startsWith(kReferencePrefix)) return undefined;
  return value.slice(kReferencePrefix.length);
}

export function referenceTo(id: string): string {
  return kReferencePrefix + id;
}

/** A value as a text control holds it. */
export function asText(value: FieldValue | undefined): string {
  if (isEmpty(value)) return '';
  return asList(value)?.join(', ') ?? String(value);
}
