/** A refusal by the server (RFC 9457), or the failure to reach it (status 0). */
export class ApiProblem extends Error {
  readonly status: number;
  readonly code: string;
  /** The server's plain sentence; empty when there is none. */
  readonly detail: string;
  /** The field that the refusal is about, where the server names one. */
  readonly field: string | undefined;

  constructor(status: number, code: string, detail: string, field?: string) {
    super(detail === '' ? code : detail);
    this.name = 'ApiProblem';
    this.status = status;
    this.code = code;
    this.detail = detail;
    this.field = field;
  }
}

function textAt(body: unknown, name: string): string | undefined {
  if (typeof body !== 'object' || body === null) return undefined;
  const value = (body as Record<string, unknown>)[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** Reads a problem+json answer; anything else still becomes a problem with its status. */
export async function problemFrom(response: Response): Promise<ApiProblem> {
  let body: unknown;
  try {
    body = await response.json();
  } catch {
    body = undefined;
  }
  return new ApiProblem(
    response.status,
    textAt(body, 'code') ?? `status_${response.status}`,
    textAt(body, 'detail') ?? textAt(body, 'title') ?? '',
    textAt(body, 'field'),
  );
}

/** Every rejection as an ApiProblem; undefined when the call was only given up. */
export function asProblem(error: unknown): ApiProblem | undefined {
  if (error instanceof ApiProblem) return error;
  if (error instanceof Error && error.name === 'AbortError') return undefined;
  return new ApiProblem(0, 'unexpected', error instanceof Error ? error.message : String(error));
}
