import type { Durability, RecordAnswer } from '../api/types';
import type { MessageKey } from '../i18n/text';
import { useTranslator } from './hooks';

const kSince: Readonly<Record<Durability, MessageKey>> = {
  office: 'durability.office',
  hq: 'durability.hq',
  'hq-backup': 'durability.backup',
};
const kPlain: Readonly<Record<Durability, MessageKey>> = {
  office: 'durability.officeNow',
  hq: 'durability.hqNow',
  'hq-backup': 'durability.backupNow',
};

/** How far a record has come, said plainly. */
export function DurabilityLine({ record }: { record: RecordAnswer }) {
  const translator = useTranslator();
  const { durability, since } = record;
  if (durability === undefined) return null;
  return (
    <span class={`durability ${durability}`}>
      {since
        ? translator.text(kSince[durability], { time: translator.moment(since) })
        : translator.text(kPlain[durability])}
    </span>
  );
}
