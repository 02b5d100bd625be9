import { useState } from 'preact/hooks';
import { type ApiProblem, asProblem } from '../api/problem';
import type { AccountAnswer } from '../api/types';
import { DeedForm, PasswordField } from './account_page';
import { Loading, PageHeading, ProblemNotice, typedInto } from './elements';
import { useObserved } from '../store/observable';
import { useApp, useLoad, useTranslator } from './hooks';
import { OfficeAccounts } from './office_accounts';

/** "casework=reader, ..." as people write it, and back. */
function writtenRoles(programmes: AccountAnswer['programmes']): string {
  return Object.entries(programmes)
    .map(([programme, role]) => `${programme}=${role}`)
    .join(', ');
}

function readRoles(text: string, role: string): Record<string, string> {
  const parts = text
    .split(/[,،\s]+/)
    .filter((part) => part !== '')
    .map((part) => part.split('='));
  return Object.fromEntries(parts.map(([programme = '', own]) => [programme, own ?? role]));
}

function RoleFields({ id, roles, account }: {
  id: string;
  roles: readonly string[];
  account?: AccountAnswer;
}) {
  const translator = useTranslator();
  return (
    <>
      <div class="field">
        <label for={`${id}-role`}>{translator.text('accounts.role')}</label>
        <select id={`${id}-role`} name="role" defaultValue={account?.role ?? 'caseworker'}>
          {roles.map((role) => (
            <option key={role} value={role} selected={role === account?.role}>
              {role}
            </option>
          ))}
        </select>
      </div>
      <div class="field grow">
        <label for={`${id}-programmes`}>{translator.text('accounts.programmes')}</label>
        <input
          id={`${id}-programmes`}
          name="programmes"
          dir="ltr"
          autocomplete="off"
          placeholder="casework=supervisor"
          defaultValue={account && writtenRoles(account.programmes)}
        />
      </div>
    </>
  );
}

function AccountCard({ account, roles, reload }: {
  account: AccountAnswer;
  roles: readonly string[];
  reload: () => void;
}) {
  const { client } = useApp();
  const translator = useTranslator();
  const [problem, setProblem] = useState<ApiProblem>();
  const endAll = async () => {
    try {
      await client.endSessions(account.name);
      reload();
    } catch (error) {
      setProblem(asProblem(error));
    }
  };
  const change = async (form: HTMLFormElement) => {
    const role = typedInto(form, 'role');
    await client.changeRoles(account.name, role, readRoles(typedInto(form, 'programmes'), role));
    reload();
  };
  return (
    <details class="card">
      <summary>
        <bdi>{account.name}</bdi> · {account.role}{' '}
        <span class="quiet">{writtenRoles(account.programmes)}</span>{' '}
        {account.disabled && <span class="mark">{translator.text('accounts.disabled')}</span>}
      </summary>
      {account.disabled && <p class="notice">{translator.text('accounts.disabledHere')}</p>}
      {problem && <ProblemNotice problem={problem} />}
      <p>
        {translator.text('accounts.sessions', { count: account.sessions })}{' '}
        <button type="button" onClick={() => void endAll()} disabled={account.sessions === 0}>
          {translator.text('accounts.endAll')}
        </button>
      </p>
      <DeedForm submit={translator.text('accounts.change')} act={change}>
        <RoleFields id={account.name} roles={roles} account={account} />
      </DeedForm>
    </details>
  );
}

/** The accounts of this node. */
function OwnAccounts() {
  const { client } = useApp();
  const translator = useTranslator();
  const loaded = useLoad('accounts', (signal) => client.accounts(signal));
  const { value } = loaded;
  const add = async (form: HTMLFormElement) => {
    const role = typedInto(form, 'role');
    const programmes = readRoles(typedInto(form, 'programmes'), role);
    const name = typedInto(form, 'name').trim();
    await client.addAccount({ name, role, programmes, password: typedInto(form, 'password') });
    loaded.reload();
  };
  return (
    <>
      <p>{translator.text('accounts.intro')}</p>
      {loaded.problem && <ProblemNotice problem={loaded.problem} retry={loaded.reload} />}
      {value === undefined && loaded.isLoading && <Loading />}
      {value?.accounts.map((account) => (
        <AccountCard
          key={`${account.name} ${account.role} ${writtenRoles(account.programmes)}`}
          account={account}
          roles={value.roles}
          reload={loaded.reload}
        />
      ))}
      {value && (
        <section class="card">
          <h2>{translator.text('accounts.add')}</h2>
          <DeedForm submit={translator.text('accounts.add')} act={add}>
            <div class="field">
              <label for="name">{translator.text('signIn.user')}</label>
              <input id="name" name="name" required autocapitalize="none" autocomplete="off" />
            </div>
            <RoleFields id="added" roles={value.roles} />
            <p class="quiet">{translator.text('account.passwordRule')}</p>
            <PasswordField
              id="first"
              name="password"
              label={translator.text('accounts.firstPassword')}
              isNew
            />
          </DeedForm>
        </section>
      )}
    </>
  );
}

/** For those who look after accounts: of this node, and at headquarters of all offices. */
export function AccountsPage() {
  const { link, session } = useApp();
  const translator = useTranslator();
  const isHeadquarters = useObserved(link.link).sync?.role === 'hq';
  const now = useObserved(session.session);
  const role = now.phase === 'signedIn' ? now.me.role : '';
  const disables = isHeadquarters && (role === 'technician' || role === 'hq-operator');
  return (
    <>
      <PageHeading title={translator.text('accounts.title')} />
      {role !== 'hq-operator' && <OwnAccounts />}
      {disables && <OfficeAccounts />}
    </>
  );
}
