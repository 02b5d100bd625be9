import { useState } from 'preact/hooks';
import { type ApiProblem, asProblem } from '../api/problem';
import type { AccountRecord } from '../api/types';
import { Loading, ProblemNotice } from './elements';
import { useApp, useTranslator } from './hooks';
import { usePaged } from './paging';

function AccountRow({ account, reload }: { account: AccountRecord; reload: () => void }) {
  const { client } = useApp();
  const translator = useTranslator();
  const [problem, setProblem] = useState<ApiProblem>();
  const decide = async () => {
    try {
      await client.setDisabled(account.id, !account.disabled);
      setProblem(undefined);
      reload();
    } catch (error) {
      setProblem(asProblem(error));
    }
  };
  const since = { at: translator.moment(account.at ?? ''), by: account.by ?? '' };
  return (
    <tr>
      <td>{account.office}</td>
      <th scope="row">
        <bdi>{account.name}</bdi>
      </th>
      <td>{account.role}</td>
      <td>
        {account.disabled && (
          <>
            <span class="mark">{translator.text('accounts.disabled')}</span>{' '}
            <span class="quiet">{translator.text('accounts.since', since)}</span>
          </>
        )}
        {problem && <ProblemNotice problem={problem} />}
      </td>
      <td>
        <button type="button" onClick={() => void decide()}>
          {translator.text(account.disabled ? 'accounts.enable' : 'accounts.disable')}
        </button>
      </td>
    </tr>
  );
}

/** The accounts of all offices, at headquarters. */
export function OfficeAccounts() {
  const { client } = useApp();
  const translator = useTranslator();
  const list = usePaged('account-records', async (cursor, signal) => {
    const page = await client.accountRecords(cursor, signal);
    return { items: page.accounts, cursor: page.cursor };
  });
  return (
    <section class="card">
      <h2>{translator.text('accounts.offices')}</h2>
      <p>{translator.text('accounts.officesIntro')}</p>
      {list.problem && <ProblemNotice problem={list.problem} retry={list.reload} />}
      {list.value === undefined && list.isLoading && <Loading />}
      <div class="scroll">
        <table>
          <thead>
            <tr>
              <th scope="col">{translator.text('accounts.office')}</th>
              <th scope="col">{translator.text('signIn.user')}</th>
              <th scope="col">{translator.text('accounts.role')}</th>
              <th scope="col">{translator.text('accounts.state')}</th>
              <td />
            </tr>
          </thead>
          <tbody>
            {list.items.map((account) => (
              <AccountRow key={account.id} account={account} reload={list.reload} />
            ))}
          </tbody>
        </table>
      </div>
      {list.more && (
        <button type="button" onClick={list.more} disabled={list.isLoading}>
          {translator.text('app.more')}
        </button>
      )}
    </section>
  );
}
