import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import { type ApiProblem, asProblem } from '../api/problem';
import type { TotpAnswer } from '../api/types';
import { Loading, PageHeading, ProblemNotice, typedInto } from './elements';
import { useApp, useLoad, useTranslator } from './hooks';
import { QrCode } from './qr_code';
import { CodeField } from './sign_in_page';

interface DeedFormProps {
  readonly submit: string;
  /** Does it; what it rejects with is shown. */
  readonly act: (form: HTMLFormElement) => Promise<void>;
  readonly children: ComponentChildren;
}

/** A form that does one thing and says what came of it. */
export function DeedForm({ submit, act, children }: DeedFormProps) {
  const translator = useTranslator();
  const [isBusy, setIsBusy] = useState(false);
  const [isDone, setIsDone] = useState(false);
  const [problem, setProblem] = useState<ApiProblem>();
  const run = async (form: HTMLFormElement) => {
    setIsBusy(true);
    setIsDone(false);
    setProblem(undefined);
    try {
      await act(form);
      form.reset();
      setIsDone(true);
    } catch (error) {
      setProblem(asProblem(error));
    }
    setIsBusy(false);
  };
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        void run(event.currentTarget);
      }}
    >
      {problem && <ProblemNotice problem={problem} />}
      {isDone && (
        <p class="notice" role="status">
          {translator.text('account.done')}
        </p>
      )}
      {children}
      <button type="submit" disabled={isBusy}>
        {submit}
      </button>
    </form>
  );
}

export function PasswordField({ id, name, label, isNew = false }: {
  id: string;
  name: string;
  label: string;
  isNew?: boolean;
}) {
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <input
        id={id}
        name={name}
        type="password"
        required
        minLength={isNew ? 12 : undefined}
        autocomplete={isNew ? 'new-password' : 'current-password'}
      />
    </div>
  );
}

function NewPassword() {
  const { client } = useApp();
  const translator = useTranslator();
  return (
    <section class="card">
      <h2>{translator.text('account.password')}</h2>
      <DeedForm
        submit={translator.text('account.changePassword')}
        act={(form) => client.changePassword(typedInto(form, 'password'), typedInto(form, 'new'))}
      >
        <p class="quiet">{translator.text('account.passwordRule')}</p>
        <PasswordField id="old" name="password" label={translator.text('account.current')} />
        <PasswordField id="new" name="new" label={translator.text('account.new')} isNew />
      </DeedForm>
    </section>
  );
}

function SecondFactor({ isOn, reload }: { isOn: boolean; reload: () => void }) {
  const { client } = useApp();
  const translator = useTranslator();
  const [begun, setBegun] = useState<TotpAnswer>();
  const password = (
    <PasswordField id="totp-password" name="password" label={translator.text('account.current')} />
  );
  return (
    <section class="card">
      <h2>{translator.text('account.totp')}</h2>
      <p>{translator.text(isOn ? 'account.totpOn' : 'account.totpOff')}</p>
      {isOn && (
        <DeedForm
          key="off"
          submit={translator.text('account.turnOff')}
          act={async (form) => {
            await client.endTotp(typedInto(form, 'password'));
            reload();
          }}
        >
          {password}
        </DeedForm>
      )}
      {!isOn && begun === undefined && (
        <DeedForm
          key="begin"
          submit={translator.text('account.turnOn')}
          act={async (form) => setBegun(await client.beginTotp(typedInto(form, 'password')))}
        >
          {password}
        </DeedForm>
      )}
      {!isOn && begun !== undefined && (
        <DeedForm
          key="confirm"
          submit={translator.text('account.confirm')}
          act={async (form) => {
            await client.confirmTotp(typedInto(form, 'code').trim());
            setBegun(undefined);
            reload();
          }}
        >
          <p>{translator.text('account.scan')}</p>
          <QrCode text={begun.uri} label={translator.text('account.qr')} />
          <p>
            <code dir="ltr">{begun.secret}</code>
          </p>
          <CodeField />
        </DeedForm>
      )}
    </section>
  );
}

function Sessions() {
  const { client } = useApp();
  const translator = useTranslator();
  const loaded = useLoad('sessions', (signal) => client.sessions(signal));
  const [problem, setProblem] = useState<ApiProblem>();
  const end = async (id: string) => {
    try {
      await client.endSession(id);
      loaded.reload();
    } catch (error) {
      setProblem(asProblem(error));
    }
  };
  return (
    <section class="card">
      <h2>{translator.text('account.sessions')}</h2>
      {problem && <ProblemNotice problem={problem} />}
      {loaded.problem && <ProblemNotice problem={loaded.problem} retry={loaded.reload} />}
      <ul class="bare">
        {loaded.value?.sessions.map((session) => (
          <li key={session.id}>
            <bdi>{session.from}</bdi>
            {' · '}
            <time dateTime={session.opened}>{translator.moment(session.opened)}</time>{' '}
            {session.current ? (
              <span class="mark">{translator.text('account.thisOne')}</span>
            ) : (
              <button type="button" onClick={() => void end(session.id)}>
                {translator.text('account.end')}
              </button>
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}

/** A person's own password, second factor and sessions. */
export function AccountPage() {
  const { client } = useApp();
  const translator = useTranslator();
  const me = useLoad('me', (signal) => client.me(signal));
  return (
    <>
      <PageHeading title={translator.text('account.title')} />
      {me.problem && <ProblemNotice problem={me.problem} retry={me.reload} />}
      {me.value === undefined && me.isLoading && <Loading />}
      {me.value && (
        <>
          <Sessions />
          <SecondFactor isOn={me.value.totp === true} reload={me.reload} />
          <NewPassword />
        </>
      )}
    </>
  );
}
