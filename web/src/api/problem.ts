// Why a request did not give an answer, in words a page can show.

/** `application/problem+json`, as the API sends it. */
interface ProblemBody {
  title?: string;
  detail?: string;
}

export class Problem extends Error {
  /** HTTP status; 0 when the server could not be reached at all. */
  readonly status: number;
  readonly title: string;

  constructor(status: number, title: string, detail: string) {
    super(detail);
    this.status = status;
    this.title = title;
  }

  get offline(): boolean {
    return this.status === 0;
  }

  /** The server wants a key, or another one. */
  get needsKey(): boolean {
    return this.status === 401 || this.status === 403;
  }

  get notFound(): boolean {
    return this.status === 404;
  }
}

export function unreachable(): Problem {
  return new Problem(
    0,
    "Heirloom cannot be reached",
    "The server does not answer. This page tries again by itself.",
  );
}

export async function problemOf(response: Response): Promise<Problem> {
  const body: ProblemBody = await response.json().catch(() => ({}));
  const title = body.title ?? `The server answered ${response.status}`;
  return new Problem(response.status, title, body.detail ?? response.statusText);
}
