import { randomUUID } from "node:crypto";

import { create, type JsonObject } from "@bufbuild/protobuf";
import { reflect } from "@bufbuild/protobuf/reflect";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { Interceptor, Transport } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";

import { isLoopback } from "./address.js";
import type { CheckResponse, GetFeatureUsageResponse } from "./gen/candela/entitlement/v1/entitlement_service_pb.js";
import { EventSchema } from "./gen/candela/metering/v1/event_pb.js";
import type { RecordEventResponse } from "./gen/candela/metering/v1/ingestion_service_pb.js";
import { retryUnavailable } from "./retry.js";
import { createServices, type Services } from "./services.js";

/** Who is asked about, or whose usage is sent: exactly one of these. */
export type Subject =
  /** One of your users, by your own id; it stands for the customer that the user acts for. */
  | { userId: string; customerId?: never; externalCustomerId?: never }
  /** A customer by Candela's id ("cus_…"). */
  | { customerId: string; userId?: never; externalCustomerId?: never }
  /** A customer by your own id. */
  | { externalCustomerId: string; userId?: never; customerId?: never };

/** A number without rounding: a whole number, or a plain decimal as text, such as "12.5". */
export type Quantity = bigint | number | string;

/** A question about one feature. */
export type FeatureQuestion = Subject & {
  /** The feature's slug. */
  feature: string;
  /** Would this much more still be allowed? 1 when absent. */
  quantity?: Quantity;
};

/** One usage event. */
export type UsageEvent = Subject & {
  /** What happened, for example "api-call". */
  name: string;
  /** How much; 1 when absent. */
  value?: Quantity;
  /** When it happened; the instant of receipt when absent. */
  timestamp?: Date;
  /** A flat object: strings, numbers and booleans. */
  properties?: Record<string, string | number | boolean>;
  /** Names the fact, so that sending it again counts once. One is made when absent. */
  idempotencyKey?: string;
};

/** How to connect. */
export interface ClientOptions {
  /** The server, as "host:port". */
  address: string;
  /** The API key: "sk_…" on a server, "pk_…" where everybody can read it. */
  apiKey: string;
  /** Whether the connection is encrypted: everywhere but on the machine itself, unless given. */
  tls?: boolean;
  /** Bounds each call that gives no timeout of its own; 30 seconds unless given, and never for streams. */
  timeoutMs?: number;
}

const DEFAULT_TIMEOUT_MS = 30_000;
const MAX_MESSAGE_BYTES = 16 * 1024 * 1024;
// Slower than the server's limit on pings, so that a quiet connection is kept and never punished.
const PING_INTERVAL_MS = 60_000;

/**
 * Candela for TypeScript: ask what a customer may do, send usage, and reach the whole API with types.
 *
 *     const candela = new CandelaClient({ address: "127.0.0.1:8430", apiKey: "sk_test_…" });
 *     if (await candela.isFeatureEntitled({ feature: "advanced-analytics", userId: "user-42" })) { … }
 *     await candela.sendEvent({ name: "premium-message", value: 1, userId: "user-42" });
 *     candela.close();
 */
export class CandelaClient {
  /** Every service of the contract. */
  readonly services: Services;
  readonly #session: Http2SessionManager;

  constructor(options: ClientOptions) {
    const scheme = (options.tls ?? !isLoopback(options.address)) ? "https" : "http";
    const baseUrl = `${scheme}://${options.address}`;
    this.#session = new Http2SessionManager(baseUrl, { pingIntervalMs: PING_INTERVAL_MS });
    const transport = createGrpcTransport({
      baseUrl,
      sessionManager: this.#session,
      readMaxBytes: MAX_MESSAGE_BYTES,
      writeMaxBytes: MAX_MESSAGE_BYTES,
      // The key is filled outside the retries: every attempt carries the same one.
      interceptors: [withKey(options.apiKey), fillIdempotencyKey, retryUnavailable],
    });
    this.services = createServices(withTimeout(transport, options.timeoutMs ?? DEFAULT_TIMEOUT_MS));
  }

  /**
   * Whether the subject may use a feature now (SDK-1).
   *
   * Fails with a ConnectError for an unknown feature slug: that is a mistake in the code, never a "no".
   */
  async isFeatureEntitled(question: FeatureQuestion): Promise<boolean> {
    const { entitlement } = await this.checkFeature(question);
    return entitlement?.entitled ?? false;
  }

  /** As `isFeatureEntitled`, with the value, the usage, the source and the reason of a denial. */
  checkFeature(question: FeatureQuestion): Promise<CheckResponse> {
    const { feature, quantity } = question;
    return this.services.entitlements.check({
      feature,
      who: who(question),
      ...(quantity === undefined ? {} : { quantity: plain(quantity) }),
    });
  }

  /** What was used of each usage feature in the current window, with limits and credits (SDK-1). */
  getUsage(subject: Subject): Promise<GetFeatureUsageResponse> {
    return this.services.entitlements.getFeatureUsage({ who: who(subject) });
  }

  /**
   * Records one usage event, counted exactly once (SDK-1).
   *
   * When the promise is fulfilled, the event is durable and the next check counts it.
   */
  sendEvent(sent: UsageEvent): Promise<RecordEventResponse> {
    const event = create(EventSchema, {
      name: sent.name,
      idempotencyKey: sent.idempotencyKey ?? randomUUID(),
      value: plain(sent.value ?? 1),
    });
    if (sent.userId !== undefined) {
      event.user = { case: "externalUserId", value: sent.userId };
    } else if (sent.customerId !== undefined) {
      event.customer = { case: "customerId", value: sent.customerId };
    } else {
      event.customer = { case: "externalCustomerId", value: sent.externalCustomerId };
    }
    if (sent.timestamp !== undefined) {
      event.timestamp = timestampFromDate(sent.timestamp);
    }
    if (sent.properties !== undefined) {
      event.propertiesJson = new TextEncoder().encode(JSON.stringify(sent.properties satisfies JsonObject));
    }
    return this.services.ingestion.recordEvent({ event });
  }

  /** Ends the connection, so that the process can end. */
  close(): void {
    this.#session.abort();
  }
}

/** Bounds calls with one answer; a stream lasts as long as its caller reads it. */
function withTimeout(transport: Transport, timeoutMs: number): Transport {
  return {
    unary: (method, signal, ownTimeoutMs, header, input, values) =>
      transport.unary(method, signal, ownTimeoutMs ?? timeoutMs, header, input, values),
    stream: transport.stream.bind(transport),
  };
}

function withKey(apiKey: string): Interceptor {
  return (next) => (request) => {
    request.header.set("authorization", `Bearer ${apiKey}`);
    return next(request);
  };
}

/** Gives a changing request a key of its own, unless the caller chose one. */
const fillIdempotencyKey: Interceptor = (next) => (request) => {
  if (!request.stream) {
    const field = request.method.input.fields.find((one) => one.name === "idempotency_key");
    if (field !== undefined) {
      const message = reflect(request.method.input, request.message);
      if (!message.isSet(field)) {
        message.set(field, randomUUID());
      }
    }
  }
  return next(request);
};

function who(subject: Subject) {
  if (subject.userId !== undefined) {
    return { case: "externalUserId" as const, value: subject.userId };
  }
  if (subject.customerId !== undefined) {
    return { case: "customerId" as const, value: subject.customerId };
  }
  return { case: "externalCustomerId" as const, value: subject.externalCustomerId };
}

/** A number as the contract writes it; a binary fraction is refused, because it is not exact. */
function plain(quantity: Quantity): string {
  if (typeof quantity === "number" && !Number.isSafeInteger(quantity)) {
    throw new TypeError(`${quantity} is not exact: give a whole number, a bigint, or a text such as "12.5"`);
  }
  return quantity.toString();
}
