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
  useEffect(() => {
    if (pending !== undefined) dialog.current?.showModal();
    else dialog.current?.close();
  }, [pending]);
  const leave = () => {
    router.pending.set(undefined);
    drafts.discard();
    pending?.();
  };
  return (
    <dialog
      ref={dialog}
      aria-labelledby="leave-title"
      onClose={() => router.pending.set(undefined)}
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
