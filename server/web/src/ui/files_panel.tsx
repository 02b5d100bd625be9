import { useEffect, useRef, useState } from 'preact/hooks';
import type { FileAnswer, FilesAnswer, UnfinishedUpload } from '../api/types';
import { kMostFileBytes } from '../files/description';
import { problemText } from '../record/problems';
import { useObserved } from '../store/observable';
import type { Upload } from '../store/uploads';
import { ProblemNotice } from './elements';
import { useApp, useLoad, useTranslator } from './hooks';

const kPollMilliseconds = 4_000;

function addressOf(file: FileAnswer, part = ''): string {
  return `/api/v1/files/${encodeURIComponent(file.id)}${part}`;
}

/** Where the bytes are, in a phrase; with how far they have come where they are on their way. */
function FileState({ file }: { file: FileAnswer }) {
  const translator = useTranslator();
  const percent = (part: number) => Math.floor((100 * part) / Math.max(1, file.chunks));
  if (file.here && file.atHq) return <span>{translator.text('files.hereAndHq')}</span>;
  if (file.here) {
    return <span>{translator.text('files.hereOnly', { percent: percent(file.chunksSent) })}</span>;
  }
  if (file.asked) {
    return <span>{translator.text('files.asked', { percent: percent(file.chunksHere) })}</span>;
  }
  return <span>{translator.text(file.atHq ? 'files.atHq' : 'files.onTheWay')}</span>;
}

function Thumbnail({ file }: { file: FileAnswer }) {
  const { client } = useApp();
  const small = file.thumbnail;
  const isElsewhere = small !== null && small !== undefined && !small.here && !small.asked;
  useEffect(() => {
    // A small picture comes by itself to whoever looks at the list.
    if (isElsewhere) client.wantFile(file.id, '/thumbnail').catch(() => undefined);
  }, [file.id, isElsewhere]);
  // What it shows stands beside it.
  if (small?.here) return <img src={addressOf(file, '/thumbnail')} alt="" class="thumbnail" />;
  return <span class="thumbnail" aria-hidden="true" />;
}

function FileRow({ file, reload }: { file: FileAnswer; reload: () => void }) {
  const { client, announcement } = useApp();
  const translator = useTranslator();
  const name = file.name ?? translator.text('files.hidden');
  const want = async () => {
    await client.wantFile(file.id, '');
    announcement.set(translator.text('files.wanted', { name }));
    reload();
  };
  return (
    <li class="row file">
      <Thumbnail file={file} />
      <div>
        {file.here && file.name !== undefined ? (
          <a href={addressOf(file)} download={file.name}>
            <bdi>{name}</bdi>
          </a>
        ) : (
          <bdi>{name}</bdi>
        )}
        <p class="facts">
          <span>{translator.bytes(file.size)}</span>
          <span>
            {translator.text('history.by', { user: file.by, office: file.office })},{' '}
            {translator.moment(file.at)}
          </span>
          <FileState file={file} />
        </p>
        {!file.here && file.atHq && !file.asked && file.name !== undefined && (
          <button type="button" onClick={() => void want().catch(() => undefined)}>
            {translator.text('files.fetch', { name })}
          </button>
        )}
      </div>
    </li>
  );
}

function UploadRow({ upload }: { upload: Upload }) {
  const { uploads } = useApp();
  const translator = useTranslator();
  const { name, sent, chunks, problem, isWaiting } = upload;
  return (
    <li class="row">
      <bdi>{name}</bdi>
      {problem === undefined ? (
        <progress
          max={Math.max(1, chunks)}
          value={sent}
          aria-label={translator.text('files.uploading', { name })}
        />
      ) : (
        <p class="notice bad" role="alert" dir="auto">
          {problemText(problem, translator)}
        </p>
      )}
      {isWaiting && <p role="status">{translator.text('files.waiting')}</p>}
      <button type="button" onClick={() => uploads.dismiss(upload.key)}>
        {translator.text(problem === undefined ? 'files.stop' : 'files.dismiss', { name })}
      </button>
    </li>
  );
}

function Unfinished({ uploads }: { uploads: readonly UnfinishedUpload[] }) {
  const translator = useTranslator();
  if (uploads.length === 0) return null;
  return (
    <ul class="bare">
      {uploads.map(({ upload, name, chunks, chunksHere }) => (
        <li key={upload} class="notice">
          {translator.text('files.unfinished', {
            name,
            percent: Math.floor((100 * chunksHere) / Math.max(1, chunks)),
          })}
        </li>
      ))}
    </ul>
  );
}

/** Files are picked, or dropped on it. */
function FilePicker({ root }: { root: string }) {
  const { uploads } = useApp();
  const translator = useTranslator();
  const input = useRef<HTMLInputElement>(null);
  const [isOver, setIsOver] = useState(false);
  const [refused, setRefused] = useState<string>();
  const add = (files: readonly File[]) => {
    const tooLarge = files.find((file) => file.size > kMostFileBytes);
    setRefused(tooLarge?.name);
    uploads.add(root, files.filter((file) => file.size <= kMostFileBytes));
  };
  return (
    <div
      class={`drop ${isOver ? 'over' : ''}`}
      onDragOver={(event) => {
        event.preventDefault();
        setIsOver(true);
      }}
      onDragLeave={() => setIsOver(false)}
      onDrop={(event) => {
        event.preventDefault();
        setIsOver(false);
        add([...(event.dataTransfer?.files ?? [])]);
      }}
    >
      <label for="files-picker">{translator.text('files.add')}</label>
      <input
        id="files-picker"
        type="file"
        multiple
        ref={input}
        onChange={(event) => {
          add([...(event.currentTarget.files ?? [])]);
          event.currentTarget.value = '';
        }}
      />
      <p class="quiet">{translator.text('files.drop')}</p>
      {refused !== undefined && (
        <p class="notice bad" role="alert">
          {translator.text('files.tooLarge', { name: refused })}
        </p>
      )}
    </div>
  );
}

function isOnTheWay({ files }: FilesAnswer): boolean {
  return files.some(
    (file) => file.asked || !file.atHq || file.thumbnail?.here === false,
  );
}

/** The files of a root: what there is, where it is, and a way to add to them. */
export function FilesPanel({ root }: { root: string }) {
  const app = useApp();
  const translator = useTranslator();
  const loaded = useLoad(root, (signal) => app.client.files(root, signal));
  const uploads = useObserved(app.uploads.uploads).filter((upload) => upload.root === root);
  const finished = useObserved(app.uploads.finished);
  const { value, reload } = loaded;
  const isMoving = value !== undefined && isOnTheWay(value);
  useEffect(() => {
    if (finished === 0) return;
    app.announcement.set(translator.text('files.added'));
    reload();
  }, [finished]);
  useEffect(() => {
    if (!isMoving) return undefined;
    const timer = window.setInterval(() => {
      if (app.isWatched()) reload();
    }, kPollMilliseconds);
    return () => window.clearInterval(timer);
  }, [isMoving]);
  // One that is being brought from here is shown by its own bar.
  const unfinished = (value?.unfinished ?? []).filter(
    ({ name }) => !uploads.some((upload) => upload.name === name),
  );
  return (
    <section aria-labelledby="files" class="card">
      <h2 id="files">{translator.text('files.title')}</h2>
      {loaded.problem && <ProblemNotice problem={loaded.problem} retry={reload} />}
      {value?.files.length === 0 && <p class="quiet">{translator.text('files.none')}</p>}
      <ul class="rows">
        {value?.files.map((file) => <FileRow key={file.id} file={file} reload={reload} />)}
      </ul>
      <Unfinished uploads={unfinished} />
      <ul class="rows">
        {uploads.map((upload) => <UploadRow key={upload.key} upload={upload} />)}
      </ul>
      <FilePicker root={root} />
    </section>
  );
}
