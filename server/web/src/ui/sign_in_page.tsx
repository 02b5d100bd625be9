import { useState } from 'preact/hooks';
import { type ApiProblem, asProblem } from '../api/problem';
import type { Translator } from '../i18n/text';
import { problemText } from '../record/problems';
import { PageHeading, typedInto } from './elements';
import { useApp, useTranslator } from './hooks';
import { LanguageChoice } from './shell';

export function CodeField() {
  const translator = useTranslator();
  return (
    <div class="field">
      <label for="code">{translator.text('signIn.code')}</label>
      <input
        id="code"
        name="code"
        required
        autoFocus
        inputMode="numeric"
        autocomplete="one-time-code"
      />
    </div>
  );
}

function refusalText(problem: ApiProblem, translator: Translator): string {
  if (problem.code === 'access.account-disabled') return translator.text('signIn.disabled');
  return problem.status === 401
    ? translator.text('signIn.wrong')
    : problemText(problem, translator);
}

function SignInForm() {
  const { session } = useApp();
  const translator = useTranslator();
  const [isBusy, setIsBusy] = useState(false);
  const [problem, setProblem] = useState<ApiProblem>();
  const [asksCode, setAsksCode] = useState(false);

  const signIn = async (form: HTMLFormElement) => {
    setIsBusy(true);
    setProblem(undefined);
    try {
      const code = typedInto(form, 'code').trim();
      await session.signIn(typedInto(form, 'user'), typedInto(form, 'password'), code);
    } catch (error) {
      const refused = asProblem(error);
      setIsBusy(false);
      if (refused?.code === 'access.totp-needed') {
        setAsksCode(true);
        return;
      }
      setProblem(refused);
      form.querySelector<HTMLInputElement>('[name=password]')?.select();
    }
  };
  const refusal = problem && refusalText(problem, translator);
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        void signIn(event.currentTarget);
      }}
    >
      {refusal && (
        <p class="notice bad" role="alert" dir="auto">
          {refusal}
        </p>
      )}
      <div class="field">
        <label for="user">{translator.text('signIn.user')}</label>
        <input id="user" name="user" required autocomplete="username" autocapitalize="none" />
      </div>
      <div class="field">
        <label for="password">{translator.text('signIn.password')}</label>
        <input
          id="password"
          name="password"
          type="password"
          required
          autocomplete="current-password"
        />
      </div>
      {asksCode && <CodeField />}
      <button type="submit" class="main" disabled={isBusy}>
        {translator.text(isBusy ? 'signIn.busy' : 'signIn.submit')}
      </button>
    </form>
  );
}

export function SignInPage({ ended }: { ended: boolean }) {
  const { drafts } = useApp();
  const translator = useTranslator();
  return (
    <main class="narrow">
      <p class="brand">Waystation</p>
      <PageHeading title={translator.text('signIn.title')} />
      {ended && (
        <p class="notice" role="status">
          {translator.text('signIn.ended')}{' '}
          {drafts.hasUnsaved() && translator.text('signIn.draftKept')}
        </p>
      )}
      <SignInForm />
      <LanguageChoice />
    </main>
  );
}
