import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import type { ApiProblem } from '../api/problem';
import { problemText } from '../record/problems';
import { useApp, useTranslator } from './hooks';

/** What stands in a form's control of that name. */
export function typedInto(form: HTMLFormElement, name: string): string {
  const value = new FormData(form).get(name);
  return typeof value === 'string' ? value : '';
}

interface LinkToProps {
  readonly to: string;
  readonly children: ComponentChildren;
  readonly class?: string;
  readonly current?: boolean;
}

/** A link to another screen of this client. */
export function LinkTo({ to, children, class: className, current }: LinkToProps) {
  const { router } = useApp();
  const follow = (event: MouseEvent) => {
    const isPlain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey;
    if (!isPlain || event.altKey) return;
    event.preventDefault();
    router.go(to);
  };
  return (
    <a href={to} class={className} onClick={follow} aria-current={current ? 'page' : undefined}>
      {children}
    </a>
  );
}

/** The screen's heading: takes the focus and names the window when it appears. */
export function PageHeading({ title }: { title: string }) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus({ preventScroll: true }), []);
  useEffect(() => {
    document.title = `${title} · Waystation`;
  }, [title]);
  return (
    <h1 ref={heading} tabIndex={-1}>
      <bdi>{title}</bdi>
    </h1>
  );
}

export function ProblemNotice({ problem, retry }: { problem: ApiProblem; retry?: () => void }) {
  const translator = useTranslator();
  return (
    <div class="notice bad" role="alert">
      <p dir="auto">{problemText(problem, translator)}</p>
      {retry && (
        <button type="button" onClick={retry}>
          {translator.text('app.retry')}
        </button>
      )}
    </div>
  );
}

export function Loading() {
  const translator = useTranslator();
  return (
    <p class="quiet" role="status">
      {translator.text('app.loading')}
    </p>
  );
}
