import type { LinkState } from '../api/types';
import type { MessageKey } from '../i18n/text';
import type { Link } from '../store/link';
import { useObserved } from '../store/observable';
import { paths } from '../store/router';
import { LinkTo } from './elements';
import { useApp, useTranslator } from './hooks';

type Look = LinkState | 'unknown';

function lookOf(link: Link): Look {
  if (!link.isServerReached) return 'unknown';
  return link.sync?.state ?? 'unknown';
}

const kWords: Readonly<Record<Look, MessageKey>> = {
  connected: 'link.badge.connected',
  offline: 'link.badge.offline',
  paused: 'link.badge.paused',
  hub: 'link.badge.hub',
  'not-enrolled': 'link.badge.alone',
  unknown: 'link.badge.unknown',
};

/** The state of the link in two words, on every screen. */
export function LinkBadge() {
  const link = useObserved(useApp().link.link);
  const translator = useTranslator();
  if (link.sync === undefined && link.isServerReached) return <span class="badge" />;
  const look = lookOf(link);
  const waiting = link.sync?.backlogUp ?? 0;
  return (
    <LinkTo to={paths.link} class={`badge ${look}`}>
      <span class="dot" aria-hidden="true" />
      {translator.text(kWords[look])}
      {waiting > 0 && ` · ${translator.text('link.badge.waiting', { count: waiting })}`}
    </LinkTo>
  );
}
