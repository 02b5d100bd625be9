import type { FieldDefinition, FieldValue, RecordAnswer } from '../api/types';
import type { Translator } from '../i18n/text';
import { inLanguage, type Programmes } from '../store/programmes';
import { asList, asText, isEmpty, referredId } from './values';

/** The name of a record by its id; undefined while it is not known. */
export type NameOf = (id: string) => string | undefined;

function codeLabel(field: FieldDefinition, code: string, translator: Translator): string {
  const found = field.codes?.find((each) => each.code === code);
  return found === undefined ? code : inLanguage(found.label, translator.language);
}

/** A value as people read it; empty for an empty one. */
export function formatValue(
  field: FieldDefinition | undefined,
  value: FieldValue | undefined,
  translator: Translator,
  nameOf: NameOf,
): string {
  if (isEmpty(value)) return '';
  if (typeof value === 'boolean') return translator.text(value ? 'app.yes' : 'app.no');
  if (field === undefined) return asText(value);
  const codes = asList(value);
  if (codes !== undefined) {
    return translator.list(codes.map((code) => codeLabel(field, code, translator)));
  }
  const text = asText(value);
  if (field.type === 'date') return translator.day(text);
  if (field.type === 'code') return codeLabel(field, text, translator);
  const id = field.type === 'ref' ? referredId(value) : undefined;
  return id === undefined ? text : (nameOf(id) ?? '…');
}

/** Keeps a part's direction of writing from mixing with its neighbours' (Unicode FSI and PDI). */
function isolated(part: string): string {
  return `\u2068${part}\u2069`;
}

/** The title that the pack makes of a record's fields, or a phrase where they are all empty. */
export function recordTitle(
  record: Pick<RecordAnswer, 'kind' | 'fields'>,
  programmes: Programmes,
  translator: Translator,
  nameOf: NameOf,
): string {
  const definition = programmes.find(record.kind)?.definition;
  const parts = (definition?.title ?? []).map((name) => {
    const field = programmes.field(record.kind, name);
    const part = formatValue(field, record.fields[name], translator, nameOf);
    return part === '' || field?.type === 'text' ? part : isolated(part);
  });
  const title = parts.filter((part) => part !== '').join(' ');
  if (title !== '') return title;
  const kind = inLanguage(definition?.name, translator.language);
  return translator.text('record.untitled', { kind: kind === '' ? record.kind : kind });
}

/** The ids that a record's title needs names for. */
export function idsInTitle(
  record: Pick<RecordAnswer, 'kind' | 'fields'>,
  programmes: Programmes,
): readonly string[] {
  const names = programmes.find(record.kind)?.definition.title ?? [];
  return names.map((name) => referredId(record.fields[name])).filter((id) => id !== undefined);
}
