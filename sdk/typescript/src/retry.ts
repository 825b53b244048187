import { Code, ConnectError, type Interceptor } from "@connectrpc/connect";

const MAX_ATTEMPTS = 4;
const INITIAL_BACKOFF_MS = 100;
const MAX_BACKOFF_MS = 2_000;
const BACKOFF_MULTIPLIER = 3;

/**
 * Tries a call again that did not reach the server, as gRPC does for the other SDKs; never a stream.
 *
 * The request keeps its idempotency key, so that it takes effect once. All attempts share the call's timeout.
 */
export const retryUnavailable: Interceptor = (next) => async (request) => {
  if (request.stream) {
    return next(request);
  }
  let backoffMs = INITIAL_BACKOFF_MS;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await next(request);
    } catch (error) {
      if (attempt === MAX_ATTEMPTS || request.signal.aborted || !isUnavailable(error)) {
        throw error;
      }
    }
    // Spread out, so that clients that lost one server do not return to it all at once.
    await pause(Math.random() * backoffMs, request.signal);
    backoffMs = Math.min(backoffMs * BACKOFF_MULTIPLIER, MAX_BACKOFF_MS);
  }
};

function isUnavailable(error: unknown): boolean {
  if (!(error instanceof ConnectError)) {
    return false;
  }
  // A lost connection is Aborted or Internal here and UNAVAILABLE in gRPC; its cause is Node's. A server's own refusal
  // has no cause.
  return error.code === Code.Unavailable || (error.cause instanceof Error && lostConnection.has(nodeCode(error.cause)));
}

const lostConnection: ReadonlySet<string | undefined> = new Set([
  "ECONNRESET",
  "EPIPE",
  "ERR_HTTP2_INVALID_SESSION",
  "ERR_HTTP2_INVALID_STREAM",
  "ERR_HTTP2_GOAWAY_SESSION",
  "ERR_HTTP2_SESSION_ERROR",
  "ERR_STREAM_DESTROYED",
  "ERR_STREAM_PREMATURE_CLOSE",
]);

function nodeCode(error: Error): string | undefined {
  return (error as NodeJS.ErrnoException).code;
}

/** Waits, or fails with the signal's reason as soon as the call is aborted or its time is over. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", stop);
      resolve();
    }, ms);
    signal.addEventListener("abort", stop, { once: true });
  });
}
