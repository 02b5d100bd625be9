import { cleanup, configure, render } from '@testing-library/preact';
import { afterEach } from 'vitest';
import { AppStore } from '../src/store/app';
import { App } from '../src/ui/app';
import { type FakeApi, filledApi } from './fake_api';

// The usual second is too short where the machine is busy: what does not come is still found out.
configure({ asyncUtilTimeout: 10_000 });

afterEach(() => {
  cleanup();
  window.localStorage.clear();
});

/** The whole client at a path, on a stand-in server that somebody is signed in to. */
export function show(path: string, prepare: (api: FakeApi) => void = () => undefined) {
  const api = filledApi();
  api.isSignedIn = true;
  prepare(api);
  window.history.replaceState(null, '', path);
  const app = new AppStore(api.fetch);
  render(<App app={app} />);
  app.start();
  return { api, app };
}

export const kPerson = '00000000-0000-4000-8000-000000000001';
export const kCase = '00000000-0000-4000-8000-000000000006';
