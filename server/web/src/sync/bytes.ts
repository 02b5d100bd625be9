// The primitives of docs/spec/sync.md, section 1. Numbers of 64 bits are bigint.

const MASK_64 = (1n << 64n) - 1n;

export class SyncMalformed extends Error {
  readonly code = 'sync.malformed';
}

export function malformed(what: string): never {
  throw new SyncMalformed(`A sync message can't be read: ${what}.`);
}

/** a + b as numbers of 64 bits, which wrap. */
export function add64(a: bigint, b: bigint): bigint {
  return (a + b) & MASK_64;
}

export class ByteReader {
  private at = 0;

  constructor(private readonly bytes: Uint8Array) {}

  byte(): number {
    const byte = this.bytes[this.at];
    if (byte === undefined) malformed('it ends too early');
    this.at += 1;
    return byte;
  }

  raw(size: number): Uint8Array {
    if (size > this.bytes.length - this.at) malformed('it ends too early');
    this.at += size;
    return this.bytes.subarray(this.at - size, this.at);
  }

  varint(): bigint {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = this.byte();
      value |= BigInt(byte & 0x7f) << shift;
      if (value > MASK_64 || shift > 63n) malformed('a number is too large');
      if (byte < 0x80) {
        if (byte === 0 && shift > 0n) malformed('a number is not in its shortest form');
        return value;
      }
    }
  }

  /** As a signed number. */
  zigzag(): bigint {
    const value = this.varint();
    return (value & 1n) === 0n ? value >> 1n : -((value + 1n) >> 1n);
  }

  fixed64(): bigint {
    return this.raw(8).reduce((value, byte) => (value << 8n) | BigInt(byte), 0n);
  }

  string(): Uint8Array {
    return this.raw(this.size());
  }

  text(): string {
    return textOf(this.string());
  }

  /** Of things that take at least so many bytes each: more can't follow. */
  count(leastBytes = 1): number {
    const count = this.size();
    if (count * leastBytes > this.left()) malformed('it announces more than it holds');
    return count;
  }

  left(): number {
    return this.bytes.length - this.at;
  }

  /** Up to the next line feed, which is passed over. */
  line(): Uint8Array {
    const end = this.bytes.indexOf(0x0a, this.at);
    if (end < 0) malformed('a line does not end');
    const line = this.raw(end - this.at);
    this.at += 1;
    return line;
  }

  expectEnd(): void {
    if (this.left() > 0) malformed('it goes on behind its end');
  }

  private size(): number {
    const size = this.varint();
    if (size > BigInt(this.left())) malformed('it announces more than it holds');
    return Number(size);
  }
}

export class ByteWriter {
  private readonly bytes: number[] = [];

  varint(value: bigint | number): void {
    let rest = BigInt(value);
    for (; rest >= 0x80n; rest >>= 7n) this.bytes.push(Number(rest & 0x7fn) | 0x80);
    this.bytes.push(Number(rest));
  }

  fixed64(value: bigint): void {
    for (let shift = 56n; shift >= 0n; shift -= 8n) {
      this.bytes.push(Number((value >> shift) & 0xffn));
    }
  }

  text(text: string): void {
    const bytes = new TextEncoder().encode(text);
    this.varint(bytes.length);
    this.bytes.push(...bytes);
  }

  take(): Uint8Array {
    return Uint8Array.from(this.bytes);
  }
}

export function textOf(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return malformed('a text is not UTF-8');
  }
}
