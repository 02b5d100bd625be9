import { useRef, useState } from 'preact/hooks';
import { type ApiProblem, asProblem } from '../api/problem';
import { problemText } from '../record/problems';
import { typedInto } from './elements';
import { useApp, useTranslator } from './hooks';

interface HandoverFormProps {
  readonly root: string;
  readonly close: () => void;
  readonly done: (office: string) => void;
}

function HandoverForm({ root, close, done }: HandoverFormProps) {
  const { client } = useApp();
  const translator = useTranslator();
  const [isBusy, setIsBusy] = useState(false);
  const [problem, setProblem] = useState<ApiProblem>();
  const send = async (form: HTMLFormElement) => {
    const office = typedInto(form, 'to').trim();
    setIsBusy(true);
    try {
      await client.handOver(root, office, typedInto(form, 'why').trim());
      setProblem(undefined);
      form.reset();
      done(office);
    } catch (error) {
      setProblem(asProblem(error));
    }
    setIsBusy(false);
  };
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        void send(event.currentTarget);
      }}
    >
      <p>{translator.text('handover.intro')}</p>
      {problem && (
        <p class="notice bad" role="alert" dir="auto">
          {problemText(problem, translator)}
        </p>
      )}
      <div class="field">
        <label for="handover-to">{translator.text('handover.to')}</label>
        <input id="handover-to" name="to" required autocomplete="off" autocapitalize="characters" />
      </div>
      <div class="field">
        <label for="handover-why">{translator.text('handover.why')}</label>
        <textarea id="handover-why" name="why" required rows={3} dir="auto" />
      </div>
      <div class="actions">
        <button type="submit" class="main" disabled={isBusy}>
          {translator.text(isBusy ? 'handover.busy' : 'handover.submit')}
        </button>
        <button type="button" onClick={close}>
          {translator.text('app.cancel')}
        </button>
      </div>
    </form>
  );
}

/** Starts the hand-over of a root to another office. */
export function HandoverButton({ root }: { root: string }) {
  const { announcement } = useApp();
  const translator = useTranslator();
  const dialog = useRef<HTMLDialogElement>(null);
  const [office, setOffice] = useState<string>();
  const done = (to: string) => {
    dialog.current?.close();
    setOffice(to);
    announcement.set(translator.text('handover.done', { office: to }));
  };
  return (
    <>
      <button type="button" onClick={() => dialog.current?.showModal()}>
        {translator.text('handover.open')}
      </button>
      {office !== undefined && (
        <span class="notice good">{translator.text('handover.done', { office })}</span>
      )}
      <dialog ref={dialog} aria-labelledby="handover-title">
        <h2 id="handover-title">{translator.text('handover.title')}</h2>
        <HandoverForm root={root} close={() => dialog.current?.close()} done={done} />
      </dialog>
    </>
  );
}
