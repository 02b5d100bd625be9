import { useEffect, useRef } from 'preact/hooks';
import { useObserved } from '../store/observable';
import { useApp, useTranslator } from './hooks';

/** Asks before what is unsaved would be lost. */
export function LeaveDialog() {
  const { router, drafts } = useApp();
  const translator = useTranslator();
  const pending = useObserved(router.pending);
  const count = Object.keys(useObserved(drafts.draft)?.fields ?? {}).length;
  const dialog = useRef<HTMLDialogElement>(null);
  const asked = useRef<() => void>();
  useEffect(() => {
    if (pending === undefined) {
      dialog.current?.close();
      return;
    }
    asked.current = pending;
    if (dialog.current?.open === false) dialog.current.showModal();
  }, [pending]);
  // A dialog tells late that it was closed: by then the next question may be up, or about to be.
  const closed = () => {
    if (dialog.current?.open !== true && router.pending.get() === asked.current) {
      router.pending.set(undefined);
    }
  };
  const leave = () => {
    router.pending.set(undefined);
    drafts.discard();
    pending?.();
  };
  return (
    <dialog
      ref={dialog}
      aria-labelledby="leave-title"
      onClose={closed}
    >
      <h2 id="leave-title">{translator.text('leave.title')}</h2>
      <p>{translator.text('leave.text', { count })}</p>
      <div class="actions">
        <button type="button" class="main" onClick={() => router.pending.set(undefined)}>
          {translator.text('leave.stay')}
        </button>
        <button type="button" onClick={leave}>
          {translator.text('leave.go')}
        </button>
      </div>
    </dialog>
  );
}
