import { fireEvent, screen, waitFor, within } from '@testing-library/preact';
import { expect, test } from 'vitest';
import type { FileAnswer } from '../src/api/types';
import { kMostFileBytes } from '../src/files/description';
import { kCase, show } from './screen';

const kHere = { here: true, atHq: true, asked: false, chunks: 4, chunksHere: 4, chunksSent: 4 };
const kElsewhere = { ...kHere, here: false, chunksHere: 0, chunksSent: 0 };

function file(name: string, more: Partial<FileAnswer> = {}): FileAnswer {
  return {
    ...kHere,
    id: name,
    name,
    size: 120_000,
    by: 'amina',
    office: 'ADD',
    at: '2026-03-03T08:00:00.000Z',
    thumbnail: null,
    ...more,
  };
}

function showFiles(files: readonly FileAnswer[]) {
  return show(`/records/${kCase}`, (api) => {
    api.files = { files, unfinished: [] };
  });
}

async function rowOf(name: string): Promise<HTMLElement> {
  const row = (await screen.findByText(name)).closest('li');
  if (row === null) throw new Error(`${name} stands in no row`);
  return row;
}

test('a file that is here can be saved, and says where it is', async () => {
  showFiles([file('letter.pdf')]);
  const link = await screen.findByRole('link', { name: 'letter.pdf' });
  expect(link.getAttribute('href')).toBe('/api/v1/files/letter.pdf');
  expect(link.getAttribute('download')).toBe('letter.pdf');
  expect((await rowOf('letter.pdf')).textContent).toContain('Here and at headquarters');
});

test('each state of a file is told in words', async () => {
  showFiles([
    file('up.jpg', { atHq: false, chunksSent: 1 }),
    file('asked.jpg', { ...kElsewhere, asked: true, chunksHere: 3 }),
    file('away.jpg', kElsewhere),
    file('coming.jpg', { ...kElsewhere, atHq: false }),
  ]);
  expect((await rowOf('up.jpg')).textContent).toContain('on its way to headquarters (25 %)');
  expect((await rowOf('asked.jpg')).textContent).toContain('from headquarters (75 %)');
  expect((await rowOf('away.jpg')).textContent).toContain('At headquarters');
  expect((await rowOf('coming.jpg')).textContent).toContain('Still at the office');
  expect(screen.getAllByRole('button', { name: /^Fetch/ })).toHaveLength(1);
});

test('a file at headquarters is asked for by name', async () => {
  const { api } = showFiles([file('away.jpg', kElsewhere)]);
  fireEvent.click(await screen.findByRole('button', { name: 'Fetch away.jpg' }));
  await waitFor(() => expect(api.wanted).toEqual(['/files/away.jpg']));
});

test('small pictures are shown, and those at headquarters come by themselves', async () => {
  const { api } = showFiles([
    file('here.jpg', { thumbnail: kHere }),
    file('away.jpg', { ...kElsewhere, thumbnail: kElsewhere }),
  ]);
  const picture = (await rowOf('here.jpg')).querySelector('img');
  expect(picture?.getAttribute('src')).toBe('/api/v1/files/here.jpg/thumbnail');
  await waitFor(() => expect(api.wanted).toEqual(['/files/away.jpg/thumbnail']));
});

test('what a role does not see has no name and no way to it', async () => {
  const { name, ...nameless } = file('secret.jpg');
  expect(name).toBe('secret.jpg');
  showFiles([nameless]);
  const row = await rowOf('A file that your role does not see');
  expect(within(row).queryByRole('link')).toBeNull();
  expect(within(row).queryByRole('button')).toBeNull();
});

test('an upload that was cut by a reload asks for the same file again', async () => {
  show(`/records/${kCase}`, (api) => {
    const unfinished = { upload: 'u1', name: 'film.mp4', size: 9, chunks: 4, chunksHere: 1 };
    api.files = { files: [], unfinished: [unfinished] };
  });
  await screen.findByText(/film.mp4 was not sent to the end \(25 %\)/);
});

test('a file that is too large is refused before a byte of it is sent', async () => {
  showFiles([]);
  const picker = await screen.findByLabelText('Add files');
  const large = new File(['x'], 'film.mp4');
  Object.defineProperty(large, 'size', { value: kMostFileBytes + 1 });
  fireEvent.change(picker, { target: { files: [large] } });
  expect((await screen.findByRole('alert')).textContent).toContain('film.mp4 has more than 20 MB');
});

test('files dropped on the page are sent with a bar that says which', async () => {
  const { app } = showFiles([]);
  const picker = await screen.findByLabelText('Add files');
  const zone = picker.closest('.drop');
  if (zone === null) throw new Error('nothing to drop on');
  const added: string[] = [];
  app.uploads.add = (_root, files) => added.push(...files.map((each) => each.name));
  fireEvent.drop(zone, { dataTransfer: { files: [new File(['x'], 'photo.jpg')] } });
  expect(added).toEqual(['photo.jpg']);
  const upload = { key: 1, root: kCase, name: 'photo.jpg', chunks: 4, sent: 2, isWaiting: true };
  app.uploads.uploads.set([{ ...upload, problem: undefined }]);
  const bar = await screen.findByRole('progressbar', { name: 'Sending photo.jpg' });
  expect(bar.getAttribute('value')).toBe('2');
  expect(screen.getByText(/goes on by itself/)).toBeTruthy();
});
