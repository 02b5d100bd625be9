import type { FileDescription } from '../api/types';
import { makeThumbnail } from './thumbnail';

export const kChunkSize = 32 * 1024;
export const kMostFileBytes = 20 * 1024 * 1024;

async function sha256(bytes: ArrayBuffer): Promise<string> {
  const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  return [...hash].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** What the server is told of a file before it gets a byte of it. */
export async function describeFile(file: File): Promise<FileDescription> {
  const bytes = await file.arrayBuffer();
  const chunks: string[] = [];
  for (let at = 0; at < bytes.byteLength; at += kChunkSize) {
    chunks.push(await sha256(bytes.slice(at, at + kChunkSize)));
  }
  const described = {
    name: file.name,
    type: file.type,
    size: bytes.byteLength,
    sha256: await sha256(bytes),
    chunks,
  };
  const thumbnail = await makeThumbnail(file);
  return thumbnail === undefined ? described : { ...described, thumbnail };
}
