import type { FieldDefinition, FieldValue } from '../api/types';
import { formatValue } from '../record/format';
import { isEmpty, referredId } from '../record/values';
import { paths } from '../store/router';
import { LinkTo } from './elements';
import { useNames, useTranslator } from './hooks';

interface FieldValueProps {
  readonly field: FieldDefinition | undefined;
  readonly value: FieldValue | undefined;
}

/** A value as people read it; a reference leads to its record. */
export function FieldValueText({ field, value }: FieldValueProps) {
  const translator = useTranslator();
  const id = field?.type === 'ref' ? referredId(value) : undefined;
  const nameOf = useNames(id === undefined ? [] : [id]);
  if (isEmpty(value)) return <em class="quiet">{translator.text('conflicts.empty')}</em>;
  const text = formatValue(field, value, translator, nameOf);
  if (id !== undefined) {
    return (
      <LinkTo to={paths.record(id)}>
        <bdi>{text}</bdi>
      </LinkTo>
    );
  }
  if (field?.type !== 'longtext') return <bdi>{text}</bdi>;
  // Prose stands at the edge where its own language begins.
  return (
    <span class="long" dir="auto">
      {text}
    </span>
  );
}
