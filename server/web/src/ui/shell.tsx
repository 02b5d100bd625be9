import type { Me } from '../api/types';
import { kLanguageNames } from '../i18n/text';
import { asLanguage, kLanguages } from '../store/language';
import { useObserved } from '../store/observable';
import { paths, routeOf } from '../store/router';
import { LinkTo } from './elements';
import { useApp, useTranslator } from './hooks';
import { LinkBadge } from './link_badge';
import { LockServer, locksServer } from './lock_server';

export function SkipLink() {
  return (
    <a class="skip" href="#content">
      {useTranslator().text('app.skip')}
    </a>
  );
}

export function LanguageChoice() {
  const { language } = useApp();
  const current = useObserved(language.language);
  const translator = useTranslator();
  const choose = (tag: string) => {
    const chosen = asLanguage(tag);
    if (chosen !== undefined) language.choose(chosen);
  };
  return (
    <div class="field inline">
      <label for="language">{translator.text('app.language')}</label>
      <select
        id="language"
        value={current}
        onChange={(event) => choose(event.currentTarget.value)}
      >
        {kLanguages.map((each) => (
          <option key={each} value={each} lang={each}>
            {kLanguageNames[each]}
          </option>
        ))}
      </select>
    </div>
  );
}

/** The server decides; this only leads there those who it is for. */
function seesAccounts(me: Me): boolean {
  const roles = Object.values(me.programmes);
  return (
    me.role === 'technician' ||
    me.role === 'hq-operator' ||
    roles.includes('supervisor') ||
    roles.includes('hq-officer')
  );
}

export function Header({ me }: { me: Me }) {
  const app = useApp();
  const translator = useTranslator();
  const route = routeOf(useObserved(app.router.location));
  const { sync } = useObserved(app.link.link);
  const conflicts = sync?.conflicts ?? 0;
  return (
    <header class="top">
      <div class="bar">
        <LinkTo to={paths.find()} class="brand">
          Waystation <span class="office">{me.office}</span>
        </LinkTo>
        <LinkBadge />
        <details class="menu">
          <summary>
            <bdi>{me.user}</bdi>
          </summary>
          <div class="panel">
            <LanguageChoice />
            <LinkTo to={paths.account} current={route.name === 'account'}>
              {translator.text('account.title')}
            </LinkTo>
            <button type="button" onClick={() => app.signOut()}>
              {translator.text('app.signOut')}
            </button>
            {locksServer(me) && <LockServer />}
          </div>
        </details>
      </div>
      <nav class="bar" aria-label={translator.text('app.menu')}>
        <LinkTo to={paths.find()} current={route.name === 'find'}>
          {translator.text('find.title')}
        </LinkTo>
        <LinkTo to={paths.conflicts} current={route.name === 'conflicts'}>
          {translator.text('conflicts.title')}
          {conflicts > 0 && <span class="count">{translator.number(conflicts)}</span>}
        </LinkTo>
        <LinkTo to={paths.link} current={route.name === 'link'}>
          {translator.text('link.nav')}
        </LinkTo>
        {seesAccounts(me) && (
          <LinkTo to={paths.accounts} current={route.name === 'accounts'}>
            {translator.text('accounts.title')}
          </LinkTo>
        )}
        {me.role === 'technician' && sync?.role === 'office' && (
          <LinkTo to={paths.phones} current={route.name === 'phones'}>
            {translator.text('phones.title')}
          </LinkTo>
        )}
        {me.role === 'data-protection' && (
          <LinkTo to={paths.audit} current={route.name === 'audit'}>
            {translator.text('audit.title')}
          </LinkTo>
        )}
      </nav>
    </header>
  );
}
