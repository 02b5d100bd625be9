import type { Exchange, Leaf, SyncAnswer } from '../api/types';
import type { Translator } from '../i18n/text';
import { useObserved } from '../store/observable';
import { paths } from '../store/router';
import { LinkTo, Loading, PageHeading } from './elements';
import { useApp, useNow, useTranslator } from './hooks';

function stateSentence(sync: SyncAnswer, translator: Translator, now: number): string {
  const ago = sync.lastContact ? translator.ago(sync.lastContact, now) : undefined;
  switch (sync.state) {
    case 'connected':
      return ago === undefined
        ? translator.text('link.connectedNow')
        : translator.text('link.connected', { ago });
    case 'offline':
      return ago === undefined
        ? translator.text('link.offlineNever')
        : translator.text('link.offline', { ago });
    case 'paused':
      return translator.text('link.paused');
    case 'hub':
      return translator.text('link.hub');
    case 'not-enrolled':
      return translator.text('link.alone');
  }
}

function agreement(agree: boolean | null, translator: Translator): string {
  if (agree === null) return translator.text('link.notCompared');
  return translator.text(agree ? 'link.agree' : 'link.differ');
}

function Facts({ sync }: { sync: SyncAnswer }) {
  const translator = useTranslator();
  const now = useNow();
  const isHub = sync.state === 'hub';
  const hasWaiting = sync.state === 'offline' || sync.state === 'paused';
  const { backlogUp, backlogDown, conflicts, quarantined } = sync;
  return (
    <div class="card">
      <p class={`lead ${sync.state}`}>
        <span class="dot" aria-hidden="true" /> {stateSentence(sync, translator, now)}
      </p>
      {hasWaiting && <p>{translator.text('link.carryOn')}</p>}
      <ul class="sentences">
        {!isHub && (
          <li>
            {backlogUp === 0
              ? translator.text('link.upNone')
              : translator.text('link.up', { count: backlogUp })}
          </li>
        )}
        {!!backlogDown && <li>{translator.text('link.down', { count: backlogDown })}</li>}
        <li class={sync.agree === false ? 'alarm' : undefined}>
          {agreement(sync.agree, translator)}
        </li>
        {conflicts > 0 && (
          <li>
            <LinkTo to={paths.conflicts}>
              {translator.text('link.conflicts', { count: conflicts })}
            </LinkTo>
          </li>
        )}
        {quarantined > 0 && (
          <li class="alarm">{translator.text('link.quarantined', { count: quarantined })}</li>
        )}
      </ul>
    </div>
  );
}

function ExchangeRow({ exchange }: { exchange: Exchange }) {
  const translator = useTranslator();
  const { at, up, down, roundTrips, ok, error } = exchange;
  const result = ok
    ? translator.text('link.ok')
    : error
      ? translator.text('link.failedWhy', { why: error })
      : translator.text('link.failed');
  return (
    <tr>
      <td>{translator.moment(at)}</td>
      <td data-label={translator.text('link.sent')}>{translator.bytes(up)}</td>
      <td data-label={translator.text('link.received')}>{translator.bytes(down)}</td>
      <td data-label={translator.text('link.roundTrips')}>{translator.number(roundTrips)}</td>
      <td class={ok ? undefined : 'alarm'} dir="auto">
        {result}
      </td>
    </tr>
  );
}

function Exchanges({ exchanges }: { exchanges: readonly Exchange[] }) {
  const translator = useTranslator();
  return (
    <section class="card">
      <h2>{translator.text('link.exchanges')}</h2>
      {exchanges.length === 0 ? (
        <p class="quiet">{translator.text('link.noExchanges')}</p>
      ) : (
        <table>
          <thead>
            <tr>
              <th scope="col">{translator.text('link.at')}</th>
              <th scope="col">{translator.text('link.sent')}</th>
              <th scope="col">{translator.text('link.received')}</th>
              <th scope="col">{translator.text('link.roundTrips')}</th>
              <th scope="col">{translator.text('link.result')}</th>
            </tr>
          </thead>
          <tbody>
            {exchanges.map((exchange, index) => (
              <ExchangeRow key={index} exchange={exchange} />
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}

function Leaves({ leaves }: { leaves: readonly Leaf[] }) {
  const translator = useTranslator();
  const now = useNow();
  const copies = (agree: boolean | null | undefined) =>
    agree === null || agree === undefined
      ? translator.text('link.copiesUnknown')
      : translator.text(agree ? 'link.copiesAgree' : 'link.copiesDiffer');
  return (
    <section class="card">
      <h2>{translator.text('link.offices')}</h2>
      <table>
        <thead>
          <tr>
            <th scope="col">{translator.text('link.office')}</th>
            <th scope="col">{translator.text('link.lastContact')}</th>
            <th scope="col">{translator.text('link.waiting')}</th>
            <th scope="col">{translator.text('link.copies')}</th>
          </tr>
        </thead>
        <tbody>
          {leaves.map(({ office, lastContact, backlog, agree }) => (
            <tr key={office}>
              <th scope="row">
                <bdi>{office}</bdi>
              </th>
              <td data-label={translator.text('link.lastContact')}>
                {lastContact ? translator.ago(lastContact, now) : translator.text('link.never')}
              </td>
              <td data-label={translator.text('link.waiting')}>
                {backlog === undefined ? '' : translator.number(backlog)}
              </td>
              <td data-label={translator.text('link.copies')}>{copies(agree)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

/** The link between this office and headquarters, in plain words. */
export function LinkPage() {
  const { link: store } = useApp();
  const translator = useTranslator();
  const { sync, isServerReached } = useObserved(store.link);
  return (
    <>
      <PageHeading title={translator.text('link.title')} />
      {!isServerReached && (
        <div class="notice bad" role="alert">
          <p>{translator.text('link.unknown')}</p>
          <button type="button" onClick={() => void store.refresh()}>
            {translator.text('app.retry')}
          </button>
        </div>
      )}
      {sync === undefined && isServerReached && <Loading />}
      {sync !== undefined && (
        <div role="status">
          <Facts sync={sync} />
        </div>
      )}
      {sync?.leaves !== undefined && sync.leaves.length > 0 && <Leaves leaves={sync.leaves} />}
      {sync !== undefined && sync.state !== 'hub' && <Exchanges exchanges={sync.exchanges} />}
    </>
  );
}
