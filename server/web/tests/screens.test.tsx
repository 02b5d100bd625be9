import { fireEvent, screen, waitFor, within } from '@testing-library/preact';
import { encode } from 'uqr';
import { expect, test } from 'vitest';
import type { Answer } from './fake_api';
import { kCase, kPerson, show } from './screen';

function type(label: RegExp | string, text: string): void {
  fireEvent.input(screen.getByLabelText(label), { target: { value: text } });
}

function click(name: RegExp | string): void {
  fireEvent.click(screen.getByRole('button', { name }));
}

async function startEditing(): Promise<void> {
  fireEvent.click(await screen.findByRole('button', { name: 'Edit' }));
  await screen.findByRole('button', { name: 'Save' });
}

test('a wrong password is refused in a sentence and the right one opens the search', async () => {
  show('/', (api) => {
    api.isSignedIn = false;
  });
  await screen.findByLabelText('User name');
  type('User name', 'amina');
  type('Password', 'wrong');
  click('Sign in');
  expect((await screen.findByRole('alert')).textContent).toContain('is not right');
  type('Password', 'correct horse');
  click('Sign in');
  await screen.findByRole('search');
});

test('a search shows the records that match and leaves the others out', async () => {
  show('/?q=Grace');
  await screen.findByRole('link', { name: 'Grace Wanjiru' });
  expect(screen.queryByRole('link', { name: 'Omar Nur' })).toBeNull();
});

test('the search page lists roots and no notes of a case', async () => {
  show('/');
  await screen.findByRole('link', { name: /ET-ADD-2026-00017/ });
  expect(screen.queryByRole('link', { name: /First talk/ })).toBeNull();
});

test('a long list goes on at the cursor', async () => {
  show('/?kind=person', (api) => {
    for (let i = 0; i < 30; i += 1) {
      api.save({ record: 'new:1', kind: 'person', fields: { given_name: `Person ${i}` } });
    }
  });
  fireEvent.click(await screen.findByRole('button', { name: 'Show more' }));
  await screen.findByRole('link', { name: 'Salma Haddad' });
  expect(screen.queryByRole('button', { name: 'Show more' })).toBeNull();
});

test('a case shows codes by their labels, references by their names and what belongs to it', async () => {
  show(`/records/${kCase}`);
  await screen.findByRole('link', { name: 'Salma Haddad' });
  expect(screen.getByText('Medical care, School for children')).toBeTruthy();
  await screen.findByRole('link', { name: /First talk/ });
  expect(screen.getByRole('link', { name: 'Add: Note' })).toBeTruthy();
});

test('an edit goes out with the tag that was read, holding only what changed', async () => {
  const { api } = show(`/records/${kCase}`);
  const { tag } = api.read(kCase);
  await startEditing();
  type('Household size', '5');
  click('Save');
  await screen.findByText(/^Saved at/);
  expect(api.changes).toEqual([
    [{ record: kCase, kind: 'avrr_case', fields: { household_size: 5 }, seen: tag }],
  ]);
});

test('nothing is called saved before the server has answered', async () => {
  const { api } = show(`/records/${kCase}`);
  await startEditing();
  type('Household size', '5');
  let answer: (given: Answer) => void = () => undefined;
  api.instead.set('POST /changes', () => new Promise((resolve) => (answer = resolve)));
  click('Save');
  await screen.findByRole('button', { name: 'Saving…' });
  expect(screen.queryByText(/^Saved/)).toBeNull();
  answer({ status: 507, body: { detail: 'The disk is full.', code: 'store.full' } });
  const alert = await screen.findByRole('alert');
  expect(alert.textContent).toBe('Not saved. The disk is full.');
  expect(screen.getByLabelText<HTMLInputElement>('Household size').value).toBe('5');
});

test('a save without an answer says that it is not certain, and keeps what was typed', async () => {
  const { api } = show(`/records/${kCase}`);
  await startEditing();
  type('Household size', '5');
  api.instead.set('POST /changes', () => Promise.reject(new TypeError('network')));
  click('Save');
  expect((await screen.findByRole('alert')).textContent).toContain('not certain');
  expect(screen.getByLabelText<HTMLInputElement>('Household size').value).toBe('5');
});

test('a refused value is told beside its field, under its label', async () => {
  show(`/records/${kPerson}`);
  await startEditing();
  type('Place', 'somewhere');
  click('Save');
  const complaint = await screen.findByText('The field “Place” must be a place code.');
  const input = screen.getByLabelText('Place');
  expect(input.getAttribute('aria-invalid')).toBe('true');
  expect(input.getAttribute('aria-describedby')).toContain(complaint.id);
});

test('an edit on an older state keeps both versions and says so', async () => {
  const { api } = show(`/records/${kCase}`);
  const { tag: seen } = api.read(kCase);
  await startEditing();
  api.save({ record: kCase, kind: 'avrr_case', seen, fields: { summary: 'Theirs' } });
  type('Summary', 'Ours');
  click('Save');
  await screen.findByText(/Someone else changed the same field; both versions are kept/);
  expect(screen.getByText('Theirs')).toBeTruthy();
  expect(api.read(kCase).conflicts?.['summary']?.length).toBe(2);
});

test('what is required is asked for before a new record is sent', async () => {
  const { api } = show('/new/person');
  await screen.findByLabelText(/Given name/);
  click('Save');
  await screen.findByText('This must be filled in.');
  expect(api.changes).toEqual([]);
  type(/Given name/, 'Hodan');
  click('Save');
  await screen.findByRole('heading', { name: 'Hodan' });
  expect(api.changes.length).toBe(1);
});

test('a case opened from a person refers to the person', async () => {
  const { api } = show(`/records/${kPerson}`);
  fireEvent.click(await screen.findByRole('link', { name: 'Open: Return case' }));
  await screen.findByLabelText(/Case number/);
  type(/Case number/, 'X-1');
  click('Save');
  await screen.findByRole('heading', { name: /X-1/ });
  expect(api.changes[0]?.[0]?.fields['applicant']).toBe(`urn:uuid:${kPerson}`);
});

test('the conflicts page shows who wrote which value, and settles with the chosen one', async () => {
  const { api } = show('/conflicts');
  await screen.findByText('+251 911 000 111');
  expect(screen.getByText('jonas, NBO')).toBeTruthy();
  const theirs = screen.getByText('+254 722 333 444').closest('label');
  fireEvent.click(within(theirs as HTMLElement).getByRole('radio'));
  click('Settle with this choice');
  await screen.findByText('No conflict waits for a decision.');
  expect(api.read(kPerson).conflicts).toEqual({});
  expect(api.read(kPerson).fields['phone']).toBe('+254 722 333 444');
});

test('a conflict can be settled with a value of its own', async () => {
  const { api } = show('/conflicts');
  fireEvent.click(await screen.findByLabelText('Write another value'));
  type('Telephone', '+1 555');
  click('Settle with this choice');
  await screen.findByText('No conflict waits for a decision.');
  expect(api.read(kPerson).fields['phone']).toBe('+1 555');
});

test('settling without a choice sends nothing', async () => {
  const { api } = show('/conflicts');
  fireEvent.click(await screen.findByRole('button', { name: 'Settle with this choice' }));
  await screen.findByText('Choose a version first.');
  expect(api.changes).toEqual([]);
});

test('a deletion by somebody who had not read all of it is settled by keeping or deleting', async () => {
  const { api } = show('/conflicts', (before) => {
    const record = before.read(kPerson);
    const conflicts = { _deleted: [{ value: true, by: 'jonas', office: 'NBO', at: '2026-11-20T10:00:00Z' }] };
    const body = { records: [{ ...record, conflicts }], cursor: null };
    before.instead.set('GET /conflicts', () => ({ status: 200, body }));
  });
  fireEvent.click(await screen.findByRole('button', { name: 'Keep the record' }));
  await screen.findByText('Settled: Deleted record');
  expect(api.changes[0]?.[0]).toMatchObject({ record: kPerson, fields: {}, deleted: false });
});

test('a decision that is open again says which values are others since', async () => {
  show('/conflicts', (before) => {
    const record = before.read(kCase);
    const moved = { summary: ['household_size'] };
    const decision = { value: 'Approved', by: 'jonas', office: 'NBO', at: '2026-11-20T10:00:00Z' };
    const opened = { ...record, moved, conflicts: { summary: [decision] } };
    const body = { records: [opened], cursor: null };
    before.instead.set('GET /conflicts', () => ({ status: 200, body }));
  });
  await screen.findByText(/Since then have changed: Household size/);
});

test('leaving with something unsaved asks, and staying keeps it', async () => {
  const { app } = show(`/records/${kCase}`);
  await startEditing();
  type('Household size', '9');
  fireEvent.click(screen.getByRole('link', { name: /Conflicts/ }));
  click('Stay and go on editing');
  expect(window.location.pathname).toBe(`/records/${kCase}`);
  expect(screen.getByLabelText<HTMLInputElement>('Household size').value).toBe('9');
  fireEvent.click(screen.getByRole('link', { name: /Conflicts/ }));
  click('Leave without saving');
  await screen.findByRole('heading', { name: 'Conflicts' });
  expect(app.drafts.hasUnsaved()).toBe(false);
});

test('a session that ends during a save keeps what was typed for the same person', async () => {
  const { api } = show(`/records/${kCase}`);
  await startEditing();
  type('Household size', '7');
  api.isSignedIn = false;
  click('Save');
  await screen.findByText(/What you typed is kept/);
  type('User name', 'amina');
  type('Password', 'correct horse');
  click('Sign in');
  const input = await screen.findByLabelText<HTMLInputElement>('Household size');
  expect(input.value).toBe('7');
});

test('another person who signs in finds nothing of what the one before had typed, who finds it again', async () => {
  const { api, app } = show(`/records/${kCase}`);
  await startEditing();
  type('Household size', '7');
  api.isSignedIn = false;
  click('Save');
  await screen.findByText(/What you typed is kept/);
  api.instead.set('GET /me', () => ({
    status: 200,
    body: { user: 'someone', role: 'caseworker', programmes: [], office: 'ADD' },
  }));
  type('User name', 'amina');
  type('Password', 'correct horse');
  click('Sign in');
  await screen.findByRole('search');
  expect(app.drafts.draft.get()).toBeUndefined();
  api.isSignedIn = false;
  app.session.ended();
  await screen.findByLabelText('User name');
  type('User name', 'amina');
  type('Password', 'correct horse');
  click('Sign in');
  expect((await screen.findByLabelText<HTMLInputElement>('Household size')).value).toBe('7');
});

test('the link page says in words how the link stands', async () => {
  show('/link', (api) => {
    api.sync = { state: 'offline', lastContact: null, backlogUp: 1, agree: null };
  });
  await screen.findByText('There has been no contact with headquarters yet.');
  expect(screen.getByText('1 change waits to go up.')).toBeTruthy();
  expect(screen.getByText(/You can go on working/)).toBeTruthy();
  expect(screen.getByText(/Failed: The line was cut/)).toBeTruthy();
});

test('an office that has not joined headquarters says so, and works', async () => {
  const { app } = show('/', (api) => {
    api.sync = { state: 'not-enrolled', hq: null, lastContact: null, backlogDown: null };
  });
  await screen.findByText(/Not joined/);
  expect(screen.queryByText(/may still be on its way/)).toBeNull();
  app.router.go('/link');
  await screen.findByText(/stays on this server alone/);
});

test('the search says where not all has come from headquarters yet', async () => {
  show('/', (api) => {
    api.sync = { backlogDown: 7 };
  });
  await screen.findByText(/may still be on its way/);
});

test('the search says nothing of that where all has come', async () => {
  const { app } = show('/');
  await screen.findByRole('search');
  await waitFor(() => expect(app.link.link.get().sync).toBeDefined());
  expect(screen.queryByText(/may still be on its way/)).toBeNull();
});

test('a hand-over names the office and the reason', async () => {
  const { api } = show(`/records/${kCase}`);
  fireEvent.click(await screen.findByRole('button', { name: 'Hand over…', hidden: true }));
  type('To office (its code)', 'NBO');
  type('Why', 'The family moved.');
  fireEvent.submit(screen.getByLabelText('Why').closest('form') as HTMLFormElement);
  await waitFor(() => expect(api.handovers.length).toBe(1));
  expect(api.handovers).toEqual([{ root: kCase, to: 'NBO', why: 'The family moved.' }]);
});

test('the history tells who changed what', async () => {
  show(`/records/${kCase}/history`);
  await screen.findByRole('heading', { name: /History of ET-ADD/ });
  await screen.findByText('Counselling');
  expect(screen.getAllByText(/jonas, NBO/).length).toBe(1);
});

test('Arabic turns the page round, and the choice is remembered', async () => {
  show('/');
  await screen.findByRole('search');
  fireEvent.change(screen.getByLabelText('Language'), { target: { value: 'ar' } });
  await screen.findByRole('heading', { name: 'بحث' });
  expect(document.documentElement.dir).toBe('rtl');
  expect(window.localStorage.getItem('waystation.language')).toBe('ar');
});

test('what a role does not see is called that and not empty', async () => {
  show(`/records/${kCase}`, (api) => {
    const { fields, ...record } = api.read(kCase);
    const { summary, ...seen } = fields;
    expect(summary).toBeTruthy();
    const body = { ...record, fields: seen, masked: ['summary'] };
    api.instead.set(`GET /records/${kCase}`, () => ({ status: 200, body }));
  });
  await screen.findByText('Your role does not see: Summary');
  expect(screen.queryByText(/Not filled in:.*Summary/)).toBeNull();
});

test('the data-protection officer finds in the audit log who did what, and nobody else is led there', async () => {
  const asked: string[] = [];
  const entry = { seq: 7, at: '2026-03-03T08:00:00.000Z', by: 'mia', deed: 'read', records: [kCase] };
  const { api } = show('/audit', (prepared) => {
    prepared.role = 'data-protection';
    prepared.instead.set('GET /audit', () => ({ status: 200, body: { entries: [entry] } }));
  });
  expect(await screen.findByText('mia')).toBeTruthy();
  expect(screen.getByRole('link', { name: 'Audit log' })).toBeTruthy();
  api.instead.set('GET /audit', () => {
    asked.push('again');
    return { status: 200, body: { entries: [] } };
  });
  type('Who', 'omar');
  click('Find');
  await screen.findByText('Nothing is noted.');
  expect(asked).toEqual(['again']);
});

test('the audit log is searched between two moments', async () => {
  const { api } = show('/audit', (prepared) => {
    prepared.role = 'data-protection';
    prepared.instead.set('GET /audit', () => ({ status: 200, body: { entries: [] } }));
  });
  await screen.findByText('Nothing is noted.');
  api.instead.set('GET /audit', () => ({ status: 200, body: { entries: [] } }));
  type('From', '2026-03-03T08:00');
  click('Find');
  const from = encodeURIComponent(new Date('2026-03-03T08:00').toISOString());
  await waitFor(() => expect(api.asked.at(-1)).toBe(`GET /audit?from=${from}`));
});

test('the code of a second factor is asked for when the server wants one', async () => {
  const { api } = show('/', (prepared) => {
    prepared.isSignedIn = false;
    const body = { code: 'access.totp-needed', detail: 'A code is wanted.' };
    prepared.instead.set('POST /session', () => ({ status: 401, body }));
  });
  await screen.findByLabelText('User name');
  type('User name', 'amina');
  type('Password', 'correct horse');
  click('Sign in');
  type(await screen.findByLabelText('Code of the second factor').then(() => /Code of/), '123456');
  expect(screen.queryByRole('alert')).toBeNull();
  click('Sign in');
  await screen.findByRole('search');
  expect(api.isSignedIn).toBe(true);
});

test('a second factor is turned on with a QR code and a first code', async () => {
  const sessions = { sessions: [] };
  const { api } = show('/account', (prepared) => {
    prepared.instead.set('GET /me/sessions', () => ({ status: 200, body: sessions }));
    const body = { secret: 'MZXW6', uri: 'otpauth://totp/Waystation:amina?secret=MZXW6' };
    prepared.instead.set('POST /me/totp', () => ({ status: 200, body }));
    prepared.instead.set('PUT /me/totp', () => ({ status: 200, body: {} }));
  });
  fireEvent.input((await screen.findAllByLabelText('Password until now'))[0] as HTMLElement, {
    target: { value: 'correct horse' },
  });
  click('Turn on');
  const picture = await screen.findByRole('img', { name: /QR code/ });
  expect(picture.querySelector('path')?.getAttribute('d')?.length).toBeGreaterThan(1000);
  expect(screen.getByText('MZXW6')).toBeTruthy();
  type('Code of the second factor', '123456');
  click('Confirm');
  await screen.findByRole('button', { name: 'Turn on' });
  expect(api.instead.has('PUT /me/totp')).toBe(false);
});

test('a technician of an office makes the code with which a phone joins', async () => {
  const token = `wst1.${'eyJleHBpcmVz'.repeat(40)}.MZXW6`;
  const { api } = show('/phones', (prepared) => {
    prepared.role = 'technician';
    prepared.sync = { role: 'office' };
  });
  await screen.findByRole('link', { name: 'Phones' });
  const asked: string[] = [];
  for (const answer of [
    { status: 422, body: { code: 'enrolment.phone-malformed', detail: 'Named after its office.' } },
    { status: 200, body: { phone: 'ADD-P1', token, until: '2026-03-03T08:10:00.000Z' } },
  ]) {
    api.instead.set('POST /phone-tokens', () => answer);
    type('Name of the phone', 'add-p1');
    click('Make the code');
    await waitFor(() => expect(api.instead.size).toBe(0));
    asked.push((await screen.findAllByText(/Named after its office|camera before/))[0]?.textContent ?? '');
  }
  expect(asked[0]).toContain('Named after');
  expect(screen.queryByRole('alert')).toBeNull();
  const picture = screen.getByRole('img', { name: /ADD-P1 joins/ });
  const encoded = encode(token, { ecc: 'L', border: 4 });
  expect(picture.getAttribute('viewBox')).toBe(`0 0 ${encoded.size} ${encoded.size}`);
  expect(screen.getByText(token)).toBeTruthy();
});

test.each([
  ['technician', 'hq'],
  ['supervisor', 'office'],
] as const)('a %s at an %s is not led to phones', async (role, node) => {
  show('/', (prepared) => {
    prepared.role = role;
    prepared.sync = { role: node };
  });
  await screen.findByRole('search');
  expect(screen.queryByRole('link', { name: 'Phones' })).toBeNull();
});

test('a technician sees the accounts and gives roles by programme', async () => {
  const sent: string[] = [];
  const account = { name: 'amina', role: 'reader', programmes: {}, totp: false, sessions: 2 };
  const { api } = show('/accounts', (prepared) => {
    prepared.role = 'technician';
    const body = { accounts: [account], roles: ['reader', 'caseworker'] };
    prepared.instead.set('GET /accounts', () => ({ status: 200, body }));
  });
  const programmes = (await screen.findAllByLabelText<HTMLInputElement>('Roles in programmes'))[0];
  expect(screen.getByRole('link', { name: 'Accounts' })).toBeTruthy();
  api.instead.set('PUT /accounts/amina', () => {
    sent.push('changed');
    return { status: 200, body: account };
  });
  fireEvent.input(programmes as HTMLElement, { target: { value: 'casework=supervisor' } });
  fireEvent.submit(programmes?.form as HTMLFormElement);
  await waitFor(() => expect(sent).toEqual(['changed']));
});

test('an operator at headquarters disables an account of an office', async () => {
  const sent: unknown[] = [];
  const amina = { id: 'a1', name: 'amina', role: 'reader', programmes: {}, office: 'NBO' };
  const list = (disabled: boolean) => ({
    status: 200,
    body: { accounts: [{ ...amina, disabled, by: 'olga@HQ', at: '2026-03-03T08:00:00.000Z' }] },
  });
  const { api } = show('/accounts', (prepared) => {
    prepared.role = 'hq-operator';
    prepared.sync = { role: 'hq', state: 'hub' };
    prepared.instead.set('GET /account-records', () => list(false));
  });
  await screen.findByRole('button', { name: 'Disable' });
  expect(screen.queryByText('Add an account')).toBeNull();
  api.instead.set('PUT /account-records/a1', () => {
    sent.push('disabled');
    api.instead.set('GET /account-records', () => list(true));
    return { status: 200, body: {} };
  });
  click('Disable');
  await screen.findByRole('button', { name: 'Let in again' });
  expect(screen.getByText('disabled')).toBeTruthy();
  expect(screen.getByText(/by olga@HQ/)).toBeTruthy();
  expect(sent).toEqual(['disabled']);
});

test('whose account headquarters has disabled is told so at the sign-in', async () => {
  show('/', (prepared) => {
    prepared.isSignedIn = false;
    const body = { code: 'access.account-disabled', detail: 'Disabled.' };
    prepared.instead.set('POST /session', () => ({ status: 401, body }));
  });
  await screen.findByLabelText('User name');
  type('User name', 'amina');
  type('Password', 'correct horse');
  click('Sign in');
  expect((await screen.findByRole('alert')).textContent).toMatch(/has disabled this account/);
});
