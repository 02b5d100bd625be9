import { useRef, useState } from 'preact/hooks';
import { type ApiProblem, asProblem } from '../api/problem';
import type { Me } from '../api/types';
import { ProblemNotice } from './elements';
import { useApp, useTranslator } from './hooks';

/** The server decides; this only shows it to those who may. */
export function locksServer(me: Me): boolean {
  return ['supervisor', 'technician', 'hq-officer', 'hq-operator'].includes(me.role);
}

/** Closes the office's store at once, for when somebody is at the door. */
export function LockServer() {
  const { client } = useApp();
  const translator = useTranslator();
  const dialog = useRef<HTMLDialogElement>(null);
  const [problem, setProblem] = useState<ApiProblem>();
  const [isLocking, setIsLocking] = useState(false);
  const lock = () => {
    setIsLocking(true);
    client
      .lockServer()
      // Every address shows the page of the locked server now.
      .then(() => window.location.assign('/'))
      .catch((error: unknown) => {
        setProblem(asProblem(error));
        setIsLocking(false);
      });
  };
  return (
    <>
      <button type="button" onClick={() => dialog.current?.showModal()}>
        {translator.text('lock.open')}
      </button>
      <dialog ref={dialog} aria-labelledby="lock-title">
        <h2 id="lock-title">{translator.text('lock.title')}</h2>
        <p>{translator.text('lock.text')}</p>
        {problem !== undefined && <ProblemNotice problem={problem} />}
        <div class="actions">
          <button type="button" class="main" onClick={() => dialog.current?.close()}>
            {translator.text('lock.cancel')}
          </button>
          <button type="button" disabled={isLocking} onClick={lock}>
            {translator.text('lock.do')}
          </button>
        </div>
      </dialog>
    </>
  );
}
