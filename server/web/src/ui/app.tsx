import type { AppStore } from '../store/app';
import { useObserved } from '../store/observable';
import { routeOf } from '../store/router';
import { AccountPage } from './account_page';
import { AccountsPage } from './accounts_page';
import { AuditPage } from './audit_page';
import { ConflictsPage } from './conflicts_page';
import { Loading, PageHeading, ProblemNotice } from './elements';
import { FindPage } from './find_page';
import { HistoryPage } from './history_page';
import { AppContext, ProgrammesContext, useApp, useTranslator } from './hooks';
import { LeaveDialog } from './leave_dialog';
import { LinkPage } from './link_page';
import { NewRecordPage } from './new_record_page';
import { PhonesPage } from './phones_page';
import { RecordPage } from './record_page';
import { Header, SkipLink } from './shell';
import { SignInPage } from './sign_in_page';

function Screen({ office }: { office: string }) {
  const route = routeOf(useObserved(useApp().router.location));
  const translator = useTranslator();
  switch (route.name) {
    case 'find':
      return <FindPage q={route.q} kind={route.kind} />;
    case 'new':
      return (
        <NewRecordPage
          key={`${route.kind}?${route.parameters.toString()}`}
          kind={route.kind}
          parameters={route.parameters}
        />
      );
    case 'record':
      return <RecordPage key={route.id} id={route.id} />;
    case 'history':
      return <HistoryPage key={route.id} id={route.id} />;
    case 'conflicts':
      return <ConflictsPage />;
    case 'link':
      return <LinkPage />;
    case 'audit':
      return <AuditPage />;
    case 'account':
      return <AccountPage />;
    case 'accounts':
      return <AccountsPage />;
    case 'phones':
      return <PhonesPage office={office} />;
    case 'none':
      return (
        <>
          <PageHeading title={translator.text('app.notFound')} />
          <p>{translator.text('app.notFoundText')}</p>
        </>
      );
  }
}

function Announcer() {
  return (
    <p class="unseen" role="status" aria-live="polite">
      {useObserved(useApp().announcement)}
    </p>
  );
}

function Body() {
  const app = useApp();
  const session = useObserved(app.session.session);
  switch (session.phase) {
    case 'starting':
      return <Loading />;
    case 'failed':
      return (
        <main class="narrow">
          <ProblemNotice problem={session.problem} retry={() => void app.session.start()} />
        </main>
      );
    case 'signedOut':
      return <SignInPage ended={session.ended} />;
    case 'signedIn':
      return (
        <ProgrammesContext.Provider value={session.programmes}>
          <SkipLink />
          <Header me={session.me} />
          <main id="content" tabIndex={-1}>
            <Screen office={session.me.office} />
          </main>
          <LeaveDialog />
        </ProgrammesContext.Provider>
      );
  }
}

export function App({ app }: { app: AppStore }) {
  return (
    <AppContext.Provider value={app}>
      <Body />
      <Announcer />
    </AppContext.Provider>
  );
}
